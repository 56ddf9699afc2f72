"""The conductor of a dry run: everything is read, mapped and checked, nothing is sent and nothing remembered."""

import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, BinaryIO

import orjson
from rich.console import Console

from replay_cli.archive import Source, read
from replay_cli.errors import DamagedObjectError, FatalError
from replay_cli.model import ArchiveObject
from replay_cli.preparation import Preparation, Prepared
from replay_cli.recognition import leave_out_duplicates
from replay_cli.report.progress import Reading, make_reporter
from replay_cli.report.summary import Summary, make_summary, run_numbers
from replay_cli.report.terminal import count
from replay_cli.segment.duplicates import Window

_MOST_EXAMPLES = 3
"""Records that are shown for each rule of a warning."""
_EXPECTED = 4
"""How many objects after the current one are told to the source."""


class DryRun:
    """Prepares what a run would send.

    Args:
        source: where the objects are.
        prepare: batch → requests.
        endpoint: base URL for the `url`s written; may be empty.
        limit: how many requests to prepare at most; None: all.
        window: an empty one, in which duplicates are looked for; None: they are prepared.
    """

    def __init__(
        self,
        source: Source,
        prepare: Preparation,
        endpoint: str,
        limit: int | None = None,
        window: Window | None = None,
    ) -> None:
        self._source = source
        self._prepare = prepare
        self._endpoint = endpoint
        self._limit = limit
        self._window = window
        self._records: Counter[tuple[str, str]] = Counter()
        self._read = 0
        self._pending = 0
        self._damage: dict[str, str] = {}
        self._examples: dict[str, list[dict[str, Any]]] = {}
        self._objects = self._listed = self._consumed = self._total = 0
        self._listing = True

    def go(self, output: Path | None, console: Console) -> Summary:
        """Prepare everything; `output` receives one JSON line a record, in archive order.

        Raises:
            FatalError: the output cannot be written.
        """
        began = time.monotonic()
        try:
            with _private(output) if output else nullcontext() as file, make_reporter(console) as reporter:
                shown = began
                for obj, whole in self._prepared():
                    prepared = self._within_limit(whole)
                    self._count(prepared)
                    if file is not None:
                        self._write(file, obj, prepared)
                    if time.monotonic() - shown >= reporter.every:
                        shown = time.monotonic()
                        reporter.show(self._reading(prepared.batch.consumed))
                    if self._limit == 0:
                        break
        except OSError as error:
            raise FatalError(f"cannot write {output}: {error.strerror}") from None
        written = f", as {output} shows" if output else ""
        return self._summary(time.monotonic() - began, written)

    def _prepared(self) -> Iterator[tuple[ArchiveObject, Prepared]]:
        for page in self._pages():
            for index, obj in enumerate(page, start=1):
                self._source.expect(page[index : index + _EXPECTED])
                try:
                    for batch in read(self._source, obj):
                        prepared = self._prepare(batch)
                        yield obj, leave_out_duplicates(prepared, self._window) if self._window else prepared
                except DamagedObjectError as error:
                    self._damage[error.uri] = error.cause
                self._consumed += obj.size
                self._objects += 1

    def _within_limit(self, prepared: Prepared) -> Prepared:
        """Leave out the requests beyond `--limit`, and the other records where those begin."""
        if self._limit is None or len(prepared.requests) < self._limit:
            self._limit = self._limit and self._limit - len(prepared.requests)
            return prepared
        requests = prepared.requests[: self._limit]
        self._limit = 0
        records = len({ordinal for request in requests for ordinal in request.ordinals})
        return prepared._replace(requests=requests, records=records, skipped=[], rejected=[], warnings=Counter())

    def _pages(self) -> Iterator[Sequence[ArchiveObject]]:
        """List one page ahead, so that the last one is known when it is read."""
        pages = self._source.pages()
        page = next(pages, None)
        while page is not None:
            following = next(pages, None)
            self._listed += len(page)
            self._total += sum(obj.size for obj in page)
            self._listing = following is not None
            yield page
            page = following

    def _count(self, prepared: Prepared) -> None:
        self._read += prepared.records
        self._records.update(("skipped", skipped.reason) for skipped in prepared.skipped)
        self._records.update(("rejected", rejected.reason) for rejected in prepared.rejected)
        self._records.update({("warning", rule): n for rule, n in prepared.warnings.items()})
        for rule, (ordinal, detail) in prepared.examples.items():
            if len(found := self._examples.setdefault(rule, [])) < _MOST_EXAMPLES:
                batch = prepared.batch
                found.append({"uri": batch.object.uri, str(batch.unit): ordinal + 1, "detail": detail})
        self._pending += len({ordinal for request in prepared.requests for ordinal in request.ordinals})

    def _write(self, file: BinaryIO, obj: ArchiveObject, prepared: Prepared) -> None:
        rows: dict[int, dict[str, Any]] = {}
        for request in prepared.requests:
            for ordinal in request.ordinals:
                row = rows.setdefault(ordinal, {"outcome": "request", "reason": None, "requests": []})
                url = f"{self._endpoint}{request.path}"
                row["requests"].append({"method": request.method, "url": url, "body": orjson.Fragment(request.body)})
        for ordinal, reason in prepared.skipped:
            rows[ordinal] = {"outcome": "skipped", "reason": reason, "requests": []}
        for rejected in prepared.rejected:
            rows[rejected.ordinal] = {
                "outcome": "rejected",
                "reason": rejected.reason,
                "detail": rejected.detail,
                "requests": [],
            }
        for ordinal, row in sorted(rows.items()):
            place = {"uri": obj.uri, "ordinal": ordinal}
            file.write(orjson.dumps(place | row, option=orjson.OPT_APPEND_NEWLINE))

    def _reading(self, consumed: int) -> Reading:
        return Reading(
            consumed=min(self._consumed + consumed, self._total),
            total=self._total,
            objects=self._objects,
            of_objects=self._listed,
            records=self._read,
            rejected=sum(n for (outcome, _), n in self._records.items() if outcome == "rejected"),
            damaged=len(self._damage),
            listing=self._listing,
        )

    def _summary(self, elapsed: float, written: str) -> Summary:
        limited = " until --limit is reached" if self._limit == 0 else ""
        book: dict[str, dict[str, int]] = {}
        for (outcome, reason), n in self._records.items():
            book.setdefault(outcome, {})[reason] = n
        return make_summary(
            state="complete",
            reason=f"dry run: nothing was sent; {count(self._pending, 'record')} would be{limited}{written}",
            book=book,
            totals={
                "read": self._read,
                "pending": self._pending,
                "in_doubt": 0,
                "objects": self._objects,
                "complete": self._objects,
                "peak": 0,
                "ignored": self._source.ignored,
            },
            replies={},
            damage=self._damage,
            changed=[],
            examples=self._examples,
            run=run_numbers(self._read, self._records, {}, 0, 0, elapsed),
            elapsed=elapsed,
            checkpoint=None,
            dead_letters=None,
        )


def _private(path: Path) -> BinaryIO:
    """Open a new file that holds records: readable by its owner only."""
    descriptor = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    return os.fdopen(descriptor, "wb")

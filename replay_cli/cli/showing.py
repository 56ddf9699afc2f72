"""`--show`: chooses some records of an archive, and tells which requests they become."""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import Any, NamedTuple

import orjson

from replay_cli.model import Record, RecordBatch, Request, Unit
from replay_cli.moengage.known import ANONYMOUS
from replay_cli.preparation import NOT_SUBSCRIBED, Prepared, text_of
from replay_cli.segment.message import masked

LOOKED_AT = 10_000
"""Records among which different kinds are looked for, once there are enough to show."""
REQUEST, SKIPPED, REJECTED = "request", "skipped", "rejected"
_NOT_TAKEN = (NOT_SUBSCRIBED, ANONYMOUS)
"""Why messages that are meant are skipped."""


class Shown(NamedTuple):
    """A record and what becomes of it: requests, or the reason why there are none.

    `record` is its text, or its beginning; in it and in the requests' bodies write keys are masked.
    """

    uri: str
    unit: Unit
    ordinal: int
    outcome: str
    record: bytes
    requests: tuple[Request, ...] = ()
    reason: str = ""
    detail: str = ""

    @property
    def place(self) -> str:
        """Where it is, for a person."""
        return f"{self.uri} {self.unit} {self.ordinal + 1}"

    def document(self, endpoint: str) -> dict[str, Any]:
        """Return it in the form of `--json`.

        Args:
            endpoint: base URL of the requests; may be empty.
        """
        return {
            "uri": self.uri,
            str(self.unit): self.ordinal + 1,
            "outcome": self.outcome,
            "reason": self.reason or None,
            "detail": self.detail or None,
            "record": _as_json(self.record),
            "requests": [
                {"method": request.method, "url": f"{endpoint}{request.path}", "body": _as_json(request.body)}
                for request in self.requests
            ],
        }


class _Chosen(NamedTuple):
    """A record and its place among all that were looked at."""

    batch: int
    ordinal: int
    shown: Shown


@dataclass
class Showcase:
    """Chooses what to show of the records that come by: as many kinds as are found early on, then the first ones.

    Kinds are the events that are sent, users' attributes among them, and the reasons of what is not sent. Of what is
    skipped, one a reason is shown: what the API does not take among the other kinds, the rest where room is left.

    Args:
        number: how many to show.
    """

    number: int
    looked_at: int = 0
    _batches: int = 0
    _kinds: dict[str, dict[Hashable, _Chosen]] = field(default_factory=lambda: {REQUEST: {}, REJECTED: {}, SKIPPED: {}})
    _more: list[_Chosen] = field(default_factory=list)

    def take(self, prepared: Prepared) -> None:
        """Look at the records of a batch, which comes after those before."""
        self._batches += 1
        self.looked_at += prepared.records
        for ordinal, requests, events in _by_record(prepared):
            self._consider(REQUEST, events, ordinal, partial(_sent, prepared.batch, ordinal, requests))
        for left in prepared.rejected:
            text = partial(_unsent, prepared.batch, left.ordinal, REJECTED, left.record, left.reason, left.detail)
            self._consider(REJECTED, left.reason, left.ordinal, text)
        for ordinal, reason in prepared.skipped:
            self._consider(SKIPPED, reason, ordinal, partial(_skipped, prepared.batch, ordinal, reason))

    @property
    def is_complete(self) -> bool:
        """Whether more records would change nothing, or not enough to be worth reading them."""
        if len(self._kinds[REQUEST]) >= self.number:
            return True
        found = len(self._kinds[REQUEST]) + len(self._kinds[REJECTED]) + len(self._more)
        return found >= self.number and self.looked_at >= LOOKED_AT

    def shown(self) -> list[Shown]:
        """Return what was chosen, in the order of the archive."""
        kinds = [chosen for outcome in (REQUEST, REJECTED) for chosen in self._kinds[outcome].values()]
        skipped = self._kinds[SKIPPED].values()
        not_taken = [chosen for chosen in skipped if chosen.shown.reason in _NOT_TAKEN]
        left_out = [chosen for chosen in skipped if chosen.shown.reason not in _NOT_TAKEN]
        chosen = [*kinds, *not_taken, *sorted(self._more), *left_out]
        return [each.shown for each in sorted(chosen[: self.number])]

    def _consider(self, outcome: str, kind: Hashable, ordinal: int, make: Callable[[], Shown]) -> None:
        kinds = self._kinds[outcome]
        if kind not in kinds and len(kinds) < self.number:
            kinds[kind] = _Chosen(self._batches, ordinal, make())
        elif outcome != SKIPPED and len(self._more) < self.number:
            self._more.append(_Chosen(self._batches, ordinal, make()))


def _by_record(prepared: Prepared) -> Iterator[tuple[int, tuple[Request, ...], tuple[str, ...]]]:
    """Give the records that are sent, in their order: ordinal, requests, and the events that these are of."""
    pairs = sorted(
        zip(prepared.requests, prepared.events, strict=True), key=lambda pair: (pair[0].ordinals[0], pair[0].part)
    )
    for ordinal, of_one in groupby(pairs, key=lambda pair: pair[0].ordinals[0]):
        requests, events = zip(*of_one, strict=True)
        yield ordinal, requests, events


def _sent(batch: RecordBatch, ordinal: int, requests: tuple[Request, ...]) -> Shown:
    hidden = tuple(request._replace(body=masked(request.body)) for request in requests)
    return Shown(batch.object.uri, batch.unit, ordinal, REQUEST, masked(requests[0].records[0]), hidden)


def _skipped(batch: RecordBatch, ordinal: int, reason: str) -> Shown:
    record: Record = batch.records[ordinal - batch.first]
    return _unsent(batch, ordinal, SKIPPED, text_of(record), reason, "")


def _unsent(batch: RecordBatch, ordinal: int, outcome: str, record: bytes, reason: str, detail: str) -> Shown:
    return Shown(batch.object.uri, batch.unit, ordinal, outcome, masked(record), (), reason, detail)


def _as_json(text: bytes) -> object:
    """Return JSON as it is written, and what is none as a text."""
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return text.decode(errors="replace")
    return orjson.Fragment(text)

"""What `replay erase` says: what was erased, what is not covered, and the list of what is with MoEngage."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import click
import orjson
from rich.console import Console

from replay_cli.cli.home import Where, working_file
from replay_cli.cli.tracing import Looked
from replay_cli.errors import FatalError
from replay_cli.job import dead_letter_path, plain_dead_letter_path
from replay_cli.ledger.store import Store
from replay_cli.ledger.whereabouts import Fate
from replay_cli.report.terminal import count, print_json, printable

MOST_LISTED = 1000
"""So many records are in the JSON summary; a file has them all."""
_WITH_MOENGAGE = (Fate.SENT, Fate.PERHAPS_SENT, Fate.SENT_IN_PART, Fate.IN_DOUBT)


class Erased(NamedTuple):
    """What an erasure came to: texts of dead letters, records that were parked, details of examples.

    `in_settings` tells that the job's settings name them.
    """

    dead_letters: int
    parked: int
    examples: int
    looked: Looked
    in_settings: bool = False


def tell_of(
    store: Store, where: Where, erased: Erased, people: int, values: Mapping[str, Any], console: Console
) -> None:
    """Say what was done, and list what is with MoEngage."""
    by_fate = store.listed_by_fate()
    output: Path | None = values["output"]
    document = {
        "checkpoint": str(where) if isinstance(where, Path) else where.uri,
        "dry_run": values["dry_run"],
        "people": people,
        "dead_letters": erased.dead_letters,
        "parked": erased.parked,
        "examples": erased.examples,
        "records": {fate.value: by_fate.get(fate, 0) for fate in _WITH_MOENGAGE},
        "looked_through": len(erased.looked.through),
        "not_looked_through": erased.looked.not_through,
        "notes": [*_not_covered(where, erased), *_notes(store, values)],
        "output": None if output is None else str(output),
    }
    if output is not None:
        _write(output, _rows(store))
    for line in _lines(document):
        console.print(printable(line), highlight=False, markup=False, soft_wrap=True)
    if values["as_json"]:
        listed = [row for _, row in zip(range(MOST_LISTED), _rows(store), strict=False)]
        print_json(document | {"listed": listed})
    elif output is None:
        for row in _rows(store):
            click.echo(orjson.dumps(row).decode())


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    """Say for people what an erasure came to."""
    verb = "would be erased" if document["dry_run"] else "erased"
    yield f"{count(document['people'], 'id')} and addresses" if document["people"] != 1 else "1 id or address"
    yield f"  {verb}: the texts of {count(document['dead_letters'], 'dead letter')}"
    yield f"  {verb}: {count(document['parked'], 'record')} that waited to be sent"
    if document["examples"]:
        yield f"  {verb}: the details of {count(document['examples'], 'example')} of warnings, which may be of theirs"
    records = document["records"]
    for fate, n in records.items():
        if n:
            yield f"  {fate.replace('_', ' ')}: {count(n, 'record')}"
    if not any(records.values()):
        yield "  sent: nothing that was found"
    for uri, why_not in document["not_looked_through"].items():
        yield f"  not looked through: {uri}: {why_not}"
    yield from document["notes"]
    if document["output"]:
        yield f"list: {document['output']}"


def _not_covered(where: Where, erased: Erased) -> Iterator[str]:
    """Say what may hold something of theirs still."""
    yield "not covered: reports written before, copies of the checkpoint, the archives, and MoEngage itself"
    if not isinstance(where, Path):
        yield "not covered: what other machines have that ran this job (.replay/s3), and versions that the bucket keeps"
    if erased.in_settings:
        yield "not covered: the settings of the job name them (--user-id, --where): they go with the checkpoint only"
    yield from (f"not covered: {path}" for path in _moved_aside(working_file(where)))


def _notes(store: Store, values: Mapping[str, Any]) -> Iterator[str]:
    """Say what is to be known of the list, and of what is sent later."""
    if values["no_scan"]:
        yield "without a look at the archives (--no-scan), what was sent is not known"
    totals = store.totals()
    if totals["pending"] or totals["listing"] or totals["complete"] < totals["objects"]:
        named = " ".join(f"--suppress {path}" for path in values["ids"])
        yield f"the job is not finished: run it with {named}, or what is left to read of theirs is sent"


def _moved_aside(checkpoint: Path) -> list[Path]:
    """Return the files that `--restart` moved aside, which still hold what they held."""
    if not checkpoint.parent.is_dir():
        return []
    names = (checkpoint.name, dead_letter_path(checkpoint).name, plain_dead_letter_path(checkpoint).name)
    return sorted(path for path in checkpoint.parent.iterdir() if path.name.startswith(tuple(f"{n}.2" for n in names)))


def _rows(store: Store) -> Iterator[dict[str, Any]]:
    for found in store.listed():
        place = {"uri": found.uri, found.unit: found.ordinal + 1}
        yield {**place, "outcome": found.fate, "type": found.type or None, "timestamp": found.time or None}


def _write(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    """Write a list, readable by its owner only.

    Raises:
        FatalError: it cannot be written.
    """
    try:
        with _private(path) as file:
            for row in rows:
                file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
    except OSError as error:
        raise FatalError(f"cannot write {path}: {error.strerror}; what was to be erased is erased") from None


def _private(path: Path) -> BinaryIO:
    descriptor = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "wb")

"""Dead letters sent again: their records become requests anew, with the job's settings of today, and are pending."""

from collections.abc import Callable
from typing import NamedTuple

from replay_cli.ledger.redrive import Block, Letter, Which
from replay_cli.ledger.store import Store
from replay_cli.model import ArchiveObject, RecordBatch, Request, Unit
from replay_cli.preparation import Prepared


class Redriven(NamedTuple):
    """What a redrive takes: records, and the requests that they become; `left` records give none any more."""

    records: int = 0
    requests: int = 0
    left: int = 0


def take_dead_letters(
    store: Store, which: Which, limit: int | None, prepare: Callable[[RecordBatch], Prepared], *, dry: bool = False
) -> Redriven:
    """Make dead letters pending again, at most `limit` records; a dry one only counts.

    A record that the settings of today skip or reject stays a dead letter.
    """
    records = requests = left = 0
    for block in store.letters_to_redrive(which):
        if records == limit:
            break
        going = _requests(block, prepare)
        able = [letter for letter in block.letters if letter.ordinal in going]
        letters = able if limit is None else able[: limit - records]
        chosen = {letter.ordinal for letter in letters}
        # In the order of time: those that were in one request have one rank.
        sent = [request for ordinal, its in going.items() if ordinal in chosen for request in its]
        if letters and not dry:
            store.take_back(letters, sent)
        records += len(letters)
        requests += len(sent)
        left += len(block.letters) - len(able)
    return Redriven(records, requests, left)


def _requests(block: Block, prepare: Callable[[RecordBatch], Prepared]) -> dict[int, list[Request]]:
    """Return the requests that have not arrived yet, by the ordinal of their record, in the order of sending."""
    by_ordinal = {letter.ordinal: letter for letter in block.letters}
    going: dict[int, list[Request]] = {}
    for request in prepare(_batch(block, by_ordinal)).requests:
        if not all(request.part in by_ordinal[ordinal].delivered_parts for ordinal in request.ordinals):
            going.setdefault(request.ordinals[0], []).append(request)
    return going


def _batch(block: Block, letters: dict[int, Letter]) -> RecordBatch:
    """Return the records at their old places; what lies between them is blank."""
    last = block.letters[-1].ordinal
    records = [letters[ordinal].record if ordinal in letters else b"" for ordinal in range(block.first, last + 1)]
    return RecordBatch(ArchiveObject(block.uri, 0, block.etag), block.first, records, Unit(block.unit), 0)

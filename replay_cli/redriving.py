"""Dead letters sent again: their records become requests anew, with the job's settings of today, and are pending."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from replay_cli.ledger.redrive import Block, Letter, Which
from replay_cli.ledger.store import Store
from replay_cli.model import ArchiveObject, RecordBatch, Request, Unit
from replay_cli.preparation import Prepared
from replay_cli.settlement import rank


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
    for block in store.letters_to_redrive(which, limit):
        going = list(_requests(block, prepare))
        ordinals = {ordinal for _, request in going for ordinal in request.ordinals}
        letters = [letter for letter in block.letters if letter.ordinal in ordinals]
        if letters and not dry:
            store.take_back(letters, going)
        records += len(letters)
        requests += len(going)
        left += len(block.letters) - len(letters)
    return Redriven(records, requests, left)


def _requests(block: Block, prepare: Callable[[RecordBatch], Prepared]) -> Iterator[tuple[int, Request]]:
    """Give (rank, request) of all that has not arrived yet, in the order of time."""
    by_ordinal = {letter.ordinal: letter for letter in block.letters}
    prepared = prepare(_batch(block, by_ordinal))
    for index, request in enumerate(prepared.requests):
        if not all(request.part in by_ordinal[ordinal].delivered_parts for ordinal in request.ordinals):
            yield rank(block.place, block.first, index), request


def _batch(block: Block, letters: dict[int, Letter]) -> RecordBatch:
    """Return the records at their old places; what lies between them is blank."""
    last = block.letters[-1].ordinal
    records = [letters[ordinal].record if ordinal in letters else b"" for ordinal in range(block.first, last + 1)]
    return RecordBatch(ArchiveObject(block.uri, 0, block.etag), block.first, records, Unit(block.unit), 0)

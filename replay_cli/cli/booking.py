"""What a checkpoint holds of a job, as the plain numbers of its metrics."""

from collections import Counter
from contextlib import closing
from pathlib import Path

from replay_cli.errors import ReplayError
from replay_cli.ledger.latencies import A_DOUBLING
from replay_cli.ledger.reading import Reading
from replay_cli.ledger.store import OUTCOMES, Store
from replay_cli.telling.metrics import Booked

_READ = ("complete", "damaged")
_DEAD = "dead_lettered"


def booked(path: Path | None) -> Booked | None:
    """Return what a checkpoint holds, also while a run writes it; None where nothing can be read."""
    if path is None or not path.is_file():
        return None
    try:
        with closing(Store.open(path, read_only=True)) as store:
            return read_book(store)
    except ReplayError:
        return None


def read_book(store: Reading) -> Booked:
    """Return what a checkpoint holds, all of one moment."""
    with store.unchanging():
        book, totals, seen, replies = store.tallies(), store.totals(), store.glimpse(), store.replies()
    dead = Counter(book.get(_DEAD, {}))
    dead.update(seen.taken_back)
    records = {outcome: sum(book.get(outcome, {}).values()) for outcome in OUTCOMES}
    return Booked(
        records=records | {_DEAD: dead.total()},
        dead_letters=dead,
        attempts=replies,
        objects=seen.objects,
        pending=totals["pending"],
        in_doubt=totals["in_doubt"] - totals["intended"],
        bytes_read=sum(seen.stored.get(state, 0) for state in _READ),
        bytes_listed=sum(seen.stored.values()),
        peak=totals["peak"],
        latencies=[(float(2 ** (bucket / A_DOUBLING)), n) for bucket, n in sorted(seen.latencies.items())],
        last_success=seen.completed,
    )

"""A checkpoint that is kept elsewhere, simulated: its snapshots, what was announced since, and lost machines."""

import asyncio
import random
import shutil
from collections.abc import Callable, Sequence
from itertools import count
from math import inf
from pathlib import Path

from replay_cli.custody import Batch
from replay_cli.errors import FatalError, ReplayError
from replay_cli.ledger.snapshot import still_open, take_snapshot
from replay_cli.ledger.store import Store
from tests.ledger.checkpoints import rows

TAKEN_OVER = "another run has taken the checkpoint over"
_RECORDS_OF = (
    "SELECT o.uri, r.ordinal FROM parked_record r JOIN object o ON o.id = r.object "
    "WHERE r.id IN (SELECT value FROM json_each(?))"
)


class KeptElsewhere:
    """Keeps a snapshot and what was announced since.

    `places` are the records, as (uri, ordinal), of which something may be sent in this run. After so many
    departures (`ours_for`) it says once that it is not ours, and tells why so many seconds later (`tells_after`), or
    never. Each round trip takes so many seconds (`round_trip`), or a random time.

    Args:
        path: the working copy.
        generator: how long a round trip takes.
        every: seconds between the first snapshots; then they become rarer.
    """

    def __init__(self, path: Path, generator: random.Random, every: float) -> None:
        self.announced: list[Batch] = []
        self.parked: list[int] = []
        self.places = set[tuple[str, int]]()
        self.asked = 0
        self.ours_for: float = inf
        self.tells_after: float | None = None
        self.fail: Callable[[ReplayError], None] = lambda _: None
        self.is_lost = False
        self.round_trip: float | None = None
        self._path = path
        self._snapshot = path.with_suffix(".kept")
        self._generator = generator
        self._every = every

    def may_send(self) -> bool:
        self.asked += 1
        if self.asked == self.ours_for + 1 and self.tells_after is not None:
            asyncio.get_running_loop().call_later(self.tells_after, self.fail, FatalError(TAKEN_OVER))
        return self.asked != self.ours_for + 1

    async def announce(self, batches: Sequence[Batch] = (), parked: Sequence[int] = ()) -> None:
        await self._travel()
        self.announced.extend(batches)
        self.parked.extend(parked)
        await self._travel()
        self.places.update((uri, ordinal) for uri, _, first, next_ in batches for ordinal in range(first, next_))
        self.places.update(rows(self._path, _RECORDS_OF, str(list(parked))))

    async def _travel(self) -> None:
        if self.round_trip is None:
            await asyncio.sleep(self._generator.choice((0.0, 0.05, 0.2)) * self._generator.random())
        else:
            await asyncio.sleep(self.round_trip / 2)

    def begin(self, store: Store) -> None:
        """Begin a run: it may be another machine's, and then it has nothing but the snapshot."""
        if self.is_lost:
            store.note_lost(self.announced, self.parked, 0.0)
            self.is_lost = False
        self.places.clear()

    def keep_at_rest(self) -> None:
        """Keep a snapshot while nothing is on its way."""
        take_snapshot(self._path, self._snapshot)
        self.announced, self.parked = [], []

    async def keep(self) -> None:
        """Keep a snapshot every so often."""
        draft = self._path.with_suffix(".draft")
        for number in count(1):
            await asyncio.sleep(self._every * self._generator.random() * number)
            marks = len(self.announced), len(self.parked)
            take_snapshot(self._path, draft)
            batches, parked = still_open(draft, self.announced[: marks[0]], self.parked[: marks[1]])
            await self._travel()
            draft.replace(self._snapshot)
            self.announced = [*batches, *self.announced[marks[0] :]]
            self.parked = [*parked, *self.parked[marks[1] :]]

    def lose(self) -> None:
        """Lose the machine, and go on with what was kept."""
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        shutil.copy(self._snapshot, self._path)
        self.is_lost = True

"""The horizon: what is read waits here, in its order, until it is announced that it may be sent; no tasks.

An announcement may take as long as a round trip to S3, during which reading goes on: what has come meanwhile is
announced together. It goes on only as far as there is room for it anyway, since all that is announced and not settled
would be in doubt if this machine were lost.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TypeGuard

from replay_cli.custody import Batch, Custody
from replay_cli.model import BATCH_BYTES, RecordBatch
from replay_cli.reading import Begin, End, Next

Entering = Begin | Next | End
"""What is read, and waits for nobody's answer."""
_MOST_BYTES = 16 << 20
"""Records that may wait here; with their requests they take twice as much."""


class Horizon:
    """Holds back what is not announced yet.

    Args:
        custody: announces it.
        has_room: tells whether there is room for what so many requests, and all that are before them, bring.
    """

    def __init__(self, custody: Custody, has_room: Callable[[int], bool]) -> None:
        self._custody = custody
        self._has_room = has_room
        self._coming: deque[Entering] = deque()
        self._arrival = asyncio.Event()
        self._all_passed = asyncio.Event()
        self._all_passed.set()
        self._steps = self._requests = self._bytes = 0

    async def room(self) -> None:
        """Return when more may be read ahead."""
        if self._steps and (self._bytes >= _MOST_BYTES or not self._has_room(self._requests)):
            await self._all_passed.wait()

    def put(self, step: Entering) -> None:
        """Take what comes next in the archive."""
        self._coming.append(step)
        self._count(step, 1)
        self._all_passed.clear()
        self._arrival.set()

    async def announced(self) -> list[Entering]:
        """Return the next steps that may be taken; each is to be reported to `note_passed` then.

        Raises:
            FatalError: it cannot be announced any more.
        """
        await self._arrival.wait()
        self._arrival.clear()
        steps = list(self._coming)
        self._coming.clear()
        batches = [_announcement(step.prepared.batch) for step in steps if _sends(step)]
        if batches:
            await self._custody.announce(batches)
        return steps

    def note_passed(self, step: Entering) -> None:
        """Note that a step was taken."""
        self._count(step, -1)
        if not self._steps:
            self._all_passed.set()

    async def passed(self) -> None:
        """Return when everything that came was taken."""
        await self._all_passed.wait()

    def _count(self, step: Entering, sign: int) -> None:
        self._steps += sign
        if isinstance(step, Next):
            self._requests += sign * len(step.prepared.requests)
            self._bytes += sign * _size(step.prepared.batch)


def _sends(step: Entering) -> TypeGuard[Next]:
    return isinstance(step, Next) and bool(step.prepared.requests)


def _announcement(batch: RecordBatch) -> Batch:
    return batch.object.uri, batch.object.etag, batch.first, batch.next


def _size(batch: RecordBatch) -> int:
    """Return how many bytes the records take; those that are no texts are taken to fill a batch."""
    texts = [len(record) for record in batch.records if isinstance(record, bytes)]
    return sum(texts) if texts else BATCH_BYTES

"""How far an object is settled: batches in order, a bitmap each, and the edge below which nothing is open."""

from collections import deque


class OpenBatch:
    """The settled records of one batch, as a bitmap; blank lines count as settled from the start.

    Args:
        object_id: the object's number in the checkpoint.
        first: ordinal of the batch's first record.
        next_: the first ordinal after it.
        unsettled: how many of its records are not settled.
        settled: the bitmap, least significant bit first.
    """

    __slots__ = ("first", "next", "object_id", "settled", "unsettled")

    def __init__(self, object_id: int, first: int, next_: int, unsettled: int, settled: bytes) -> None:
        self.object_id = object_id
        self.first = first
        self.next = next_
        self.unsettled = unsettled
        self.settled = bytearray(settled)

    def is_settled(self, ordinal: int) -> bool:
        index = ordinal - self.first
        return bool(self.settled[index >> 3] >> (index & 7) & 1)

    def settle(self, ordinal: int) -> bool:
        """Mark a record; False when it was settled before."""
        index = ordinal - self.first
        bit = 1 << (index & 7)
        if self.settled[index >> 3] & bit:
            return False
        self.settled[index >> 3] |= bit
        self.unsettled -= 1
        return True


class ObjectProgress:
    """The open batches of one object in order, and the watermark: the lowest ordinal not settled."""

    __slots__ = ("_batches", "damage", "ended", "object_id", "watermark")

    def __init__(self, object_id: int, watermark: int) -> None:
        self.object_id = object_id
        self.watermark = watermark
        self.ended = False
        self.damage: str | None = None
        self._batches: deque[OpenBatch] = deque()

    def open(self, batch: OpenBatch) -> None:
        """Add the next batch; batches are read in order, so it begins where the last one ended."""
        self._batches.append(batch)

    def advance(self) -> list[OpenBatch]:
        """Take the settled batches off the front, move the watermark behind them, and return them."""
        closed = []
        while self._batches and self._batches[0].unsettled == 0:
            batch = self._batches.popleft()
            self.watermark = batch.next
            closed.append(batch)
        return closed

    @property
    def complete(self) -> bool:
        """Whether everything was read and settled."""
        return self.ended and not self._batches

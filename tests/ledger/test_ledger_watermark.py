from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from replay_cli.ledger.watermark import ObjectProgress, OpenBatch


def open_batch(first: int, size: int, unsettled: set[int]) -> OpenBatch:
    bitmap = bytearray(b"\xff" * ((size + 7) // 8))
    for ordinal in unsettled:
        bitmap[(ordinal - first) >> 3] &= ~(1 << ((ordinal - first) & 7))
    return OpenBatch(1, first, first + size, len(unsettled), bytes(bitmap))


class ProgressAgainstSets(RuleBasedStateMachine):
    """The naive model: the set of unsettled ordinals, and the edges of the batches."""

    def __init__(self) -> None:
        super().__init__()
        self.progress = ObjectProgress(1, 0)
        self.batches: list[OpenBatch] = []
        self.unsettled: set[int] = set()
        self.end = 0

    @precondition(lambda self: not self.progress.ended)
    @rule(size=st.integers(1, 30), data=st.data())
    def read_a_batch(self, size: int, data: st.DataObject) -> None:
        ordinals = range(self.end, self.end + size)
        unsettled = data.draw(st.sets(st.sampled_from(ordinals)))
        batch = open_batch(self.end, size, unsettled)
        self.batches.append(batch)
        self.progress.open(batch)
        self.unsettled |= unsettled
        self.end += size

    @rule()
    def end_the_object(self) -> None:
        self.progress.ended = True

    @precondition(lambda self: self.end)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        """Any record, in any order, and again."""
        ordinal = data.draw(st.integers(0, self.end - 1))
        batch = next(batch for batch in self.batches if batch.first <= ordinal < batch.next)
        assert batch.is_settled(ordinal) == (ordinal not in self.unsettled)
        assert batch.settle(ordinal) == (ordinal in self.unsettled)
        self.unsettled.discard(ordinal)
        assert batch.is_settled(ordinal)
        assert batch.unsettled == sum(1 for open_ in self.unsettled if batch.first <= open_ < batch.next)

    @rule()
    def advance(self) -> None:
        before = self.progress.watermark
        closed = self.progress.advance()
        assert [batch for batch in self.batches if before <= batch.first < self.progress.watermark] == closed
        waiting = [batch.first for batch in self.batches if batch.unsettled]
        assert self.progress.watermark == min(waiting, default=self.end)

    @invariant()
    def nothing_below_the_watermark_is_open(self) -> None:
        assert all(ordinal >= self.progress.watermark for ordinal in self.unsettled)

    @invariant()
    def an_object_is_complete_when_read_and_settled(self) -> None:
        if self.progress.complete:
            assert self.progress.ended
            assert not self.unsettled
            assert self.progress.watermark == self.end


TestProgressAgainstSets = ProgressAgainstSets.TestCase


@given(st.integers(0, 1000), st.integers(1, 60), st.data())
def test_a_bitmap_outlives_its_storage(first: int, size: int, data: st.DataObject) -> None:
    unsettled = data.draw(st.sets(st.integers(first, first + size - 1)))
    batch = open_batch(first, size, unsettled)
    for ordinal in data.draw(st.sets(st.sampled_from(sorted(unsettled)))) if unsettled else set[int]():
        batch.settle(ordinal)
    stored = OpenBatch(batch.object_id, batch.first, batch.next, batch.unsettled, bytes(batch.settled))
    ordinals = range(first, first + size)
    assert [stored.is_settled(n) for n in ordinals] == [batch.is_settled(n) for n in ordinals]
    assert stored.unsettled == sum(1 for n in ordinals if not stored.is_settled(n))


def test_an_object_without_a_record_is_complete_at_its_end() -> None:
    progress = ObjectProgress(1, 0)
    assert not progress.complete
    progress.ended = True
    assert progress.complete

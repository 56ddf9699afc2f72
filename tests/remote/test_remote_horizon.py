"""A horizon forgets nothing that may have been sent, but what a snapshot knows to be settled."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from replay_cli.remote import Announced
from replay_cli.remote.horizon import Horizon, joined

firsts, counts, uris = st.integers(0, 60), st.integers(1, 9), st.sampled_from(["a", "b"])


class Announcing(RuleBasedStateMachine):
    """A horizon beside sets of single records: `older` was announced before the last mark, `newer` since."""

    def __init__(self) -> None:
        super().__init__()
        self.horizon = Horizon()
        self.marked = self.horizon.mark()
        self.older: set[tuple[str, int]] = set()
        self.newer: set[tuple[str, int]] = set()
        self.older_parked: set[int] = set()
        self.newer_parked: set[int] = set()

    @rule(uri=uris, first=firsts, count=counts, parked=st.lists(firsts, max_size=4))
    def announce(self, uri: str, first: int, count: int, parked: list[int]) -> None:
        self.horizon.add([Announced(uri, "e", first, first + count)], parked)
        self.newer |= {(uri, number) for number in range(first, first + count)}
        self.newer_parked |= set(parked)

    @rule()
    def mark(self) -> None:
        self.marked = self.horizon.mark()
        self.older |= self.newer
        self.older_parked |= self.newer_parked
        self.newer, self.newer_parked = set(), set()

    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        open_ = data.draw(st.sets(st.sampled_from(sorted(self.older)))) if self.older else set[tuple[str, int]]()
        parked = data.draw(st.sets(st.sampled_from(sorted(self.older_parked)))) if self.older_parked else set[int]()
        self.horizon.settle(self.marked, [Announced(uri, "e", n, n + 1) for uri, n in open_], sorted(parked))
        self.older, self.older_parked = open_, parked

    @invariant()
    def all_is_known_and_nothing_else(self) -> None:
        batches = self.horizon.batches()
        assert {(it.uri, n) for it in batches for n in range(it.first, it.next)} == self.older | self.newer
        parked = {n for first, after in self.horizon.parked() for n in range(first, after)}
        assert parked == self.older_parked | self.newer_parked
        assert sum(it.next - it.first for it in batches) == len(self.older | self.newer), "no range overlaps another"


TestAnnouncing = Announcing.TestCase
TestAnnouncing.settings = settings(max_examples=40, stateful_step_count=20)


@given(st.lists(st.tuples(firsts, firsts)))
def test_joined_ranges_are_apart_and_in_order(ranges: list[tuple[int, int]]) -> None:
    parts = joined(ranges)
    assert all(before[1] < after[0] for before, after in pairwise(parts))
    assert {n for part in parts for n in range(*part)} == {n for part in ranges for n in range(*part)}


def test_batches_that_follow_each_other_take_no_more_room_than_one() -> None:
    horizon = Horizon()
    for first in range(0, 100_000, 10):
        horizon.add([Announced("a", "e", first, first + 10)], [first])
    assert horizon.batches() == [Announced("a", "e", 0, 100_000)]


def test_what_an_earlier_owner_announced_stays_until_the_first_snapshot() -> None:
    horizon = Horizon([Announced("a", "e", 0, 5)], [(1, 3)])
    horizon.add([Announced("a", "e", 5, 6)], [7])
    assert (horizon.batches(), horizon.parked()) == ([Announced("a", "e", 0, 6)], [(1, 3), (7, 8)])
    horizon.settle(horizon.mark(), [], [])
    assert (horizon.batches(), horizon.parked()) == ([], [])

from collections import deque
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from replay_cli.delivery.lanes import Lanes, Place

LANES = st.lists(st.sampled_from("abcdef"), max_size=4)


class LanesAgainstQueues(RuleBasedStateMachine):
    """The naive model: a queue a lane; an item may go when it is the head of all its queues."""

    def __init__(self) -> None:
        super().__init__()
        self.lanes: Lanes[int] = Lanes()
        self.places: dict[int, Place[int]] = {}
        self.queues: dict[str, deque[int]] = {}
        self.going: list[int] = []
        self.entered = 0

    @rule(lanes=LANES)
    def enter(self, lanes: list[str]) -> None:
        item = self.entered
        self.entered += 1
        for lane in dict.fromkeys(lanes):
            self.queues.setdefault(lane, deque()).append(item)
        self.places[item], may_go = self.lanes.enter(item, tuple(lanes))
        assert may_go == self.is_first(item)
        if may_go:
            self.going.append(item)

    @precondition(lambda self: self.going)
    @rule(data=st.data())
    def leave(self, data: Any) -> None:
        """Those in flight finish in any order."""
        item = self.going.pop(data.draw(st.integers(0, len(self.going) - 1)))
        waiting = [other for other in self.places if other != item and other not in self.going]
        place = self.places.pop(item)
        for lane in set(place.lanes):
            assert self.queues[lane].popleft() == item
            if not self.queues[lane]:
                del self.queues[lane]
        ready = self.lanes.leave(place)
        assert sorted(ready) == [other for other in waiting if self.is_first(other)]
        assert ready == sorted(ready), "first come, first served"
        self.going.extend(ready)

    @precondition(lambda self: self.going)
    @rule(data=st.data())
    def park(self, data: Any) -> None:
        """One that cannot go on leaves with all that wait for it; who is in flight stays."""
        item = self.going.pop(data.draw(st.integers(0, len(self.going) - 1)))
        followers = self.lanes.followers(self.places[item])
        family = self.family(item)
        assert set(followers) == family - {item}
        assert len(followers) == len(set(followers)), "each once"
        assert family.isdisjoint(self.going), "nobody in flight waits for anybody"
        waiting = [other for other in self.places if other not in family and other not in self.going]
        leaving = [self.places.pop(member) for member in (item, *followers)]
        for lane, queue in list(self.queues.items()):
            self.queues[lane] = deque(other for other in queue if other not in family)
            if not self.queues[lane]:
                del self.queues[lane]
        ready = self.lanes.leave(*leaving)
        assert ready == [other for other in sorted(waiting) if self.is_first(other)]
        assert ready == [], "who did not wait for the family waits for somebody else"

    def family(self, item: int) -> set[int]:
        """The item, those behind it in a queue, those behind them, and so on."""
        family = {item}
        while True:
            behind = {
                other
                for queue in self.queues.values()
                for place, other in enumerate(queue)
                if not family.isdisjoint(list(queue)[:place])
            }
            if behind <= family:
                return family
            family |= behind

    def is_first(self, item: int) -> bool:
        return all(queue[0] == item for queue in self.queues.values() if item in queue)

    @invariant()
    def somebody_goes_while_anybody_waits(self) -> None:
        assert bool(self.going) == bool(self.places)

    @invariant()
    def only_lanes_in_use_are_remembered(self) -> None:
        assert len(self.lanes) == len(self.queues)

    @invariant()
    def a_lane_is_as_long_as_its_queue(self) -> None:
        for lane in "abcdef":
            assert self.lanes.length(lane) == len(self.queues.get(lane, ()))


TestLanesAgainstQueues = LanesAgainstQueues.TestCase


@given(st.lists(LANES, max_size=60), st.randoms(use_true_random=False))
def test_items_of_a_lane_leave_in_order_and_nobody_is_forgotten(entries: list[list[str]], order: Any) -> None:
    lanes: Lanes[int] = Lanes()
    places = [lanes.enter(item, tuple(entry)) for item, entry in enumerate(entries)]
    going = [item for item, (_, may_go) in enumerate(places) if may_go]
    left: list[int] = []
    while going:
        item = going.pop(order.randrange(len(going)))
        left.append(item)
        going.extend(lanes.leave(places[item][0]))
    assert sorted(left) == list(range(len(entries)))
    for lane in "abcdef":
        mine = [item for item in left if lane in entries[item]]
        assert mine == sorted(mine)
    assert len(lanes) == 0


def test_an_item_that_names_one_lane_twice_does_not_wait_for_itself() -> None:
    lanes: Lanes[str] = Lanes()
    place, may_go = lanes.enter("only", ("a", "b", "a"))
    assert may_go
    assert lanes.leave(place) == []
    assert len(lanes) == 0


def test_followers_are_found_across_lanes_and_in_the_order_of_their_lanes() -> None:
    lanes: Lanes[str] = Lanes()
    first, _ = lanes.enter("first", ("a",))
    lanes.enter("behind in a and in front of b", ("a", "b"))
    lanes.enter("behind that one", ("b", "c"))
    lanes.enter("last of c", ("c",))
    lanes.enter("a stranger", ("d",))
    assert lanes.followers(first) == ["behind in a and in front of b", "behind that one", "last of c"]


def test_who_was_there_before_stays_when_a_family_leaves() -> None:
    lanes: Lanes[str] = Lanes()
    lanes.enter("in flight in b", ("b",))
    failing, _ = lanes.enter("failing", ("a",))
    follower, _ = lanes.enter("waits for both", ("a", "b"))
    assert lanes.leave(failing, follower) == []
    assert (lanes.length("a"), lanes.length("b")) == (0, 1)

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

    def is_first(self, item: int) -> bool:
        return all(queue[0] == item for queue in self.queues.values() if item in queue)

    @invariant()
    def somebody_goes_while_anybody_waits(self) -> None:
        assert bool(self.going) == bool(self.places)

    @invariant()
    def only_lanes_in_use_are_remembered(self) -> None:
        assert len(self.lanes) == len(self.queues)


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

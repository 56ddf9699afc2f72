"""Requests parked in the checkpoint: what comes back, when and in which order, and what survives."""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from math import inf
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from replay_cli.errors import BookError
from replay_cli.ledger.group import Group, ParkedRequest, PartOutcome
from replay_cli.ledger.parked import LOADED_OF_A_LANE, ParkedBefore
from replay_cli.ledger.store import Store
from replay_cli.ledger.upgrading import schema
from replay_cli.model import Request
from tests.ledger.checkpoints import new_store, rows

NOW = 5000.0


def parked(number: int, rank: int | None = None, users: str = "u", **changes: Any) -> ParkedRequest:
    """Request `number` of the record with this ordinal; each letter of `users` is a lane."""
    ordinals = changes.pop("ordinals", (number,))
    records = tuple(b'{"n":%d}' % ordinal for ordinal in ordinals)
    request = Request(ordinals, changes.pop("part", 0), "POST", "/path", b'{"body":1}', tuple(users), records)
    return ParkedRequest(number, number if rank is None else rank, 1, request, "line")._replace(**changes)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = new_store(tmp_path)
    made.begin_parking()
    yield made
    made.close()


def reopen(store: Store) -> Store:
    """The next run: its connection knows nothing of what was in memory."""
    store.close()
    return Store.open(store.path)


def load(store: Store, lanes: Sequence[str] = (), now: float = NOW, limit: int = 100) -> list[int]:
    return [returning.parked.id for returning in store.load_parked(lanes, now, limit).requests]


# -- what comes back ------------------------------------------------------------------------------------------


def test_a_request_comes_back_as_it_was_parked(store: Store) -> None:
    gone = parked(3, users="ua", ordinals=(4, 5), part=2, attempts=6, doubted=True, failures=4, spent=1.5, due=NOW)
    store.apply(Group(parked=[gone]))
    (returning,) = store.load_parked([], NOW, 100).requests
    assert returning.parked == gone
    assert (returning.doubts, returning.parts) == (0, {4: (1, {}), 5: (1, {})})


def test_only_what_is_due_comes_back_by_itself(store: Store) -> None:
    store.apply(Group(parked=[parked(1, users="a", due=NOW), parked(2, users="b", due=NOW + 5), parked(3, users="c")]))
    loaded = store.load_parked([], NOW, 100)
    assert ([returning.parked.id for returning in loaded.requests], loaded.next_due) == ([1], NOW + 5)
    assert load(store) == [], "it is in memory"
    assert load(store, now=NOW + 5) == [2]
    assert store.load_parked([], NOW + 5, 100).next_due == inf


def test_what_is_due_first_comes_first_and_no_more_than_there_is_room_for(store: Store) -> None:
    store.apply(Group(parked=[parked(n, users="abcd"[n], due=NOW - n) for n in range(4)]))
    assert load(store, limit=3) == [3, 2, 1]
    assert load(store, limit=3) == [0]


def test_a_lane_comes_back_in_the_order_of_the_archive_a_few_at_a_time(store: Store) -> None:
    count = LOADED_OF_A_LANE + 5
    store.apply(Group(parked=[parked(n, rank=1000 - n) for n in range(count)]))
    assert load(store, ["u"]) == list(reversed(range(5, count)))
    assert load(store, ["u"]) == [4, 3, 2, 1, 0]
    assert load(store, ["u", "nobody"]) == []


def test_lanes_share_the_room(store: Store) -> None:
    store.apply(Group(parked=[parked(n, users="ab"[n % 2]) for n in range(6)]))
    assert load(store, ["a", "b"], limit=4) == [0, 2, 4, 1]


@pytest.mark.parametrize("shared", ["u", "a"])
def test_an_earlier_request_in_any_lane_blocks_until_it_is_in_memory(store: Store, shared: str) -> None:
    store.apply(
        Group(parked=[parked(1, users=shared, due=NOW + 60), parked(2, users="ua", due=NOW), parked(3, users="u")])
    )
    assert load(store, ["u", "a"]) == []
    assert load(store, ["u", "a"], now=NOW + 60) == [1, 2, 3]


def test_what_was_due_but_blocked_waits_for_its_turn_and_is_not_asked_for_in_vain(store: Store) -> None:
    store.apply(Group(parked=[parked(1, due=NOW + 60), parked(2, due=NOW)]))
    loaded = store.load_parked([], NOW, 100)
    assert (loaded.requests, loaded.next_due) == ([], NOW + 60)
    assert load(store, now=NOW + 60) == [1]
    assert load(store, ["u"], now=NOW + 60) == [2]


def test_those_that_are_blocked_take_no_room_from_the_others(store: Store) -> None:
    store.apply(
        Group(
            parked=[
                parked(0, due=NOW + 60),
                *(parked(n, due=NOW - 10) for n in range(1, 6)),
                parked(6, users="b", due=NOW),
            ]
        )
    )
    assert load(store, limit=5) == []
    assert load(store, limit=5) == [6]


def test_a_request_behind_one_that_is_not_due_yet_stays_when_its_lane_is_asked_for(store: Store) -> None:
    store.apply(Group(parked=[parked(1), parked(2, due=NOW + 60), parked(3)]))
    assert load(store, ["u"]) == [1]
    assert load(store, ["u"]) == []
    assert load(store, ["u"], now=NOW + 60) == [2, 3]


def test_one_that_failed_again_waits_with_its_new_numbers(store: Store) -> None:
    store.apply(Group(parked=[parked(1, due=NOW, attempts=4, failures=4), parked(2)]))
    assert load(store, ["u"]) == [1, 2]
    again = parked(1, due=NOW + 9, attempts=5, failures=5, spent=3.0, doubted=True)
    store.apply(Group(parked=[again], unloaded=[2]))
    assert load(store, ["u"], now=NOW + 8) == []
    loaded = store.load_parked(["u"], NOW + 9, 100)
    assert [returning.parked for returning in loaded.requests] == [again, parked(2)]


def test_one_that_went_back_is_not_due_any_more_but_waits_for_its_turn(store: Store) -> None:
    store.apply(Group(parked=[parked(1, due=NOW)]))
    assert load(store) == [1]
    store.apply(Group(unloaded=[1]))
    assert load(store) == []
    assert load(store, ["u"]) == [1]


def test_who_waits_for_nobody_can_be_made_due(store: Store) -> None:
    store.apply(
        Group(
            parked=[
                parked(1, users="a"),
                parked(2, users="ab"),
                parked(3, users="b"),
                parked(4, users="c", due=NOW + 60),
                parked(5, users="c"),
                parked(6, users="d"),
            ]
        )
    )
    store.release_heads()
    assert load(store) == [1, 6]


# -- a request is settled -------------------------------------------------------------------------------------


def test_a_settled_request_leaves_nothing_behind_and_blocks_nobody(store: Store) -> None:
    store.apply(Group(parked=[parked(1, users="ua", due=NOW), parked(2, users="a")]))
    assert load(store) == [1]
    store.apply(Group(unparked=[1]))
    assert load(store, ["a"]) == [2]
    store.apply(Group(unparked=[2]))
    for table in ("parked", "parked_lane", "parked_record"):
        assert rows(store.path, f"SELECT * FROM {table}") == []
    assert store._value("SELECT count(*) FROM loaded") == 0


def test_a_request_may_be_parked_and_settled_within_one_group(store: Store) -> None:
    store.apply(Group(parked=[parked(1)], unparked=[1]))
    assert store.parked_records() == 0


def test_a_request_that_was_taken_apart_keeps_what_is_left_and_frees_the_lanes_of_the_others(store: Store) -> None:
    whole = parked(1, users="abc", ordinals=(4, 5, 6), due=NOW)
    left = whole.request._replace(ordinals=(5, 6), users=("b", "c"), records=whole.request.records[1:], body=b"left")
    store.apply(Group(parked=[whole, parked(2, users="a"), parked(3, users="b")]))
    assert load(store) == [1]
    store.apply(Group(shrunk=[(1, left)]))
    assert store.parked_records() == 4
    assert load(store, ["a"]) == [2], "the one in memory is not in its way"
    again = reopen(store)
    assert again.begin_parking() == ParkedBefore({"a": 1, "b": 2, "c": 1}, 3, 4)
    first, second = again.load_parked(["a", "b"], NOW, 2).requests
    assert (first.parked, second.parked.id) == (whole._replace(request=left, due=0.0), 2)
    again.close()


def test_a_request_may_be_parked_taken_apart_and_parked_again_within_one_group(store: Store) -> None:
    whole = parked(1, users="abc", ordinals=(4, 5, 6), due=NOW)
    less, least = (
        whole.request._replace(ordinals=(n,), users=("c",), records=(whole.request.records[n - 4],)) for n in (5, 6)
    )
    store.apply(Group(parked=[whole]))
    assert load(store) == [1]
    again = whole._replace(request=least, due=NOW + 1)
    both = less._replace(ordinals=(5, 6), records=whole.request.records[1:])
    store.apply(Group(parked=[again], shrunk=[(1, both), (1, least)]))
    (returning,) = store.load_parked([], NOW + 1, 100).requests
    assert returning.parked == again


# -- the book -------------------------------------------------------------------------------------------------


def test_a_parked_record_is_pending_in_a_book_that_closes(store: Store) -> None:
    store.apply(Group(opened=[(1, 3)], batches=[(1, 0, 3, 3, b"\xf8")]))
    store.apply(Group(batches=[(1, 0, 3, 2, b"\xf9")], parked=[parked(0)]))
    store.verify_book()
    assert (store.totals()["pending"], store.totals()["parked"]) == (3, 1)
    assert load(store, ["u"]) == [0]
    store.apply(Group(tallies=Counter({(1, "delivered", ""): 1}), unparked=[0]))
    store.verify_book()
    assert (store.totals()["pending"], store.totals()["parked"]) == (2, 0)


def test_a_record_of_which_two_requests_are_parked_is_pending_once(store: Store) -> None:
    store.apply(Group(opened=[(1, 2)], parked=[parked(1, ordinals=(7,)), parked(2, ordinals=(7, 8), part=1)]))
    store.verify_book()
    assert (store.totals()["pending"], store.parked_records()) == (2, 2)


def test_a_complete_job_with_parked_records_is_a_bug_that_says_so(store: Store) -> None:
    store.apply(Group(opened=[(1, 1)], parked=[parked(0)], watermarks=[(1, 1)], finished=[("complete", None, 1)]))
    store.verify_book()
    with pytest.raises(BookError):
        store.verify_book(complete=True)


def test_the_parts_of_a_record_come_back_with_it(store: Store) -> None:
    """The settled ones and how they ended, and how many wait."""
    store.apply(
        Group(
            parts=[(1, 7, 0, None, "", 200), (1, 7, 1, "http_400", "no", 400), (1, 9, 0, None, "", 0)],
            parked=[parked(1, ordinals=(7,), part=2), parked(2, ordinals=(7,), part=3)],
        )
    )
    first, second = store.load_parked(["u"], NOW, 100).requests
    ended = {0: PartOutcome(None, "", 200), 1: PartOutcome("http_400", "no", 400)}
    assert first.parts == second.parts == {7: (2, ended)}


# -- the next run ---------------------------------------------------------------------------------------------


def test_what_is_parked_is_known_to_the_next_run(store: Store) -> None:
    assert store.begin_parking() == ParkedBefore({}, 0, 1)
    store.apply(Group(parked=[parked(3, users="uau"), parked(8, users="u")]))
    again = reopen(store)
    assert again.begin_parking() == ParkedBefore({"u": 2, "a": 1}, 2, 9)
    again.close()


def test_what_was_in_memory_when_a_run_died_is_parked_again(store: Store) -> None:
    store.apply(Group(parked=[parked(1, due=NOW), parked(2)]))
    assert load(store, ["u"]) == [1, 2]
    again = reopen(store)
    again.begin_parking()
    assert load(again, ["u"]) == [1, 2]
    again.begin_parking()
    assert load(again, ["u"]) == [1, 2], "a run that begins has nothing in memory"
    again.close()


def test_what_failed_is_tried_at_once_by_the_next_run(store: Store) -> None:
    store.apply(Group(parked=[parked(1, due=NOW + 3600, failures=5, spent=60.0), parked(2)]))
    store.begin_parking()
    (returning,) = store.load_parked([], NOW, 100).requests
    assert (returning.parked.id, returning.parked.failures, returning.parked.spent) == (1, 5, 60.0), "its budget stays"


def test_a_held_request_comes_back_in_the_next_run_only_with_a_new_budget(store: Store) -> None:
    store.apply(Group(parked=[parked(1, due=NOW - 9, held=True, failures=9, spent=900.0), parked(2)]))
    loaded = store.load_parked(["u"], NOW, 100)
    assert (loaded.requests, loaded.next_due) == ([], inf)
    store.release_heads()
    assert load(store, ["u"]) == []
    store.begin_parking()
    first, second = store.load_parked(["u"], NOW, 100).requests
    assert first.parked == parked(1, due=0.0)
    assert second.parked.id == 2


def test_an_attempt_at_a_parked_request_left_open_by_a_kill_is_a_doubt(store: Store) -> None:
    store.apply(Group(parked=[parked(1, part=1, attempts=4, due=NOW), parked(2, users="b", attempts=4, due=NOW)]))
    store.apply(
        Group(
            in_doubt=[(1, 1, 1, 3, 1.0, "timeout")],
            intents=[(1, 1, 1, 6, 2.0), (1, 1, 0, 9, 2.0)],
            concluded=[(1, 1, 0, 9)],
        )
    )
    again = reopen(store)
    assert again.settle_intents() == 1
    again.begin_parking()
    first, second = again.load_parked([], NOW, 100).requests
    assert (first.parked.id, first.doubts) == (1, 6), "the number of the last one: the next attempt has a higher one"
    assert (second.parked.id, second.doubts) == (2, 0)
    again.close()


def test_a_kill_while_a_request_was_being_taken_apart_casts_doubt_on_the_records_under_way(store: Store) -> None:
    store.apply(Group(parked=[parked(1, ordinals=(4, 5, 6), attempts=3, due=NOW)]))
    store.apply(Group(intents=[(1, 5, 0, 4, 1.0), (1, 6, 0, 4, 1.0)], in_doubt=[(1, 4, 0, 2, 1.0, "timeout")]))
    again = reopen(store)
    again.settle_intents()
    again.begin_parking()
    (returning,) = again.load_parked([], NOW, 100).requests
    assert (returning.doubts, sorted(returning.doubted)) == (4, [5, 6])
    again.close()


# -- in any order ---------------------------------------------------------------------------------------------


class ParkedAgainstAList(RuleBasedStateMachine):
    """The naive model: a list by rank; a request may come back when all before it in its lanes are in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.store = Store(Path("job.ckpt"), sqlite3.connect(":memory:", isolation_level=None))
        self.store._db.executescript(schema())
        self.store.begin_parking()
        self.on_disk: dict[int, ParkedRequest] = {}
        self.in_memory: dict[int, ParkedRequest] = {}
        self.numbers = 0
        self.now = NOW

    def teardown(self) -> None:
        self.store.close()

    @rule(lanes=st.sets(st.sampled_from("abc"), min_size=1), rank=st.integers(0, 20), due=st.none() | st.integers(0, 9))
    def park(self, lanes: set[str], rank: int, due: int | None) -> None:
        self.numbers += 1
        new = parked(self.numbers, rank, "".join(sorted(lanes)), due=None if due is None else self.now + due)
        if any(self.before(new, other) for other in self.in_memory.values()):
            return  # those in memory are always before
        self.on_disk[self.numbers] = new
        self.store.apply(Group(parked=[new]))

    @rule(lanes=st.lists(st.sampled_from("abc"), unique=True), later=st.integers(0, 5), limit=st.integers(1, 6))
    def load(self, lanes: list[str], later: int, limit: int) -> None:
        self.now += later
        due = self.due()
        loaded = self.store.load_parked(lanes, self.now, limit)
        assert len(loaded.requests) <= limit
        for returning in loaded.requests:
            request = self.on_disk.pop(returning.parked.id)
            assert returning.parked.request == request.request
            assert not any(self.before(other, request) for other in self.on_disk.values()), "one before it is not here"
            assert request.due is None or request.due <= self.now
            self.in_memory[request.id] = request
        assert loaded.next_due > self.now or self.due() < due, "it would be asked again at once, in vain"

    def due(self) -> int:
        """How many are asked for because their time has come."""
        return int(
            self.store._value(
                "SELECT count(*) FROM parked WHERE due <= ? AND id NOT IN (SELECT id FROM loaded)", self.now
            )
        )

    @precondition(lambda self: self.in_memory)
    @rule(data=st.data(), ends=st.booleans())
    def leave(self, data: Any, ends: bool) -> None:
        """The first of its lanes is settled, or fails: then it waits for its time, and those behind it for it."""
        firsts = [
            one
            for one in self.in_memory.values()
            if not any(self.before(other, one) for other in self.in_memory.values())
        ]
        first = data.draw(st.sampled_from(firsts))
        if ends:
            del self.in_memory[first.id]
            self.store.apply(Group(unparked=[first.id]))
            return
        family = {first.id}
        while grown := {
            other.id
            for other in self.in_memory.values()
            if other.id not in family and any(self.before(self.in_memory[one], other) for one in family)
        }:
            family |= grown
        again = first._replace(due=self.now + 3)
        for number in family:
            self.on_disk[number] = self.in_memory.pop(number)._replace(due=None)
        self.on_disk[first.id] = again
        self.store.apply(Group(parked=[again], unloaded=sorted(family - {first.id})))

    @rule()
    def begin_again(self) -> None:
        self.on_disk |= self.in_memory
        self.in_memory.clear()
        before = self.store.begin_parking()
        self.on_disk = {number: one._replace(due=one.due and 0.0) for number, one in self.on_disk.items()}
        assert before.requests == len(self.on_disk)
        assert before.lanes == Counter(lane for one in self.on_disk.values() for lane in one.request.users)

    @rule()
    def everybody_comes_back_in_the_end(self) -> None:
        self.store.release_heads()
        self.now += 10
        for _ in range(len(self.on_disk) + 1):
            self.load(["a", "b", "c"], 0, 100)
        assert self.on_disk == {}

    @staticmethod
    def before(one: ParkedRequest, other: ParkedRequest) -> bool:
        shared = set(one.request.users) & set(other.request.users)
        return bool(shared) and (one.rank, one.id) < (other.rank, other.id)

    @invariant()
    def nothing_is_forgotten(self) -> None:
        assert self.store._value("SELECT count(*) FROM parked") == len(self.on_disk) + len(self.in_memory)


TestParkedAgainstAList = ParkedAgainstAList.TestCase

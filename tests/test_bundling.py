"""Requests put together and taken apart: nothing lost or doubled, each lane in order, families together."""

import json
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.bundling import Remains, after_refusal, apart, bundle, bundle_behind
from replay_cli.model import Request
from replay_cli.moengage.packing import join, packer, weigh
from replay_cli.moengage.replies import Reply
from replay_cli.policy import BulkRefused

ALONE = 10**6


def track(ordinal: int, *lanes: str, size: int = 0) -> Request:
    """A bulk request of one record; its user comes first."""
    element = {"type": "event", "customer_id": lanes[0], "n": ordinal, "x": "x" * size}
    body = json.dumps({"type": "transition", "elements": [element]}, separators=(",", ":")).encode()
    users = (f"u{lanes[0]}", *(f"a{lane}" for lane in lanes[1:]))
    return Request((ordinal,), 0, "POST", "/t", body, users, (b"%d" % ordinal,))


USERS = st.tuples(st.sampled_from("123456789")) | st.tuples(st.sampled_from("123456789"), st.sampled_from("123"))
BATCHES = st.lists(st.tuples(USERS, st.sampled_from([0, 0, 0, 100, 700])), max_size=30).map(
    lambda made: [track(n, *lanes, size=size) for n, (lanes, size) in enumerate(made)]
)
LIMITS = st.sampled_from([50, 200, 1000, ALONE])
MOST_EVENTS = st.sampled_from([0, 1, 3])
BLOCKED = st.sets(st.sampled_from(["u1", "u2", "u3", "a1", "a2"]))


def shared(one: Request, other: Request) -> bool:
    return not set(one.users).isdisjoint(other.users)


def families(requests: Sequence[Request]) -> list[set[int]]:
    """The naive reading: merge whatever shares a lane, until nothing does."""
    found = [({*request.users}, {*request.ordinals}) for request in requests]
    while pair := next(((a, b) for a, b in combinations(found, 2) if a[0] & b[0]), None):
        found = [each for each in found if each not in pair] + [(pair[0][0] | pair[1][0], pair[0][1] | pair[1][1])]
    return [members for _, members in found]


def require_everything_in_order(bundled: Sequence[Request], requests: Sequence[Request]) -> None:
    """Each record is there once, with what is its own, and comes behind the earlier ones of its lanes."""
    known = {request.ordinals[0]: request for request in requests}
    flat = [ordinal for one in bundled for ordinal in one.ordinals]
    assert sorted(flat) == sorted(known)
    for one in bundled:
        assert one == join([known[ordinal] for ordinal in one.ordinals])
    reached: dict[str, int] = {}
    for ordinal in flat:
        for lane in known[ordinal].users:
            assert reached.get(lane, -1) < ordinal
            reached[lane] = ordinal


def require_beginnings_in_order(bundled: Sequence[Request]) -> None:
    """Of two that share a lane, the one to go first begins first: they can be ranked by their first record."""
    for first, behind in combinations(bundled, 2):
        assert not shared(first, behind) or min(first.ordinals) < min(behind.ordinals)


@given(BATCHES, LIMITS, MOST_EVENTS)
def test_nothing_is_lost_or_doubled_and_each_lane_keeps_its_order(
    requests: list[Request], max_bytes: int, most_events: int
) -> None:
    bundled = bundle(requests, packer(0, most_events, max_bytes), max_bytes)
    require_everything_in_order(bundled, requests)
    require_beginnings_in_order(bundled)
    for one in bundled:
        assert len(one.ordinals) == 1 or len(one.body) <= max_bytes
        assert weigh(one.body).events <= (most_events or len(one.ordinals))


@given(BATCHES, LIMITS, MOST_EVENTS)
def test_a_family_is_in_one_request_where_it_fits_and_alone_in_its_requests_where_not(
    requests: list[Request], max_bytes: int, most_events: int
) -> None:
    bundled = bundle(requests, packer(0, most_events, max_bytes), max_bytes)
    known = {request.ordinals[0]: request for request in requests}
    for family in families(requests):
        homes = [one for one in bundled if family & {*one.ordinals}]
        size = sum(len(known[ordinal].body) for ordinal in family)
        if size <= max_bytes and len(family) <= (most_events or len(family)):
            assert len(homes) == 1
        assert len(homes) == 1 or all(family >= {*one.ordinals} for one in homes)


@given(BATCHES)
def test_requests_are_few(requests: list[Request]) -> None:
    assert len(bundle(requests, packer(), ALONE)) == bool(requests)


def test_users_keep_their_places_from_batch_to_batch() -> None:
    """Or each request of a batch would wait for many of the one before."""
    users = [*"123456789"]
    one, other = (
        bundle([track(n, user) for n, user in enumerate(order)], packer(0, 3), 10**6) for order in (users, users[::-1])
    )
    assert [{*request.users} for request in one] == [{*request.users} for request in other]


@given(BATCHES, BLOCKED)
def test_those_are_held_that_have_to_wait_and_those_behind_them(requests: list[Request], blocked: set[str]) -> None:
    free, held = apart(requests, lambda users: not blocked.isdisjoint(users))
    expected, waiting = list[int](), set(blocked)
    for request in requests:
        if waiting & {*request.users}:
            waiting |= {*request.users}
            expected += request.ordinals
    assert [request.ordinals[0] for request in held] == expected
    assert [*free, *held] == sorted(requests, key=lambda request: request.ordinals[0] in expected)


@given(BATCHES, BLOCKED, LIMITS, MOST_EVENTS)
def test_held_ones_go_behind_the_others_and_begin_behind_them(
    requests: list[Request], blocked: set[str], max_bytes: int, most_events: int
) -> None:
    pack = packer(0, most_events, max_bytes)
    free, held = apart(requests, lambda users: not blocked.isdisjoint(users))
    together = [*bundle(free, pack, max_bytes), *bundle_behind(held, free, pack, max_bytes)]
    require_everything_in_order(together, requests)
    require_beginnings_in_order(together)


def test_one_users_held_records_stay_together() -> None:
    hot, others = [track(n, "1") for n in range(50)], [track(n, f"x{n}") for n in range(50, 60)]
    free, held = apart([*hot, *others], lambda users: "u1" in users)
    assert [len(one.ordinals) for one in bundle_behind(held, free, packer(), ALONE)] == [50]


# -- refused --------------------------------------------------------------------------------------------------


def refusing(status: int, *elements: int, **error: Any) -> Reply:
    message = "; ".join(f"elements[{index}].customer_id: no" for index in elements)
    return Reply(status, json.dumps({"status": "fail", "error": {"message": message, **error}}).encode())


REQUESTS = BATCHES.filter(bool).map(lambda requests: join(requests))


def left(remains: Remains) -> list[int]:
    given_up = remains.given_up.ordinals if remains.given_up else ()
    return sorted([*given_up, *(ordinal for one in remains.to_send for ordinal in one.ordinals)])


@given(REQUESTS, st.sets(st.integers(0, 29), min_size=1), st.sampled_from([400, 413]), st.sampled_from(BulkRefused))
def test_those_that_are_named_are_given_up_and_the_others_sent(
    request: Request, named: set[int], status: int, refused: BulkRefused
) -> None:
    named = {index for index in named if index < len(request.ordinals)} or {0}
    remains = after_refusal(request, refusing(status, *named), refused)
    assert remains.given_up is not None
    assert {*remains.given_up.ordinals} == {request.ordinals[index] for index in named}
    assert left(remains) == [*request.ordinals]
    assert len(remains.to_send) == (len(named) < len(request.ordinals))


@given(REQUESTS, st.sampled_from([200, 400, 404, 413, 422]))
def test_without_a_name_all_is_given_up_or_two_halves_are_sent(request: Request, status: int) -> None:
    reply = refusing(status, type="InvalidParams", attribute="elements")
    assert after_refusal(request, reply, BulkRefused.DEAD_LETTER) == Remains(request, [])
    halved = after_refusal(request, reply, BulkRefused.SPLIT)
    assert left(halved) == [*request.ordinals]
    assert len(halved.to_send) == (0 if len(request.ordinals) == 1 else 2)
    assert bool(halved.given_up) == (len(request.ordinals) == 1)


@pytest.mark.parametrize("status", [404, 422, 501])
def test_only_what_is_malformed_or_too_large_is_about_an_element(status: int) -> None:
    request = join([track(n, "1") for n in range(3)])
    assert after_refusal(request, refusing(status, 1), BulkRefused.DEAD_LETTER) == Remains(request, [])


def test_a_request_of_one_record_is_given_up_whatever_is_named() -> None:
    """Also one of another API, whose body has no elements."""
    other = Request((1,), 0, "POST", "/segment", b'{"type":"track"}', ("a1",), (b"{}",))
    assert after_refusal(other, refusing(400, 0), BulkRefused.SPLIT) == Remains(other, [])

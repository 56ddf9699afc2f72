"""Bulk requests joined and taken apart: nothing is lost, the order stays, the bounds hold."""

import json
import re
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.model import Message, Request
from replay_cli.moengage.bulk import bulk_mapping
from replay_cli.moengage.packing import (
    Weight,
    halves,
    named_elements,
    packer,
    records_of,
    weigh,
    without,
)

MAPPING = bulk_mapping("APP", update_existing_only=True, stamp={"resent": "yes"})
DEVICE = {"device": {"id": "d-1", "token": "push-1", "type": "ios"}}


def request(ordinal: int, message: Message) -> Request:
    ((path, body, users),) = MAPPING(message)
    return Request((ordinal,), 0, "POST", path, orjson.dumps(body), users, (json.dumps(message).encode(),))


def event(ordinal: int, user: str = "u-1", **more: Any) -> Request:
    return request(ordinal, {"type": "track", "userId": user, "event": f"E{ordinal}", **more})


def customer(ordinal: int, user: str = "u-1", **more: Any) -> Request:
    return request(ordinal, {"type": "identify", "userId": user, "traits": {"n": ordinal}, **more})


def customer_and_device(ordinal: int, user: str = "u-1") -> Request:
    return customer(ordinal, user, context=DEVICE)


def elements(body: bytes) -> list[Any]:
    found = json.loads(body)["elements"]
    assert isinstance(found, list)
    return found


def packed(*requests: Request) -> Request:
    (one,) = packer()(requests)
    return one


TEXTS = st.text(max_size=5) | st.sampled_from(['{"type":"event",', "]}", '{"type":"device"', "elements[3]"])
ATTRIBUTES = st.dictionaries(
    TEXTS,
    st.none() | st.floats(allow_nan=False) | st.integers(-(2**63), 2**64 - 1) | TEXTS | st.just({"type": "device"}),
    max_size=3,
)
MESSAGES = st.builds(
    lambda kind, user, anonymous, attributes, context: {
        "type": kind,
        "userId": user,
        "anonymousId": anonymous,
        "event": "E",
        "properties": attributes,
        "traits": attributes,
        "context": context,
    },
    st.sampled_from(["track", "identify"]),
    st.sampled_from(["u-1", "u-2", "a", "u", "[{"]),
    st.sampled_from([None, "a-1", "u-1", "u"]),
    ATTRIBUTES,
    st.sampled_from([None, DEVICE]),
)
REQUESTS = st.lists(MESSAGES, max_size=12).map(
    lambda messages: [request(ordinal, message) for ordinal, message in enumerate(messages, 100)]
)
SOME = REQUESTS.filter(bool)


# -- joining --------------------------------------------------------------------------------------------------


def test_requests_become_one_with_all_their_elements_in_order() -> None:
    one = packed(event(4), customer_and_device(5, "u-2"), event(9, "u-1", anonymousId="a-1"))
    assert [element["type"] for element in elements(one.body)] == ["event", "customer", "device", "event"]
    assert (one.ordinals, one.part, one.method, one.path) == ((4, 5, 9), 0, "POST", "/v1/transition/APP")
    assert one.users == ("uu-1", "uu-2", "uu-1", "aa-1")
    assert [json.loads(record).get("event") for record in one.records] == ["E4", None, "E9"]


def test_a_request_alone_stays_as_it_is() -> None:
    one = event(1)
    assert packer()([one]) == [one]
    assert packer()([]) == []


def test_a_record_beyond_a_limit_by_itself_stays_alone() -> None:
    large, both = event(2, properties={"a": "x" * 500}), customer_and_device(3)
    pack = packer(1, 5, 400)
    assert pack([event(1), large, both, event(4)]) == [event(1), large, both, event(4)]


def test_a_body_may_be_just_as_large_as_the_limit() -> None:
    one, two = event(1), event(2)
    size = len(packed(one, two).body)
    assert len(packer(0, 0, size)([one, two])) == 1
    assert len(packer(0, 0, size - 1)([one, two])) == 2


def test_customers_and_devices_count_as_users() -> None:
    users = [customer_and_device(n) for n in range(4)]
    assert [len(one.ordinals) for one in packer(4, 1)(users)] == [2, 2]
    assert [len(one.ordinals) for one in packer(5, 1)(users)] == [2, 2]
    assert [len(one.ordinals) for one in packer(3, 1)([customer(n) for n in range(4)])] == [3, 1]


def test_users_and_events_have_a_limit_each() -> None:
    requests = [customer(0), event(1), event(2), customer(3), event(4)]
    assert [one.ordinals for one in packer(1, 2)(requests)] == [(0, 1, 2), (3, 4)]


def test_requests_of_several_records_are_joined_as_well() -> None:
    one = packed(packed(event(1), customer(2)), event(3))
    assert one == packed(event(1), customer(2), event(3))


def test_requests_to_different_places_are_not_joined() -> None:
    there = event(2)._replace(path="/v1/transition/OTHER")
    assert packer()([event(1), there]) == [event(1), there]


@given(REQUESTS, st.integers(0, 4), st.integers(0, 4), st.integers(100, 2000))
def test_nothing_is_lost_the_order_stays_and_the_bounds_hold(
    requests: list[Request], most_users: int, most_events: int, max_bytes: int
) -> None:
    joined = packer(most_users, most_events, max_bytes)(requests)
    for field in ("ordinals", "users", "records"):
        assert [item for one in joined for item in getattr(one, field)] == [
            item for one in requests for item in getattr(one, field)
        ]
    assert [item for one in joined for item in elements(one.body)] == [
        item for one in requests for item in elements(one.body)
    ]
    for one in joined:
        users, events = weigh(one.body)
        if len(one.ordinals) > 1:
            assert len(one.body) <= max_bytes
            assert users <= (most_users or users)
            assert events <= (most_events or events)


@given(REQUESTS, st.integers(1, 4), st.integers(1, 4), st.integers(100, 2000))
def test_no_two_neighbours_could_have_been_one(
    requests: list[Request], most_users: int, most_events: int, max_bytes: int
) -> None:
    joined = packer(most_users, most_events, max_bytes)(requests)
    for one, behind in pairwise(joined):
        first = next(other for other in requests if other.ordinals[0] == behind.ordinals[0])
        both = packed(one, first)
        users, events = weigh(both.body)
        assert len(both.body) > max_bytes or users > most_users or events > most_events


# -- weighing -------------------------------------------------------------------------------------------------


def test_a_weight_is_users_and_events() -> None:
    assert weigh(packed(event(1), customer_and_device(2), customer(3), event(4), event(5)).body) == Weight(3, 3)
    assert weigh(event(1, properties={"elements": [{"type": "customer"}]}).body) == Weight(0, 1)
    assert weigh(customer(1, traits={"a": [{"type": "device"}, {"type": "event"}]}).body) == Weight(1, 0)


def test_a_request_of_another_api_weighs_nothing() -> None:
    assert weigh(b'{"type":"track","event":"E","properties":{"elements":[{"type":"event"}]}}') == Weight(0, 0)


# -- taking apart ---------------------------------------------------------------------------------------------


@given(SOME, st.sets(st.integers(0, 11)))
def test_what_is_left_is_what_would_have_been_joined_without_the_others(
    requests: list[Request], dropped: set[int]
) -> None:
    kept = [one for index, one in enumerate(requests) if index not in dropped]
    assert without(packed(*requests), dropped) == (packed(*kept) if kept else None)


@given(SOME)
def test_halves_are_what_would_have_been_joined_of_them(requests: list[Request]) -> None:
    both = halves(packed(*requests))
    if len(requests) == 1:
        assert both is None
    else:
        middle = len(requests) // 2
        assert both == (packed(*requests[:middle]), packed(*requests[middle:]))


@given(SOME)
def test_halved_to_the_end_there_are_the_requests_from_before_they_were_joined(requests: list[Request]) -> None:
    def split(one: Request) -> list[Request]:
        both = halves(one)
        return [one] if both is None else [*split(both[0]), *split(both[1])]

    assert split(packed(*requests)) == requests


@given(SOME)
def test_every_element_belongs_to_the_record_that_it_was_made_of(requests: list[Request]) -> None:
    one = packed(*requests)
    owners = [index for index, single in enumerate(requests) for _ in elements(single.body)]
    for element, owner in enumerate(owners):
        assert records_of(one, [element]) == {owner}
    assert records_of(one, range(len(owners))) == set(range(len(requests)))
    assert records_of(one, ()) == frozenset()


def test_of_one_record_all_is_kept_or_nothing() -> None:
    """Whatever its body is: this holds for requests of the other APIs too."""
    other = Request((1,), 0, "POST", "/v1/integrations/segment", b"{}", ("a1",), (b"{}",))
    assert without(other, ()) == other
    assert without(other, {0}) is None
    assert halves(other) is None


def test_a_request_that_is_back_from_a_checkpoint_can_be_taken_apart() -> None:
    one = packed(customer_and_device(1), event(2, "u-2", anonymousId="u-9"), event(3))
    again = one._replace(users=tuple(json.loads(json.dumps(one.users))), body=bytes(bytearray(one.body)))
    assert without(again, [1]) == packed(customer_and_device(1), event(3))


def test_a_body_with_more_records_than_ordinals_is_no_request_of_ours() -> None:
    one = packed(event(1), event(2), event(3))
    with pytest.raises(ValueError, match="zip"):
        halves(one._replace(ordinals=(1, 2)))


# -- what a failure names -------------------------------------------------------------------------------------


def failure(**error: Any) -> bytes:
    return json.dumps({"status": "fail", "error": error}).encode()


@pytest.mark.parametrize(
    ("error", "named"),
    [
        ({"attribute": "elements[3].customer_id"}, (3,)),
        ({"attribute": "elements.3.customer_id"}, (3,)),
        ({"attribute": "$.elements[0]"}, (0,)),
        ({"message": "elements[4].actions[0].action: missing; elements[1]: no type"}, (1, 4)),
        ({"attribute": "elements[2]", "message": "see elements.2, elements.4 and elements[2].x"}, (2, 4)),
        ({"attribute": "customer_id", "message": "the request is malformed"}, ()),
        ({"attribute": "elements[5]"}, ()),
        ({"message": "elements[1], elements[12345678901234567890123]"}, ()),
        ({"message": "elements[" + "9" * 5000 + "]"}, ()),
        ({"attribute": "elements[-1]"}, ()),
        ({"attribute": "elements[1"}, ()),
        ({"attribute": "elements.1st"}, ()),
        ({"attribute": "my_elements[1]"}, ()),
        ({"attribute": "elements[2].actions[0].attributes.elements[4]"}, (2,)),
        ({"attribute": 3, "message": ["elements[1]"]}, ()),
        ({}, ()),
    ],
)
def test_a_failure_names_elements_in_its_attribute_or_message(error: dict[str, Any], named: tuple[int, ...]) -> None:
    assert named_elements(failure(**error), 5) == named


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"3", b'{"error":"elements[1]"}', b'{"message":"elements[1]"}']
)
def test_a_reply_of_another_form_names_none(body: bytes) -> None:
    assert named_elements(body, 5) == ()


def test_a_long_message_is_read_once() -> None:
    assert named_elements(failure(message="elements[1] " * 50_000 + "elements." * 50_000), 2) == (1,)


@given(st.lists(st.sampled_from(["elements", "[", "]", ".", "0", "1", "23", " ", "$", "x"])), st.integers(0, 200))
def test_what_is_named_is_there(pieces: list[str], count: int) -> None:
    message = "".join(pieces)
    found = named_elements(failure(message=message), count)
    assert list(found) == sorted(set(found))
    assert all(0 <= element < count for element in found)
    assert set(found) <= {int(digits) for digits in re.findall(r"elements[\[.]([0-9]+)", message)}

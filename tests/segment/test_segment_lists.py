"""What the operator's lists leave out: messages by their ids, and people by what a message says of them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.segment.ids import IdSet
from replay_cli.segment.javascript import number_to_string
from replay_cli.segment.lists import (
    IN_EXCEPT_IDS,
    NOT_IN_ONLY_IDS,
    SUPPRESSED,
    SUPPRESSED_BY_EMAIL,
    Lists,
    for_records,
    person,
    suppression,
    text_of_id,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("u@x.io"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("userId", "anonymousId", "previousId", "messageId", "traits", "context", "properties", "id", "email", "type")


def people(*entries: str) -> IdSet:
    return IdSet(map(person, entries))


def against(message: dict[str, Any], *entries: str) -> str | None:
    return suppression(people(*entries))(message)


# -- people ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        {"userId": "u1"},
        {"anonymousId": "u1"},
        {"type": "alias", "previousId": "u1", "userId": "u2"},
        {"userId": "u2", "traits": {"id": "u1"}},
        {"userId": "u2", "context": {"traits": {"id": "u1"}}},
        {"userId": ["u1"]},
        {"userId": "u1", "traits": {"email": "listed@x.io"}},
    ],
)
def test_a_message_is_suppressed_by_any_of_its_ids(message: dict[str, Any]) -> None:
    assert against(message, "u1", "listed@x.io") == SUPPRESSED
    assert against(message, "U1", "u", "u11") is None


@pytest.mark.parametrize(
    "message",
    [
        {"userId": "u2", "traits": {"email": "Ada@Example.com"}},
        {"userId": "u2", "traits": {"id": "u3", "email": " ada@example.COM\n"}},
        {"userId": "u2", "context": {"traits": {"email": "ada@example.com"}}},
        {"userId": "u2", "properties": {"email": "ada@example.com"}},
        {"userId": "u2", "properties": {"email": ["ada@example.com"]}},
    ],
)
def test_a_message_is_suppressed_by_an_address_in_it(message: dict[str, Any]) -> None:
    assert against(message, " ADA@example.com") == SUPPRESSED_BY_EMAIL
    assert against(message, "da@example.com", "ada@example.co") is None


def test_the_book_says_by_email_only_where_no_id_is_listed() -> None:
    message = {"userId": "u1", "properties": {"email": "a@x.io"}, "context": {"traits": {"id": "t1"}}}
    assert against(message, "a@x.io") == SUPPRESSED_BY_EMAIL
    assert against(message, "a@x.io", "u1") == SUPPRESSED
    assert against(message, "a@x.io", "t1") == SUPPRESSED
    both = {"traits": {"id": "t1"}, "context": {"traits": {"email": "a@x.io"}}}
    assert against(both, "a@x.io", "t1") == SUPPRESSED


@pytest.mark.parametrize("field", ["userId", "anonymousId", "previousId"])
def test_an_address_for_an_id_compares_as_an_address(field: str) -> None:
    assert against({field: "Ada@X.io"}, "ada@x.IO ") == SUPPRESSED


@pytest.mark.parametrize(
    ("value", "text"),
    [(7, "7"), (7.0, "7"), (1e21, "1e+21"), (2**53 + 1, "9007199254740992"), (True, "true"), ([7], "7"), (0.5, "0.5")],
)
def test_what_is_no_text_compares_as_javascript_writes_it(value: Any, text: str) -> None:
    assert text_of_id(value) == text
    assert against({"userId": value}, text) == SUPPRESSED


@pytest.mark.parametrize("value", [None, [], ["u1", "u1"], {"u1": "u1"}, [["u1"]], [None], ""])
def test_what_is_no_id_is_not_listed(value: Any) -> None:
    assert against({"userId": value, "traits": value, "context": value, "properties": value}, "u1", "None") is None


@pytest.mark.parametrize(
    "message",
    [
        {"properties": {"id": "u1"}},
        {"traits": {"name": "u1"}},
        {"context": {"id": "u1"}},
        {"messageId": "u1"},
        {"event": "u1"},
    ],
)
def test_other_fields_say_nothing_of_who_it_is(message: dict[str, Any]) -> None:
    assert against({"userId": "u2"} | message, "u1") is None


@given(st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_no_message_is_too_odd_to_be_judged(message: dict[str, Any]) -> None:
    select = Lists(IdSet(["a"]), IdSet(["b"]), people("u@x.io", "1")).selector()
    assert select is not None
    assert select(message) in (None, NOT_IN_ONLY_IDS, IN_EXCEPT_IDS, SUPPRESSED, SUPPRESSED_BY_EMAIL)


@given(st.integers() | st.floats())
def test_a_listed_number_is_found_however_it_is_written_in_json(number: float) -> None:
    assert against({"userId": number}, number_to_string(number)) == SUPPRESSED


def test_a_record_is_judged_by_its_text_and_no_message_by_none() -> None:
    question = for_records(suppression(people("u1")))
    assert question(b'{"userId":"u1"}') == SUPPRESSED
    assert question(b'{"userId":"u2"}') is None
    assert question(b"[1]") is None
    assert question(b"\xff") is None


# -- message ids ----------------------------------------------------------------------------------------------


def reason(lists: Lists, message: dict[str, Any]) -> str | None:
    select = lists.selector()
    assert select is not None
    return select(message)


@pytest.mark.parametrize(
    ("message", "because"),
    [
        ({"messageId": "m1"}, None),
        ({"messageId": "m2"}, NOT_IN_ONLY_IDS),
        ({"messageId": "M1"}, NOT_IN_ONLY_IDS),
        ({"messageId": 5}, None),
        ({"messageId": None}, NOT_IN_ONLY_IDS),
        ({"messageId": {}}, NOT_IN_ONLY_IDS),
        ({}, NOT_IN_ONLY_IDS),
    ],
)
def test_only_what_is_listed_is_meant(message: dict[str, Any], because: str | None) -> None:
    assert reason(Lists(only=IdSet(["m1", "5"])), message) == because


@pytest.mark.parametrize(
    ("message", "because"),
    [({"messageId": "m1"}, IN_EXCEPT_IDS), ({"messageId": 5}, IN_EXCEPT_IDS), ({"messageId": "m2"}, None), ({}, None)],
)
def test_what_is_listed_is_not_meant(message: dict[str, Any], because: str | None) -> None:
    assert reason(Lists(except_=IdSet(["m1", "5"])), message) == because


def test_the_jobs_selection_goes_before_suppression() -> None:
    lists = Lists(IdSet(["m1", "m2"]), IdSet(["m2"]), people("u1"))
    assert reason(lists, {"messageId": "m3", "userId": "u1"}) == NOT_IN_ONLY_IDS
    assert reason(lists, {"messageId": "m2", "userId": "u1"}) == IN_EXCEPT_IDS
    assert reason(lists, {"messageId": "m1", "userId": "u1"}) == SUPPRESSED
    assert reason(lists, {"messageId": "m1", "userId": "u2"}) is None


def test_without_lists_there_is_nothing_to_ask() -> None:
    assert Lists().selector() is None

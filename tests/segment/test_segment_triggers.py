"""The subscription dialect of FQL against what Segment's own runtime did, and what an operator is told."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.segment.pointed import PointedError
from replay_cli.segment.triggers import compile_trigger
from tests.segment.kit_cases import read_cases

CASES = read_cases("fql_cases.jsonl")
MORE = read_cases("fql_more_cases.jsonl")
TRACK = {"type": "track", "event": "Order Completed", "userId": "u-1", "properties": {"total": 3, "sku": "a.b"}}


def outcome(case: dict[str, Any]) -> bool | str:
    try:
        return compile_trigger(case["fql"])(case["event"])
    except PointedError:
        return "error"


def expected(case: dict[str, Any]) -> bool | str:
    return bool(case["match"]) if case.get("valid") else "error"


def test_all_cases_are_there_and_of_every_kind() -> None:
    assert (len(CASES), len(MORE)) == (400, 300)
    assert min(Counter(map(expected, CASES)).values()) >= 20
    assert min(Counter(map(expected, MORE)).values()) >= 50


@pytest.mark.parametrize("cases", [CASES, MORE], ids=["conformance", "more"])
def test_a_trigger_takes_what_segments_runtime_takes(cases: list[dict[str, Any]]) -> None:
    assert [case["fql"] for case in cases if outcome(case) is not expected(case) != outcome(case)] == []


@pytest.mark.parametrize(
    ("text", "takes"),
    [
        ('type = "track"', True),
        ("type = 'track'", False),  # single quotes belong to the value
        ('type = "identify" and userId = "x" or event = "Order Completed"', True),  # the last word rules: or
        ('type = "track" or event = "x" and userId = "x"', False),  # the last word rules: and
        ('!(type = "track")', True),  # the ! before a group is lost
        ('properties.total = "3"', False),
        ("properties.total = 3.0", True),
        ("properties.total <=4", False),  # an operator of two characters needs a space after it
        ('match(event, "Order*")', True),
        ('match(event, "*Completed")', True),
        ('match(event, "Xompleted")', True),  # the first character of what it must end with is lost
        ('event contains "Compl"', True),
        ("userId != null and properties.none = null", True),
        ("properties.sku.length = 3", True),
        ('constructor = 5 and type = "track"', True),
    ],
)
def test_a_trigger_means_what_the_runtime_makes_of_it_not_what_it_looks_like(text: str, takes: bool) -> None:
    assert compile_trigger(text)(TRACK) is takes


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("", 0, "no field that a trigger knows: type, event"),
        ('evnt = "x"', 0, "is event meant?"),
        ('messageId = "x"', 0, "properties.…"),
        ('type = "track', 7, "does not end"),
        ('type = "track" & x', 15, "'&' means nothing here"),
        ('type = "track" and (event = "x"', 19, "not closed"),
        ('((type = "track"))', 1, "groups cannot stand in groups"),
        ('type = "track"x', 13, "does not end"),  # its second quote has no space after it: it opens a text
        ('type= "x" and total! "y"', 19, "! stands before"),
        ("properties.total > 1.", 19, "no number"),
        ("type", 0, "something is missing after type"),
        ("contains(event", 0, "something is missing after contains"),
        ("name$", 4, "a space belongs"),
        ("type = \\", 7, "a backslash needs"),
        ("properties.\\. = 1", 0, "a field needs a name"),
        ('(messageId = "x") or type = "track"', 1, "no field that a trigger knows"),
        ("type = " + '"' + "x" * 100_000 + '"', 7, "100,000"),
        ("x" * 100_000, 0, "100,000"),
    ],
)
def test_a_trigger_that_would_never_match_is_an_error_with_its_place(text: str, position: int, words: str) -> None:
    with pytest.raises(PointedError) as caught:
        compile_trigger(text)
    assert words in caught.value.problem
    assert caught.value.position == position


def test_a_group_without_a_known_field_fails_only_the_messages_that_come_to_it() -> None:
    takes = compile_trigger('type = "track" or (messageId = "x")')
    assert takes(TRACK)
    with pytest.raises(PointedError, match="no field that a trigger knows"):
        takes({"type": "identify"})


def test_numbers_compare_as_doubles() -> None:
    takes = compile_trigger("properties.n = 9007199254740992")
    assert takes({"properties": {"n": 2**53 + 1}})
    assert not takes({"properties": {"n": 10**400}})
    assert compile_trigger("properties.n > 1")({"properties": {"n": 10**400}})
    assert not compile_trigger("properties.n > 1")({"properties": {"n": True}})


MESSAGES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "length"]), inner),
)
PIECES = st.sampled_from(
    [
        *("type", "properties.a", "traits.a.b", "context.length", "userId", "=", "!=", "<", "and", "or", "!", "(", ")"),
        *('"a"', "3", "null", "true", "contains", "match", ",", "contains(properties.a, 'x')", "\\", ".", "é", " "),
    ]
)


@given(st.lists(PIECES, max_size=9).map(" ".join), MESSAGES, MESSAGES)
def test_any_text_and_any_message_get_an_answer_or_a_pointed_error(text: str, first: Any, second: Any) -> None:
    event = {"type": first, "properties": first, "traits": second, "context": second}
    assert outcome({"fql": text, "event": event}) in (True, False, "error")


def test_a_very_long_trigger_is_read_in_one_pass() -> None:
    for piece in ('type = "x" and ', "a.", "!", "contains(", '"x', "5", "(a) "):
        with pytest.raises(PointedError):
            compile_trigger(piece * 5_000 + " (")

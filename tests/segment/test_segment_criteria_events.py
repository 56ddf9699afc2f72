"""Which events are meant by names and patterns."""

import fnmatch
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.segment.content import Content
from replay_cli.segment.criteria import OTHER_EVENT
from replay_cli.segment.event_names import event_of
from replay_cli.segment.event_patterns import compile_names, covers, exact_name, require_pattern
from replay_cli.segment.pointed import PointedError


def reason(pattern: str, event: object) -> str | None:
    selector = Content(events=frozenset({pattern})).selector
    assert selector is not None
    return selector({"type": "track", "event": event})


@pytest.mark.parametrize(
    ("pattern", "event"),
    [
        ("Order Completed", "Order Completed"),
        ("Order *", "Order "),
        ("Order *", "Order \nCompleted"),
        ("*", "x"),
        ("*d", "Order Completed"),
        ("O*C*d", "Order Completed"),
        ("Order ?", "Order é"),
        ("[A-C]rder", "Brder"),
        (r"100 \*", "100 *"),
        (r"\[Amplitude] Start", "[Amplitude] Start"),
        (r"a\\b", r"a\b"),
        ("5", 5),
        ("1e+21", 1e21),
        ("true", True),
    ],
)
def test_an_event_is_meant_by_its_name_or_by_a_pattern(pattern: str, event: object) -> None:
    assert reason(pattern, event) is None


@pytest.mark.parametrize(
    ("pattern", "event"),
    [
        ("Order Completed", "order completed"),
        ("Order Completed", "Order Completed "),
        ("Order *", "Order"),
        ("*d", "Order Completed!"),
        ("O*C*d*X", "Order Completed"),
        ("Order ?", "Order "),
        ("[A-C]rder", "Drder"),
        (r"100 \*", "100 %"),
        ("*", ""),
        ("*", None),
        ("*", {}),
        ("*", ["a", "b"]),
    ],
)
def test_other_events_are_left_out(pattern: str, event: object) -> None:
    assert reason(pattern, event) == OTHER_EVENT


def test_what_has_no_event_is_left_out() -> None:
    """Who asks for an event does not ask for the identifies around it."""
    selector = Content(events=frozenset({"*"})).selector
    assert selector is not None
    assert selector({"type": "identify", "traits": {"event": "x"}}) == OTHER_EVENT


@pytest.mark.parametrize(
    ("pattern", "place", "problem"),
    [
        ("Order [", 6, r"\["),
        ("Order [ab", 6, r"\["),
        ("Order []", 6, "no character"),
        ("[z-a]", 1, "backwards"),
        ("Order \\", 6, "expected after"),
    ],
)
def test_a_pattern_that_cannot_be_understood_says_where(pattern: str, place: int, problem: str) -> None:
    with pytest.raises(PointedError, match=re.escape(problem)) as raised:
        require_pattern(pattern)
    assert raised.value.position == place


SIGNS = "ab*?c"
NAMES = st.text("abc*?\\[]", max_size=8)


@given(st.lists(st.text(SIGNS, max_size=6), min_size=1, max_size=4), NAMES)
def test_patterns_mean_what_a_shell_means_by_them(patterns: list[str], name: str) -> None:
    meant = compile_names(patterns)
    expected = any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
    assert [meant(name), meant(name)] == [expected, expected]


@given(NAMES)
def test_a_name_with_all_its_signs_escaped_is_exact(name: str) -> None:
    escaped = "".join(f"\\{sign}" for sign in name)
    assert exact_name(escaped) == name
    assert compile_names([escaped])(name)


@given(st.text(SIGNS, max_size=5))
def test_a_name_is_exact_when_it_has_no_sign(pattern: str) -> None:
    assert (exact_name(pattern) is None) is bool({*pattern} & {*"*?"})


@given(st.lists(st.text(SIGNS, max_size=4), max_size=4), st.text(SIGNS, max_size=4), NAMES)
def test_what_patterns_cover_they_mean(patterns: list[str], pattern: str, name: str) -> None:
    if covers(patterns, pattern) and compile_names([pattern])(name):
        assert compile_names(patterns)(name)


def test_a_long_name_is_judged_like_a_short_one() -> None:
    assert reason("a*", "a" * 300) is None
    assert reason("a*", "b" * 300) == OTHER_EVENT


@given(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.text())))
def test_an_event_is_a_text_or_none(event: object) -> None:
    name = event_of({"event": event})
    assert name is None or (name and isinstance(name, str))
    assert isinstance(event, str) is False or name == (event or None)

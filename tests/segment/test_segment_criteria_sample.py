"""Samples by user: stable for ever, and exactly as large as they say."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from replay_cli.model import Message
from replay_cli.segment.identity import person_of
from replay_cli.segment.sampling import NOT_SAMPLED, WHOLE, Sample, point_of


def has(sample: Sample, message: Message) -> bool:
    selector = sample.selector()
    return selector is None or {None: True, NOT_SAMPLED: False}[selector(message)]


def test_where_a_user_falls_never_changes() -> None:
    """A canary of today and the rest of next year must meet exactly."""
    assert [f"{100 * point_of(person) / 2**64:.6f}" for person in ("user-1", "17", "é", "")] == [
        "60.419241",
        "12.587816",
        "79.337690",
        "89.316752",
    ]


@pytest.mark.parametrize(
    ("message", "person"),
    [
        ({"userId": "u", "anonymousId": "a", "messageId": "m"}, "u"),
        ({"userId": 17, "anonymousId": "a"}, "17"),
        ({"userId": 17.0}, "17"),
        ({"userId": "", "anonymousId": "a"}, "a"),
        ({"userId": None, "anonymousId": "a"}, "a"),
        ({"userId": {}, "anonymousId": "a"}, "a"),
        ({"userId": 0, "anonymousId": "a"}, "0"),
        ({"anonymousId": [], "messageId": "m"}, "m"),
        ({}, ""),
    ],
)
def test_a_user_is_known_by_user_id_else_anonymous_id_else_message_id(message: Message, person: str) -> None:
    assert person_of(message) == person


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("0-1%", "0-1%"),
        ("0-0.5%", "0-0.5%"),
        ("0.50-10.0%", "0.5-10%"),
        (" 1% - 100 % ", "1-100%"),
        ("10-20%", "10-20%"),
        ("000-100%", "0-100%"),
        ("99.999999999999999999-100%", "99.999999999999999999-100%"),
    ],
)
def test_a_sample_is_written_in_percent(text: str, written: str) -> None:
    sample = Sample.read(text)
    assert str(sample) == written
    assert Sample.read(written) == sample


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1%", "use for example 0-1%"),
        ("0-1", "use for example 0-1%"),
        ("", "use for example"),
        ("-1-5%", "use for example"),
        ("a-b%", "use for example"),
        ("0-1e1%", "use for example"),
        ("٠-١%", "use for example"),
        ("0-101%", "beyond 100%"),
        ("1-1%", "nobody"),
        ("5-1.0%", "nobody"),
    ],
)
def test_what_is_no_sample_is_refused_with_examples(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Sample.read(text)


def test_the_whole_is_everybody() -> None:
    assert Sample.read("0-100%") == WHOLE
    assert WHOLE.selector() is None
    assert WHOLE.is_whole


IDS: st.SearchStrategy[Any] = st.text(max_size=8) | st.integers() | st.floats() | st.none() | st.just([])
MESSAGES = st.fixed_dictionaries({}, optional={"userId": IDS, "anonymousId": IDS, "messageId": IDS})
PERCENTS = st.decimals(0, 100, places=4)


@given(PERCENTS, MESSAGES)
def test_two_samples_that_meet_share_nobody_and_miss_nobody(end: Decimal, message: Message) -> None:
    assume(0 < end < 100)
    assert has(Sample.read(f"0-{end}%"), message) is not has(Sample.read(f"{end}-100%"), message)


@given(PERCENTS, PERCENTS, MESSAGES)
def test_a_sample_has_the_users_who_fall_between_its_ends(one: Decimal, other: Decimal, message: Message) -> None:
    assume(one != other)
    start, until = sorted([one, other])
    percent = Fraction(point_of(person_of(message)), 2**64) * 100
    assert has(Sample.read(f"{start}-{until}%"), message) is (start <= percent < until)


@given(MESSAGES, MESSAGES)
def test_messages_of_a_user_are_together(one: Message, other: Message) -> None:
    assume(person_of(one))
    sample = Sample.read("20-70%")
    assert has(sample, one) is has(sample, other | {"userId": person_of(one)})


@given(PERCENTS, PERCENTS, PERCENTS, PERCENTS, MESSAGES)
def test_a_sample_within_another_has_nobody_else(
    a: Decimal, b: Decimal, c: Decimal, d: Decimal, message: Message
) -> None:
    assume(a < b and c < d)
    one, other = Sample(a, b), Sample(c, d)
    assert one.is_within(other) is (c <= a and b <= d)
    assert not (one.is_within(other) and has(one, message)) or has(other, message)


def test_a_sample_is_about_as_large_as_it_says() -> None:
    sample = Sample.read("30-40%")
    found = sum(has(sample, {"userId": f"user-{number}"}) for number in range(5000))
    assert 450 < found < 550


def test_no_text_is_too_odd_for_a_point() -> None:
    assert 0 <= point_of("\ud800") < 2**64

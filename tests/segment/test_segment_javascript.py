"""JavaScript's reading of values; what Node said is in `date_like_cases.json`."""

import json
import math
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.segment.javascript import instant, is_date_like, number_to_string

CASES = json.loads(Path(__file__).with_name("date_like_cases.json").read_text("utf-8"))
TEN_O_CLOCK = 1740823200.0  # 2025-03-01T10:00:00Z


@pytest.mark.parametrize(("text", "verdict"), CASES["date_like"])
def test_a_text_is_a_date_exactly_when_node_takes_it_for_one(text: str, verdict: bool) -> None:
    assert is_date_like(text) is verdict


@pytest.mark.parametrize(("literal", "text"), CASES["number_to_string"])
def test_a_number_becomes_the_text_that_node_gives_it(literal: str, text: str) -> None:
    assert number_to_string(json.loads(literal)) == text


def test_numbers_that_json_cannot_hold_have_names() -> None:
    assert [number_to_string(float(name)) for name in ("nan", "inf", "-inf")] == [
        "NaN",
        "Infinity",
        "-Infinity",
    ]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_text_of_a_double_means_that_double(value: float) -> None:
    assert float(number_to_string(value)) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_text_of_a_double_is_laid_out_as_ecmascript_says(value: float) -> None:
    text = number_to_string(value)
    plain = value == 0 or 1e-6 <= abs(value) < 1e21
    assert ("e" not in text) is plain
    assert not text.endswith((".", ".0"))
    assert text != "-0"


@given(st.integers())
def test_an_integer_is_first_rounded_to_a_double(value: int) -> None:
    assert number_to_string(value) == number_to_string(float(value))


@given(st.integers(-8_640_000_000_000, 8_640_000_000_000))
def test_a_number_as_javascript_writes_it_counts_seconds(seconds: int) -> None:
    assert is_date_like(str(seconds))


@given(st.datetimes())
def test_every_iso_date_and_time_is_a_date(moment: datetime) -> None:
    text = moment.isoformat(timespec="milliseconds")
    assert all(is_date_like(text + offset) for offset in ("", "Z", "+05:30", "-0800"))


@given(st.text() | st.text("0123456789-+:. ()TZjanpmgtute/,\0\ud800", max_size=40))
def test_any_text_gets_an_answer(text: str) -> None:
    assert is_date_like(text) in (True, False)
    assert instant(text) is None or math.isfinite(instant(text) or 0)


def test_a_very_long_text_is_read_in_one_pass() -> None:
    # Quadratic work on a hostile timestamp of this length would outlast any test run.
    for piece in ("(", ")", "(()", "1 ", "Mon ", "1", "2025-", "é", ":"):
        is_date_like(piece * 50_000 + "!")


@pytest.mark.parametrize(
    "value",
    [
        "2025-03-01T10:00:00.000Z",
        "2025-03-01T10:00:00Z",
        "2025-03-01t10:00z",
        "2025-03-01T10:00:00",
        "2025-03-01 10:00:00",
        "2025-03-01T15:30:00.000+05:30",
        "2025-03-01T02:00:00-0800",
        "+002025-03-01T10:00:00Z",
        "2025-02-29T10:00:00Z",
        1740823200,
        1740823200.0,
        1740823200000,
        "1740823200",
        "1740823200000",
        "1.7408232e9",
    ],
)
def test_every_way_to_write_an_instant_gives_its_seconds(value: object) -> None:
    assert instant(value) == TEN_O_CLOCK


def test_a_day_begins_at_midnight_utc() -> None:
    assert instant("2025-03-01") == instant("2025-03") == instant("2025-02-28T24:00:00Z") == TEN_O_CLOCK - 10 * 3600


def test_milliseconds_are_kept() -> None:
    assert instant("2025-03-01T10:00:00.123Z") == instant(1740823200123) == TEN_O_CLOCK + 0.123


def test_numbers_from_1e11_up_are_milliseconds_either_side_of_zero() -> None:
    assert instant(99_999_999_999) == 99_999_999_999
    assert instant(100_000_000_000) == 100_000_000
    assert instant(-100_000_000_000) == instant("-100000000000") == -100_000_000


@pytest.mark.parametrize(
    "value",
    [
        *("", "not a date", "2025-13-01T00:00:00Z", "2025-03-01T25:00:00Z", "+275760-09-13T00:00:00.001Z"),
        *("9" * 400, "1e999", "nan", "\ud8002025-03-01", "2025-03-\ud800T10:00:00Z"),
        *(10**400, -(10**400), 8_640_000_000_000_001, math.nan, math.inf),
        *(None, True, [], {}),
    ],
)
def test_what_is_no_instant_gives_none_and_never_an_error(value: object) -> None:
    assert instant(value) is None


def test_years_python_does_not_know_have_instants_too() -> None:
    assert instant("-271821-04-20T00:00:00Z") == -8_640_000_000_000
    assert instant("0000-01-01T00:00:00Z") == -62_167_219_200

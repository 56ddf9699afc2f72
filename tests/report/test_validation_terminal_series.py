"""Counts by day or hour, as far as a sparkline shows them."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from replay_cli.report.validation.series import Series, series

DAYS = st.dates().map(date.isoformat)
HOURS = st.builds(lambda day, hour: f"{day}T{hour:02}", DAYS, st.integers(0, 23))
NO_TIMES = st.sampled_from(["(others)", "", "2025-02-30", "2025-03-01T24", "2025-3-1", "٢٠٢٥-03-01"])


def month(n: int = 100) -> dict[str, int]:
    return {(date(2025, 3, 1) + timedelta(days=day)).isoformat(): n for day in range(31)}


@given(
    st.sampled_from([DAYS, HOURS]).flatmap(lambda keys: st.dictionaries(keys, st.integers(1, 10**9))),
    st.integers(1, 99),
)
def test_every_record_is_drawn_or_told(counts: dict[str, int], width: int) -> None:
    found = series(counts, width)
    assert (found is None) == (not counts)
    if found is not None:
        whole = sum(counts.values())
        assert sum(found.values) + found.before + found.after == whole
        assert len(found.values) <= width
        assert found.before + found.after <= whole / 10
        assert found.values[0] > 0
        assert found.values[-1] > 0
        assert found.first <= found.most <= found.last
        assert counts[found.most] == found.peak


@given(st.dictionaries(NO_TIMES, st.integers(1, 9)))
def test_what_is_no_day_and_no_hour_is_not_drawn(counts: dict[str, int]) -> None:
    assert series(counts, 60) is None
    assert series(month() | counts, 60) == series(month(), 60)


def test_days_without_records_are_gaps() -> None:
    found = series({"2025-03-01": 5, "2025-03-04": 7}, 60)
    assert found == Series([5, 0, 0, 7], 1, "2025-03-01", "2025-03-04", "2025-03-04", 7, 0, 0)


def test_more_days_than_marks_share_them() -> None:
    found = series(month(), 10)
    assert found is not None
    assert (found.step, found.values) == (4, [400, 400, 400, 400, 400, 400, 400, 300])


def test_hours_follow_one_another_over_midnight() -> None:
    found = series({"2025-03-01T23": 1, "2025-03-02T01": 2}, 60)
    assert found is not None
    assert found.values == [1, 0, 2]


def test_a_wrong_clock_does_not_squeeze_all_others() -> None:
    """A few records of 1970 and of 2099 are told; the days between have their places."""
    found = series({"1970-01-01": 3, **month(), "2099-12-31": 6}, 60)
    assert found is not None
    assert (len(found.values), found.before, found.after) == (31, 3, 6)
    assert (found.first, found.last) == ("2025-03-01", "2025-03-31")


def test_what_is_not_far_or_not_little_is_drawn() -> None:
    weeks_before, many = {"2025-01-25": 3, **month()}, {"1970-01-01": 500, **month()}
    for counts in (weeks_before, many):
        found = series(counts, 60)
        assert found is not None
        assert (found.first, found.before) == (min(counts), 0)

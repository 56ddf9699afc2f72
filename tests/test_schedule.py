"""When may be sent, and how fast, by the time of day: against a clock that is watched minute by minute."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from replay_cli.schedule import (
    DAYS,
    Rates,
    ScheduleError,
    Window,
    Windows,
    both_clocks,
    first_moment,
    rates_text,
    read_rates,
    read_windows,
    window_text,
)

BERLIN = ZoneInfo("Europe/Berlin")
"""Put on at 02:00 on 2025-03-30, and back at 03:00 on 2025-10-26."""
ZONES = st.sampled_from(
    [
        *("UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Asia/Kolkata", "Australia/Lord_Howe"),
        *("Pacific/Apia", "America/Havana", "Africa/Casablanca", "Pacific/Chatham"),
    ]
).map(ZoneInfo)
CHANGES = st.sampled_from(
    [date(2025, 3, 30), date(2025, 10, 26), date(2011, 12, 30), date(2018, 11, 4), date(2025, 4, 6), date(2025, 11, 2)]
)
"""Days on which clocks were put on or back somewhere; Apia left one out."""
DATES = st.one_of(
    CHANGES.flatmap(lambda day: st.integers(-1, 1).map(lambda n: day + timedelta(days=n))),
    st.dates(date(2010, 1, 1), date(2030, 1, 1)),
)
MINUTES = st.one_of(st.integers(0, 1439), st.sampled_from([0, 30, 60, 119, 120, 150, 180, 1380, 1439]))
WINDOWS = st.lists(
    st.builds(
        lambda opens, closes, first, length: Window(
            opens, closes, frozenset((first + n) % 7 for n in range(length)) if length < 7 else frozenset(range(7))
        ),
        MINUTES,
        st.one_of(MINUTES, st.just(1440)),
        st.integers(0, 6),
        st.integers(1, 7),
    ).filter(lambda window: window.opens != window.closes),
    min_size=1,
    max_size=3,
).map(tuple)


def shown(at: float, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at, zone).replace(tzinfo=None)


def at(text: str, zone: ZoneInfo = BERLIN, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp()


def watched(day: date, minute: int, zone: ZoneInfo) -> float:
    """Watch a zone's clock, minute by minute, until it shows that time or a later one."""
    wanted = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)
    moment = wanted.replace(tzinfo=UTC).timestamp() - 40 * 3600
    while shown(moment, zone) < wanted:
        moment += 60
    return moment


@settings(max_examples=80)
@example(date(2011, 12, 30), 90, ZoneInfo("Pacific/Apia"))
@example(date(2025, 3, 30), 150, BERLIN)
@example(date(2025, 10, 26), 150, BERLIN)
@given(DATES, st.one_of(MINUTES, st.integers(1440, 2879)), ZONES)
def test_a_time_of_day_means_the_first_moment_at_which_the_clock_shows_it_or_a_later_one(
    day: date, minute: int, zone: ZoneInfo
) -> None:
    assert first_moment(day, minute, zone) == watched(day, minute, zone)


@settings(max_examples=80)
@given(WINDOWS, DATES, st.integers(0, 86399), ZONES)
def test_it_is_open_while_a_window_of_some_day_is(
    windows: tuple[Window, ...], day: date, second: int, zone: ZoneInfo
) -> None:
    now = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() + second
    days = [shown(now, zone).date() + timedelta(days=n) for n in range(-2, 2)]
    spans = [
        (
            first_moment(each, window.opens, zone),
            first_moment(each, window.closes + (1440 if window.closes <= window.opens else 0), zone),
        )
        for each in days
        for window in windows
        if each.weekday() in window.days
    ]
    closes = Windows(windows, zone).closes(now)
    assert (closes is not None) == any(begin <= now < end for begin, end in spans)


@settings(max_examples=100)
@given(WINDOWS, DATES, ZONES)
def test_what_closes_is_closed_then_and_what_opens_is_open_then_and_nothing_in_between(
    windows: tuple[Window, ...], day: date, zone: ZoneInfo
) -> None:
    hours, now = Windows(windows, zone), datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
    closes = hours.closes(now)
    if closes is None:
        opens = hours.opens(now)
        assert opens is not None
        assert opens > now
        assert hours.closes(opens) is not None
        assert hours.closes((now + opens) / 2) is None
        assert hours.closes(opens - 1) is None
    elif closes - now < 13 * 86400:
        assert closes > now
        assert hours.closes(closes) is None
        assert hours.closes(closes - 1) == closes == hours.closes((now + closes) / 2)


@pytest.mark.parametrize(
    ("window", "now", "closes"),
    [
        ("01:00-06:00", at("2025-03-01T01:00"), at("2025-03-01T06:00")),
        ("01:00-06:00", at("2025-03-01T00:59"), None),
        ("01:00-06:00", at("2025-03-01T06:00"), None),
        ("22:00-04:00", at("2025-03-01T03:00"), at("2025-03-01T04:00")),
        ("22:00-04:00", at("2025-03-01T23:00"), at("2025-03-02T04:00")),
        # Its closing time is left out: it closes when the clocks are put on.
        ("01:00-02:30", at("2025-03-30T01:59"), at("2025-03-30T03:00")),
        # It comes twice: it closes the first time, and stays closed the second time.
        ("22:00-02:30", at("2025-10-26T02:15"), at("2025-10-26T02:30")),
        ("22:00-02:30", at("2025-10-26T02:15", fold=1), None),
        # Its opening time is left out, or comes twice.
        ("02:30-06:00", at("2025-03-30T03:00"), at("2025-03-30T06:00")),
        ("02:30-06:00", at("2025-10-26T02:30"), at("2025-10-26T06:00")),
        ("02:30-06:00", at("2025-10-26T02:10", fold=1), at("2025-10-26T06:00")),
        # All of it is left out.
        ("02:15-02:45", at("2025-03-30T03:00"), None),
        ("mon-fri 22:00-06:00", at("2025-03-01T05:00"), at("2025-03-01T06:00")),
        ("mon-fri 22:00-06:00", at("2025-03-01T22:00"), None),
        ("sat-mon 22:00-06:00", at("2025-03-04T05:00"), at("2025-03-04T06:00")),
        ("22:00-24:00,00:00-04:00", at("2025-03-01T23:00"), at("2025-03-02T04:00")),
    ],
)
def test_a_window_is_open_up_to_its_closing_time(window: str, now: float, closes: float | None) -> None:
    assert Windows(read_windows(window), BERLIN).closes(now) == closes


def test_a_window_of_one_day_a_week_opens_a_week_later_where_it_is_left_out() -> None:
    hours = Windows(read_windows("sun 02:15-02:45"), BERLIN)
    assert hours.opens(at("2025-03-23T03:00")) == at("2025-04-06T02:15")


# -- rates ----------------------------------------------------------------------------------------------------

RATES = st.dictionaries(MINUTES, st.sampled_from([0.0, 1.0, 100.0, 400.0]), min_size=1, max_size=5).map(
    lambda rates: tuple(sorted(rates.items()))
)


@settings(max_examples=80)
@given(RATES, DATES, st.integers(0, 86399), ZONES)
def test_a_rate_holds_from_its_time_of_day_up_to_the_next_one(
    changes: tuple[tuple[int, float], ...], day: date, second: int, zone: ZoneInfo
) -> None:
    now = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() + second
    days = [shown(now, zone).date() + timedelta(days=n) for n in range(-2, 2)]
    begun = [(day, minute, rate) for day in days for minute, rate in changes if first_moment(day, minute, zone) <= now]
    rates = Rates(changes, zone)
    assert rates.at(now) == begun[-1][2]
    later = rates.changes_at(now)
    assert later > now
    assert rates.at(later - 1) == rates.at((now + later) / 2) == rates.at(now)


@pytest.mark.parametrize(
    ("now", "rate"),
    [
        (at("2025-03-01T00:59"), 100),
        (at("2025-03-01T01:00"), 400),
        (at("2025-03-01T05:59"), 400),
        (at("2025-03-01T06:00"), 100),
    ],
)
def test_before_the_first_time_of_a_day_the_last_rate_of_the_day_before_holds(now: float, rate: float) -> None:
    assert Rates(read_rates("01:00=400,06:00=100"), BERLIN).at(now) == rate


# -- texts ----------------------------------------------------------------------------------------------------


@given(WINDOWS)
def test_windows_are_read_as_they_are_written(windows: tuple[Window, ...]) -> None:
    assert read_windows(window_text(windows)) == windows


@given(RATES.filter(lambda changes: any(rate for _, rate in changes)))
def test_rates_are_read_as_they_are_written(changes: tuple[tuple[int, float], ...]) -> None:
    assert read_rates(rates_text(changes)) == changes


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "'' is no window"),
        ("01:00", "'01:00' is no window"),
        ("1-6", "'1' is no time of day"),
        ("25:00-06:00", "'25:00' is no time of day"),
        ("01:00-24:30", "'24:30' is no time of day"),
        ("24:00-06:00", "opens at 24:00"),
        ("06:00-06:00", "opens and closes at the same time"),
        ("fun 01:00-06:00", "'fun' is no day"),
        ("mon-fun 01:00-06:00", "'fun' is no day"),
        ("01:00-06:00,", "'' is no window"),
        ("٠١:00-06:00", "no time of day"),
    ],
)
def test_what_is_no_window_is_refused_by_what_is_wrong_with_it(text: str, cause: str) -> None:
    with pytest.raises(ScheduleError, match=cause):
        read_windows(text)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "'' is no rate by time"),
        ("01:00", "'01:00' is no rate by time"),
        ("01:00=-5", "is no rate by time"),
        ("01:00=inf", "is no rate by time"),
        ("26:00=5", "'26:00' is no time of day"),
        ("01:00=5,1:00=6", "two rates for 01:00"),
        ("00:00=5,24:00=6", "two rates for 00:00"),
        ("01:00=0,06:00=0", "nothing may ever be sent"),
    ],
)
def test_what_is_no_schedule_is_refused_by_what_is_wrong_with_it(text: str, cause: str) -> None:
    with pytest.raises(ScheduleError, match=cause):
        read_rates(text)


def test_the_days_of_a_window_may_go_round_the_week() -> None:
    (window,) = read_windows("Sat-Mon  01:00-06:00")
    assert {DAYS[day] for day in window.days} == {"sat", "sun", "mon"}


@pytest.mark.parametrize(
    ("moment", "zone", "said"),
    [
        (at("2025-03-30T06:00"), BERLIN, "2025-03-30 06:00 CEST (04:00 UTC)"),
        (at("2025-03-02T00:30"), BERLIN, "2025-03-02 00:30 CET (2025-03-01 23:30 UTC)"),
        (at("2025-03-01T06:00", ZoneInfo("UTC")), ZoneInfo("UTC"), "2025-03-01 06:00 UTC"),
    ],
)
def test_a_moment_is_told_by_both_clocks(moment: float, zone: ZoneInfo, said: str) -> None:
    assert both_clocks(moment, zone) == said

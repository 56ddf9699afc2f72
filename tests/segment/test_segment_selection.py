"""What is meant by a selection, and that two jobs which meet in an instant send every record exactly once."""

import json
import pickle
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.model import Message
from replay_cli.segment.content import ANY, Content
from replay_cli.segment.criteria import (
    DEVICE_MODE,
    IDENTIFY_LEFT_OUT,
    INTEGRATION_OFF,
    NO_CONSENT,
    NOT_WHERE,
    OTHER_EVENT,
    OTHER_TYPE,
    OTHER_USER,
)
from replay_cli.segment.layout import Span, folder_of
from replay_cli.segment.period import Period
from replay_cli.segment.sampling import NOT_SAMPLED, Sample
from replay_cli.segment.selection import EVERYTHING, LEFT_OUT, OTHER_SOURCE, UNKNOWN_SOURCE, Selection
from replay_cli.segment.times import NO_RECEIVED_AT, NO_TIMESTAMP, OUTSIDE_EVENT_TIME, OUTSIDE_RECEIVED
from replay_cli.segment.windows import OUTSIDE_WINDOWS, Window, Windows

DAY = "segment-logs/src1/1740787200000/"  # 2025-03-01
HOUR = "data/src1/segment_type=track/day=2025-03-01/hr=10/"
FLAT = "/archive/"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def between(start: str | None, until: str | None) -> Period:
    return Period(start and at(start), until and at(until))  # type: ignore[arg-type] # no text is empty


def judge(selection: Selection, folder: str, message: Message) -> str | None:
    selector = selection.for_object(f"{folder}x.gz")
    return None if selector is None else selector(message)


def by_receipt(start: str | None, until: str | None) -> Selection:
    return Selection(received=between(start, until))


def by_event(start: str | None, until: str | None, **more: Any) -> Selection:
    return Selection(event_time=between(start, until), **more)


# -- periods --------------------------------------------------------------------------------------------------


def test_a_period_has_its_start_and_not_its_end() -> None:
    period = between("2025-03-01", "2025-03-02")
    first, last = at("2025-03-01").timestamp(), at("2025-03-02").timestamp()
    assert [period.contains(time) for time in (first - 0.001, first, last - 0.001, last)] == [False, True, True, False]
    assert all(Period().contains(time) for time in (-1e15, 0.0, 1e15))


@pytest.mark.parametrize(
    ("first", "until", "meets"),
    [
        ("2025-02-28", "2025-03-01", False),
        ("2025-02-28", "2025-03-01T00:00:00.000001", True),
        ("2025-03-01T23:00", "2025-03-02", True),
        ("2025-03-02", "2025-03-03", False),
        ("2024-01-01", "2026-01-01", True),
    ],
)
def test_a_period_meets_what_overlaps_it(first: str, until: str, meets: bool) -> None:
    other = Span(at(first), at(until))
    assert between("2025-03-01", "2025-03-02").meets(other) is meets
    assert between("2025-03-01", None).meets(None)
    assert Period().meets(other)


# -- folders --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("folder", "wanted"),
    [
        ("", True),
        ("segment-logs/src1/", True),
        ("segment-logs/src1/1740700800000/", False),  # 28 February
        (DAY, True),
        ("segment-logs/src1/1740873600000/", False),
        ("day=2025-03-01/hr=05/", False),
        ("day=2025-03-01/hr=06/", True),
        ("day=2025-03-01/hr=11/", True),
        ("day=2025-03-01/hr=12/", False),
        ("year=2025/", True),
        ("year=2025/month=03/", True),
        ("year=2025/month=02/", False),
        ("year=2024/", False),
    ],
)
def test_receipt_leaves_out_folders_exactly(folder: str, wanted: bool) -> None:
    selection = by_receipt("2025-03-01T06:00", "2025-03-01T12:00")
    assert selection.wants_folder(folder) is wanted
    assert selection.wants_object(f"{folder}x.gz") is wanted


@pytest.mark.parametrize(
    ("day", "wanted"),
    [("02-27", False), ("02-28", True), ("03-01", True), ("03-02", True), ("03-03", True), ("03-04", False)],
)
def test_event_time_leaves_out_folders_with_margins(day: str, wanted: bool) -> None:
    """A day before for clocks that run fast, --late after it for devices that were offline."""
    selection = by_event("2025-03-01", "2025-03-02", late=timedelta(days=2))
    assert selection.wants_folder(f"day=2025-{day}/") is wanted


def test_margins_may_reach_beyond_all_dates() -> None:
    ends = Selection(event_time=Period(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)))
    assert ends.looked_for == Period()
    assert Selection(event_time=between(None, "2025-01-01"), late=timedelta.max).wants_folder("year=2999/")


@pytest.mark.parametrize(
    ("folder", "wanted"),
    [
        ("segment-logs/", True),
        (DAY, True),
        ("segment-logs/src2/1740787200000/", False),
        (HOUR, True),
        ("data/src2/segment_type=track/", False),
        ("segment-logs/kQ8vTz3nWbYp5RdXmLs2Ha/", False),
        (FLAT, True),
    ],
)
def test_sources_leave_out_the_folders_of_others(folder: str, wanted: bool) -> None:
    assert Selection(source_ids=frozenset({"src1"})).wants_folder(folder) is wanted


LAKE = "s3://lake/data/rMtR7AWRj3mP6q9KmEhzh5/"


@pytest.mark.parametrize(
    ("folder", "types", "wanted"),
    [
        (LAKE, {"identify"}, True),
        (f"{LAKE}segment_type=order_completed/", {"identify"}, False),
        (f"{LAKE}segment_type=order_completed/day=2025-03-01/hr=10/", {"identify", "page"}, False),
        (f"{LAKE}segment_type=order_completed/", {"identify", "track"}, True),
        (f"{LAKE}segment_type=identify/", {"identify"}, True),
        (f"{LAKE}segment_type=Identifies/", {"identify"}, True),
        (f"{LAKE}segment_type=identify/", {"page"}, False),
        (f"{LAKE}segment_type=identify/", {"track"}, True),  # of an event that is called so
        (f"{LAKE}segment_type=/", {"identify"}, True),
        (f"{LAKE}segment_type=__HIVE_DEFAULT_PARTITION__/", {"identify"}, True),
        ("/data/exports/segment_type=vip/", {"identify"}, True),
        ("rMtR7AWRj3mP6q9KmEhzh5/segment_type=vip/", {"identify"}, True),
    ],
)
def test_types_leave_out_the_tables_of_a_lake_that_surely_have_others(
    folder: str, types: set[str], wanted: bool
) -> None:
    selection = Selection(content=Content(types=frozenset(types)))
    assert selection.wants_folder(folder) is wanted
    assert selection.wants_object(f"{folder}x.parquet") is wanted
    reasons = {judge(selection, folder, {"type": kind}) for kind in types}
    assert reasons == ({None} if wanted else {OTHER_TYPE})


def test_without_identifies_the_tables_of_other_types_are_not_looked_through_for_them() -> None:
    selection = Selection(content=Content(types=frozenset({"identify"}), without_identifies=True))
    assert not selection.wants_folder(f"{LAKE}segment_type=identify/")
    assert selection.wants_folder(LAKE)


# -- messages -------------------------------------------------------------------------------------------------


def test_nothing_is_looked_at_where_all_is_meant() -> None:
    assert EVERYTHING.for_object(DAY) is None
    assert EVERYTHING.is_everything
    assert Selection(late=timedelta(days=7)) == EVERYTHING
    assert by_receipt("2025-03-01", "2025-03-02").for_object(f"{DAY}x.gz") is None
    assert by_receipt("2025-03-01T10:00", "2025-03-01T11:00").for_object(f"{HOUR}x.gz") is None
    assert Selection(source_ids=frozenset({"src1"})).for_object(f"{DAY}x.gz") is None


RECEIVED = [
    ("2025-03-01T05:59:59.999Z", OUTSIDE_RECEIVED),
    ("2025-03-01T06:00:00.000Z", None),
    ("2025-03-01T11:59:59.999Z", None),
    ("2025-03-01T12:00:00.000Z", OUTSIDE_RECEIVED),
    ("2025-03-01T06:00:00Z", None),
    ("2025-03-01T11:59:59.9999999Z", None),
    ("2025-03-01T05:00:00.000-02:00", None),
    ("2025-03-01T05:00:00+00:00", OUTSIDE_RECEIVED),
    ("2025-03-01 07:00:00", None),
    (int(at("2025-03-01T06:00").timestamp()), None),
    (int(at("2025-03-01T12:00").timestamp()) * 1000, OUTSIDE_RECEIVED),
    (str(int(at("2025-03-01T11:00").timestamp()) * 1000), None),
]


@pytest.mark.parametrize("folder", [DAY, FLAT])
@pytest.mark.parametrize(("received_at", "reason"), RECEIVED)
def test_receipt_cuts_a_folder_by_message(folder: str, received_at: object, reason: str | None) -> None:
    selection = by_receipt("2025-03-01T06:00", "2025-03-01T12:00")
    assert judge(selection, folder, {"receivedAt": received_at}) == reason


@pytest.mark.parametrize(
    ("received_at", "early"),
    [
        ("2025-02-28T23:59:59.999Z", True),  # before its folder's day: it counts as its first instant
        ("2025-03-02T00:00:00.000Z", False),  # after it: its last
        ("1999-01-01", True),
        (None, True),
        ("never, but 24 long Z  -Z", True),
        ("2025-13-01T10:00:00.000Z", True),
        ({}, True),
    ],
)
def test_a_folder_says_when_a_message_was_received_that_says_otherwise(received_at: object, early: bool) -> None:
    message = {"receivedAt": received_at}
    until, start = by_receipt(None, "2025-03-01T12:00"), by_receipt("2025-03-01T12:00", None)
    assert judge(until, DAY, message) == (None if early else OUTSIDE_RECEIVED)
    assert judge(start, DAY, message) == (OUTSIDE_RECEIVED if early else None)


@pytest.mark.parametrize("message", [{}, {"receivedAt": None}, {"receivedAt": "soon"}, {"received_at": "2025-03-01"}])
def test_what_tells_no_receipt_at_all_is_in_neither_job(message: Message) -> None:
    for selection in (by_receipt(None, "2025-03-01"), by_receipt("2025-03-01", None)):
        assert judge(selection, FLAT, message) == NO_RECEIVED_AT


@pytest.mark.parametrize(("timestamp", "reason"), RECEIVED)
def test_event_time_is_the_timestamp(timestamp: object, reason: str | None) -> None:
    expected = OUTSIDE_EVENT_TIME if reason else None
    assert judge(by_event("2025-03-01T06:00", "2025-03-01T12:00"), DAY, {"timestamp": timestamp}) == expected


@pytest.mark.parametrize("timestamp", [None, "", "2025-13-45", [], True])
def test_what_has_no_timestamp_is_in_no_event_time(timestamp: object) -> None:
    message = {"timestamp": timestamp, "originalTimestamp": "2025-03-01T10:00:00.000Z"}
    assert judge(by_event("2025-03-01", None), DAY, message) == NO_TIMESTAMP


def test_receipt_and_event_time_have_both_to_be_met() -> None:
    period = between("2025-03-01T06:00", "2025-03-01T12:00")
    selection = Selection(received=period, event_time=period)
    inside, outside = "2025-03-01T10:00:00.000Z", "2025-03-01T12:00:00.000Z"
    assert judge(selection, DAY, {"receivedAt": inside, "timestamp": inside}) is None
    assert judge(selection, DAY, {"receivedAt": inside, "timestamp": outside}) == OUTSIDE_EVENT_TIME
    assert judge(selection, DAY, {"receivedAt": outside, "timestamp": outside}) == OUTSIDE_RECEIVED


def test_a_source_is_known_by_its_folder_only() -> None:
    selection = Selection(source_ids=frozenset({"src1"}))
    assert judge(selection, "segment-logs/src2/1740787200000/", {}) == OTHER_SOURCE
    assert judge(selection, FLAT, {"projectId": "src1"}) == UNKNOWN_SOURCE


def test_an_object_outside_of_what_is_read_has_nothing_that_is_meant() -> None:
    message = {"receivedAt": "2025-03-01T10:00:00.000Z", "timestamp": "2025-01-01T10:00:00.000Z"}
    assert judge(by_receipt("2025-04-01", None), DAY, message) == OUTSIDE_RECEIVED
    assert judge(by_event("2025-01-01", "2025-01-02"), DAY, message) == OUTSIDE_RECEIVED


# -- invariants -----------------------------------------------------------------------------------------------

MOMENTS = st.datetimes(datetime(2025, 2, 27), datetime(2025, 3, 4), timezones=st.just(UTC)) | st.sampled_from(
    [at("2025-03-01"), at("2025-03-01T10:00"), at("2025-03-01T11:00"), at("2025-03-02"), at("2025-01-01")]
)
FOLDERS = st.sampled_from(
    [
        DAY,
        HOUR,
        FLAT,
        "",
        f"{LAKE}segment_type=e/",
        "year=2025/",
        "year=2025/month=3/",
        f"{DAY}deeper/",
        "s3://bucket/day=2025-03-02/hr=00/",
    ]
)
TEXTS = st.one_of(
    MOMENTS.map(lambda moment: moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")),
    MOMENTS.map(datetime.isoformat),
    MOMENTS.map(lambda moment: moment.replace(tzinfo=None).isoformat(" ")),
)
TIMES = st.one_of(
    TEXTS,
    MOMENTS.map(datetime.timestamp),
    MOMENTS.map(lambda moment: str(int(moment.timestamp() * 1000))),
    st.sampled_from(
        ["2025-02-30T10:00:00.000Z", "2025-03-01T24:00:00.000Z", "2025-99-99T99:99:99.999Z", "+275760-09-13"]
    ),
    st.text(max_size=24),
    st.text("0123456789-:.TZ", min_size=24, max_size=24),
    st.none() | st.booleans() | st.floats() | st.integers() | st.just([]),
)
TYPES = st.sampled_from(["track", "identify"])
MESSAGES = st.fixed_dictionaries({}, optional={"receivedAt": TIMES, "timestamp": TIMES, "type": TYPES})


@given(MOMENTS, FOLDERS, MESSAGES)
def test_two_jobs_that_meet_in_an_instant_send_each_record_once(
    moment: datetime, folder: str, message: Message
) -> None:
    uri = f"{folder}x.gz"
    jobs = [Selection(received=Period(None, moment)), Selection(received=Period(moment, None))]
    reasons = [judge(job, folder, message) for job in jobs]
    kept = [job for job, reason in zip(jobs, reasons, strict=True) if reason is None]
    assert len(kept) == 1 or reasons == [NO_RECEIVED_AT] * 2
    assert all(job.wants_object(uri) for job in kept)


BOUNDS = st.none() | MOMENTS
SELECTED_PERIODS = st.builds(Period, BOUNDS, BOUNDS)
SELECTIONS = st.builds(
    Selection,
    received=SELECTED_PERIODS,
    event_time=SELECTED_PERIODS,
    late=st.timedeltas(timedelta(0), timedelta(days=40)),
    source_ids=st.frozensets(st.sampled_from(["src1", "src2", 'é, "x"'])),
    windows=st.none()
    | st.lists(
        st.builds(
            lambda start, hours, source: Window(start, start + timedelta(hours=hours), source),
            MOMENTS,
            st.integers(1, 50),
            st.sampled_from(["", "src1"]),
        ),
        min_size=1,
        max_size=3,
    ).map(Windows.of),
    content=st.sampled_from(
        [
            ANY,
            *(Content(types=frozenset({kind})) for kind in ("track", "identify")),
            Content(sample=Sample.read("0-50%")),
        ]
    ),
)


@given(SELECTIONS, FOLDERS, MESSAGES)
def test_nothing_that_is_meant_is_left_out_by_its_folders(selection: Selection, folder: str, message: Message) -> None:
    uri = f"{folder}x.gz"
    if judge(selection, folder, message) is None:
        assert selection.wants_object(uri)
        while folder:
            assert selection.wants_folder(folder)
            folder = folder_of(folder[:-1])


@given(SELECTIONS)
def test_settings_keep_what_is_set(selection: Selection) -> None:
    stored = json.loads(json.dumps(selection.settings() | {"api": "actions"}))
    again = Selection.from_settings(stored)
    assert again.settings() == selection.settings()
    assert (again.received, again.event_time) == (selection.received, selection.event_time)
    assert again.source_ids == selection.source_ids
    assert again.late == selection.late or selection.event_time.until is None
    assert again.looked_for == selection.looked_for
    assert (again.windows, again.content) == (selection.windows, selection.content)
    assert (selection.settings() == {}) is selection.is_everything
    assert bool(selection.explain()) is not selection.is_everything


def test_settings_are_read_by_people() -> None:
    selection = Selection(
        between("2025-03-01", "2025-03-01T10:00:00.5"),
        between("2025-02-01", "2025-02-02"),
        timedelta(hours=36),
        frozenset({"b", "a"}),
    )
    assert selection.settings() == {
        "received_from": "2025-03-01T00:00:00Z",
        "received_until": "2025-03-01T10:00:00.500000Z",
        "from": "2025-02-01T00:00:00Z",
        "until": "2025-02-02T00:00:00Z",
        "late": "36h",
        "source_id": ["a", "b"],
    }
    assert by_event("2025-02-01", None).settings() == {"from": "2025-02-01T00:00:00Z"}
    assert Selection.from_settings({}) == EVERYTHING
    with pytest.raises(ValueError, match="soon"):
        Selection.from_settings({"late": "soon"})


def test_it_says_what_was_understood() -> None:
    selection = Selection(
        between("2025-03-01", "2025-03-04"), between("2025-03-01", "2025-03-02"), source_ids=frozenset({"b", "a"})
    )
    assert selection.explain() == [
        "received from 2025-03-01T00:00:00Z until 2025-03-04T00:00:00Z",
        "event time from 2025-03-01T00:00:00Z until 2025-03-02T00:00:00Z: reads what was received "
        "from 2025-02-28T00:00:00Z until 2025-03-09T00:00:00Z (--late 7d)",
        "sources: a, b",
    ]
    assert by_event("2025-03-01", None).explain() == [
        "event time from 2025-03-01T00:00:00Z: reads what was received from 2025-02-28T00:00:00Z"
    ]
    assert EVERYTHING.explain() == []


PERIODS = st.builds(
    lambda a, b: Period(a, b) if a is None or b is None or a < b else Period(b, a) if b < a else Period(a, None),
    st.none() | st.integers(1, 27).map(lambda day: datetime(2025, 3, day, tzinfo=UTC)),
    st.none() | st.integers(1, 27).map(lambda day: datetime(2025, 3, day, tzinfo=UTC)),
)


@given(PERIODS, PERIODS)
def test_a_period_within_another_has_no_instant_that_the_other_lacks(one: Period, other: Period) -> None:
    days = [datetime(2025, 2, 20, tzinfo=UTC) + timedelta(hours=12 * n) for n in range(90)]
    inside = {day for day in days if one.contains(day.timestamp())}
    elsewhere = {day for day in days if other.contains(day.timestamp())}
    assert one.is_within(other) is (inside <= elsewhere)
    assert one.overlaps(other) is bool(inside & elsewhere)


def test_a_selection_is_within_another_by_its_times_and_by_its_sources() -> None:
    march = Period(datetime(2025, 3, 1, tzinfo=UTC), datetime(2025, 4, 1, tzinfo=UTC))
    ab, a = frozenset({"a", "b"}), frozenset({"a"})
    assert Selection(received=march, source_ids=a).is_within(Selection(source_ids=ab))
    assert not Selection(received=march).is_within(Selection(received=march, source_ids=ab))
    assert not Selection(received=march, source_ids=ab).is_within(Selection(received=march, source_ids=a))
    assert not EVERYTHING.is_within(Selection(event_time=march))


def test_who_looks_for_late_events_longer_means_more() -> None:
    """Though the event time is the same: folders are read that the other leaves out."""
    week, month = (by_event("2025-01-01", "2025-02-01", late=timedelta(days=days)) for days in (7, 30))
    assert week.is_within(month)
    assert not month.is_within(week)


@given(SELECTIONS, SELECTIONS, FOLDERS, st.lists(MESSAGES, max_size=5))
def test_what_is_within_means_nothing_that_the_other_does_not(
    one: Selection, other: Selection, folder: str, messages: list[Message]
) -> None:
    narrower = [
        one,
        replace(other, received=one.received),
        replace(other, event_time=one.event_time, late=one.late),
        replace(other, source_ids=one.source_ids, windows=one.windows),
        replace(other, content=one.content),
    ]
    for selection in narrower:
        if selection.is_within(other) and selection.wants_object(f"{folder}x.gz"):
            meant = [message for message in messages if judge(selection, folder, message) is None]
            assert [judge(other, folder, message) for message in meant] == [None] * len(meant)
            assert not meant or other.wants_object(f"{folder}x.gz")


ONE_BY_ONE: dict[str, tuple[Selection, str, Message]] = {
    OTHER_SOURCE: (Selection(source_ids=frozenset({"src2"})), DAY, {}),
    UNKNOWN_SOURCE: (Selection(source_ids=frozenset({"src2"})), FLAT, {}),
    OUTSIDE_RECEIVED: (by_receipt("2025-03-02", None), FLAT, {"receivedAt": "2025-03-01"}),
    NO_RECEIVED_AT: (by_receipt("2025-03-02", None), FLAT, {}),
    OUTSIDE_WINDOWS: (
        Selection(windows=Windows.of([Window(at("2025-03-02"), at("2025-03-03"))])),
        FLAT,
        {"receivedAt": "2025-03-01"},
    ),
    OUTSIDE_EVENT_TIME: (by_event("2025-03-02", None), FLAT, {"timestamp": "2025-03-01"}),
    NO_TIMESTAMP: (by_event("2025-03-02", None), FLAT, {}),
    OTHER_TYPE: (Selection(content=Content(types=frozenset({"track"}))), FLAT, {}),
    IDENTIFY_LEFT_OUT: (Selection(content=Content(without_identifies=True)), FLAT, {"type": "identify"}),
    OTHER_EVENT: (Selection(content=Content(events=frozenset({"a"}))), FLAT, {}),
    OTHER_USER: (Selection(content=Content(user_ids=frozenset({"a"}))), FLAT, {}),
    DEVICE_MODE: (
        Selection(content=Content(without_device_mode=True)),
        FLAT,
        {"context": {"library": {"name": "analytics.js"}}},
    ),
    INTEGRATION_OFF: (Selection(content=Content(without_turned_off=True)), FLAT, {"integrations": {"All": False}}),
    NO_CONSENT: (Selection(content=Content(consent=frozenset({"ads"}))), FLAT, {"context": {"consent": 0}}),
    NOT_WHERE: (Selection(content=Content(where="type = 'track'")), FLAT, {}),
    NOT_SAMPLED: (Selection(content=Content(sample=Sample.read("99-100%"))), FLAT, {"userId": "user-1"}),
}


@pytest.mark.parametrize("reason", LEFT_OUT)
def test_each_criterion_has_a_reason_of_its_own(reason: str) -> None:
    selection, folder, message = ONE_BY_ONE[reason]
    assert judge(selection, folder, message) == reason


def test_a_selection_can_be_a_key_and_travel_after_it_was_used() -> None:
    selection, folder, message = ONE_BY_ONE[OUTSIDE_WINDOWS]
    selection = replace(selection, content=Content(where="type = 'track'"))
    before = judge(selection, folder, message)
    again = pickle.loads(pickle.dumps(selection))
    assert (again, hash(again)) == (selection, hash(selection))
    assert judge(again, folder, message) == before


def test_what_was_made_for_a_folder_is_made_once() -> None:
    selection, folder, _ = ONE_BY_ONE[OUTSIDE_WINDOWS]
    assert selection.for_object(f"{folder}a.gz") is selection.for_object(f"{folder}b.gz")

"""Known failures: how their file is read, what lies in them, and which folders may have any of it."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.model import Message
from replay_cli.segment import windows_csv
from replay_cli.segment.intervals import EVER, Interval, Intervals
from replay_cli.segment.javascript import instant
from replay_cli.segment.layout import folder_of, source_of, span
from replay_cli.segment.period import Period
from replay_cli.segment.pointed import PointedError
from replay_cli.segment.selection import UNKNOWN_SOURCE, Selection
from replay_cli.segment.times import NO_RECEIVED_AT, OUTSIDE_RECEIVED
from replay_cli.segment.windows import OUTSIDE_WINDOWS, Window, Windows
from replay_cli.segment.windows_csv import read_windows

DAY = "segment-logs/src1/1740787200000/"  # 2025-03-01
OTHER_DAY = "segment-logs/src2/1740787200000/"
HOUR = "data/src1/segment_type=track/day=2025-03-01/hr=10/"
FLAT = "/archive/"
HEADER = "received_from,received_until,source_id,event\n"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def window(start: str, until: str, source_id: str = "", event: str = "") -> Window:
    return Window(at(f"2025-03-{start}"), at(f"2025-03-{until}"), source_id, event)


def within(*windows: Window) -> Selection:
    return Selection(windows=Windows.of(windows))


def judge(selection: Selection, folder: str, received_at: object = None, event: object = "Order") -> str | None:
    selector = selection.for_object(f"{folder}x.gz")
    return None if selector is None else selector({"receivedAt": received_at, "event": event})


# -- the file -------------------------------------------------------------------------------------------------


def test_windows_are_read_from_a_csv() -> None:
    text = (
        HEADER
        + "2025-03-01T10:00Z,2025-03-01T11:30:00+00:00,,\n"
        + "1740787200000, 2025-03-02 ,src1,\n"
        + "\n"
        + '2025-03-01,2025-03-02,,"Order, ""big"""\r\n'
        + "2025-03-01T12:00+02:00,2025-03-02,src2,Order *"
    )
    assert read_windows(text) == Windows.of(
        [
            window("01T10:00", "01T11:30"),
            window("01", "02", "src1"),
            window("01", "02", "", 'Order, "big"'),
            window("01T10:00", "02", "src2", "Order *"),
        ]
    )


@pytest.mark.parametrize(
    "text",
    [
        "received_from,received_until\n2025-03-01,2025-03-02",
        "event,received_until,received_from\n,2025-03-02,2025-03-01\n",
        "received_until,received_from,source_id\r\n2025-03-02,2025-03-01\r\n2025-03-02,2025-03-01,\r\n",
        "\n received_from , received_until \r2025-03-01,2025-03-02\r",
    ],
)
def test_columns_may_be_missing_and_in_any_order(text: str) -> None:
    assert read_windows(text) == Windows.of([window("01", "02")])


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("", "character 1", "the first line has to be received_from,received_until,source_id,event"),
        (" \n\n", "character 1", "the first line has to be"),
        (HEADER, "character 1", "no window below the header"),
        ("received_from;received_until\n", "character 1", "separated by commas"),
        ("received_from,recieved_until\n", "character 15", "perhaps received_until is meant"),
        ("received_from,xyz\n", "character 15", "'xyz' is no column: the first line"),
        ("2025-03-01,2025-03-02,,\n", "character 1", "'2025-03-01' is no column"),
        ("received_from,event\n", "character 1", "no column received_until"),
        ("received_from,received_until,event,event\n", "character 36", "two columns event"),
        (HEADER + "2025-03-01,soon,,\n", "line 2, character 12", "received_until: 'soon' is not a time"),
        (HEADER + "2025-03-01,,,\n", "line 2, character 12", "received_until: is empty"),
        (HEADER + "2025-03-01\n", "line 2, character 11", "received_until: is empty"),
        (HEADER + "2025-03-01,2025-03-02,,,x\n", "line 2, character 25", "5 fields, the header 4"),
        (HEADER + "2025-03-01,2025-03-01,,\n", "line 2, character 12", "nothing lies between"),
        (HEADER + "2025-03-01,2025-03-02,,a[\n", "line 2, character 24", "event a[: this ["),
        (HEADER + '"2025""03-01",2025-03-02,,\n', "line 2, character 1", "is not a time"),
        (HEADER + '2025-03-01,2025-03-02,,\n2025-03-01,2025-03-02,,"a\n', "line 3, character 1", "this is no CSV"),
        (HEADER + '\n\n2025-03-01,2025-03-02,"a"b,\n', "line 4, character 1", "this is no CSV"),
    ],
)
def test_what_is_wrong_is_shown_at_its_place(text: str, place: str, problem: str) -> None:
    with pytest.raises(PointedError) as raised:
        read_windows(text)
    assert f"the text, {place}: " in str(raised.value)
    assert problem in str(raised.value)


@given(st.text(max_size=40), st.text('0123456789-,"\n\r T:*[', max_size=40))
def test_any_text_is_a_list_of_windows_or_refused_at_a_place_in_it(any_text: str, rows: str) -> None:
    for text in (any_text, HEADER + any_text, HEADER + rows):
        with suppress(PointedError):
            assert read_windows(text).rows


def test_there_are_bounds_to_what_a_checkpoint_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows_csv, "_MOST", 3)
    assert read_windows(HEADER + "2025-03-01,2025-03-02,,\n" * 3).rows
    with pytest.raises(PointedError, match="line 5, character 1: there are more than 3 windows"):
        read_windows(HEADER + "2025-03-01,2025-03-02,,\n" * 4)


# -- what lies in them ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", [DAY, FLAT])
@pytest.mark.parametrize(
    ("received_at", "reason"),
    [
        ("2025-03-01T09:59:59.999Z", OUTSIDE_WINDOWS),
        ("2025-03-01T10:00:00.000Z", None),
        ("2025-03-01T10:59:59.999Z", None),
        ("2025-03-01T11:00:00.000Z", OUTSIDE_WINDOWS),
        ("2025-03-01T10:00:00.000-02:00", None),
        (int(at("2025-03-01T12:59").timestamp()), None),
    ],
)
def test_windows_are_half_open(folder: str, received_at: object, reason: str | None) -> None:
    selection = within(window("01T10:00", "01T11:00"), window("01T12:00", "01T13:00"))
    assert judge(selection, folder, received_at) == reason


@pytest.mark.parametrize(
    ("received_at", "early"),
    [("2025-02-28T23:59:59.999Z", True), ("2025-03-02T00:00:00.000Z", False), (None, True), ("soon", True), ({}, True)],
)
def test_a_folder_says_when_a_message_was_received_that_says_otherwise(received_at: object, early: bool) -> None:
    first, last = within(window("01", "01T01:00")), within(window("01T23:00", "02"))
    assert judge(first, DAY, received_at) == (None if early else OUTSIDE_WINDOWS)
    assert judge(last, DAY, received_at) == (OUTSIDE_WINDOWS if early else None)


def test_what_tells_no_receipt_at_all_is_in_no_window() -> None:
    assert judge(within(window("01", "02")), FLAT) == NO_RECEIVED_AT
    assert judge(within(window("01", "02", event="Order")), FLAT, event="Cart") == OUTSIDE_WINDOWS


def test_a_window_can_be_of_a_source_and_of_events() -> None:
    ten, eleven = "2025-03-01T10:00:00.000Z", "2025-03-01T11:00:00.000Z"
    selection = within(
        window("01T10:00", "01T11:00", "src1", "Order *"),
        window("01T11:00", "01T12:00", "", "Cart"),
        window("01T11:00", "01T12:00", "src2"),
    )
    assert judge(selection, DAY, ten, "Order Completed") is None
    assert judge(selection, DAY, ten, "Cart") == OUTSIDE_WINDOWS
    assert judge(selection, DAY, eleven, "Order Completed") == OUTSIDE_WINDOWS
    assert judge(selection, DAY, eleven, "Cart") is None
    assert judge(selection, DAY, ten, None) == OUTSIDE_WINDOWS
    assert judge(selection, OTHER_DAY, ten, "Order Completed") == OUTSIDE_WINDOWS
    assert judge(selection, OTHER_DAY, eleven, None) is None


def test_where_all_windows_name_a_source_it_has_to_be_known() -> None:
    ten = "2025-03-01T10:00:00.000Z"
    assert judge(within(window("01", "02", "src1")), FLAT, ten) == UNKNOWN_SOURCE
    assert judge(within(window("01", "02", "src1"), window("01", "02", event="x")), FLAT, ten) == OUTSIDE_WINDOWS
    assert judge(within(window("01", "02", "src1"), window("01", "02")), FLAT, ten) is None


def test_nothing_is_looked_at_in_a_folder_that_lies_in_a_window() -> None:
    selection = within(window("01T00:00", "01T12:00"), window("01T12:00", "02"))
    assert selection.for_object(f"{DAY}x.gz") is None
    assert within(window("01T10:00", "01T11:00", "src1")).for_object(f"{HOUR}x.gz") is None


def test_a_record_is_outside_of_what_was_received_before_it_is_outside_of_windows() -> None:
    selection = Selection(received=Period(at("2025-03-01T12:00"), None), windows=Windows.of([window("05", "06")]))
    assert judge(selection, DAY, "2025-03-01T10:00:00.000Z") == OUTSIDE_RECEIVED
    assert judge(selection, DAY, "2025-03-01T14:00:00.000Z") == OUTSIDE_WINDOWS


# -- folders --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("folder", "wanted"),
    [
        ("", True),
        ("segment-logs/src1/", True),
        (DAY, True),
        (OTHER_DAY, False),
        ("segment-logs/src2/1740873600000/", True),
        ("segment-logs/src3/1740787200000/", False),
        ("segment-logs/src1/1740960000000/", False),
        ("data/src1/segment_type=track/day=2025-03-01/hr=09/", False),
        (HOUR, True),
        ("day=2025-03-01/hr=11/", False),
        ("day=2025-03-02/", True),
        ("year=2025/month=03/", True),
        ("year=2025/month=04/", False),
        ("data/src3/segment_type=track/", False),
        (FLAT, True),
    ],
)
def test_folders_outside_of_all_windows_are_left_out(folder: str, wanted: bool) -> None:
    selection = within(window("01T10:00", "01T11:00", "src1"), window("02", "03", "src2", "Order"))
    assert selection.wants_folder(folder) is wanted
    assert selection.wants_object(f"{folder}x.gz") is wanted


@pytest.mark.parametrize(
    ("folder", "cut"), [(DAY, True), (HOUR, False), (FLAT, True), ("year=2025/", True), ("day=2025-03-02/", False)]
)
def test_a_folder_is_cut_where_only_a_part_of_it_can_be_meant(folder: str, cut: bool) -> None:
    selection = within(window("01T10:00", "01T11:00", "src1"), window("02", "03"))
    assert selection.cuts_folder(folder) is cut
    assert Selection().cuts_folder(folder) is (folder == FLAT)


# -- invariants -----------------------------------------------------------------------------------------------

TIMES = [at("2025-02-28T22:00") + timedelta(hours=hours) for hours in range(0, 60, 1)]
MOMENTS = st.sampled_from(TIMES)
SOURCES = st.sampled_from(["", "src1", "src2"])
EVENTS = st.sampled_from(["", "Order", "Cart", "O*", "*", "Or?er"])
WINDOWS = st.builds(
    lambda start, hours, source, event: Window(start, start + timedelta(hours=hours), source, event),
    MOMENTS,
    st.integers(1, 30),
    SOURCES,
    EVENTS,
)
LISTS = st.lists(WINDOWS, min_size=1, max_size=6)
FOLDERS = st.sampled_from([DAY, OTHER_DAY, HOUR, FLAT, "year=2025/month=3/", "day=2025-03-02/"])
MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "receivedAt": MOMENTS.map(lambda moment: moment.isoformat().replace("+00:00", ".000Z"))
        | st.sampled_from([None, "soon", "1999-01-01", 1740787200, 9e15]),
        "event": st.sampled_from(["Order", "Cart", "Other", None, "", 5]),
    },
)


def naive(windows: list[Window], folder: str, message: Message) -> bool:
    """Read the rule as it is told, window by window."""
    known, source = span(folder), source_of(folder)
    seconds = instant(message.get("receivedAt"))
    if known is not None:
        first, last = known.first.timestamp(), known.until.timestamp() - 0.001
        seconds = first if seconds is None else min(max(seconds, first), last)
    if seconds is None:
        return False
    event = "5" if message.get("event") == 5 else message.get("event") or None
    return any(
        row.source_id in ("", source)
        and (row.event == "" or (event is not None and fnmatchcase(event, row.event)))
        and row.start.timestamp() <= seconds < row.until.timestamp()
        for row in windows
    )


@given(LISTS, FOLDERS, MESSAGES)
def test_a_message_is_meant_when_it_lies_in_a_window(windows: list[Window], folder: str, message: Message) -> None:
    selection = within(*windows)
    selector = selection.for_object(f"{folder}x.gz")
    meant = selector is None or selector(message) is None
    assert meant is naive(windows, folder, message)
    if meant:
        assert selection.wants_object(f"{folder}x.gz")
        while folder:
            assert selection.wants_folder(folder)
            folder = folder_of(folder[:-1])


@given(LISTS, LISTS, FOLDERS, st.lists(MESSAGES, max_size=10))
def test_what_is_within_means_nothing_that_the_others_do_not(
    one: list[Window], other: list[Window], folder: str, messages: list[Message]
) -> None:
    for narrower in (one, [row for row in one if row in other] or one, [*one, *other]):
        if Windows.of(narrower).is_within(Windows.of(other)):
            meant = [message for message in messages if naive(narrower, folder, message)]
            assert all(naive(other, folder, message) for message in meant)


@given(LISTS, LISTS)
def test_some_windows_are_within_more(one: list[Window], other: list[Window]) -> None:
    assert Windows.of(one).is_within(Windows.of([*one, *other]))
    assert within(*one).is_within(Selection())
    assert not Selection().is_within(within(*one))


def test_windows_are_within_what_unites_them() -> None:
    hours = Windows.of([window("01T10:00", "01T11:00"), window("01T11:00", "01T12:00")])
    assert Windows.of([window("01T10:30", "01T11:30", "src1", "Order")]).is_within(hours)
    assert not Windows.of([window("01T10:30", "01T12:30")]).is_within(hours)
    assert Windows.of([window("01", "02", "", "Order")]).is_within(Windows.of([window("01", "02", "", "O*")]))
    assert not Windows.of([window("01", "02", "", "O*")]).is_within(Windows.of([window("01", "02", "", "Order")]))
    assert not Windows.of([window("01", "02")]).is_within(Windows.of([window("01", "02", "src1")]))


@given(LISTS)
def test_settings_keep_what_is_set(windows: list[Window]) -> None:
    selection = within(*windows)
    again = Selection.from_settings(json.loads(json.dumps(selection.settings())))
    assert again == selection == within(*reversed(windows), *windows)
    assert again.settings() == selection.settings()


def test_it_says_what_was_understood() -> None:
    named = within(window("01T10:00", "01T11:00", "src1", "Order *"), window("02", "03", "src2", "Cart"))
    assert named.explain() == [
        "2 windows of known failures, received from 2025-03-01T10:00:00Z until 2025-03-03T00:00:00Z, of 2 sources, "
        "2 events or patterns"
    ]
    assert named.settings() == {
        "windows": [
            ["2025-03-01T10:00:00Z", "2025-03-01T11:00:00Z", "src1", "Order *"],
            ["2025-03-02T00:00:00Z", "2025-03-03T00:00:00Z", "src2", "Cart"],
        ]
    }
    (line,) = within(window("01", "02")).explain()
    assert line.endswith("any source, any event")


# -- intervals ------------------------------------------------------------------------------------------------

SECONDS = st.integers(0, 20)
INTERVALS = st.lists(st.builds(lambda first, length: (first, first + length), SECONDS, st.integers(1, 6)), max_size=6)


def has(intervals: list[Interval], second: float) -> bool:
    return any(first <= second < until for first, until in intervals)


@given(INTERVALS, st.integers(-2, 30), st.integers(1, 8))
def test_intervals_united_have_what_any_of_them_has(intervals: list[Interval], first: int, length: int) -> None:
    united, until = Intervals.of(intervals), first + length
    inside = [has(intervals, second) for second in range(first, until)]
    assert list(united) == sorted(set(united))
    assert united.contains(first) is inside[0]
    assert united.meets(first, until) is any(inside)
    assert united.covers(first, until) is all(inside)
    cut = united.within(first, until)
    assert [cut.contains(second) for second in range(first, until)] == inside
    assert cut.is_ever is all(inside)
    assert bool(cut) is any(inside)


def test_nothing_lies_in_no_interval_and_everything_in_all() -> None:
    assert not Intervals.of([])
    assert not Intervals.of([]).meets(0, 1)
    assert EVER.contains(float("-inf"))
    assert EVER.contains(1e300)

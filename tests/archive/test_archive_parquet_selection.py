"""Row groups that hold nothing that is meant are left out unread, and nothing else is: as if all had been read."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay_cli.archive import open_source, read
from replay_cli.archive.parquet import row_batches
from replay_cli.errors import DamagedObjectError
from replay_cli.model import BATCH_BYTES, ArchiveObject, LeftOut, RecordBatch
from replay_cli.moengage.actions import actions_mapping
from replay_cli.moengage.mapping import Api
from replay_cli.moengage.preflight import MAX_BODY_BYTES, make_check
from replay_cli.preparation import Preparation, text_of
from replay_cli.segment.content import Content
from replay_cli.segment.criteria import IDENTIFY_LEFT_OUT, OTHER_EVENT, OTHER_TYPE
from replay_cli.segment.layout import folder_of
from replay_cli.segment.period import Period
from replay_cli.segment.row_selection import rows_selector
from replay_cli.segment.selection import LEFT_OUT, UNKNOWN_SOURCE, Selection
from replay_cli.segment.times import NO_RECEIVED_AT, NO_TIMESTAMP, OUTSIDE_EVENT_TIME, OUTSIDE_RECEIVED
from replay_cli.segment.windows import OUTSIDE_WINDOWS, Window, Windows
from tests.support.archives import objects

DAY = "data/src1/segment_type=all/day=2025-03-01/"
FLAT = "/archive/"
TRACKS = "/archive/segment_type=track/"
PREPARE = Preparation(
    Api("actions", actions_mapping("w"), make_check("actions"), MAX_BODY_BYTES), strict=False, clock=lambda: 4e9
)


class Table(NamedTuple):
    """A Parquet object as it is stored."""

    object: ArchiveObject
    data: bytes

    def batches(self, selection: Selection, start: int = 0, edges: Sequence[int] = ()) -> list[RecordBatch]:
        selector = rows_selector(selection, folder_of(self.object.uri))
        return list(row_batches(self.object, BytesIO(self.data), start, selector, edges))

    def all_read(self, start: int = 0) -> list[RecordBatch]:
        return list(row_batches(self.object, BytesIO(self.data), start))

    def left_out(self, selection: Selection) -> list[str | None]:
        """The reason why each row group is left out; None of one that is read. No group has several batches."""
        groups = [{record.reason if isinstance(record, LeftOut) else None for record in batch.records}
                  for batch in self.batches(selection)]  # fmt: skip
        assert all(len(reasons) == 1 for reasons in groups)
        return [reasons.pop() for reasons in groups]


def stored(columns: Mapping[str, Any], rows_a_group: int = 2, folder: str = FLAT, **options: Any) -> Table:
    file = BytesIO()
    pq.write_table(pa.table(dict(columns)), file, row_group_size=rows_a_group, **options)
    data = file.getvalue()
    return Table(ArchiveObject(f"{folder}a.parquet", len(data), "e"), data)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def between(start: str | None, until: str | None) -> Period:
    return Period(start and at(start), until and at(until))  # type: ignore[arg-type] # no text is empty


def by_receipt(start: str | None, until: str | None) -> Selection:
    return Selection(received=between(start, until))


def by_content(**criteria: Any) -> Selection:
    return Selection(content=Content(**criteria))


def instants(*texts: str | None, unit: str = "us", zone: str | None = "UTC") -> pa.Array:
    return pa.array([text and at(text) for text in texts], pa.timestamp(unit, zone))


def users(count: int) -> list[str]:
    return [f"u{n}" for n in range(count)]


PEOPLE = {"user_id": users(2), "traits_n": [1, 2]}


# -- times ----------------------------------------------------------------------------------------------------

HOURS = ("2025-03-01T01:00", "2025-03-01T02:00", "2025-03-01T03:00", "2025-03-01T04:00", "2025-03-01T05:00")


@pytest.mark.parametrize("name", ["received_at", "receivedAt", "receivedat", "RECEIVED_AT", "received.at"])
def test_receipt_is_known_by_any_name_of_its_column(name: str) -> None:
    table = stored({"user_id": users(5), name: instants(*HOURS)})
    assert table.left_out(by_receipt("2025-03-01T03:00", "2025-03-01T05:00")) == [
        OUTSIDE_RECEIVED,
        None,
        OUTSIDE_RECEIVED,
    ]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
def test_timestamps_are_cut_exactly_in_any_unit(unit: str, zone: str | None) -> None:
    column = pa.array([at(text) for text in HOURS], pa.timestamp(unit, "UTC")).cast(pa.timestamp(unit, zone))
    table = stored({"user_id": users(5), "timestamp": column}, 1)
    selection = Selection(event_time=between("2025-03-01T02:00", "2025-03-01T04:00"))
    assert table.left_out(selection) == [OUTSIDE_EVENT_TIME, None, None, OUTSIDE_EVENT_TIME, OUTSIDE_EVENT_TIME]


@pytest.mark.parametrize("moment", ["2025-03-01T00:00:00.0009999", "1969-12-31T23:59:59.9995"])
def test_what_reading_cuts_off_a_time_moves_it_into_the_period(moment: str) -> None:
    read_as = at(moment).replace(microsecond=0) if moment > "2" else at("1970-01-01")
    table = stored({"user_id": ["u"], "received_at": instants(moment)})
    assert table.left_out(Selection(received=Period(read_as, read_as + timedelta(microseconds=1)))) == [None]


ISO = ("2025-03-01T01:00:00.000Z", "2025-03-01T23:00:00.000Z", "2025-03-20T01:00:00.000Z", "2025-03-20T05:00:00.000Z")


def test_texts_in_the_archives_form_bound_times_by_days() -> None:
    table = stored({"user_id": users(4), "received_at": ISO})
    assert table.left_out(by_receipt("2025-03-19T12:00", None)) == [OUTSIDE_RECEIVED, None]
    assert table.left_out(by_receipt("2025-03-02", None)) == [None, None], "another form may lie between"
    assert table.left_out(by_receipt(None, "2025-03-02")) == [None, OUTSIDE_RECEIVED]


@pytest.mark.parametrize(
    ("least", "inside", "most", "meant"),
    [
        ("2025-03-01T00:00:00.000Z", "2025-03-01T00:00:00.001+23:00", "2025-03-05T00:00:00.000Z", "2025-02-28T01"),
        ("2025-03-01T00:00:00.000Z", "2025-03-04T23:59:59.999-23:00", "2025-03-05T00:00:00.000Z", "2025-03-05T22"),
        ("2025-02-20T00:00:00.000Z", "2025-02-31T23:59:59.999-23:00", "2025-03-01T00:00:00.000Z", "2025-03-04T22"),
        ("2025-03-31T00:00:00.000Z", "2025-03T10:00", "2025-04-05T00:00:00.000Z", "2025-03-01T10"),
        ("2025-03-01T00:00:00.000Z", "2025-03-05T24:00", "2025-03-05T25:00:00.000Z", "2025-03-06T00"),
        ("2024-12-31T00:00:00.000Z", "20241", "2025-01-01T00:00:00.000Z", "1970-01-01T05"),
        ("2024-12-31T00:00:00.000Z", "2025", "2025-01-01T00:00:00.000Z", "1970-01-01T00"),
        ("2025-02-31T00:00:00.000Z", "2025-02-31T00:00:00.000Z", "2025-02-31T00:00:00.000Z", "2025-03-03T00"),
    ],
)
def test_no_text_between_two_that_bound_it_is_lost(least: str, inside: str, most: str, meant: str) -> None:
    """Hostile forms, each of which compares as a text otherwise than as a time."""
    assert least <= inside <= most
    hour = at(f"{meant}:00")
    table = stored({"user_id": users(3), "timestamp": [least, inside, most]}, 3)
    selection = Selection(event_time=Period(hour, hour + timedelta(hours=1)))
    assert table.left_out(selection) == [None]
    (batch,) = table.all_read()
    selector = selection.for_object(table.object.uri)
    assert selector is not None
    assert selector(batch.records[1]) is None, "the example is one"  # type: ignore[arg-type] # it is a message


@pytest.mark.parametrize(
    "text",
    ["2025-03-01T01:00:00Z", "2025-03-01 01:00:00.000Z", "2025-03-01", "1740787200000", "9999-12-31T00:00:00.000Z"],
)
def test_texts_of_another_form_bound_nothing(text: str) -> None:
    assert stored({"user_id": ["u"], "received_at": [text]}).left_out(by_receipt("2027-01-01", "2028-01-01")) == [None]


def test_a_folder_says_when_rows_were_received_that_say_otherwise() -> None:
    """As when they are read: what lies outside of the day counts as its nearer end."""
    columns = {"user_id": users(3), "received_at": instants("2024-01-01", "2025-03-01T06:00", "2026-01-01")}
    table = stored(columns, 1, DAY)
    assert table.left_out(by_receipt(None, "2025-03-01T03:00")) == [None, OUTSIDE_RECEIVED, OUTSIDE_RECEIVED]
    assert table.left_out(by_receipt("2025-03-01T09:00", None)) == [OUTSIDE_RECEIVED, OUTSIDE_RECEIVED, None]
    assert table.left_out(by_receipt("2025-03-01", "2025-03-02")) == [None, None, None]


def test_rows_without_a_time_count_as_when_they_are_read() -> None:
    columns = {"user_id": users(4), "received_at": instants(None, None, None, "2025-01-01")}
    flat, dated = stored(columns), stored(columns, folder=DAY)
    assert flat.left_out(by_receipt("2025-03-01T03:00", None)) == [NO_RECEIVED_AT, None], "two reasons"
    assert dated.left_out(by_receipt("2025-03-01T03:00", None)) == [OUTSIDE_RECEIVED, OUTSIDE_RECEIVED]
    assert dated.left_out(by_receipt(None, "2025-03-01T03:00")) == [None, None], "the first instant of the day"
    assert stored(PEOPLE).left_out(Selection(event_time=between("2025-03-01", None))) == [NO_TIMESTAMP]


def test_texts_that_may_be_no_times_are_read_where_those_would_be_meant() -> None:
    table = stored({"user_id": users(2), "received_at": ["2025-03-20T01:00:00.000Z"] * 2}, folder=DAY)
    assert table.left_out(by_receipt(None, "2025-03-01T03:00")) == [None]
    assert table.left_out(by_receipt("2025-03-01T03:00", "2025-03-01T04:00")) == [OUTSIDE_RECEIVED]


def windows(*rows: tuple[str, str, str, str]) -> Selection:
    return Selection(windows=Windows.of(Window(at(start), at(until), *more) for start, until, *more in rows))


def test_windows_leave_out_what_lies_in_none_of_them() -> None:
    selection = windows(
        ("2025-03-01T02:00", "2025-03-01T03:00", "", ""), ("2025-03-01T04:30", "2025-03-01T04:40", "", "E")
    )
    table = stored({"user_id": users(5), "received_at": instants(*HOURS)}, 1)
    assert table.left_out(selection) == [OUTSIDE_WINDOWS, None, OUTSIDE_WINDOWS, OUTSIDE_WINDOWS, OUTSIDE_WINDOWS]
    assert stored({"user_id": ["u"], "received_at": instants(None)}).left_out(selection) == [None], "by the event"


def test_a_window_that_begins_with_the_last_row_is_met() -> None:
    table = stored({"user_id": users(5), "received_at": instants(*HOURS)})
    assert table.left_out(windows(("2025-03-01T02:00", "2025-03-01T02:01", "", ""))) == [
        *(None, OUTSIDE_WINDOWS, OUTSIDE_WINDOWS)
    ]


def test_rows_without_a_time_lie_in_a_window_that_has_the_beginning_of_their_folder() -> None:
    columns = {"user_id": users(3), "received_at": instants(None, "2025-03-01T05:00", "2025-03-01T06:00")}
    table = stored(columns, folder=DAY)
    assert table.left_out(windows(("2025-02-28", "2025-03-01T01:00", "", ""))) == [None, OUTSIDE_WINDOWS]
    assert table.left_out(windows(("2025-03-01T01:00", "2025-03-01T02:00", "", ""))) == [OUTSIDE_WINDOWS] * 2


# -- types and events -----------------------------------------------------------------------------------------


def test_types_leave_out_the_groups_of_others() -> None:
    kinds = ["page", "page", "screen", "page", "track", "identify", None, None]
    table = stored({"user_id": users(8), "type": kinds})
    assert table.left_out(by_content(types=frozenset({"track"}))) == [OTHER_TYPE, OTHER_TYPE, None, OTHER_TYPE]
    assert table.left_out(by_content(types=frozenset({"page", "group"}))) == [None, None, None, OTHER_TYPE]


def test_rows_without_a_type_have_that_of_their_table() -> None:
    kinds = ["page", "page", "page", None, None, None]
    meant = by_content(types=frozenset({"track"}))
    assert stored({"user_id": users(6), "type": kinds}, folder=TRACKS).left_out(meant) == [OTHER_TYPE, None, None]
    assert stored(PEOPLE, folder=TRACKS).left_out(meant) == [None]
    assert stored(PEOPLE).left_out(meant) == [OTHER_TYPE]


def test_identifies_are_left_out_where_there_is_nothing_else() -> None:
    kinds = ["identify", "identify", "identify", "track", "identify", None]
    table = stored({"user_id": users(6), "type": kinds})
    assert table.left_out(by_content(without_identifies=True)) == [IDENTIFY_LEFT_OUT, None, None]


def test_events_leave_out_groups_by_name_but_not_by_pattern() -> None:
    names = ["Cart Viewed", "Opened", "Signed Up", "Viewed", None, None]
    table = stored({"user_id": users(6), "event": names})
    assert table.left_out(by_content(events=frozenset({"Clicked"}))) == [None, OTHER_EVENT, OTHER_EVENT]
    assert table.left_out(by_content(events=frozenset({"Z*"}))) == [None, None, None]
    assert table.left_out(by_content(events=frozenset({"Z", "a"}))) == [OTHER_EVENT] * 3
    assert stored(PEOPLE).left_out(by_content(events=frozenset({"E"}))) == [OTHER_EVENT]


def test_the_first_reason_is_given_that_is_certain() -> None:
    columns = {"user_id": users(3), "received_at": instants(*HOURS[:3]), "type": ["page"] * 3}
    selection = replace(by_receipt("2025-03-01T02:00", None), content=Content(types=frozenset({"track"})))
    assert stored(columns, 1).left_out(selection) == [OUTSIDE_RECEIVED, OTHER_TYPE, OTHER_TYPE]
    assert stored(columns, 3).left_out(selection) == [OTHER_TYPE]


def test_where_the_table_is_that_of_an_event_nothing_is_read_for_other_types_than_tracks() -> None:
    columns = {**PEOPLE, "type": ["identify"] * 2}
    lake = stored(columns, folder="data/rMtR7AWRj3mP6q9KmEhzh5/segment_type=order_completed/")
    assert lake.left_out(by_content(types=frozenset({"identify"}))) == [OTHER_TYPE]
    assert stored(columns, folder="segment_type=order_completed/").left_out(
        by_content(types=frozenset({"identify"}))
    ) == [None]


def test_where_the_path_decides_nothing_is_read() -> None:
    assert stored(PEOPLE).left_out(Selection(source_ids=frozenset({"src1"}))) == [UNKNOWN_SOURCE]


# -- where nothing is certain ---------------------------------------------------------------------------------

LATE = by_receipt("2027-01-01", "2028-01-01")
OUTSIDE = instants("2025-03-01", "2025-03-01")
INVALID = pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xff"]).buffers())


@pytest.mark.parametrize(
    ("columns", "options"),
    [
        ({"user_id": users(2), "received_at": OUTSIDE}, {"write_statistics": False}),
        ({"user_id": users(2), "received_at": OUTSIDE, "receivedAt": OUTSIDE}, {}),
        ({"user_id": users(2), "received_at": OUTSIDE}, {"use_deprecated_int96_timestamps": True}),
        ({"user_id": users(2), "received_at": [1740787200, 1740787200]}, {}),
        ({"user_id": users(2), "received_at": [{"at": "2025-03-01T01:00:00.000Z"}] * 2}, {}),
        ({"user_id": users(2), "received_at": [["2025-03-01T01:00:00.000Z"]] * 2}, {}),
        ({"user_id": users(2), "received_at": pa.array([b"2025-03-01T01:00:00.000Z"] * 2)}, {}),
        ({"user_id": users(2), "received_at": pa.array([19000, 19000], pa.date32())}, {}),
        ({"message": ['{"receivedAt":"2025-03-01T01:00:00.000Z"}', ""]}, {}),
        ({"message": ["{}", "{}"], "received_at": OUTSIDE}, {}),
        ({**PEOPLE, "kind": ["rejected"] * 2, "uri": ["a"] * 2, "ordinal": [1, 2], "received_at": OUTSIDE}, {}),
    ],
    ids=[
        *("no statistics", "two columns", "int96", "numbers", "structs", "lists", "binary", "dates"),
        *("texts of JSON", "JSON beside a column", "dead letters"),
    ],
)  # fmt: skip
def test_what_is_not_certain_is_read(columns: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    assert stored(columns, **options).left_out(LATE) == [None]


@pytest.mark.parametrize("event", [["e" * 33], ["a", "e" * 33], INVALID], ids=["long", "long at one end", "no UTF-8"])
def test_texts_that_may_be_cut_bound_nothing(event: Any) -> None:
    table = stored({"user_id": users(len(event)), "event": event})
    assert table.left_out(by_content(events=frozenset({"z"}))) == [None]


def test_bounds_in_the_wrong_order_bound_nothing() -> None:
    table = stored({"user_id": users(2), "event": ["mmm", "nnn"]})
    footer = len(table.data) - 8 - int.from_bytes(table.data[-8:-4], "little")
    lying = table._replace(data=table.data[:footer] + table.data[footer:].replace(b"nnn", b"aaa"))
    assert table.left_out(by_content(events=frozenset({"z"}))) == [OTHER_EVENT]
    assert lying.left_out(by_content(events=frozenset({"z"}))) == [None]


def test_text_that_is_no_utf8_may_read_as_a_replacement_anywhere() -> None:
    names = pa.array([b"a\xf0\x9f\x98\x80", b"a\xff", b"b"])
    event = pa.Array.from_buffers(pa.string(), 3, names.buffers())
    table = stored({"user_id": users(3), "event": event}, 3)
    assert table.left_out(by_content(events=frozenset({"a\ufffd"}))) == [None]


def test_a_field_of_a_struct_is_not_taken_for_a_column() -> None:
    """In the file both are called `received_at` at the end, and `context.received_at` could be a name as well."""
    columns = {"context": [{"received_at": at("2025-01-01")}] * 2, "received_at": instants("2027-03-01", "2027-03-01")}
    assert stored(columns).left_out(LATE) == [None]
    assert stored({"context": columns["context"], "user_id": users(2)}).left_out(LATE) == [NO_RECEIVED_AT]


# -- batches --------------------------------------------------------------------------------------------------


def spoiled(table: Table, group: int) -> Table:
    """The same, with a row group that cannot be decoded."""
    column = pq.ParquetFile(BytesIO(table.data)).metadata.row_group(group).column(0)
    begin = column.dictionary_page_offset or column.data_page_offset
    data = bytearray(table.data)
    data[begin : begin + column.total_compressed_size] = bytes(column.total_compressed_size)
    return table._replace(data=bytes(data))


def test_what_is_left_out_is_not_read() -> None:
    table = spoiled(stored({"user_id": users(5), "received_at": instants(*HOURS)}), 1)
    selection = by_receipt("2025-03-01T05:00", None)
    assert table.left_out(selection) == [OUTSIDE_RECEIVED, OUTSIDE_RECEIVED, None]
    with pytest.raises(DamagedObjectError):
        table.all_read()


def test_what_is_left_out_falls_into_the_same_batches() -> None:
    columns = {"user_id": users(7000), "received_at": instants(*["2025-03-01"] * 3500, *["2027-03-01"] * 3500)}
    table = stored(columns, 3500)
    whole, selected = table.all_read(), table.batches(LATE)
    assert [(batch.first, batch.next, batch.consumed) for batch in whole] == [
        (batch.first, batch.next, batch.consumed) for batch in selected
    ]
    assert len({id(record) for batch in selected[:4] for record in batch.records}) == 1, "one shared record"
    for index, batch in enumerate(selected):
        assert table.batches(LATE, batch.first) == selected[index:]
        assert table.batches(LATE, batch.next) == selected[index + 1 :]


def test_what_is_left_out_is_cut_where_an_earlier_run_has_cut() -> None:
    """It may have read with another selection; rows that are larger in memory fall into more batches then."""
    count = 400
    columns = {
        "user_id": users(count),
        "traits_x": ["x" * 20_000] * count,
        "received_at": instants(*["2025-03-01"] * count),
    }
    table = stored(columns, 300)
    before = [(batch.first, batch.next) for batch in table.all_read()]
    assert len(before) > 3
    assert all(20_000 * (end - first) <= BATCH_BYTES for first, end in before)
    assert [(batch.first, batch.next) for batch in table.batches(LATE)] == [(0, 300), (300, 400)]
    for begin in range(len(before)):
        for end in range(begin, len(before) + 1):
            known = before[begin:end]
            edges = [edge for batch in known for edge in batch]
            found = [(batch.first, batch.next) for batch in table.batches(LATE, before[begin][0], edges)]
            assert found[: len(known)] == known
            assert [first for first, _ in found[1:]] == [until for _, until in found[:-1]]
            assert found[-1][1] == count
            if known and len(found) > len(known):  # and again, as far as it came now
                again = table.batches(LATE, found[len(known)][0], edges)
                assert [(batch.first, batch.next) for batch in again] == found[len(known) :]


def test_a_source_that_is_opened_for_a_selection_leaves_out(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "src1" / "segment_type=x" / "day=2025-03-01"
    folder.mkdir(parents=True)
    (folder / "a.parquet").write_bytes(stored({"user_id": users(5), "received_at": instants(*HOURS)}).data)
    selection = by_receipt("2025-03-01T04:30", None)
    sources = [open_source([str(tmp_path)], chosen) for chosen in (selection, Selection())]
    for source, expected in zip(sources, (4, 0), strict=True):
        (obj,) = objects(source)
        batches = list(read(source, obj))
        assert sum(isinstance(record, LeftOut) for batch in batches for record in batch.records) == expected
        assert source.find(obj.uri) == obj
        source.expect([obj])
        assert (source.ignored, source.trouble) == (0, "")
        assert list(read(source, obj, batches[1].first)) == batches[1:]
        source.stop()


def test_the_text_of_what_was_not_read_is_empty() -> None:
    assert text_of(LeftOut(OTHER_TYPE)) == b""


# -- the same as reading everything ---------------------------------------------------------------------------

NAMES = {
    "receivedAt": ("received_at", "receivedAt", "receivedat"),
    "timestamp": ("timestamp", "Timestamp"),
    "type": ("type", "Type"),
    "event": ("event",),
}
MOMENTS = st.sampled_from(
    [at(f"2025-{day}T{hour}") for day in ("02-20", "03-01", "03-02", "03-10") for hour in ("00:00", "10:00", "10:30")]
)
ODD = st.sampled_from(
    ["2025-03-01T10:00:00.000+23:00", "2025-03", "2025-02-31", "2025-03-01 10:00", "2025-03-01Tx", ""]
)


def iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@st.composite
def time_columns(draw: st.DrawFn, count: int) -> pa.Array:
    """Times as they come, one after the other or not, with gaps or without, as timestamps or as texts."""
    values: list[Any] = draw(st.lists(MOMENTS, min_size=count, max_size=count))
    if draw(st.booleans()):
        values.sort()
    gaps = draw(st.sampled_from([(), (0,), range(0, count, 3), range(count)]))
    if kind := draw(st.sampled_from(["", "ms", "us", "ns"])):
        column = pa.array([None if n in gaps else value for n, value in enumerate(values)], pa.timestamp(kind, "UTC"))
        return column if draw(st.booleans()) else column.cast(pa.timestamp(kind))
    texts = [None if n in gaps else iso(value) for n, value in enumerate(values)]
    for n in draw(st.lists(st.integers(0, count - 1), max_size=1)):
        texts[n] = draw(ODD)
    column = pa.array(texts, pa.string())
    return draw(st.sampled_from([column, column.dictionary_encode(), column.cast(pa.large_string())]))


@st.composite
def word_columns(draw: st.DrawFn, count: int, words: Sequence[str | None]) -> pa.Array:
    values = draw(st.lists(st.sampled_from(words), min_size=count, max_size=count))
    if draw(st.booleans()):
        values.sort(key=str)
    return pa.array(values, pa.string())


@st.composite
def tables(draw: st.DrawFn) -> Table:
    count = draw(st.integers(1, 12))
    columns: dict[str, Any] = {"user_id": users(count), "traits_n": range(count)}
    kinds = {
        "receivedAt": time_columns(count),
        "timestamp": time_columns(count),
        "type": word_columns(count, ["track", "identify", "page", None]),
        "event": word_columns(count, ["Opened", "Closed", "", None]),
    }
    for field, kind in kinds.items():
        names = draw(st.lists(st.sampled_from(NAMES[field]), max_size=2, unique=True))
        columns |= {name: draw(kind) for name in names}
    return stored(
        columns,
        draw(st.integers(1, 4)),
        draw(st.sampled_from([DAY, FLAT, TRACKS, f"{DAY}hr=10/", "year=2025/"])),
        write_statistics=draw(st.sampled_from([True, True, ["type", "received_at"]])),
    )


PERIODS = st.one_of(
    st.just(Period()),
    st.builds(lambda one, other: Period(*sorted((one, other))), MOMENTS, MOMENTS),
    st.builds(lambda start: Period(start, None), MOMENTS),
    st.builds(lambda until: Period(None, until), MOMENTS),
)
ROWS_OF_WINDOWS = st.builds(
    lambda start, hours, source, event: Window(start, start + timedelta(hours=hours), source, event),
    MOMENTS,
    st.integers(1, 30),
    st.sampled_from(["", "src1", "src2"]),
    st.sampled_from(["", "", "Opened"]),
)
SELECTIONS = st.builds(
    Selection,
    received=PERIODS,
    event_time=PERIODS,
    source_ids=st.sampled_from([frozenset(), frozenset(), frozenset({"src1"})]),
    windows=st.none() | st.lists(ROWS_OF_WINDOWS, min_size=1, max_size=2).map(Windows.of),
    content=st.builds(
        Content,
        types=st.sampled_from([frozenset(), frozenset({"track"}), frozenset({"page", "identify"})]),
        without_identifies=st.booleans(),
        events=st.sampled_from([frozenset(), frozenset(), frozenset({"Opened"}), frozenset({"Op*"})]),
    ),
)


class Outcome(NamedTuple):
    """What became of a table's rows: (ordinal, body) of each request, ordinal → reason of what was skipped."""

    requests: list[tuple[tuple[int, ...], bytes]]
    skipped: dict[int, str]
    rejected: list[int]


def outcome(batches: Sequence[RecordBatch], selection: Selection) -> Outcome:
    prepare = Preparation(PREPARE.api, strict=False, clock=lambda: 4e9, selection=selection)
    found = [prepare(batch) for batch in batches]
    requests = [(request.ordinals, request.body) for prepared in found for request in prepared.requests]
    skipped = {ordinal: reason for prepared in found for ordinal, reason in prepared.skipped}
    return Outcome(requests, skipped, [rejected.ordinal for prepared in found for rejected in prepared.rejected])


def alone(selection: Selection) -> list[Selection]:
    """Each of its criteria for itself."""
    content = selection.content
    return [
        Selection(received=selection.received),
        Selection(event_time=selection.event_time),
        Selection(source_ids=selection.source_ids),
        Selection(windows=selection.windows),
        by_content(types=content.types),
        by_content(without_identifies=content.without_identifies),
        by_content(events=content.events),
    ]


UNREADABLE = {
    (NO_RECEIVED_AT, OUTSIDE_RECEIVED),
    (NO_RECEIVED_AT, OUTSIDE_WINDOWS),
    (NO_TIMESTAMP, OUTSIDE_EVENT_TIME),
}


@settings(max_examples=300)
@given(tables(), SELECTIONS)
def test_the_same_is_sent_and_left_out_as_if_everything_was_read(table: Table, selection: Selection) -> None:
    """For the same reasons: or for another one that holds for the row, where reading found an earlier one."""
    whole, selected = table.all_read(), table.batches(selection)
    expected, found = outcome(whole, selection), outcome(selected, selection)
    assert found.requests == expected.requests
    assert found.rejected == expected.rejected
    assert found.skipped.keys() == expected.skipped.keys()
    for ordinal, reason in found.skipped.items():
        other = expected.skipped[ordinal]
        if reason != other and (other, reason) not in UNREADABLE:
            assert LEFT_OUT.index(other) < LEFT_OUT.index(reason)
            selectors = [each.for_object(table.object.uri) for each in alone(selection)]
            message: Any = whole[0].records[ordinal] if len(whole) == 1 else _record(whole, ordinal)
            assert reason in {selector(message) for selector in selectors if selector is not None}


def _record(batches: Sequence[RecordBatch], ordinal: int) -> Any:
    return next(batch.records[ordinal - batch.first] for batch in batches if batch.first <= ordinal < batch.next)


@settings(max_examples=100)
@given(tables(), SELECTIONS)
def test_reading_goes_on_at_any_edge_as_if_it_had_not_stopped(table: Table, selection: Selection) -> None:
    batches = table.batches(selection)
    edges = [batch.first for batch in table.all_read()]
    assert [batch.first for batch in batches] == edges
    assert all(one.next == other.first for one, other in pairwise(batches))
    for index, first in enumerate(edges):
        assert table.batches(selection, first, edges[index:]) == batches[index:]

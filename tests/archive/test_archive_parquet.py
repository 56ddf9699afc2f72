"""Parquet objects: rows as messages, streamed."""

import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from replay_cli.archive import open_source, read
from replay_cli.archive.columns import plain_values
from replay_cli.errors import DamagedObjectError
from replay_cli.model import BATCH_BYTES, MAX_RECORD_BYTES, Record, RecordBatch, Unit, Unreadable
from tests.support.archives import objects


def batches(path: Path, start: int = 0) -> list[RecordBatch]:
    source = open_source([str(path)])
    (obj,) = objects(source)
    return list(read(source, obj, start))


def records(path: Path) -> list[Record]:
    return [record for batch in batches(path) for record in batch.records]


def stored(path: Path, columns: dict[str, Any], rows_a_group: int = 100_000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, row_group_size=rows_a_group)
    return path


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        (pa.decimal128(38, 6), [Decimal("19.990000"), Decimal(3), None], [19.99, 3, None]),
        (pa.decimal128(38, 6), [Decimal("0.070000"), Decimal(2**70)], [0.07, float(2**70)]),
        (pa.decimal256(60, 2), [Decimal("-1.50")], [-1.5]),
        (pa.float64(), [1.5, float("nan"), float("inf"), None], [1.5, None, None, None]),
        (pa.float16(), [0.5], [0.5]),
        (pa.uint64(), [2**64 - 1], [2**64 - 1]),
        (pa.bool_(), [True, False, None], [True, False, None]),
        (pa.timestamp("us"), [datetime(2025, 3, 1, 10, 0, 0, 123_999)], ["2025-03-01T10:00:00.123Z"]),
        (pa.timestamp("s", tz="UTC"), [datetime(2025, 3, 1, tzinfo=UTC), None], ["2025-03-01T00:00:00.000Z", None]),
        (pa.timestamp("ns", tz="America/New_York"), [1_740_787_200_000_000_001], ["2025-03-01T00:00:00.000Z"]),
        (pa.date32(), [date(2025, 3, 1), None], ["2025-03-01", None]),
        (pa.date64(), [date(2025, 3, 1)], ["2025-03-01"]),
        (pa.time32("s"), [time(10, 30)], ["10:30:00"]),
        (pa.duration("s"), [timedelta(minutes=1)], ["60"]),
        (pa.string(), ["é", "", None], ["é", "", None]),
        (pa.large_string(), ["x"], ["x"]),
        (pa.string_view(), ["x"], ["x"]),
        (pa.binary(), ["é".encode(), b"\xff\x00", None], ["é", "/wA=", None]),
        (pa.binary(2), [b"ab"], ["ab"]),
        (pa.dictionary(pa.int8(), pa.string()), ["a", "b", "a", None], ["a", "b", "a", None]),
        (pa.null(), [None], [None]),
        (pa.list_(pa.decimal128(5, 2)), [[Decimal(1), None], [], None], [[1, None], [], None]),
        (pa.list_(pa.int8(), 2), [[1, 2]], [[1, 2]]),
        (pa.map_(pa.string(), pa.float64()), [[("a", 1.5), ("b", float("nan"))], [], None], [{"a": 1.5}, {}, None]),
        (
            pa.struct([("a", pa.struct([("b", pa.date32())])), ("c", pa.string())]),
            [{"a": {"b": date(2025, 3, 1)}, "c": None}, None, {"a": None, "c": "x"}],
            [{"a": {"b": "2025-03-01"}}, None, {"c": "x"}],
        ),
        (pa.list_(pa.struct([("a", pa.int8())])), [[{"a": 1}, None], None], [[{"a": 1}, None], None]),
    ],
    ids=str,
)
def test_every_kind_of_column_becomes_what_json_can_hold(
    kind: pa.DataType, values: Sequence[Any], expected: Sequence[Any]
) -> None:
    column = pa.array(values, kind)
    assert plain_values(column) == expected
    assert [type(value) for value in plain_values(column)] == [type(value) for value in expected]
    assert plain_values(pa.concat_arrays([column, column]).slice(len(column))) == expected
    orjson.dumps(plain_values(column))


def test_text_that_is_no_utf8_is_given_with_replacements() -> None:
    bad = pa.Array.from_buffers(pa.string(), 1, pa.array([b"a\xff"]).buffers())
    assert plain_values(bad) == ["a\ufffd"]


def test_flattened_rows_become_messages(tmp_path: Path) -> None:
    path = stored(
        tmp_path / "segment_type=track" / "day=2025-03-01" / "a.parquet",
        {
            "user_id": ["u1", None],
            "anonymousid": [None, "a2"],
            "event": ["Order Completed", "Viewed"],
            "context_app_version": ["1.2", None],
            "properties_total": pa.array([Decimal("9.90"), None], pa.decimal128(38, 6)),
            "timestamp": pa.array([1_740_787_200_000, 1_740_787_200_001], pa.timestamp("ms", tz="UTC")),
            "integrations": ['{"All":true}', None],
        },
    )
    (batch,) = batches(path)
    assert list(batch.records) == [
        {
            "type": "track",
            "userId": "u1",
            "event": "Order Completed",
            "context": {"app": {"version": "1.2"}},
            "properties": {"total": 9.9},
            "timestamp": "2025-03-01T00:00:00.000Z",
            "integrations": {"All": True},
        },
        {"type": "track", "anonymousId": "a2", "event": "Viewed", "timestamp": "2025-03-01T00:00:00.001Z"},
    ]
    assert (batch.unit, batch.consumed) == (Unit.ROW, path.stat().st_size)


def test_nested_rows_become_messages(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"userId": "u1", "type": "track", "context": {"app": {"version": "1"}}, "properties": {"n": 1, "m": None}},
        {"userId": "u2", "type": "track", "context": None, "properties": {"n": None, "m": [{"a": 1}]}},
    ]
    path = stored(tmp_path / "a.parquet", {name: [row[name] for row in rows] for name in rows[0]})
    assert records(path) == [
        {"userId": "u1", "type": "track", "context": {"app": {"version": "1"}}, "properties": {"n": 1}},
        {"userId": "u2", "type": "track", "properties": {"m": [{"a": 1}]}},
    ]


@pytest.mark.parametrize("kind", [pa.string(), pa.binary(), pa.dictionary(pa.int32(), pa.string())], ids=str)
def test_a_column_of_json_text_is_given_as_it_is(tmp_path: Path, kind: pa.DataType) -> None:
    """Bytes, so that the same parser, rejections and masking serve as for lines."""
    texts = ['{"type":"track"}', None, "no json", "  "]
    columns = {"received_at": ["x"] * 4, "Message": pa.array(texts).cast(pa.binary()).cast(pa.string())}
    columns["Message"] = pa.array([t and t.encode() for t in texts]) if kind == pa.binary() else pa.array(texts, kind)
    assert records(stored(tmp_path / "a", columns)) == [b'{"type":"track"}', b"", b"no json", b""]


def test_columns_of_something_else_are_refused(tmp_path: Path) -> None:
    path = stored(tmp_path / "a.parquet", {"price": [1.5], "size": [2]})
    with pytest.raises(DamagedObjectError, match=r"no column of a Segment message .*\(price, size\)"):
        batches(path)


def test_a_table_without_rows_has_no_records(tmp_path: Path) -> None:
    assert batches(stored(tmp_path / "a.parquet", {"userId": pa.array([], pa.string())})) == []


def test_rows_without_any_value_are_records_all_the_same(tmp_path: Path) -> None:
    nothing = pa.array([None, None], pa.string())
    assert records(stored(tmp_path / "a.parquet", {"userId": nothing, "event": nothing})) == [{}, {}]


def test_no_batch_goes_beyond_a_row_group_or_a_thousand_rows(tmp_path: Path) -> None:
    path = stored(tmp_path / "a.parquet", {"traits_n": list(range(4000))}, rows_a_group=1500)
    found = batches(path)
    assert [len(batch.records) for batch in found] == [1000, 500, 1000, 500, 1000]
    assert [batch.first for batch in found] == [0, 1000, 1500, 2500, 3000]
    assert [record for batch in found for record in batch.records] == [{"traits": {"n": n}} for n in range(4000)]


def test_a_batch_of_large_rows_has_fewer_of_them(tmp_path: Path) -> None:
    path = stored(tmp_path / "a.parquet", {"userId": ["u"] * 300, "traits_x": ["x" * 50_000] * 300})
    found = batches(path)
    assert sum(len(batch.records) for batch in found) == 300
    assert all(len(batch.records) * 50_000 <= BATCH_BYTES for batch in found)


def test_reading_can_begin_at_the_edge_of_any_batch(tmp_path: Path) -> None:
    columns = {"userId": [f"u{n}" for n in range(4000)], "traits_x": ["x" * (n % 7000) for n in range(4000)]}
    path = stored(tmp_path / "a.parquet", columns, rows_a_group=1500)
    whole = batches(path)
    assert len(whole) > 5
    for index, batch in enumerate(whole):
        assert batches(path, batch.first) == whole[index:]
        assert batches(path, batch.next) == whole[index + 1 :]


@pytest.mark.parametrize("name", ["traits_bio", "message"])
def test_a_row_over_the_limit_is_unreadable(tmp_path: Path, name: str) -> None:
    texts = ["{}", "x" * (MAX_RECORD_BYTES + 1), "{}"]
    others = {"userId": ["a", "b", "c"]} if name != "message" else {}
    first, long, last = records(stored(tmp_path / "a.parquet", {**others, name: texts}))
    assert isinstance(long, Unreadable)
    assert (long.reason, long.excerpt) == ("oversized", b"x" * 1024)
    assert not isinstance(first, Unreadable)
    assert not isinstance(last, Unreadable)


def before_damage(path: Path) -> tuple[int, str]:
    source = open_source([str(path)])
    (obj,) = objects(source)
    found = 0
    try:
        for batch in read(source, obj):
            found += len(batch.records)
    except DamagedObjectError as error:
        return found, error.cause
    raise AssertionError("the damage went unnoticed")


def test_a_cut_object_is_damaged(tmp_path: Path) -> None:
    """The end of a Parquet object says where its columns are: without it nothing can be read."""
    path = stored(tmp_path / "a.parquet", {"userId": ["u"] * 1000})
    path.write_bytes(path.read_bytes()[:-20])
    found, cause = before_damage(path)
    assert found == 0
    assert cause.startswith("the Parquet data is damaged (")


def test_row_groups_before_the_damage_are_given(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = pa.table({"userId": [f"user {n * 7919 % 10007}" for n in range(4000)]})
    pq.write_table(table, path, row_group_size=1000, compression="gzip", write_page_checksum=True)
    begin = pq.ParquetFile(path).metadata.row_group(2).column(0).data_page_offset
    content = bytearray(path.read_bytes())
    content[begin + 200 : begin + 260] = bytes(60)
    path.write_bytes(content)
    found, cause = before_damage(path)
    assert found == 2000
    assert "damaged" in cause


_PEAK = """
import sys, pyarrow
from replay_cli.archive import open_source, read
source = open_source([sys.argv[1]])
((obj,),) = source.pages()
records = sum(len(batch.records) for batch in read(source, obj))
print(records, pyarrow.default_memory_pool().max_memory())
"""


def test_a_row_group_is_not_read_whole(tmp_path: Path) -> None:
    """One row group of 100 MB of text takes a fraction of it in Arrow's memory."""
    rows = 50_000
    columns = {"userId": [f"u{n}" for n in range(rows)]}
    columns |= {f"traits_{name}": [f"{n:06}" * 100 for n in range(rows)] for name in "abcd"}
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table(columns), path, row_group_size=rows, compression="zstd", use_dictionary=False)
    done = subprocess.run(
        [sys.executable, "-c", _PEAK, str(path)], check=True, capture_output=True, text=True, timeout=300
    )
    found, memory = map(int, done.stdout.split())
    assert found == rows
    assert memory < 40 << 20

"""A Parquet object of which 5 % of the row groups are meant: with the footer's help, and reading everything."""

import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from replay_cli.archive import Source, open_source, read
from replay_cli.moengage.apis import make_api
from replay_cli.preparation import Preparation
from replay_cli.segment.period import Period
from replay_cli.segment.selection import Selection

GROUPS, ROWS_A_GROUP, MEANT = 100, 1000, 5
ROUNDS = 5
TARGET_OF_READING = 10
TARGET = 3
_FIRST = datetime(2025, 3, 1, tzinfo=UTC)
_SELECTION = Selection(received=Period(_FIRST + timedelta(hours=40), _FIRST + timedelta(hours=40 + MEANT)))


def write_table(path: Path) -> Path:
    """Write a row group an hour: rows of 30 columns, as a lake has them."""
    with pq.ParquetWriter(path, _group(0).schema) as writer:
        for hour in range(GROUPS):
            writer.write_table(_group(hour), row_group_size=ROWS_A_GROUP)
    return path


def _group(hour: int) -> pa.Table:
    rows = range(hour * ROWS_A_GROUP, (hour + 1) * ROWS_A_GROUP)
    times = [_FIRST + timedelta(hours=hour, milliseconds=n % ROWS_A_GROUP * 3600) for n in rows]
    columns = {
        "type": ["track"] * ROWS_A_GROUP,
        "event": ["Order Completed"] * ROWS_A_GROUP,
        "user_id": [f"user-{n % 977}" for n in rows],
        "message_id": [f"{n:032x}" for n in rows],
        "received_at": times,
        "timestamp": times,
        "context_app_version": ["5.4.0"] * ROWS_A_GROUP,
        "context_os_name": ["iOS"] * ROWS_A_GROUP,
        "context_library_version": ["4.1"] * ROWS_A_GROUP,
        **{f"properties_text_{letter}": [f"{letter} {n * 7919 % 100_003}" for n in rows] for letter in "abcdefghijk"},
        **{f"properties_number_{letter}": [n * 1.5 for n in rows] for letter in "abcdefghij"},
    }
    return pa.table(columns)


def _seconds(source: Source, prepare: Preparation) -> tuple[float, float]:
    """CPU seconds to read everything that the source gives, and to prepare it as well."""
    began = time.process_time()
    batches = [batch for page in source.pages() for obj in page for batch in read(source, obj)]
    has_read = time.process_time() - began
    requests = sum(len(prepare(batch).requests) for batch in batches)
    if requests != MEANT * ROWS_A_GROUP:
        raise AssertionError(f"{requests} requests came of {MEANT * ROWS_A_GROUP} rows that are meant")
    return has_read, time.process_time() - began


def main() -> list[tuple[str, str, str]]:
    prepare = Preparation(make_api({}, "APP"), strict=False, clock=time.time, selection=_SELECTION)
    with tempfile.TemporaryDirectory() as folder:
        path = str(write_table(Path(folder) / "part-0.parquet"))
        pairs = [
            (_seconds(open_source([path]), prepare), _seconds(open_source([path], _SELECTION), prepare))
            for _ in range(ROUNDS)
        ]
    rows, share = GROUPS * ROWS_A_GROUP, f"{MEANT} of {GROUPS} row groups"
    table = []
    for index, (what, target) in enumerate([("read", TARGET_OF_READING), ("read + prepare", TARGET)]):
        whole, selected = (statistics.median(pair[side][index] for pair in pairs) for side in (0, 1))
        ratio = statistics.median(all_of_it[index] / part[index] for all_of_it, part in pairs)
        table += [
            (f"{what} everything", f"{rows / whole:,.0f} rows/s", ""),
            (f"{what} {share}, the others are left out", f"{rows / selected:,.0f} rows/s", ""),
            (f"{what}: ratio, median of pairs", f"{ratio:.1f}", f"≥ {target}"),
        ]
    return table

"""Parquet archives under a selection, end to end: row groups are left out unread, and the book does not show it."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.support.in_process import replay_here
from tests.support.processes import Finished, replay
from tests.support.sandbox_process import SandboxProcess

FIRST = datetime(2025, 3, 1, tzinfo=UTC)
ROWS, ROWS_A_GROUP = 480, 40
SOURCE = "rMtR7AWRj3mP6q9KmEhzh5"
SELECTION = ("--received-from", "2025-03-01T06:00", "--received-until", "2025-03-01T09:30", "--type", "track")


def row(n: int) -> dict[str, Any]:
    """A row each three minutes; every fourth group is of pages."""
    return {
        "received_at": FIRST + n * timedelta(minutes=3),
        "type": "page" if n // ROWS_A_GROUP % 4 == 3 else "track",
        "event": "Tested",
        "user_id": f"user-{n % 7}",
        "message_id": f"m-{n}",
        "timestamp": FIRST + n * timedelta(minutes=3),
        "properties_n": n,
    }


def is_received(n: int) -> bool:
    return timedelta(hours=6) <= n * timedelta(minutes=3) < timedelta(hours=9, minutes=30)


MEANT = {n for n in range(ROWS) if is_received(n) and row(n)["type"] == "track"}
OUTSIDE = sum(not is_received(n) for n in range(ROWS))
SKIPPED = {"outside_received_range": OUTSIDE, "other_type": ROWS - OUTSIDE - len(MEANT)}


def write_lake(folder: Path) -> Path:
    """Write one object, of which row groups that are not meant cannot be decoded."""
    place = folder / "lake" / "data" / SOURCE / "segment_type=all" / "day=2025-03-01"
    place.mkdir(parents=True)
    path = place / "part-0.parquet"
    pq.write_table(pa.Table.from_pylist([row(n) for n in range(ROWS)]), path, row_group_size=ROWS_A_GROUP)
    data, metadata = bytearray(path.read_bytes()), pq.ParquetFile(path).metadata
    for group in range(metadata.num_row_groups):
        if MEANT.isdisjoint(range(group * ROWS_A_GROUP, (group + 1) * ROWS_A_GROUP)):
            column = metadata.row_group(group).column(metadata.num_columns - 1)
            begin = column.dictionary_page_offset or column.data_page_offset
            data[begin : begin + column.total_compressed_size] = bytes(column.total_compressed_size)
    path.write_bytes(data)
    return folder


def test_each_row_has_its_outcome_whether_it_was_read_or_not(tmp_path: Path) -> None:
    write_lake(tmp_path)
    end = replay_here(tmp_path, "run", "lake", "--dry-run", "--json", "--output", "out.jsonl", *SELECTION)
    assert end.code == 0, end.err
    assert end.summary["skipped"] == SKIPPED
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [found["ordinal"] for found in rows] == list(range(ROWS))
    assert {found["ordinal"] for found in rows if found["outcome"] == "request"} == MEANT
    assert Counter(found["reason"] for found in rows if found["outcome"] == "skipped") == SKIPPED


def test_a_job_goes_on_over_what_is_left_out(tmp_path: Path, sandbox: SandboxProcess) -> None:
    """Stopped again and again, also in the midst of batches: each record is sent once, and counted once."""
    write_lake(tmp_path)
    command = ("run", "lake", "--endpoint", sandbox.url, "--rps", "5000", "--json", "--limit", "17", *SELECTION)
    ends: list[Finished] = []
    while not ends or ends[-1].code == 4:
        ends.append(replay(tmp_path, *command))
    assert [end.code for end in ends] == [4] * (len(MEANT) // 17) + [0], ends[-1].err
    summary = ends[-1].require_closed_book()
    assert summary["records"] == {
        **{"read": ROWS, "delivered": len(MEANT), "skipped": ROWS - len(MEANT)},
        **{"rejected": 0, "dead_lettered": 0, "pending": 0},
    }
    assert summary["skipped"] == SKIPPED
    assert sandbox.stats()["recorded"] == len(MEANT)

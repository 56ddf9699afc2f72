"""Reading little at a time: the same records, and bytes that are those of the records."""

import gzip
import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from replay_cli.archive import open_source, read
from replay_cli.archive.sipping import SippedSource
from replay_cli.model import RecordBatch
from tests.support.archives import objects

LINES = 6_000
TEXT = LINES * 125
ZSTD_BLOCK = 128 << 10


def lines() -> list[bytes]:
    """Lines of the same length that do not compress much."""
    generator = random.Random(1)
    return [json.dumps({"type": "track", "n": f"{generator.getrandbits(400):0100x}"}).encode() for _ in range(LINES)]


def write(folder: Path, name: str) -> Path:
    path, text = folder / name, b"\n".join(lines()) + b"\n"
    if name.endswith(".parquet"):
        table = pa.table({"message": [line.decode() for line in lines()]})
        pq.write_table(table, path, row_group_size=2_000)
    elif name.endswith(".zst"):
        path.write_bytes(pa.Codec("zstd").compress(text, asbytes=True))
    else:
        path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return path


@pytest.fixture(params=["a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.parquet"])
def batches(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[list[RecordBatch], list[RecordBatch]]:
    """Those of an object as it is always read, and read little at a time."""
    source = open_source([str(write(tmp_path, request.param))])
    (obj,) = objects(source)
    return list(read(source, obj)), list(read(SippedSource(source), obj))


def test_the_records_are_the_same(batches: tuple[list[RecordBatch], list[RecordBatch]]) -> None:
    plain, sipped = ([batch._replace(consumed=0) for batch in each] for each in batches)
    assert plain == sipped


def test_the_bytes_of_a_batch_are_those_of_its_records(batches: tuple[list[RecordBatch], list[RecordBatch]]) -> None:
    """Of zstd, those of a block more (RFC 8878: 128 KiB of text at most)."""
    for batch in batches[1]:
        more = 0.02 + ZSTD_BLOCK / TEXT if batch.object.uri.endswith(".zst") else 0.005
        assert batch.next / LINES - 0.005 <= batch.consumed / batch.object.size <= batch.next / LINES + more

"""Objects read from disk, from first byte to last batch."""

import gc
import gzip
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest

from replay_cli.archive import open_source, read
from replay_cli.errors import ChangedObjectError, DamagedObjectError
from replay_cli.model import Record, RecordBatch, Unit, Unreadable
from tests.support.archives import objects


def batches(path: Path, start: int = 0) -> list[RecordBatch]:
    source = open_source([str(path)])
    (obj,) = objects(source)
    return list(read(source, obj, start))


def records(path: Path) -> list[Record]:
    return [record for batch in batches(path) for record in batch.records]


def before_damage(path: Path) -> tuple[list[Record], DamagedObjectError]:
    source = open_source([str(path)])
    (obj,) = objects(source)
    found: list[Record] = []
    try:
        for batch in read(source, obj):
            found += batch.records
    except DamagedObjectError as error:
        return found, error
    raise AssertionError("the damage went unnoticed")


def refusal(path: Path) -> str:
    with pytest.raises(DamagedObjectError) as caught:
        batches(path)
    assert caught.value.uri == str(path.resolve())
    return caught.value.cause


TEXT = b'{"a":1}\n{"b":2}\n'


@pytest.mark.parametrize("name", ["a.gz", "a.jsonl", "a.zst", "a.parquet", "a"])
@pytest.mark.parametrize(
    "stored",
    [TEXT, gzip.compress(TEXT), pa.compress(TEXT, codec="zstd", asbytes=True)],
    ids=["text", "gzip", "zstd"],
)
def test_the_format_is_known_by_the_first_bytes_and_never_by_the_name(tmp_path: Path, name: str, stored: bytes) -> None:
    (tmp_path / name).write_bytes(stored)
    assert records(tmp_path / name) == [b'{"a":1}', b'{"b":2}']


@pytest.mark.parametrize("stored", [b"", gzip.compress(b"", mtime=0), pa.compress(b"", codec="zstd", asbytes=True)])
def test_an_empty_object_has_no_records(tmp_path: Path, stored: bytes) -> None:
    (tmp_path / "a.gz").write_bytes(stored)
    assert batches(tmp_path / "a.gz") == []


@pytest.mark.parametrize("packed", [False, True])
def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path, packed: bool) -> None:
    text = b"\xef\xbb\xbf" + TEXT
    (tmp_path / "a").write_bytes(gzip.compress(text) if packed else text)
    assert records(tmp_path / "a")[0] == b'{"a":1}'


def zipped(tmp_path: Path) -> bytes:
    with zipfile.ZipFile(tmp_path / "zip", "w") as file:
        file.writestr("a.jsonl", TEXT)
    return (tmp_path / "zip").read_bytes()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "stored",
    [
        *(b"BZh91AY&SY", b"Obj\x01\x04\x14avro", b"ORC\n\x03", bytes(4096), b"\x1f", b"PARE1234"),
        *('{"a":1}\n'.encode("utf-16"), '{"a":1}\n'.encode("utf-16-le")),
    ],
)
def test_an_unknown_format_is_refused_before_any_record(tmp_path: Path, stored: bytes, packed: bool) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(stored) if packed else stored)
    assert refusal(tmp_path / "a.gz").startswith(f"unknown format (starts with {repr(stored[:8])[2:-1]})")


def test_a_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(zipped(tmp_path))
    assert "unknown format" in refusal(tmp_path / "a.gz")


def test_what_is_compressed_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(gzip.compress(TEXT)))
    assert refusal(tmp_path / "a.gz").startswith("gzip inside of gzip")


def test_compressed_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"PAR1" + bytes(100)))
    assert refusal(tmp_path / "a.gz").startswith("Parquet inside of gzip")


def test_a_truncated_object_gives_every_line_before_its_damage_then_names_the_place(tmp_path: Path) -> None:
    text = b"".join(b'{"n":%d}\n' % n for n in range(5000))
    stored = gzip.compress(text)
    stored = stored[: len(stored) // 2]
    path = tmp_path / "a.gz"
    path.write_bytes(stored)
    found, error = before_damage(path)
    *lines, last = found
    assert isinstance(last, Unreadable)
    assert lines == text.split(b"\n")[: len(lines)]
    assert len(lines) > 1000
    assert error.cause == f"the gzip data is cut off at byte {len(stored)}, at line {len(found)}"


def test_an_object_rewritten_while_it_is_read_is_said_to_have_changed(tmp_path: Path) -> None:
    """Though what is there now does not fit what was read: it is no decompressor that fails."""
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(random.Random(1).randbytes(3_000_000).hex().encode().replace(b"00", b"\n")))
    source = open_source([str(path)])
    (obj,) = objects(source)
    reading = read(source, obj)
    next(reading)
    path.write_bytes(gzip.compress(random.Random(2).randbytes(3_000_000))[:2_000_000])
    with pytest.raises(ChangedObjectError, match="changed since it was listed"):
        list(reading)


@pytest.mark.parametrize("begun", [True, False], ids=["later", "at once"])
def test_what_was_read_of_a_damaged_object_is_let_go_at_once(tmp_path: Path, begun: bool) -> None:
    """It is megabytes, and Python may not look for cycles before there are hundreds of them."""
    path = tmp_path / "a.gz"
    stored = gzip.compress(b"".join(b'{"n":%d}\n' % n for n in range(5000)))
    path.write_bytes(stored[: len(stored) // 2 if begun else 15])
    before_damage(path)  # the first one imports
    gc.collect()
    gc.disable()
    try:
        found = before_damage(path)
        del found
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_damage_in_the_first_bytes_is_damage_too(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(TEXT)[:15])
    assert "cut off at byte 15" in refusal(tmp_path / "a.gz")


def test_batches_say_how_much_of_the_object_was_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a":"%s"}\n' % (b"x" * 500) * 5000)
    found = batches(path)
    progress = [batch.consumed for batch in found]
    assert progress == sorted(progress)
    assert 0 < progress[0] < progress[-1] == path.stat().st_size
    assert {batch.unit for batch in found} == {Unit.LINE}


def test_reading_can_begin_at_the_edge_of_any_batch(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbf" + b'{"a":"%s"}\n' % (b"x" * 500) * 5500))
    whole = batches(path)
    for index, batch in enumerate(whole):
        found = batches(path, batch.next)
        assert [later[:3] for later in found] == [later[:3] for later in whole[index + 1 :]]


_PEAK = """
import resource, sys, tracemalloc
from replay_cli.archive import open_source, read
source = open_source([sys.argv[1]])
((obj,),) = source.pages()
tracemalloc.start()
records = sum(len(batch.records) for batch in read(source, obj))
print(records, tracemalloc.get_traced_memory()[1])
"""


def peak(path: Path) -> tuple[int, int]:
    """Give the records of an object and the most memory (bytes) that reading it took."""
    done = subprocess.run(
        [sys.executable, "-c", _PEAK, str(path)], check=True, capture_output=True, text=True, timeout=300
    )
    found, memory = done.stdout.split()
    return int(found), int(memory)


@pytest.mark.parametrize("packed", [False, True])
def test_a_line_of_fifty_megabytes_costs_no_memory(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / "long"
    with gzip.open(path, "wb", 1) if packed else path.open("wb") as file:
        file.write(TEXT + b'{"long":"')
        for _ in range(50):
            file.write(b"x" * 1_000_000)
        file.write(b'"}\n' + TEXT)
    found, memory = peak(path)
    assert found == 5
    assert memory < 8 << 20


@pytest.mark.parametrize("byte", [b"x", b"\n", b" "])
def test_a_decompression_bomb_costs_no_memory(tmp_path: Path, byte: bytes) -> None:
    """300 KB that become 300 MB of one line, or 20 KB that become twenty million lines."""
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb", 9) as file:
        for _ in range(20 if byte == b"\n" else 300):
            file.write(byte * 1_000_000)
    found, memory = peak(path)
    assert found == (20_000_000 if byte == b"\n" else 1)
    assert memory < 16 << 20

"""Objects are portioned out so that every record is read once, in order, whoever reads and however many do."""

import gzip
import random
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.archive import open_source, read
from replay_cli.archive.portions import PORTION_BYTES, PORTION_OBJECTS, WHOLE, Portion, Share, portions
from replay_cli.errors import DamagedObjectError
from replay_cli.model import ArchiveObject, RecordBatch
from tests.support.archives import objects

MEGABYTE = 1 << 20
SIZES = st.one_of(st.integers(0, 2 * MEGABYTE), st.integers(0, 400 * MEGABYTE))
NAMES = st.sampled_from(["a.jsonl.gz", "a.parquet", "a", "b.zst"])


@st.composite
def pages(draw: st.DrawFn) -> list[list[ArchiveObject]]:
    roots = st.sampled_from(["/logs", "s3://bucket"])
    made = draw(st.lists(st.lists(st.tuples(roots, NAMES, SIZES), max_size=12), max_size=4))
    return [
        [ArchiveObject(f"{root}/{page}/{n}/{name}", size, "e") for n, (root, name, size) in enumerate(listed)]
        for page, listed in enumerate(made)
    ]


@given(pages())
def test_every_object_is_read_once_and_in_order(listing: list[list[ArchiveObject]]) -> None:
    found = list(portions(listing))
    assert [portion.number for portion in found] == list(range(len(found)))
    read = [(obj, portion.share) for portion in found for obj in portion.objects]
    by_object = [(obj, [share for _, share in parts]) for obj, parts in groupby(read, key=lambda part: part[0])]
    assert [obj for obj, _ in by_object] == [obj for page in listing for obj in page]
    assert all(shares == [Share(n, len(shares)) for n in range(len(shares))] for _, shares in by_object)


@given(pages())
def test_a_portion_is_small_or_has_one_object(listing: list[list[ArchiveObject]]) -> None:
    for portion in portions(listing):
        assert len(portion.objects) == 1 or sum(obj.size for obj in portion.objects) <= PORTION_BYTES
        assert len(portion.objects) == 1 or portion.share == WHOLE


def test_tiny_objects_are_read_together_but_not_without_end() -> None:
    page = [ArchiveObject(f"/logs/{n}.gz", 10, "e") for n in range(2 * PORTION_OBJECTS + 1)]
    assert [len(portion.objects) for portion in portions([page])] == [PORTION_OBJECTS, PORTION_OBJECTS, 1]


def large(name: str, megabytes: int = 1000) -> ArchiveObject:
    return ArchiveObject(name, megabytes * MEGABYTE, "e")


def test_a_large_table_is_split_by_its_size() -> None:
    found = list(portions([[large("s3://bucket/a.parquet", 33)]]))
    assert found == [Portion(n, (large("s3://bucket/a.parquet", 33),), Share(n, 5)) for n in range(5)]


def test_a_large_text_is_shared_where_there_are_few_and_none_is_downloaded_twice() -> None:
    here, there = large("/logs/a.gz"), large("s3://bucket/a.gz")
    assert [portion.share for portion in portions([[here, there]])] == [Share(0, 2), Share(1, 2), WHOLE]
    assert {portion.share for portion in portions([[large(f"/logs/{n}.gz") for n in range(20)]])} == {WHOLE}


def lines(count: int) -> list[bytes]:
    """Lines that hardly compress."""
    generator = random.Random(1)
    return [b'{"n":%d,"x":"%s"}' % (n, generator.randbytes(60).hex().encode()) for n in range(count)]


def write(path: Path, count: int = 12_000) -> Path:
    if path.suffix == ".parquet":
        table = pa.table({"message": [line.decode() for line in lines(count)]})
        pq.write_table(table, path, row_group_size=1500)
    else:
        text = b"\n".join(lines(count)) + b"\n"
        path.write_bytes(gzip.compress(text, compresslevel=1) if path.suffix == ".gz" else text)
    return path


def batches(path: Path, share: Share = WHOLE) -> Iterator[RecordBatch]:
    """The batches before the damage, if there is any."""
    source = open_source([str(path)])
    (obj,) = objects(source)
    try:
        yield from read(source, obj, share=share)
    except DamagedObjectError:
        return


@pytest.mark.parametrize(("name", "parts"), [("a.jsonl.gz", 2), ("a.jsonl", 2), ("a.parquet", 2), ("a.parquet", 5)])
def test_the_parts_of_an_object_are_together_the_whole(tmp_path: Path, name: str, parts: int) -> None:
    path = write(tmp_path / name)
    in_parts = [list(batches(path, Share(n, parts))) for n in range(parts)]
    assert all(in_parts)
    assert [batch for part in in_parts for batch in part] == list(batches(path))


@pytest.mark.parametrize("cut", [0.3, 0.8])
def test_the_parts_of_a_damaged_text_are_all_that_is_before_the_damage(tmp_path: Path, cut: float) -> None:
    path = write(tmp_path / "a.jsonl.gz")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * cut)])
    whole = list(batches(path))
    assert len(whole) > 3
    assert [batch for n in range(2) for batch in batches(path, Share(n, 2))] == whole


def test_a_part_of_a_table_is_read_without_the_rest(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet")
    stored = bytearray(path.read_bytes())
    stored[100:200] = bytes(100)  # in the first row group
    path.write_bytes(stored)
    assert list(batches(path, Share(0, 2))) == []
    assert next(batches(path, Share(1, 2))).first == 6000


def test_a_text_whose_name_misleads_is_whole_in_the_first_of_many_parts(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl")
    assert list(batches(path, Share(0, 9))) == list(batches(path))
    assert list(batches(path, Share(1, 9))) == []

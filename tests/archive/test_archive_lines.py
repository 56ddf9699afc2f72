"""Lines: what one is, and where batches end."""

from collections.abc import Iterable, Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.archive import lines
from replay_cli.archive.compression import Damage
from replay_cli.errors import DamagedObjectError
from replay_cli.model import (
    BATCH_BYTES,
    BATCH_RECORDS,
    MAX_RECORD_BYTES,
    ArchiveObject,
    Record,
    RecordBatch,
    Unreadable,
)

OBJECT = ArchiveObject("/archive/a.jsonl", 1, "1-1")


def batches(pieces: Iterable[bytes], start: int = 0) -> list[RecordBatch]:
    return list(lines.line_batches(OBJECT, pieces, start, lambda: 0))


def records(*pieces: bytes) -> list[Record]:
    return [record for batch in batches(pieces) for record in batch.records]


def cut(text: bytes, places: Iterable[int]) -> Iterator[bytes]:
    edges = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    for begin, end in pairwise(edges):
        yield text[begin:end]


def test_a_line_ends_with_a_newline_and_a_return_before_it_is_no_part_of_it() -> None:
    assert records(b'{"a":1}\r\n{"b":2}\n') == [b'{"a":1}', b'{"b":2}']


def test_a_return_and_its_newline_may_come_in_two_pieces() -> None:
    assert records(b"a\r", b"\nb\r", b"\n", b"c\r") == [b"a", b"b", b"c"]


def test_a_last_line_needs_no_newline() -> None:
    assert records(b"a\nb") == [b"a", b"b"]


def test_blank_lines_keep_their_ordinals_and_are_empty() -> None:
    assert records(b"\n  \t\n\r\na\n\n") == [b"", b"", b"", b"a", b""]


def test_no_text_has_no_batches() -> None:
    assert batches([]) == []


def test_a_batch_ends_after_a_thousand_lines() -> None:
    sizes = [len(batch.records) for batch in batches([b"a\n" * (2 * BATCH_RECORDS + 1)])]
    assert sizes == [BATCH_RECORDS, BATCH_RECORDS, 1]


def test_a_batch_ends_with_the_line_that_fills_it() -> None:
    half = b"x" * (BATCH_BYTES // 2)
    assert [len(batch.records) for batch in batches([(half + b"\n") * 5])] == [2, 2, 1]


def test_ordinals_go_on_from_batch_to_batch() -> None:
    found = batches([b"a\n" * 2500])
    assert [batch.first for batch in found] == [0, 1000, 2000]
    assert [batch.next for batch in found] == [1000, 2000, 2500]


def test_a_line_of_exactly_the_limit_is_read() -> None:
    line = b"x" * MAX_RECORD_BYTES
    assert records(line + b"\r\n", b"a") == [line, b"a"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_a_line_over_the_limit_is_unreadable_and_says_how_long_it_is(end: bytes) -> None:
    line = b"x" * (MAX_RECORD_BYTES + 1) + end
    (record,) = records(line)
    assert isinstance(record, Unreadable)
    assert (record.reason, record.excerpt) == ("oversized", b"x" * 1024)
    assert f"{len(line.removesuffix(chr(10).encode())):,} bytes" in record.detail


def test_what_follows_an_oversized_line_is_read() -> None:
    long = b"x" * (3 * MAX_RECORD_BYTES)
    found = records(b"a\n", long, b"\nb\nc\n", long, long)
    reasons = [record.reason if isinstance(record, Unreadable) else record for record in found]
    assert reasons == [b"a", "oversized", b"b", b"c", "oversized"]


_LINE_LENGTHS = st.lists(
    st.sampled_from([0, 1, 5, 1200, 300_000, MAX_RECORD_BYTES, MAX_RECORD_BYTES + 1, MAX_RECORD_BYTES + 2]),
    max_size=12,
)


@given(
    lengths=_LINE_LENGTHS,
    short=st.integers(0, 2500),
    end=st.sampled_from([b"\n", b"\r\n"]),
    open_end=st.booleans(),
    places=st.lists(st.integers(0, 1 << 24), max_size=20),
)
def test_batches_depend_on_the_text_alone(
    lengths: list[int], short: int, end: bytes, open_end: bool, places: list[int]
) -> None:
    """However the text is cut into pieces, the batches are the same; and they are its lines."""
    text = b"".join(b"x" * length + end for length in lengths) + (b"s" + end) * short
    text += b"last" if open_end else b""
    whole = batches([text])
    assert batches(cut(text, places)) == whole
    expected = text.replace(b"\r", b"").split(b"\n")
    found = [record for batch in whole for record in batch.records]
    assert len(found) == len(expected) - (not open_end)
    for record, line in zip(found, expected, strict=False):
        assert record == line if len(line) <= MAX_RECORD_BYTES else isinstance(record, Unreadable)


@given(lengths=_LINE_LENGTHS, short=st.integers(0, 3500), places=st.lists(st.integers(0, 1 << 24), max_size=9))
def test_a_read_from_the_edge_of_a_batch_gives_what_a_full_read_gives(
    lengths: list[int], short: int, places: list[int]
) -> None:
    text = b"s\n" * short + b"".join(b"x" * length + b"\n" for length in lengths) + b"s\n" * short
    whole = batches([text])
    for index, batch in enumerate(whole):
        assert batches(cut(text, places), batch.first) == whole[index:]
        assert batches(cut(text, places), batch.next) == whole[index + 1 :]


def damaged(*pieces: bytes) -> Iterator[bytes]:
    yield from pieces
    raise Damage("cut off at byte 7")


def collect(pieces: Iterable[bytes], start: int = 0) -> tuple[list[Record], DamagedObjectError]:
    found: list[Record] = []
    try:
        for batch in lines.line_batches(OBJECT, pieces, start, lambda: 0):
            found += batch.records
    except DamagedObjectError as error:
        return found, error
    raise AssertionError("the damage went unnoticed")


def test_before_damage_every_line_is_given_and_the_cut_one_is_unreadable() -> None:
    found, error = collect(damaged(b'{"a":1}\n{"b"', b":"))
    assert found[0] == b'{"a":1}'
    assert isinstance(found[1], Unreadable)
    assert (found[1].reason, found[1].excerpt) == ("truncated", b'{"b":')
    assert str(error) == "/archive/a.jsonl: cut off at byte 7, at line 2"


def test_damage_between_two_lines_cuts_none() -> None:
    found, error = collect(damaged(b"a\n"))
    assert found == [b"a"]
    assert error.cause.endswith("at line 2")


def test_an_oversized_line_that_is_cut_is_truncated() -> None:
    found, _ = collect(damaged(b"x" * (MAX_RECORD_BYTES * 2)))
    assert [record.reason for record in found if isinstance(record, Unreadable)] == ["truncated"]


def test_damage_is_reported_again_when_reading_begins_at_the_end() -> None:
    """A resumed run must not take a damaged object for a whole one."""
    found, _ = collect(damaged(b"a\nb\ncut"), start=3)
    assert found == []

"""Compressed objects: whole, in several parts, damaged, and hostile."""

import gzip
import io
import random
import zlib
from collections.abc import Iterator

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from replay_cli.archive.compression import (
    PIECE_BYTES,
    CarefulGzipStream,
    Damage,
    GzipStream,
    Open,
    UnsteadyError,
    ZstdStream,
    pieces,
)

RANDOM = random.Random(7)
TEXT = b"".join(b'{"n":%d,"x":"%s"}\n' % (n, RANDOM.randbytes(12).hex().encode()) for n in range(3000))
GZIPPED = gzip.compress(TEXT, mtime=0)


def zstd(text: bytes) -> bytes:
    packed: bytes = pa.compress(text, codec="zstd", asbytes=True)
    return packed


def unpack(stored: bytes, stream: Open) -> tuple[bytes, str | None]:
    """Give the text, and what was wrong."""
    careful = CarefulGzipStream if stream is GzipStream else stream
    text = b""
    try:
        for piece in pieces(io.BytesIO(stored), stream, careful):
            assert len(piece) <= PIECE_BYTES
            text += piece
    except Damage as damage:
        return text, str(damage)
    return text, None


def test_a_gzip_of_several_members_is_one_text() -> None:
    stored = gzip.compress(b"a\n") + gzip.compress(b"", mtime=0) + gzip.compress(TEXT) + gzip.compress(b"b\n")
    assert unpack(stored, GzipStream) == (b"a\n" + TEXT + b"b\n", None)


def test_a_gzip_header_may_have_a_name_a_comment_and_more() -> None:
    flags = 2 | 4 | 8 | 16
    header = b"\x1f\x8b\x08" + bytes([flags]) + bytes(6) + b"\x03\x00abc" + b"name\0" + b"comment\0" + b"\x12\x34"
    assert unpack(header + GZIPPED[10:], GzipStream) == (TEXT, None)


def test_an_empty_gzip_has_no_text() -> None:
    assert unpack(gzip.compress(b"", mtime=0), GzipStream) == (b"", None)


@pytest.mark.parametrize("padding", [1, 511, 200_000])
def test_zeros_after_a_gzip_are_padding(padding: int) -> None:
    assert unpack(GZIPPED + bytes(padding), GzipStream) == (TEXT, None)


def test_anything_else_after_a_gzip_is_damage() -> None:
    text, damage = unpack(GZIPPED + b"and something more", GzipStream)
    assert text == TEXT
    assert damage is not None
    assert "is no gzip" in damage


def test_a_wrong_check_sum_is_damage_after_the_whole_text() -> None:
    stored = bytearray(GZIPPED)
    stored[-8] ^= 1
    text, damage = unpack(bytes(stored), GzipStream)
    assert text == TEXT
    assert damage is not None
    assert "check sum" in damage


@given(st.integers(0, len(GZIPPED) - 1))
def test_a_gzip_cut_anywhere_gives_every_byte_before_the_cut(end: int) -> None:
    text, damage = unpack(GZIPPED[:end], GzipStream)
    assert text == zlib.decompressobj(wbits=31).decompress(GZIPPED[:end])
    assert (damage is None) == (end == 0)
    if damage is not None:
        assert damage == f"the gzip data is cut off at byte {end}"


def before_damage(stored: bytes) -> bytes:
    """What zlib can read, fed byte by byte so that it has nothing to throw away."""
    decoder, text = zlib.decompressobj(wbits=31), b""
    try:
        for place in range(len(stored)):
            text += decoder.decompress(stored[place : place + 1])
    except zlib.error:
        pass
    return text


def is_intact(stored: bytes) -> bool:
    """Whether zlib finds nothing wrong, the check sum included."""
    try:
        return gzip.decompress(stored) == TEXT
    except (zlib.error, OSError, EOFError):
        return False


@given(st.integers(10, len(GZIPPED) - 9), st.integers(1, 255))
@example(len(GZIPPED) - 9, 8)
def test_a_gzip_corrupt_anywhere_gives_every_line_before_the_damage(place: int, flip: int) -> None:
    """Damage is where the decoder notices; of the bytes before it only the last one may be missing.

    The bits behind the last block, up to the full byte, mean nothing: changing them is no damage.
    """
    stored = bytearray(GZIPPED)
    stored[place] ^= flip
    text, damage = unpack(bytes(stored), GzipStream)
    assert (damage is None) == is_intact(bytes(stored))
    assert text in (readable := before_damage(bytes(stored)), readable[:-1])


def test_zstd_of_several_frames_is_one_text() -> None:
    assert unpack(zstd(TEXT) + zstd(b"b\n"), ZstdStream) == (TEXT + b"b\n", None)


def test_a_skippable_zstd_frame_is_skipped() -> None:
    assert unpack(b"\x50\x2a\x4d\x18\x04\x00\x00\x00\x01\x02\x03\x04" + zstd(TEXT), ZstdStream) == (
        TEXT,
        None,
    )


def blocks_of(stored: bytes) -> Iterator[bytes]:
    """What Arrow decodes of it, a byte at a time."""
    stream = pa.CompressedInputStream(io.BytesIO(stored), "zstd")
    try:
        while byte := stream.read(1):
            yield byte
    except OSError:
        return


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_cut_zstd_gives_every_byte_before_the_cut(share: float) -> None:
    stored = zstd(TEXT * 20)
    stored = stored[: int(len(stored) * share)]
    text, damage = unpack(stored, ZstdStream)
    assert text == b"".join(blocks_of(stored))
    assert (TEXT * 20).startswith(text)
    assert damage is not None
    assert "zstd" in damage


def test_zstd_with_something_else_behind_it_is_damage_after_the_text() -> None:
    text, damage = unpack(zstd(TEXT) + b"and something more", ZstdStream)
    assert text == TEXT
    assert damage is not None


def test_a_zstd_frame_that_wants_gigabytes_is_damage() -> None:
    """A frame says how much of its text it refers back to, which must be held in memory: here 2 GiB."""
    window_of_two_gib = bytes([0, 21 << 3])
    raw_block = (5 << 3 | 1).to_bytes(3, "little") + b"text\n"
    text, damage = unpack(b"\x28\xb5\x2f\xfd" + window_of_two_gib + raw_block, ZstdStream)
    assert text == b""
    assert damage is not None
    assert "memory" in damage


class Unsteady(io.BytesIO):
    """A file that gives its bytes once, and others whenever it is read again."""

    def __init__(self, first: bytes, then: bytes) -> None:
        super().__init__(first)
        self._then = then
        self._begun = False

    def seek(self, offset: int, whence: int = 0, /) -> int:
        if self._begun:
            self.__init__(self._then, self._then)  # type: ignore[misc] # the same file, with something else in it
        self._begun = True
        return super().seek(offset, whence)


def test_bytes_that_come_differently_a_second_time_are_not_taken_for_damage() -> None:
    """What was given first may have been sent already, so silence would hide that it was wrong."""
    wrong = gzip.compress(TEXT.replace(b"0", b"1"), mtime=0)[:-8] + GZIPPED[-8:]
    with pytest.raises(UnsteadyError):
        list(pieces(Unsteady(wrong, GZIPPED), GzipStream, CarefulGzipStream))
    cut = GZIPPED[: len(GZIPPED) // 2]
    assert b"".join(pieces(Unsteady(cut, GZIPPED), GzipStream, CarefulGzipStream)) == TEXT, "that was only cut off"

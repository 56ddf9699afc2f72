"""Decompression, a bounded piece at a time.

A stream's `read(size)` gives at most `size` bytes, however much the stored bytes would expand to, and `b""`
at the end. It raises `Damage` where the stored bytes are cut off or wrong; a decoder may then keep bytes back
that it had already decoded, and `pieces` gets them out of it.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Protocol

from isal import isal_zlib

PIECE_BYTES = 256 << 10
"""How much is decompressed at a time: what the processor's cache holds."""
_STORED_BYTES = 64 << 10

_IsalError: type[Exception] = isal_zlib.IsalError  # type: ignore[assignment] # the stub has an instance
_RAW_DEFLATE = -15
_FLAG_HEADER_CRC, _FLAG_EXTRA, _FLAG_NAME, _FLAG_COMMENT = 2, 4, 8, 16


class Damage(Exception):  # noqa: N818 # it is a finding, and becomes a DamagedObjectError
    """The stored bytes cannot be read on; the text says why and where, for a person."""


class UnsteadyError(Exception):
    """Reading the same bytes again gave others: not the object is damaged, but what brought it here."""


class Stream(Protocol):
    """Something to read decompressed bytes from."""

    def read(self, size: int, /) -> bytes:
        """Give at most `size` bytes, none at the end.

        Raises:
            Damage: it cannot be read on.
        """


Open = Callable[[BinaryIO], Stream]
"""Opens a stream over a file that is at its beginning."""


def pieces(file: BinaryIO, fast: Open, careful: Open) -> Iterator[bytes]:
    """Give all bytes up to the end, or up to the damage.

    A decoder that finds damage throws away what it decoded in the same step. So, after damage, decompression
    begins again, with a decoder that does not look ahead, and comes up to it in ever smaller steps.

    Raises:
        Damage: after every byte before it was given.
        UnsteadyError: other bytes came when it began again.
    """
    given = crc = 0
    damage = None
    for open_stream, step in ((fast, PIECE_BYTES), (careful, 1 << 9), (careful, 1)):
        file.seek(0)
        stream = open_stream(file)
        try:
            if _skip(stream, given) != crc:
                raise UnsteadyError
            while piece := stream.read(step):
                given += len(piece)
                crc = isal_zlib.crc32(piece, crc)
                yield piece
            return
        except Damage as found:
            damage = found
    if damage is not None:
        try:
            raise damage
        finally:
            del damage, stream  # as in `lines`: an exception knows the frame, and the frame would know it


def _skip(stream: Stream, size: int) -> int:
    """Pass over so many bytes; return their check sum."""
    crc = 0
    while size and (piece := stream.read(min(size, PIECE_BYTES))):
        size -= len(piece)
        crc = isal_zlib.crc32(piece, crc)
    return crc


class GzipStream:
    """One gzip member after the other (RFC 1952); zeros after the last one are padding.

    Headers and check sums are read here rather than by the decoder, so that every byte of a member is given
    before its check sum is found to be wrong.

    Args:
        file: the stored bytes.
        new_decoder: makes decoders like those of `zlib`. ISA-L's are 2.7 times as fast, but look ahead.
    """

    def __init__(self, file: BinaryIO, new_decoder: Callable[[int], Any] = isal_zlib.decompressobj) -> None:
        self._file = file
        self._new_decoder = new_decoder
        self._stored = b""
        self._decoder: Any = None
        self._holds_back = False
        self._crc = 0
        self._size = 0

    def read(self, size: int, /) -> bytes:
        """Give at most `size` bytes, none at the end; see `Stream`."""
        while self._decoder is not None or self._begin_member():
            if self._decoder.eof:
                self._end_member()
            elif piece := self._decode(size):
                return piece
        return b""

    def _begin_member(self) -> bool:
        while not self._stored.lstrip(b"\0"):
            self._stored = self._file.read(_STORED_BYTES)
            if not self._stored:
                return False
        self._stored = self._stored.lstrip(b"\0")
        magic, flags = struct.unpack("<2sxB6x", self._take(10))
        if magic != b"\x1f\x8b":
            raise Damage(f"what follows the gzip data before byte {self._file.tell()} is no gzip")
        if flags & _FLAG_EXTRA:
            self._take(*struct.unpack("<H", self._take(2)))
        for flag in (_FLAG_NAME, _FLAG_COMMENT):
            if flags & flag:
                self._take_text()
        if flags & _FLAG_HEADER_CRC:
            self._take(2)
        self._decoder, self._crc, self._size = self._new_decoder(_RAW_DEFLATE), 0, 0
        return True

    def _decode(self, size: int) -> bytes:
        if not self._stored and not self._holds_back:
            self._require(1)
        try:
            piece: bytes = self._decoder.decompress(self._stored, size)
        except (_IsalError, zlib.error) as error:
            raise Damage(f"the gzip data is corrupt before byte {self._file.tell()} ({error})") from error
        self._stored = self._decoder.unused_data if self._decoder.eof else self._decoder.unconsumed_tail
        self._holds_back = len(piece) == size
        self._crc = isal_zlib.crc32(piece, self._crc)
        self._size += len(piece)
        return piece

    def _end_member(self) -> None:
        if struct.unpack("<II", self._take(8)) != (self._crc, self._size & 0xFFFFFFFF):
            raise Damage(f"the gzip data before byte {self._file.tell()} does not match its check sum")
        self._decoder = None

    def _take(self, size: int) -> bytes:
        self._require(size)
        taken, self._stored = self._stored[:size], self._stored[size:]
        return taken

    def _take_text(self) -> None:
        while (end := self._stored.find(b"\0")) < 0:
            self._stored = b""
            self._require(1)
        self._stored = self._stored[end + 1 :]

    def _require(self, size: int) -> None:
        while len(self._stored) < size:
            more = self._file.read(_STORED_BYTES)
            if not more:
                raise Damage(f"the gzip data is cut off at byte {self._file.tell()}")
            self._stored += more


class CarefulGzipStream(GzipStream):
    """The same, by a decoder that gives all that it decoded before it complains."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file, zlib.decompressobj)


class ZstdStream:
    """Zstd frames (RFC 8878), decoded by Arrow, which bounds a frame's window (128 MiB at most)."""

    def __init__(self, file: BinaryIO) -> None:
        import pyarrow  # heavy, and rarely needed

        self._file = file
        self._stream = pyarrow.CompressedInputStream(_Unclosable(file), "zstd")

    def read(self, size: int, /) -> bytes:
        """Give at most `size` bytes, none at the end; see `Stream`."""
        try:
            piece: bytes = self._stream.read(size)
        except OSError as error:
            if error.errno is not None:  # the disk's, not Arrow's
                raise
            raise Damage(f"the zstd data is cut off or corrupt before byte {self._file.tell()} ({error})") from error
        return piece


class _Unclosable:
    """A file that Arrow cannot close: it would when its stream is let go, though the file is not its own."""

    closed = False

    def __init__(self, file: BinaryIO) -> None:
        self.read = file.read

    def close(self) -> None:
        """Leave the file open."""

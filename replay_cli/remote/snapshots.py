"""Checkpoints on their way to S3 and back: gzipped and unpacked a piece at a time, and only taken whole."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from replay_cli.errors import FatalError, PausedError
from replay_cli.remote.bucket import Bucket
from replay_cli.remote.manifest import Snapshot

if TYPE_CHECKING:
    from botocore.response import StreamingBody

PIECE_BYTES = 256 << 10
_READS = 4
_CONTENT_TYPES = {".gz": "application/gzip", ".html": "text/html; charset=utf-8"}
_GZIP = 31  # zlib's number for a gzip header and trailer
_LEVEL = 1  # of ISA-L's 0 to 3: SQLite's pages shrink to a third or less at all of them
_AGAIN = "run the same command again"


def put_snapshot(bucket: Bucket, key: str, file: Path) -> Snapshot:
    """Store a checkpoint.

    Args:
        bucket: where.
        key: its name, which is new.
        file: one that nobody writes.

    Raises:
        FatalError: the file cannot be read.
        As `Bucket`.
    """
    with _opened(file) as opened:
        gzipped = Gzipped(opened)
        bucket.put(key, gzipped, "application/gzip")
    return Snapshot(key, bucket.clock.earliest(), gzipped.size, gzipped.unpacked)


def fetch_snapshot(bucket: Bucket, snapshot: Snapshot, into: Path) -> bool:
    """Write a stored checkpoint to a file of its owner's, or leave what is there; whether it is still stored.

    Args:
        bucket: where it is.
        snapshot: which.
        into: the file's name; its folder must exist.

    Raises:
        FatalError: it is not what was stored, or cannot be written.
        As `Bucket`.
    """
    part = into.with_name(into.name + ".part")

    def unpack(body: "StreamingBody") -> bool:
        with _locally(f"cannot write {part}"):
            descriptor = _new_private(part)
        with os.fdopen(descriptor, "wb") as file:
            _unpack(body, snapshot, bucket.uri(snapshot.key), _Writer(file, part))
            with _locally(f"cannot write {part}"):
                file.flush()
                os.fsync(file.fileno())
        return True

    try:
        if not _persistently(lambda: bucket.read(snapshot.key, unpack)):
            return False
        with _locally(f"cannot write {into}"):
            part.replace(into)
        return True
    finally:
        with suppress(OSError):
            part.unlink()


def put_file(bucket: Bucket, key: str, file: Path) -> None:
    """Store a file as it is.

    Raises:
        FatalError: the file cannot be read.
        As `Bucket`.
    """
    with _opened(file) as opened:
        kind = _CONTENT_TYPES.get(file.suffix, "application/octet-stream")
        bucket.put(key, _Reader(opened, file), kind)


class Gzipped:
    """A file to read gzip data from, made of a file as it is read.

    Args:
        file: what is to be gzipped.
    """

    def __init__(self, file: IO[bytes]) -> None:
        from isal import isal_zlib

        self.size = 0
        self.unpacked = 0
        self._file = file
        self._coder = isal_zlib.compressobj(_LEVEL, wbits=_GZIP)
        self._ready = bytearray()
        self._is_over = False

    def read(self, size: int = -1) -> bytes:
        """Give so many bytes, fewer at the end."""
        while not self._is_over and (size < 0 or len(self._ready) < size):
            with _locally("cannot read the copy of the checkpoint"):
                piece = self._file.read(PIECE_BYTES)
            self.unpacked += len(piece)
            self._ready += self._coder.compress(piece) if piece else self._coder.flush()
            self._is_over = not piece
        given = bytes(self._ready if size < 0 else self._ready[:size])
        del self._ready[: len(given)]
        self.size += len(given)
        return given


def _unpack(body: "StreamingBody", snapshot: Snapshot, uri: str, file: "_Writer") -> None:
    """Write what is unpacked, no more than it was; the check sum at its end proves that it is complete."""
    from isal import isal_zlib

    error: type[Exception] = isal_zlib.IsalError  # type: ignore[assignment] # the stub has an instance
    decoder: Any = isal_zlib.decompressobj(wbits=_GZIP)
    written = 0
    try:
        while not decoder.eof:
            stored = decoder.unconsumed_tail or body.read(PIECE_BYTES)
            piece = decoder.decompress(stored, PIECE_BYTES)
            written += len(piece)
            file.write(piece)
            if written > snapshot.unpacked or not (stored or piece):
                break
    except error:
        raise _damaged(uri) from None
    if not decoder.eof or written != snapshot.unpacked or decoder.unused_data or body.read(1):
        raise _damaged(uri)


def _damaged(uri: str) -> FatalError:
    return FatalError(f"{uri} is not what was stored there: bring it back, or begin anew with --restart")


def _opened(file: Path) -> IO[bytes]:
    with _locally(f"cannot read {file}"):
        return file.open("rb")


def _new_private(path: Path) -> int:
    with suppress(FileNotFoundError):
        path.unlink()
    return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)


@contextmanager
def _locally(what: str) -> Iterator[None]:
    """Keep failures of this machine's disk apart from those of the network."""
    try:
        yield
    except OSError as error:
        raise FatalError(f"{what}: {error.strerror}: free or repair the disk, then {_AGAIN}") from None


class _Reader(NamedTuple):
    """Reads from a file."""

    file: IO[bytes]
    path: Path

    def read(self, size: int = -1) -> bytes:
        with _locally(f"cannot read {self.path}"):
            return self.file.read(size)


class _Writer(NamedTuple):
    """Writes to a file."""

    file: IO[bytes]
    path: Path

    def write(self, piece: bytes) -> None:
        with _locally(f"cannot write {self.path}"):
            self.file.write(piece)


def _persistently(read: Callable[[], bool | None]) -> bool | None:
    """Read from the beginning again where a connection is lost: boto3 does so only until a reply begins."""
    for _ in range(_READS - 1):
        with suppress(PausedError):
            return read()
    return read()

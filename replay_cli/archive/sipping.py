"""A source whose objects are read a little at a time, for those who want to know how many bytes a record takes."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, BinaryIO, cast

from replay_cli.archive.formats import HEAD_BYTES, Format, sniff
from replay_cli.archive.source import Source
from replay_cli.archive.wrapped import WrappedSource
from replay_cli.model import ArchiveObject

_SIP_BYTES = 1 << 10
"""A few records' bytes: so much more than a batch's own may have been read when it is given (of zstd, a block)."""


class SippedSource(WrappedSource):
    """A source of which text is read in small steps: a batch's `consumed` is then that of its records, and no more.

    Args:
        whole: lists and opens the objects.
    """

    def open(self, obj: ArchiveObject) -> AbstractContextManager[BinaryIO]:
        """Open an object; see `Source`."""
        return _sipped(self._whole, obj)


@contextmanager
def _sipped(whole: Source, obj: ArchiveObject) -> Iterator[BinaryIO]:
    with whole.open(obj) as file:
        is_parquet = sniff(file.read(HEAD_BYTES)) is Format.PARQUET
        file.seek(0)
        # Parquet tells its rows by itself, and its reader relies on getting what it asks for.
        yield file if is_parquet else cast("BinaryIO", _SippedFile(file))


class _SippedFile:
    """A file that gives little at a time."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        return self._file.read(_SIP_BYTES if size < 0 else min(size, _SIP_BYTES))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

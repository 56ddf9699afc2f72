"""Reading that can be stopped, however far away the next record is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from replay_cli.archive.source import Listing, Source
from replay_cli.model import ArchiveObject


class ReadingStoppedError(Exception):
    """Nobody wants the rest: raised out of a read."""


class StoppableSource:
    """A source whose files cannot be read any more once somebody says so.

    Args:
        source: where the objects are.
        stopped: asked before each read of stored bytes.
    """

    def __init__(self, source: Source, stopped: Callable[[], bool]) -> None:
        self._source = source
        self._stopped = stopped

    def listing(self) -> Listing:
        return self._source.listing()

    @contextmanager
    def open(self, obj: ArchiveObject) -> Iterator[BinaryIO]:
        """Open an object; reading it raises `ReadingStoppedError` once stopped."""
        with self._source.open(obj) as file:
            yield cast("BinaryIO", _StoppableFile(file, self._stopped))


class _StoppableFile:
    def __init__(self, file: BinaryIO, stopped: Callable[[], bool]) -> None:
        self._file = file
        self._stopped = stopped

    def read(self, size: int = -1) -> bytes:
        if self._stopped():
            raise ReadingStoppedError
        return self._file.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

"""The seam between where objects are kept and what is in them."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import PurePosixPath
from typing import BinaryIO, Protocol

from replay_cli.model import ArchiveObject

PAGE_OBJECTS = 1000
"""A listing comes in pages of at most so many objects."""
_SUFFIXES = frozenset({"", ".gz", ".json", ".jsonl", ".ndjson", ".zst", ".parquet"})


class Source(Protocol):
    """A place that keeps objects. One thread may list it while another one reads."""

    @property
    def ignored(self) -> int:
        """How many names the listing has left alone so far."""

    @property
    def trouble(self) -> str:
        """Why nothing comes now; empty when there is no trouble."""

    def pages(self) -> Iterator[Sequence[ArchiveObject]]:
        """List all objects of this source in reading order (`layout.sort_key`), page by page, as they are found.

        Raises:
            UsageError: a location is missing, matches nothing or has nothing to read in it.
            FatalError: it cannot be listed.
        """

    def find(self, uri: str) -> ArchiveObject | None:
        """Return an object as it is now; None when it is gone.

        Raises:
            FatalError: nobody can tell.
        """

    def expect(self, objects: Sequence[ArchiveObject]) -> None:
        """Say which objects will be opened next, in order, so that their beginnings can be fetched ahead."""

    def open(self, obj: ArchiveObject) -> AbstractContextManager[BinaryIO]:
        """Open the object's stored bytes; the file can seek, and `tell` says how far reading has come.

        Raises:
            ChangedObjectError: it is not what was listed any more (by its etag), or changed while it was read.
            ReadingStoppedError: nobody wants the rest any more.
            FatalError: it cannot be read.
        """

    def stop(self) -> None:
        """End all reading and listing, from any thread: what waits raises `ReadingStoppedError`."""


class ReadingStoppedError(Exception):
    """Nobody wants the rest: raised out of a read."""


def is_hidden(name: str) -> bool:
    """Tell whether a file or folder found in a folder is left alone."""
    return name.startswith((".", "_"))


def is_archive_name(name: str) -> bool:
    """Tell whether a file found in a folder is read, by its name."""
    return not is_hidden(name) and PurePosixPath(name).suffix.lower() in _SUFFIXES

"""The seam between where objects are kept and what is in them."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import BinaryIO, NamedTuple, Protocol

from replay_cli.archive.layout import sort_key
from replay_cli.model import ArchiveObject


class Listing(NamedTuple):
    """What the locations of a job hold: the objects in reading order, and how many names were left alone."""

    objects: tuple[ArchiveObject, ...]
    ignored: int


class Source(Protocol):
    """A place that keeps objects."""

    def listing(self) -> Listing:
        """List all objects of this source, each once, in reading order.

        Raises:
            UsageError: a location is missing, matches nothing or has nothing to read in it.
            FatalError: it cannot be listed.
        """

    def open(self, obj: ArchiveObject) -> AbstractContextManager[BinaryIO]:
        """Open the object's stored bytes; the file can seek, and `tell` says how far reading has come.

        Entering checks that the object is still the one that was listed (by its etag), leaving that it did
        not change while it was read.

        Raises:
            FatalError: it changed, is gone, or cannot be read.
        """


def in_reading_order(objects: Iterable[ArchiveObject]) -> tuple[ArchiveObject, ...]:
    """Each object once, as `layout` orders them."""
    return tuple(sorted({obj.uri: obj for obj in objects}.values(), key=lambda obj: sort_key(obj.uri)))

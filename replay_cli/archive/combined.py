"""Several listings, or several sources, as one in reading order: a user's history may be spread over all of them."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from heapq import merge
from typing import BinaryIO

from replay_cli.archive.source import PAGE_OBJECTS, Source
from replay_cli.model import ArchiveObject
from replay_cli.segment.layout import sort_key


class CombinedSource:
    """Some sources together.

    Args:
        parts: the sources, by the beginnings of the uris that are theirs.
    """

    def __init__(self, parts: dict[str, Source]) -> None:
        self._parts = parts

    @property
    def ignored(self) -> int:
        """See `Source`."""
        return sum(part.ignored for part in self._parts.values())

    @property
    def trouble(self) -> str:
        """See `Source`."""
        return next((part.trouble for part in self._parts.values() if part.trouble), "")

    def pages(self) -> Iterator[Sequence[ArchiveObject]]:
        """List them all; see `Source`."""
        return in_order([_objects(part.pages()) for part in self._parts.values()])

    def find(self, uri: str) -> ArchiveObject | None:
        """Return an object as it is now; see `Source`."""
        return self._part(uri).find(uri)

    def expect(self, objects: Sequence[ArchiveObject]) -> None:
        """Tell each source what of its own comes next; see `Source`."""
        for part in self._parts.values():
            part.expect([obj for obj in objects if self._part(obj.uri) is part])

    def open(self, obj: ArchiveObject) -> AbstractContextManager[BinaryIO]:
        """Open an object where it is; see `Source`."""
        return self._part(obj.uri).open(obj)

    def stop(self) -> None:
        """End all reading and listing; see `Source`."""
        for part in self._parts.values():
            part.stop()

    def _part(self, uri: str) -> Source:
        return next(part for prefix, part in self._parts.items() if uri.startswith(prefix))


def in_order(listings: Iterable[Iterator[ArchiveObject]]) -> Iterator[list[ArchiveObject]]:
    """Merge listings that are each in reading order, each object once, in pages.

    A page ends with its day, so that reading can begin before the next day is listed.
    """
    page: list[ArchiveObject] = []
    day: object = None
    last = ""  # where locations overlap, an object comes twice in a row
    for key, obj in merge(*map(_with_keys, listings)):
        if obj.uri == last:
            continue
        if page and (key[:2] != day or len(page) == PAGE_OBJECTS):
            yield page
            page = []
        day, last = key[:2], obj.uri
        page.append(obj)
    if page:
        yield page


def _objects(pages: Iterator[Sequence[ArchiveObject]]) -> Iterator[ArchiveObject]:
    for page in pages:
        yield from page


def _with_keys(listing: Iterator[ArchiveObject]) -> Iterator[tuple[tuple[bool, object, int, str, str], ArchiveObject]]:
    for obj in listing:
        yield sort_key(obj.uri), obj

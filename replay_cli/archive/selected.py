"""A source together with what is meant of it, for those who read its objects."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache, partial
from typing import BinaryIO

from replay_cli.archive.source import Source
from replay_cli.model import ArchiveObject
from replay_cli.segment.layout import folder_of
from replay_cli.segment.row_groups import RowsSelector
from replay_cli.segment.row_selection import rows_selector
from replay_cli.segment.selection import Selection

_FOLDERS = 64
"""So many folders' selectors are kept: objects are read one folder after the other."""


class SelectedSource:
    """A source of which not everything is meant.

    Args:
        whole: lists and opens the objects.
        selection: what is meant of their records.
    """

    def __init__(self, whole: Source, selection: Selection) -> None:
        self._whole = whole
        self._selector_for = lru_cache(_FOLDERS)(partial(rows_selector, selection))

    def rows_selector(self, obj: ArchiveObject) -> RowsSelector | None:
        """Return what decides for many rows of an object at once; None when all have to be read."""
        return self._selector_for(folder_of(obj.uri))

    @property
    def ignored(self) -> int:
        """See `Source`."""
        return self._whole.ignored

    @property
    def trouble(self) -> str:
        """See `Source`."""
        return self._whole.trouble

    def pages(self) -> Iterator[Sequence[ArchiveObject]]:
        """List the objects; see `Source`."""
        return self._whole.pages()

    def find(self, uri: str) -> ArchiveObject | None:
        """Return an object as it is now; see `Source`."""
        return self._whole.find(uri)

    def expect(self, objects: Sequence[ArchiveObject]) -> None:
        """Say which objects will be opened next; see `Source`."""
        self._whole.expect(objects)

    def open(self, obj: ArchiveObject) -> AbstractContextManager[BinaryIO]:
        """Open an object; see `Source`."""
        return self._whole.open(obj)

    def stop(self) -> None:
        """End all reading and listing; see `Source`."""
        self._whole.stop()

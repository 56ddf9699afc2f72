"""A source together with what is meant of it, for those who read its objects."""

from functools import lru_cache, partial

from replay_cli.archive.source import Source
from replay_cli.archive.wrapped import WrappedSource
from replay_cli.model import ArchiveObject
from replay_cli.segment.layout import folder_of
from replay_cli.segment.row_groups import RowsSelector
from replay_cli.segment.row_selection import rows_selector
from replay_cli.segment.selection import Selection

_FOLDERS = 64
"""So many folders' selectors are kept: objects are read one folder after the other."""


class SelectedSource(WrappedSource):
    """A source of which not everything is meant.

    Args:
        whole: lists and opens the objects.
        selection: what is meant of their records.
    """

    def __init__(self, whole: Source, selection: Selection) -> None:
        super().__init__(whole)
        self._selector_for = lru_cache(_FOLDERS)(partial(rows_selector, selection))

    def rows_selector(self, obj: ArchiveObject) -> RowsSelector | None:
        """Return what decides for many rows of an object at once; None when all have to be read."""
        return self._selector_for(folder_of(obj.uri))

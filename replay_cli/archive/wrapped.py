"""A source around another one: what adds something to it overrides a part."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import BinaryIO

from replay_cli.archive.source import Source
from replay_cli.model import ArchiveObject


class WrappedSource:
    """A source that does what another one does; see `Source` for what each method is.

    Args:
        whole: lists and opens the objects.
    """

    def __init__(self, whole: Source) -> None:
        self._whole = whole

    @property
    def ignored(self) -> int:
        """How many names the listing has left alone so far."""
        return self._whole.ignored

    @property
    def trouble(self) -> str:
        """Why nothing comes now; empty when there is no trouble."""
        return self._whole.trouble

    def pages(self) -> Iterator[Sequence[ArchiveObject]]:
        """List the objects."""
        return self._whole.pages()

    def find(self, uri: str) -> ArchiveObject | None:
        """Return an object as it is now."""
        return self._whole.find(uri)

    def expect(self, objects: Sequence[ArchiveObject]) -> None:
        """Say which objects will be opened next."""
        self._whole.expect(objects)

    def open(self, obj: ArchiveObject) -> AbstractContextManager[BinaryIO]:
        """Open an object."""
        return self._whole.open(obj)

    def stop(self) -> None:
        """End all reading and listing."""
        self._whole.stop()

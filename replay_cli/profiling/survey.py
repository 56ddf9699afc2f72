"""What a listing tells by itself: objects and bytes by day and source, and which objects can speak for all (pure)."""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from replay_cli.model import ArchiveObject
from replay_cli.profiling.sampling import Sampler
from replay_cli.segment.layout import describe, folder_of

MOST_DAYS = 4_000
MOST_SOURCES = 1_000
OTHERS = "(others)"
_FOLDERS = 1 << 12
"""Folders that are remembered: objects are listed one folder after the other, or a few in turns."""
_SUFFIXES = (".gz", ".json", ".jsonl", ".ndjson", ".zst", ".parquet")


class _Told(NamedTuple):
    """What a folder tells of its objects: day and source, "" where it tells none, and of which kind they are."""

    day: str
    source: str
    kind: str


class _Shelf:
    """Objects and their bytes by name.

    Args:
        most: names that are kept; the others are counted together.
    """

    def __init__(self, most: int) -> None:
        self.names: dict[str, list[int]] = {}
        self._most = most

    def put(self, name: str, size: int) -> None:
        if name not in self.names and len(self.names) >= self._most:
            name = OTHERS
        numbers = self.names.setdefault(name, [0, 0])
        numbers[0] += 1
        numbers[1] += size

    def document(self, names: Iterable[str]) -> dict[str, dict[str, int]]:
        return {name: {"objects": self.names[name][0], "bytes": self.names[name][1]} for name in names}


class Survey:
    """Takes a listing in, object by object; memory does not grow with it."""

    def __init__(self) -> None:
        self.objects = self.bytes = 0
        self.sampler = Sampler()
        self._days, self._sources = _Shelf(MOST_DAYS), _Shelf(MOST_SOURCES)

    def take(self, obj: ArchiveObject) -> None:
        """Take an object into account."""
        told = _told(folder_of(obj.uri))
        self.objects += 1
        self.bytes += obj.size
        self._days.put(told.day, obj.size)
        self._sources.put(told.source, obj.size)
        self.sampler.offer(obj, told.kind + _suffix(obj.uri))

    @property
    def days(self) -> dict[str, dict[str, int]]:
        """Objects and bytes by received day; then those of other days, and those that tell no day."""
        return self._days.document(sorted(self._days.names, key=lambda day: (day == "", day == OTHERS, day)))

    @property
    def by_source(self) -> dict[str, dict[str, int]]:
        """Objects and bytes by source, the largest first."""
        names = self._sources.names
        return self._sources.document(sorted(names, key=lambda name: (-names[name][1], name)))


@lru_cache(_FOLDERS)
def _told(folder: str) -> _Told:
    place = describe(folder)
    source = place.source_id or ""
    day = "" if place.day is None else place.day.isoformat()
    return _Told(day, source, f"{source}/{place.segment_type or ''}/")


def _suffix(uri: str) -> str:
    """Return a suffix that tells a format; "" where it is none of those known."""
    end = uri[-max(map(len, _SUFFIXES)) :].lower()
    return next((suffix for suffix in _SUFFIXES if end.endswith(suffix)), "")

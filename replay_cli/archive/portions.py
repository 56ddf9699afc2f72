"""How the objects of a listing are portioned out among those who read them side by side (pure).

A portion depends on the archive alone, never on who reads it or how many do: so what is found is the same with any
number of them, as long as the findings are put together in the portions' order.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import NamedTuple

from replay_cli.model import ArchiveObject, RecordBatch

PORTION_BYTES = 8 << 20
"""Stored bytes of a portion, about: a second or two of work."""
PORTION_OBJECTS = 500
"""Small objects are read together, at most so many."""
_LARGE_TEXT_BYTES = 16 << 20
_TEXT_SHARES = 2
_LARGE_TEXTS = 8
"""Of so many large texts in a page, each is one portion: there is work enough for everybody."""
_TEXT_SUFFIXES = (".gz", ".json", ".jsonl", ".ndjson", ".zst")
_REMOTE = "s3://"


class Share(NamedTuple):
    """A part of an object: the `number`th, from 0, of `of` parts that follow one another.

    Every batch is in one part. Of Parquet, a part is made of whole row groups. Of text, what comes before a part has
    to be decompressed, but is not parsed.
    """

    number: int = 0
    of: int = 1

    def has(self, place: int, total: int) -> bool:
        """Tell whether what begins (or ends) at this place, of so many, is in this part."""
        return self._of(place, total) == self.number

    def span(self, size: int) -> tuple[int, int]:
        """Return where this part begins and ends among so many stored bytes, about."""
        return size * self.number // self.of, size * (self.number + 1) // self.of

    def batches(self, batches: Iterable[RecordBatch]) -> Iterator[RecordBatch]:
        """Give the batches of text in this part, and end with it: they belong to where the stored bytes are read up to.

        Where text has many parts, since its name told something else, it is all in the first one.
        """
        if self.of > _TEXT_SHARES:
            yield from () if self.number else batches
            return
        for batch in batches:
            part = self._of(batch.consumed, batch.object.size)
            if part > self.number:
                return
            if part == self.number:
                yield batch

    def _of(self, place: int, total: int) -> int:
        return min(place * self.of // max(total, 1), self.of - 1)


WHOLE = Share()


class Portion(NamedTuple):
    """What one worker reads at a time: a few whole objects, or a part of one. Portions are numbered from 0."""

    number: int
    objects: tuple[ArchiveObject, ...]
    share: Share = WHOLE


def portions(pages: Iterable[Sequence[ArchiveObject]]) -> Iterator[Portion]:
    """Portion out the objects of a listing, in its order, as they are listed."""
    number = count()
    for objects, share in _portioned(pages):
        yield Portion(next(number), objects, share)


def _portioned(pages: Iterable[Sequence[ArchiveObject]]) -> Iterator[tuple[tuple[ArchiveObject, ...], Share]]:
    together: list[ArchiveObject] = []
    size = 0
    for page in pages:
        are_few = sum(obj.size >= _LARGE_TEXT_BYTES for obj in page) < _LARGE_TEXTS
        for obj in page:
            if together and (size + obj.size > PORTION_BYTES or len(together) == PORTION_OBJECTS):
                yield tuple(together), WHOLE
                together, size = [], 0
            if obj.size > PORTION_BYTES:
                parts = _parts(obj, are_few)
                yield from (((obj,), Share(part, parts)) for part in range(parts))
            else:
                together.append(obj)
                size += obj.size
    if together:
        yield tuple(together), WHOLE


def _parts(obj: ArchiveObject, are_few: bool) -> int:
    """Tell into how many parts a large object goes, by its name: those of one that it misleads stay empty.

    Text is read from its beginning for each part, so it has few, and none where that takes as long as downloading it.
    """
    if not obj.uri.lower().endswith(_TEXT_SUFFIXES):
        return -(-obj.size // PORTION_BYTES)
    is_shared = are_few and obj.size >= _LARGE_TEXT_BYTES and not obj.uri.startswith(_REMOTE)
    return _TEXT_SHARES if is_shared else 1

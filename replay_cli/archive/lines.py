"""JSON lines: from pieces of text, however they are cut, to batches of records (pure)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate

from replay_cli.archive.compression import Damage
from replay_cli.errors import DamagedObjectError
from replay_cli.model import (
    BATCH_BYTES,
    BATCH_RECORDS,
    MAX_RECORD_BYTES,
    ArchiveObject,
    Record,
    RecordBatch,
    Unit,
    Unreadable,
)

_EXCERPT_BYTES = 1 << 10
"""How much of an unreadable record is kept."""


def line_batches(
    obj: ArchiveObject, pieces: Iterable[bytes], start: int, consumed: Callable[[], int]
) -> Iterator[RecordBatch]:
    """Give the batches of an object's text from the line `start`, which must be the edge of a batch.

    Args:
        obj: the object.
        pieces: its text, cut anywhere.
        start: how many lines to pass over.
        consumed: says how many stored bytes were read so far.

    Raises:
        DamagedObjectError: after the batches of everything before the damage.
    """
    first, progress = start, 0
    held: list[Record] = []
    damage = None
    splitter = LineSplitter()
    try:
        for piece in _after_lines(pieces, start):
            held += splitter.feed(piece)
            progress = max(progress, consumed())  # it goes back when damage makes reading begin again
            for records in _full_batches(held):
                yield RecordBatch(obj, first, records, Unit.LINE, progress)
                first += len(records)
        held += splitter.end()
    except Damage as found:
        damage = DamagedObjectError(obj.uri, f"{found}, at line {first + len(held) + 1}")
        held += splitter.cut()
    if held:  # less than a batch, and one line
        yield RecordBatch(obj, first, held, Unit.LINE, obj.size)
    if damage is not None:
        try:
            raise damage
        finally:
            del damage, held  # or they would keep each other, and megabytes with them, until cycles are looked for


class LineSplitter:
    """Cuts text into lines: `feed` takes pieces of any size and gives the lines that they complete.

    Lines are handled by the list wherever they are plain: reading is bound by decompression, and a Python
    loop over the lines would take as long again.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._returns = False  # whether any \r was seen
        self._long = 0  # the size so far of an oversized line, of which `_rest` keeps the beginning

    def feed(self, piece: bytes) -> list[Record]:
        """Give the lines that end in this piece."""
        self._returns = self._returns or b"\r" in piece
        lines = piece.split(b"\n")
        records: list[Record] = []
        if self._long:
            self._long += len(lines[0])
            if len(lines) == 1:
                return []
            records.append(oversized(self._rest, self._long))
            self._rest, self._long = b"", 0
            del lines[0]
        lines[0] = self._rest + lines[0]
        self._rest = lines.pop()
        if len(self._rest) > MAX_RECORD_BYTES + 1:  # one more, since the last could be a \r
            self._long = len(self._rest)
            self._rest = self._rest[:_EXCERPT_BYTES]
        return records + self._readable(lines)

    def end(self) -> Sequence[Record]:
        """Give the last line, when nothing ends it."""
        if self._long:
            return [oversized(self._rest, self._long)]
        return self._readable([self._rest]) if self._rest else []

    def cut(self) -> Sequence[Record]:
        """Give what is left of the line that damage cut off, if there is any."""
        size = self._long or len(self._rest)
        detail = f"cut off by damage to its object after {size:,} bytes"
        return [Unreadable("truncated", detail, self._rest[:_EXCERPT_BYTES])] if size else []

    def _readable(self, lines: list[bytes]) -> list[Record]:
        if max(map(len, lines), default=0) > MAX_RECORD_BYTES:
            return [record for line in lines for record in self._one_by_one(line)]
        if self._returns:
            lines = [line.removesuffix(b"\r") for line in lines]
        if any(map(bytes.isspace, lines)):
            lines = [b"" if line.isspace() else line for line in lines]
        return lines  # type: ignore[return-value] # a new list, that nobody else holds

    def _one_by_one(self, line: bytes) -> list[Record]:
        content = line.removesuffix(b"\r")
        if len(content) > MAX_RECORD_BYTES:
            return [oversized(line, len(line))]
        return self._readable([content])


def oversized(line: bytes, size: int) -> Unreadable:
    """Say what is wrong with a record of `size` bytes that begins with `line`."""
    return Unreadable("oversized", f"{size:,} bytes, more than {MAX_RECORD_BYTES:,}", line[:_EXCERPT_BYTES])


def _full_batches(held: list[Record]) -> Iterator[list[Record]]:
    """Give the batches that are complete in `held`, and leave the rest in there."""
    first = 0
    while size := _batch_size(held[first : first + BATCH_RECORDS]):
        yield held[first : first + size]
        first += size
    del held[:first]


def _batch_size(records: Sequence[Record]) -> int:
    """Tell how many of these records, at most `BATCH_RECORDS`, are a batch; 0 when more must come.

    An oversized line counts next to nothing (the length of an `Unreadable`): next to nothing is kept of it.
    """
    sizes = list(map(len, records))
    if sum(sizes) < BATCH_BYTES:
        return BATCH_RECORDS if len(sizes) == BATCH_RECORDS else 0
    return next(n for n, total in enumerate(accumulate(sizes), start=1) if total >= BATCH_BYTES)


def _after_lines(pieces: Iterable[bytes], count: int) -> Iterator[bytes]:
    """Give the text without its first `count` lines, which are only counted."""
    for piece in pieces:
        if not count:
            yield piece
        elif (ends := piece.count(b"\n")) >= count:
            yield piece.split(b"\n", count)[count]
            count = 0
        else:
            count -= ends

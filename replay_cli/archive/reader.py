"""From one object to its batches."""

from collections.abc import Collection, Iterable, Iterator
from importlib import import_module
from typing import BinaryIO

from replay_cli.archive.compression import (
    CarefulGzipStream,
    Damage,
    GzipStream,
    Open,
    UnsteadyError,
    ZstdStream,
    pieces,
)
from replay_cli.archive.formats import HEAD_BYTES, Format, sniff, unknown_format
from replay_cli.archive.lines import line_batches
from replay_cli.archive.portions import WHOLE, Share
from replay_cli.archive.selected import SelectedSource
from replay_cli.archive.source import Source
from replay_cli.errors import DamagedObjectError, FatalError
from replay_cli.model import ArchiveObject, RecordBatch

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_STREAMS: dict[Format, tuple[Open, Open]] = {
    Format.GZIP: (GzipStream, CarefulGzipStream),
    Format.ZSTD: (ZstdStream, ZstdStream),
    Format.JSON_LINES: (lambda file: file, lambda file: file),
}
"""What decompresses, and what does after it found damage."""


def read(
    source: Source, obj: ArchiveObject, start: int = 0, edges: Collection[int] = (), share: Share = WHOLE
) -> Iterator[RecordBatch]:
    """Give the batches of an object from its record `start` on, which must be the edge of a batch or the end.

    What comes before is passed over without being parsed; the batches that follow are those of a full read.
    An empty object has none. Memory is bounded by a batch, whatever the object holds.

    Args:
        source: where the object is. What it was opened for tells which row groups of a Parquet object are `LeftOut`.
        obj: the object.
        start: the ordinal of the first record.
        edges: where batches begin and end that an earlier run has left open: with another selection (`--amend`) it
            may have read what is left out here, and cut it into more batches.
        share: the part of the object that is wanted. Damage in a later one is not found.

    Raises:
        DamagedObjectError: it cannot be read, or not beyond a point: then after all batches before it.
        FatalError: it changed since it was listed, or the disk fails.
    """
    with source.open(obj) as file:
        stored = sniff(_head(file))
        if stored is Format.PARQUET:
            from replay_cli.archive.parquet import row_batches  # pyarrow is heavy, and rarely needed

            selector = source.rows_selector(obj) if isinstance(source, SelectedSource) else None
            yield from row_batches(obj, file, start, selector, edges, share)
        elif stored is Format.UNKNOWN:
            raise DamagedObjectError(obj.uri, unknown_format(_head(file)))
        else:
            text = _text(obj, stored, pieces(file, *_STREAMS[stored]))
            try:
                yield from share.batches(line_batches(obj, text, start, file.tell))
            except UnsteadyError:
                raise FatalError(
                    f"{obj.uri} came differently when it was read again: what brings it here changes bytes, and what "
                    "was read of it so far may be wrong"
                ) from None


def warm_up(objects: Iterable[ArchiveObject]) -> None:
    """Import what reading these objects will need, before a loop runs that an import would hold up."""
    if any(obj.uri.endswith(".parquet") for obj in objects):
        import_module("replay_cli.archive.parquet")


def _head(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read(HEAD_BYTES)


def _text(obj: ArchiveObject, stored: Format, cut: Iterable[bytes]) -> Iterator[bytes]:
    """Give the text without its byte order mark, once its beginning shows that it is one."""
    head = b""
    try:
        rest = iter(cut)
        for piece in rest:
            head += piece
            if len(head) >= HEAD_BYTES:
                break
    except Damage:
        yield _beginning(obj, stored, head)
        raise
    yield _beginning(obj, stored, head)
    yield from rest


def _beginning(obj: ArchiveObject, stored: Format, head: bytes) -> bytes:
    inside = sniff(head[:HEAD_BYTES])
    if inside is not Format.JSON_LINES:
        cause = unknown_format(head) if inside is Format.UNKNOWN else f"{inside.value} inside of {stored.value}"
        raise DamagedObjectError(obj.uri, cause)
    return head.removeprefix(_BYTE_ORDER_MARK)

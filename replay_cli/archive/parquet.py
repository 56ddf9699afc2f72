"""Parquet: row group by row group, a slice of rows at a time, to batches of records.

A row group in which nothing can be meant, as the footer tells (`statistics`), is not read: its rows are `LeftOut`. So
is one that could not be sent anyway, because it is too large or too deep: nobody wanted it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterator
from itertools import pairwise
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from replay_cli.archive.columns import is_text, plain_values, raw_texts
from replay_cli.archive.lines import oversized
from replay_cli.archive.portions import WHOLE, Share
from replay_cli.archive.statistics import make_known_of
from replay_cli.errors import DamagedObjectError, FatalError
from replay_cli.model import (
    BATCH_BYTES,
    BATCH_RECORDS,
    MAX_RECORD_BYTES,
    ArchiveObject,
    LeftOut,
    Record,
    RecordBatch,
    Unit,
)
from replay_cli.segment import lake
from replay_cli.segment.layout import describe
from replay_cli.segment.row_groups import RowsSelector

_BUFFER_BYTES = 64 << 10
_LEAST_READ_BYTES = 256 << 10
_MOST_READ_BYTES = 4 << 20

Convert = Callable[[pa.RecordBatch], list[Record]]
Against = Callable[[pq.RowGroupMetaData], str | None]
"""Row group → the reason why nothing in it is meant; None where that is not certain."""


class _Reading(NamedTuple):
    """What to read (the names of columns, or None for all), and how rows of it become records.

    `paths` say where in a message the columns belong; None where a column holds whole messages.
    """

    columns: list[str] | None
    convert: Convert
    paths: list[lake.Path] | None = None


def row_batches(
    obj: ArchiveObject,
    file: BinaryIO,
    start: int,
    selector: RowsSelector | None = None,
    edges: Collection[int] = (),
    share: Share = WHOLE,
) -> Iterator[RecordBatch]:
    """Give the batches of a Parquet object from the row `start`, the edge of a batch.

    No batch goes beyond a row group, so that whole row groups before `start` need not be read. Rows are
    messages, or bytes where one column holds messages as JSON text.

    Args:
        obj: the object.
        file: its stored bytes.
        start: where to begin.
        selector: decides for row groups by what is known of them; None: all are read.
        edges: where to cut what is left out, besides where it is cut by itself.
        share: the part that is wanted: the row groups that begin in it.

    Raises:
        DamagedObjectError: after the batches of everything before the damage; or the columns are no messages.
    """
    try:
        parquet = _opened(file, _BUFFER_BYTES)
        reading = _reading(obj, parquet.schema_arrow)
        preferred: int | None = getattr(file, "preferred_read", None)
        if preferred is not None:  # known only now, for it is for all columns together, and there is a buffer for each
            columns = len(reading.columns or ()) or parquet.metadata.num_columns
            parquet = _opened(file, _buffer_bytes(preferred, columns), parquet.metadata)
        total = max(parquet.metadata.num_rows, 1)
        cuts = sorted(edges)
        against = _against(obj, parquet, reading, selector)
        for first, records in _records(parquet, reading, start, against, cuts, share):
            consumed = obj.size * (first + len(records)) // total
            yield RecordBatch(obj, first, records, Unit.ROW, consumed)
    except MemoryError as error:  # Arrow's is one too: the machine's trouble, not the object's
        raise FatalError(f"{obj.uri}: there is not enough memory to read it ({error})") from None
    except (pa.ArrowException, OSError, UnicodeDecodeError, RecursionError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk's, not Arrow's
            raise
        reason = str(error).partition("\n")[0]
        raise DamagedObjectError(obj.uri, f"the Parquet data is damaged ({reason})") from error


def _opened(file: BinaryIO, buffer_bytes: int, metadata: pq.FileMetaData | None = None) -> pq.ParquetFile:
    """Open a file without pre-buffering and with buffers, or whole row groups would be read into memory."""
    return pq.ParquetFile(
        file, metadata=metadata, pre_buffer=False, buffer_size=buffer_bytes, page_checksum_verification=True
    )


def _buffer_bytes(preferred: int, columns: int) -> int:
    """Tell how much of each column to read at once where every read is a request."""
    return min(max(preferred // max(columns, 1), _LEAST_READ_BYTES), _MOST_READ_BYTES)


def _against(obj: ArchiveObject, parquet: pq.ParquetFile, reading: _Reading, selector: RowsSelector | None) -> Against:
    """Make what decides for row groups. Of messages as JSON text nothing is known, not even which rows are blank."""
    paths = reading.paths
    if selector is None or paths is None or lake.may_be_dead_letters(paths):
        return lambda about: None
    known_of = make_known_of(parquet, paths, lake.type_of_table(describe(obj.uri).segment_type))
    return lambda about: selector(known_of(about))


def _records(
    parquet: pq.ParquetFile, reading: _Reading, start: int, against: Against, edges: list[int], share: Share
) -> Iterator[tuple[int, list[Record]]]:
    """Give the records of batches, with the ordinals of the first ones."""
    until = 0
    for group in range(parquet.num_row_groups):
        about = parquet.metadata.row_group(group)
        first, until = until, until + about.num_rows
        if until <= start or not share.has(first, parquet.metadata.num_rows):
            continue
        reason = against(about)
        if reason is None:
            for place, rows in _slices(parquet, group, first, reading.columns):
                if place >= start:
                    yield place, reading.convert(rows)
        else:
            left_out: list[Record] = [LeftOut(reason)]
            for place, end in _cut(range(first, until, _rows_at_a_time(about)), until, start, edges):
                yield place, left_out * (end - place)


def _slices(
    parquet: pq.ParquetFile, group: int, first: int, columns: list[str] | None
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Give slices of a row group that fit into a batch, with the ordinals of their first rows."""
    rows_at_a_time = _rows_at_a_time(parquet.metadata.row_group(group))
    for batch in parquet.iter_batches(rows_at_a_time, row_groups=[group], columns=columns):
        for rows in _halved(batch):
            yield first, rows
            first += rows.num_rows


def _cut(slices: range, until: int, start: int, edges: list[int]) -> Iterator[tuple[int, int]]:
    """Cut a row group, or what is left of it from `start` on, into batches: where each begins and ends."""
    first = max(slices.start, start)
    inside = edges[bisect_right(edges, first) : bisect_left(edges, until)]
    yield from pairwise(sorted({first, until, *inside, *(cut for cut in slices if cut > first)}))


def _rows_at_a_time(group: pq.RowGroupMetaData) -> int:
    bytes_a_row: int = max(group.total_byte_size // max(group.num_rows, 1), 1)
    return max(1, min(BATCH_RECORDS, BATCH_BYTES // bytes_a_row))


def _halved(rows: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Cut a slice until it fits: rows are larger in memory than in a file that stores equal values once."""
    if rows.nbytes <= BATCH_BYTES or rows.num_rows <= 1:
        yield rows
    else:
        middle = rows.num_rows // 2
        yield from _halved(rows.slice(0, middle))
        yield from _halved(rows.slice(middle))


def _reading(obj: ArchiveObject, schema: pa.Schema) -> _Reading:
    """Choose how rows become records, from the names of their columns."""
    column = lake.json_column([(field.name, is_text(field.type)) for field in schema])
    if column is not None:
        return _json_reading(schema.names, column)
    if not lake.has_messages(schema.names):
        names = ", ".join(schema.names[:8])
        raise DamagedObjectError(obj.uri, f"no column of a Segment message is among its columns ({names})")
    paths = lake.paths(schema.names)
    segment_type = describe(obj.uri).segment_type
    return _Reading(None, lambda rows: _message_records(rows, paths, segment_type), paths)


def _json_reading(names: list[str], column: int) -> _Reading:
    """Read the one column of JSON text; all of them, where Arrow would take its name for several."""
    name = names[column]
    if "." in name or names.count(name) > 1:
        return _Reading(None, lambda rows: _text_records(rows.column(column)))
    return _Reading([name], lambda rows: _text_records(rows.column(0)))


def _text_records(texts: pa.Array) -> list[Record]:
    return [_text_record(text) for text in raw_texts(texts)]


def _text_record(text: bytes) -> Record:
    if len(text) > MAX_RECORD_BYTES:
        return oversized(text, len(text))
    return b"" if text.isspace() else text


def _message_records(rows: pa.RecordBatch, paths: list[lake.Path], segment_type: str | None) -> list[Record]:
    filled = [index for index, column in enumerate(rows.columns) if column.null_count < len(column)]
    columns: list[list[Any]] = [plain_values(rows.column(index)) for index in filled]
    where = [paths[index] for index in filled]
    records: list[Record] = [*lake.messages(where, columns, rows.num_rows, segment_type)]
    if rows.nbytes > MAX_RECORD_BYTES:
        for row, text in _oversized_cells(rows):
            records[row] = oversized(text, len(text))
    return records


def _oversized_cells(rows: pa.RecordBatch) -> Iterator[tuple[int, bytes]]:
    for column in rows.columns:
        if is_text(column.type):
            texts = raw_texts(column) if column.nbytes > MAX_RECORD_BYTES else []
            yield from ((row, text) for row, text in enumerate(texts) if len(text) > MAX_RECORD_BYTES)

"""What the footer of a Parquet object tells of the messages in each of its row groups.

Of the fields that a selection asks for, those are known that are in one plain column: timestamps by their bounds,
which the footer has in the column's unit, and texts by theirs, compared by their bytes as UTF-8, which is how Python
compares them as well. Long bounds are not taken: a writer may cut them, and not every one has raised what it cut. A
field without a column is in no row. All else may be anything.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pyarrow.parquet as pq

from replay_cli.segment.lake import Path
from replay_cli.segment.row_groups import Rows, Texts, Times, times_in

_MOST_BYTES = 32
"""Bounds of a text are taken up to this length: no writer is known to cut such short ones."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_A_MILLISECOND = {"milliseconds": 1, "microseconds": 1000, "nanoseconds": 1_000_000}
_NOWHERE = Texts(None, None, False)
_NEVER = Times(None, None, False)

KnownOf = Callable[[pq.RowGroupMetaData], Rows]


def make_known_of(parquet: pq.ParquetFile, paths: Sequence[Path], table_type: str | None) -> KnownOf:
    """Make what tells of a row group what is known of its rows.

    Args:
        parquet: the object.
        paths: where in a message each of its columns belongs.
        table_type: the type of rows that have none themselves; None: they stay without.
    """
    received_at = _times_of(parquet, paths, "receivedAt")
    timestamp = _times_of(parquet, paths, "timestamp")
    kind, event = _texts_of(parquet, paths, "type"), _texts_of(parquet, paths, "event")

    def known_of(group: pq.RowGroupMetaData) -> Rows:
        return Rows(received_at(group), timestamp(group), _or_else(kind(group), table_type), event(group))

    return known_of


def _times_of(
    parquet: pq.ParquetFile, paths: Sequence[Path], field: str
) -> Callable[[pq.RowGroupMetaData], Times | None]:
    """Make what bounds a time in a row group."""
    columns = [index for index, path in enumerate(paths) if path == (field,)]
    if not columns:
        return lambda group: _NEVER
    leaf = _leaf(parquet, columns)
    if leaf is None:
        return lambda group: None
    unit = _unit(parquet.schema.column(leaf))
    if unit is not None:
        return lambda group: _times(group, leaf, unit)
    texts_of = _texts_of(parquet, paths, field)

    def times_of(group: pq.RowGroupMetaData) -> Times | None:
        texts = texts_of(group)
        return None if texts is None else times_in(texts)

    return times_of


def _texts_of(
    parquet: pq.ParquetFile, paths: Sequence[Path], field: str
) -> Callable[[pq.RowGroupMetaData], Texts | None]:
    """Make what bounds a text in a row group."""
    columns = [index for index, path in enumerate(paths) if path == (field,)]
    if not columns:
        return lambda group: _NOWHERE
    leaf = _leaf(parquet, columns)
    if leaf is None or parquet.schema.column(leaf).logical_type.type != "STRING":
        return lambda group: None
    return lambda group: _texts(group, leaf)


def _leaf(parquet: pq.ParquetFile, columns: Sequence[int]) -> int | None:
    """Return the place of the one column of a field among the file's; None when it is nested, or not the only one."""
    if len(columns) > 1:
        return None
    name = parquet.schema_arrow.names[columns[0]]
    schema = parquet.schema
    for index in range(len(schema)):
        column = schema.column(index)
        if column.name == name == column.path and not column.max_repetition_level:
            return index
    return None


def _unit(column: pq.ColumnSchema) -> int | None:
    """Return how many of its units a timestamp column has in a millisecond; None when it is none."""
    if column.logical_type.type != "TIMESTAMP":
        return None
    return _A_MILLISECOND.get(orjson.loads(column.logical_type.to_json()).get("timeUnit"))


def _bounds(group: pq.RowGroupMetaData, leaf: int) -> tuple[Any, Any, bool] | None:
    """Return a column's least and most value, both None when it has none, and whether every row has one."""
    found = group.column(leaf).statistics
    if found is None:
        return None
    nulls = found.null_count if found.has_null_count else None
    if found.has_min_max:
        bounds = found.min_raw, found.max_raw
        return (*bounds, nulls == 0) if bounds[0] <= bounds[1] else None
    return (None, None, False) if nulls == group.num_rows else None


def _times(group: pq.RowGroupMetaData, leaf: int, unit: int) -> Times | None:
    bounds = _bounds(group, leaf)
    if bounds is None:
        return None
    least, most, is_everywhere = bounds
    if least is None:
        return _NEVER
    try:
        first, last = (_EPOCH + timedelta(milliseconds=_milliseconds(bound, unit)) for bound in (least, most))
    except OverflowError:
        return None
    return Times(first, last, is_everywhere)


def _milliseconds(bound: int, unit: int) -> int:
    """Cut off what messages do not have of a time, as reading does: towards 1970."""
    return bound // unit if bound >= 0 else -(-bound // unit)


def _texts(group: pq.RowGroupMetaData, leaf: int) -> Texts | None:
    bounds = _bounds(group, leaf)
    if bounds is None:
        return None
    least, most, is_everywhere = bounds
    if least is None:
        return _NOWHERE
    if max(len(least), len(most)) > _MOST_BYTES:
        return None
    try:
        return Texts(least.decode(), most.decode(), is_everywhere)
    except UnicodeDecodeError:
        return None


def _or_else(kinds: Texts | None, table_type: str | None) -> Texts | None:
    """Put in the type of a table's rows that have none themselves."""
    if kinds is None or kinds.is_everywhere or table_type is None:
        return kinds
    least, most = kinds.least or table_type, kinds.most or table_type
    return Texts(min(least, table_type), max(most, table_type), True)

"""Reads the known failures of `--windows FILE`: a CSV with a header (pure).

    received_from,received_until,source_id,event
    2025-03-01T10:00Z,2025-03-01T11:30Z,,
    1740787200000,2025-03-02,kQ8vTz3nWbYp5RdXmLs2Ha,Order *

Times are read as on the command line. `source_id` and `event` may be empty, for any, or missing altogether; an event
can be a pattern. The columns may stand in any order.
"""

import csv
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from itertools import accumulate
from typing import NoReturn

from replay_cli.segment.event_patterns import require_pattern
from replay_cli.segment.period import read_instant
from replay_cli.segment.pointed import PointedError
from replay_cli.segment.windows import Window, Windows

_NEEDED = ("received_from", "received_until")
_COLUMNS = (*_NEEDED, "source_id", "event")
_HEADER = ",".join(_COLUMNS)
_MOST = 100_000
"""Windows: they are kept in the checkpoint."""


class _Row:
    """The fields of a line, and where it stands in the text."""

    def __init__(self, text: str, start: int, end: int, fields: list[str]) -> None:
        self._text, self._start, self._end, self.fields = text, start, end, fields

    def refuse(self, problem: str, index: int = 0) -> NoReturn:
        """Refuse a field of it.

        Raises:
            PointedError: always, at the field.
        """
        raise PointedError(problem, self._text, self.place(index))

    def place(self, index: int) -> int:
        """Return where a field begins; where quotes in it hide that, where the line begins."""
        place = self._start
        for number, field in enumerate(self.fields[: index + 1]):
            place = self._text.find(field, place + (number > 0), self._end)
            if place < 0:
                return self._start
            if number < index:
                place += len(field)
        return place


def read_windows(text: str) -> Windows:
    """Read the windows of a CSV.

    Raises:
        PointedError: it has no header, an unknown column, a line that is no window, or no window at all.
    """
    rows = _rows(text.replace("\r\n", "\n").replace("\r", "\n"))
    header = next(rows, None)
    if header is None:
        raise PointedError(f"there is nothing in it: the first line has to be {_HEADER}", text, 0)
    columns = _columns(header)
    windows: list[Window] = []
    for row in rows:
        if len(windows) == _MOST:
            row.refuse(f"there are more than {_MOST:,} windows: unite those that lie close together")
        windows.append(_window(row, columns))
    if not windows:
        header.refuse("there is no window below the header: nothing could be meant")
    return Windows.of(windows)


def _rows(text: str) -> Iterator[_Row]:
    """Give the lines that are not blank; a quoted field may have line ends in it."""
    lines = [f"{line}\n" for line in text.split("\n")]
    starts = [0, *accumulate(map(len, lines))]
    reader, before = csv.reader(lines, strict=True), 0
    try:
        for fields in reader:
            start, end = starts[before], min(starts[reader.line_num], len(text))
            before = reader.line_num
            if any(field.strip() for field in fields):
                yield _Row(text, start, end, [field.strip() for field in fields])
    except csv.Error as error:
        raise PointedError(f"this is no CSV: {error}", text, starts[before]) from None


def _columns(header: _Row) -> Mapping[str, int]:
    columns: dict[str, int] = {}
    if len(header.fields) == 1 and ";" in header.fields[0]:
        header.refuse(f"the columns have to be separated by commas: {_HEADER}")
    for index, name in enumerate(header.fields):
        if name not in _COLUMNS:
            close = get_close_matches(name, _COLUMNS, 1)
            hint = f"perhaps {close[0]} is meant; " if close else ""
            header.refuse(f"{name!r} is no column: {hint}the first line has to be {_HEADER}", index)
        if name in columns:
            header.refuse(f"there are two columns {name}", index)
        columns[name] = index
    for name in _NEEDED:
        if name not in columns:
            header.refuse(f"there is no column {name}: the first line has to be {_HEADER}")
    return columns


def _window(row: _Row, columns: Mapping[str, int]) -> Window:
    if len(row.fields) > len(columns):
        row.refuse(f"this line has {len(row.fields)} fields, the header {len(columns)}", len(columns))
    ends = []
    for name in _NEEDED:
        text = _field(row, columns, name)
        moment = read_instant(text)
        if moment is None:
            found = f"{text!r} is not a time" if text else "is empty"
            row.refuse(f"{name}: {found}: use for example 2025-03-01 or 2025-03-01T10:00Z", columns[name])
        ends.append(moment)
    if ends[1] <= ends[0]:
        row.refuse("received_until is not after received_from: nothing lies between", columns["received_until"])
    event = _field(row, columns, "event")
    try:
        require_pattern(event)
    except PointedError as error:
        row.refuse(f"event {event}: {error.problem}", columns["event"])
    return Window(ends[0], ends[1], _field(row, columns, "source_id"), event)


def _field(row: _Row, columns: Mapping[str, int], name: str) -> str:
    index = columns.get(name, len(row.fields))
    return row.fields[index] if index < len(row.fields) else ""

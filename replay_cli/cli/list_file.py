"""Reads a file of ids as a stream: one a line, or a table with a header; plain or compressed with gzip.

In a plain list every line that is not blank is an id as it stands, without the white space around it. There are no
comments: an id may begin with `#`. Whether it is a table is told by its first line: one of its cells, between commas,
semicolons or tabs, is the name of a column that is looked for, in any spelling (`user_id`, `userId`, `User ID`). What
is neither, because a line has a separator or begins with a quotation mark, is refused: read as ids it would mean
nobody.
"""

import csv
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO, NamedTuple, NoReturn

from replay_cli.archive.compression import Damage, GzipStream, Stream
from replay_cli.errors import UsageError

LONGEST_LINE = 10_000
"""Bytes of a line, at most."""

_PIECE_BYTES = 1 << 18
_ROWS_AT_ONCE = 5000
_GZIP, _BOM = b"\x1f\x8b", b"\xef\xbb\xbf"
_SEPARATORS = ",;\t"
_NOT_IN_PLAIN = (*_SEPARATORS, '"')


class Kind(NamedTuple):
    """What is listed: `columns` are the names that a table's may have, `what` says it to people."""

    columns: tuple[str, ...]
    what: str


MESSAGE_IDS = Kind(("message_id",), "message ids")
PEOPLE = Kind(("user_id", "email", "anonymous_id"), "people")
_NAMES = {name.replace("_", "") for kind in (MESSAGE_IDS, PEOPLE) for name in kind.columns}


class Entries(NamedTuple):
    """Some entries of a list in its order; `alone` are those that share their row with no other."""

    ids: list[str]
    alone: list[str]


class _Lines(NamedTuple):
    """Consecutive whole lines, without their ends: one text, and apart; `first` is the 1-based number of the first."""

    first: int
    text: str
    lines: list[str]


class ListFile:
    """A file of ids.

    Args:
        option: what names it, for messages: `--suppress`.
        path: where it is.
        kind: what is listed.
    """

    def __init__(self, option: str, path: Path, kind: Kind) -> None:
        self.path = path.absolute()
        self._option = option
        self._given = str(path)
        self._kind = kind

    def entries(self) -> Iterator[Entries]:
        """Give all entries, so many at a time that memory stays flat.

        Raises:
            UsageError: it cannot be read or understood; the text says where and what to do.
        """
        try:
            self._require_file()
            with self.path.open("rb") as file:
                compressed = file.read(2) == _GZIP
                file.seek(0)
                yield from self._entries(self._lines(GzipStream(file) if compressed else _Plain(file)))
        except Damage as damage:
            self._refuse(f"cannot be decompressed ({damage}): compress it again")
        except OSError as error:
            self._refuse(f"cannot be read ({error.strerror})")

    def _require_file(self) -> None:
        if self._given == "-":
            self._refuse("standard input is read once, but a list is read at every start: name a file")
        if not self.path.exists():
            self._refuse("there is no such file")
        if not self.path.is_file():
            kind = "a directory" if self.path.is_dir() else "no regular file, but a list is read at every start"
            self._refuse(f"is {kind}: name a file with one id a line")

    def _refuse(self, problem: str, line: int | None = None) -> NoReturn:
        place = "" if line is None else f" line {line}"
        raise UsageError(f"{self._option} {self._given}{place}: {problem}")

    # -- lines ------------------------------------------------------------------------------------------------

    def _lines(self, stream: Stream) -> Iterator[_Lines]:
        rest, first = b"", 1
        while piece := stream.read(_PIECE_BYTES):
            whole, end, tail = (rest + piece).rpartition(b"\n")
            if end:
                text = self._text(whole, first)
                yield text
                first += len(text.lines)
            rest = tail
            if len(rest) > LONGEST_LINE:
                self._refuse_length(first)
        if rest:
            yield self._text(rest, first)

    def _text(self, block: bytes, first: int) -> _Lines:
        """Return the lines of a block, which has no line end behind its last one."""
        block = block.removeprefix(_BOM) if first == 1 else block
        try:
            text = block.decode()
        except UnicodeDecodeError as error:
            line = first + block.count(b"\n", 0, error.start)
            self._refuse(f"byte {block[error.start]:02x} is not UTF-8: save the file as UTF-8", line)
        text = text.replace("\r\n", "\n").removesuffix("\r")
        lines = _Lines(first, text, text.split("\n"))
        if "\0" in text or "\r" in text or max(map(len, lines.lines)) > LONGEST_LINE // 4:  # UTF-8 has 4 bytes at most
            self._require_sane(lines)
        return lines

    def _require_sane(self, lines: _Lines) -> None:
        for number, line in enumerate(lines.lines, lines.first):
            if "\0" in line:
                self._refuse("has a NUL byte: this is no text file", number)
            if "\r" in line:
                self._refuse("has a carriage return in it: end the lines with LF or CRLF", number)
            if len(line.encode()) > LONGEST_LINE:
                self._refuse_length(number)

    def _refuse_length(self, line: int) -> NoReturn:
        self._refuse(f"is longer than {LONGEST_LINE:,} bytes: write one id a line", line)

    # -- entries ----------------------------------------------------------------------------------------------

    def _entries(self, blocks: Iterator[_Lines]) -> Iterator[Entries]:
        for block in blocks:
            begin = next((index for index, line in enumerate(block.lines) if line.strip()), None)
            if begin is None:
                continue
            header, first = block.lines[begin], block.first + begin
            rest = chain([_Lines(first, block.text, block.lines[begin:])], blocks)
            separator = _separator(header)
            yield from self._plain(rest) if separator is None else self._table(rest, separator, first)
            return

    def _plain(self, blocks: Iterable[_Lines]) -> Iterator[Entries]:
        for block in blocks:
            if any(mark in block.text for mark in _NOT_IN_PLAIN):
                self._require_plain(block)
            ids = [entry for line in block.lines if (entry := line.strip())]
            yield Entries(ids, ids)

    def _require_plain(self, block: _Lines) -> None:
        for number, line in enumerate(block.lines, block.first):
            entry = line.strip()
            if entry.startswith('"') or any(mark in entry for mark in _SEPARATORS):
                self._refuse(
                    "looks like the row of a table, but the first line of the file names no column "
                    f"{_or(self._kind.columns)}: give it a header, or write one id a line",
                    number,
                )

    def _table(self, blocks: Iterable[_Lines], separator: str, first: int) -> Iterator[Entries]:
        lines = (line + "\n" for block in blocks for line in block.lines)
        rows = csv.reader(lines, delimiter=separator, strict=True)
        try:
            names = next(rows)
            columns = self._columns(names, first)
            found = Entries([], [])
            for row in rows:
                if len(row) > len(names) and any(cell.strip() for cell in row[len(names) :]):
                    self._refuse(f"has more cells than the header, which has {len(names)}", first + rows.line_num - 1)
                ids = [cell for column in columns if column < len(row) and (cell := row[column].strip())]
                found.ids.extend(ids)
                if len(ids) == 1:
                    found.alone.extend(ids)
                if len(found.ids) >= _ROWS_AT_ONCE:
                    yield found
                    found = Entries([], [])
            yield found
        except csv.Error as error:
            self._refuse(f"is no row of a table ({error})", first + rows.line_num - 1)

    def _columns(self, names: list[str], line: int) -> list[int]:
        wanted = {name.replace("_", "") for name in self._kind.columns}
        columns = [index for index, name in enumerate(names) if _bare(name) in wanted]
        if not columns:
            self._refuse(f"there is no column of {self._kind.what}: name it {_or(self._kind.columns)}", line)
        return columns


class _Plain:
    """A file as it is, as a stream."""

    def __init__(self, file: BinaryIO) -> None:
        self.read = file.read


def _separator(header: str) -> str | None:
    """Return what separates the cells of a header; None when no column of any list is named there."""
    for separator in _SEPARATORS:
        if any(_bare(name) in _NAMES for name in next(csv.reader([header], delimiter=separator))):
            return separator
    return None


def _bare(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter not in "_- ")


def _or(names: tuple[str, ...]) -> str:
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))

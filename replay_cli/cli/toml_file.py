"""Reads a TOML file that an operator wrote, and remembers on which line each of its keys stands."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from replay_cli.errors import UsageError

MOST_BYTES = 1 << 20
"""A longer file is no job file."""
LONGEST_LINE = 10_000
"""Characters of a line, at most: tomllib takes a time for dotted keys that grows with the square of their length."""
_TOKEN = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*"
    r"|[\[{\]}\n]",
    re.DOTALL,
)
"""What decides where a statement of valid TOML ends: texts, comments, brackets, line ends."""
_KEY = re.compile(r"""\s*(?:(?P<bare>[\w-]+)|(?P<basic>"(?:[^"\\]|\\.)*")|'(?P<literal>[^']*)')""")
_AT = re.compile(r" \(at line (\d+), column (\d+)\)$")
_AT_END = " (at end of document)"


class Entry(NamedTuple):
    """A value and where it stands; `line` is 1-based."""

    value: object
    path: Path
    line: int

    @property
    def place(self) -> str:
        return f"{self.path} line {self.line}"

    def refuse(self, problem: str) -> NoReturn:
        """Raise a `UsageError` that says where and what."""
        raise UsageError(f"{self.place}: {problem}")


class TomlFile(NamedTuple):
    """The keys of a file, and those of its arrays of tables (`[[name]]`) by name."""

    top: Mapping[str, Entry]
    tables: Mapping[str, list[dict[str, Entry]]]


def read_toml(path: Path) -> TomlFile:
    """Read a file.

    Raises:
        UsageError: it cannot be read, is too long, or is no TOML; the text says where.
    """
    text = _text(path)
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > LONGEST_LINE:
            raise UsageError(f"{path} line {number} is longer than {LONGEST_LINE:,} characters: write lists in lines")
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise UsageError(f"{path}: its lists lie in each other too deep") from None
    except ValueError as error:  # of tomllib's, and of numbers with too many digits
        raise UsageError(_syntax_error(path, text, str(error))) from None
    return _with_places(path, document, _lines(text))


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            what = (
                "is a folder" if path.is_dir() else "is no regular file" if path.exists() else "there is no such file"
            )
            raise UsageError(f"{path}: {what}: name a job file (TOML)")
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > MOST_BYTES:
        raise UsageError(f"{path} has more than {MOST_BYTES >> 20} MiB: is it a job file?")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path} line {line}: this is not UTF-8: save it as UTF-8") from None


def _syntax_error(path: Path, text: str, problem: str) -> str:
    """Put the place that tomllib tells at its end to the beginning."""
    if (at := _AT.search(problem)) is not None:
        return f"{path} line {at[1]}, column {at[2]}: this is no TOML: {problem[: at.start()]}"
    line = text.rstrip("\n").count("\n") + 1
    place = f"{path} line {line}" if problem.endswith(_AT_END) else str(path)
    return f"{place}: this is no TOML: {problem.removesuffix(_AT_END)}"


class _Lines(NamedTuple):
    """Key → line: of the file, and of each table of its arrays of tables."""

    top: dict[str, int]
    tables: dict[str, list[dict[str, int]]]


def _with_places(path: Path, document: dict[str, Any], lines: _Lines) -> TomlFile:
    top, tables = dict[str, Entry](), dict[str, list[dict[str, Entry]]]()
    for key, value in document.items():
        line = lines.top.get(key, 1)
        if key not in lines.tables:
            top[key] = Entry(value, path, line)
            continue
        found = lines.tables[key]
        tables[key] = [
            {name: Entry(inner, path, at.get(name, at[""])) for name, inner in ({"": None} | table).items()}
            for table, at in zip(value, found, strict=True)
        ]
    return TomlFile(top, tables)


def _lines(text: str) -> _Lines:
    """Find the lines of a valid document's keys. A table's own line stands under the empty key."""
    lines = _Lines({}, {})
    current: dict[str, int] | None = lines.top
    for line, statement in _statements(text):
        if not statement.startswith("["):
            if current is not None:
                current.setdefault(_key(statement), line)
            continue
        array, current = statement.startswith("[["), None
        name = _key(statement.lstrip("["))
        lines.top.setdefault(name, line)
        if array and statement.split("]")[0].count(".") == 0:
            current = {"": line}
            lines.tables.setdefault(name, []).append(current)
    return lines


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Give each statement of a valid document with the number of its first line."""
    line, begin, depth = 1, 0, 0
    for token in _TOKEN.finditer(text + "\n"):
        sign = token[0]
        if sign in ("[", "{"):
            depth += 1
        elif sign in ("]", "}"):
            depth -= 1
        elif sign == "\n" and not depth:
            statement = text[begin : token.start()]
            if (stripped := statement.strip()) and not stripped.startswith("#"):
                yield line, stripped
            line += statement.count("\n") + 1
            begin = token.end()


def _key(statement: str) -> str:
    """Return the first key of a statement."""
    found = _KEY.match(statement)
    if found is None:
        return ""
    if found["basic"] is not None:
        return str(tomllib.loads(f"key = {found['basic']}")["key"])
    return found["bare"] or found["literal"] or ""

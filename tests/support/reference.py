"""The README's reference of all options, made from the commands themselves: `make reference` writes it anew."""

import re
from collections.abc import Iterator
from typing import NamedTuple

import click

from replay_cli.cli.main import group
from tests.support.workplace import CHECKOUT

BEGIN = "<!-- The options: `make reference` writes them from the program. -->\n"
END = "<!-- The end of the options. -->\n"
_BOUNDS = r"[\d.]*(?:<=)?x[<>]=?[\d.]+"
_RANGE = re.compile(rf"; {_BOUNDS}(?=\])|\[{_BOUNDS}\]")
"""What click says of the numbers that an option takes: those who look for an option need no bounds."""
_SPECIAL = re.compile(r"[\\|*<]")
"""Signs that a table's cell would not show as they are."""


class Row(NamedTuple):
    """An option as its `--help` shows it."""

    group: str
    names: str
    meaning: str


def commands() -> Iterator[click.Command]:
    """All commands, in the order of `replay --help`."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield command


def reference() -> str:
    """A table for each group of options, with the commands that take them; the groups of `replay run` come first."""
    takers: dict[Row, list[str]] = {}
    for command in commands():
        for row in rows_of(command):
            takers.setdefault(row, []).append(f"`{command.name}`")
    names = dict.fromkeys([row.group for row in takers if "`run`" in takers[row]] + [row.group for row in takers])
    return "\n".join(_table(name, {row: takers[row] for row in takers if row.group == name}) for name in names)


def rows_of(command: click.Command) -> Iterator[Row]:
    """The options of a command."""
    context = click.Context(command)
    for parameter in command.params:
        shown = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
        if shown is not None:
            names, meaning = (" ".join(_RANGE.sub("", text).split()) for text in shown)
            yield Row(getattr(parameter, "group", "Other"), names.replace("INTEGER RANGE", "N"), meaning)


def _table(name: str, takers: dict[Row, list[str]]) -> str:
    lines = [f"#### {name}", "", "| option | | of |", "|---|---|---|"]
    for row, of in takers.items():
        names = row.names.replace("|", r"\|")
        lines.append(f"| `{names}` | {_SPECIAL.sub(_escaped, row.meaning)} | {', '.join(of)} |")
    return "\n".join(lines) + "\n"


def _escaped(sign: re.Match[str]) -> str:
    return f"\\{sign[0]}"


def written(readme: str) -> str:
    """The README with the reference of now."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert "" not in (begin, end), "the README has lost the place of its options"
    return f"{before}{begin}\n{reference()}\n{end}{after}"


if __name__ == "__main__":
    path = CHECKOUT / "README.md"
    path.write_text(written(path.read_text()))

"""Reads the README: its sections, its code blocks, its tables, and the commands in it."""

import re
import shlex
from collections.abc import Iterator
from typing import NamedTuple

from tests.support.workplace import CHECKOUT

README = (CHECKOUT / "README.md").read_text()
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_ASSIGNMENT = re.compile(r"[A-Z_][A-Z0-9_]*=.*")
_END = {"|", "||", "&&", ";", ">", ">>", "2>", "2>>", "2>&1", "&", ")"}


class Block(NamedTuple):
    """A code block: the language that its fence names, and its text without the list's indentation."""

    language: str
    text: str


def blocks(text: str = README) -> list[Block]:
    """All code blocks, in their order."""
    return [
        Block(fence[2], re.sub(rf"^{fence[1]}", "", fence[3], flags=re.MULTILINE)) for fence in _FENCE.finditer(text)
    ]


def block(part: str) -> str:
    """The text of the one block that has this in it."""
    (found,) = (text for _, text in blocks() if part in text)
    return found


def section(heading: str) -> str:
    """What stands under a heading, up to the next one of its level or above."""
    level, _, _ = heading.partition(" ")
    _, found, rest = README.partition(f"\n{heading}\n")
    assert found, heading
    return re.split(rf"^#{{1,{len(level)}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def prose(text: str = README) -> str:
    """All that is in no code block."""
    return _FENCE.sub("", text)


def rows(heading: str) -> list[list[str]]:
    """The cells of a table, by the beginning of its heading."""
    table = README[README.index(heading) :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in table]


def slugs() -> set[str]:
    """The anchors of all headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", prose(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def shell_lines() -> Iterator[str]:
    """The lines of all shell blocks, continued ones joined, comments of a whole line left out."""
    for language, text in blocks():
        if language == "sh":
            lines = text.replace("\\\n", " ").splitlines()
            yield from (line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#"))


def arguments_of(line: str) -> list[str] | None:
    """The arguments that a shell would give to `replay`; None where the line calls something else.

    Variables before the command, and what follows it (a pipe, a redirection, a comment), are left out.
    """
    words = shlex.split(line, comments=True)
    while words and _ASSIGNMENT.fullmatch(words[0]):
        words = words[1:]
    if not words or words[0] != "replay":
        return None
    ends = [number for number, word in enumerate(words) if word in _END]
    return words[1 : min(ends, default=len(words))]

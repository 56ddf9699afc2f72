"""The people of `replay erase --ids`, and which records are theirs."""

import json
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from replay_cli.cli.list_file import PEOPLE, ListFile
from replay_cli.errors import UsageError
from replay_cli.model import Message
from replay_cli.moengage.mapping import Mapping, NotTakenError, UnmappableError
from replay_cli.preparation import names
from replay_cli.segment.ids import IdSet
from replay_cli.segment.lists import person, suppression
from replay_cli.segment.message import MalformedError, dead_letter_record, parse

NO_MESSAGE: Message = {}
"""What is told of a record that is no message."""
_WORD = re.compile(rb""""((?:[^"\\]|\\.)*+)"?|[^\s"\',;:=()<>\[\]{}]++""", re.DOTALL)
"""A quoted text, or what stands between signs; a quote that does not end reaches to the end."""


def read_people(paths: Sequence[Path]) -> IdSet:
    """Read files of people, as those of `--suppress`.

    Raises:
        UsageError: one cannot be read or understood, or all of them are empty.
    """
    files = [ListFile("--ids", path, PEOPLE) for path in paths]
    blocks = chain.from_iterable(file.entries() for file in files)
    people = IdSet(person(entry) for entries in blocks for entry in entries.ids)
    if not len(people):
        named = ", ".join(map(str, paths))
        raise UsageError(f"--ids {named}: is empty, so there is nobody to erase: list one id or e-mail address a line")
    return people


class Theirs:
    """Tells which records are about some people.

    A message is, if `--suppress` would leave it out, by its own ids or by those that the mapping makes of it. In what
    is no message any quoted text or bare word counts.

    Args:
        people: each as `person` gives it.
        map_message: the job's mapping, which may take ids from elsewhere.
    """

    def __init__(self, people: IdSet, map_message: Mapping) -> None:
        self._has = people.has
        self._reason_against = suppression(people)
        self._map = map_message

    def of(self, record: bytes) -> Message | None:
        """Return the message of a record that is theirs (`NO_MESSAGE` of one that is none); None if it is not theirs.

        Args:
            record: its text.
        """
        try:
            message, _ = parse(record)
            if "type" not in message:
                message = dead_letter_record(message) or message
        except MalformedError:
            return NO_MESSAGE if any(map(self._has, _words(record))) else None
        return message if self._reason_against(message) is not None or self._is_mapped_to(message) else None

    def are_named_in(self, settings: object) -> bool:
        """Tell whether a job's settings, as they are stored, name some of them: a selection by user, a condition."""
        if isinstance(settings, str):
            return self._has(person(settings)) or any(map(self._has, _words(settings.encode(errors="replace"))))
        parts = settings.values() if isinstance(settings, dict) else settings if isinstance(settings, list) else ()
        return any(map(self.are_named_in, parts))

    def _is_mapped_to(self, message: Message) -> bool:
        try:
            return names(self._map(message), self._has)
        except (MalformedError, UnmappableError, NotTakenError):
            return False


def _words(record: bytes) -> Iterator[str]:
    """Give what may be an id in a text that is no message."""
    for match in _WORD.finditer(record):
        yield person(_plain(match[1]) if match[1] is not None else match[0].decode(errors="replace"))


def _plain(quoted: bytes) -> str:
    """Return what stands between quotes, without its escapes where it has some."""
    text = quoted.decode(errors="replace")
    if "\\" in text:
        try:
            return str(json.loads(f'"{text}"', strict=False))
        except ValueError:
            return text
    return text

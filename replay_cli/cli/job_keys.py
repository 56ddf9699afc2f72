"""The keys that a job file may have: the long names of options, and what may stand behind each of them."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple, NoReturn

import click

from replay_cli.cli.options.grouped import OUTPUT, SHOW, GroupedOption
from replay_cli.cli.options.job import JOB, ExitCodes
from replay_cli.cli.options.types import Duration, Instant, MessageCount, MostDeadLetters, Rate
from replay_cli.cli.toml_file import Entry

Value = str | bool | list[str]
"""What a key says, as the command line would: texts, and flags."""

SOURCES, CHECKPOINT, SOURCE_ID = "sources", "checkpoint", "source-id"
_PLACES = (SOURCES, CHECKPOINT)
"""Keys whose values are paths, or somewhere on S3."""
_S3 = "s3://"
_NUMBERS = (click.types.IntParamType, click.types.FloatParamType, Rate)
_EXAMPLES = ((Duration, '"4h"'), (MessageCount, '"500k"'), (MostDeadLetters, '"2%"'), (ExitCodes, '"3,4"'))
_MIXED = tuple(kind for kind, _ in _EXAMPLES)
"""Types that take a number, or a text with a unit."""
_SECRET = ("apikey", "secret", "password", "passwd", "token", "accesskey", "credential", "finishurl", "webhook")
"""What the names of secrets have in them; no option that has is one."""
_WORKING = ("run", "redrive")
"""The commands that do a job, and write what it says is to be written."""


class Keys(NamedTuple):
    """Key → the parameters of that name, by the command that has it."""

    parameters: Mapping[str, Mapping[str, click.Parameter]]

    def require(self, key: str, entry: Entry) -> None:
        """Refuse what no job file may say.

        Raises:
            UsageError: no command has such an option, it is a secret, or it stands on the command line only.
        """
        if key not in self.parameters:
            _refuse_unknown(key, entry, [name for name in self.parameters if name not in JOB])
        if key in JOB:
            entry.refuse(f"{key} stands on the command line only; to build on another file, use extends")
        if all(_is_of_one_look(each) for each in self._of(key)):
            entry.refuse(f"{key} stands on the command line only: it says what is shown, not what the job is")
        if any(isinstance(each, GroupedOption) and not each.allow_from_autoenv for each in self._of(key)):
            entry.refuse(f"{key} stands on the command line only: it is meant for one run, not for every one")

    def value(self, key: str, entry: Entry) -> Value:
        """Return what an entry says, checked as the command line would check it.

        Raises:
            UsageError: it is of another type, or no value of this option; the text says where and what to write.
        """
        parameter = next(iter(self._of(key)))
        value = _value(parameter, key, entry)
        try:
            parameter.type_cast_value(click.Context(click.Command("job")), value)
        except click.BadParameter as error:
            entry.refuse(f"{key}: {error.message}")
        return value

    def _of(self, key: str) -> Sequence[click.Parameter]:
        return list(self.parameters[key].values())


def keys_of(commands: Mapping[str, click.Command]) -> Keys:
    """Return the keys that the commands with `--job` know together."""
    found: dict[str, dict[str, click.Parameter]] = {}
    for name, command in commands.items():
        named = dict(named_parameters(command))
        if not JOB & named.keys():
            continue
        for key, parameter in named.items():
            found.setdefault(key, {})[name] = parameter
    return Keys(found)


def named_parameters(command: click.Command) -> Iterator[tuple[str, click.Parameter]]:
    """Give a command's parameters with their keys."""
    for parameter in command.params:
        if isinstance(parameter, GroupedOption):
            yield parameter.long_name, parameter
        elif isinstance(parameter, click.Argument) and parameter.name is not None:
            yield parameter.name, parameter


def takes(command: click.Command, parameter: click.Parameter) -> bool:
    """Tell whether a command does as the job file says by a parameter: only who does the job writes its files.

    What a look at the job shows is not the job's affair, though an option of the job's may have the same name.
    """
    if _is_of_one_look(parameter):
        return False
    return command.name in _WORKING or getattr(parameter, "group", None) != OUTPUT


def _is_of_one_look(parameter: click.Parameter) -> bool:
    return getattr(parameter, "group", None) == SHOW


def _refuse_unknown(key: str, entry: Entry, known: Sequence[str]) -> NoReturn:
    bare = key.lower().replace("-", "")
    if any(word in bare for word in _SECRET):
        files = difflib.get_close_matches(f"{key}-file", [name for name in known if name.endswith("-file")], 1)
        way = f"write it into a file of its own, named by {files[0]}" if files else "give it by the environment"
        entry.refuse(f"{key} would be a secret in a job file: {way}")
    if isinstance(entry.value, dict):
        entry.refuse(f"there is no table [{key}]: a job file has [[route]] tables only")
    entry.refuse(f"no command has an option {key}{suggestion(key, known)}")


def suggestion(word: str, known: Sequence[str]) -> str:
    """Return what was probably meant, as the end of a sentence."""
    close = difflib.get_close_matches(word, known, 1)
    return f": did you mean {close[0]}?" if close else ""


def _value(parameter: click.Parameter, key: str, entry: Entry) -> Value:
    given = entry.value
    if isinstance(parameter, click.Option) and parameter.is_flag:
        if not isinstance(given, bool):
            entry.refuse(f"{key} is a flag: write {key} = true, or false")
        return given
    if not (parameter.multiple or parameter.nargs == -1):
        if isinstance(parameter.type, ExitCodes) and isinstance(given, list):
            return ",".join(_text(parameter.type, key, entry, each) for each in given)
        return _text(parameter.type, key, entry, given)
    if not isinstance(given, list):
        example = _example(parameter.type)
        entry.refuse(f"{key} is a list: write {key} = [{example}, …], also where there is one")
    return [_text(parameter.type, key, entry, each) for each in given]


def _text(type_: object, key: str, entry: Entry, given: object) -> str:
    """Return a single value as the command line would have it."""
    if isinstance(type_, Instant) and isinstance(given, date):  # a datetime is one
        return given.isoformat()
    number = isinstance(given, int | float) and not isinstance(given, bool)
    if number and isinstance(type_, (*_NUMBERS, *_MIXED)):
        return f"{given}"
    if number and isinstance(given, int) and isinstance(type_, Instant):
        return f"{given}"
    if not isinstance(given, str) or isinstance(type_, _NUMBERS):
        entry.refuse(f"{key} is {_wanted(type_)}, and this is {_found(given)}: write for example {_example(type_)}")
    if "\0" in given:
        entry.refuse(f"{key} has a NUL character in it")
    return _resolved(given, entry) if key in _PLACES or isinstance(type_, click.Path) else given


def _resolved(text: str, entry: Entry) -> str:
    """Take a relative path to be one from the folder of its job file."""
    if text.startswith(_S3) or not text:
        return text
    try:
        return str(entry.path.parent / Path(text).expanduser())
    except RuntimeError:
        entry.refuse(f"nobody knows whose home {text} is in: write the path out")


def _wanted(type_: object) -> str:
    if isinstance(type_, _NUMBERS):
        return "a number"
    if isinstance(type_, Instant):
        return "a time"
    return "a number, or a text with its unit" if isinstance(type_, _MIXED) else "a text"


def _example(type_: object) -> str:
    if isinstance(type_, _NUMBERS):
        return "250"
    if isinstance(type_, Instant):
        return "2025-03-01"
    if isinstance(type_, click.Choice):
        return f'"{type_.choices[0]}"'
    return next((example for kind, example in _EXAMPLES if isinstance(type_, kind)), '"…"')


def _found(given: object) -> str:
    names = {bool: "true or false", str: "a text", list: "a list", dict: "a table", int: "a number", float: "a number"}
    if type(given) in names:
        return names[type(given)]
    return "a date" if isinstance(given, date) and not isinstance(given, datetime) else "a time of day"

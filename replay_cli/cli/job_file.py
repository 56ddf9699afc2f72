"""A job file: the options of a job by name, what it builds on, and its routes.

Top-level keys are the long names of options, `sources` and the job's own: `extends`, `live-destination`. Paths in it
are relative to its folder. The job is named after the file, unless it says `name`, and its memory lies beside the file
in `.replay`, unless it says `checkpoint`: so it is the same job wherever the command runs.

What a file says replaces, key by key, what the file that it extends says; lists too, and all routes together. Where
several keys say one thing (`region`, `endpoint`, `sandbox`), the one of them that is said replaces the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import click

from replay_cli.cli.job_keys import (
    CHECKPOINT,
    SOURCE_ID,
    Keys,
    Value,
    keys_of,
    named_parameters,
    takes,
)
from replay_cli.cli.job_routes import NAME, NAMES, Entries, Route, routes_of
from replay_cli.cli.toml_file import Entry, read_toml
from replay_cli.errors import UsageError
from replay_cli.job import CHECKPOINTS

DESTINATIONS = frozenset({"region", "endpoint", "sandbox"})
_ONE_OF = (DESTINATIONS, frozenset({"name", CHECKPOINT}))
"""Keys of which one is said."""
_EXTENDS, _LIVE, _ROUTE = "extends", "live-destination", "route"
_OWN = (_EXTENDS, _LIVE)
_MOST_LEVELS = 10
"""Files that build on each other, at most."""


@dataclass(frozen=True, slots=True)
class JobFile:
    """A job as its file has it, checked: key → value; `live` is its `live-destination`, None where it says nothing."""

    path: Path
    values: Mapping[str, Value]
    routes: tuple[Route, ...]
    live: bool | None

    @property
    def name(self) -> str:
        """The job's name: that of its checkpoint."""
        return str(self.values.get("name", self.path.stem))

    def checkpoint(self, route: Route | None = None) -> str:
        """Return where the memory of the job, or of one of its routes, is: a path, or on S3."""
        place = str(self.values.get(CHECKPOINT) or self.checkpoint_named(self.name))
        return place if route is None else f"{place.removesuffix('.ckpt')}.{route.name}.ckpt"

    def checkpoint_named(self, name: str) -> str:
        """Return where the memory of a job of another name is, beside this file.

        Raises:
            UsageError: it is no name.
        """
        if not NAME.fullmatch(name):
            raise UsageError(f"{name!r} cannot be the name of a job: {NAMES}")
        return str(self.path.parent / CHECKPOINTS / f"{name}.ckpt")

    def defaults(self, command: click.Command, route: Route | None = None) -> dict[str, Value]:
        """Return what a command is told, by the names of its parameters: click's `default_map`."""
        said = dict(self.values) | {CHECKPOINT: self.checkpoint(route)}
        said.pop("name", None)  # the checkpoint is made of it
        if route is not None:
            said = overlaid(said, route.values) | {SOURCE_ID: list(route.sources)}
        return {
            str(parameter.name): said[key]
            for key, parameter in named_parameters(command)
            if key in said and takes(command, parameter)
        }


class Errand(NamedTuple):
    """What a command was told to do by a job file (a context's `obj`); no route: all of it."""

    job: JobFile
    route: Route | None = None


def take_job(context: click.Context, path: Path) -> None:
    """Let a job file say what neither the command line nor the environment says to a command.

    Raises:
        UsageError: the file cannot be read or understood; the text says where.
    """
    job = load_job(path, commands_of(context))
    context.obj = Errand(job)
    context.default_map = job.defaults(context.command)


def commands_of(context: click.Context) -> dict[str, click.Command]:
    """Return all commands of the program by name."""
    root = context.find_root()
    if not isinstance(root.command, click.Group):
        return {str(context.info_name): context.command}
    found = ((name, root.command.get_command(root, name)) for name in root.command.list_commands(root))
    return {name: command for name, command in found if command is not None}


def load_job(path: Path, commands: Mapping[str, click.Command]) -> JobFile:
    """Read a job file and those that it builds on, and check all that they say.

    Args:
        path: the file.
        commands: the program's, by name: their options are the keys.

    Raises:
        UsageError: it cannot be read or understood; the text says where.
    """
    keys = keys_of(commands)
    entries, tables = _with_bases(path, keys)
    live = entries.pop(_LIVE, None)
    if live is not None and not isinstance(live.value, bool):
        live.refuse(f"{_LIVE} is true or false: whether Segment delivers to this workspace live, too")
    values = {key: keys.value(key, entry) for key, entry in entries.items()}
    if "name" in entries and not NAME.fullmatch(str(values["name"])):
        entries["name"].refuse(f"name: {NAMES}")
    if "name" not in entries and CHECKPOINT not in entries and not NAME.fullmatch(path.stem):
        raise UsageError(f"{path}: a job is named after its file, and {path.stem!r} cannot be one: say name = …")
    if tables and SOURCE_ID in entries:
        entries[SOURCE_ID].refuse(f"{SOURCE_ID} is what the sources of [[route]] tables say: leave it out")
    routes = tuple(routes_of(tables, keys))
    return JobFile(path, values, routes, None if live is None else bool(live.value))


def overlaid(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Put what is said over what was said before."""
    said = {key for key, value in over.items() if getattr(value, "value", value) is not False}
    gone = {key for one in _ONE_OF if one & said for key in one}
    return {key: value for key, value in base.items() if key not in gone} | dict(over)


def _with_bases(path: Path, keys: Keys) -> tuple[Entries, list[Entries]]:
    """Return what a file and those that it builds on say together, and its routes."""
    entries, tables, seen = Entries(), list[Entries](), list[Path]()
    while True:
        said, routes = _read(path, keys)
        seen.append(path.resolve())
        base = said.pop(_EXTENDS, None)
        entries, tables = overlaid(said, entries), tables or routes
        if base is None:
            return entries, tables
        path = _base(base, seen)


def _base(said: Entry, seen: list[Path]) -> Path:
    """Return the file that another one extends; `seen` are those that led to it."""
    if not isinstance(said.value, str) or not said.value:
        said.refuse(f'{_EXTENDS} names another job file: write {_EXTENDS} = "base.toml"')
    path = said.path.parent / said.value
    if not path.exists():
        said.refuse(f"{path}: there is no such file")
    if path.is_file() and path.resolve() in seen:
        said.refuse(f"{path} builds on this file itself: files cannot extend each other in a circle")
    if len(seen) == _MOST_LEVELS:
        said.refuse(f"more than {_MOST_LEVELS} files build on each other: leave some out")
    return path


def _read(path: Path, keys: Keys) -> tuple[Entries, list[Entries]]:
    """Return what one file says, its keys checked."""
    file = read_toml(path)
    for name, tables in file.tables.items():
        if name != _ROUTE:
            tables[0][""].refuse(f"there are no [[{name}]] tables in a job file, only [[{_ROUTE}]] ones")
    entries = _spelled(file.top)
    for key, entry in entries.items():
        if key == _ROUTE:
            entry.refuse(f"write routes as [[{_ROUTE}]] tables")
        if key not in _OWN:
            keys.require(key, entry)
    for one in _ONE_OF:
        said = [key for key in entries if key in one and entries[key].value is not False]
        if len(said) > 1:
            entries[said[1]].refuse(f"give {said[0]} or {said[1]}, not both")
    return entries, [_spelled(table) for table in file.tables.get(_ROUTE, ())]


def _spelled(entries: Mapping[str, Entry]) -> Entries:
    """Write keys as the command line writes options, with hyphens."""
    found = Entries()
    for key, entry in entries.items():
        name = key.replace("_", "-")
        if name in found:
            entry.refuse(f"{name} is said twice, on line {found[name].line} too: leave one of them out")
        found[name] = entry
    return found

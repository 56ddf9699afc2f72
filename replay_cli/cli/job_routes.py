"""The routes of a job file: some sources, and what is said of them only."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from replay_cli.cli.job_keys import SOURCES, Keys, Value, suggestion
from replay_cli.cli.toml_file import Entry

_OF_ROUTES = (
    *("name", SOURCES, "mapping", "filters", "project-name", "workspace-id", "api-key-file", "region", "endpoint"),
    *("update-existing-only", "api"),
)
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
NAMES = "use 1 to 100 letters, digits, dots, hyphens and underscores"

Entries = dict[str, Entry]


class Route(NamedTuple):
    """Some sources, by their ids, and what is said of them only: key → value."""

    name: str
    sources: tuple[str, ...]
    values: Mapping[str, Value]


def routes_of(tables: list[Entries], keys: Keys) -> Iterator[Route]:
    """Check the routes of a job file."""
    names, taken = dict[str, Entry](), dict[str, Entry]()
    for table in tables:
        at = table.pop("")
        for key, entry in table.items():
            if key not in _OF_ROUTES:
                _refuse_in_route(key, entry, keys)
        sources, place = _sources(table, at), table.get("name", at)
        for source in sources:
            if source in taken:
                table[SOURCES].refuse(f"source {source} has a route on line {taken[source].line} already")
            taken[source] = table[SOURCES]
        name = _route_name(table, sources, at)
        if name in names:
            place.refuse(f"route {name} is there already, on line {names[name].line}: give it another name")
        names[name] = place
        said = {key: keys.value(key, entry) for key, entry in table.items() if key not in ("name", SOURCES)}
        yield Route(name, sources, said)


def _refuse_in_route(key: str, entry: Entry, keys: Keys) -> None:
    keys.require(key, entry)
    entry.refuse(f"a route has no {key} of its own, only {', '.join(_OF_ROUTES)}{suggestion(key, _OF_ROUTES)}")


def _sources(table: Entries, at: Entry) -> tuple[str, ...]:
    if SOURCES not in table:
        at.refuse('this route names no sources: write sources = ["…"], with the ids of Segment\'s sources')
    given = table[SOURCES].value
    if not isinstance(given, list) or not given or not all(isinstance(each, str) and each.strip() for each in given):
        table[SOURCES].refuse('sources is a list of the ids of Segment\'s sources: write sources = ["…", "…"]')
    sources = tuple(each.strip() for each in given)
    if len(set(sources)) < len(sources):
        table[SOURCES].refuse("a source is named twice: leave one of them out")
    return sources


def _route_name(table: Entries, sources: tuple[str, ...], at: Entry) -> str:
    """Return a route's name: what it says, else the id of its only source."""
    if "name" not in table and len(sources) > 1:
        at.refuse('this route has several sources, and no name: write name = "…"; its checkpoint is named after it')
    name = table["name"].value if "name" in table else sources[0]
    if not isinstance(name, str) or not NAME.fullmatch(name):
        table.get("name", at).refuse(f"name: a route's checkpoint is named after it: {NAMES}")
    return name

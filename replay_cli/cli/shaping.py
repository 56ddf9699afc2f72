"""From the options of the group "As what it goes", and the destination's filters, to a job's settings."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from replay_cli.errors import UsageError
from replay_cli.report.terminal import count
from replay_cli.segment.filters import read_filters
from replay_cli.segment.pointed import PointedError

T = TypeVar("T")

_APIS = {"classic": "the classic mode: known users, snake_case", "bulk": "the Data API, in bulk: known users"}
MOST_BYTES = 4 << 20
"""A longer file is no configuration."""
_LONGEST_NOTE = 300
"""Characters of a trigger that are shown."""


def shape(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that say as what messages go; files are read, and what is in them is kept.

    Raises:
        UsageError: a file cannot be read or understood, or options exclude each other.
    """
    _require_together(values)
    settings = {name: values[name] for name in ("api", "project_name", "update_existing_only", "strict")}
    if values["stamp"]:
        settings["stamp"] = _stamps(values["stamp"])
    if values["mapping"] is not None:
        from replay_cli.moengage.configuration import read_configuration  # what other jobs do without

        path = values["mapping"]
        text = read_text(path, "--mapping")
        settings["mapping"] = _understood(lambda: read_configuration(text, path.name), f"--mapping {path}").document
    if values["filters"] is not None:
        path = values["filters"]
        written = read_text(path, "--filters")
        settings["filters"] = _understood(lambda: read_filters(written), f"--filters {path}").document
    if values["dedupe"] is not None:
        settings["dedupe"] = values["dedupe"]
    return settings


def _require_together(values: Mapping[str, Any]) -> None:
    if values["mapping"] is not None:
        if values["api"] != "actions":
            raise UsageError(f"--mapping is for --api actions; --api {values['api']} has a mapping of its own")
        for name in ("project_name", "update_existing_only"):
            if values[name]:
                raise UsageError(
                    f"give --mapping or --{name.replace('_', '-')}, not both: a mapping has a field for it"
                )
    if values["api"] == "bulk" and values["project_name"]:
        raise UsageError("--project-name is for --api actions and classic; the Data API knows no projects")


def _stamps(texts: Sequence[str]) -> dict[str, str]:
    stamps: dict[str, str] = {}
    for text in texts:
        key, value = _stamp(text)
        if key in stamps:
            raise UsageError(f"--stamp {key} is given twice: a property has one value")
        stamps[key] = value
    return stamps


def _stamp(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UsageError(f"--stamp {text!r}: use KEY=VALUE, for example replayed=2025-03")
    return key.strip(), value


def _understood(read: Callable[[], T], name: str) -> T:
    try:
        return read()
    except PointedError as error:
        raise UsageError(str(error.named(name))) from None


def read_text(path: Path, option: str) -> str:
    """Read a file that the operator wrote.

    Raises:
        UsageError: it cannot be read, is no UTF-8, or is too long.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{option} {path} cannot be read: {error.strerror}") from None
    if len(data) > MOST_BYTES:
        raise UsageError(f"{option} {path} has more than {MOST_BYTES >> 20} MiB: is it the right file?")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{option} {path}, line {line}: this is not UTF-8: save it as UTF-8") from None


def explain(settings: Mapping[str, Any]) -> list[str]:
    """Say of a job's settings, in lines for people, as what messages go and what filters and duplicates leave out."""
    lines = []
    if settings["api"] != "actions":
        lines.append(f"through {_APIS[settings['api']]}")
    if "mapping" in settings:
        lines.append(f"mapped by {count(len(settings['mapping']['subscriptions']), 'subscription')} of --mapping")
        lines += _notes_on_triggers(settings["mapping"]["subscriptions"])
    if "filters" in settings:
        lines.append(f"filtered by {count(len(settings['filters']), 'filter')} of the destination")
    if "dedupe" in settings:
        lines.append(f"without messages whose id is among the {settings['dedupe']:,} before them")
    if "stamp" in settings:
        lines.append(f"every event stamped {', '.join(f'{key}={value}' for key, value in settings['stamp'].items())}")
    return lines


def _notes_on_triggers(subscriptions: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Say how triggers are read that mix `and` and `or` without parentheses."""
    from replay_cli.segment.triggers import mixed_levels  # what other jobs do without

    for number, subscription in enumerate(subscriptions, 1):
        for level in mixed_levels(subscription["trigger"]):
            text, which = str(level), f"enabled subscription {number} ({subscription['actionSlug']})"
            yield (
                f"note: in the trigger of {which} the last operator, {level.operator}, holds for all of its terms "
                f"(Segment's rule): {text if len(text) <= _LONGEST_NOTE else text[:_LONGEST_NOTE] + '…'}"
            )

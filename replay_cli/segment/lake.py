"""From the columns of a Parquet archive back to messages (pure).

Three kinds of archives are known, told apart by the names of their columns:

- one column holds each message as JSON text (`json_column` finds it);
- flattened, as Segment's Data Lakes write it (documented): `user_id`, `context_app_version`,
  `properties_total`;
- nested: `context`, `properties` and `traits` are structs, or JSON text.

The last two may be mixed, and are read alike: `paths` says where in a message each column belongs, and
`messages` puts them there. Glue lower-cases column names, so `userId`, `user_id` and `userid` are one
(inferred).

- `properties_a_b` becomes `properties["a_b"]`, never nested: what was nested before cannot be told.
- The documented fields of a context become nested again (`context_app_version` → `context.app.version`); an
  unknown one stays flat under `context`.
- JSON text is read back where a message has an object (`properties`, `integrations`, …); elsewhere text stays
  text.
- A column that no message has keeps its name at the top of the message: nothing is lost for `--where` or a
  custom mapping to read, and nothing else reads it.

Names that went through a lake may differ from those that live traffic sent.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from replay_cli.model import Message
from replay_cli.segment.message import MalformedError, parse

Path = tuple[str, ...]
"""Where a column belongs in a message: the keys from the top."""

_TYPES = frozenset({"track", "identify", "page", "screen", "group", "alias"})
_OBJECTS = ("context", "properties", "traits", "integrations", "_metadata")
_TOP = (
    *("type", "event", "userId", "anonymousId", "messageId", "groupId", "previousId", "name", "category"),
    *(
        "timestamp",
        "originalTimestamp",
        "sentAt",
        "receivedAt",
        "channel",
        "version",
        "projectId",
        "writeKey",
    ),
    *_OBJECTS,
)
_CONTEXT = (
    *("active", "channel", "groupId", "ip", "locale", "timezone", "userAgent", "sessionId"),
    *("app.build", "app.name", "app.namespace", "app.version"),
    *("campaign.content", "campaign.medium", "campaign.name", "campaign.source", "campaign.term"),
    *("device.adTrackingEnabled", "device.advertisingId", "device.id", "device.manufacturer", "device.model"),
    *("device.name", "device.token", "device.type", "device.version", "library.name", "library.version"),
    *("location.city", "location.country", "location.latitude", "location.longitude", "location.region"),
    *("location.speed", "network.bluetooth", "network.carrier", "network.cellular", "network.wifi"),
    *("os.name", "os.version", "page.path", "page.referrer", "page.search", "page.title", "page.url"),
    *("referrer.id", "referrer.link", "referrer.name", "referrer.type", "referrer.url"),
    *("screen.density", "screen.height", "screen.width"),
    *("userAgentData.brands", "userAgentData.mobile", "userAgentData.platform"),
    *("personas.computation_class", "personas.computation_id", "personas.computation_key"),
    *("personas.namespace", "personas.space_id", "personas.event_emitted_at"),
)
"""The documented common fields of `context`, and what Engage adds."""
_OPEN = ("traits", "campaign", "personas", "consent.categoryPreferences")
"""Objects in `context` whose keys are the customer's own."""
_IDENTITY = frozenset({"userId", "anonymousId", "messageId", *_OBJECTS})
_JSON_COLUMNS = (
    "message",
    "json",
    "raw",
    "value",
    "data",
    "event_json",
    "payload",
    "body",
    "record",
    "event",
)


def json_column(columns: Sequence[tuple[str, bool]]) -> int | None:
    """Find the column that holds whole messages as JSON text.

    Args:
        columns: name of each column, and whether it holds text (or bytes).

    Returns:
        Its index, or `None` if the columns are the message's own fields.
    """
    texts = [index for index, (_, is_text) in enumerate(columns) if is_text]
    if len(columns) == 1 or not texts:
        return texts[0] if texts else None
    if has_messages(name for name, _ in columns):
        return None
    by_name = {columns[index][0].lower(): index for index in texts}
    named = [by_name[name] for name in _JSON_COLUMNS if name in by_name]
    if named:
        return named[0]
    return texts[0] if len(texts) == 1 else None


def has_messages(names: Iterable[str]) -> bool:
    """Tell whether columns are the fields of messages: an id, or an object of the message, is among them."""
    return any(path[0] in _IDENTITY for path in paths(list(names)))


def paths(names: Sequence[str]) -> list[Path]:
    """Tell where in a message each of these columns belongs."""
    return [_path(name) for name in names]


def messages(
    where: Sequence[Path], columns: Sequence[Sequence[Any]], count: int, segment_type: str | None = None
) -> list[Message]:
    """Put rows together again.

    Args:
        where: the path of each column.
        columns: the values of each column; `None` is absent, and stays out of the message. Of two columns
            with one path (`userId` and `user_id`), the last that has a value counts.
        count: how many values each column has.
        segment_type: the partition that the rows are from, for those that have no `type` themselves.
    """
    read = [(path, _objects(path, values)) for path, values in zip(where, columns, strict=True)]
    rows = _build(read, count)
    kind = type_of_table(segment_type)
    if kind is not None:
        for row in rows:
            row.setdefault("type", kind)
    return rows


def type_of_table(segment_type: str | None) -> str | None:
    """Return the type of the rows of a partition that have no `type` themselves; None when they have none."""
    return segment_type if segment_type in _TYPES else None


def may_be_dead_letters(where: Iterable[Path]) -> bool:
    """Tell whether rows may be lines of a dead-letter file, which are judged by the messages in them."""
    return {("kind",), ("uri",), ("ordinal",)} <= set(where)


def combine(names: Sequence[str], columns: Sequence[Sequence[Any]], count: int) -> list[dict[str, Any]]:
    """Make `count` rows of columns; `None` stays out of its row, and of equal names the last counts."""
    if not columns:
        return [{} for _ in range(count)]
    return [
        {name: value for name, value in zip(names, row, strict=True) if value is not None}
        for row in zip(*columns, strict=True)
    ]


def _build(columns: Sequence[tuple[Path, Sequence[Any]]], count: int) -> list[dict[str, Any]]:
    """Make objects of columns, whose paths begin at these objects."""
    names: list[str] = []
    values: list[Sequence[Any]] = []
    below: dict[str, list[tuple[Path, Sequence[Any]]]] = {}
    for path, column in columns:
        if len(path) == 1:
            names.append(path[0])
            values.append(column)
        else:
            below.setdefault(path[0], []).append((path[1:], column))
    for name, inner in below.items():
        built: Sequence[Any] = _build(inner, count)
        if name in names:  # an object beside its own flattened fields
            wholes = values[names.index(name)]
            built = [_merged(whole, fields) for whole, fields in zip(wholes, built, strict=True)]
        names.append(name)
        values.append([fields or None for fields in built])
    return combine(names, values, count)


def _merged(whole: Any, fields: dict[str, Any]) -> Any:
    if isinstance(whole, Mapping):
        return {**whole, **fields}
    return fields or whole


def _objects(path: Path, values: Sequence[Any]) -> Sequence[Any]:
    if path not in _OBJECT_PATHS:
        return values
    return [_object(value) if isinstance(value, str) else value for value in values]


def _object(text: str) -> Any:
    """Read JSON text; text that is no object stays text, for validation to refuse it in the usual words."""
    try:
        return parse(text.encode())[0]
    except MalformedError:
        return text


def _path(name: str) -> Path:
    flat = name.replace(".", "_")
    known = _KNOWN.get(_plain(flat))
    if known is not None:
        return known
    for prefix, path in _PREFIXES:
        if match := prefix.match(flat):
            return (*path, flat[match.end() :])
    return (name,)


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _known() -> Iterator[tuple[str, Path]]:
    for field in _CONTEXT:
        yield _plain(f"context{field.replace('.', '')}"), ("context", *field.split("."))
    for name in _TOP:
        yield _plain(name), (name,)


def _prefixes() -> Iterator[tuple[re.Pattern[str], Path]]:
    nested = (f"context.{name}" for name in _OPEN)
    for field in chain(nested, ("context", "properties", "traits", "integrations")):
        words = re.sub(r"([A-Z])", r"_?\1", field).replace(".", "_")
        yield re.compile(f"{words}_(?=.)", re.IGNORECASE), tuple(field.split("."))


def _object_paths() -> Iterator[Path]:
    for name in _OBJECTS:
        yield (name,)
    for field in (*_CONTEXT, *(f"{name}." for name in _OPEN)):
        yield ("context", *field.split(".")[:-1])


_KNOWN = dict(_known())
_OBJECT_PATHS = frozenset(_object_paths())
_PREFIXES = tuple(_prefixes())

"""The one object of a checkpoint on S3 that is ever overwritten: who has it, which snapshot counts, the horizon (pure).

It is small JSON, and always stored by a conditional put. Two manifests are never the same bytes (`serial` counts the
puts of an owner, whose id is random), so that an etag that was seen stands for one put and no other.
"""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

from replay_cli.errors import UsageError
from replay_cli.remote.horizon import Announced, Ranges, joined
from replay_cli.remote.place import Place

FORMAT = 1
LARGEST_BYTES = 32 << 20
"""No manifest is longer; one that would be is not written."""
LONGEST_LEASE = 3600.0
_TEXT = 2048
_DEEPEST = 8
_MOST_PARKED = 10_000_000
_LARGEST = 1 << 62
_OWNER_ID = re.compile(r"[0-9a-f]{32}")
_SNAPSHOT = re.compile(r"\.[0-9a-f]{32}-[0-9]{1,9}\.gz")

T = TypeVar("T")


class JobIdentity(NamedTuple):
    """Whose checkpoint it is."""

    name: str
    endpoint: str
    workspace_id: str


class Owner(NamedTuple):
    """A run that has, or had, a checkpoint; `since` is in POSIX seconds of the store's clock."""

    id: str
    host: str
    pid: int
    user: str
    version: str
    since: float

    @property
    def shown(self) -> str:
        """Name it for a person."""
        return f"pid {self.pid} on {printable(self.host)}"


class Snapshot(NamedTuple):
    """A stored copy of the checkpoint, gzipped.

    `at` is when it was stored, in POSIX seconds of the store's clock; `bytes` is its size as it is stored, `unpacked`
    the checkpoint's own.
    """

    key: str
    at: float
    bytes: int
    unpacked: int


@dataclass(frozen=True)
class Manifest:
    """What is known of a checkpoint on S3.

    `ttl` is for how many seconds the owner has it after `renewed`, which is in POSIX seconds of the store's clock.
    `parked` has half-open ranges of the numbers of parked requests.
    """

    job: JobIdentity
    owner: Owner
    ttl: float
    renewed: float
    serial: int = 0
    released: bool = False
    snapshot: Snapshot | None = None
    announced: Sequence[Announced] = ()
    parked: Ranges = ()
    summary: Mapping[str, Any] | None = None

    def to_bytes(self) -> bytes:
        """Write it as JSON; numbers of parked requests are ranges with both ends in them."""
        fields = {
            "format": FORMAT,
            "job": self.job.name,
            "endpoint": self.job.endpoint,
            "workspace_id": self.job.workspace_id,
            "owner": self.owner._asdict(),
            "released": self.released,
            "ttl": self.ttl,
            "renewed": self.renewed,
            "serial": self.serial,
            "snapshot": self.snapshot and self.snapshot._asdict(),
            "announced": self.announced,
            "parked": [(first, after - 1) for first, after in self.parked],
            "summary": self.summary,
        }
        return json.dumps(fields, allow_nan=False, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, data: bytes, place: Place) -> "Manifest":
        """Read one.

        Args:
            data: as it was stored.
            place: where.

        Raises:
            UsageError: it is no manifest, or one of another version.
        """
        try:
            return _manifest(json.loads(data.decode(), parse_constant=_no_number), place)
        # A RecursionError is what nesting a thousand levels deep raises.
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            raise UsageError(f"{place.uri} is no checkpoint of replay: name another object") from None

    def renewed_by(self, owner: Owner, ttl: float, now: float) -> "Manifest":
        """Give it to a new owner, with all that is known of the old one's sending."""
        return replace(self, owner=owner, ttl=ttl, renewed=now, serial=0, released=False)


def printable(text: str) -> str:
    """Make a text that others wrote fit to be shown: on one line, not long, and without codes for the terminal."""
    return "".join(letter if letter.isprintable() else "�" for letter in text[:200])


def is_snapshot_of(key: str, place: Place) -> bool:
    """Tell whether a key is that of a snapshot of a checkpoint."""
    return key.startswith(place.key) and _SNAPSHOT.fullmatch(key[len(place.key) :]) is not None


def _manifest(fields: Any, place: Place) -> Manifest:
    found = _typed(fields, dict)
    if found.get("format") != FORMAT and isinstance(found.get("format"), int) and "owner" in found:
        raise UsageError(f"{place.uri} was written by another version of replay: use that one, or a newer one")
    if found["format"] != FORMAT:
        raise ValueError
    return Manifest(
        job=JobIdentity(_text(found["job"]), _text(found["endpoint"]), _text(found["workspace_id"])),
        owner=_owner(found["owner"]),
        ttl=_seconds(found["ttl"], LONGEST_LEASE),
        renewed=_seconds(found["renewed"], float(_LARGEST)),
        serial=_count(found["serial"]),
        released=_typed(found["released"], bool),
        snapshot=None if found["snapshot"] is None else _snapshot(found["snapshot"], place),
        announced=_list(found["announced"], _announced),
        parked=_parked(found["parked"]),
        summary=None if found["summary"] is None else _shallow(_typed(found["summary"], dict), _DEEPEST),
    )


def _owner(fields: Any) -> Owner:
    found = _typed(fields, dict)
    if not _OWNER_ID.fullmatch(_text(found["id"])):
        raise ValueError
    texts = {name: _text(found[name]) for name in ("id", "host", "user", "version")}
    return Owner(**texts, pid=_count(found["pid"]), since=_seconds(found["since"], float(_LARGEST)))


def _snapshot(fields: Any, place: Place) -> Snapshot:
    found = _typed(fields, dict)
    key = _text(found["key"])
    if not is_snapshot_of(key, place):  # else whoever wrote the manifest could have any object removed
        raise ValueError
    at = _seconds(found["at"], float(_LARGEST))
    return Snapshot(key, at, _count(found["bytes"]), _count(found["unpacked"]))


def _announced(entry: Any) -> Announced:
    uri, etag, first, after = _typed(entry, list)
    if not _count(first) < _count(after):
        raise ValueError
    return Announced(_text(uri), _text(etag), first, after)


def _parked(entries: Any) -> Ranges:
    ranges = joined(_list(entries, _range))
    if sum(after - first for first, after in ranges) > _MOST_PARKED:
        raise ValueError
    return ranges


def _range(entry: Any) -> tuple[int, int]:
    first, last = _typed(entry, list)
    if not _count(first) <= _count(last):
        raise ValueError
    return first, last + 1


def _shallow(value: Any, levels: int) -> Any:
    """Refuse what is nested so deeply that it might be read here, and not be written there."""
    if levels == 0:
        raise ValueError
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _shallow(inner, levels - 1)
    return value


def _list(entries: Any, read: Callable[[Any], T]) -> list[T]:
    return [read(entry) for entry in _typed(entries, list)]


def _typed(value: Any, kind: type[T]) -> T:
    if not isinstance(value, kind):
        raise TypeError
    return value


def _text(value: Any) -> str:
    if len(_typed(value, str)) > _TEXT:
        raise ValueError
    return str(value)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not 0 <= _typed(value, int) <= _LARGEST:
        raise ValueError
    return int(value)


def _seconds(value: Any, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    if not (math.isfinite(value) and 0 <= value <= most):
        raise ValueError
    return float(value)


def _no_number(name: str) -> float:
    raise ValueError(name)

"""Small archives made for a test."""

import gzip
import json
import random
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from replay_cli.archive import Source
from replay_cli.model import ArchiveObject


def objects(source: Source) -> list[ArchiveObject]:
    """All objects of a source, in reading order."""
    return [obj for page in source.pages() for obj in page]


def message(n: int, **changes: Any) -> dict[str, Any]:
    """One track that says which it is: `properties.n`. Times rise with `n`."""
    second, milli = divmod(n, 1000)
    minute, second = divmod(second, 60)
    return {
        "type": "track",
        "userId": f"user-{n % 97}",
        "event": "Tested",
        "messageId": f"m-{n}",
        "timestamp": f"2025-03-01T10:{minute:02}:{second:02}.{milli:03}Z",
        "properties": {"n": n},
    } | changes


def history(count: int, users: int, seed: int = 1) -> list[dict[str, Any]]:
    """A history of users who come with a user id, an anonymous id, or both: `count` messages, sendable or not.

    About one in ten is a page, which nobody subscribes to.
    """
    generator = random.Random(seed)
    messages = []
    for n in range(count):
        person = generator.randrange(users)
        ids: dict[str, Any] = {}
        if generator.random() < 0.8:
            ids["userId"] = f"user-{person}"
        if not ids or generator.random() < 0.5:
            ids["anonymousId"] = f"anon-{generator.choice([person, generator.randrange(users)])}"
        kind = "page" if generator.random() < 0.1 else "track"
        made = message(n, type=kind)
        del made["userId"]
        messages.append(made | ids)
    return messages


def write_lines(path: Path, records: Iterable[Mapping[str, Any] | bytes]) -> Path:
    """Write records (or raw lines) as JSON lines, gzipped when the name says so."""
    lines = b"".join(
        (record if isinstance(record, bytes) else json.dumps(record).encode()) + b"\n" for record in records
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(lines, mtime=0) if path.suffix == ".gz" else lines)
    return path

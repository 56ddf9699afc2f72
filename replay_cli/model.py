"""The vocabulary: the small frozen values that travel from an archive to MoEngage.

    location → ArchiveObject → RecordBatch → message → Request → Reply → Outcome

A record's place is its object and its `ordinal`: the 0-based line number in a JSONL object (blank lines take one,
but are no records), the 0-based row number in a Parquet one. Messages to people say `line` or `row`, 1-based.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

Message = dict[str, Any]
"""One Segment message as its archive holds it, in Segment's own names (`userId`, `anonymousId`, …)."""

BATCH_RECORDS = 1000
"""A batch ends after this many ordinals …"""
BATCH_BYTES = 2 << 20
"""… or with the line that takes it to this many bytes (2 MiB), whichever comes first."""
MAX_RECORD_BYTES = 1 << 20
"""A longer record (1 MiB) is never read into memory: it is rejected as `oversized`."""


class Unit(StrEnum):
    """What an ordinal counts, as people call it."""

    LINE = "line"
    ROW = "row"


class ArchiveObject(NamedTuple):
    """One file or S3 object.

    `uri` is canonical (an absolute path, or `s3://bucket/key`); `etag` is taken to change with the content (on disk it
    is made of the size and the time of the last change); `size` is in bytes as stored (compressed).
    """

    uri: str
    size: int
    etag: str


class Unreadable(NamedTuple):
    """A record that could not even be taken out of its object; `excerpt` is its beginning."""

    reason: str
    detail: str
    excerpt: bytes


class LeftOut(NamedTuple):
    """A record that need not be read: what is known of all those around it tells that it is skipped, and why."""

    reason: str


Record = bytes | Message | Unreadable | LeftOut
"""One line as bytes without its end (blank lines are `b""`), one Parquet row as a message, or why it is neither."""


class RecordBatch(NamedTuple):
    """Consecutive records of one object: `records[i]` has the ordinal `first + i`.

    Where one batch ends and the next begins depends on the object alone, never on where reading began, so a
    resumed run sees the same batches. (Records that are all `LeftOut` may be in fewer batches than if they were read;
    `archive.read` can be told where else to cut them.) `consumed` is how many stored bytes of the object were read
    so far (for progress).
    """

    object: ArchiveObject
    first: int
    records: Sequence[Record]
    unit: Unit
    consumed: int

    @property
    def next(self) -> int:
        """The first ordinal after this batch."""
        return self.first + len(self.records)


class Position(NamedTuple):
    """Where a record stands."""

    uri: str
    etag: str
    ordinal: int


class Skipped(NamedTuple):
    """A record that the operator's selection, or the API's subscriptions, leave out."""

    ordinal: int
    reason: str


class Rejected(NamedTuple):
    """A record that cannot be sent: `detail` says why to a person, `record` is its text (or its beginning)."""

    ordinal: int
    reason: str
    detail: str
    record: bytes


class Request(NamedTuple):
    """One HTTP request, ready to send, and the records it carries.

    `ordinals` and `records` (the archived texts, for dead letters) run in parallel; `part` numbers the requests
    that one record becomes, from 0. `users` are the lanes it keeps to: one key for each id that it names.
    """

    ordinals: tuple[int, ...]
    part: int
    method: str
    path: str
    body: bytes
    users: tuple[str, ...]
    records: tuple[bytes, ...]

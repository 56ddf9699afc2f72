"""From a batch of records to the requests that they become: the pure middle of every run, dry or not."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import orjson

from replay_cli.model import Message, RecordBatch, Rejected, Request, Skipped, Unreadable
from replay_cli.moengage.mapping import Draft, Mapping, UnmappableError
from replay_cli.moengage.preflight import MISSING_TIME, check_identity, check_size, refuse_future
from replay_cli.segment.javascript import instant
from replay_cli.segment.message import MalformedError, parse

NOT_SUBSCRIBED = "not_subscribed"
LONE_SURROGATE = "lone_surrogate"
_ISO_LENGTH = len("2025-03-01T10:00:00.000Z")


class Prepared(NamedTuple):
    """What became of a batch. Every record is in exactly one of the three lists (blank lines are in none).

    `requests` are in the order in which they are sent: by time as instants, records without a time staying behind
    the one before them. `warnings` counts records by rule.
    """

    batch: RecordBatch
    records: int
    requests: list[Request]
    skipped: list[Skipped]
    rejected: list[Rejected]
    warnings: Counter[str]


class Preparation:
    """Prepares batches one after the other.

    Args:
        mapping: the API's mapping.
        strict: reject what would otherwise only be warned about.
        clock: POSIX seconds; a message dated after it is in the future.
    """

    def __init__(self, mapping: Mapping, *, strict: bool, clock: Callable[[], float]) -> None:
        self._map = mapping
        self._strict = strict
        self._clock = clock

    def __call__(self, batch: RecordBatch) -> Prepared:
        """Prepare one batch; never raises for what is in it."""
        now = iso_instant(self._clock())
        timed: list[tuple[str, Request]] = []
        prepared = Prepared(batch, 0, [], [], [], Counter())
        records, latest = 0, ""
        for ordinal, record in enumerate(batch.records, batch.first):
            if record == b"":
                continue
            records += 1
            try:
                latest = self._prepare(ordinal, record, now, latest, timed, prepared)
            except (MalformedError, UnmappableError) as error:
                prepared.rejected.append(Rejected(ordinal, error.reason, str(error), text_of(record)))
        timed.sort(key=_time)
        return prepared._replace(records=records, requests=[request for _, request in timed])

    def _prepare(
        self,
        ordinal: int,
        record: bytes | Message | Unreadable,
        now: str,
        latest: str,
        timed: list[tuple[str, Request]],
        prepared: Prepared,
    ) -> str:
        """Prepare one record; return its time, or `latest` if it has none."""
        if isinstance(record, bytes):
            message, replaced = parse(record)
            if replaced:
                self._warn(LONE_SURROGATE, "lone surrogates would be sent as U+FFFD", prepared)
        elif isinstance(record, Unreadable):
            raise MalformedError(record.reason, record.detail)
        else:
            message, record = record, orjson.dumps(record)
        drafts = self._map(message)
        if not drafts:
            prepared.skipped.append(Skipped(ordinal, NOT_SUBSCRIBED))
            return latest
        timestamp = message.get("timestamp")
        if timestamp.__class__ is str and len(timestamp) == _ISO_LENGTH and timestamp[4::19] == "-Z":
            time = timestamp  # the archives' form, which sorts as text
        else:
            time = self._odd_time(timestamp, latest, prepared)
        if time > now:
            refuse_future(timestamp)
        self._request(ordinal, record, drafts, time, timed, prepared)
        return time

    def _odd_time(self, timestamp: object, latest: str, prepared: Prepared) -> str:
        if timestamp is None or timestamp == "":
            self._warn(MISSING_TIME, "no timestamp: MoEngage would take the time of receipt", prepared)
            return latest
        seconds = instant(timestamp)
        return latest if seconds is None else iso_instant(seconds)

    def _request(
        self,
        ordinal: int,
        record: bytes,
        drafts: Sequence[Draft],
        time: str,
        timed: list[tuple[str, Request]],
        prepared: Prepared,
    ) -> None:
        requests = []
        for part, (path, body, users) in enumerate(drafts):
            rule = check_identity(body)
            if rule is not None:
                self._warn(rule, f"MoEngage does not take {body.get('user_id')!r} for a user id", prepared)
            try:
                wire = orjson.dumps(body)
            except (TypeError, orjson.JSONEncodeError) as error:
                raise UnmappableError("unserializable", str(error)) from None
            check_size(wire)
            requests.append((time, Request((ordinal,), part, "POST", path, wire, users, (record,))))
        timed += requests

    def _warn(self, rule: str, detail: str, prepared: Prepared) -> None:
        if self._strict:
            raise UnmappableError(rule, detail)
        prepared.warnings[rule] += 1


def _time(timed: tuple[str, Request]) -> str:
    return timed[0]


def iso_instant(seconds: float) -> str:
    """Return POSIX seconds in the archives' form, `2025-03-01T10:00:00.000Z`; out of range, the nearest year."""
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return "9999-12-31T23:59:59.999Z" if seconds > 0 else "0001-01-01T00:00:00.000Z"
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"


def text_of(record: bytes | Message | Unreadable) -> bytes:
    """Return a record's text, or its beginning where it was not read whole."""
    if isinstance(record, bytes):
        return record
    return record.excerpt if isinstance(record, Unreadable) else orjson.dumps(record)

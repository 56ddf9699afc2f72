"""From a batch of records to the requests that they become: the pure middle of every run, dry or not."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

import orjson

from replay_cli.model import Message, Record, RecordBatch, Rejected, Request, Skipped, Unreadable
from replay_cli.moengage.mapping import Mapping, UnmappableError
from replay_cli.moengage.preflight import (
    MAX_BODY_BYTES,
    MISSING_TIME,
    RESERVED_ID,
    is_reserved,
    refuse_future,
    refuse_size,
)
from replay_cli.segment.javascript import instant
from replay_cli.segment.message import MalformedError, dead_letter_record, parse, refuse_kind, to_json
from replay_cli.segment.selection import EVERYTHING, Selection

NOT_SUBSCRIBED = "not_subscribed"
LONE_SURROGATE = "lone_surrogate"
UNKNOWN_TYPE = "unknown_type"
_TYPES = ("track", "identify", "page", "screen", "group", "alias")
_BATCH_MEMORY = 8 << 20
"""Bytes that a batch and its requests take at most, nearly always."""
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
        selection: which messages are meant; the others are skipped with its reasons. In a line of a dead-letter file
            it judges the message that is in there.
    """

    def __init__(
        self, mapping: Mapping, *, strict: bool, clock: Callable[[], float], selection: Selection = EVERYTHING
    ) -> None:
        self._map = mapping
        self._strict = strict
        self._clock = clock
        self._selection = selection
        _keep_freed_memory()

    def __call__(self, batch: RecordBatch) -> Prepared:
        """Prepare one batch; never raises for what is in it."""
        now = iso_instant(self._clock())
        prepared = Prepared(batch, 0, [], [], [], Counter())
        requests, times = prepared.requests, [""]
        # Every replayed message passes here, so the loop is written for speed: few calls, few look-ups.
        loads, dumps, new, map_message, blank = orjson.loads, orjson.dumps, tuple.__new__, self._map, 0
        reason_against, against = self._selection.for_object(batch.object.uri), None
        for ordinal, record in enumerate(batch.records, batch.first):
            if record == b"":
                blank += 1
                continue
            try:
                try:
                    message, text, replaced = loads(record), record, False  # type: ignore[arg-type] # or it raises
                except orjson.JSONDecodeError:
                    message, text, replaced = _read_with_care(record)
                if message.__class__ is not dict:
                    refuse_kind(message)
                if reason_against is not None:
                    against = reason_against(message)
                    if against is not None and dead_letter_record(message) is None:
                        prepared.skipped.append(Skipped(ordinal, against))
                        continue
                drafts = map_message(message)
                if not drafts:
                    letter = dead_letter_record(message)
                    if letter is not None and reason_against is not None:
                        against = reason_against(letter)
                        if against is not None:
                            prepared.skipped.append(Skipped(ordinal, against))
                            continue
                    if letter is None or not (drafts := map_message(letter)):
                        if message.get("type") not in _TYPES:
                            self._warn(UNKNOWN_TYPE, f"{message.get('type')!r} is no type of a message", prepared)
                        prepared.skipped.append(Skipped(ordinal, NOT_SUBSCRIBED))
                        continue
                    message, text = letter, to_json(letter)
                elif against is not None:  # a message after all, though it looked like a dead letter
                    prepared.skipped.append(Skipped(ordinal, against))
                    continue
                if replaced:
                    self._warn(LONE_SURROGATE, "lone surrogates would be sent as U+FFFD", prepared)
                time = message.get("timestamp")
                # The archives' form sorts as text; every other is brought into it.
                if time.__class__ is not str or len(time) != _ISO_LENGTH or time[4:20:3] != "--T::." or time[-1] != "Z":
                    time = self._odd_time(time, times[-1], prepared)
                if time > now:
                    refuse_future(message["timestamp"])
                for part, (path, body, users) in enumerate(drafts):
                    user = body.get("user_id")
                    if user is not None and is_reserved(user):
                        self._warn(RESERVED_ID, f"MoEngage does not take {user!r} for a user id", prepared)
                    try:
                        wire = dumps(body)
                    except TypeError:
                        wire = to_json(body)  # says why not
                    if len(wire) > MAX_BODY_BYTES:
                        refuse_size(wire)
                    requests.append(new(Request, ((ordinal,), part, "POST", path, wire, users, (text,))))
                    times.append(time)
            except (MalformedError, UnmappableError) as error:
                while requests and requests[-1].ordinals[0] == ordinal:
                    del requests[-1], times[-1]
                prepared.rejected.append(Rejected(ordinal, error.reason, str(error), text_of(record)))
        del times[0]
        order = sorted(range(len(times)), key=times.__getitem__)
        return prepared._replace(records=len(batch.records) - blank, requests=[requests[index] for index in order])

    def _odd_time(self, timestamp: object, latest: str, prepared: Prepared) -> str:
        if timestamp is None or timestamp == "":
            self._warn(MISSING_TIME, "no timestamp: MoEngage would take the time of receipt", prepared)
            return latest
        seconds = instant(timestamp)
        return latest if seconds is None else iso_instant(seconds)

    def _warn(self, rule: str, detail: str, prepared: Prepared) -> None:
        if self._strict:
            raise UnmappableError(rule, detail)
        prepared.warnings[rule] += 1


def _keep_freed_memory() -> None:
    """Let malloc keep a batch's memory for the next one: to give it back each time costs a quarter of the speed.

    glibc learns from a big block that is freed: from then on it gives memory back only beyond twice its size.
    Elsewhere this does nothing.
    """
    bytearray(_BATCH_MEMORY)


def iso_instant(seconds: float) -> str:
    """Return POSIX seconds in the archives' form, `2025-03-01T10:00:00.000Z`; out of range, the nearest year."""
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return "9999-12-31T23:59:59.999Z" if seconds > 0 else "0001-01-01T00:00:00.000Z"
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"


def text_of(record: Record) -> bytes:
    """Return a record's text, its beginning where it was not read whole, its plain fields where it is too deep."""
    if isinstance(record, bytes):
        return record
    if isinstance(record, Unreadable):
        return record.excerpt
    try:
        return to_json(record)
    except MalformedError:
        return to_json({name: value for name, value in record.items() if not isinstance(value, dict | list)})


def _read_with_care(record: Record) -> tuple[Message, bytes, bool]:
    """Return the message of a record that orjson does not take, its text, and whether surrogates were replaced."""
    if isinstance(record, bytes):
        message, replaced = parse(record)
        return message, record, replaced
    if isinstance(record, Unreadable):
        raise MalformedError(record.reason, record.detail)
    return record, to_json(record), False

"""From a batch of records to the requests that they become: the pure middle of every run, dry or not."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

import orjson

from replay_cli.model import LeftOut, Message, Record, RecordBatch, Rejected, Request, Skipped, Unreadable
from replay_cli.moengage.mapping import Api, Concern, Draft, NotTakenError, UnmappableError
from replay_cli.moengage.preflight import LEAST_SKIMMED, MISSING_TIME, MOST_SKIMMED, refuse_future, refuse_size
from replay_cli.segment.criteria import NO_CONSENT, unknown_categories
from replay_cli.segment.javascript import instant
from replay_cli.segment.lists import NO_LISTS, SUPPRESSED, Lists, person
from replay_cli.segment.message import MalformedError, dead_letter_record, parse, refuse_kind, to_json
from replay_cli.segment.selection import EVERYTHING, Selection
from replay_cli.segment.selector import all_of

NOT_SUBSCRIBED = "not_subscribed"
LONE_SURROGATE = "lone_surrogate"
UNKNOWN_TYPE = "unknown_type"
UNKNOWN_CATEGORY = "unknown_consent_category"
_TYPES = ("track", "identify", "page", "screen", "group", "alias")
_BATCH_MEMORY = 8 << 20
"""Bytes that a batch and its requests take at most, nearly always."""
_ISO_LENGTH = len("2025-03-01T10:00:00.000Z")


class Example(NamedTuple):
    """A record that a warning is about: `detail` says to a person what of it."""

    ordinal: int
    detail: str


class Prepared(NamedTuple):
    """What became of a batch. Every record is in exactly one of the three lists (blank lines are in none).

    `requests` are in the order in which they are sent: by time as instants, records without a time staying behind
    the one before them. In parallel with them run `message_ids` (None: there is none), `events` (the event's name as
    it is sent; "" for what updates a user) and `times` (that they are ordered by: `2025-03-01T10:00:00.000Z`; "" for
    none so far). `warnings` counts records by rule, of which `examples` has the first one each.
    """

    batch: RecordBatch
    records: int
    requests: list[Request]
    message_ids: list[Any]
    events: list[str]
    times: list[str]
    skipped: list[Skipped]
    rejected: list[Rejected]
    warnings: Counter[str]
    examples: dict[str, Example]


Filter = Callable[[Message], Message | str]
"""Message → the message as it goes on (the given one stays as it is), or the reason why it is left out."""


class Observer(Protocol):
    """Looks on while batches are prepared; it changes nothing and never raises."""

    def message(self, ordinal: int, message: Message) -> None:
        """See a record that is a message, before anything else becomes of it."""

    def drafts(self, drafts: Sequence[Draft]) -> None:
        """See what the latest message becomes, when it is certain that all of it can be sent."""

    def concerns(self, ordinal: int, details: Mapping[str, str]) -> None:
        """See what is warned about: rule → its detail."""


class Preparation:
    """Prepares batches one after the other.

    Args:
        api: how messages become requests.
        strict: reject what would otherwise only be warned about.
        clock: POSIX seconds; a message dated after it is in the future.
        selection: which messages are meant; the others are skipped with its reasons. In a line of a dead-letter file
            it judges the message that is in there.
        lists: judge by ids what the selection has left in, and once more the ids that a mapping has made of them.
        filters: the destination's filters, for what is still there.
        observer: looks on.
        without_bodies: nothing is sent, so a request may have an empty body: of a message that is within all limits, as
            far as its own JSON tells. All else is the same.
    """

    def __init__(
        self,
        api: Api,
        *,
        strict: bool,
        clock: Callable[[], float],
        selection: Selection = EVERYTHING,
        lists: Lists = NO_LISTS,
        filters: Filter | None = None,
        observer: Observer | None = None,
        without_bodies: bool = False,
    ) -> None:
        self.api = api
        self._strict = strict
        self._clock = clock
        self._selection = selection
        self._lists = lists
        self._listed = lists.selector()
        self._filters = filters
        self._observer = observer
        self._skims = without_bodies and api.is_verbatim
        _keep_freed_memory()

    def __call__(self, batch: RecordBatch) -> Prepared:
        """Prepare one batch; never raises for what is in it."""
        first = batch.records[0] if batch.records else None
        if isinstance(first, LeftOut) and all(record is first for record in batch.records):
            return _left_out(batch, first.reason)
        prepared = Prepared(batch, 0, [], [], [], [""], [], [], Counter(), {})
        blank = self._prepare_each(batch, prepared)
        del prepared.times[0]
        return _in_order(prepared._replace(records=len(batch.records) - blank))

    def _prepare_each(self, batch: RecordBatch, prepared: Prepared) -> int:
        """Put what becomes of each record into `prepared`, whose times begin with ""; return how many are blank."""
        # Every replayed message passes here, so the loop is written for speed: few calls, few look-ups.
        _, _, requests, ids, events, times, skipped, rejected, _, _ = prepared
        _, map_message, check, max_body_bytes, _, time_of, event_of, screen, _ = self.api
        is_ordinary, skims = screen or _is_never_ordinary, self._skims
        loads, dumps, new, concerns, blank = orjson.loads, orjson.dumps, tuple.__new__, list[Concern](), 0
        see, see_drafts = (None, None) if self._observer is None else (self._observer.message, self._observer.drafts)
        is_suppressed = None if self._lists.suppressed is None else self._lists.suppressed.has
        reason_against, filters = all_of((self._selection.for_object(batch.object.uri), self._listed)), self._filters
        now = iso_instant(self._clock())
        text: bytes
        for ordinal, record in enumerate(batch.records, batch.first):
            if record == b"":
                blank += 1
                continue
            try:
                try:
                    # What is no text is refused here, too: so the checks of types are silenced.
                    message, text, replaced = loads(record), record, False  # type: ignore[arg-type, assignment]
                except orjson.JSONDecodeError:
                    message, text, replaced = _read_with_care(record)
                if message.__class__ is not dict:
                    refuse_kind(message)
                if "type" not in message and (letter := dead_letter_record(message)) is not None:
                    message, text = letter, to_json(letter)
                if see is not None:
                    see(ordinal, message)
                if reason_against is not None and (against := reason_against(message)) is not None:
                    self._leave_out(ordinal, message, against, prepared)
                    continue
                message_id = message.get("messageId")  # before filters can take it away
                if filters is not None and (message := filters(message)).__class__ is str:
                    skipped.append(Skipped(ordinal, message))
                    continue
                drafts = map_message(message)
                if not drafts:
                    self._leave_to_nobody(ordinal, message, prepared)
                    continue
                if len(drafts) > 1:
                    drafts = _side_by_side(drafts)
                if is_suppressed is not None and names(drafts, is_suppressed):
                    skipped.append(Skipped(ordinal, SUPPRESSED))
                    continue
                if replaced:
                    concerns.append(Concern(LONE_SURROGATE, "lone surrogates would be sent as U+FFFD"))
                time = dated = message.get("timestamp")
                # The archives' form sorts as text; every other is brought into it.
                if time.__class__ is not str or len(time) != _ISO_LENGTH or time[4:20:3] != "--T::." or time[-1] != "Z":
                    time = _odd_time(time, times[-1], concerns)
                if time > now:
                    refuse_future(dated)
                for part, (path, body, users) in enumerate(drafts):
                    if skims and LEAST_SKIMMED <= len(text) <= MOST_SKIMMED and is_ordinary(body, text):
                        wire = b""
                    else:
                        try:
                            wire = dumps(body)
                        except TypeError:
                            wire = to_json(body)  # says why not
                        if len(wire) > max_body_bytes:
                            refuse_size(wire, max_body_bytes)
                        if not is_ordinary(body, wire) and (found := check(body, wire)):
                            concerns += found
                    if time_of is not None:
                        _check_time(time_of(body), now, concerns)
                    requests.append(new(Request, ((ordinal,), part, "POST", path, wire, users, (text,))))
                    times.append(time)
                    ids.append(message_id)
                    events.append(body.get("event", "") if event_of is None else event_of(body))
                if concerns:
                    self._note(ordinal, concerns, prepared)
                if see_drafts is not None:
                    see_drafts(drafts)
            except (MalformedError, UnmappableError) as error:
                _take_back(ordinal, prepared)
                concerns.clear()
                rejected.append(Rejected(ordinal, error.reason, str(error), text_of(record)))
            except NotTakenError as error:
                skipped.append(Skipped(ordinal, error.reason))
        return blank

    def _leave_out(self, ordinal: int, message: Message, reason: str, prepared: Prepared) -> None:
        """Skip a message that is not meant, and say so where its consent speaks of other categories."""
        prepared.skipped.append(Skipped(ordinal, reason))
        if reason is NO_CONSENT:
            detail = unknown_categories(message, self._selection.content.consent)
            if detail is not None:
                self._count(ordinal, [Concern(UNKNOWN_CATEGORY, detail)], prepared)

    def _leave_to_nobody(self, ordinal: int, message: Message, prepared: Prepared) -> None:
        """Skip a message that no subscription takes.

        Raises:
            UnmappableError: it is strict, and of no type that there is.
        """
        if message.get("type") not in _TYPES:
            detail = f"{message.get('type')!r} is no type of a message"
            self._note(ordinal, [Concern(UNKNOWN_TYPE, detail)], prepared)
        prepared.skipped.append(Skipped(ordinal, NOT_SUBSCRIBED))

    def _note(self, ordinal: int, concerns: list[Concern], prepared: Prepared) -> None:
        """Count a record's concerns, each rule once, and forget them; or refuse the record.

        Raises:
            UnmappableError: it is strict.
        """
        if self._strict:
            raise UnmappableError(*concerns[0])
        self._count(ordinal, concerns, prepared)

    def _count(self, ordinal: int, concerns: list[Concern], prepared: Prepared) -> None:
        details = dict(reversed(concerns))
        for rule, detail in details.items():
            prepared.warnings[rule] += 1
            prepared.examples.setdefault(rule, Example(ordinal, detail))
        if self._observer is not None:
            self._observer.concerns(ordinal, details)
        concerns.clear()


def _take_back(ordinal: int, prepared: Prepared) -> None:
    """Take back the requests of a record that is refused after all."""
    _, _, requests, ids, events, times, *_ = prepared
    while requests and requests[-1].ordinals[0] == ordinal:
        del requests[-1], ids[-1], events[-1], times[-1]


def _in_order(prepared: Prepared) -> Prepared:
    """Bring requests into the order of their times."""
    times = prepared.times
    if times == sorted(times):  # as nearly all archives have them
        return prepared
    order = sorted(range(len(times)), key=times.__getitem__)
    return prepared._replace(
        requests=[prepared.requests[index] for index in order],
        message_ids=[prepared.message_ids[index] for index in order],
        events=[prepared.events[index] for index in order],
        times=[times[index] for index in order],
    )


def _side_by_side(drafts: Sequence[Draft]) -> list[Draft]:
    """Let the requests of one record keep to the lanes of all of them: they wait, are parked and come back together."""
    lanes = tuple(dict.fromkeys(lane for _, _, users in drafts for lane in users))
    return [(path, body, lanes) for path, body, _ in drafts]


def names(drafts: Sequence[Draft], is_suppressed: Callable[[str], bool]) -> bool:
    """Tell whether a request names a suppressed person by the id that it sends."""
    return any(is_suppressed(person(lane[1:])) for _, _, users in drafts for lane in users)


def _left_out(batch: RecordBatch, reason: str) -> Prepared:
    """Return a batch of rows that were not even read: they are left out all together."""
    skipped = [Skipped(ordinal, reason) for ordinal in range(batch.first, batch.next)]
    return Prepared(batch, len(skipped), [], [], [], [], skipped, [], Counter(), {})


def _odd_time(timestamp: object, latest: str, concerns: list[Concern]) -> str:
    """Return a time in the archives' form; `latest` where there is none that can be read."""
    if timestamp is None or timestamp == "":
        concerns.append(Concern(MISSING_TIME, "no timestamp: MoEngage would take the time of receipt"))
        return latest
    seconds = instant(timestamp)
    return latest if seconds is None else iso_instant(seconds)


def _check_time(timestamp: object, now: str, concerns: list[Concern]) -> None:
    """Check the time that a mapping gave to a request, which need not be the message's.

    Raises:
        UnmappableError: it is in the future.
    """
    if _odd_time(timestamp, "", concerns) > now:
        refuse_future(timestamp)


def _is_never_ordinary(_body: dict[str, Any], _wire: bytes) -> bool:
    """Stand for the screen of an API that has none."""
    return False


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
    if isinstance(record, LeftOut):
        return b""
    try:
        return to_json(record)
    except MalformedError:
        return to_json({name: value for name, value in record.items() if not isinstance(value, dict | list)})


def _read_with_care(record: Record) -> tuple[Message, bytes, bool]:
    """Return the message of a record that orjson does not take, its text, and whether surrogates were replaced."""
    if isinstance(record, LeftOut):
        raise NotTakenError(record.reason)
    if isinstance(record, bytes):
        message, replaced = parse(record)
        return message, record, replaced
    if isinstance(record, Unreadable):
        raise MalformedError(record.reason, record.detail)
    return record, to_json(record), False

import json
from collections import Counter
from collections.abc import Mapping as Details
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.model import ArchiveObject, Message, Record, RecordBatch, Unit, Unreadable
from replay_cli.moengage.actions import actions_mapping
from replay_cli.moengage.apis import make_api
from replay_cli.moengage.mapping import Api, Draft, Mapping, UnmappableError
from replay_cli.moengage.preflight import MAX_BODY_BYTES, make_check
from replay_cli.preparation import Preparation, Prepared, iso_instant, text_of
from replay_cli.segment.content import Content
from replay_cli.segment.ids import IdSet
from replay_cli.segment.lists import Lists
from replay_cli.segment.selection import EVERYTHING, Period, Selection

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
OBJECT = ArchiveObject("/logs/a.jsonl", 1, "e")
ACTIONS = actions_mapping("w")
FIRST = 1000


def prepare(
    records: Sequence[Record],
    *,
    mapping: Mapping = ACTIONS,
    strict: bool = False,
    selection: Selection = EVERYTHING,
    obj: ArchiveObject = OBJECT,
) -> Prepared:
    batch = RecordBatch(obj, FIRST, records, Unit.LINE, 1)
    api = Api("actions", mapping, make_check("actions"), MAX_BODY_BYTES)
    return Preparation(api, strict=strict, clock=NOW.timestamp, selection=selection)(batch)


def track(timestamp: object = "2025-03-01T10:00:00.000Z", **more: Any) -> bytes:
    message = {"type": "track", "event": "E", "userId": "user", "timestamp": timestamp} | more
    return json.dumps({name: value for name, value in message.items() if value is not ...}).encode()


def sent(prepared: Prepared) -> list[int]:
    """Places in the batch, in the order of sending."""
    return [request.ordinals[0] - FIRST for request in prepared.requests]


def rejections(prepared: Prepared) -> list[tuple[int, str]]:
    return [(rejected.ordinal - FIRST, rejected.reason) for rejected in prepared.rejected]


# -- order ----------------------------------------------------------------------------------------------------


def test_requests_leave_by_instant_not_by_text() -> None:
    times: list[object] = [
        "2025-03-01T12:00:00.000Z",
        "2025-03-01T11:00:00.000+02:00",  # 09:00
        "2025-03-01 10:00:00.000Z",
        "2025-03-01T10:30:00Z",
        "2025-03-01T10:29:59.999999Z",
        1740816000,  # 08:00
        "1740819000000",  # 08:50
        "2025-03-01T07:00:00-0000",
        "2025-03-01T05:00:00.000-08:00",  # 13:00
    ]
    order = sent(prepare([track(time) for time in times]))
    assert order == [7, 5, 6, 1, 2, 4, 3, 0, 8]


@given(
    st.lists(st.tuples(st.integers(0, 10**7), st.integers(-14 * 60, 14 * 60), st.sampled_from(["T", " "])), max_size=30)
)
def test_whatever_form_times_have_they_sort_as_instants_and_ties_stay_in_place(
    times: list[tuple[int, int, str]],
) -> None:
    base = datetime(2025, 1, 1, tzinfo=UTC)
    records, instants = [], []
    for seconds, offset, separator in times:
        moment = (base + timedelta(seconds=seconds)).astimezone(timezone(timedelta(minutes=offset)))
        text = moment.isoformat(separator, "milliseconds")
        records.append(track(text.replace("+00:00", "Z")))
        instants.append(moment.timestamp())
    expected = sorted(range(len(times)), key=lambda index: instants[index])
    assert sent(prepare(records)) == expected


def test_records_without_a_time_stay_behind_the_one_before_them() -> None:
    late, early = "2025-03-01T12:00:00.000Z", "2025-03-01T09:00:00.000Z"
    records = [track(...), track(late), track(None), track(""), track("2025-13-45"), track(early), track(...)]
    assert sent(prepare(records)) == [0, 5, 6, 1, 2, 3, 4]


def test_a_rejected_record_takes_nobody_with_it() -> None:
    """Who comes after it and has no time stays behind the last one that is sent."""
    late, early = "2025-03-01T12:00:00.000Z", "2025-03-01T09:00:00.000Z"
    records = [track(early), track(late, event=...), track(...), track("2025-03-01T10:00:00.000Z")]
    prepared = prepare(records)
    assert sent(prepared) == [0, 2, 3]
    assert rejections(prepared) == [(1, "missing_event")]


# -- future dates ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("time", "is_future"),
    [
        ("2025-06-01T12:00:00.000Z", False),
        ("2025-06-01T12:00:00.001Z", True),
        ("2025-06-01T14:00:00.000+02:00", False),
        ("2025-06-01T13:59:00.000+02:00", False),
        ("2025-06-01T11:00:01.000-01:00", True),
        ("2025-06-01 12:00:00.001Z", True),
        ("2025-06-01 12:00:00.000Z", False),
        ("9999-12-31T23:59:59.999Z", True),
        (int(NOW.timestamp()) + 1, True),
        (int(NOW.timestamp()), False),
        (int(NOW.timestamp()) * 1000 + 1000, True),
        (-62135596800, False),
    ],
)
def test_a_message_dated_after_now_is_rejected(time: object, is_future: bool) -> None:
    prepared = prepare([track(time)])
    assert rejections(prepared) == ([(0, "future_date")] if is_future else [])
    assert len(prepared.requests) == (not is_future)


@given(st.floats() | st.integers())
def test_any_number_of_seconds_is_some_time(seconds: float) -> None:
    if seconds == seconds:
        assert "0001-01-01T00:00:00.000Z" <= iso_instant(seconds) <= "9999-12-31T23:59:59.999Z"


# -- rules of MoEngage ----------------------------------------------------------------------------------------

WARNED = [
    (track(...), "missing_time"),
    (track(userId="guest"), "reserved_id"),
    (track(properties={"a": "\ud800"}), "lone_surrogate"),
]


@pytest.mark.parametrize(("record", "rule"), WARNED)
def test_what_is_taken_but_not_as_meant_is_a_warning(record: bytes, rule: str) -> None:
    prepared = prepare([record])
    assert (prepared.warnings, len(prepared.requests), prepared.rejected) == (Counter({rule: 1}), 1, [])


@pytest.mark.parametrize(("record", "rule"), WARNED)
def test_strict_turns_a_warning_into_a_rejection(record: bytes, rule: str) -> None:
    prepared = prepare([record], strict=True)
    assert (prepared.warnings, prepared.requests, rejections(prepared)) == (Counter(), [], [(0, rule)])
    assert prepared.rejected[0].record == record


@pytest.mark.parametrize("strict", [False, True])
def test_nothing_is_said_of_what_is_not_sent_at_all(strict: bool) -> None:
    page = track(..., type="page", name="\ud800", userId="guest")
    prepared = prepare([page], strict=strict)
    assert [skipped.reason for skipped in prepared.skipped] == ["not_subscribed"]
    assert (prepared.warnings, prepared.rejected) == (Counter(), [])


def test_a_body_over_the_limit_is_rejected_and_one_at_it_is_not() -> None:
    empty = len(prepare([track(properties={"a": ""})]).requests[0].body)
    room = MAX_BODY_BYTES - empty
    prepared = prepare([track(properties={"a": "x" * room}), track(properties={"a": "x" * (room + 1)})])
    assert [len(request.body) for request in prepared.requests] == [MAX_BODY_BYTES]
    assert rejections(prepared) == [(1, "too_large")]


# -- requests -------------------------------------------------------------------------------------------------


def three_parts(message: Message) -> Sequence[Draft]:
    return tuple((f"/{n}", {"n": n, "of": message["userId"]}, ("u" + message["userId"],)) for n in range(3))


def test_the_requests_of_a_record_are_numbered_and_stay_in_order() -> None:
    prepared = prepare([track("2025-03-02T00:00:00.000Z"), track("2025-03-01T00:00:00.000Z")], mapping=three_parts)
    assert [(request.ordinals, request.part, request.path) for request in prepared.requests] == [
        ((1001,), 0, "/0"),
        ((1001,), 1, "/1"),
        ((1001,), 2, "/2"),
        ((1000,), 0, "/0"),
        ((1000,), 1, "/1"),
        ((1000,), 2, "/2"),
    ]


def test_a_record_is_sent_whole_or_not_at_all() -> None:
    """Its last request is too large: the first two do not leave either."""

    def one_too_many(message: Message) -> Sequence[Draft]:
        drafts = three_parts(message)
        return (*drafts[:2], ("/2", {"a": "x" * message["properties"]["length"]}, ()))

    records = [track(properties={"length": 1}), track(properties={"length": MAX_BODY_BYTES})]
    prepared = prepare([*records, track("2025-02-01T00:00:00.000Z", properties={"length": 1})], mapping=one_too_many)
    assert sent(prepared) == [2, 2, 2, 0, 0, 0]
    assert rejections(prepared) == [(1, "too_large")]


def test_a_request_carries_its_archived_text() -> None:
    text = b'  {"type" : "track", "event":"E", "userId":"user", "timestamp":"2025-03-01T10:00:00.000Z", "n":1.0} '
    (request,) = prepare([text]).requests
    assert request.records == (text,)
    assert (request.method, request.users) == ("POST", ("uuser",))


def test_a_row_is_kept_as_the_json_that_it_became() -> None:
    row = json.loads(track())
    (request,) = prepare([row]).requests
    assert json.loads(request.records[0]) == row


# -- selection ------------------------------------------------------------------------------------------------

FROM_NOON = Selection(received=Period(datetime(2025, 3, 1, 12, tzinfo=UTC)))
UNTIL_NOON = Selection(received=Period(until=datetime(2025, 3, 1, 12, tzinfo=UTC)))
MORNING, NOON = "2025-03-01T11:59:59.999Z", "2025-03-01T12:00:00.000Z"
IN_A_DAY = ArchiveObject("/logs/src1/1740787200000/a.gz", 1, "e")


def skips(prepared: Prepared) -> list[tuple[int, str]]:
    return [(skipped.ordinal - FIRST, skipped.reason) for skipped in prepared.skipped]


def letter(record: object, **more: Any) -> bytes:
    line = {"uri": "/logs/b.gz", "ordinal": 7, "kind": "dead_lettered", "reason": "r", "detail": "d", "record": record}
    return json.dumps(line | more).encode()


def test_what_is_not_meant_is_skipped_with_its_reason_before_all_else() -> None:
    """What cannot be mapped neither: it is another job's to reject."""
    unmappable = track(receivedAt=MORNING, event=...)
    page = track(receivedAt=MORNING, type="screen")
    prepared = prepare(
        [track(receivedAt=MORNING), track(receivedAt=NOON), unmappable, page, track()], selection=FROM_NOON
    )
    reason = "outside_received_range"
    assert (sent(prepared), rejections(prepared)) == ([1], [])
    assert skips(prepared) == [(0, reason), (2, reason), (3, reason), (4, "no_received_at")]
    assert prepared.records == 5


def test_what_is_no_message_is_rejected_whatever_is_meant() -> None:
    prepared = prepare([b"{", b"[]", b"", Unreadable("oversized", "d", b"x")], selection=FROM_NOON)
    assert [reason for _, reason in rejections(prepared)] == ["malformed_json", "not_an_object", "oversized"]
    assert prepared.records == 3


def test_an_object_is_asked_about_by_its_path() -> None:
    records = [track(), track(receivedAt=MORNING), track(receivedAt=NOON)]
    assert sent(prepare(records, selection=UNTIL_NOON, obj=IN_A_DAY)) == [0, 1]
    assert sent(prepare(records, selection=FROM_NOON, obj=IN_A_DAY)) == [2]
    other = prepare(records, selection=Selection(source_ids=frozenset({"src2"})), obj=IN_A_DAY)
    assert skips(other) == [(0, "other_source"), (1, "other_source"), (2, "other_source")]


@pytest.mark.parametrize("obj", [OBJECT, IN_A_DAY])
def test_of_a_dead_letter_the_message_in_it_is_judged(obj: ArchiveObject) -> None:
    lines = [letter(json.loads(track(receivedAt=time))) for time in (MORNING, NOON)]
    reason = "outside_received_range"
    until, start = (prepare(lines, selection=selection, obj=obj) for selection in (UNTIL_NOON, FROM_NOON))
    assert (sent(until), skips(until)) == ([0], [(1, reason)])
    assert (sent(start), skips(start)) == ([1], [(0, reason)])
    assert json.loads(start.requests[0].records[0])["receivedAt"] == NOON


def test_a_dead_letter_whose_text_was_no_message_stays_rejected() -> None:
    assert rejections(prepare([letter("{", reason="malformed_json")], selection=FROM_NOON)) == [(0, "malformed_json")]


def test_a_message_that_looks_like_a_dead_letter_is_judged_itself() -> None:
    inner = json.loads(track(receivedAt=NOON))
    both = letter(inner, **json.loads(track(receivedAt=MORNING)))
    assert skips(prepare([both], selection=FROM_NOON)) == [(0, "outside_received_range")]
    assert sent(prepare([both], selection=UNTIL_NOON)) == [0]


@given(st.lists(st.sampled_from([MORNING, NOON, None, "2025-03-02T00:00:00.001Z", 0]), max_size=6))
def test_two_jobs_that_meet_in_an_instant_send_each_record_once(times: list[object]) -> None:
    records = [track(receivedAt=time) for time in times]
    both = [sent(prepare(records, selection=selection, obj=IN_A_DAY)) for selection in (UNTIL_NOON, FROM_NOON)]
    assert sorted([*both[0], *both[1]]) == list(range(len(records)))


# -- every record ---------------------------------------------------------------------------------------------


def deep(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


def test_a_row_too_deep_to_write_is_rejected_not_a_crash() -> None:
    row = {"type": "track", "event": "E", "userId": "user", "properties": deep(300)}
    prepared = prepare([row, track()])
    assert rejections(prepared) == [(0, "too_deep")]
    assert json.loads(prepared.rejected[0].record) == {"type": "track", "event": "E", "userId": "user"}
    assert sent(prepared) == [1]


def test_an_unreadable_record_is_rejected_with_its_beginning() -> None:
    prepared = prepare([Unreadable("oversized", "2,000,000 bytes", b'{"type":')])
    (rejected,) = prepared.rejected
    assert (rejected.reason, rejected.detail, rejected.record) == ("oversized", "2,000,000 bytes", b'{"type":')


def test_blank_lines_take_an_ordinal_but_are_no_records() -> None:
    prepared = prepare([b"", track(), b"", track()])
    assert (prepared.records, sent(prepared)) == (2, [1, 3])


TEXTS = st.text(max_size=4)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
TIMES = st.sampled_from(["2025-03-01T10:00:00.000Z", "2099-01-01T00:00:00.000Z", "2025-03-01", "0", 0, "no"]) | ANY
CONTEXTS = st.fixed_dictionaries(
    {},
    optional={
        part: ANY | st.dictionaries(st.sampled_from(["version", "name"]), ANY) for part in ("app", "os", "library")
    },
)
MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["track", "identify", "page"]) | ANY,
        "event": ANY,
        "userId": st.sampled_from(["user", "guest", "1"]) | ANY,
        "anonymousId": ANY,
        "timestamp": TIMES,
        "properties": ANY,
        "traits": ANY,
        "context": CONTEXTS | ANY,
    },
)
RECORDS = st.lists(
    st.one_of(
        MESSAGES.map(lambda message: json.dumps(message).encode()),
        MESSAGES.filter(lambda message: "\\ud" not in json.dumps(message)),
        st.binary(max_size=8),
        st.just(b""),
        st.just(track()),
        st.builds(Unreadable, st.just("oversized"), st.text(max_size=3), st.binary(max_size=5)),
    ),
    max_size=12,
)


@given(RECORDS, st.booleans())
def test_every_record_is_in_exactly_one_list(records: list[Record], strict: bool) -> None:
    prepared = prepare(records, strict=strict)
    told = Counter({request.ordinals[0] for request in prepared.requests})
    told.update(skipped.ordinal for skipped in prepared.skipped)
    told.update(rejected.ordinal for rejected in prepared.rejected)
    assert told == Counter(ordinal for ordinal, record in enumerate(records, FIRST) if record != b"")
    assert prepared.records == sum(told.values())
    assert not (strict and prepared.warnings)
    for request in prepared.requests:
        json.loads(request.body)
    for rejected in prepared.rejected:
        assert rejected.reason
        assert rejected.record == text_of(records[rejected.ordinal - FIRST])


@given(RECORDS)
def test_preparing_again_gives_the_same(records: list[Record]) -> None:
    """A resumed run sees the same requests in the same order."""
    assert prepare(records) == prepare(records)


def test_a_mapping_that_refuses_gives_its_reason() -> None:
    def refuse(message: Message) -> Sequence[Draft]:
        raise UnmappableError("no_identity", "nobody")

    assert rejections(prepare([track()], mapping=refuse)) == [(0, "no_identity")]


def test_a_consent_category_that_nobody_speaks_of_is_named_with_those_that_there_are() -> None:
    context = {"consent": {"categoryPreferences": {"Advertising": True, "Functional": False}}}
    selection = Selection(content=Content(consent=frozenset({"Advertisng"})))
    prepared = prepare([track(context=context), track()], selection=selection)
    assert [(skipped.ordinal - FIRST, skipped.reason) for skipped in prepared.skipped] == [(0, "no_consent")]
    assert prepared.warnings == Counter({"unknown_consent_category": 1})
    assert prepared.examples["unknown_consent_category"].detail == (
        "no consent is given or refused to Advertisng, but to Advertising, Functional"
    )


def test_a_refused_consent_is_no_warning() -> None:
    context = {"consent": {"categoryPreferences": {"Advertising": False}}}
    selection = Selection(content=Content(consent=frozenset({"Advertising"})))
    prepared = prepare([track(context=context)], selection=selection, strict=True)
    assert (len(prepared.skipped), prepared.warnings, prepared.rejected) == (1, Counter(), [])


def test_who_is_suppressed_by_the_id_that_a_mapping_makes_gets_nothing() -> None:
    def lowered(message: Message) -> list[Draft]:
        return [("/", {"user_id": message["userId"].lower()}, ("u" + message["userId"].lower(),))]

    api = Api("actions", lowered, make_check("actions"), MAX_BODY_BYTES)
    prepare = Preparation(api, strict=False, clock=NOW.timestamp, lists=Lists(suppressed=IdSet(["bobby"])))
    prepared = prepare(RecordBatch(OBJECT, FIRST, [track(userId="Bobby"), track(userId="Alice")], Unit.LINE, 1))
    assert [(skipped.ordinal - FIRST, skipped.reason) for skipped in prepared.skipped] == [(0, "suppressed")]
    assert sent(prepared) == [1]


def test_the_requests_of_one_record_keep_to_the_lanes_of_all_of_them() -> None:
    def twice(message: Message) -> list[Draft]:
        users = (message["userId"], "shop-1")
        return [("/", {"user_id": user, "timestamp": message["timestamp"]}, ("u" + user,)) for user in users]

    api = Api("actions", twice, make_check("actions"), MAX_BODY_BYTES)
    prepare = Preparation(api, strict=False, clock=NOW.timestamp)
    prepared = prepare(RecordBatch(OBJECT, FIRST, [track(userId="Alice")], Unit.LINE, 1))
    assert [request.users for request in prepared.requests] == [("uAlice", "ushop-1")] * 2


# -- what runs beside the requests ----------------------------------------------------------------------------


def beside(prepared: Prepared) -> list[tuple[int, object, str, str]]:
    columns = (prepared.message_ids, prepared.events, prepared.times)
    return list(zip(sent(prepared), *columns, strict=True))


def test_ids_events_and_times_stay_beside_their_requests() -> None:
    late, early = "2025-03-01T12:00:00.000Z", "2025-03-01T09:00:00+00:00"
    records = [
        track(..., messageId="a"),
        track(late, messageId="b", event=7),
        track(late, userId=..., messageId="gone"),
        json.dumps({"type": "identify", "userId": "user", "messageId": "c", "timestamp": early}).encode(),
    ]
    assert beside(prepare(records)) == [
        (0, "a", "E", ""),
        (3, "c", "", "2025-03-01T09:00:00.000Z"),
        (1, "b", "7", late),
    ]


def test_the_events_of_a_bulk_job_are_those_of_its_elements() -> None:
    identify = {"type": "identify", "userId": "user", "timestamp": "2025-03-01T09:00:00Z"}
    batch = RecordBatch(OBJECT, FIRST, [track(), json.dumps(identify).encode()], Unit.LINE, 1)
    prepared = Preparation(make_api({"api": "bulk"}, "w"), strict=False, clock=NOW.timestamp)(batch)
    assert prepared.events == ["", "E"]


def test_nothing_of_a_record_whose_last_request_is_refused_stays() -> None:
    def twice(message: Message) -> list[Draft]:
        sizes = (1, MAX_BODY_BYTES if message["event"] == "Large" else 1)
        return [("/", {"event": message["event"], "user_id": "user", "text": size * "x"}, ("uuser",)) for size in sizes]

    api = Api("actions", twice, lambda _body, _wire: (), MAX_BODY_BYTES)
    watch = Watch()
    prepare = Preparation(api, strict=False, clock=NOW.timestamp, observer=watch)
    prepared = prepare(RecordBatch(OBJECT, FIRST, [track(), track(event="Large"), track()], Unit.LINE, 1))
    assert sent(prepared) == [0, 0, 2, 2]
    assert len(prepared.events) == len(prepared.times) == len(prepared.message_ids) == 4
    assert rejections(prepared) == [(1, "too_large")]
    assert watch.events == ["E", "E", "E", "E"]


class Watch:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.messages: list[tuple[int, object]] = []
        self.events: list[object] = []
        self.warned: list[tuple[int, dict[str, str]]] = []

    def message(self, ordinal: int, message: Message) -> None:
        self.messages.append((ordinal - FIRST, message.get("event")))

    def drafts(self, drafts: Sequence[Draft]) -> None:
        self.events += [body["event"] for _, body, _ in drafts]

    def concerns(self, ordinal: int, details: Details[str, str]) -> None:
        self.warned.append((ordinal - FIRST, dict(details)))


def test_an_observer_sees_all_messages_what_is_sent_of_them_and_what_is_warned_about() -> None:
    watch = Watch()
    letter = {"kind": "rejected", "uri": "u", "ordinal": 3, "reason": "r", "record": {"type": "track", "event": "L"}}
    records = [
        b"",
        b"no JSON",
        track(event="Not meant"),
        json.dumps(letter).encode(),
        track("2026-01-01T00:00:00.000Z", event="Future"),
        track(None, event="Meant"),
    ]
    selection = Selection(content=Content(events=frozenset({"L", "Future", "Meant"})))
    api = Api("actions", ACTIONS, make_check("actions"), MAX_BODY_BYTES)
    prepare = Preparation(api, strict=False, clock=NOW.timestamp, selection=selection, observer=watch)
    prepared = prepare(RecordBatch(OBJECT, FIRST, records, Unit.LINE, 1))
    assert watch.messages == [(2, "Not meant"), (3, "L"), (4, "Future"), (5, "Meant")]
    assert watch.events == ["Meant"]
    assert [(at, list(details)) for at, details in watch.warned] == [(5, ["missing_time"])]
    assert prepared.warnings == {"missing_time": 1}

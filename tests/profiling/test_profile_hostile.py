"""Whatever is in an archive, profiling it neither fails nor grows."""

import json
import pickle
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay_cli.model import ArchiveObject, LeftOut, Record, RecordBatch, Unit, Unreadable
from replay_cli.moengage.apis import make_api
from replay_cli.preparation import Observer, Preparation
from replay_cli.profiling import Profile, Profiler, document, names, sending, sketches, times

NOW = 4e9
OBJECT = ArchiveObject("/a", 1, "e")


def preparation(observer: Observer | None = None, api: str = "actions") -> Preparation:
    return Preparation(make_api({"api": api}, "w"), strict=False, clock=lambda: NOW, observer=observer)


def profiled(records: Sequence[Record], size: int = 1_000) -> Profile:
    profiler = Profiler(preparation, NOW, preparation(api="bulk"))
    for at in range(0, len(records), size):
        profiler.take(RecordBatch(OBJECT, at, records[at : at + size], Unit.LINE, 1))
    return profiler.profile


def told(profile: Profile) -> dict[str, Any]:
    found = document(profile, NOW)
    assert json.loads(json.dumps(found)) == found
    return found


def unlike(n: int, long: str = "") -> dict[str, Any]:
    """A message of which nothing is as in any other."""
    day = (datetime(1900, 1, 1, tzinfo=UTC) + timedelta(days=n)).strftime("%Y-%m-%dT10:00:00.000Z")
    return {
        "type": "track" if n % 8 else f"type {n}",
        "event": f"event {n}{long}",
        "userId": f"user {n}{long}",
        "anonymousId": f"anonymous {n}{long}",
        "messageId": f"message {n}{long}",
        "timestamp": day,
        "receivedAt": day,
        "properties": {f"attribute {n} {k}{long}": k for k in range(5)},
        "context": {
            "library": {"name": f"library {n}{long}", "version": "1"},
            "consent": {"categoryPreferences": {f"category {n}{long}": True}},
        },
    }


def test_names_without_end_are_counted_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, bound in (
        (names, "_MOST_REMEMBERED", 100),
        (names, "_MOST_EVENTS", 100),
        (sending, "MOST_DELIVERIES", 500),
        (sending, "_MOST_PEOPLE", 500),
        (sending, "_MOST_COMPANIONS", 500),
        (sketches, "_WAITING", 100),
        (times, "_MOST_DAYS", 500),
        (times, "_MOST_HOURS", 50),
    ):
        monkeypatch.setattr(module, name, bound)
    count = 3_000
    profile = profiled([orjson.dumps(unlike(n)) for n in range(count)])
    found = told(profile)
    for part in ("by_type", "by_event", "by_library"):
        assert len(found[part]) <= 1_001
        assert sum(found[part].values()) == count
    assert found["by_event"]["(others)"] == count - 1_000
    assert len(found["times"]["by_day"]) == 501
    assert sum(found["times"]["by_day"].values()) == count
    assert len(found["consent"]["categories"]) <= 2_000
    assert len(profile.deliveries) == 500
    assert profile.other_deliveries == count * 7 // 8 - 500
    assert found["identity"]["distinct_user_ids"] == pytest.approx(count, rel=0.03)
    assert found["names"]["events"]["distinct"] == pytest.approx(count * 7 // 8, rel=0.03)
    assert found["names"]["event_attributes"]["most"] == 5
    for lanes in (profile.sending.people, profile.sending._companions):
        assert len(lanes.counts) <= 500
    assert len(profile.names.event_attributes) <= 100


def test_long_texts_are_kept_short() -> None:
    long = "x" * 20_000
    small, large = (
        len(pickle.dumps(profiled([orjson.dumps(unlike(n, text)) for n in range(60)]))) for text in ("", long)
    )
    assert large < small + 60 * 2_000
    profile = profiled([orjson.dumps(unlike(n, long)) for n in range(1, 8)])
    found = told(profile)
    assert len(json.dumps(found)) < 60_000
    assert found["identity"]["distinct_user_ids"] == 7
    assert all(len(event) <= 200 for event, _ in profile.deliveries)


def test_one_message_with_names_without_end_is_a_message() -> None:
    attributes = {f"attribute {n}": n for n in range(5_000)}
    consent = {"categoryPreferences": {f"category {n}": False for n in range(5_000)}}
    record = unlike(1) | {"properties": attributes, "context": {"consent": consent}}
    found = told(profiled([orjson.dumps(record)]))
    assert found["names"]["event_attributes"]["most"] == pytest.approx(5_000, rel=0.05)
    assert len(found["consent"]["categories"]) == 2_000


def test_what_could_not_be_read_is_no_message_and_has_an_example() -> None:
    deep = b"[" * 100_000
    records: list[Record] = [
        LeftOut("other_source"),
        Unreadable("oversized", "too long", b'{"a":'),
        deep,
        {"type": "page"},
    ]
    found = told(profiled(records))
    assert found["records"] == {"read": 4, "sendable": 0, "skipped": 2, "rejected": 2}
    assert found["by_type"] == {"page": 1}
    examples = found["examples"]
    assert examples["skipped"]["other_source"][0]["excerpt"] == ""
    assert examples["rejected"]["oversized"] == [{"uri": "/a", "line": 2, "detail": "too long", "excerpt": '{"a":'}]


def test_a_dead_letter_file_s_reasons_are_not_all_kept() -> None:
    lines = [
        orjson.dumps({"kind": "rejected", "uri": "u", "ordinal": 1, "reason": f"{n} {'x' * 500}", "record": "text"})
        for n in range(1_500)
    ]
    found = told(profiled(lines))
    assert len(found["rejected"]) == 1_001
    assert len(found["examples"]["rejected"]) == 100
    assert found["records"]["rejected"] == 1_500


def test_every_record_that_is_warned_about_is_an_example_until_there_are_three() -> None:
    records = [orjson.dumps({"type": "track", "event": "E", "userId": "user", "n": n}) for n in range(5)]
    found = told(profiled(records))
    assert found["warnings"] == {"missing_time": 5}
    assert [one["line"] for one in found["examples"]["warnings"]["missing_time"]] == [1, 2, 3]


NUMBERS = st.one_of(st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)
FIELDS = ("type", "event", "userId", "anonymousId", "messageId", "timestamp", "receivedAt", "context", "properties")
ANY = st.one_of(
    st.binary(max_size=30),
    JSON.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(st.sampled_from(FIELDS), JSON).map(lambda value: json.dumps(value).encode()),
    st.dictionaries(st.sampled_from(FIELDS), JSON).map(lambda value: orjson.loads(json.dumps(value))),
)


@settings(max_examples=60)
@given(st.lists(ANY, max_size=10))
def test_any_record_can_be_profiled(records: list[Record]) -> None:
    found = told(profiled(records, 4))["records"]
    assert found["read"] == sum(record != b"" for record in records)
    assert found["read"] == found["sendable"] + found["skipped"] + found["rejected"]

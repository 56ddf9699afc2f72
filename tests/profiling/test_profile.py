"""A profile says what a plain count says, however the archive is parted, and stays small whatever is in it."""

import itertools
import json
import pickle
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from replay_cli.model import RecordBatch
from replay_cli.moengage.apis import make_api
from replay_cli.preparation import Observer, Preparation
from replay_cli.profiling import Profile, Profiler, document
from tests.profiling.naive import batches_of, deliveries, naive

NOW = 1_748_779_200.0
"""2025-06-01T12:00:00Z"""


def preparation(observer: Observer | None = None, api: str = "actions") -> Preparation:
    return Preparation(make_api({"api": api}, "w"), strict=False, clock=lambda: NOW, observer=observer)


def profiled(batches: list[RecordBatch]) -> Profile:
    profiler = Profiler(preparation, NOW, preparation(api="bulk"))
    for batch in batches:
        profiler.take(batch)
    return profiler.profile


def told(profile: Profile) -> dict[str, Any]:
    return document(profile, NOW)


# -- what archives are made of --------------------------------------------------------------------------------

ODD: list[Any] = [None, "", 0, 1, True, ["x"], ["x", "y"], {}, {"a": 1}]
NEAR = [
    *("2025-06-01T12:00:00.000Z", "2025-06-01T12:00:00.001Z", "2025-06-01T11:59:59.999Z", "2025-06-01T11:59:00.000Z"),
    *("2025-06-01T11:00:00.000Z", "2025-05-31T12:00:00.000Z", "2025-05-25T12:00:00.000Z", "2025-05-29T00:00:00.000Z"),
    *("2025-04-02T12:00:00.000Z", "2025-04-02T11:59:59.999Z", "2024-06-01T12:00:00.000Z", "2024-06-01T11:59:59.999Z"),
]
"""Now, and what is just before and after it by what is counted."""
TIMES = st.one_of(
    st.datetimes().map(lambda moment: moment.isoformat(timespec="milliseconds") + "Z"),
    st.sampled_from(NEAR),
    st.sampled_from(NEAR),
    st.sampled_from(["2025-03-01T10:00:00+02:00", "2025-02-30T10:00:00.000Z", "not a date", 1740819000, "2025-05-30"]),
    st.sampled_from(ODD),
)
IDS = st.one_of(st.sampled_from(["ann", "bob", "Guest", "7", "u"]), st.sampled_from(ODD))
LIBRARY = st.fixed_dictionaries(
    {}, optional={"name": st.sampled_from(["analytics-ios", "Analytics.js", "node", 5, None]), "version": IDS}
)
CONTEXT = st.one_of(
    st.fixed_dictionaries(
        {},
        optional={
            "library": st.one_of(LIBRARY, st.sampled_from(ODD)),
            "consent": st.one_of(
                st.just({}),
                st.builds(
                    lambda preferences: {"categoryPreferences": preferences},
                    st.dictionaries(st.sampled_from(["Ads", "Analytics"]), st.sampled_from([True, False, "yes"])),
                ),
            ),
        },
    ),
    st.sampled_from(ODD),
)
ATTRIBUTES = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 3))
MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "type": st.one_of(st.sampled_from(["track", "track", "identify", "page"]), st.sampled_from(ODD)),
        "event": st.one_of(st.sampled_from(["Bought", "Viewed", "é"]), st.sampled_from(ODD)),
        "userId": IDS,
        "anonymousId": IDS,
        "messageId": IDS,
        "timestamp": TIMES,
        "receivedAt": TIMES,
        "context": CONTEXT,
        "properties": ATTRIBUTES,
        "traits": ATTRIBUTES,
    },
)
LINES = st.one_of(MESSAGES.map(orjson.dumps), st.sampled_from([b"", b"{", b"[1]", b"null"]))
URIS = (
    "/logs/a.jsonl",
    "/b/segment-logs/f4Jc9GxUeMt7ZqNr1VwKoB/1740787200000/b.gz",
    "s3://b/data/kQ8vTz3nWbYp5RdXmLs2Ha/segment_type=tracks/day=2025-03-02/c.gz",
)
OBJECTS = st.lists(st.lists(LINES, max_size=12), max_size=len(URIS)).map(lambda lines: list(zip(URIS, lines)))  # noqa: B905 # fewer objects than names
BATCHES = st.builds(batches_of, OBJECTS, st.integers(1, 5))


# -- correct --------------------------------------------------------------------------------------------------


@settings(max_examples=150)
@given(BATCHES)
def test_every_number_is_that_of_a_plain_count(batches: list[RecordBatch]) -> None:
    profile = profiled(batches)
    found, expected = told(profile), naive(batches, preparation(), NOW)
    assert {part: found[part] for part in expected} == expected
    assert profile.deliveries == deliveries(map(preparation(), batches))


@settings(max_examples=150)
@given(BATCHES, st.lists(st.integers(0, 40), max_size=3))
def test_profiles_of_parts_merge_into_that_of_the_whole(batches: list[RecordBatch], cuts: list[int]) -> None:
    edges = sorted({0, len(batches), *(cut for cut in cuts if cut < len(batches))})
    merged = Profile()
    for first, last in itertools.pairwise(edges):
        merged.merge(pickle.loads(pickle.dumps(profiled(batches[first:last]))))
    whole = profiled(batches)
    found, expected = told(merged), told(whole)
    for one in (found, expected):
        del one["examples"]["duplicates"]  # who was first is known in one part only
    assert found == expected
    assert merged.deliveries == whole.deliveries
    assert merged.workload() == whole.workload()


@given(BATCHES)
def test_a_document_is_plain_json_and_the_book_closes(batches: list[RecordBatch]) -> None:
    found = told(profiled(batches))
    assert json.loads(json.dumps(found)) == found
    records = found["records"]
    assert records["read"] == records["sendable"] + records["skipped"] + records["rejected"]


def test_the_profile_of_nothing_is_a_document_too() -> None:
    found = told(Profile())
    assert found["records"] == {"read": 0, "sendable": 0, "skipped": 0, "rejected": 0}
    assert found["times"]["first"] is None
    assert found["hot_users"] == []
    assert Profile().workload().longest_user is None
    assert Profile().in_bulk() is None

"""Who is sent much, what goes out in bulk, and what bulk would make of the rest."""

import pickle
from typing import Any

import orjson
import pytest

from replay_cli.bundling import bundle
from replay_cli.model import ArchiveObject, RecordBatch, Unit
from replay_cli.moengage.apis import make_api
from replay_cli.moengage.packing import weigh
from replay_cli.preparation import Observer, Preparation, Prepared
from replay_cli.profiling import Profile, Profiler, document, profiler, sending
from tests.support.archives import message

NOW = 2e9
OBJECT = ArchiveObject("/a", 1, "e")


def preparation(observer: Observer | None = None, api: str = "actions") -> Preparation:
    settings = make_api({"api": api}, "w", most_users=1_000, most_events=3_000)
    return Preparation(settings, strict=False, clock=lambda: NOW, observer=observer)


def batches(messages: list[dict[str, Any]], size: int = 100) -> list[RecordBatch]:
    lines = [orjson.dumps(one) for one in messages]
    return [RecordBatch(OBJECT, at, lines[at : at + size], Unit.LINE, 1) for at in range(0, len(lines), size)]


def profiled(messages: list[dict[str, Any]], api: str = "actions") -> Profile:
    profiler = Profiler(
        lambda observer: preparation(observer, api), NOW, None if api == "bulk" else preparation(api="bulk")
    )
    for batch in batches(messages):
        profiler.take(batch)
    return profiler.profile


def identify(n: int, user: str, **more: Any) -> dict[str, Any]:
    return message(n, type="identify", userId=user, traits={"n": n}, **more)


# -- users ----------------------------------------------------------------------------------------------------


def test_users_beyond_the_fair_usage_are_named_with_what_they_break() -> None:
    profile = Profile()
    profile.sending.people.update(["uwithin"] * 5_000 + ["uabove"] * 5_001 + ["adevice"] * 10_001 + ["uhot"] * 100_001)
    assert document(profile, NOW)["hot_users"] == [
        {
            "user": "hot",
            "requests": 100_001,
            "breaks": [
                *("more than 5,000 a minute", "more than 10,000 in 5 minutes"),
                *("more than 50,000 an hour", "more than 100,000 a day"),
            ],
        },
        {
            "user": "device",
            "requests": 10_001,
            "breaks": ["more than 5,000 a minute", "more than 10,000 in 5 minutes"],
        },
        {"user": "above", "requests": 5_001, "breaks": ["more than 5,000 a minute"]},
    ]


def test_a_user_with_a_device_is_hot_once() -> None:
    profile = profiled([message(n, userId="ann", anonymousId="device") for n in range(40)])
    profile.sending.people.update(["uann"] * 5_000)
    assert [one["user"] for one in document(profile, NOW)["hot_users"]] == ["ann"]


def test_there_are_not_more_hot_users_than_anybody_looks_at() -> None:
    profile = Profile()
    for n in range(30):
        profile.sending.people.update([f"u{n:02}"] * (5_001 + n))
    users = [one["user"] for one in document(profile, NOW)["hot_users"]]
    assert users == [f"{n:02}" for n in range(29, 9, -1)]


def test_the_longest_lane_may_be_a_device_that_many_use() -> None:
    """Its requests go one after the other, whoever they are for."""
    shared = [message(n, userId=f"user-{n}", anonymousId="shop") for n in range(30)]
    alone = [message(n, userId=None, anonymousId="shop") for n in range(5)]
    assert profiled(shared + alone + [message(1, userId="ann")] * 34).workload().longest_user == ("shop", 35)
    assert profiled(shared + alone + [message(1, userId="ann")] * 35).workload().longest_user == ("ann", 35)


def test_all_lanes_of_a_record_count() -> None:
    def twice(batch: RecordBatch) -> Prepared:
        prepared = preparation()(batch)
        requests = [request._replace(users=("uann", "ua", "ushop")) for request in prepared.requests]
        return prepared._replace(requests=requests)

    made = sending.Sending()
    for batch in batches([message(n) for n in range(3)]):
        made.take(twice(batch), preparation().api, sending.Cutoffs("", ""))
    assert {lane: made.lanes()[lane] for lane in ("uann", "ua", "ushop")} == {"uann": 3, "ua": 3, "ushop": 3}


def test_the_people_of_a_small_archive_are_counted_and_those_of_a_large_one_are_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    messages = [message(n, userId=f"user-{n % 60}") for n in range(300)]
    assert profiled(messages).workload().people == 60
    monkeypatch.setattr(sending, "_MOST_PEOPLE", 50)
    assert profiled(messages).workload().people == 0


# -- deliveries ----------------------------------------------------------------------------------------------


def test_deliveries_are_counted_by_event_and_day() -> None:
    profile = profiled(
        [
            message(1, timestamp="2025-03-01T23:59:59.999Z"),
            message(2, timestamp="2025-03-02T00:00:00.000Z"),
            message(3, timestamp="2025-03-02T01:00:00.000Z", event="Other"),
            message(4, timestamp="2025-03-03T01:00:00.000+02:00"),
            identify(5, "ann", timestamp="2025-03-03T00:00:00.000Z"),
        ]
    )
    assert profile.deliveries == {
        ("Tested", "2025-03-01"): 1,
        ("Tested", "2025-03-02"): 2,
        ("Other", "2025-03-02"): 1,
        ("", "2025-03-03"): 1,
    }
    assert profile.other_deliveries == 0


def test_a_delivery_without_a_time_has_no_day() -> None:
    assert profiled([message(1, timestamp=None)]).deliveries == {("Tested", ""): 1}


def test_a_record_that_becomes_two_requests_is_old_once() -> None:
    prepared = preparation()(batches([message(1), message(2)])[0])
    doubled = prepared._replace(
        requests=[request._replace(part=part) for request in prepared.requests for part in (0, 1)],
        events=prepared.events * 2,
        times=[time for time in prepared.times for _ in (0, 1)],
    )
    made = sending.Sending()
    made.take(doubled, preparation().api, sending.Cutoffs("2026-01-01T00:00:00.000Z", prepared.times[1]))
    assert (made.requests, made.older_than_60_days, made.older_than_365_days) == (4, 2, 1)


# -- bulk -----------------------------------------------------------------------------------------------------


def in_bulk(messages: list[dict[str, Any]]) -> tuple[int, int, int]:
    """Requests, users and events of a bulk run."""
    prepare = preparation(api="bulk")
    assert prepare.api.pack is not None
    requests = [
        request
        for batch in batches(messages)
        for request in bundle(prepare(batch).requests, prepare.api.pack, prepare.api.max_body_bytes)
    ]
    weights = [weigh(request.body) for request in requests]
    return len(requests), sum(one.users for one in weights), sum(one.events for one in weights)


DEVICE = {"device": {"id": "d-1", "token": "push-1", "type": "ios"}}
MIXED = [
    identify(n, f"user-{n % 7}", context=DEVICE if n % 2 else {}) if n % 3 == 0 else message(n) for n in range(350)
]


def test_a_bulk_job_needs_the_requests_and_the_budgets_that_its_run_would() -> None:
    profile = profiled(MIXED, "bulk")
    workload = profile.workload()
    assert (workload.requests, workload.users, workload.events) == in_bulk(MIXED)
    assert workload.records == 350
    assert profile.in_bulk() is None
    assert document(profile, NOW)["overwriting"] == {"identifies": 117, "users": 7}
    assert document(profile, NOW)["names"]["user_attributes"]["distinct"] == 1


def test_other_jobs_spend_nothing_of_its_budgets() -> None:
    workload = profiled(MIXED).workload()
    assert (workload.requests, workload.users, workload.events) == (350, 0, 0)


@pytest.mark.parametrize("looked_at", [0, 700, 2_000])
def test_what_bulk_would_make_of_it_is_told_by_some_of_the_batches(
    looked_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of every 100, a quarter is anonymous and a batch of the others is one request; all are alike."""
    monkeypatch.setattr(profiler, "_COMPARED_RECORDS", looked_at)
    messages = [message(n, userId=None if n % 4 == 0 else "ann", anonymousId="a") for n in range(2_000)]
    found = profiled(messages).in_bulk()
    assert found is not None
    assert found.left_out == 500
    assert found.workload._replace(people=0) == found.workload.__class__(
        requests=20, records=1_500, read=2_000, longest_user=("ann", 1_500), users=0, events=1_500
    )


def test_parts_tell_it_together() -> None:
    merged = profiled(MIXED)
    merged.merge(pickle.loads(pickle.dumps(profiled([message(1, userId=None, anonymousId="a")] * 100))))
    found = merged.in_bulk()
    assert found is not None
    assert found.left_out == 100


def test_who_is_anonymous_is_counted_everywhere_not_only_where_it_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiler, "_COMPARED_RECORDS", 0)
    ann, nobody = {"userId": "ann"}, {"userId": None, "anonymousId": "a"}
    made = [message(n, **(ann if n < 150 or n % 5 else nobody)) for n in range(1_000)]
    found = profiled(made).in_bulk()
    assert found is not None
    assert found.left_out == 170


def test_small_batches_are_all_compared_with_bulk() -> None:
    """Or the first object would speak for all."""
    made = [message(n, userId=None, anonymousId="a") for n in range(500)] + [message(n) for n in range(500)]
    found = profiled(made).in_bulk()
    assert found is not None
    assert found.left_out == 500


def test_what_the_job_leaves_out_bulk_leaves_out_too() -> None:
    """A limit, for example, which leaves out what was prepared."""

    class Limited:
        def __init__(self, observer: Observer) -> None:
            self._prepare = preparation(observer)
            self.api = self._prepare.api

        def __call__(self, batch: RecordBatch) -> Prepared:
            prepared = self._prepare(batch)
            return prepared._replace(
                records=10,
                requests=prepared.requests[:10],
                message_ids=prepared.message_ids[:10],
                events=prepared.events[:10],
                times=prepared.times[:10],
            )

    profiler = Profiler(Limited, NOW, preparation(api="bulk"))
    profiler.take(batches(MIXED)[0])
    found = profiler.profile.in_bulk()
    assert found is not None
    assert (found.workload.records, found.left_out) == (10, 0)

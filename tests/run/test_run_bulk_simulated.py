"""Bulk requests refused, failing, parked, stopped and killed: exactly once, in order, the book closed at all times."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay_cli.delivery.allowance import Allowance
from replay_cli.policy import BulkRefused, DeadLetterLimit, InDoubt, OnExhausted, Policy
from tests.ledger.checkpoints import rows
from tests.support.bulk_simulation import BulkDestination, bulk_api, bulk_copies, require_bulk_order, small_bulk
from tests.support.simulation import Simulation, Stop, small_house

IDS = st.tuples(st.sampled_from(["1", "2", "3", "4", "5"]), st.sampled_from(["", "", "", "1", "2", "3"]))
TROUBLE = st.lists(
    st.sampled_from(["500"] * 6 + ["400", "400", "401", "429", "502", "reset", "reset_after", "refused"]), max_size=7
)


class Record(NamedTuple):
    ids: tuple[str, str]
    second: int
    script: list[str]


RECORDS = st.builds(Record, IDS, st.integers(0, 3), st.just([]) | st.just([]) | TROUBLE)
STOPS = st.builds(
    Stop, st.sampled_from(["", "stop", "abort", "kill"]), st.integers(0, 12), st.sampled_from([0.0, 0.02, 1.0])
)
POLICIES = st.builds(
    Policy,
    concurrency=st.sampled_from([1, 2, 8]),
    retry_for=st.sampled_from([20.0, 120.0]),
    max_attempts=st.sampled_from([0, 3, 6]),
    on_exhausted=st.sampled_from(OnExhausted),
    bulk_refused=st.sampled_from(BulkRefused),
    max_dead_letters=st.just(DeadLetterLimit(most=1000)),
    limit=st.sampled_from([None, None, None, 2, 5]),
)
HOUSES = st.fixed_dictionaries(
    {
        "longest_lane": st.sampled_from([1, 2, 64]),
        "parked_after": st.sampled_from([1, 2, 4]),
        "most_parked": st.sampled_from([3, 100_000]),
        "short_lane": st.sampled_from([0, 1, 16]),
        "loaded_of_a_lane": st.sampled_from([1, 2, 32]),
        "batch_records": st.sampled_from([3, 10, 20]),
    }
)


class Scenario(NamedTuple):
    """What happens to a job: its objects, its runs and how they end."""

    objects: list[list[Record]]
    runs: list[tuple[Policy, Stop]]
    house: dict[str, Any]
    max_bytes: int
    most_events: int
    names: bool
    window: int
    in_doubt: InDoubt
    down: str
    seed: int


SCENARIOS = st.builds(
    Scenario,
    st.lists(st.lists(RECORDS, min_size=1, max_size=25), min_size=1, max_size=2),
    st.lists(st.tuples(POLICIES, STOPS), min_size=1, max_size=3),
    HOUSES,
    st.sampled_from([150, 300, 2000]),
    st.sampled_from([0, 3]),
    st.booleans(),
    st.sampled_from([1, 10, 1000]),
    st.sampled_from(InDoubt),
    st.sampled_from(["", "", "", "500", "refused", "reset"]),
    st.integers(0, 2**16),
)


def archive(objects: Sequence[Sequence[Record]], size: int) -> tuple[dict[str, list[dict[str, Any]]], list[int]]:
    """The objects, and all record numbers in the order in which batches of this size are sent."""
    made, order, n = dict[str, list[dict[str, Any]]](), list[int](), 0
    for number, records in enumerate(objects):
        lines = list[dict[str, Any]]()
        for record in records:
            user, anonymous = record.ids
            time = f"2025-03-01T10:00:{record.second:02}.000Z"
            lines.append({"n": n, "user": user, "anonymous": anonymous, "timestamp": time, "type": "track"})
            n += 1
        made[f"/{number}.jsonl"] = lines
        for first in range(0, len(lines), size):
            batch = sorted(lines[first : first + size], key=lambda line: str(line["timestamp"]))
            order.extend(line["n"] for line in batch)
    return made, order


def lanes_of(objects: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[int, list[str]]:
    lines = [line for records in objects.values() for line in records]
    return {
        line["n"]: [f"u{line['user']}", *([f"a{line['anonymous']}"] if line["anonymous"] else [])] for line in lines
    }


@settings(max_examples=100)
@given(SCENARIOS)
def test_order_and_exactly_once_survive_refusals_parking_stops_and_kills(scenario: Scenario) -> None:
    objects, order = archive(scenario.objects, scenario.house["batch_records"])
    lanes = lanes_of(objects)
    script = {n: record.script for n, record in enumerate(r for records in scenario.objects for r in records)}
    generator = random.Random(scenario.seed)
    with TemporaryDirectory() as folder, small_house(**scenario.house), small_bulk(scenario.max_bytes):
        destination = BulkDestination(script, generator, names=scenario.names)
        api = bulk_api(scenario.max_bytes, scenario.most_events)
        job = Simulation(Path(folder), objects, destination, generator, api=api)
        killed = False
        for number, (policy, stop) in enumerate(scenario.runs):
            destination.down = scenario.down if not number else ""
            ending = job.run(policy._replace(in_doubt=scenario.in_doubt), stop, window=scenario.window)
            killed |= ending.state == "killed" or stop.how == "abort"
        destination.is_healed, destination.down = True, ""
        ending = job.run(Policy(in_doubt=scenario.in_doubt), window=scenario.window)
        assert ending.state == "complete", ending
        require_bulk_order(destination.requests, lanes, order)
        require_everything(job, objects, destination, scenario.in_doubt, killed=killed)


def require_everything(
    job: Simulation,
    objects: Mapping[str, Sequence[Mapping[str, Any]]],
    destination: BulkDestination,
    in_doubt: InDoubt,
    *,
    killed: bool,
) -> None:
    """Every record arrived or is a dead letter, none twice but those in doubt, and the book says so."""
    found = rows(job.path, "SELECT uri, ordinal, reason FROM dead_letter d JOIN object o ON o.id = d.object")
    letters = {(uri, ordinal): reason for uri, ordinal, reason in found}
    assert len(letters) == len(found), "a record is given up once"
    records = {(uri, ordinal): line["n"] for uri, lines in objects.items() for ordinal, line in enumerate(lines)}
    arrived = bulk_copies(destination.requests)
    doubtful = {n for each in destination.requests if each.decision == "reset_after" for n in each.ns}
    for n, count in arrived.items():
        assert count == 1 or (in_doubt is InDoubt.RESEND and (killed or n in doubtful)), f"{n} arrived {count} times"
    made_up = (
        "SELECT object, ordinal FROM dead_letter WHERE reason = 'in_doubt' EXCEPT SELECT object, ordinal FROM in_doubt"
    )
    assert rows(job.path, made_up) == [], "nothing of them was ever in doubt"
    tally = dict(rows(job.path, "SELECT outcome, sum(n) FROM tally GROUP BY 1"))
    assert tally.get("delivered", 0) + tally.get("dead_lettered", 0) == len(records)
    assert tally.get("dead_lettered", 0) == len(letters)
    for place, n in records.items():
        assert place in letters or n in arrived, f"{n} is lost"
        assert n not in arrived or letters.get(place, "in_doubt") == "in_doubt" or n in doubtful or killed
    left = "SELECT (SELECT count(*) FROM parked) + (SELECT count(*) FROM intent) + (SELECT count(*) FROM parked_record)"
    assert rows(job.path, left) == [(0,)]


# -- one thing at a time --------------------------------------------------------------------------------------


def lines(*users: str, first: int = 0) -> list[dict[str, Any]]:
    """Tracks of these users, `u` or `u/anonymous`, in the order of their times."""
    return [
        {
            "n": n,
            "user": user.partition("/")[0],
            "anonymous": user.partition("/")[2],
            "timestamp": f"2025-03-01T10:{n // 60:02}:{n % 60:02}.000Z",
            "type": "track",
        }
        for n, user in enumerate(users, first)
    ]


def job_of(
    folder: Path, script: Mapping[int, Sequence[str]], *objects: list[dict[str, Any]], most_events: int = 0
) -> tuple[Simulation, BulkDestination]:
    """A job of these objects."""
    generator = random.Random(1)
    destination = BulkDestination(script, generator)
    named = {f"/{number:03}.jsonl": made for number, made in enumerate(objects)}
    return Simulation(folder, named, destination, generator, api=bulk_api(100_000, most_events)), destination


def arrived(destination: BulkDestination) -> list[tuple[int, ...]]:
    return [each.ns for each in destination.requests if each.decision == "200"]


def test_a_request_that_is_taken_apart_frees_those_behind_all_of_its_records(tmp_path: Path) -> None:
    """Those in the checkpoint, too, and behind a record that is given up."""
    script = {0: ["400"], 1: [*["500"] * 7, "200"]}
    with small_house():
        job, destination = job_of(tmp_path, script, lines("1", "2"), lines("3", first=2), lines("1", first=3))
        ending = job.run(Policy())
    assert ending.state == "complete", ending
    assert arrived(destination) == [(2,), (1,), (3,)]


def test_a_doubt_about_a_part_of_a_request_is_none_about_the_rest(tmp_path: Path) -> None:
    """Which has to wait in the checkpoint before it goes."""
    script = {0: ["200", "reset"], 1: ["200", *["500"] * 7, "200"], 2: ["400"]}
    with small_house():
        job, destination = job_of(tmp_path, script, lines("1", "1", "1"), lines("3", first=3))
        destination.names = False
        policy = Policy(in_doubt=InDoubt.DEAD_LETTER, bulk_refused=BulkRefused.SPLIT)
        assert job.run(policy).state == "complete"
    assert rows(job.path, "SELECT ordinal, reason FROM dead_letter ORDER BY 1") == [(0, "in_doubt"), (2, "http_400")]
    assert arrived(destination) == [(3,), (1,)]


def test_one_that_is_given_up_frees_those_behind_it_though_the_rest_waits_again(tmp_path: Path) -> None:
    script = {0: ["400"], 1: [*["500"] * 2, "200", *["500"] * 6, "200"]}
    goods = [lines("good", first=n) for n in range(100, 140)]
    with small_house(parked_after=1):
        job, destination = job_of(tmp_path, script, lines("1", "2"), goods[0], lines("1", first=3), *goods[1:])
        assert job.run(Policy(), window=6).state == "complete"
    assert [ns for ns in arrived(destination) if ns[0] < 100] == [(3,), (1,)]


def test_a_kill_between_the_parts_of_a_request_casts_doubt_on_one_of_them(tmp_path: Path) -> None:
    """The request was parked, came back, was refused and halved; its first half was on its way."""
    script = {0: [*["500"] * 4, "200"], 1: ["400"]}
    policy = Policy(in_doubt=InDoubt.DEAD_LETTER, bulk_refused=BulkRefused.SPLIT)
    with small_house():
        job, destination = job_of(tmp_path, script, lines("1", "2"), lines("3", first=2))
        destination.names = False
        assert job.run(policy, Stop("kill", 7, 0.0)).state == "killed"
        assert job.run(policy).state == "complete"
    assert sorted(rows(job.path, "SELECT ordinal, reason FROM dead_letter")) == [(0, "in_doubt"), (1, "http_400")]


@pytest.mark.parametrize("other", ["2", "3", "4", "5"])
def test_the_requests_of_one_user_are_parked_in_order_whoever_shares_them(tmp_path: Path, other: str) -> None:
    """The first of them fails; with it go somebody's later records, so that it begins later in the archive."""
    with small_house():
        script = {0: [*["500"] * 7, "200"]}
        hot = lines(*["1"] * 5, *[other] * 2)
        job, destination = job_of(tmp_path, script, hot, lines("6", first=20), most_events=3)
        assert job.run(Policy()).state == "complete"
    flat = [n for ns in arrived(destination) for n in ns if n < 5]
    assert flat == sorted(flat)


@pytest.mark.parametrize("other", ["2", "3", "4", "6"])
def test_those_put_together_behind_a_parked_request_overtake_nobody(tmp_path: Path, other: str) -> None:
    """Of two records that wait together for one in the checkpoint, the later waits for one that fails, too."""
    script = {0: [*["500"] * 7, "200"], 3: [*["500"] * 9, "200"]}
    goods = [lines("good", first=n) for n in range(100, 110)]
    with small_house(parked_after=1):
        held = lines("9/5", "1", "1/5", other, first=2)
        job, destination = job_of(tmp_path, script, lines("8/5"), *goods, held, *goods)
        assert job.run(Policy(), window=3).state == "complete"
    flat = [n for ns in arrived(destination) for n in ns]
    assert flat.index(0) < flat.index(2) < flat.index(4) > flat.index(3)


def test_what_is_read_again_is_not_put_together_around_what_is_parked(tmp_path: Path) -> None:
    """Of one user's records, the first was on its way when the run died, the second parked, the others not begun."""
    with small_house(longest_lane=1):
        job, destination = job_of(tmp_path, {}, lines(*["1"] * 4), most_events=1)
        assert job.run(Policy(limit=2), Stop("kill", 1, 0.0)).state == "killed"
        job.api = bulk_api(100_000)
        assert job.run(Policy()).state == "complete"
    assert arrived(destination) == [(0,), (0,), (1,), (2,), (3,)]


def test_users_and_events_a_minute_are_never_more_than_is_allowed(tmp_path: Path) -> None:
    """However much fails and goes again."""
    allowance = Allowance(0, 100)
    users = [f"{n % 40}" for n in range(500)]
    script = {n: ["500", "200"] for n in range(0, 500, 7)}
    with small_house():
        job, destination = job_of(
            tmp_path,
            script,
            lines(*users[:60]),
            *[lines(*users[n : n + 60], first=n) for n in range(60, 500, 60)],
            most_events=allowance.most_events,
        )
        job.allowance = allowance
        assert job.run(Policy(retry_for=3000.0)).state == "complete"
    spent = [(each.at, len(each.ns)) for each in destination.requests]
    assert job.elapsed > 240
    assert max(sum(n for at, n in spent if begin <= at < begin + 60) for begin, _ in spent) <= allowance.events
    assert sum(n for _, n in spent) > 500

"""Order, exactly once and the closed book through parking, overflow, stops and kills (DESIGN, rules 1-3, 5)."""

import random
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay_cli.delivery.fair_use import LIMITS, Limit
from replay_cli.policy import DeadLetterLimit, InDoubt, OnExhausted, Policy
from tests.ledger.checkpoints import rows
from tests.support.simulation import ARRIVED, Arrival, Destination, MemorySource, Simulation, Stop, copies, small_house

IDS = st.sampled_from([("u1", ""), ("u2", ""), ("", "a1"), ("", "a2"), ("u1", "a1"), ("u1", "a2"), ("u2", "a2")])
DECISIONS = st.sampled_from(["500"] * 6 + ["400", "401", "429", "502", "reset", "reset_after", "refused"])
LIMITED = (Limit(2, 0.15), Limit(50, 0.1), Limit(100, 0.1))


class Record(NamedTuple):
    ids: tuple[str, str]
    second: int
    script: list[str]
    parts: int


RECORDS = st.builds(Record, IDS, st.integers(0, 3), st.lists(DECISIONS, max_size=7), st.just(1))
STOPS = st.builds(
    Stop, st.sampled_from(["", "stop", "abort", "kill"]), st.integers(0, 25), st.sampled_from([0.0, 0.02, 1.0])
)
POLICIES = st.builds(
    Policy,
    concurrency=st.sampled_from([1, 2, 8]),
    retry_for=st.sampled_from([20.0, 120.0]),
    max_attempts=st.sampled_from([0, 3, 6]),
    on_exhausted=st.sampled_from(OnExhausted),
    in_doubt=st.just(InDoubt.RESEND),
    max_dead_letters=st.just(DeadLetterLimit()),
    limit=st.sampled_from([None, None, None, 2, 5]),
    max_duration=st.none(),
)
HOUSES = st.fixed_dictionaries(
    {
        "longest_lane": st.sampled_from([1, 2, 3, 64]),
        "parked_after": st.sampled_from([1, 2, 4]),
        "most_parked": st.sampled_from([3, 100_000]),
        "short_lane": st.sampled_from([0, 1, 16]),
        "loaded_of_a_lane": st.sampled_from([1, 2, 32]),
        "limits": st.sampled_from([LIMITS, LIMITS, LIMITED]),
        "batch_records": st.sampled_from([1, 3, 10]),
    }
)


class Scenario(NamedTuple):
    """What happens to a job: its objects, its runs and how they end."""

    objects: list[list[Record]]
    runs: list[tuple[Policy, Stop]]
    house: dict[str, Any]
    window: int
    in_doubt: InDoubt
    down: str
    seed: int


SCENARIOS = st.builds(
    Scenario,
    st.lists(st.lists(RECORDS, min_size=1, max_size=12), min_size=1, max_size=2),
    st.lists(st.tuples(POLICIES, STOPS), min_size=1, max_size=3),
    HOUSES,
    st.sampled_from([1, 3, 1000]),
    st.sampled_from(InDoubt),
    st.sampled_from(["", "", "", "500", "refused", "reset"]),
    st.integers(0, 2**16),
)


def archive(scenario: Scenario) -> tuple[dict[str, list[dict[str, Any]]], list[int]]:
    """The objects, and all record numbers in the archive's order."""
    size, n = scenario.house["batch_records"], 0
    objects, order = dict[str, list[dict[str, Any]]](), list[int]()
    for number, records in enumerate(scenario.objects):
        made = list[dict[str, Any]]()
        for record in records:
            user, anonymous = record.ids
            time = f"2025-03-01T10:00:{record.second:02}.000Z"
            made.append({"n": n, "user": user, "anonymous": anonymous, "timestamp": time, "parts": record.parts})
            n += 1
        objects[f"/{number}.jsonl"] = made
        for first in range(0, len(made), size):
            batch = sorted(made[first : first + size], key=lambda record: str(record["timestamp"]))
            order.extend(record["n"] for record in batch)
    return objects, order


def require_order(arrivals: list[Arrival], order: list[int]) -> None:
    """In each lane, no attempt at an earlier message comes after one at a later message."""
    places = {n: place for place, n in enumerate(order)}
    reached: dict[str, tuple[int, int]] = {}
    for arrival in arrivals:
        at = places[arrival.n], arrival.part
        for lane in arrival.users:
            assert reached.get(lane, (0, 0)) <= at, f"{lane}: {arrival} came too late"
            reached[lane] = at


def play(scenario: Scenario) -> None:
    objects, order = archive(scenario)
    flat = [record for records in scenario.objects for record in records]
    script = {(n, part): record.script for n, record in enumerate(flat) for part in range(record.parts)}
    generator = random.Random(scenario.seed)
    with TemporaryDirectory() as folder, small_house(**scenario.house):
        destination = Destination(script, generator)
        job = Simulation(Path(folder), objects, destination, generator)
        killed = False
        for number, (policy, stop) in enumerate(scenario.runs):
            destination.down = scenario.down if not number else ""
            ending = job.run(policy._replace(in_doubt=scenario.in_doubt), stop, window=scenario.window)
            killed |= ending.state == "killed" or stop.how == "abort"
            require_order(destination.arrivals, order)
        destination.is_healed, destination.down = True, ""
        ending = job.run(Policy(in_doubt=scenario.in_doubt), window=scenario.window)
        assert ending.state == "complete", ending
        require_order(destination.arrivals, order)
        require_everything(job, objects, destination, scenario.in_doubt, killed)


def require_everything(
    job: Simulation,
    objects: dict[str, list[dict[str, Any]]],
    destination: Destination,
    in_doubt: InDoubt,
    killed: bool,
) -> None:
    """Every message arrived or is a dead letter, none twice but those in doubt, and the book says so."""
    found = rows(job.path, "SELECT uri, ordinal FROM dead_letter d JOIN object o ON o.id = d.object")
    letters = set(found)
    assert len(letters) == len(found), "a record is given up once"
    places = [(uri, ordinal) for uri, lines in objects.items() for ordinal in range(len(lines))]
    records = [line for lines in objects.values() for line in lines]
    arrived = copies(destination.arrivals)
    doubtful = {(a.n, a.part) for a in destination.arrivals if a.decision == "reset_after"}
    for key, count in arrived.items():
        assert count == 1 or (in_doubt is InDoubt.RESEND and (killed or key in doubtful)), (
            f"{key} arrived {count} times"
        )
    tally = dict(rows(job.path, "SELECT outcome, sum(n) FROM tally GROUP BY 1"))
    assert tally.get("delivered", 0) + tally.get("dead_lettered", 0) == len(records)
    assert tally.get("dead_lettered", 0) == len(letters)
    for n, place in enumerate(places):
        assert place in letters or all((n, part) in arrived for part in range(records[n]["parts"])), f"{n} is lost"
    assert rows(job.path, "SELECT (SELECT count(*) FROM parked) + (SELECT count(*) FROM intent)") == [(0,)]


@settings(max_examples=90)
@given(SCENARIOS)
def test_order_and_exactly_once_survive_parking_overflow_stops_and_kills(scenario: Scenario) -> None:
    play(scenario)


@settings(max_examples=25)
@given(
    SCENARIOS.flatmap(
        lambda scenario: st.lists(
            st.lists(RECORDS.map(lambda record: record._replace(parts=2)), min_size=1, max_size=5),
            min_size=1,
            max_size=2,
        ).map(lambda objects: scenario._replace(objects=objects))
    )
)
def test_they_survive_for_records_of_several_requests_too(scenario: Scenario) -> None:
    play(scenario)


# -- one thing at a time --------------------------------------------------------------------------------------


def job_of(folder: Path, *records: tuple[str, list[str]], seed: int = 1) -> Simulation:
    """A job whose messages are each of a user, and get these replies."""
    generator = random.Random(seed)
    destination = Destination({(n, 0): script for n, (_, script) in enumerate(records)}, generator)
    return Simulation(folder, {"/0.jsonl": messages(*(user for user, _ in records))}, destination, generator)


def messages(*users: str, first: int = 0) -> list[dict[str, Any]]:
    return [
        {"n": n, "user": user, "anonymous": "", "timestamp": f"2025-03-01T10:00:{n:02}.000Z", "parts": 1}
        for n, user in enumerate(users, first)
    ]


def arrived(job: Simulation) -> list[int]:
    return [arrival.n for arrival in job.destination.arrivals if arrival.decision in ARRIVED]


HOLDING = Policy(max_attempts=1, on_exhausted=OnExhausted.PAUSE)


def test_a_user_whose_message_keeps_failing_holds_up_nobody_else(tmp_path: Path) -> None:
    with small_house():
        job = job_of(tmp_path, ("bad", [*["500"] * 8, "200"]), ("bad", []), *[("good", [])] * 10)
        assert job.run(Policy()).state == "complete"
    assert arrived(job) == [*range(2, 12), 0, 1]


def test_waiting_for_what_is_parked_costs_nothing(tmp_path: Path) -> None:
    """Nothing is asked of the checkpoint before something is due."""
    with small_house():
        job = job_of(tmp_path, ("bad", [*["500"] * 9, "200"]), ("good", []), ("bad", []))
        assert job.run(Policy()).state == "complete"
    assert job.elapsed > 5
    assert job.loads < 40


def test_a_doubt_that_is_not_sent_again_frees_those_behind_it(tmp_path: Path) -> None:
    """It was parked when the run died that had an attempt at it under way."""
    with small_house(parked_after=1):
        job = job_of(tmp_path, ("bad", ["500", "500", "reset_after"]), ("good", []), ("bad", []), ("bad", []))
        job.run(Policy(), Stop("kill", 4, 0.0))
        ending = job.run(Policy(in_doubt=InDoubt.DEAD_LETTER))
    assert ending.state == "complete"
    assert arrived(job)[-2:] == [2, 3]


def test_a_doubt_that_is_not_sent_again_may_be_the_last_thing_to_do(tmp_path: Path) -> None:
    with small_house():
        job = job_of(tmp_path, ("bad", ["500"]), ("good", []))
        assert job.run(HOLDING).state == "paused"
        job.destination.set_script({(0, 0): ["200"]})
        job.run(Policy(), Stop("kill", 1, 0.0))
        assert job.run(Policy(in_doubt=InDoubt.DEAD_LETTER)).state == "complete"
    assert rows(job.path, "SELECT reason FROM dead_letter") == [("in_doubt",)]


def test_a_limit_lets_nobody_overtake(tmp_path: Path) -> None:
    """A message that this run has read does not go before one that an earlier run parked."""
    with small_house():
        job = job_of(tmp_path, ("bad", ["500"]), ("bad", []), ("good", []))
        assert job.run(HOLDING).state == "paused"
        job.destination.set_script({(4, 0): ["500", "500", "500", "200"]})
        more = messages("bad", "slow", first=3)
        job.source = MemorySource({"/0.jsonl": messages("bad", "bad", "good"), "/1.jsonl": more})
        assert job.run(Policy(limit=3)).state == "paused"
        assert job.run(Policy()).state == "complete"
    assert [n for n in arrived(job) if n != 4] == [2, 0, 1, 3]


def test_a_run_whose_parking_is_full_of_held_messages_pauses(tmp_path: Path) -> None:
    """Rather than wait for room that nobody makes."""
    with small_house(most_parked=3, batch_records=2):
        job = job_of(tmp_path, ("bad", ["500"]), ("good", []), *[("bad", [])] * 20)
        ending = job.run(HOLDING)
        assert (ending.state, arrived(job)) == ("paused", [1])
        job.destination.set_script({})
        assert job.run(Policy()).state == "complete"
    assert arrived(job) == [1, 0, *range(2, 22)]


def test_messages_beyond_the_longest_lane_wait_in_the_checkpoint_and_keep_their_order(tmp_path: Path) -> None:
    with small_house(longest_lane=4, short_lane=1, loaded_of_a_lane=2):
        job = job_of(tmp_path, *[("hot", [])] * 60)
        job.run(Policy(), Stop("stop", 10, 0.0))
        assert job.run(Policy()).state == "complete"
    assert arrived(job) == list(range(60))


def test_what_is_read_again_goes_before_what_was_parked_behind_it(tmp_path: Path) -> None:
    with small_house(longest_lane=2):
        job = job_of(tmp_path, *[("hot", [])] * 8)
        job.run(Policy(), Stop("kill", 2, 0.0))
        assert rows(job.path, "SELECT count(*) > 0 FROM parked") == [(1,)]
        assert job.run(Policy()).state == "complete"
    assert list(dict.fromkeys(arrived(job))) == list(range(8))
    assert arrived(job) == sorted(arrived(job))


@pytest.mark.parametrize("seed", range(4))
def test_a_new_file_that_is_listed_first_is_not_overtaken(tmp_path: Path, seed: int) -> None:
    """It came to the job after one that was not begun, but is read before it."""
    first, new, later = messages("v"), messages("u", "u", first=1), messages("u", "u", first=3)
    with small_house(longest_lane=1):
        job = job_of(tmp_path, seed=seed)
        job.source = MemorySource({"/0.jsonl": first, "/2.jsonl": later})
        assert job.run(Policy(limit=0)).state == "paused"
        job.source = MemorySource({"/0.jsonl": first, "/1.jsonl": new, "/2.jsonl": later})
        assert job.run(Policy()).state == "complete"
    assert [n for n in arrived(job) if n] == [1, 2, 3, 4]

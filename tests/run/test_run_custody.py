"""A machine is lost with its checkpoint: what was announced since the snapshot is in doubt, all else is certain."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from contextlib import closing
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay_cli.cli.opening import find_begun
from replay_cli.errors import FatalError, UsageError
from replay_cli.ledger.changes import Changed
from replay_cli.ledger.losses import CAUSE
from replay_cli.ledger.store import Store
from replay_cli.model import ArchiveObject
from replay_cli.policy import DeadLetterLimit, InDoubt, OnExhausted, Policy
from tests.ledger.checkpoints import rows
from tests.support import simulation
from tests.support.bulk_simulation import BulkDestination, bulk_api, bulk_copies, small_bulk
from tests.support.custody import TAKEN_OVER, KeptElsewhere
from tests.support.simulation import Arrival, Destination, MemorySource, Simulation, Stop, copies, small_house

NONE: Mapping[tuple[int, int], Sequence[str]] = {}

DECISIONS = st.sampled_from(["500"] * 6 + ["400", "429", "502", "reset", "reset_after", "refused"])
IDS = st.sampled_from([("u1", ""), ("u2", ""), ("", "a1"), ("u1", "a1"), ("u2", "a2")])


class Record(NamedTuple):
    ids: tuple[str, str]
    second: int
    script: list[str]
    parts: int


RECORDS = st.builds(
    Record, IDS, st.integers(0, 3), st.just([]) | st.lists(DECISIONS, max_size=6), st.sampled_from([0, 1, 1, 1, 2])
)
STOPS = st.builds(
    Stop,
    st.sampled_from(["lose", "lose", "lose", "kill", "abort", "stop"]),
    st.integers(0, 25),
    st.sampled_from([0.0, 0.02, 1.0]),
)
POLICIES = st.builds(
    Policy,
    concurrency=st.sampled_from([1, 2, 8]),
    retry_for=st.sampled_from([20.0, 120.0]),
    max_attempts=st.sampled_from([0, 3]),
    on_exhausted=st.sampled_from(OnExhausted),
    max_dead_letters=st.just(DeadLetterLimit()),
    limit=st.sampled_from([None, None, None, 5]),
)
HOUSES = st.fixed_dictionaries(
    {
        "longest_lane": st.sampled_from([1, 3, 64]),
        "parked_after": st.sampled_from([1, 4]),
        "most_parked": st.sampled_from([3, 100_000]),
        "short_lane": st.sampled_from([0, 16]),
        "loaded_of_a_lane": st.sampled_from([1, 32]),
        "batch_records": st.sampled_from([1, 3, 10]),
    }
)


class Scenario(NamedTuple):
    """What happens to a job: its objects, its runs and how they end, and how often its checkpoint is kept."""

    objects: list[list[Record]]
    runs: list[tuple[Policy, Stop]]
    house: dict[str, Any]
    window: int
    in_doubt: InDoubt
    every: float
    seed: int


SCENARIOS = st.builds(
    Scenario,
    st.lists(st.lists(RECORDS, min_size=1, max_size=12), min_size=1, max_size=3),
    st.lists(st.tuples(POLICIES, STOPS), min_size=1, max_size=3),
    HOUSES,
    st.sampled_from([1, 3, 1000]),
    st.sampled_from(InDoubt),
    st.sampled_from([0.02, 0.3, 10.0, 1000.0]),
    st.integers(0, 2**16),
)


def archive(objects: Sequence[Sequence[Record]]) -> dict[str, list[dict[str, Any]]]:
    n, made = 0, dict[str, list[dict[str, Any]]]()
    for number, records in enumerate(objects):
        lines = made[f"/{number}.jsonl"] = list[dict[str, Any]]()
        for record in records:
            user, anonymous = record.ids
            time = f"2025-03-01T10:00:{record.second:02}.000Z"
            lines.append({"n": n, "user": user, "anonymous": anonymous, "timestamp": time, "parts": record.parts})
            n += 1
    return made


def places_of(objects: Mapping[str, Sequence[Any]]) -> list[tuple[str, int]]:
    """Where each record stands, by its number."""
    return [(uri, ordinal) for uri, lines in objects.items() for ordinal in range(len(lines))]


@settings(max_examples=30)
@given(SCENARIOS)
def test_nothing_is_lost_and_what_arrives_twice_is_in_doubt(scenario: Scenario) -> None:
    play(scenario)


@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_on_its_way_when_a_snapshot_is_taken(seed: int) -> None:
    """Many messages that pass, a few that are parked; machines are lost soon after a snapshot."""
    dice = random.Random(seed)
    ids = [("u1", ""), ("u2", "a1"), ("", "a2"), *((f"u{n}", "") for n in range(3, 9))]
    troubles: Sequence[list[str]] = ([], [], [], ["500"] * 3, ["500"] * 9 + ["200"], ["reset_after"])
    objects = [
        [
            Record(dice.choice(ids), dice.randrange(4), list(dice.choice(troubles)), dice.choice((1, 1, 2)))
            for _ in range(25)
        ]
        for _ in range(2)
    ]
    policy = Policy(concurrency=dice.choice((2, 8)), max_dead_letters=DeadLetterLimit())
    runs = [(policy, Stop("lose", dice.randrange(8, 30), dice.choice((0.0, 0.5, 3.0)))) for _ in range(3)]
    house = {"parked_after": 1, "batch_records": dice.choice((5, 10))}
    play(Scenario(objects, runs, house, dice.choice((3, 20)), list(InDoubt)[seed % 2], 0.1, seed))


def play(scenario: Scenario) -> None:
    objects, generator = archive(scenario.objects), random.Random(scenario.seed)
    places = places_of(objects)
    flat = [record for records in scenario.objects for record in records]
    script = {(n, part): record.script for n, record in enumerate(flat) for part in range(record.parts)}
    with TemporaryDirectory() as folder, small_house(**scenario.house):
        path = Path(folder) / "job.ckpt"
        custody = KeptElsewhere(path, generator, scenario.every)
        destination = Destination(script, generator)
        job = Simulation(path.parent, objects, destination, generator, custody=custody)
        for policy, stop in scenario.runs:
            began = len(destination.arrivals)
            job.run(policy._replace(in_doubt=scenario.in_doubt), stop, window=scenario.window)
            require_announced(destination.arrivals[began:], custody, places)
        destination.is_healed = True
        ending = job.run(Policy(in_doubt=scenario.in_doubt), window=scenario.window)
        assert ending.state == "complete", ending
        require_everything(path, flat, places, destination.arrivals, scenario.in_doubt)


def require_announced(arrivals: Sequence[Arrival], custody: KeptElsewhere, places: Sequence[tuple[str, int]]) -> None:
    assert {places[arrival.n] for arrival in arrivals} <= custody.places, "nothing arrives that was not announced"


def require_everything(
    path: Path,
    records: Sequence[Record],
    places: Sequence[tuple[str, int]],
    arrivals: Sequence[Arrival],
    in_doubt: InDoubt,
) -> None:
    """Every message arrived or is a dead letter, none twice but those in doubt, and the book says so."""
    found = rows(path, "SELECT uri, ordinal FROM dead_letter d JOIN object o ON o.id = d.object")
    letters, arrived = set(found), copies(arrivals)
    assert len(letters) == len(found), "a record is given up once"
    doubts = set(rows(path, "SELECT uri, ordinal, part FROM in_doubt d JOIN object o ON o.id = d.object"))
    for (n, part), count in arrived.items():
        is_doubted = in_doubt is InDoubt.RESEND and (*places[n], part) in doubts
        assert count == 1 or is_doubted, f"{n} arrived {count} times"
    for n, place in enumerate(places):
        assert place in letters or all((n, part) in arrived for part in range(records[n].parts)), f"{n} is lost"
    tally = dict(rows(path, "SELECT outcome, sum(n) FROM tally GROUP BY 1"))
    assert sum(tally.get(outcome, 0) for outcome in ("delivered", "dead_lettered", "skipped")) == len(records)
    assert tally.get("dead_lettered", 0) == len(letters)
    for table in ("parked", "intent", "lost"):
        assert rows(path, f"SELECT * FROM {table}") == []


# -- one thing at a time --------------------------------------------------------------------------------------


def messages(*users: str) -> list[dict[str, Any]]:
    """Messages of these users; nothing is sent of those of nobody."""
    return [
        {"n": n, "user": user, "anonymous": "", "parts": int(bool(user)), "type": "track", "messageId": f"m{n}"}
        for n, user in enumerate(users)
    ]


def job_of(
    folder: Path, objects: Mapping[str, list[dict[str, Any]]], script: Mapping[tuple[int, int], Sequence[str]] = NONE
) -> tuple[Simulation, KeptElsewhere]:
    """A job whose checkpoint is kept elsewhere, once before anything is sent."""
    generator = random.Random(1)
    custody = KeptElsewhere(folder / "job.ckpt", generator, every=10_000.0)
    return Simulation(folder, objects, Destination(script, generator), generator, custody=custody), custody


def doubts_of(job: Simulation) -> list[tuple[int, int, str]]:
    return rows(job.path, "SELECT ordinal, part, cause FROM in_doubt ORDER BY 1, 2")


def sent(job: Simulation) -> list[int]:
    return [arrival.n for arrival in job.destination.arrivals]


def test_only_what_was_announced_is_in_doubt(tmp_path: Path) -> None:
    """The third batch was not announced: while so many wait, nothing more is."""
    with small_house(batch_records=2):
        job, custody = job_of(tmp_path, {"/a": messages(*"ABCDEF")})
        assert job.run(Policy(concurrency=1), Stop("lose", 1), window=2).state == "lost"
        assert custody.announced == [("/a", "e", 0, 2)]
        custody.announced.append(("/a", "e", 2, 4))
        assert job.run(Policy(concurrency=1)).state == "complete"
    assert doubts_of(job) == [(ordinal, 0, CAUSE) for ordinal in range(4)]
    assert sent(job) == [0, 0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("how", ["kill", "lose", "stop"])
def test_a_kill_while_the_lost_are_looked_at_neither_doubles_nor_loses_a_doubt(tmp_path: Path, how: str) -> None:
    with small_house(batch_records=2):
        job, _ = job_of(tmp_path, {"/a": messages(*"ABCD")})
        job.run(Policy(concurrency=1), Stop("lose", 3))
        for arrivals in range(3):
            job.run(Policy(concurrency=1), Stop(how, arrivals, 0.05))
        assert job.run(Policy()).state == "complete"
    assert {doubt for doubt in doubts_of(job) if doubt[2] == CAUSE} == {(n, 0, CAUSE) for n in range(4)}
    assert [cause for *_, cause in doubts_of(job)].count(CAUSE) == 4


def test_an_attempt_that_the_snapshot_knew_is_counted_once(tmp_path: Path) -> None:
    with small_house():
        job, custody = job_of(tmp_path, {"/a": messages("A", "B")})
        assert job.run(Policy(concurrency=1), Stop("kill", 1)).state == "killed"
        assert rows(job.path, "SELECT ordinal FROM intent") == [(0,)]
        custody.is_lost, custody.announced = True, [("/a", "e", 0, 2)]
        assert job.run(Policy(concurrency=1)).state == "complete"
    assert doubts_of(job) == [(0, 0, "interrupted"), (1, 0, CAUSE)]


def test_what_was_parked_and_came_back_is_in_doubt_or_given_up(tmp_path: Path) -> None:
    script = {(0, 0): ["500"] * 5}
    with small_house(parked_after=1):
        job, custody = job_of(tmp_path, {"/a": messages("A", "B")}, script)
        job.run(Policy(), Stop("stop", 4))
        assert rows(job.path, "SELECT id FROM parked") == [(1,)]
        job.run(Policy(), Stop("lose", 1))
        assert custody.parked == [1]
        assert job.run(Policy(in_doubt=InDoubt.DEAD_LETTER)).state == "complete"
    assert doubts_of(job) == [(0, 0, CAUSE)]
    assert rows(job.path, "SELECT ordinal, reason FROM dead_letter") == [(0, "in_doubt")]


def test_records_of_one_request_are_in_doubt_each(tmp_path: Path) -> None:
    generator = random.Random(1)
    custody = KeptElsewhere(tmp_path / "job.ckpt", generator, every=10_000.0)
    lines = [made | {"timestamp": "2025-03-01T10:00:00.000Z"} for made in messages(*"ABCDEF")]
    with small_house(batch_records=3), small_bulk(100_000):
        destination = BulkDestination({}, generator)
        api = bulk_api(100_000)
        job = Simulation(tmp_path, {"/a": lines}, destination, generator, api=api, custody=custody)
        job.run(Policy(), Stop("lose", 1), window=1)
        batches = len(custody.announced)
        assert job.run(Policy(in_doubt=InDoubt.DEAD_LETTER)).state == "complete"
    assert batches
    assert len(doubts_of(job)) == 3 * batches
    letters = rows(job.path, "SELECT ordinal FROM dead_letter WHERE reason = 'in_doubt' ORDER BY 1")
    assert letters == [(ordinal,) for ordinal in range(3 * batches)]
    assert set(bulk_copies(destination.requests).values()) == {1}


def changing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Go on with objects that changed."""
    monkeypatch.setattr(simulation, "find_begun", lambda store, source, _: find_begun(store, source, Changed.CONTINUE))


class Rewritten(MemorySource):
    """The objects in another version."""

    def _object(self, uri: str) -> ArchiveObject:
        return super()._object(uri)._replace(etag="e2")


def test_all_of_an_object_that_changed_after_the_loss_is_in_doubt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which of its messages were sent is not known; nor does a run go on with it unless it is told to."""
    with small_house(batch_records=2):
        job, _ = job_of(tmp_path, {"/a": messages(*"ABCD")})
        job.run(Policy(concurrency=1), Stop("lose", 1), window=2)
        job.source = Rewritten({"/a": messages(*"BACDE")})
        with pytest.raises(UsageError, match="/a changed since a part of it was sent"):
            job.run(Policy())
        changing(monkeypatch)
        assert job.run(Policy(in_doubt=InDoubt.DEAD_LETTER)).state == "complete"
    assert sent(job) == [0]
    assert rows(job.path, "SELECT ordinal FROM dead_letter ORDER BY 1") == [(ordinal,) for ordinal in range(5)]
    versions = "SELECT state, count(*) FROM in_doubt d JOIN object o ON o.id = d.object GROUP BY 1 ORDER BY 1"
    assert rows(job.path, versions) == [("complete", 5), ("replaced", 2)]


def test_what_was_sent_of_an_object_that_is_gone_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with small_house(batch_records=2):
        job, _ = job_of(tmp_path, {"/a": messages(*"ABCD")})
        job.run(Policy(concurrency=1), Stop("lose", 1), window=2)
        job.source = MemorySource({"/b": messages("X")})
        with pytest.raises(FatalError, match="/a is not under the sources any more"):
            job.run(Policy())
        changing(monkeypatch)
        assert job.run(Policy()).state == "complete"
    assert doubts_of(job) == [(0, 0, CAUSE), (1, 0, CAUSE)]
    with closing(Store.open(job.path, read_only=True)) as store:
        assert store.lost() == []
        assert [uri for uri, *_ in store.in_doubt(running=False)] == ["/a", "/a"]


def test_nothing_leaves_once_the_checkpoint_is_not_ours(tmp_path: Path) -> None:
    """Not even where the custody thinks better of it; the checkpoint knows all that was sent, and why the run ended."""
    with small_house():
        job, custody = job_of(tmp_path, {"/a": messages(*"ABCDEFGH")})
        custody.ours_for = 3
        ending = job.run(Policy(concurrency=2))
        assert (ending.state, type(ending.error)) == ("failed", FatalError)
        assert len(sent(job)) == 3
        assert rows(job.path, "SELECT state, reason FROM run") == [("failed", str(ending.error))]
        assert rows(job.path, "SELECT * FROM intent") == []
        custody.ours_for = inf
        assert job.run(Policy()).state == "complete"
    assert sorted(sent(job)) == list(range(8))
    assert doubts_of(job) == []


def test_a_run_ends_for_the_reason_that_the_custody_gives(tmp_path: Path) -> None:
    with small_house():
        job, custody = job_of(tmp_path, {"/a": messages(*"ABCD")})
        custody.ours_for, custody.tells_after = 2, 0.5
        ending = job.run(Policy())
    assert str(ending.error) == TAKEN_OVER
    assert len(sent(job)) == 2


def test_nothing_is_sent_that_cannot_be_announced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object, **__: object) -> None:
        await asyncio.sleep(1.0)
        raise FatalError("the bucket is gone")

    with small_house():
        job, custody = job_of(tmp_path, {"/a": messages(*"AB")})
        monkeypatch.setattr(custody, "announce", refuse)
        assert job.run(Policy()).reason == "the bucket is gone"
    assert sent(job) == []


@pytest.mark.parametrize("every", [1, 20])
def test_announcing_costs_no_throughput(tmp_path: Path, every: int) -> None:
    """Of whole batches, and where only one message in so many is sent; a round trip takes 200 ms.

    As always, what is in memory is enough for two seconds.
    """
    users = [f"u{n}" if n % every == 0 else "" for n in range(300 * every)]
    elapsed = []
    for number, seconds in enumerate((0.0, 0.2)):
        folder = tmp_path / str(number)
        folder.mkdir()
        with small_house(batch_records=100):
            job, custody = job_of(folder, {"/a": messages(*users)})
            custody.round_trip = seconds
            assert job.run(Policy(), rps=50.0, window=100).state == "complete"
            elapsed.append(job.elapsed)
    assert elapsed[1] < elapsed[0] + 0.5

"""A record is counted once, however many requests it became and wherever they waited; a kill loses no account."""

import json
import random
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay_cli.ledger.dead_letters import DeadLetterFile
from replay_cli.ledger.group import PartOutcome
from replay_cli.ledger.ledger import Ledger
from replay_cli.ledger.store import Store
from replay_cli.model import ArchiveObject, RecordBatch, Unit
from replay_cli.moengage.packing import halves, join, without
from replay_cli.preparation import Preparation
from replay_cli.recognition import known_by
from replay_cli.settlement import Pending, Settlement, Work, rank
from tests.ledger.checkpoints import JOB, rows, take_in
from tests.support.apis import plain_api
from tests.support.bulk_simulation import bulk_api
from tests.support.simulation import SimulatedLoop, drive, map_message, small_house

OBJECT = ArchiveObject("/logs/a.jsonl", 100, "e")
REASONS = ("http_400", "exhausted:http_500")
STEPS = ("deliver", *REASONS, "park", "bring_back", "commit", "kill")


class Settled(NamedTuple):
    reason: str | None


Standing = list[list[str | Settled]]
"""Record → its requests: `memory`, `parked`, or how one was settled."""


class Office:
    """A settlement over a real checkpoint, and what should have become of each request."""

    def __init__(self, folder: Path, parts: list[int]) -> None:
        self.path = folder / "job.ckpt"
        Store.create(self.path, JOB).close()
        self.records = [
            json.dumps({"n": n, "user": f"u{n}", "anonymous": "", "parts": count, "timestamp": "2025-03-01T10:00:00Z"})
            for n, count in enumerate(parts)
        ]
        self.now: Standing = [["memory"] * count for count in parts]
        self.durable = self.copy()
        self.open()

    def copy(self) -> Standing:
        return [list(states) for states in self.now]

    def open(self) -> None:
        """Begin a run, as the conductor does."""
        self.store = Store.open(self.path)
        (state,) = take_in(self.store, [OBJECT])
        self.store.start_run(0.0, {})
        self.store.verify_book()
        letters = DeadLetterFile(self.path.with_suffix(".jsonl"))
        letters.recover(self.store)
        parked = self.store.begin_parking()
        assert parked.requests == sum(states.count("parked") for states in self.now)
        self.ledger = Ledger(self.store, letters, lambda error: pytest.fail(str(error)))
        self.settlement = Settlement(self.ledger, parked.next_number)
        self.pending: dict[tuple[int, int], Pending] = {}
        if state.state == "complete":
            return
        work = Work(state.id, OBJECT, state.watermark, self.store.open_batches(1), self.store.settled_parts(1), {})
        self.ledger.begin_object(1, state.watermark)
        if not state.watermark:
            self.read(work)
        self.ledger.end_object(1, None)

    def read(self, work: Work) -> None:
        lines = [record.encode() for record in self.records]
        prepare = Preparation(plain_api(map_message), strict=False, clock=lambda: 2e9)
        prepared = prepare(RecordBatch(OBJECT, 0, lines, Unit.LINE, 100))
        batch = work.batches.pop(0, None)
        if batch is None:
            batch = self.settlement.open(work, prepared, known_by(prepared))
        else:
            self.settlement.resume(batch, prepared)
        self.settlement.take(batch, prepared, work.parts)
        for index, request in enumerate(prepared.requests):
            key = request.ordinals[0], request.part
            settled = self.settlement.is_settled(batch, request)
            assert settled == (self.now[key[0]][key[1]] != "memory"), f"{key} is to be sent again, or never"
            if not settled:
                self.pending[key] = Pending(request, 1, batch, rank(1, 0, index), "line")

    async def step(self, name: str, n: int) -> None:
        """One thing that happens to a record: its requests keep to one lane, so only the first can be settled."""
        open_parts = [part for part, state in enumerate(self.now[n]) if isinstance(state, str)]
        front = next(iter(open_parts), None)
        in_memory = front is not None and self.now[n][front] == "memory"
        if name == "commit":
            await self.commit()
        elif name == "kill":
            self.kill()
        elif name == "bring_back" and front is not None:
            await self.bring_back(n)
        elif name == "park" and in_memory:
            self.park(n, open_parts)
        elif name in ("deliver", *REASONS) and in_memory:
            assert front is not None
            pending = self.pending.pop((n, front))
            if name == "deliver":
                self.settlement.deliver(pending)
            else:
                self.settlement.give_up(pending, name, "because", 400)
            self.now[n][front] = Settled(None if name == "deliver" else name)

    def park(self, n: int, parts: list[int]) -> None:
        """The first waits for its time, all behind it for their turn."""
        for part in parts:
            if (pending := self.pending.pop((n, part), None)) is not None:
                self.settlement.park(pending, 0.0 if part == parts[0] else None)
                self.now[n][part] = "parked"

    async def bring_back(self, n: int, limit: int = 1) -> None:
        """As many as there is room for, the first ones first."""
        loaded = await self.ledger.load_parked([f"u{n}"], limit)
        self.durable = self.copy()
        for returning in loaded.requests:
            pending = self.settlement.bring_back(returning)
            key = pending.request.ordinals[0], pending.request.part
            assert self.now[key[0]][key[1]] == "parked"
            assert "memory" not in self.now[key[0]][key[1] :], "the earlier ones come first"
            self.now[key[0]][key[1]] = "memory"
            self.pending[key] = pending

    async def commit(self) -> None:
        await self.ledger.flush()
        self.durable = self.copy()
        self.store.verify_book()
        self.require_book()

    def kill(self) -> None:
        """What was not committed never was; what was parked is parked, also if it had come back."""
        self.close()
        was_parked = {
            tuple(row)
            for row in rows(self.path, "SELECT r.ordinal, p.part FROM parked p JOIN parked_record r ON r.id = p.id")
        }
        self.now = [
            ["parked" if state == "memory" and (n, part) in was_parked else state for part, state in enumerate(states)]
            for n, states in enumerate(self.durable)
        ]
        self.durable = self.copy()
        self.open()

    def close(self) -> None:
        self.ledger.close()
        self.store.close()

    def require_book(self) -> None:
        """The durable book says of each record what became of it, once."""
        expected = Counter[str]()
        letters: dict[int, str] = {}
        for n, states in enumerate(self.now):
            reasons = [state.reason for state in states if isinstance(state, Settled)]
            if len(reasons) < len(states):
                expected["pending"] += 1
            elif any(reasons):
                expected["dead_lettered"] += 1
                letters[n] = ",".join(str(part) for part, reason in enumerate(reasons) if reason is None)
            else:
                expected["delivered"] += 1
        found = Counter({outcome: sum(reasons.values()) for outcome, reasons in self.store.tallies().items()})
        found["pending"] = self.store.totals()["pending"]
        assert +found == +expected
        kept = rows(self.path, "SELECT ordinal, delivered_parts, reason FROM dead_letter")
        assert sorted((n, parts) for n, parts, _ in kept) == sorted(letters.items())
        for n, _, reason in kept:
            assert Settled(reason) in self.now[n]


@settings(max_examples=150)
@given(
    st.lists(st.integers(1, 3), min_size=1, max_size=4),
    st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 3)), max_size=40),
    st.integers(0, 100),
)
def test_the_book_closes_whatever_becomes_of_the_requests_of_a_record(
    parts: list[int], steps: list[tuple[str, int]], seed: int
) -> None:
    async def scenario(folder: Path) -> None:
        office = Office(folder, parts)
        for name, n in steps:
            await office.step(name, n % len(parts))
        for n, count in enumerate(parts):
            for _ in range(count):
                await office.bring_back(n, limit=10)
                await office.step("deliver", n)
        await office.commit()
        office.store.verify_book(complete=True)
        assert rows(office.path, "SELECT state, watermark FROM object") == [("complete", len(parts))]
        for table in ("batch", "settled_part", "parked", "parked_lane", "parked_record"):
            assert rows(office.path, f"SELECT * FROM {table}") == [], table
        office.close()

    with TemporaryDirectory() as folder, small_house():
        drive(scenario(Path(folder)), SimulatedLoop(random.Random(seed)))


def test_a_dead_letter_names_the_requests_that_did_arrive(tmp_path: Path) -> None:
    async def scenario() -> None:
        office = Office(tmp_path, [3])
        for name in ("deliver", "park", "kill", "bring_back", "http_400", "bring_back", "deliver"):
            await office.step(name, 0)
            await office.commit()
        office.close()

    drive(scenario(), SimulatedLoop(random.Random(1)))
    letters = rows(tmp_path / "job.ckpt", "SELECT reason, detail, status, delivered_parts FROM dead_letter")
    assert letters == [("http_400", "because", 400, "0,2")]


# -- requests of many records -----------------------------------------------------------------------------------


class BulkOffice:
    """A settlement over a real checkpoint with one bulk request of some records, and its book."""

    def __init__(self, folder: Path, count: int) -> None:
        self.path = folder / "job.ckpt"
        Store.create(self.path, JOB).close()
        self.count = count
        self.open()

    def open(self) -> None:
        self.store = Store.open(self.path)
        (state,) = take_in(self.store, [OBJECT])
        self.store.start_run(0.0, {})
        self.store.settle_intents()
        letters = DeadLetterFile(self.path.with_suffix(".jsonl"))
        letters.recover(self.store)
        parked = self.store.begin_parking()
        self.ledger = Ledger(self.store, letters, lambda error: pytest.fail(str(error)))
        self.settlement = Settlement(self.ledger, parked.next_number)
        if state.state != "complete" and not state.watermark:
            self.read(Work(state.id, OBJECT, 0, self.store.open_batches(1), {}, {}))

    def read(self, work: Work) -> None:
        made = [{"n": n, "user": str(n), "anonymous": "", "type": "track"} for n in range(self.count)]
        lines = [json.dumps(each | {"timestamp": "2025-03-01T10:00:00Z"}).encode() for each in made]
        prepare = Preparation(bulk_api(100_000), strict=False, clock=lambda: 2e9)
        prepared = prepare(RecordBatch(OBJECT, 0, lines, Unit.LINE, 100))
        self.ledger.begin_object(1, 0)
        batch = self.settlement.open(work, prepared, known_by(prepared))
        self.settlement.take(batch, prepared, {})
        self.pending = Pending(join(prepared.requests), 1, batch, rank(1, 0, 0), "line")
        self.ledger.end_object(1, None)

    async def bring_back(self) -> None:
        (returning,) = (await self.ledger.load_parked([], 10)).requests
        self.pending = self.settlement.bring_back(returning)

    async def reopen(self) -> None:
        """End the run, and begin the next one with what is parked."""
        await self.ledger.flush()
        self.close()
        self.open()
        await self.bring_back()

    def close(self) -> None:
        self.ledger.close()
        self.store.close()

    def refuse(self, *given_up: int) -> None:
        """Give up some records, and go on with two halves of the others."""
        request = self.pending.request
        rest = without(request, {request.ordinals.index(n) for n in given_up})
        gone = without(request, {index for index, n in enumerate(request.ordinals) if n not in given_up})
        assert rest is not None
        self.settlement.take_apart(self.pending, gone, halves(rest) or [rest], PartOutcome("http_400", "no", 400))

    def deliver(self) -> bool:
        self.settlement.deliver(self.pending)
        return self.settlement.go_on(self.pending)


@pytest.mark.parametrize("parked", [False, True])
@pytest.mark.parametrize("parked_again", [False, True])
@pytest.mark.parametrize("ends", [False, True])
def test_each_record_of_a_request_that_is_taken_apart_is_settled_once(
    tmp_path: Path, parked: bool, parked_again: bool, ends: bool
) -> None:
    """It may wait in the checkpoint before, and between its parts, and the run may end there."""

    async def scenario() -> None:
        office = BulkOffice(tmp_path, 9)
        if parked:
            office.settlement.park(office.pending, 0.0)
            await office.bring_back()
        office.refuse(1, 4)
        assert list(office.pending.request.ordinals) == [0, 2, 3]
        assert office.deliver()
        assert list(office.pending.request.ordinals) == [5, 6, 7, 8]
        office.refuse(5)
        if parked_again:
            office.settlement.park(office.pending, 0.0)
        if ends and (parked or parked_again):
            await office.reopen()
        elif parked_again:
            await office.bring_back()
        while office.deliver():
            pass
        await office.ledger.flush()
        office.store.verify_book(complete=True)
        office.close()

    with small_house():
        drive(scenario(), SimulatedLoop(random.Random(1)))
    tally = "SELECT outcome, sum(n) FROM tally GROUP BY 1 ORDER BY 1"
    assert rows(tmp_path / "job.ckpt", tally) == [("dead_lettered", 3), ("delivered", 6)]
    letters = "SELECT ordinal, reason, detail, status FROM dead_letter ORDER BY 1"
    assert rows(tmp_path / "job.ckpt", letters) == [(n, "http_400", "no", 400) for n in (1, 4, 5)]
    assert rows(tmp_path / "job.ckpt", "SELECT * FROM parked_record") == []


# -- ranks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lower", "higher"), [((1, 9, 9), (2, 0, 0)), ((1, 0, 9), (1, 1, 0)), ((1, 5, 0), (1, 5, 1))])
def test_ranks_follow_the_archive(lower: Any, higher: Any) -> None:
    assert rank(*lower) < rank(*higher) < 2**63


def test_a_rank_out_of_bounds_still_fits_and_keeps_the_order() -> None:
    assert rank(1, 0, 10**6) == rank(1, 0, 10**7) < rank(1, 1, 0)
    assert rank(10**9, 10**12, 10**6) < 2**63

"""Runs simulated in one thread: the conductor and the checkpoint are real, time, threads and the destination are not.

Commits, reads and replies take random times of a virtual clock, drawn from one seed: the same seed is the same run.
"""

import asyncio
import json
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO, NamedTuple, TypeVar, cast

import pytest

from replay_cli.cli.opening import find_begun
from replay_cli.custody import AT_HOME
from replay_cli.delivery.allowance import Allowance
from replay_cli.delivery.budget import Budget
from replay_cli.delivery.cap import Cap
from replay_cli.delivery.transport import Gate, Transport
from replay_cli.ledger import store as store_module
from replay_cli.ledger.changes import Changed
from replay_cli.ledger.dead_letters import DeadLetterFile
from replay_cli.ledger.group import Group
from replay_cli.ledger.ledger import Ledger
from replay_cli.ledger.parked import Loaded
from replay_cli.ledger.store import Store
from replay_cli.model import ArchiveObject, Message, Request
from replay_cli.moengage.mapping import Api, Draft
from replay_cli.moengage.replies import Failure, Reply
from replay_cli.policy import Policy
from replay_cli.preparation import Preparation
from replay_cli.replay import Ending, Replay, Standing
from tests.delivery.clock import FakeClockLoop
from tests.support.apis import plain_api
from tests.support.custody import KeptElsewhere

T = TypeVar("T")
EPOCH = 1_750_000_000.0
LONGEST_RUN = 3_600.0
MOST_LOADS = 2_000
CHECK = Request((), 0, "GET", "/auth", b"", (), ())
REPLIES = {
    "200": Reply(200),
    "400": Reply(400),
    "401": Reply(401),
    "429": Reply(429, retry_after="2"),
    "500": Reply(500),
    "502": Reply(502),
    "reset": Reply(failure=Failure.RESET, cause="reset"),
    "reset_after": Reply(failure=Failure.RESET, cause="reset"),
    "refused": Reply(failure=Failure.NOT_SENT, cause="nobody listens"),
}
ARRIVED = frozenset({"200", "reset_after"})


class SimulatedLoop(FakeClockLoop):
    """Its executors are simulated too: a job runs in one go, some time after it was given, and is over later still."""

    def __init__(self, generator: random.Random) -> None:
        super().__init__()
        self._generator = generator
        self._begun: dict[Any, float] = {}

    def _some_time(self) -> float:
        return self._generator.choice((0.0, 0.0, 0.001, 0.01, 0.05)) * self._generator.random()

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        future = self.create_future()
        begin = max(self.time() + self._some_time(), self._begun.get(executor, 0.0) + 1e-6)  # one after the other
        self._begun[executor] = begin

        def job() -> None:
            if future.cancelled():
                return
            try:
                result, error = func(*args), None
            except Exception as raised:
                result, error = None, raised
            self.call_later(self._some_time(), finish, result, error)

        def finish(result: Any, error: Exception | None) -> None:
            if future.cancelled():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)

        self.call_at(begin, job)
        return future


def drive(main: Coroutine[Any, Any, T], loop: SimulatedLoop) -> T:
    """Run to the end on such a loop."""
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(main)


class MemorySource:
    """Objects that are there already."""

    def __init__(self, objects: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        self._objects = {
            uri: b"".join(json.dumps(record).encode() + b"\n" for record in records) for uri, records in objects.items()
        }

    ignored = 0
    trouble = ""

    def pages(self) -> Iterator[list[ArchiveObject]]:
        for uri in self._objects:
            yield [self._object(uri)]

    def find(self, uri: str) -> ArchiveObject | None:
        return self._object(uri) if uri in self._objects else None

    def expect(self, objects: Sequence[ArchiveObject]) -> None:
        pass

    def stop(self) -> None:
        pass

    def _object(self, uri: str) -> ArchiveObject:
        return ArchiveObject(uri, len(self._objects[uri]), "e")

    @contextmanager
    def open(self, obj: ArchiveObject) -> Iterator[BinaryIO]:
        yield BytesIO(self._objects[obj.uri])


def map_message(message: Message) -> Sequence[Draft]:
    """A request for each of a record's `parts`, in the lanes of both its ids."""
    users = tuple(name for name in (message["user"], message["anonymous"]) if name)
    return [("/", {"n": message["n"], "part": part}, users) for part in range(message["parts"])]


PLAIN = plain_api(map_message)
UNBOUNDED = Allowance(0, 0)


class Arrival(NamedTuple):
    n: int
    part: int
    users: tuple[str, ...]
    decision: str


class Destination:
    """Takes the transport's place, and answers by a script.

    Args:
        script: (n, part) → what becomes of its attempts, one after the other; of all others: 200.
        generator: how long everything takes.
    """

    def __init__(self, script: Mapping[tuple[int, int], Sequence[str]], generator: random.Random) -> None:
        self.arrivals: list[Arrival] = []
        self.on_arrival: Callable[[int], None] = lambda _: None
        self.is_healed = False
        self.down = ""
        self.is_dead = False
        self.set_script(script)
        self._generator = generator

    def set_script(self, script: Mapping[tuple[int, int], Sequence[str]]) -> None:
        """Answer by another script from now on."""
        self._script = {key: list(decisions) for key, decisions in script.items()}

    async def attempt(self, request: Request, gate: Gate) -> Reply:
        if self._generator.random() < 0.3:
            await asyncio.sleep(self._generator.random() * 0.2)
        if request is CHECK:
            await gate()
            return Reply(500 if self.down else 200)
        body = json.loads(request.body)
        if self.down == "refused" and not self.is_healed:
            return REPLIES["refused"]
        await gate()
        decision = self._decide(body["n"], body["part"])
        if decision == "refused":
            return REPLIES[decision]
        if not self.is_dead:
            self.arrivals.append(Arrival(body["n"], body["part"], request.users, decision))
            self.on_arrival(len(self.arrivals))
        await asyncio.sleep(self._generator.choice((0.0, 0.01, 0.1, 1.0)) * self._generator.random())
        return REPLIES[decision]

    def _decide(self, n: int, part: int) -> str:
        if self.is_healed:
            return "200"
        if self.down:
            return self.down
        left = self._script.get((n, part))
        if not left:
            return "200"
        return left[0] if len(left) == 1 and left[0] == "500" else left.pop(0)


class Stop(NamedTuple):
    """How a run is ended: `stop`, `abort`, `kill` or `lose` (its machine), so long after so many arrivals of it."""

    how: str = ""
    arrivals: int = 0
    delay: float = 0.0


NO_STOP = Stop()


class Simulation:
    """One job, run again and again.

    Args:
        folder: for its checkpoint.
        objects: uri → records, with `n`, `user`, `anonymous`, `parts`.
        destination: where they are sent.
        generator: how long everything takes.
        api: as what they are sent.
        allowance: what requests may spend a minute besides the cap.
        custody: where the checkpoint is kept; None: at home.
    """

    def __init__(
        self,
        folder: Path,
        objects: Mapping[str, Sequence[Mapping[str, Any]]],
        destination: Destination,
        generator: random.Random,
        *,
        api: Api = PLAIN,
        allowance: Allowance = UNBOUNDED,
        custody: KeptElsewhere | None = None,
    ) -> None:
        self.path = folder / "job.ckpt"
        self.api = api
        self.allowance = allowance
        self.custody = custody
        self.source = MemorySource(objects)
        self.destination = destination
        self.loads = 0
        self.elapsed = 0.0
        self._generator = generator

    def run(self, policy: Policy, stop: Stop = NO_STOP, *, rps: float = 1000.0, window: int = 1000) -> Ending:
        """Run the job from where it stands; the book has to close at each commit."""
        copy = self.path.with_suffix(".copy")
        copy.unlink(missing_ok=True)
        with ExitStack() as stack:
            store = Store.open(self.path) if self.path.exists() else Store.create(self.path, {})
            stack.callback(store.close)
            if self.custody is not None:
                self.custody.begin(store)
            store.settle_intents()
            work = find_begun(store, self.source, Changed.REFUSE)
            store.begin_listing({})
            letters = DeadLetterFile(self.path.with_suffix(".jsonl"))
            letters.recover(store)
            store.verify_book()
            store.start_run(0.0, {})
            if self.custody is not None:
                self.custody.keep_at_rest()
            self._watch(store)
            loop = SimulatedLoop(self._generator)
            with asyncio.Runner(loop_factory=lambda: loop) as runner, pytest.MonkeyPatch.context() as patch:
                clock = SimpleNamespace(time=lambda: EPOCH + loop.time())
                for module in ("fetching", "judgement", "traffic", "settlement", "ledger.ledger"):
                    patch.setattr(f"replay_cli.{module}.time", clock)
                began = loop.time()
                ending = runner.run(self._conduct(store, letters, work, policy, stop, rps, window))
                self.elapsed = loop.time() - began
            if ending.state not in ("killed", "lost"):
                store.verify_book(complete=ending.state == "complete")
                store.end_run(0.0, ending.state, ending.reason)
        if ending.state == "killed":
            for suffix in ("", "-wal", "-shm"):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
            shutil.move(copy, self.path)
        if ending.state == "lost" and self.custody is not None:
            self.custody.lose()
        return ending

    def _watch(self, store: Store) -> None:
        apply, load = store.apply, store.load_parked
        self.loads = 0

        def apply_and_verify(group: Group) -> None:
            apply(group)
            store.verify_book()

        def count_loads(lanes: Iterable[str], now: float, limit: int) -> Loaded:
            self.loads += 1
            assert self.loads < MOST_LOADS, "it spins"
            return load(lanes, now, limit)

        store.apply = apply_and_verify  # type: ignore[method-assign] # a spy
        store.load_parked = count_loads  # type: ignore[method-assign] # a spy

    async def _conduct(
        self,
        store: Store,
        letters: DeadLetterFile,
        work: list[Any],
        policy: Policy,
        stop: Stop,
        rps: float,
        window: int,
    ) -> Ending:
        delivered = bool(store.tallies().get("delivered"))
        standing = Standing(work, self.source.pages(), store.begin_parking(), delivered)
        ledger = Ledger(store, letters, lambda error: replay.fail(error))
        prepare = Preparation(self.api, strict=False, clock=lambda: EPOCH)
        transport = cast("Transport", self.destination)
        budget = Budget(self.allowance) if any(self.allowance) else None
        replay = Replay(
            self.source,
            *(standing, prepare, ledger, transport, Cap(rps), policy, CHECK),
            pack=self.api.pack,
            budget=budget,
            custody=self.custody or AT_HOME,
        )
        replay._traffic.window = window
        replay._judgement._random = self._generator
        task = asyncio.ensure_future(replay.run())
        keeping = None
        if self.custody is not None:
            self.custody.fail = replay.fail
            keeping = asyncio.ensure_future(self.custody.keep())
        loop = asyncio.get_running_loop()
        began, killed = len(self.destination.arrivals), ""

        def end() -> None:
            nonlocal killed
            if stop.how in ("kill", "lose"):
                if stop.how == "kill":
                    with (
                        closing(sqlite3.connect(self.path)) as seen,
                        closing(sqlite3.connect(self.path.with_suffix(".copy"))) as copy,
                    ):
                        seen.backup(copy)
                killed, self.destination.is_dead = {"kill": "killed", "lose": "lost"}[stop.how], True
                if keeping is not None:
                    keeping.cancel()
                task.cancel()
                return
            replay.stop(Ending("interrupted", stop.how))
            if stop.how == "abort":
                loop.call_later(0.01, replay.abort)

        def on_arrival(count: int) -> None:
            if stop.how and count - began == stop.arrivals:
                loop.call_later(stop.delay, end)

        self.destination.on_arrival = on_arrival
        if stop.how and not stop.arrivals:
            loop.call_later(stop.delay, end)
        try:
            async with asyncio.timeout(LONGEST_RUN):
                return await task
        except asyncio.CancelledError:
            if not killed:
                raise
            return Ending(killed)
        finally:
            if keeping is not None:
                keeping.cancel()
            self.destination.is_dead = False
            self.destination.on_arrival = lambda _: None
            ledger.close()


@contextmanager
def small_house(**constants: Any) -> Iterator[None]:
    """Make limits small, so that few messages reach them; and leave out the waiting for a disk."""
    places = {
        "longest_lane": "replay_cli.traffic.LONGEST_LANE",
        "parked_after": "replay_cli.judgement._PARKED_AFTER",
        "most_parked": "replay_cli.parking.MOST_PARKED",
        "short_lane": "replay_cli.parking._SHORT_LANE",
        "loaded_of_a_lane": "replay_cli.ledger.parked.LOADED_OF_A_LANE",
        "limits": "replay_cli.delivery.fair_use.LIMITS",
        "batch_records": "replay_cli.archive.lines.BATCH_RECORDS",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in constants.items():
            patch.setattr(places[name], value)
        patch.setattr(store_module, "_make_durable", _skip_syncing)
        patch.setattr(store_module, "_sync_folder", lambda _: None)
        yield


def _skip_syncing(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=OFF")


def copies(arrivals: Sequence[Arrival]) -> Counter[tuple[int, int]]:
    """Count how often each request arrived for good."""
    return Counter((arrival.n, arrival.part) for arrival in arrivals if arrival.decision in ARRIVED)

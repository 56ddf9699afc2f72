"""The window for duplicates in the checkpoint: of each record it is decided once, whenever a run is killed."""

import json
import random
from array import array
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from replay_cli.dry_run import DryRun
from replay_cli.ledger.changes import Changed
from replay_cli.ledger.dead_letters import DeadLetterFile
from replay_cli.ledger.group import Group, Seen
from replay_cli.ledger.ledger import Ledger
from replay_cli.ledger.objects import ObjectState
from replay_cli.ledger.store import Store
from replay_cli.model import ArchiveObject, RecordBatch, Unit
from replay_cli.preparation import Preparation, Prepared
from replay_cli.recognition import known_by, leave_out_duplicates
from replay_cli.segment.duplicates import DUPLICATE, Window
from replay_cli.settlement import Pending, Settlement, Work
from tests.ledger.checkpoints import A, B, new_store, rows, take_in
from tests.support.apis import plain_api
from tests.support.simulation import MemorySource, SimulatedLoop, drive, map_message, small_house

BATCH = 4
EPOCH = 2e9
prepare = Preparation(plain_api(map_message), strict=False, clock=lambda: EPOCH)


class Message(NamedTuple):
    """An archived message: `key` tells it from all others, `parts` is how many requests it becomes."""

    key: str
    message_id: str = ""
    parts: int = 1
    second: int = 0

    @property
    def line(self) -> bytes:
        time = f"2025-03-01T10:00:{self.second:02}.000Z"
        message: dict[str, Any] = {"n": self.key, "user": self.key, "anonymous": "", "parts": self.parts}
        return json.dumps(message | {"messageId": self.message_id, "timestamp": time}).encode()


Version = list[Message]
Archive = dict[str, Version]


def naive_duplicates(archive: Archive, size: int) -> set[str]:
    """Return the keys of the duplicates in an archive that is read once, without a stop."""
    last: deque[str] = deque(maxlen=size)
    found = set()
    for message in (message for uri in sorted(archive) for message in archive[uri]):
        if message.message_id and message.parts:
            if message.message_id in last:
                found.add(message.key)
            last.append(message.message_id)
    return found


def prepared(obj: ArchiveObject, first: int, version: Version) -> Prepared:
    return prepare(RecordBatch(obj, first, [message.line for message in version], Unit.LINE, 1))


class Runs:
    """Runs of one job over a real checkpoint, killed again and again; `sent` is what they have delivered, durably."""

    def __init__(self, folder: Path, archive: Archive, size: int) -> None:
        self.path = folder / "job.ckpt"
        self.size = size
        self.archive = archive
        self.sent: list[Message] = []
        self._delivered: list[Message] = []
        new_store(folder, []).close()
        self.open()

    def open(self) -> None:
        """Begin a run: look at what changed, then load the window; as a run does."""
        self.store = Store.open(self.path)
        self.store.settle_intents()
        versions = sorted(self.archive.items())
        objects = [ArchiveObject(uri, 1, " ".join(message.key for message in version)) for uri, version in versions]
        states = [state for state in take_in(self.store, objects, Changed.CONTINUE) if state.state != "complete"]
        self.store.start_run(0.0, {})
        self.store.verify_book()
        window = Window(self.size, salt=12345)
        for numbers in self.store.begin_window(self.size):
            window.fill(numbers)
        parked = self.store.begin_parking()
        letters = DeadLetterFile(self.path.with_suffix(".jsonl"))
        self.ledger = Ledger(self.store, letters, lambda error: pytest.fail(str(error)))
        self.settlement = Settlement(self.ledger, parked.next_number, window)
        self.pending: deque[Pending] = deque()
        self._unread = deque(sorted(states, key=lambda state: (not state.place, state.place, state.object.uri)))
        self._work: Work | None = None

    def work_of(self, state: ObjectState) -> Work:
        batches, parts = self.store.open_batches(state.id), self.store.settled_parts(state.id)
        return Work(*state[:2], state.watermark, batches, parts, {}, state.place, state.earlier)

    async def read(self) -> None:
        """Open the next batch, or go on with it where an earlier run has opened it."""
        if self._work is None:
            if not self._unread:
                return
            self._work = self.work_of(self._unread.popleft())
            self._next = self._work.watermark
            self._place = self.ledger.begin_object(self._work.id, self._next, self._work.place)
            self._before = await self.ledger.sent_before(self._work.id) if self._work.earlier else None
        work = self._work
        version = self.archive[work.object.uri]
        if self._next < len(version):
            self._admit(work, prepared(work.object, self._next, version[self._next : self._next + BATCH]))
        self._next += BATCH
        if self._next >= len(version):
            self.ledger.end_object(work.id, None)
            self._work = None

    def _admit(self, work: Work, whole: Prepared) -> None:
        batch = work.batches.pop(whole.batch.first, None)
        if batch is None:
            batch = self.settlement.open(work, whole, known_by(whole), self._before)
        else:
            self.settlement.resume(batch, whole)
        self.settlement.take(batch, whole, work.parts)
        for request in whole.requests:
            if not self.settlement.is_settled(batch, request):
                order = self._place << 43 | request.ordinals[0]
                self.pending.append(Pending(request, work.id, batch, order, "line", attempts=1))

    def deliver(self) -> None:
        if self.pending:
            pending = self.pending.popleft()
            self.settlement.deliver(pending)
            (text,) = pending.request.records
            found = json.loads(text)
            self._delivered.append(Message(found["n"], found["messageId"], found["parts"], pending.request.part))

    def park(self, *, attempts: int) -> None:
        """Park a request that failed, or one that only waits for another; and the record's others behind it."""
        if not self.pending or self.pending[0].parked is not None:
            return
        first = self.pending[0]
        family = [each for each in self.pending if each.request.users == first.request.users]
        for pending in family:
            self.pending.remove(pending)
            pending.attempts = attempts if pending is first else 0
            self.settlement.park(pending, 0.0 if pending.attempts else None)

    async def bring_back(self) -> None:
        lanes = [lane for (lane,) in rows(self.path, "SELECT lane FROM parked_lane")]
        for returning in (await self.ledger.load_parked(lanes, 1000)).requests:
            self.pending.append(self.settlement.bring_back(returning))

    async def commit(self) -> None:
        await self.ledger.flush()
        self.store.verify_book()
        self.sent += self._delivered
        self._delivered.clear()

    def kill(self) -> None:
        """What was not committed never was."""
        self.close()
        self._delivered.clear()
        self.open()

    def rewrite(self, versions: Mapping[str, Version]) -> None:
        """Let objects that are not finished change while nothing runs."""
        finished = {uri for (uri,) in rows(self.path, "SELECT uri FROM object WHERE state = 'complete'")}
        self.archive |= {uri: version for uri, version in versions.items() if uri not in finished}
        self.kill()

    async def finish(self) -> None:
        while self._work or self._unread:
            await self.read()
        await self.commit()
        await self.bring_back()
        while self.pending:
            self.deliver()
        await self.commit()
        self.store.verify_book(complete=True)
        self.book = self.store.tallies()

    async def step(self, name: str) -> None:
        match name:
            case "read":
                await self.read()
            case "deliver":
                self.deliver()
            case "commit":
                await self.commit()
            case "kill":
                self.kill()
            case "fail":
                self.park(attempts=1)
            case "wait":
                self.park(attempts=0)

    def close(self) -> None:
        self.ledger.close()
        self.store.close()


def simulate(archive: Archive, size: int, steps: Sequence[str], changes: Sequence[Archive] = ()) -> Runs:
    """Run a job in steps, then to its end; a `change` takes the next versions of some objects."""
    following = list(changes)

    async def scenario(folder: Path) -> Runs:
        runs = Runs(folder, dict(archive), size)
        for name in steps:
            if name != "change":
                await runs.step(name)
            elif following:
                runs.rewrite(following.pop(0))
        await runs.finish()
        runs.close()
        return runs

    with TemporaryDirectory() as folder, small_house():
        return drive(scenario(Path(folder)), SimulatedLoop(random.Random(1)))


def keyed(uri: str, ids: Sequence[tuple[str, int, int]]) -> Version:
    return [Message(f"{uri}{n}", *each) for n, each in enumerate(ids)]


IDS = st.sampled_from(["", "a", "b", "c", "d", "e"]) | st.integers(0, 30).map(str)
MESSAGES = st.tuples(IDS, st.sampled_from([0, 1, 1, 1, 2]), st.integers(0, 59))
ARCHIVES = st.lists(st.lists(MESSAGES, max_size=14), min_size=1, max_size=3).map(
    lambda objects: {f"/{n}": keyed(f"/{n}:", ids) for n, ids in enumerate(objects)}
)
STEPS = st.lists(st.sampled_from(["read", "read", "deliver", "commit", "kill", "fail", "wait"]), max_size=30)


@settings(max_examples=120)
@given(ARCHIVES, st.integers(1, 20), STEPS)
def test_whenever_it_is_killed_each_message_is_sent_or_skipped_as_without_a_stop(
    archive: Archive, size: int, steps: list[str]
) -> None:
    runs = simulate(archive, size, steps)
    left_out = naive_duplicates(archive, size)
    messages = [message for version in archive.values() for message in version if message.parts]
    expected = Counter((message.key, part) for message in messages for part in range(message.parts))
    assert Counter((sent.key, sent.second) for sent in runs.sent) == Counter(
        {(key, part): n for (key, part), n in expected.items() if key not in left_out}
    )
    assert runs.book.get("skipped", {}).get(DUPLICATE, 0) == len(left_out)
    assert runs.book.get("delivered", {}).get("", 0) == len(messages) - len(left_out)


@settings(max_examples=60)
@given(ARCHIVES, st.integers(1, 20))
def test_a_dry_run_skips_what_a_run_skips(archive: Archive, size: int) -> None:
    source = MemorySource({uri: [json.loads(message.line) for message in archive[uri]] for uri in sorted(archive)})
    with TemporaryDirectory() as folder:
        output = Path(folder) / "out.jsonl"
        dry = DryRun(cast("Any", source), prepare, "", None, Window(size))
        summary = dry.go(output, Console(file=StringIO()))
        lines = [json.loads(line) for line in output.read_text().splitlines()]
    skipped = {(line["uri"], line["ordinal"]) for line in lines if line["reason"] == DUPLICATE}
    left_out = naive_duplicates(archive, size)
    assert {archive[uri][ordinal].key for uri, ordinal in skipped} == left_out
    assert all(not line["requests"] for line in lines if line["outcome"] != "request")
    assert summary["records"]["skipped"] == sum(line["outcome"] == "skipped" for line in lines)


@st.composite
def changing_archives(draw: st.DrawFn) -> tuple[Archive, list[Archive]]:
    """An archive, and versions of its objects that have all messages of the one before, in another order, and more."""
    dice = draw(st.randoms(use_true_random=False))
    archive = {uri: [m for m in version if m.parts] for uri, version in draw(ARCHIVES).items()}
    now, changes = archive, []
    for round_ in range(draw(st.integers(1, 3))):
        change = {}
        for uri, version in now.items():
            if dice.random() < 0.7:
                new = [Message(f"{uri}+{round_}:{n}", dice.choice("abcxyz")) for n in range(dice.randrange(4))]
                again = [m._replace(key=f"{m.key}'{round_}") for m in version if m.message_id and dice.random() < 0.2]
                change[uri] = dice.sample([*version, *new, *again], len(version) + len(new) + len(again))
        changes.append(change)
        now = now | change
    return archive, changes


@settings(max_examples=150)
@given(changing_archives(), STEPS, st.data())
def test_nothing_is_lost_or_sent_twice_when_objects_change_in_mid_job(
    archives: tuple[Archive, list[Archive]], steps: list[str], data: st.DataObject
) -> None:
    archive, changes = archives
    steps = [*steps]
    for _ in changes:
        steps.insert(data.draw(st.integers(0, len(steps))), "change")
    runs = simulate(archive, 1000, steps, changes)
    messages = [message for version in runs.archive.values() for message in version]
    wanted = {message.message_id for message in messages if message.message_id}
    assert {sent.message_id for sent in runs.sent} - {""} == wanted
    single = {message.message_id for message in messages if message.parts == 1}
    single -= {message.message_id for message in messages if message.parts > 1}
    times = Counter(sent.message_id for sent in runs.sent)
    assert {message_id: n for message_id, n in times.items() if message_id in single - {""} and n > 1} == {}


def keys(runs: Runs) -> list[str]:
    return [sent.key for sent in runs.sent]


def test_what_repeats_a_message_that_was_never_sent_does_not_keep_the_new_version_s_from_being_sent() -> None:
    """Its duplicate in another object is skipped already: the message would be lost."""
    archive = {"/0": [Message("x", "x"), Message("y", "y")], "/1": [Message("x2", "x"), Message("y2", "y")]}
    change = {"/0": [Message("new", "new"), *archive["/0"]]}
    runs = simulate(archive, 1000, ["read", "read", "deliver", "commit", "change"], [change])
    assert keys(runs) == ["x", "new", "y"]
    assert runs.book == {"delivered": {"": 3}, "skipped": {DUPLICATE: 2}}


def test_objects_that_come_later_are_compared_with_those_that_are_complete() -> None:
    archive = {"/0": [Message("a", "a"), Message("b", "b")]}
    later = {"/1": [Message("b2", "b"), Message("c", "c")]}
    everything = ["read", "deliver", "deliver", "commit"]
    assert keys(simulate(archive, 2, [*everything, "change"], [later])) == ["a", "b", "c"]
    assert keys(simulate(archive, 1, [*everything, "change"], [{"/1": [Message("a2", "a")]}])) == ["a", "b", "a2"]


def test_a_duplicate_is_settled_when_its_batch_is_opened(tmp_path: Path) -> None:
    """In the same transaction, so that what is sent of the batch never depends on when the run was killed."""

    async def scenario() -> None:
        runs = Runs(tmp_path, {"/0": [Message("a", "m"), Message("b", "m", 2), Message("c")]}, 10)
        await runs.read()
        assert [pending.request.users for pending in runs.pending] == [("a",), ("c",)]
        await runs.commit()
        runs.close()

    with small_house():
        drive(scenario(), SimulatedLoop(random.Random(1)))
    path = tmp_path / "job.ckpt"
    assert rows(path, "SELECT unsettled, settled FROM batch") == [(2, bytes([0b11111010]))]
    assert rows(path, "SELECT outcome, reason, n FROM tally") == [("skipped", DUPLICATE, 1)]
    assert rows(path, "SELECT length(hashes), duplicates FROM seen") == [(16, b"\0\1")]
    ((hashes,),) = rows(path, "SELECT hashes FROM message_id")
    assert [bool(number) for number in array("Q", hashes)] == [True, False, True], "it is nothing that was sent"


def test_without_a_window_nothing_is_kept_of_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        runs = Runs(tmp_path, {"/0": [Message("a", "m"), Message("b", "m")]}, 10)
        runs.settlement = Settlement(runs.ledger)
        await runs.read()
        assert len(runs.pending) == 2
        await runs.commit()
        runs.close()

    with small_house():
        drive(scenario(), SimulatedLoop(random.Random(1)))
    assert rows(tmp_path / "job.ckpt", "SELECT * FROM seen") == []


def test_duplicates_are_told_in_the_archive_s_order_and_not_in_that_of_time() -> None:
    version = [Message("late", "m", second=30), Message("early", "m", second=10), Message("other", "o", 2)]
    left = leave_out_duplicates(prepared(A, 0, version), Window(10))
    assert left.skipped == [(1, DUPLICATE)]
    assert [(request.ordinals, request.part) for request in left.requests] == [((2,), 0), ((2,), 1), ((0,), 0)]
    assert left.message_ids == ["o", "o", "m"]
    assert left.records == 3


# -- the table ------------------------------------------------------------------------------------------------


def seen(object_id: int, numbers: Sequence[int], repeated: Sequence[int] = (), first: int = 0) -> Seen:
    marks = bytes(index in repeated for index in range(len(numbers))) if repeated else None
    return Seen(object_id, first, array("Q", numbers).tobytes(), marks)


def kept(store: Store) -> list[tuple[int, list[int], bytes | None]]:
    found = rows(store.path, "SELECT object, hashes, duplicates FROM seen ORDER BY id")
    return [(object_id, list(array("Q", hashes)), marks) for object_id, hashes, marks in found]


def last(store: Store, size: int) -> list[int]:
    return [number for numbers in store.begin_window(size) for number in numbers]


@settings(max_examples=60)
@given(st.lists(st.lists(st.integers(1, 5), max_size=3), max_size=6), st.integers(1, 25))
def test_as_many_messages_are_kept_as_the_window_needs(groups: list[list[int]], size: int) -> None:
    with TemporaryDirectory() as folder, small_house():
        store = new_store(Path(folder))
        last(store, size)
        everything: list[int] = []
        for counts in groups:
            group = Group()
            for count in counts:
                numbers = range(len(everything) + 1, len(everything) + 1 + count)
                group.seen_messages.append(seen(1, numbers))
                everything += numbers
            store.apply(group)
        assert last(store, size) == everything[-size:]
        assert last(store, size + 7)[-size:] == everything[-size:]
        batches = [numbers for _, numbers, _ in kept(store)]
        assert sum(map(len, batches[1:])) < size, "no batch more"
        store.close()


def test_of_a_replaced_object_and_its_duplicates_the_window_keeps_what_was_sent(tmp_path: Path) -> None:
    p, q, r, s, x, z = range(1, 7)
    store = new_store(tmp_path, [A, B])
    group = Group(opened=[(1, 6)], message_ids=[(1, 0, array("Q", [p, q, 0]).tobytes(), None)])
    group.message_ids.append((1, 3, array("Q", [0, r, s]).tobytes(), None))
    group.batches = [(1, 0, 3, 1, bytes([0b101])), (1, 3, 6, 2, bytes([0b001]))]
    group.tallies = Counter({(1, "delivered", ""): 1, (1, "skipped", DUPLICATE): 2})
    group.seen_messages = [
        seen(2, [x, q]),
        seen(1, [p, q, p], repeated=[2]),
        seen(2, [p, q, x, z], repeated=[0, 1, 2]),
        seen(1, [q, r, s], repeated=[0], first=3),
        seen(2, [s, r], repeated=[0, 1]),
        seen(2, [q, r], repeated=[1]),
        seen(2, [q], repeated=[0]),
    ]
    store.apply(group)
    take_in(store, [A._replace(etag="a2"), B], Changed.CONTINUE)
    assert kept(store) == [
        (2, [x, q], None),
        (1, [p], None),
        (2, [p, x, z], b"\1\1\0"),
        (2, [q], None),
        (2, [q], b"\1"),
    ]
    assert last(store, 6) == [p, p, x, z, q, q]
    store.close()


def test_what_was_sent_again_beyond_the_window_stands(tmp_path: Path) -> None:
    """A duplicate of the second one is a duplicate still, though the first one was never sent."""
    q, other = 1, 2
    store = new_store(tmp_path, [A, B])
    group = Group(opened=[(1, 3)], message_ids=[(1, 0, array("Q", [q, other]).tobytes(), None)])
    group.message_ids.append((1, 2, array("Q", [q]).tobytes(), None))
    group.batches = [(1, 0, 2, 2, bytes([0b00])), (1, 2, 3, 0, bytes([0b1]))]
    group.tallies = Counter({(1, "delivered", ""): 1})
    group.seen_messages = [seen(1, [q, other]), seen(1, [q], first=2), seen(2, [q], repeated=[0])]
    store.apply(group)
    take_in(store, [A._replace(etag="a2"), B], Changed.CONTINUE)
    assert kept(store) == [(1, [q], None), (2, [q], b"\1")]
    store.close()

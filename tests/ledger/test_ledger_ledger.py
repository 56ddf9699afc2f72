"""Group commit: nothing leaves before its intent is durable, and what was told first is durable first."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay_cli.errors import FatalError
from replay_cli.ledger.dead_letters import DeadLetterFile
from replay_cli.ledger.group import Group
from replay_cli.ledger.ledger import Ledger
from replay_cli.ledger.store import Store
from replay_cli.ledger.watermark import OpenBatch
from tests.ledger.checkpoints import A, B, letter, new_store, rows, take_in

BOUND_SECONDS = 20.0
NO_MORE = Counter[tuple[str, str]]()


class Desk:
    """A ledger on a new checkpoint, and what it reported."""

    def __init__(self, folder: Path) -> None:
        self.store = new_store(folder, [A, B])
        self.path = self.store.path
        self.letters = folder / "job.dead-letters.jsonl"
        self.failures: list[FatalError] = []
        letters = DeadLetterFile(self.letters)
        letters.recover(self.store)
        self.ledger = Ledger(self.store, letters, self.failures.append)

    def batch(self, first: int = 0, size: int = 10, object_id: int = 1) -> OpenBatch:
        """A batch whose records are all sendable."""
        ordinals = range(first, first + size)
        return self.ledger.begin_batch(object_id, ordinals, size, ordinals, NO_MORE, [])

    def intents(self) -> set[tuple[int, ...]]:
        """The durable ones."""
        return set(rows(self.path, "SELECT object, ordinal, part, attempt FROM intent"))

    def fill_the_disk(self) -> None:
        self.store._db.execute(f"PRAGMA max_page_count = {self.store._value('PRAGMA page_count')}")


@asynccontextmanager
async def desk(folder: Path) -> AsyncIterator[Desk]:
    made = Desk(folder)
    made.ledger.begin_object(1, 0)
    try:
        async with asyncio.timeout(BOUND_SECONDS):
            yield made
    finally:
        made.ledger.close()
        made.store.close()


def test_an_intent_is_durable_when_intend_returns(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desk(tmp_path) as at:
            for n in range(5):
                await at.ledger.intend([(1, n, 0, 1)])
                assert (1, n, 0, 1) in at.intents()

    asyncio.run(scenario())


def test_many_intents_become_durable_in_few_commits(tmp_path: Path) -> None:
    async def scenario() -> int:
        async with desk(tmp_path) as at:
            commits = 0
            apply = at.store.apply

            def count(group: Group) -> None:
                nonlocal commits
                commits += 1
                apply(group)

            at.store.apply = count  # type: ignore[method-assign] # a spy
            await asyncio.gather(*(at.ledger.intend([(1, n, 0, 1)]) for n in range(500)))
            assert len(at.intents()) == 500
            return commits

    assert asyncio.run(scenario()) <= 2


def test_what_was_told_before_an_intent_is_durable_no_later(tmp_path: Path) -> None:
    """The outcome that lets a follower go is on disk before the follower leaves."""

    async def scenario() -> None:
        async with desk(tmp_path) as at:
            batch = at.batch()
            for n in range(10):
                await at.ledger.intend([(1, n, 0, 1)])
                at.ledger.conclude([(1, n, 0, 1)], "200")
                at.ledger.settle(batch, n, "delivered")
                follower = asyncio.create_task(at.ledger.intend([(1, n, 0, 2)]))
                await follower
                assert (1, n, 0, 1) not in at.intents()
                assert rows(at.path, "SELECT n FROM tally WHERE outcome = 'delivered'") == [(n + 1,)]

    asyncio.run(scenario())


def test_a_withdrawn_intent_leaves_no_doubt(tmp_path: Path) -> None:
    """Whether it was durable already, or withdrawn within the same group."""

    async def scenario() -> None:
        async with desk(tmp_path) as at:
            await at.ledger.intend([(1, 0, 0, 1)])
            at.ledger.withdraw([(1, 0, 0, 1)])
            task = asyncio.create_task(at.ledger.intend([(1, 1, 0, 1)]))
            await asyncio.sleep(0)
            task.cancel()
            at.ledger.withdraw([(1, 1, 0, 1)])
            await at.ledger.flush()
            assert at.intents() == set()
            assert (at.store.totals()["in_doubt"], at.store.replies()) == (0, {})

    asyncio.run(scenario())


def test_a_doubt_is_counted_and_listed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desk(tmp_path) as at:
            await at.ledger.intend([(1, 4, 0, 1)])
            at.ledger.conclude([(1, 4, 0, 1)], "timeout", "timeout")
            await at.ledger.flush()
            assert [(row[1], row[5]) for row in at.store.in_doubt(running=True)] == [(4, "timeout")]
            assert (at.ledger.book.in_doubt, at.ledger.book.replies) == (1, Counter({"timeout": 1}))
            assert at.intents() == set()

    asyncio.run(scenario())


def test_flush_returns_when_everything_told_is_durable(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desk(tmp_path) as at:
            await at.ledger.flush()
            batch = at.batch()
            at.ledger.settle(batch, 3, "dead_lettered", "http_400", letter(3, kind="dead_lettered", reason="http_400"))
            at.ledger.note_peak(17)
            await at.ledger.flush()
            assert rows(at.path, "SELECT unsettled FROM batch") == [(9,)]
            assert at.letters.read_bytes().count(b"\n") == 1
            assert at.store.totals()["peak"] == 17
            at.store.verify_book()

    asyncio.run(scenario())


def test_a_record_is_settled_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desk(tmp_path) as at:
            batch = at.batch()
            for _ in range(3):
                at.ledger.settle(batch, 0, "delivered")
            at.ledger.settle(batch, 0, "dead_lettered", "http_400", letter(0))
            await at.ledger.flush()
            assert at.store.tallies() == {"delivered": {"": 1}}
            assert not at.letters.exists()

    asyncio.run(scenario())


def test_an_object_is_finished_when_read_to_its_end_and_settled(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desk(tmp_path) as at:
            at.ledger.begin_object(2, 0)
            batch = at.batch(size=2)
            at.ledger.end_object(1, None)
            at.ledger.end_object(2, "cut off")
            at.ledger.settle(batch, 0, "delivered")
            await at.ledger.flush()
            assert rows(at.path, "SELECT state FROM object ORDER BY id") == [("reading",), ("damaged",)]
            at.ledger.settle(batch, 1, "delivered")
            await at.ledger.flush()
            assert rows(at.path, "SELECT state, watermark FROM object ORDER BY id") == [("complete", 2), ("damaged", 0)]
            assert rows(at.path, "SELECT * FROM batch") == []

    asyncio.run(scenario())


# -- a disk that is full --------------------------------------------------------------------------------------


def test_a_full_disk_lets_nothing_leave(tmp_path: Path) -> None:
    """All who wait are told, the run is told once, and nothing of the failed group is on disk."""

    async def scenario() -> None:
        async with desk(tmp_path) as at:
            await at.ledger.intend([(1, 0, 0, 1)])
            at.fill_the_disk()
            many = [(1, n, 0, 1) for n in range(1, 5000)]
            waiters = [asyncio.create_task(at.ledger.intend(many[n::10])) for n in range(10)]
            results = await asyncio.gather(*waiters, return_exceptions=True)
            assert [type(result) for result in results] == [FatalError] * 10
            assert "full" in str(results[0])
            assert at.intents() == {(1, 0, 0, 1)}
            assert at.failures == [at.ledger.failure]
            with pytest.raises(FatalError):
                await at.ledger.intend([(1, 9999, 0, 1)])
            with pytest.raises(FatalError):
                await at.ledger.flush()
            at.ledger.conclude([(1, 0, 0, 1)], "200")
            await asyncio.sleep(0)
            assert at.intents() == {(1, 0, 0, 1)}, "without a durable outcome it stays in doubt"
            assert len(at.failures) == 1

    asyncio.run(scenario())


def test_those_who_come_while_a_commit_fails_are_told_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desk(tmp_path) as at:
            at.fill_the_disk()
            first = asyncio.create_task(at.ledger.intend([(1, n, 0, 1) for n in range(5000)]))
            while at.ledger._commit is None:  # noqa: ASYNC110 # nothing tells us
                await asyncio.sleep(0)
            second = asyncio.create_task(at.ledger.intend([(1, 9999, 0, 1)]))
            results = await asyncio.gather(first, second, return_exceptions=True)
            assert [type(result) for result in results] == [FatalError, FatalError]
            assert (at.intents(), len(at.failures)) == (set(), 1)

    asyncio.run(scenario())


def test_a_bug_in_the_ledgers_thread_stops_the_run(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desk(tmp_path) as at:
            await at.ledger.intend([(1, 0, 0, 1)])
            with pytest.raises(FatalError, match="the checkpoint failed"):
                await at.ledger.intend([(1, 0, 0, 1)])

    asyncio.run(scenario())


# -- the closed book ------------------------------------------------------------------------------------------

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.integers(1, 20)),
        st.tuples(st.just("settle"), st.integers(0, 10**6)),
        st.tuples(st.just("turn"), st.integers(1, 3)),
        st.tuples(st.just("flush"), st.just(0)),
        st.tuples(st.just("crash"), st.just(0)),
    ),
    max_size=60,
)


@settings(max_examples=40)
@given(STEPS, st.data())
def test_the_book_closes_after_every_commit_and_a_record_counts_once(
    steps: list[tuple[str, int]], data: st.DataObject
) -> None:
    """Also across crashes: what was not durable is read and settled again."""
    with TemporaryDirectory() as folder:
        store = new_store(Path(folder))
        store.close()
        stream = data.draw(st.randoms(use_true_random=False))
        remaining = list(steps)
        while True:
            asyncio.run(live(Path(folder), remaining, stream))
            if not remaining:
                break
        store = Store.open(Path(folder) / "job.ckpt")
        book, totals = store.tallies(), store.totals()
        assert totals["read"] == sum(sum(reasons.values()) for reasons in book.values()) + totals["pending"]
        kept = rows(store.path, "SELECT count(*), count(DISTINCT ordinal) FROM dead_letter")
        assert kept == [(sum(book.get("dead_lettered", {}).values()),) * 2]
        store.close()


async def live(folder: Path, steps: list[tuple[str, int]], stream: Random) -> None:
    """Go on from the checkpoint until a crash or the end of the steps; batches are twenty ordinals each."""
    store = Store.open(folder / "job.ckpt")
    letters = DeadLetterFile(folder / "letters.jsonl")
    letters.recover(store)
    apply = store.apply

    def apply_and_verify(group: Group) -> None:
        apply(group)
        store.verify_book()

    store.apply = apply_and_verify  # type: ignore[method-assign] # a spy
    ledger = Ledger(store, letters, lambda error: None)
    (state,) = take_in(store, [A])
    known = store.open_batches(1)
    ledger.begin_object(1, state.watermark)
    at, open_ = state.watermark, list[OpenBatch]()
    while steps:
        step, n = steps.pop(0)
        if step == "crash":
            break
        if step == "read":
            batch = known.pop(at, None)
            if batch is None:
                batch = ledger.begin_batch(1, range(at, at + 20), 20, range(at, at + n), skipped(20 - n), [])
            else:
                ledger.resume_batch(batch)
            open_.append(batch)
            at = batch.next
        elif step == "settle" and open_:
            batch = open_[n % len(open_)]
            ordinal = batch.first + n % 20
            outcome = stream.choice(["delivered", "skipped", "dead_lettered"])
            ledger.settle(batch, ordinal, outcome, "r", letter(ordinal) if outcome == "dead_lettered" else None)
        elif step == "turn":
            for _ in range(n):
                await asyncio.sleep(0)
        elif step == "flush":
            await ledger.flush()
    if not steps:
        await ledger.flush()
    ledger.close()
    if ledger._commit is not None:
        await asyncio.wait([ledger._commit])
    assert ledger.failure is None
    store.close()


def skipped(n: int) -> Counter[tuple[str, str]]:
    return Counter({("skipped", "not_subscribed"): n}) if n else Counter()

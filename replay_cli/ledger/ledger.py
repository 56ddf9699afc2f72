"""The run's side of the checkpoint: changes gather for up to 20 ms and become durable together.

Everything here happens on the event loop; only `Store.apply` and the dead-letter file run in a thread of their own,
one group at a time. Groups are applied in the order in which they were told: when an intent is durable, so is the
outcome of the request before it in its lane.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from replay_cli.errors import FatalError
from replay_cli.ledger.changes import Carried, Changed, SentBefore
from replay_cli.ledger.content import Pairs
from replay_cli.ledger.dead_letters import DeadLetterFile
from replay_cli.ledger.group import MOST_EXAMPLES, AttemptKey, DeadLetter, Group, ParkedRequest, PartOutcome, Seen
from replay_cli.ledger.losses import CAUSE, LostOfBatch
from replay_cli.ledger.objects import Listed, ObjectState
from replay_cli.ledger.parked import Loaded
from replay_cli.ledger.store import Store
from replay_cli.ledger.timeline import WIDTH, Timeline
from replay_cli.ledger.watermark import ObjectProgress, OpenBatch
from replay_cli.model import ArchiveObject, Request

T = TypeVar("T")

MOST_LETTER_BYTES = 8 << 20
"""Bytes of dead letters that may wait for a commit: beyond it, reading waits too."""
COMMIT_EVERY = 0.02
"""Seconds that a change may wait for others, so that a few commits a second carry many changes."""
_MOST_DETAIL = 300
"""Characters of an example's detail that are kept."""
SEEN_EVERY = 1.0
"""Seconds between notes that the run is alive."""
_THIN_EVERY = 600.0
"""Seconds between two thinnings of the timeline."""


@dataclass(slots=True)
class Book:
    """Records and attempts counted: of a whole job, or of one run."""

    read: int = 0
    records: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(outcome, reason) → records"""
    replies: Counter[str] = field(default_factory=Counter)
    in_doubt: int = 0

    def outcome(self, name: str) -> int:
        return sum(n for (outcome, _), n in self.records.items() if outcome == name)


class Ledger:
    """Tells the store what happens, and the run when it is durable.

    Args:
        store: the checkpoint, open for writing; from here on it is used by this ledger's thread only.
        letters: the dead-letter file beside it.
        on_failure: called once, on the event loop, when the checkpoint cannot be written.
    """

    def __init__(self, store: Store, letters: DeadLetterFile, on_failure: Callable[[FatalError], None]) -> None:
        self.book = Book()
        self.timeline = Timeline()
        self.failure: FatalError | None = None
        self._store = store
        self._letters = letters
        self._on_failure = on_failure
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._loop = asyncio.get_running_loop()
        self._group = Group()
        self._durable = asyncio.Event()
        self._changed: set[OpenBatch] = set()
        self._moved: dict[int, ObjectProgress] = {}
        self._progress: dict[int, ObjectProgress] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._commit: asyncio.Future[None] | None = None
        self._last_commit = 0.0
        self._next_seen = 0.0
        self._next_thinning = 0.0
        self._beat: asyncio.TimerHandle | None = None
        self._peak = 0
        self._examples: Counter[str] = Counter()
        self._next_place = store.next_place()
        self._losses = store.lost_batches()

    # -- objects --------------------------------------------------------------------------------------------

    async def register(self, page: Sequence[Listed]) -> int:
        """Take a page of the listing in; return how many stored bytes of it wait to be read.

        Raises:
            FatalError: the checkpoint cannot be written.
        """
        return await self._in_thread(self._store.register, page)

    async def end_listing(self, ignored: int) -> None:
        """Note that everything was listed, and how many names were left alone.

        Raises:
            FatalError: the checkpoint cannot be written.
        """
        await self._in_thread(self._store.end_listing, ignored)

    async def waiting(self, limit: int) -> list[ObjectState]:
        """Return the next objects that were not begun, as of everything told so far.

        Raises:
            FatalError: the checkpoint cannot be written or read.
        """
        await self._told()
        return await self._in_thread(self._store.waiting, limit)

    async def take_change(self, state: ObjectState, found: ArchiveObject | None) -> ObjectState:
        """Take another version of an object of which nothing was read, or its loss.

        Raises:
            FatalError: the checkpoint cannot be written.
        """
        await self._told()
        return await self._in_thread(self._store.take_found, state, found, Changed.REFUSE)

    async def _in_thread(self, function: Callable[..., T], *args: object) -> T:
        return await self._loop.run_in_executor(self._thread, function, *args)

    # -- reading --------------------------------------------------------------------------------------------

    def begin_object(self, object_id: int, watermark: int, place: int = 0) -> int:
        """Note that an object is read from its watermark on.

        Returns:
            Its place among the objects begun; a new one, where it has none (0).
        """
        self._progress[object_id] = ObjectProgress(object_id, watermark)
        if not place:
            place, self._next_place = self._next_place, self._next_place + 1
            self._group.begun.append((place, object_id))
        return place

    def begin_batch(
        self,
        object_id: int,
        ordinals: range,
        records: int,
        sendable: Iterable[int],
        settled: Counter[tuple[str, str]],
        rejected: Sequence[DeadLetter],
    ) -> OpenBatch:
        """Take a batch into the book that was never read before.

        Args:
            object_id: its object.
            ordinals: all its ordinals, blank lines included.
            records: how many records it holds.
            sendable: the ordinals of the records that become requests.
            settled: the others, already settled: (outcome, reason) → records; and its warnings.
            rejected: the rejected ones, to be kept.
        """
        bitmap = bytearray(b"\xff" * ((len(ordinals) + 7) // 8))
        count = 0
        for ordinal in sendable:
            index = ordinal - ordinals.start
            bitmap[index >> 3] &= ~(1 << (index & 7))
            count += 1
        batch = OpenBatch(object_id, ordinals.start, ordinals.stop, count, bytes(bitmap))
        self.book.read += records
        self._group.opened.append((object_id, records))
        for (outcome, reason), n in settled.items():
            self._tally(object_id, outcome, reason, n)
        self._group.dead_letters.extend(rejected)
        self.resume_batch(batch)
        self._changed.add(batch)
        return batch

    def resume_batch(self, batch: OpenBatch) -> None:
        """Go on with a batch that the checkpoint knows already."""
        progress = self._progress[batch.object_id]
        progress.open(batch)
        self._touch(progress)

    def lost_of(self, batch: OpenBatch) -> LostOfBatch | None:
        """Return which records of a batch a lost machine may have sent; None: none of them."""
        return self._losses.of_batch(batch)

    def look_at(self, batch: OpenBatch, doubts: Iterable[tuple[AttemptKey, float]]) -> None:
        """Note what of a batch comes into doubt because of a lost machine; to be told together with the batch.

        Args:
            batch: the batch.
            doubts: the attempts that it may have made, and when (POSIX seconds).
        """
        self._group.in_doubt.extend((*key, at, CAUSE) for key, at in doubts)
        self._group.looked_at.append((batch.object_id, batch.first, batch.next))
        self._schedule()

    def count_content(self, content: Pairs) -> None:
        """Count what the records of a new batch are sent as; to be told together with the batch."""
        self._group.content.update(content)

    def keep_message_ids(self, batch: OpenBatch, hashes: bytes, left_out: bytes | None) -> None:
        """Keep the hashes of a new batch's message ids, with the bitmap of those that were sent before."""
        self._group.message_ids.append((batch.object_id, batch.first, hashes, left_out))

    def keep_examples(self, object_id: int, unit: str, examples: Iterable[tuple[str, int, str]]) -> None:
        """Keep the first records that warnings are about: (rule, ordinal, detail)."""
        for rule, ordinal, detail in examples:
            if self._examples[rule] < MOST_EXAMPLES:
                self._examples[rule] += 1
                self._group.examples.append((rule, object_id, ordinal, unit, detail[:_MOST_DETAIL]))

    def keep_seen(self, batch: OpenBatch, hashes: bytes, duplicates: bytes | None) -> None:
        """Keep the messages of a new batch that the window for duplicates has taken; see `Seen`."""
        self._group.seen_messages.append(Seen(batch.object_id, batch.first, hashes, duplicates))

    def take_over(self, batch: OpenBatch, ordinal: int, carried: Carried) -> None:
        """Note that a new batch's record is one that an earlier version of the object has left unsettled."""
        self._group.taken_over.append((batch.object_id, ordinal, carried.object_id, carried.ordinal))

    async def sent_before(self, object_id: int) -> SentBefore:
        """Return what earlier versions of an object have sent.

        Raises:
            FatalError: the checkpoint cannot be read.
        """
        return await self._in_thread(self._store.sent_before, object_id)

    def end_object(self, object_id: int, damage: str | None) -> None:
        """Note that an object was read to its end, or to its damage."""
        progress = self._progress[object_id]
        progress.ended = True
        progress.damage = damage
        self._touch(progress)

    # -- sending --------------------------------------------------------------------------------------------

    async def intend(self, keys: Sequence[AttemptKey]) -> None:
        """Return when it is durable that these attempts may now leave.

        Raises:
            FatalError: the checkpoint cannot be written; nothing may be sent.
        """
        at = time.time()
        self._group.intents.extend((*key, at) for key in keys)
        durable = self._durable
        self._schedule()
        await durable.wait()
        if self.failure is not None:
            raise self.failure

    def withdraw(self, keys: Sequence[AttemptKey]) -> None:
        """Take back intended attempts that were never sent."""
        self._group.concluded.extend(keys)
        self._schedule()

    def conclude(self, keys: Sequence[AttemptKey], label: str, doubt: str | None = None) -> None:
        """Note how an attempt ended.

        Args:
            keys: the attempt, once for each record that it carried.
            label: its status or failure, for `by_status`.
            doubt: why nobody knows whether MoEngage has it; None when that is known.
        """
        self._group.concluded.extend(keys)
        self._group.replies[label] += 1
        self.book.replies[label] += 1
        self.timeline.note_reply(label)
        if doubt is not None:
            at = time.time()
            self._group.in_doubt.extend((*key, at, doubt) for key in keys)
            self.book.in_doubt += len(keys)
        self._schedule()

    def settle_part(self, object_id: int, ordinal: int, part: int, outcome: PartOutcome) -> None:
        """Note how one of a record's several requests ended, while others are open."""
        self._group.parts.append((object_id, ordinal, part, *outcome))
        self._schedule()

    def join_parts(self, object_id: int, ordinal: int) -> None:
        """Forget the parts of a record that is being settled."""
        self._group.joined.append((object_id, ordinal))

    def settle(
        self, batch: OpenBatch, ordinal: int, outcome: str, reason: str = "", letter: DeadLetter | None = None
    ) -> None:
        """Close one record's account; `letter` keeps a record that is given up."""
        if self.hand_over(batch, ordinal):
            self.settle_parked(batch.object_id, outcome, reason, letter)

    def deliver(self, batch: OpenBatch, ordinals: Sequence[int]) -> None:
        """Close the accounts of records that arrived together."""
        settled = sum(map(batch.settle, ordinals))
        if settled:
            self._tally(batch.object_id, "delivered", "", settled)
            self._changed.add(batch)
            if batch.unsettled == 0:
                self._touch(self._progress[batch.object_id])
            self._schedule()

    def settle_parked(self, object_id: int, outcome: str, reason: str, letter: DeadLetter | None) -> None:
        """Close the account of a record that was parked."""
        self._tally(object_id, outcome, reason, 1)
        if letter is not None:
            self._group.dead_letters.append(letter)
        self._schedule()

    # -- parking --------------------------------------------------------------------------------------------

    def hand_over(self, batch: OpenBatch, ordinal: int) -> bool:
        """Let the watermark pass a record, because it is settled or its requests are parked; False if it was."""
        if not batch.settle(ordinal):
            return False
        self._changed.add(batch)
        if batch.unsettled == 0:
            self._touch(self._progress[batch.object_id])
        self._schedule()
        return True

    def park(self, parked: ParkedRequest) -> None:
        """Keep a request in the checkpoint instead of in memory, with its records; or one that failed again."""
        self._group.parked.append(parked)
        self._schedule()

    def unload(self, number: int) -> None:
        """Let a parked request that was in memory wait in the checkpoint again."""
        self._group.unloaded.append(number)
        self._schedule()

    def shrink(self, number: int, left: Request) -> None:
        """Leave only the records of this request in a parked one."""
        self._group.shrunk.append((number, left))
        self._schedule()

    def unpark(self, number: int) -> None:
        """Forget a parked request, because it is settled."""
        self._group.unparked.append(number)
        self._schedule()

    async def load_parked(self, lanes: Sequence[str], limit: int) -> Loaded:
        """Take parked requests back into memory, as of everything told so far.

        Raises:
            FatalError: the checkpoint cannot be written or read.
        """
        await self._told()
        return await self._in_thread(self._store.load_parked, lanes, time.time(), limit)

    async def release_heads(self) -> None:
        """Make those parked requests due that wait for no other one.

        Raises:
            FatalError: the checkpoint cannot be written.
        """
        await self._told()
        await self._in_thread(self._store.release_heads)

    def note_departure(self, per_second: int) -> None:
        """Count an attempt that leaves, as one of so many within a second."""
        self.timeline.note_departure(per_second)
        self.note_peak(per_second)

    def note_peak(self, peak: int) -> None:
        """Remember the highest count of attempts in any rolling second."""
        if peak > self._peak:
            self._peak = self._group.peak = peak

    def _tally(self, object_id: int, outcome: str, reason: str, n: int) -> None:
        self._group.tallies[object_id, outcome, reason] += n
        self.book.records[outcome, reason] += n
        if outcome == "delivered":
            self.timeline.note_delivered(n)

    # -- pauses -----------------------------------------------------------------------------------------------

    def begin_pause(self) -> None:
        """Note that all are held back; the time passes into the timeline although nothing else happens."""
        if self._beat is None:
            now = time.time()
            self.timeline.begin_pause(now)
            self._beat = self._loop.call_later(WIDTH - now % WIDTH, self._pass_interval)

    def _pass_interval(self) -> None:
        self._beat = self._loop.call_later(WIDTH - time.time() % WIDTH, self._pass_interval)
        self._schedule()

    def end_pause(self) -> None:
        """Note that they may go again."""
        if self._beat is not None:
            self._beat.cancel()
            self._beat = None
            self.timeline.end_pause(time.time())

    def _touch(self, progress: ObjectProgress) -> None:
        self._moved[progress.object_id] = progress
        self._schedule()

    # -- committing -----------------------------------------------------------------------------------------

    def _schedule(self) -> None:
        if self._timer is None and self._commit is None and self.failure is None:
            delay = max(0.0, self._last_commit + COMMIT_EVERY - self._loop.time())
            self._timer = self._loop.call_later(delay, self._begin_commit)

    def _begin_commit(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        group, durable = self._seal(), self._durable
        self._durable = asyncio.Event()
        self._last_commit = self._loop.time()
        self._commit = self._loop.run_in_executor(self._thread, self._apply, group)
        self._commit.add_done_callback(lambda done: self._end_commit(done, durable))

    def _seal(self) -> Group:
        """Close the gathered group, with the state of everything that it touches as of now."""
        group, self._group = self._group, Group()
        now = time.time()
        if self._last_commit >= self._next_seen:
            self._next_seen = self._last_commit + SEEN_EVERY
            group.seen = now
        if now >= self._next_thinning:
            self._next_thinning = group.thin_at = now
            self._next_thinning += _THIN_EVERY
        group.intervals = self.timeline.take(now)
        for progress in self._moved.values():
            if progress.advance():
                group.watermarks.append((progress.watermark, progress.object_id))
            if progress.complete:
                state = "complete" if progress.damage is None else "damaged"
                group.finished.append((state, progress.damage, progress.object_id))
                del self._progress[progress.object_id]
        for batch in self._changed:
            owner = self._progress.get(batch.object_id)
            if owner is not None and batch.next > owner.watermark:
                group.batches.append((batch.object_id, batch.first, batch.next, batch.unsettled, bytes(batch.settled)))
        self._moved.clear()
        self._changed.clear()
        return group

    def _apply(self, group: Group) -> None:
        self._store.apply(group)
        if group.dead_letters:
            self._letters.catch_up(self._store)

    def _end_commit(self, done: asyncio.Future[None], durable: asyncio.Event) -> None:
        self._commit = None
        error = done.exception()
        if error is not None:
            self.failure = error if isinstance(error, FatalError) else FatalError(f"the checkpoint failed: {error!r}")
            self._on_failure(self.failure)
            self._durable.set()
        durable.set()
        if self._has_news:
            self._schedule()

    @property
    def _has_news(self) -> bool:
        """Whether anything was told that no commit has taken yet; what the timeline counts comes with the rest."""
        return bool(self._group or self._moved or self._changed)

    async def has_room(self) -> None:
        """Return when no more dead letters and parked requests wait for a commit than memory should hold.

        Raises:
            FatalError: the checkpoint cannot be written.
        """
        while self.failure is None and self._record_bytes() > MOST_LETTER_BYTES:
            durable = self._durable
            self._schedule()
            await durable.wait()
        if self.failure is not None:
            raise self.failure

    def _record_bytes(self) -> int:
        letters = sum(len(letter.record) for letter in self._group.dead_letters)
        parked = (parked.request for parked in self._group.parked)
        return letters + sum(len(request.body) + sum(map(len, request.records)) for request in parked)

    async def _told(self) -> None:
        """Return when what was told before this call is durable, whatever is told meanwhile."""
        if self._has_news:
            durable = self._durable
            self._schedule()
            await durable.wait()
        if self.failure is not None:
            raise self.failure

    async def flush(self) -> None:
        """Return when everything told so far is durable.

        Raises:
            FatalError: it cannot be made so.
        """
        self.end_pause()  # what holds everybody back ends with the run
        while self.failure is None and (self._commit is not None or self._has_news or self.timeline.has_news):
            if self._commit is None:
                self._begin_commit()
            if self._commit is not None:
                await asyncio.wait([self._commit])
        if self.failure is not None:
            raise self.failure

    def close(self) -> None:
        """End the ledger's thread; the store may be used elsewhere again."""
        for timer in (self._timer, self._beat):
            if timer is not None:
                timer.cancel()
        self._thread.shutdown()

"""Settling: what becomes of each record is told to the ledger once, however many requests it became."""

import time
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from replay_cli.delivery.lanes import Place
from replay_cli.ledger.changes import (
    Earlier,
    SentBefore,
    bitmap,
    hashes_in_row,
    number_of,
)
from replay_cli.ledger.content import composition
from replay_cli.ledger.group import AttemptKey, DeadLetter, ParkedRequest, PartOutcome
from replay_cli.ledger.ledger import Ledger
from replay_cli.ledger.objects import ObjectState
from replay_cli.ledger.parked import Returning
from replay_cli.ledger.watermark import OpenBatch
from replay_cli.model import ArchiveObject, Rejected, Request
from replay_cli.moengage.packing import join
from replay_cli.preparation import Prepared
from replay_cli.recognition import message_numbers
from replay_cli.segment.duplicates import DUPLICATE, Window, duplicates
from replay_cli.segment.message import masked


class Work(NamedTuple):
    """One object to read: from its watermark on, with the batches above it that the checkpoint knows.

    `parts` are the requests settled of records that are not, `doubts` counts attempts in doubt; both by
    (ordinal, part). `place` numbers the objects in the order in which they were begun, 0 for one that
    was not; `earlier` are the versions of it that were sent in part before it changed.
    """

    id: int
    object: ArchiveObject
    watermark: int
    batches: dict[int, OpenBatch]
    parts: dict[tuple[int, int], PartOutcome]
    doubts: dict[tuple[int, int], int]
    place: int = 0
    earlier: Earlier | None = None

    @classmethod
    def new(cls, state: ObjectState) -> "Work":
        """Make the work of an object of which nothing was read."""
        return cls(state.id, state.object, 0, {}, {}, {}, state.place, state.earlier)

    @property
    def is_behind(self) -> bool:
        """Whether reading goes on before the end of what an earlier version has opened."""
        return self.earlier is not None and self.watermark < self.earlier.extent


@dataclass(eq=False, slots=True)
class Pending:
    """A request on its way, with its place in its lanes.

    `rank` orders it among all requests of the job; `attempts` numbers its attempts, of which `withdrawn` never left.
    `batch` is that of its records, None once they are parked under the number `parked`. Of an attempt that failed:
    `failing_since` on the budget's clock, `passes_before` counts the attempts of others that had passed by then;
    `spent` are the seconds of its budget that it used up before. `rest` are requests that it was taken apart into, to
    be sent after it, in its place. `doubted_whole` tells whether it was in doubt before. `load` is
    how many records it had when it entered its lanes.
    """

    request: Request
    object_id: int
    batch: OpenBatch | None
    rank: int
    unit: str
    attempts: int = 0
    withdrawn: int = 0
    doubted: bool = False
    failures: int = 0
    spent: float = 0.0
    failing_since: float | None = None
    passes_before: int = 0
    parked: int | None = None
    place: "Place[Pending] | None" = None
    rest: list[Request] = field(default_factory=list)
    load: int = 0
    doubted_whole: bool = False

    def keys(self) -> list[AttemptKey]:
        request = self.request
        return [(self.object_id, ordinal, request.part, self.attempts) for ordinal in request.ordinals]


@dataclass(slots=True)
class _Record:
    """A record that became several requests: how many are open, and how the others ended."""

    open: int
    parts: dict[int, PartOutcome] = field(default_factory=dict)


_INDEX_BITS, _FIRST_BITS, _OBJECT_BITS = 13, 30, 20


def rank(place: int, first: int, index: int) -> int:
    """Return the place of a batch's request among all of a job, as a number that fits into 63 bits.

    Beyond a million objects, a billion records an object or 8,191 requests a batch, requests share a rank.
    """
    parts = ((place, _OBJECT_BITS), (first, _FIRST_BITS), (index, _INDEX_BITS))
    number = 0
    for value, bits in parts:
        number = number << bits | min(value, (1 << bits) - 1)
    return number


class Settlement:
    """Closes the accounts of records; no tasks, no waiting.

    Args:
        ledger: remembers it.
        next_number: the first free number for a parked request.
        window: the last messages seen, in which duplicates are looked for; None: they are sent.
    """

    def __init__(self, ledger: Ledger, next_number: int = 1, window: Window | None = None) -> None:
        self._ledger = ledger
        self._window = window
        self._records: dict[tuple[int, int], _Record] = {}
        self._next_number = next_number

    def open(
        self, work: Work, prepared: Prepared, hashes: Mapping[int, bytes], before: SentBefore | None = None
    ) -> OpenBatch:
        """Take a batch into the book that was never read before; what cannot be sent is settled at once.

        Args:
            work: its object.
            prepared: the batch; its records' parts and doubts in an earlier version are added to the work's.
            hashes: what its records are known by, from `known_by`.
            before: what earlier versions of the object have sent: that is left out of the book.
        """
        unit, ordinals = str(prepared.batch.unit), range(prepared.batch.first, prepared.batch.next)
        known = {o for o, hash_ in hashes.items() if before.known.take(number_of(hash_))} if before else set[int]()
        taken = {o: hash_ for o, hash_ in hashes.items() if o not in known} if known else hashes
        numbers = {} if self._window is None else message_numbers(prepared, taken)
        repeated = set[int]() if self._window is None else duplicates(numbers, self._window)
        batch = self._ledger.begin_batch(
            work.id,
            ordinals,
            prepared.records - len(known),
            taken.keys() - repeated,
            _settled_at_once(prepared, len(repeated)),
            [_rejection(work.id, rejected, unit) for rejected in prepared.rejected],
        )
        going = taken.keys() - repeated if known or repeated else None
        self._ledger.count_content(composition(prepared.requests, prepared.events, prepared.times, going))
        examples = prepared.examples.items()
        self._ledger.keep_examples(work.id, unit, ((rule, *example) for rule, example in examples))
        if numbers:
            marks = bytes(ordinal in repeated for ordinal in numbers) if repeated else None
            self._ledger.keep_seen(batch, array("Q", numbers.values()).tobytes(), marks)
        if hashes:
            sent = {o: hash_ for o, hash_ in hashes.items() if o not in repeated} if repeated else hashes
            left_out = bitmap(ordinals, known) if known else None
            self._ledger.keep_message_ids(batch, hashes_in_row(ordinals, sent), left_out)
        if before:
            self._take_over(work, batch, {o: hash_ for o, hash_ in taken.items() if o not in repeated}, before)
        return batch

    def _take_over(self, work: Work, batch: OpenBatch, hashes: Mapping[int, bytes], before: SentBefore) -> None:
        """Go on with what an earlier version of the object has left unsettled of some records."""
        for ordinal, hash_ in hashes.items():
            if carried := before.take_carried(number_of(hash_)):
                self._ledger.take_over(batch, ordinal, carried)
                work.doubts.update({(ordinal, part): n for part, n in carried.doubts.items()})
                work.parts.update({(ordinal, part): outcome for part, outcome in carried.parts.items()})

    def resume(self, batch: OpenBatch, prepared: Prepared) -> None:
        """Go on with a batch of an earlier run; what was sendable then and is not now is settled."""
        unit = str(prepared.batch.unit)
        self._ledger.resume_batch(batch)
        for skipped in prepared.skipped:
            self._ledger.settle(batch, skipped.ordinal, "skipped", skipped.reason)
        for rejected in prepared.rejected:
            letter = _rejection(batch.object_id, rejected, unit)
            self._ledger.settle(batch, rejected.ordinal, "rejected", rejected.reason, letter)

    def take(self, batch: OpenBatch, prepared: Prepared, parts: Mapping[tuple[int, int], PartOutcome]) -> None:
        """Note which of a batch's records became several requests: they are settled with the last one.

        Args:
            batch: the batch.
            prepared: its requests.
            parts: the requests of its object that earlier runs have settled.
        """
        if not parts and not any(request.part for request in prepared.requests):
            return
        known: dict[int, dict[int, PartOutcome]] = {}
        for (ordinal, part), outcome in parts.items():
            known.setdefault(ordinal, {})[part] = outcome
        counts = Counter(ordinal for request in prepared.requests for ordinal in request.ordinals)
        for ordinal, count in counts.items():
            ended = known.get(ordinal, {})
            if (count > 1 or ended) and not batch.is_settled(ordinal):
                self._records[batch.object_id, ordinal] = _Record(count - len(ended), ended)
        for request in prepared.requests if known else ():
            self._close_known(batch, request, str(prepared.batch.unit))

    def _close_known(self, batch: OpenBatch, request: Request, unit: str) -> None:
        """Settle a record of which nothing is left to send, because the settings make fewer requests of it now."""
        for ordinal, text in zip(request.ordinals, request.records, strict=True):
            record = self._records.get((batch.object_id, ordinal))
            if record is not None and record.open <= 0:
                record.open = 1
                outcome = record.parts.get(request.part, PartOutcome(None))
                self._settle_part(Pending(request, batch.object_id, batch, 0, unit), ordinal, text, outcome)

    def is_settled(self, batch: OpenBatch, request: Request) -> bool:
        """Tell whether nothing is left to do for a request, from earlier runs."""
        if all(batch.is_settled(ordinal) for ordinal in request.ordinals):
            return True
        if not self._records:
            return False
        records = [self._records.get((batch.object_id, ordinal)) for ordinal in request.ordinals]
        return all(record is not None and request.part in record.parts for record in records)

    def open_requests(self, batch: OpenBatch, prepared: Prepared) -> Sequence[Request]:
        """Return the requests of a batch for which something is left to do."""
        requests = prepared.requests
        if batch.unsettled == len(requests) and not self._records:  # each is a record's only one, and all are open
            return requests
        return [request for request in requests if not self.is_settled(batch, request)]

    def deliver(self, pending: Pending) -> None:
        """Note that MoEngage has accepted a request."""
        if pending.batch is not None and not self._records:  # nothing is known of any of its records but this
            self._ledger.deliver(pending.batch, pending.request.ordinals)
            return
        for ordinal, text in zip(pending.request.ordinals, pending.request.records, strict=True):
            self._settle_part(pending, ordinal, text, PartOutcome(None))
        self._forget(pending)

    def give_up(self, pending: Pending, reason: str, detail: str, status: int = 0) -> None:
        """Make dead letters of the records of a request that is not tried again."""
        for ordinal, text in zip(pending.request.ordinals, pending.request.records, strict=True):
            self._settle_part(pending, ordinal, text, PartOutcome(reason, detail, status))
        self._forget(pending)

    def _settle_part(self, pending: Pending, ordinal: int, text: bytes, outcome: PartOutcome) -> None:
        """Settle a record with its request; one that became several, with the last of them."""
        object_id, part = pending.object_id, pending.request.part
        record = self._records.get((object_id, ordinal))
        parts = {part: outcome} if record is None else record.parts
        if record is not None:
            parts[part] = outcome
            record.open -= 1
            if record.open:
                self._ledger.settle_part(object_id, ordinal, part, outcome)
                return
            del self._records[object_id, ordinal]
            self._ledger.join_parts(object_id, ordinal)
        failed = next((ended for ended in parts.values() if ended.reason is not None), None)
        letter = None
        if failed is not None:
            arrived = ",".join(str(number) for number, ended in sorted(parts.items()) if ended.reason is None)
            letter = DeadLetter(
                *(
                    object_id,
                    ordinal,
                    "dead_lettered",
                    failed.reason or "",
                    failed.detail,
                    pending.attempts - pending.withdrawn,
                ),
                *(time.time(), pending.unit, masked(text), failed.status, arrived, pending.rank),
            )
        self._settle(pending, ordinal, letter)

    def _settle(self, pending: Pending, ordinal: int, letter: DeadLetter | None) -> None:
        outcome, reason = ("delivered", "") if letter is None else (letter.kind, letter.reason)
        if pending.batch is not None:
            self._ledger.settle(pending.batch, ordinal, outcome, reason, letter)
        else:
            self._ledger.settle_parked(pending.object_id, outcome, reason, letter)

    def _forget(self, pending: Pending) -> None:
        if pending.parked is not None and not pending.rest:
            self._ledger.unpark(pending.parked)

    # -- requests taken apart ---------------------------------------------------------------------------------

    def take_apart(
        self, pending: Pending, given_up: Request | None, rest: Sequence[Request], failed: PartOutcome
    ) -> None:
        """Give up some records of a refused request, and go on with the others in its place, one request after another.

        Args:
            pending: the request.
            given_up: the records that become dead letters.
            rest: what is sent instead.
            failed: why.
        """
        if given_up is not None:
            for ordinal, text in zip(given_up.ordinals, given_up.records, strict=True):
                self._settle_part(pending, ordinal, text, failed)
        pending.doubted_whole = pending.doubted or (pending.doubted_whole and bool(pending.rest))
        pending.rest = [*rest, *pending.rest]
        self.go_on(pending)

    def go_on(self, pending: Pending) -> bool:
        """Go on with the next request that one was taken apart into; False when there is none."""
        if not pending.rest:
            return False
        if pending.parked is not None:
            self._ledger.shrink(pending.parked, join(pending.rest))
        pending.request = pending.rest.pop(0)
        pending.failures, pending.spent, pending.failing_since = 0, 0.0, None
        pending.doubted = pending.doubted_whole
        return True

    # -- parking --------------------------------------------------------------------------------------------

    def park(self, pending: Pending, due: float | None, *, held: bool = False) -> None:
        """Let a request wait in the checkpoint instead of in memory.

        Args:
            pending: the request; if it came from there, it goes back.
            due: POSIX seconds when it is tried again; None: it only waits for those before it in its lanes.
            held: its budget is used up; it is kept for a later run.
        """
        if pending.rest:
            pending.request, pending.rest = join([pending.request, *pending.rest]), []
        if pending.parked is not None and due is None:
            self._ledger.unload(pending.parked)
            return
        if pending.parked is None:
            pending.request = pending.request._replace(records=tuple(map(masked, pending.request.records)))
            pending.parked, self._next_number = self._next_number, self._next_number + 1
        self._ledger.park(
            ParkedRequest(
                *(pending.parked, pending.rank, pending.object_id, pending.request, pending.unit, pending.attempts),
                *(pending.doubted, pending.failures, pending.spent, due, held),
            )
        )
        if pending.batch is not None:
            for ordinal in pending.request.ordinals:
                self._hand_over(pending.batch, ordinal)
            pending.batch = None

    def _hand_over(self, batch: OpenBatch, ordinal: int) -> None:
        """Let the watermark pass a record all whose open requests are parked."""
        record = self._records.get((batch.object_id, ordinal))
        if record is not None:
            record.open -= 1
            if record.open:
                return
            del self._records[batch.object_id, ordinal]
        self._ledger.hand_over(batch, ordinal)

    def bring_back(self, returning: Returning) -> Pending:
        """Take a parked request back into memory."""
        parked = returning.parked
        for ordinal, (open_, ended) in returning.parts.items():
            if (open_ > 1 or ended) and (parked.object_id, ordinal) not in self._records:
                self._records[parked.object_id, ordinal] = _Record(open_, ended)
        return Pending(
            parked.request,
            parked.object_id,
            None,
            parked.rank,
            parked.unit,
            attempts=max(parked.attempts, returning.doubts),
            doubted=parked.doubted or returning.doubts > 0,
            failures=parked.failures,
            spent=parked.spent,
            parked=parked.id,
        )


def _settled_at_once(prepared: Prepared, repeated: int) -> Counter[tuple[str, str]]:
    """Return what of a batch is settled when it is opened, `repeated` duplicates included; and its warnings."""
    settled = Counter(("skipped", skipped.reason) for skipped in prepared.skipped)
    settled.update(("rejected", rejected.reason) for rejected in prepared.rejected)
    settled.update({("warning", rule): n for rule, n in prepared.warnings.items()})
    if repeated:
        settled["skipped", DUPLICATE] += repeated
    return settled


def _rejection(object_id: int, rejected: Rejected, unit: str) -> DeadLetter:
    return DeadLetter(
        object_id,
        rejected.ordinal,
        "rejected",
        rejected.reason,
        rejected.detail,
        0,
        time.time(),
        unit,
        masked(rejected.record),
    )

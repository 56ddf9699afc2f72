"""Settling: what becomes of each record is told to the ledger once, however many requests it became."""

import time
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from replay_cli.delivery.lanes import Place
from replay_cli.ledger.group import AttemptKey, DeadLetter
from replay_cli.ledger.ledger import Ledger
from replay_cli.ledger.watermark import OpenBatch
from replay_cli.model import ArchiveObject, Rejected, Request
from replay_cli.preparation import Prepared
from replay_cli.segment.message import masked


class Work(NamedTuple):
    """One object to read: from its watermark on, with the batches above it that the checkpoint knows."""

    id: int
    object: ArchiveObject
    watermark: int
    batches: dict[int, OpenBatch]
    parts: set[tuple[int, int]]
    doubts: dict[tuple[int, int], int]


@dataclass(eq=False, slots=True)
class Pending:
    """A request on its way, with its place in its lanes."""

    request: Request
    batch: OpenBatch
    unit: str
    attempts: int = 0
    failures: int = 0
    failing_since: float = 0.0
    place: "Place[Pending] | None" = None

    def keys(self) -> list[AttemptKey]:
        request, object_id = self.request, self.batch.object_id
        return [(object_id, ordinal, request.part, self.attempts) for ordinal in request.ordinals]


@dataclass(slots=True)
class _Record:
    """A record that became several requests: how many are open, and the letter of one that failed."""

    open: int
    letter: DeadLetter | None = None


class Settlement:
    """Closes the accounts of records; no tasks, no waiting.

    Args:
        ledger: remembers it.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._records: dict[tuple[int, int], _Record] = {}

    def open(self, work: Work, prepared: Prepared) -> OpenBatch:
        """Take a batch into the book that was never read before; what cannot be sent is settled at once."""
        unit = str(prepared.batch.unit)
        settled = Counter(("skipped", skipped.reason) for skipped in prepared.skipped)
        settled.update(("rejected", rejected.reason) for rejected in prepared.rejected)
        settled.update({("warning", rule): n for rule, n in prepared.warnings.items()})
        return self._ledger.begin_batch(
            work.id,
            range(prepared.batch.first, prepared.batch.next),
            prepared.records,
            {ordinal for request in prepared.requests for ordinal in request.ordinals},
            settled,
            [_rejection(work.id, rejected, unit) for rejected in prepared.rejected],
        )

    def resume(self, batch: OpenBatch, prepared: Prepared) -> None:
        """Go on with a batch of an earlier run; what was sendable then and is not now is settled."""
        unit = str(prepared.batch.unit)
        self._ledger.resume_batch(batch)
        for skipped in prepared.skipped:
            self._ledger.settle(batch, skipped.ordinal, "skipped", skipped.reason)
        for rejected in prepared.rejected:
            letter = _rejection(batch.object_id, rejected, unit)
            self._ledger.settle(batch, rejected.ordinal, "rejected", rejected.reason, letter)

    def take(self, batch: OpenBatch, prepared: Prepared) -> None:
        """Note which of a batch's records became several requests: they are settled with the last one."""
        parts = Counter(ordinal for request in prepared.requests for ordinal in request.ordinals)
        for ordinal, count in parts.items():
            if count > 1 and not batch.is_settled(ordinal):
                self._records[batch.object_id, ordinal] = _Record(count)

    def deliver(self, pending: Pending) -> None:
        """Note that MoEngage has accepted a request."""
        object_id, part = pending.batch.object_id, pending.request.part
        for ordinal in pending.request.ordinals:
            record = self._records.get((object_id, ordinal))
            if record is None:
                self._ledger.settle(pending.batch, ordinal, "delivered")
                continue
            if record.open > 1:
                self._ledger.deliver_part(object_id, ordinal, part)
            self._close_part(pending.batch, ordinal, record)

    def give_up(self, pending: Pending, reason: str, detail: str) -> None:
        """Make dead letters of the records of a request that is not tried again."""
        request, object_id, at = pending.request, pending.batch.object_id, time.time()
        for ordinal, text in zip(request.ordinals, request.records, strict=True):
            letter = DeadLetter(
                object_id,
                ordinal,
                "dead_lettered",
                reason,
                detail,
                pending.attempts,
                at,
                pending.unit,
                masked(text),
            )
            record = self._records.get((object_id, ordinal))
            if record is None:
                self._ledger.settle(pending.batch, ordinal, "dead_lettered", reason, letter)
                continue
            record.letter = record.letter or letter
            self._close_part(pending.batch, ordinal, record)

    def _close_part(self, batch: OpenBatch, ordinal: int, record: _Record) -> None:
        """Settle a record of several requests with its last one."""
        record.open -= 1
        if record.open:
            return
        del self._records[batch.object_id, ordinal]
        letter = record.letter
        if letter is None:
            self._ledger.settle(batch, ordinal, "delivered")
        else:
            self._ledger.settle(batch, ordinal, letter.kind, letter.reason, letter)


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

"""What is seen in the beginnings of a few objects, and the workload that it lets expect (pure)."""

from collections import Counter
from collections.abc import Callable, Sequence
from math import ceil
from typing import NamedTuple

from replay_cli.bundling import bundle
from replay_cli.moengage.mapping import Pack
from replay_cli.moengage.packing import weigh
from replay_cli.moengage.preflight import MAX_BULK_BYTES
from replay_cli.preparation import Prepared
from replay_cli.profiling.estimate import Workload
from replay_cli.profiling.sampling import Chosen, Measured, Total, total, variance_within

NAME_LENGTH = 200
"""Characters of a user's id that are kept."""
_CANDIDATES = 20
"""Users of whom one may be the one with the most requests."""
_SURE = 2
"""Standard errors by which a user has the requests that are counted on: some user of a sample always has too many."""


class Sent:
    """What requests go out for some records.

    Args:
        pack: puts requests together; None: each goes by itself.
    """

    def __init__(self, pack: Pack | None) -> None:
        self.requests = self.records = self.users = self.events = 0
        self.lanes: Counter[str] = Counter()
        self.people: set[str] = set()
        self._pack = pack

    def take(self, prepared: Prepared) -> int:
        """Count those of a batch, and return how many they are."""
        requests = prepared.requests
        self.records += sendable(prepared)
        self.lanes.update([lane[:NAME_LENGTH] for request in requests for lane in request.users])
        self.people.update([request.users[0][:NAME_LENGTH] for request in requests if request.users])
        if self._pack is not None:
            requests = bundle(requests, self._pack, MAX_BULK_BYTES)
            for request in requests:
                users, events = weigh(request.body)
                self.users += users
                self.events += events
        self.requests += len(requests)
        return len(requests)


class _Part(NamedTuple):
    """A batch: the stored bytes that it took, and what is in it."""

    stored: int
    records: int
    sendable: int
    requests: int


class Glance:
    """What is seen of one object.

    Args:
        chosen: the object.
        pack: puts the requests together, if the API does.
        bulk_pack: those of the bulk API, for comparison.
    """

    def __init__(self, chosen: Chosen, pack: Pack | None, bulk_pack: Pack | None) -> None:
        self.chosen = chosen
        self.consumed = 0
        self.records = 0
        self.left_out = 0
        """Records for which bulk has no place."""
        self.skipped: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()
        self.sent = Sent(pack)
        self.in_bulk = Sent(bulk_pack)
        self._parts: list[_Part] = []

    @property
    def batches(self) -> int:
        """How many batches were looked at."""
        return len(self._parts)

    @property
    def is_whole(self) -> bool:
        """Whether all of the object was seen."""
        return self.consumed >= self.chosen.object.size

    def take(self, prepared: Prepared, in_bulk: Prepared | None) -> None:
        """Look at a batch as it would be sent, and as it would be in bulk."""
        self.records += prepared.records
        self.skipped.update([skipped.reason for skipped in prepared.skipped])
        self.rejected.update([rejected.reason for rejected in prepared.rejected])
        requests = self.sent.take(prepared)
        if in_bulk is not None:
            self.in_bulk.take(in_bulk)
            self.left_out += len(_ordinals(prepared) - _ordinals(in_bulk))
        stored = prepared.batch.consumed - self.consumed
        self._parts.append(_Part(stored, prepared.records, sendable(prepared), requests))
        self.consumed = prepared.batch.consumed

    def end(self) -> None:
        """Note that there is nothing more in the object, or nothing more that can be read."""
        self.consumed = self.chosen.object.size

    def measured(self, n: float) -> Measured:
        """Return what was counted so often; how it differs within the object is taken to be chance."""
        return Measured(self.chosen, self.consumed, n, 0.0 if self.is_whole else n)

    def measured_by_batch(self, number: Callable[[_Part], int]) -> Measured:
        """Return what was counted in every batch."""
        counted = [(part.stored, number(part)) for part in self._parts]
        n = sum(each for _, each in counted)
        variance = 0.0 if self.is_whole else variance_within(counted, self.chosen.object.size)
        return Measured(self.chosen, self.consumed, n, variance)


def sendable(prepared: Prepared) -> int:
    """Return how many records of a batch become requests."""
    return prepared.records - len(prepared.skipped) - len(prepared.rejected)


def _ordinals(prepared: Prepared) -> set[int]:
    return {ordinal for request in prepared.requests for ordinal in request.ordinals}


class Expected(NamedTuple):
    """What glances at a sample let expect of the whole: numbers with their errors, and those by reason."""

    records: Total
    sendable: Total
    requests: Total
    skipped: dict[str, int]
    rejected: dict[str, int]


def expected(glances: Sequence[Glance]) -> Expected:
    """Scale up what was seen."""
    return Expected(
        total([glance.measured_by_batch(lambda part: part.records) for glance in glances]),
        total([glance.measured_by_batch(lambda part: part.sendable) for glance in glances]),
        total([glance.measured_by_batch(lambda part: part.requests) for glance in glances]),
        _by_reason(glances, lambda glance: glance.skipped),
        _by_reason(glances, lambda glance: glance.rejected),
    )


def _by_reason(glances: Sequence[Glance], numbers: Callable[[Glance], Counter[str]]) -> dict[str, int]:
    reasons = dict.fromkeys(reason for glance in glances for reason in numbers(glance))
    found = {
        reason: round(total([glance.measured(numbers(glance)[reason]) for glance in glances]).estimate)
        for reason in reasons
    }
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def workload(glances: Sequence[Glance], sent: Callable[[Glance], Sent]) -> Workload:
    """Return the workload to expect.

    Args:
        glances: at the sample.
        sent: which requests are meant.
    """
    return Workload(
        requests=_scaled(glances, lambda glance: sent(glance).requests),
        records=_scaled(glances, lambda glance: sent(glance).records),
        read=_scaled(glances, lambda glance: glance.records),
        longest_user=_longest_user(glances, sent),
        users=_scaled(glances, lambda glance: sent(glance).users),
        events=_scaled(glances, lambda glance: sent(glance).events),
        people=len(set[str]().union(*(sent(glance).people for glance in glances))),
    )


def left_out(glances: Sequence[Glance]) -> int:
    """Return for how many records bulk has no place."""
    return _scaled(glances, lambda glance: glance.left_out)


def _scaled(glances: Sequence[Glance], number: Callable[[Glance], int]) -> int:
    return round(total([glance.measured(number(glance)) for glance in glances]).estimate)


def _longest_user(glances: Sequence[Glance], sent: Callable[[Glance], Sent]) -> tuple[str, int] | None:
    """Return the user who is sure to have the most, and how many they are sure to have."""
    seen: Counter[str] = Counter()
    for glance in glances:
        seen.update(sent(glance).lanes)
    found = [(_sure(glances, sent, lane, n), lane) for lane, n in seen.most_common(_CANDIDATES)]
    if not found:
        return None
    n, lane = max(found, key=lambda each: (each[0], each[1].startswith("u")))
    return lane[1:], n


def _sure(glances: Sequence[Glance], sent: Callable[[Glance], Sent], lane: str, seen: int) -> int:
    estimate, error = total([glance.measured(sent(glance).lanes[lane]) for glance in glances])
    return max(seen, ceil(estimate - _SURE * error))

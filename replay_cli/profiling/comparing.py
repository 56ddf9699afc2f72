"""What the bulk API would make of the same records, told by some of the batches (pure)."""

from collections.abc import Iterable

from replay_cli.model import Request
from replay_cli.moengage.mapping import Api
from replay_cli.preparation import Prepared
from replay_cli.profiling.sending import Spent, is_known, spend


class Comparison:
    """Adds up the sampled batches; it is about known users' records, for the bulk API takes nobody else's."""

    def __init__(self) -> None:
        self.batches = 0
        """All of them …"""
        self.compared = 0
        """… and those that were prepared for bulk, too, of which all this is:"""
        self.updates = Ratio()
        self.events = Ratio()
        self.spent = Spent(0, 0, 0)

    def take(self, prepared: Prepared, in_bulk: Prepared, bulk: Api) -> None:
        """Take a batch, prepared for the job's own API and for bulk."""
        sendable = {request.ordinals[0] for request in prepared.requests}
        places = [place for place, request in enumerate(in_bulk.requests) if request.ordinals[0] in sendable]
        if len(places) < len(in_bulk.requests):  # what duplicates and limits leave out
            in_bulk = in_bulk._replace(
                requests=[in_bulk.requests[place] for place in places],
                events=[in_bulk.events[place] for place in places],
            )
        self.compared += 1
        known = zip(prepared.requests, prepared.events, strict=True)
        self._count([(request, event) for request, event in known if is_known(request)], in_bulk)
        self._add(spend(in_bulk, bulk))

    def _count(self, known: Iterable[tuple[Request, str]], in_bulk: Prepared) -> None:
        for request, event in known:
            ratio = self.events if event else self.updates
            ratio.known += not request.part
        taken = {request.ordinals[0]: event for request, event in zip(in_bulk.requests, in_bulk.events, strict=True)}
        for event in taken.values():
            ratio = self.events if event else self.updates
            ratio.in_bulk += 1

    def merge(self, other: "Comparison") -> None:
        """Add what another one has added up."""
        self.batches += other.batches
        self.compared += other.compared
        self.updates.merge(other.updates)
        self.events.merge(other.events)
        self._add(other.spent)

    def _add(self, spent: Spent) -> None:
        self.spent = Spent(*(one + more for one, more in zip(self.spent, spent, strict=True)))


class Ratio:
    """Records that could be sent by the job's own API, and those of them that could be sent in bulk, too."""

    def __init__(self) -> None:
        self.known = self.in_bulk = 0

    def merge(self, other: "Ratio") -> None:
        """Add another one's."""
        self.known += other.known
        self.in_bulk += other.in_bulk

    def of(self, known: int) -> int:
        """Return how many of so many records can be sent in bulk, if they are as those that were compared."""
        return round(known * self.in_bulk / self.known) if self.known else known

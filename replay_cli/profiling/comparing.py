"""What the bulk API would make of the same records, told by some of the batches (pure)."""

from replay_cli.moengage.mapping import Api
from replay_cli.preparation import Prepared
from replay_cli.profiling.sending import Spent, spend


class Comparison:
    """Adds up the sampled batches."""

    def __init__(self) -> None:
        self.records = 0
        """That could be sent by the job's own API."""
        self.in_bulk = 0
        """Those of them that could be sent in bulk, too."""
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
        self.records += len(sendable)
        self.in_bulk += len({request.ordinals[0] for request in in_bulk.requests})
        self._add(spend(in_bulk, bulk))

    def merge(self, other: "Comparison") -> None:
        """Add what another one has added up."""
        self.records += other.records
        self.in_bulk += other.in_bulk
        self._add(other.spent)

    def _add(self, spent: Spent) -> None:
        self.spent = Spent(*(one + more for one, more in zip(self.spent, spent, strict=True)))

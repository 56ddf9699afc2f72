"""What is left out by what came before: duplicates, and all that comes after `--limit`. Only one can read then."""

from collections.abc import Sequence
from copy import deepcopy

from replay_cli.bundling import bundle
from replay_cli.model import RecordBatch, Request
from replay_cli.moengage.mapping import Api
from replay_cli.preparation import Preparation, Prepared
from replay_cli.recognition import leave_out_duplicates
from replay_cli.segment.duplicates import Window

_REQUESTS_A_RECORD = 4
"""A batch of records that make more on average may go beyond the limit."""


class Order:
    """Follows a validation from its first record on.

    Args:
        limit: how many requests are prepared at most; None: all.
        window: an empty one, in which duplicates are looked for; None: they are prepared.
    """

    def __init__(self, limit: int | None = None, window: Window | None = None) -> None:
        self._left = limit
        self._window = window

    @property
    def is_over(self) -> bool:
        """Whether the limit is reached."""
        return self._left is not None and self._left <= 0

    def within(self, batch: RecordBatch, prepare: Preparation) -> RecordBatch:
        """Return a batch without the records beyond the limit, as a run has it: it takes on requests in their order.

        Args:
            batch: the next one.
            prepare: prepares it, unobserved, to see what its requests are.
        """
        if self._left is None or self._left > _REQUESTS_A_RECORD * len(batch.records):
            return batch
        prepared = prepare(batch)
        if self._window is not None and len(prepared.requests) > self._left:
            prepared = leave_out_duplicates(prepared, deepcopy(self._window))
        requests = _going_out(prepared, prepare.api)
        admitted = {ordinal for request in requests[: self._left] for ordinal in request.ordinals}
        beyond = {ordinal for request in requests[self._left :] for ordinal in request.ordinals} - admitted
        kept = [b"" if ordinal in beyond else record for ordinal, record in enumerate(batch.records, batch.first)]
        return batch._replace(records=kept)

    def kept(self, prepare: Preparation) -> "Ordered":
        """Return what prepares batches and leaves out what is left out."""
        return Ordered(prepare, self)

    def take(self, prepared: Prepared, api: Api) -> Prepared:
        """Leave out the duplicates of a batch, and count its requests."""
        if self._window is not None:
            prepared = leave_out_duplicates(prepared, self._window)
        if self._left is not None:
            self._left -= len(_going_out(prepared, api))
        return prepared


class Ordered:
    """A `Preparation` whose batches come in order."""

    def __init__(self, prepare: Preparation, order: Order) -> None:
        self.api = prepare.api
        self._prepare = prepare
        self._order = order

    def __call__(self, batch: RecordBatch) -> Prepared:
        """Prepare one batch."""
        return self._order.take(self._prepare(batch), self.api)


def _going_out(prepared: Prepared, api: Api) -> Sequence[Request]:
    """Return a batch's requests as a run sends them."""
    return prepared.requests if api.pack is None else bundle(prepared.requests, api.pack, api.max_body_bytes)

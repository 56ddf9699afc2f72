"""What is left out by what came before: duplicates, and all that comes after `--limit`. Only one can read then."""

from collections.abc import Iterator

from replay_cli.model import RecordBatch
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

    def batches(self, batch: RecordBatch) -> Iterator[RecordBatch]:
        """Give a batch up to the limit: whole as long as that is far, then record by record."""
        if self._left is None or self._left > _REQUESTS_A_RECORD * len(batch.records):
            yield batch
            return
        for index, record in enumerate(batch.records):
            if self.is_over:
                return
            yield batch._replace(first=batch.first + index, records=[record])

    def kept(self, prepare: Preparation) -> "Ordered":
        """Return what prepares batches and leaves out what is left out."""
        return Ordered(prepare, self)

    def take(self, prepared: Prepared) -> Prepared:
        """Leave out the duplicates of a batch, and count its requests."""
        if self._window is not None:
            prepared = leave_out_duplicates(prepared, self._window)
        if self._left is not None:
            self._left -= len(prepared.requests)
        return prepared


class Ordered:
    """A `Preparation` whose batches come in order."""

    def __init__(self, prepare: Preparation, order: Order) -> None:
        self.api = prepare.api
        self._prepare = prepare
        self._order = order

    def __call__(self, batch: RecordBatch) -> Prepared:
        """Prepare one batch."""
        return self._order.take(self._prepare(batch))

"""Custody of a checkpoint: whether this run still has it for itself, and who knows what it is about to send.

A checkpoint on this machine's disk is ours while the process holds its lock. One that is kept elsewhere is held by a
lease, and lags behind: what may be sent is announced there before, so that whoever takes over after the loss of this
machine knows what may have been sent since.
"""

from collections.abc import Sequence
from typing import Protocol

Batch = tuple[str, str, int, int]
"""(uri, etag, first, next): the records of an object from the ordinal `first` up to `next`."""


class Custody(Protocol):
    """What a run asks of whoever keeps its checkpoint."""

    def may_send(self) -> bool:
        """Tell whether the checkpoint is certainly ours at this instant; asked at each departure, so it is cheap.

        Once it says no, nothing leaves any more. Whoever says it tells the run why, by `Replay.fail`.
        """
        ...

    async def announce(self, batches: Sequence[Batch] = (), parked: Sequence[int] = ()) -> None:
        """Return once it is stored that requests of these batches, and these parked requests, may be sent.

        Raises:
            FatalError: that cannot be stored any more; they must not be sent.
        """
        ...


class _AtHome:
    def may_send(self) -> bool:
        return True

    async def announce(self, batches: Sequence[Batch] = (), parked: Sequence[int] = ()) -> None:
        """Nobody else has to know."""


AT_HOME: Custody = _AtHome()
"""The custody of a checkpoint in a local file."""

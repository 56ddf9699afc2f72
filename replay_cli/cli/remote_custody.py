"""What the conductor asks before it sends, where the checkpoint is on S3."""

import asyncio
from collections.abc import Sequence

from replay_cli.cli.quota import Quota
from replay_cli.remote.horizon import Announced
from replay_cli.remote.keeper import Keeper


class RemoteCustody:
    """Asks the lease and, once there is one, the share of the quota."""

    def __init__(self, keeper: Keeper) -> None:
        self.quota: Quota | None = None
        self._keeper = keeper

    def may_send(self) -> bool:
        """Tell whether the checkpoint, and the rate, are ours for certain at this moment."""
        return self._keeper.may_send() and (self.quota is None or self.quota.may_send())

    async def announce(self, batches: Sequence[tuple[str, str, int, int]] = (), parked: Sequence[int] = ()) -> None:
        """Return once it is stored on S3 that these may be sent.

        Raises:
            FatalError: that can be stored no more.
        """
        await asyncio.wrap_future(self._keeper.announce([Announced(*batch) for batch in batches], parked))

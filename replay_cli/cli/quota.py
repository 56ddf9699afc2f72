"""One job's share of its workspace's quota, where others of other machines may have theirs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from rich.console import Console

from replay_cli.cli.alarm import Alarm
from replay_cli.delivery.cap import Cap
from replay_cli.remote.share import Share
from replay_cli.report.logs import tell

_WHY = "share"


class Quota:
    """Lets the cap follow the share.

    Args:
        share: joined already.
        rps: attempts a second that the job would send alone.
        alarm: rings when the share is lost.
        console: is told when the share changes.
    """

    def __init__(self, share: Share, rps: float, alarm: Alarm, console: Console) -> None:
        self._share = share
        self._rps = rps
        self._alarm = alarm
        self._console = console
        self._told = rps

    def may_send(self) -> bool:
        """Tell whether the share is still ours."""
        return self._share.may_send()

    @asynccontextmanager
    async def rule(self, cap: Cap) -> AsyncIterator[None]:
        """Hold the cap at the share while a run is on; nothing leaves before the share is known."""
        loop = asyncio.get_running_loop()
        cap.limit(_WHY, 0)

        def follow(rate: float) -> None:
            with suppress(RuntimeError):  # the loop is closed, for the run is over
                loop.call_soon_threadsafe(cap.limit, _WHY, rate)
            self._tell(rate)

        self._share.begin(follow, self._alarm.ring)
        yield

    def leave(self) -> None:
        """Leave the share to others, once what was sent last no longer counts."""
        self._share.leave()

    def _tell(self, rate: float) -> None:
        if rate == self._told:
            return
        self._told = rate
        text = f"share of the workspace's quota: {rate:g} of {self._rps:g} requests a second"
        if not rate:
            text = "waiting for a share of the workspace's quota: other jobs have all of it"
        tell(self._console, "share", text, rate=rate)

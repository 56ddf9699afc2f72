"""Two clocks: this machine's, which counts through its sleep, and the store's, which all machines can ask.

No two machines agree on what time it is, but both can read the store's clock: each of its replies has a `Date`, to the
second (RFC 9110, 6.6.1). Between replies, the seconds that this machine counts are added.
"""

import time
from email.utils import parsedate_to_datetime

from replay_cli.errors import UsageError

_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # where there is none, the other one counts through sleep
_DATE_SECONDS = 1.0
"""A `Date` is cut to whole seconds."""


def boot_time() -> float:
    """Return seconds since this machine started, those included for which it, or this process, was suspended."""
    return time.clock_gettime(_BOOT)


class StoreClock:
    """Tells between which two instants the store's clock is now, in POSIX seconds.

    Args:
        uri: what is asked for, to be named to people.
    """

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._bounds: tuple[float, float] | None = None  # what to add to this machine's clock

    def hear(self, date: str | None, sent: float, received: float) -> None:
        """Note what a reply said.

        Args:
            date: its `Date`; a reply without one tells nothing.
            sent: when it was asked for, by `boot_time`.
            received: when it was here.
        """
        told = _instant(date)
        if told is not None:
            self._bounds = told - received, told + _DATE_SECONDS - sent

    def earliest(self) -> float:
        """Return an instant that has passed for certain.

        Raises:
            UsageError: the store does not tell.
        """
        return boot_time() + self._told()[0]

    def latest(self) -> float:
        """Return an instant that has not passed yet, or passes now.

        Raises:
            UsageError: the store does not tell.
        """
        return boot_time() + self._told()[1]

    def _told(self) -> tuple[float, float]:
        if self._bounds is None:
            raise UsageError(f"{self._uri}: the store does not say what time it is: keep the checkpoint elsewhere")
        return self._bounds


def _instant(date: str | None) -> float | None:
    try:
        return parsedate_to_datetime(date or "").timestamp()
    except (ValueError, OverflowError):
        return None

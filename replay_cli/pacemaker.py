"""Keeps a run to its hours: how fast it goes follows the time of day, and it ends when its window closes."""

import asyncio
import time
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple, Self

from replay_cli.delivery.cap import Cap
from replay_cli.errors import PausedError
from replay_cli.schedule import Rates, Windows, both_clocks, clock, window_text

LOOK_EVERY = 1.0
"""Seconds between two looks at the clock at most: it may be set, and a machine that slept goes on later than it was."""
_SOONEST = 0.001
"""Seconds until the next look at least: a timer may fire a little before its moment."""
_WEEKS = 13 * 86400.0
"""What does not close in so many seconds, does not close."""


class Hours(NamedTuple):
    """When a run may send, and how fast by the time of day; None: always, and as fast as it may at all."""

    windows: Windows | None = None
    rates: Rates | None = None

    def require_open(self, now: float) -> None:
        """Refuse to begin while the window is closed.

        Raises:
            PausedError: it is; the text says when it opens.
        """
        if self.windows is not None and self.windows.closes(now) is None:
            raise PausedError(
                f"--window {window_text(self.windows.windows)} is closed now ({both_clocks(now, self.windows.zone)}): "
                f"{_next_opening(self.windows, now)}, so run again then; nothing was read or sent"
            )

    def explain(self, now: float, rps: float) -> list[str]:
        """Say what was understood, in lines for people.

        Args:
            now: POSIX seconds.
            rps: attempts a second that it never exceeds.
        """
        lines = [] if self.windows is None else [_about_windows(self.windows, now)]
        if self.rates is not None:
            lines.append(_about_rates(self.rates, now))
            if max(rate for _, rate in self.rates.changes) > rps:
                lines.append(f"warning: --rps {rps:g} stays the most, also where --rps-schedule says more")
        return lines


ALWAYS = Hours()


class Pacemaker:
    """A context manager, within the event loop's thread: as long as it lasts, a run keeps to its hours.

    Args:
        hours: when it may send.
        cap: its ceiling `schedule` follows them.
        pause: ends the run, saying why.
        now: the time, in POSIX seconds.
    """

    def __init__(
        self, hours: Hours, cap: Cap, pause: Callable[[str], None], now: Callable[[], float] = lambda: time.time()
    ) -> None:
        self._hours = hours
        self._cap = cap
        self._pause = pause
        self._now = now
        self._timer: asyncio.TimerHandle | None = None
        self._closes: float | None = None

    def __enter__(self) -> Self:
        if self._hours != ALWAYS:
            self._look()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        """Do what it is time for, and look again when the next change is due."""
        now, (windows, rates) = self._now(), self._hours
        wait = LOOK_EVERY
        if rates is not None:
            self._cap.limit("schedule", rates.at(now))
            wait = min(wait, rates.changes_at(now) - now)
        if windows is not None:
            closes = windows.closes(now)
            if closes is None:
                self._pause(_has_closed(windows, self._closes, now))
                return
            self._closes, wait = closes, min(wait, closes - now)
        self._timer = asyncio.get_running_loop().call_later(max(wait, _SOONEST), self._look)


def _has_closed(windows: Windows, closed: float | None, now: float) -> str:
    """Say that the window is closed, and since when if it was open before."""
    about = "is closed" if closed is None or closed > now else f"closed at {both_clocks(closed, windows.zone)}"
    return f"the window {about}; {_next_opening(windows, now)}"


def _next_opening(windows: Windows, now: float) -> str:
    opens = windows.opens(now)
    return "it does not open within two weeks" if opens is None else f"it opens at {both_clocks(opens, windows.zone)}"


def _about_windows(windows: Windows, now: float) -> str:
    name, closes = f"window {window_text(windows.windows)} {windows.zone}", windows.closes(now)
    if closes is None:
        return f"{name}: {_next_opening(windows, now)}"
    if closes - now > _WEEKS:
        return f"{name}: open at all times"
    return f"{name}: open until {both_clocks(closes, windows.zone)}"


def _about_rates(rates: Rates, now: float) -> str:
    changes = ", ".join(
        f"{f'{rate:g}/s' if rate else 'nothing'} from {clock(minute)}" for minute, rate in rates.changes
    )
    next_ = both_clocks(rates.changes_at(now), rates.zone)
    return f"rates by the clock of {rates.zone}: {changes}; now {rates.at(now):g}/s, until {next_}"

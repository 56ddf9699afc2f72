"""An event loop that owns its time: waiting costs none of ours."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
_TICK = 1e-6


class _NoWaiting(selectors.DefaultSelector):
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(0)


class FakeClockLoop(asyncio.SelectorEventLoop):
    """Jumps to the next timer instead of waiting for it.

    Args:
        lateness: seconds by which the next timer fires late.
    """

    def __init__(self, lateness: Callable[[], float] = lambda: 0.0) -> None:
        super().__init__(_NoWaiting())
        self._now = 1000.0
        self._lateness = lateness

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:  # type: ignore[attr-defined] # asyncio's own
            due = self._scheduled[0].when()  # type: ignore[attr-defined] # asyncio's own
            self._now = max(due + self._lateness(), self._now + _TICK)
        super()._run_once()  # type: ignore[misc] # asyncio's own


def run(main: Coroutine[Any, Any, T], lateness: Callable[[], float] = lambda: 0.0) -> T:
    """Run to the end on such a loop."""
    with asyncio.Runner(loop_factory=lambda: FakeClockLoop(lateness)) as runner:
        return runner.run(main)

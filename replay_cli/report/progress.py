"""Live progress: bars on a terminal, a line every few seconds elsewhere (cron, CI, a log collector)."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from replay_cli.report.terminal import duration, printable, size

REFRESH_EVERY = 0.2
LOG_EVERY = 5.0
_SETTLED_AFTER = 2.0
_WIDE = 90
"""Columns of a terminal from which on there is room for all numbers."""


class State(NamedTuple):
    """The numbers of this run that progress shows.

    Bytes are stored bytes of the objects, `total` of those listed so far (`listing`: more may come); `waiting` counts
    the requests read and not yet settled, `parked` of which wait in the checkpoint; `rps` is the cap; `held_by` is why
    nothing is sent now.
    """

    read: int
    delivered: int
    undelivered: int
    waiting: int
    consumed: int
    total: int
    per_second: int
    rps: float
    in_flight: int
    limited: int
    trouble: str
    parked: int = 0
    held_by: str = ""
    listing: bool = False

    @property
    def done(self) -> int:
        """The requests settled in this run."""
        return self.delivered + self.undelivered

    @property
    def left(self) -> float:
        """About how many requests are left: those waiting, and those in what is not read, as dense as before."""
        known = self.done + self.waiting
        return self.waiting + (known * (self.total - self.consumed) / self.consumed if self.consumed else 0.0)

    @property
    def share(self) -> float:
        """How much of this run's work is done, 0 to 1."""
        return self.done / (self.done + self.left) if self.done else 0.0


class Reporter(Protocol):
    """Shows states as they come; a context manager."""

    every: float

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def show(self, state: State) -> None: ...


class _Estimate:
    """Time left, from the share of the work done in this run."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()

    def left(self, state: State) -> str:
        elapsed = self._clock() - self._began
        if not state.done or elapsed < _SETTLED_AFTER or state.listing:
            return "–"
        return duration(max(elapsed * state.left / state.done, state.left / state.rps if state.rps else 0.0))


class BarReporter:
    """A live bar with the rate against the cap."""

    every = REFRESH_EVERY

    def __init__(self, console: Console) -> None:
        self._estimate = _Estimate()
        self._progress = Progress(
            BarColumn(bar_width=24 if console.width >= _WIDE else 10),
            TaskProgressColumn(),
            TextColumn("{task.fields[numbers]}"),
            console=console,
            transient=True,
            auto_refresh=False,
        )
        self._task = self._progress.add_task("replaying", total=None, numbers="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, state: State) -> None:
        numbers = f"{state.delivered:,} delivered · {state.per_second}/s of {state.rps:g}/s"
        if self._progress.console.width >= _WIDE:
            more = " or more" if state.listing else ""
            numbers = f"{size(state.consumed)} of {size(state.total)}{more} read · {numbers}"
        if state.limited:
            numbers += f" · {state.limited:,} × 429"
        if state.undelivered:
            numbers += f" · [red]{state.undelivered:,} not deliverable[/red]"
        if state.parked:
            numbers += f" · {state.parked:,} parked"
        numbers += (
            f" · [yellow]waiting: {state.held_by}[/yellow]"
            if state.held_by
            else f" · {self._estimate.left(state)} left"
        )
        if state.trouble:
            numbers += f"\n[yellow]last attempt: {escape(printable(state.trouble))}[/yellow]"
        self._progress.update(self._task, total=1.0, completed=state.share, numbers=numbers)
        self._progress.refresh()


class LineReporter:
    """One line every few seconds."""

    every = LOG_EVERY

    def __init__(self, console: Console) -> None:
        self._console = console
        self._estimate = _Estimate()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def show(self, state: State) -> None:
        line = (
            f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} done={100 * state.share:.1f}% read={state.read} "
            f"delivered={state.delivered} not_deliverable={state.undelivered} rate={state.per_second}/s "
            f"cap={state.rps:g}/s in_flight={state.in_flight} http_429={state.limited} "
            f"parked={state.parked} left={self._estimate.left(state)!r}"
        )
        line += f" last_attempt={state.trouble!r}" if state.trouble else ""
        line += f" waiting={state.held_by!r}" if state.held_by else ""
        line += " listing=true" if state.listing else ""
        self._console.print(line, soft_wrap=True, highlight=False)


def make_reporter(console: Console) -> Reporter:
    """Return the reporter that fits where stderr goes."""
    return BarReporter(console) if console.is_terminal else LineReporter(console)

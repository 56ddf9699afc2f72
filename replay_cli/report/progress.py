"""Live progress: bars on a terminal, a line every few seconds elsewhere (cron, CI, a log collector)."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from replay_cli.report.terminal import duration, size

REFRESH_EVERY = 0.2
LOG_EVERY = 5.0
_SETTLED_AFTER = 2.0


class State(NamedTuple):
    """The numbers of this run that progress shows.

    Bytes are stored bytes of the objects; `waiting` counts the requests read and not yet settled; `rps` is the cap.
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
    paused: bool

    @property
    def share(self) -> float:
        """How much of the work is done, 0 to 1: what is read of the objects, less what still waits to be sent."""
        read = self.consumed / self.total if self.total else 1.0
        taken = self.read or 1
        return read * (1 - min(self.waiting / taken, 1.0))


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
        elapsed, share = self._clock() - self._began, state.share
        return "–" if share <= 0 or elapsed < _SETTLED_AFTER else duration(elapsed * (1 - share) / share)


class BarReporter:
    """A live bar with the rate against the cap."""

    every = REFRESH_EVERY

    def __init__(self, console: Console) -> None:
        self._estimate = _Estimate()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
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
        numbers = (
            f"{state.delivered:,} delivered · {size(state.consumed)} of {size(state.total)} · "
            f"{state.per_second}/s of {state.rps:g}/s"
        )
        if state.limited:
            numbers += f" · {state.limited:,} × 429"
        if state.undelivered:
            numbers += f" · [red]{state.undelivered:,} not deliverable[/red]"
        numbers += " · [yellow]paused[/yellow]" if state.paused else f" · {self._estimate.left(state)} left"
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
            f"left={self._estimate.left(state)}"
        )
        self._console.print(line + (" paused" if state.paused else ""), soft_wrap=True, highlight=False)


def make_reporter(console: Console) -> Reporter:
    """Return the reporter that fits where stderr goes."""
    return BarReporter(console) if console.is_terminal else LineReporter(console)

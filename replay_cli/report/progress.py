"""Live progress: bars on a terminal, elsewhere (cron, CI) a line every few seconds, or an event of the log."""

import time
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from replay_cli.report.logs import Events, events_of
from replay_cli.report.moments import WIDEST, Reading, Showable, State

__all__ = ["BarReporter", "EventReporter", "LineReporter", "Reading", "Reporter", "State", "make_reporter"]

REFRESH_EVERY = 0.2
LOG_EVERY = 5.0
EVENT_EVERY = 10.0
_BAR, _LONG_BAR = 10, 24


class Reporter(Protocol):
    """Shows states as they come; a context manager."""

    every: float

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def show(self, state: Showable) -> None: ...


class BarReporter:
    """A live bar, with the numbers beside it."""

    every = REFRESH_EVERY

    def __init__(self, console: Console) -> None:
        self._began = time.monotonic()
        self._progress = Progress(
            BarColumn(bar_width=_LONG_BAR if console.width >= WIDEST + _LONG_BAR else _BAR),
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

    def show(self, state: Showable) -> None:
        numbers = state.numbers(time.monotonic() - self._began, self._progress.console.width)
        self._progress.update(self._task, total=1.0, completed=state.share, numbers=numbers)
        self._progress.refresh()


class _Momentary:
    """A reporter that has nothing to begin or to end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class LineReporter(_Momentary):
    """One line every few seconds."""

    every = LOG_EVERY

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()

    def show(self, state: Showable) -> None:
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        line = f"{at} {state.fields(time.monotonic() - self._began)}"
        self._console.print(line, soft_wrap=True, highlight=False, markup=False)


class EventReporter(_Momentary):
    """An event every few seconds."""

    every = EVENT_EVERY

    def __init__(self, events: Events) -> None:
        self._events = events
        self._began = time.monotonic()

    def show(self, state: Showable) -> None:
        self._events.emit("progress", **state.document(time.monotonic() - self._began))


def make_reporter(console: Console) -> Reporter:
    """Return the reporter that fits where stderr goes."""
    events = events_of(console)
    if events is not None:
        return EventReporter(events)
    return BarReporter(console) if console.is_terminal else LineReporter(console)

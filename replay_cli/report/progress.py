"""Live progress: bars on a terminal, a line every few seconds elsewhere (cron, CI, a log collector)."""

import time
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from replay_cli.report.terminal import count, duration, printable, size

REFRESH_EVERY = 0.2
LOG_EVERY = 5.0
_SETTLED_AFTER = 2.0
_WIDE, _WIDEST = 90, 140
"""Columns of a terminal from which on there is room for more numbers, and for all of them."""
_BAR, _LONG_BAR = 10, 24


class Showable(Protocol):
    """The numbers of one moment, and how they are said."""

    @property
    def share(self) -> float:
        """How much of the work is done, 0 to 1."""
        ...

    def numbers(self, elapsed: float, width: int) -> str:
        """Return what stands beside the bar, as rich's markup, for so many columns in all."""
        ...

    def fields(self, elapsed: float) -> str:
        """Return what a log's line says, as `name=value`."""
        ...


class State(NamedTuple):
    """The numbers of a run that progress shows.

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

    def numbers(self, elapsed: float, width: int) -> str:
        """Return the rate against the cap, what did not arrive, and the time left."""
        numbers = f"{self.delivered:,} delivered · {self.per_second}/s of {self.rps:g}/s"
        if width >= _WIDE:
            numbers = f"{_bytes(self)} read · {numbers}"
        if self.limited:
            numbers += f" · {self.limited:,} × 429"
        if self.undelivered:
            numbers += f" · [red]{self.undelivered:,} not deliverable[/red]"
        if self.parked:
            numbers += f" · {self.parked:,} parked"
        if self.held_by:
            numbers += f" · [yellow]waiting: {escape(printable(self.held_by))}[/yellow]"
        else:
            numbers += f" · {self._time_left(elapsed)} left"
        if self.trouble:
            numbers += f"\n[yellow]last attempt: {escape(printable(self.trouble))}[/yellow]"
        return numbers

    def fields(self, elapsed: float) -> str:
        """Return all numbers."""
        line = (
            f"done={100 * self.share:.1f}% read={self.read} "
            f"delivered={self.delivered} not_deliverable={self.undelivered} rate={self.per_second}/s "
            f"cap={self.rps:g}/s in_flight={self.in_flight} http_429={self.limited} "
            f"parked={self.parked} left={self._time_left(elapsed)!r}"
        )
        line += f" last_attempt={self.trouble!r}" if self.trouble else ""
        line += f" waiting={self.held_by!r}" if self.held_by else ""
        return line + (" listing=true" if self.listing else "")

    def _time_left(self, elapsed: float) -> str:
        if not self.done or elapsed < _SETTLED_AFTER or self.listing:
            return "–"
        return duration(max(elapsed * self.left / self.done, self.left / self.rps if self.rps else 0.0))


class Reading(NamedTuple):
    """The numbers of a validation that progress shows: everything is read, nothing is sent.

    `consumed` are stored bytes of `total`, `objects` those read to their end, of those listed so far (`listing`: more
    may come). Of the records read, `rejected` would not be taken.
    """

    consumed: int
    total: int
    objects: int
    of_objects: int
    records: int
    rejected: int = 0
    damaged: int = 0
    listing: bool = False

    @property
    def share(self) -> float:
        """How much of the stored bytes is read, 0 to 1."""
        return min(1.0, self.consumed / self.total) if self.total else 0.0

    def numbers(self, elapsed: float, width: int) -> str:
        """Return how much is read, how fast, what is wrong so far, and the time left."""
        settled = elapsed >= _SETTLED_AFTER
        read, speed = count(self.records, "record"), [f"{size(self.consumed / elapsed)}/s"] if settled else []
        wrong = [f"{n:,} {word}" for n, word in ((self.rejected, "rejected"), (self.damaged, "damaged")) if n]
        left = f"{self._time_left(elapsed)} left"
        fast = [f"{self.records / elapsed:,.0f} records/s"] if settled else []
        objects = f"{self.objects:,} of {count(self.of_objects, 'object')}"
        parts = [read, *speed, *wrong, left]
        if width >= _WIDEST:
            parts = [objects, _bytes(self), read, *speed, *fast, *wrong, left]
        elif width >= _WIDE:
            parts = [_bytes(self), *parts]
        return " · ".join(f"[red]{part}[/red]" if part in wrong else part for part in parts)

    def fields(self, elapsed: float) -> str:
        """Return all numbers; rates are those of the whole time so far."""
        line = (
            f"done={100 * self.share:.1f}% objects={self.objects}/{self.of_objects} bytes={self.consumed}/{self.total} "
            f"records={self.records} rejected={self.rejected} damaged={self.damaged} "
            f"rate={self.consumed / elapsed / 1e6 if elapsed else 0:.1f}MB/s "
            f"records_rate={self.records / elapsed if elapsed else 0:.0f}/s left={self._time_left(elapsed)!r}"
        )
        return line + (" listing=true" if self.listing else "")

    def _time_left(self, elapsed: float) -> str:
        if not self.consumed or elapsed < _SETTLED_AFTER or self.listing:
            return "–"
        return duration(elapsed * max(0, self.total - self.consumed) / self.consumed)


def _bytes(state: State | Reading) -> str:
    more = " or more" if state.listing else ""
    return f"{size(state.consumed)} of {size(state.total)}{more}"


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
            BarColumn(bar_width=_LONG_BAR if console.width >= _WIDEST + _LONG_BAR else _BAR),
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


class LineReporter:
    """One line every few seconds."""

    every = LOG_EVERY

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def show(self, state: Showable) -> None:
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        line = f"{at} {state.fields(time.monotonic() - self._began)}"
        self._console.print(line, soft_wrap=True, highlight=False, markup=False)


def make_reporter(console: Console) -> Reporter:
    """Return the reporter that fits where stderr goes."""
    return BarReporter(console) if console.is_terminal else LineReporter(console)

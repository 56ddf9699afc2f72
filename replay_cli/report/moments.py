"""The numbers of one moment of a run or a validation, and how they are said: beside a bar, in a line, as an event."""

from typing import Any, NamedTuple, Protocol

from rich.markup import escape

from replay_cli.report.terminal import count, duration, printable, size

_SETTLED_AFTER = 2.0
"""Seconds after which rates say something."""
WIDE, WIDEST = 90, 140
"""Columns of a terminal from which on there is room for more numbers, and for all of them."""


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

    def document(self, elapsed: float) -> dict[str, Any]:
        """Return the fields of an event: numbers and names, no personal data."""
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
        if width >= WIDE:
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

    def document(self, elapsed: float) -> dict[str, Any]:
        """Return all numbers."""
        seconds = self._seconds_left(elapsed)
        return {
            "done": round(self.share, 4),
            "this_run": {
                "read": self.read,
                "delivered": self.delivered,
                "not_deliverable": self.undelivered,
                "waiting": self.waiting,
                "parked": self.parked,
            },
            "bytes": {"read": self.consumed, "listed": self.total, "listing": self.listing},
            "rate": self.per_second,
            "cap": self.rps,
            "in_flight": self.in_flight,
            "http_429": self.limited,
            "eta_seconds": None if seconds is None else round(seconds),
            "held_by": self.held_by or None,
        }

    def _time_left(self, elapsed: float) -> str:
        seconds = self._seconds_left(elapsed)
        return "–" if seconds is None else duration(seconds)

    def _seconds_left(self, elapsed: float) -> float | None:
        """Return about how many seconds are left; None as long as nobody can tell."""
        if not self.done or elapsed < _SETTLED_AFTER or self.listing:
            return None
        return max(elapsed * self.left / self.done, self.left / self.rps if self.rps else 0.0)


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
        if width >= WIDEST:
            parts = [objects, _bytes(self), read, *speed, *fast, *wrong, left]
        elif width >= WIDE:
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

    def document(self, elapsed: float) -> dict[str, Any]:
        """Return all numbers."""
        seconds = self._seconds_left(elapsed)
        return {
            "done": round(self.share, 4),
            "objects": {"read": self.objects, "listed": self.of_objects, "damaged": self.damaged},
            "bytes": {"read": self.consumed, "listed": self.total, "listing": self.listing},
            "records": {"read": self.records, "rejected": self.rejected},
            "eta_seconds": None if seconds is None else round(seconds),
        }

    def _time_left(self, elapsed: float) -> str:
        seconds = self._seconds_left(elapsed)
        return "–" if seconds is None else duration(seconds)

    def _seconds_left(self, elapsed: float) -> float | None:
        """Return about how many seconds are left; None as long as nobody can tell."""
        if not self.consumed or elapsed < _SETTLED_AFTER or self.listing:
            return None
        return elapsed * max(0, self.total - self.consumed) / self.consumed


def _bytes(state: State | Reading) -> str:
    more = " or more" if state.listing else ""
    return f"{size(state.consumed)} of {size(state.total)}{more}"

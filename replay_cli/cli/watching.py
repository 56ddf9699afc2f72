"""Looks at a run from a thread of its own: tells what happens, writes metrics, and notices a stall.

The run's own loop only says, a few times a second, what it does; whatever takes time happens here.
"""

import threading
import time
from collections import deque
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple, Self

from rich.console import Console

from replay_cli.cli.booking import read_book
from replay_cli.cli.telling import Telling
from replay_cli.errors import ReplayError
from replay_cli.ledger.store import Store
from replay_cli.report.logs import tell, tell_of_people
from replay_cli.report.progress import State
from replay_cli.telling.headway import Headway, Sight
from replay_cli.telling.metrics import Booked, Standing

SEE_EVERY = 0.25
"""Seconds between two looks of the run's own loop at what it does."""
_LOOK_EVERY = 0.5
_READ_EVERY = 5.0
"""Seconds between two looks into the checkpoint …"""
_READ_SHARE = 50
"""… or so many times as long as the last one took."""
_WRITE_EVERY = 15.0
_MOST_LETTERS = 100
"""So many dead letters are told of at a time; of the others, how many they are."""


class Seen(NamedTuple):
    """What a run does at one moment.

    `rate` is how many attempts a second may leave, `waits_for` why it rightly sends nothing, `is_reading` tells
    whether anything is read in it at all.
    """

    state: State
    rate: float
    waits_for: str
    is_reading: bool

    @property
    def sight(self) -> Sight:
        state = self.state
        settled = (state.delivered, state.undelivered)
        mark = settled if state.waiting else (*settled, state.read, state.consumed, state.total)
        return Sight(mark, self.waits_for, state.held_by or state.trouble, self.rate)


class Watch:
    """Watches one run; a context manager, around all of it.

    Args:
        telling: who is told.
        checkpoint: the file with the job's memory.
        console: stderr, on which the run's progress is shown.
    """

    def __init__(self, telling: Telling, checkpoint: Path, console: Console) -> None:
        self._telling = telling
        self._console = console
        self._checkpoint = checkpoint
        self._seen: deque[Seen] = deque(maxlen=1000)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="telling", daemon=True)
        self._headway = Headway(telling.stall_after, time.monotonic())
        self._held_by, self._held_since = "", 0.0
        self._listed = False
        self._now: Seen | None = None
        self._booked: Booked | None = None
        self._read_next = self._write_next = 0.0
        self._last_letter = 0
        self._damaged = set[str]()

    def __enter__(self) -> Self:
        with suppress(ReplayError), closing(Store.open(self._checkpoint, read_only=True)) as store:
            self._damaged, self._last_letter = set(dict(store.damaged())), store.last_letter()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def see(self, seen: Seen) -> None:
        """Take what the run does now; called by its loop, and never in its way."""
        self._seen.append(seen)

    # -- the thread ---------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Look until the run is over, and once more: what fails here stops no run, and is said once."""
        problems = set[str]()
        while True:
            is_last = self._over.wait(_LOOK_EVERY)
            try:
                self._look(time.monotonic(), must_read=is_last)
            except Exception as error:  # whatever it is: it is told of, and the run goes on
                problem = str(error) if isinstance(error, ReplayError) else type(error).__name__
                if problem not in problems:
                    tell(
                        self._console, "telling_failed", f"warning: what is told may not be whole: {problem}", "warning"
                    )
                problems.add(problem)
            if is_last:
                return

    def _look(self, now: float, *, must_read: bool) -> None:
        while self._seen:
            self._take(self._seen.popleft(), now)
        if self._now is None:
            return
        if must_read or now >= self._read_next:
            self._read(now)
        if self._headway.look(now, self._now.sight):
            self._tell_headway()
            self._read(now)  # whoever is told may look at the numbers next
        self._note(self._now)
        if now >= self._write_next:
            self._write_next = now + _WRITE_EVERY
            self._telling.write_metrics()

    def _note(self, seen: Seen) -> None:
        state, booked = seen.state, self._booked
        standing = Standing(
            "running", booked, seen.rate, state.in_flight, self._headway.is_stalled, bytes_now=self._unfinished(state)
        )
        self._telling.note(standing, self._headway.why)

    def _unfinished(self, state: State) -> int:
        """Return how many bytes are read of the objects that the checkpoint calls unfinished."""
        left = self._booked.bytes_listed - self._booked.bytes_read if self._booked is not None else 0
        return max(0, left - (state.total - state.consumed))

    # -- what the run says --------------------------------------------------------------------------------------

    def _take(self, seen: Seen, now: float) -> None:
        self._now = seen
        if seen.is_reading and not seen.state.listing and not self._listed:
            self._listed = True
            tell(self._console, "listing_done", bytes=seen.state.total)
        if seen.state.held_by != self._held_by:
            self._tell_held(seen.state.held_by, now)

    def _tell_held(self, held_by: str, now: float) -> None:
        if self._held_by:
            self._tell_detail("released", f"goes on: {self._held_by} no more", seconds=round(now - self._held_since, 1))
        if held_by:
            self._tell_detail("held_back", f"held back: {held_by}", why=held_by)
        self._held_by, self._held_since = held_by, now

    def _tell_detail(self, event: str, text: str, **fields: Any) -> None:
        """Tell what people see in the progress anyway, unless they want details."""
        tell(self._console, event, text if self._telling.is_verbose or self._telling.is_json else "", **fields)

    def _tell_headway(self) -> None:
        if not self._headway.is_stalled:
            tell(self._console, "goes_on", "the run makes headway again")
            return
        why = self._headway.why
        tell(self._console, "stalled", f"warning: the run is stalled: {why}", "warning")
        # By another thread: whoever is told may take his time.
        threading.Thread(target=self._telling.post_stall, args=(why,), name="stall", daemon=True).start()

    # -- what the checkpoint says -------------------------------------------------------------------------------

    def _read(self, now: float) -> None:
        """Look into the checkpoint."""
        with closing(Store.open(self._checkpoint, read_only=True)) as store:
            self._booked = read_book(store)
            self._tell_damage(store)
            if self._telling.is_verbose:
                self._tell_letters(store)
        self._read_next = now + max(_READ_EVERY, _READ_SHARE * (time.monotonic() - now))

    def _tell_damage(self, store: Store) -> None:
        if self._booked is None or self._booked.objects.get("damaged", 0) == len(self._damaged):
            return
        for uri, cause in store.damaged():
            if uri not in self._damaged:
                self._damaged.add(uri)
                self._tell_detail("object_damaged", f"not whole: {uri}: {cause}", uri=uri, cause=cause)

    def _tell_letters(self, store: Store) -> None:
        """Tell of dead letters since the last look."""
        letters = store.new_letters(self._last_letter, _MOST_LETTERS)
        for letter in letters:
            self._last_letter = letter.number
            text = f"{letter.reason}: {letter.uri} {letter.unit} {letter.place}: {letter.detail}"
            place = {"uri": letter.uri, letter.unit: letter.place}
            tell_of_people(self._console, "dead_letter", text, reason=letter.reason, **place)
        if len(letters) == _MOST_LETTERS and (last := store.last_letter()) > self._last_letter:
            more = last - self._last_letter
            tell(self._console, "dead_letters", f"and {more:,} more dead letters", more=more)
            self._last_letter = last

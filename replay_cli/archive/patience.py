"""Waiting for a network that may never answer, but no longer than anybody wants to know.

What blocks runs in daemon threads; who waits for it does so in slices, and looks up between them. Thus nobody has
to break into a call that is under way: it is left behind, and the end of the program does not wait for it.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from random import Random
from typing import Generic, NamedTuple, TypeVar

from replay_cli.archive.source import ReadingStoppedError

T = TypeVar("T")

_RANDOM = Random()  # of its own: threads that jitter leave the one alone that others may have seeded
_SLICE_SECONDS = 0.1


class Patience:
    """Waits on behalf of one source, until somebody stops it. All methods may be called from any thread."""

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Let everything that waits here, or will, raise `ReadingStoppedError`."""
        self._stopped.set()

    def check(self) -> None:
        """Look up whether anybody still wants to know.

        Raises:
            ReadingStoppedError: nobody does.
        """
        if self._stopped.is_set():
            raise ReadingStoppedError

    def begin(self, function: Callable[[], None]) -> None:
        """Let a function run by itself; it handles its own errors."""
        threading.Thread(target=function, daemon=True).start()

    def call(self, function: Callable[[], T]) -> T:
        """Wait for what a function gives or raises.

        Raises:
            ReadingStoppedError: stopped; the function is left behind.
        """
        return self._started(function).result()

    def call_all(self, functions: Iterable[Callable[[], T]], at_once: int) -> Iterator[T]:
        """Give what functions give, in their order; so many run at once, or have run while an earlier one does.

        Raises:
            ReadingStoppedError: stopped; the functions are left behind.
        """
        calls: deque[_Call[T]] = deque()
        for function in functions:
            calls.append(self._started(function))
            if len(calls) == at_once:
                yield calls.popleft().result()
        while calls:
            yield calls.popleft().result()

    def wait(self, condition: threading.Condition) -> None:
        """Wait a slice of time, or until the condition, which is held, is notified.

        Raises:
            ReadingStoppedError: stopped.
        """
        self.check()
        condition.wait(_SLICE_SECONDS)
        self.check()

    def sleep(self, seconds: float) -> None:
        """Wait so long.

        Raises:
            ReadingStoppedError: stopped.
        """
        self._stopped.wait(seconds)
        self.check()

    def _started(self, function: Callable[[], T]) -> "_Call[T]":
        self.check()
        call = _Call(function, self.check)
        self.begin(call.run)
        return call


class _Call(Generic[T]):
    """A function that runs in another thread, and what came of it."""

    def __init__(self, function: Callable[[], T], check: Callable[[], None]) -> None:
        self._function = function
        self._check = check
        self._ended = threading.Event()
        self._value: T
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._value = self._function()
        except BaseException as error:  # raised where it is waited for
            self._error = error
        finally:
            self._ended.set()

    def result(self) -> T:
        while not self._ended.wait(_SLICE_SECONDS):
            self._check()
        self._check()
        if self._error is not None:
            raise self._error
        return self._value


class Persistence(NamedTuple):
    """How long to try again what keeps failing: so many failures in a row, or so many seconds of them."""

    failures: int = 100
    seconds: float = 300.0
    first_pause: float = 0.2
    longest_pause: float = 10.0


class Setbacks:
    """Failures in a row, and how long to pause after each: exponentially longer, with jitter."""

    def __init__(self, persistence: Persistence) -> None:
        self._persistence = persistence
        self._since = 0.0
        self.in_a_row = 0

    def forget(self) -> None:
        """Begin anew: there was progress."""
        self.in_a_row = 0

    def next_pause(self) -> float | None:
        """Note a failure, and tell how many seconds to pause after it; None when it was the last one."""
        if not self.in_a_row:
            self._since = time.monotonic()
        self.in_a_row += 1
        limit = self._persistence
        if self.in_a_row >= limit.failures or time.monotonic() - self._since >= limit.seconds:
            return None
        pause: float = min(limit.first_pause * 2.0 ** (self.in_a_row - 1), limit.longest_pause)
        return pause * _RANDOM.uniform(0.5, 1)

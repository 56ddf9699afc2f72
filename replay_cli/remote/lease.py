"""A right that ends by itself: it is held for so many seconds after it was last renewed, and its end is final.

The holder counts by its own clock, which goes on while it sleeps, and from before the put that renewed the lease was
sent. Others count from when that put was stored, so the holder's lease is over first, whatever the network does.
"""

import threading
from collections.abc import Callable

from replay_cli.errors import FatalError, ReplayError
from replay_cli.remote.clocks import boot_time

NEVER = float("-inf")
_AGAIN = "run the same command again"


class Lease:
    """What the holder asks before everything that only one may do. All methods may be called from any thread.

    Args:
        what: the thing that is held, for people.
        ttl: seconds that it is held after it was renewed.
        margin: seconds before that in which nothing is begun any more.
        sent: when the put that took it was sent, by `boot_time`.
        clock: counts seconds, those of a suspension included.
    """

    def __init__(
        self, what: str, ttl: float, margin: float, sent: float, clock: Callable[[], float] = boot_time
    ) -> None:
        self.failure: FatalError | None = None
        self.is_released = False
        self._what = what
        self._lasts = ttl - margin
        self._until = sent + self._lasts
        self._clock = clock
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._callbacks: list[Callable[[FatalError], None]] = []

    def holds(self) -> bool:
        """Tell whether it is held at this moment. Once it is not, it never is again."""
        return self._clock() < self._until or self._is_over()

    def left(self) -> float:
        """Return for how many more seconds it is held, unless it is renewed."""
        return self._until - self._clock()

    def renew(self, sent: float) -> bool:
        """Note that it was renewed by a put that was sent at `sent`; whether it is held now."""
        with self._lock:
            if self._over.is_set() or self._clock() >= self._until:
                return False
            self._until = max(self._until, sent + self._lasts)
            return True

    def wait(self, seconds: float) -> None:
        """Wait so long, or until it is known to be over."""
        self._over.wait(seconds)

    def release(self) -> None:
        """Give it up."""
        with self._lock:
            self.is_released = True
            self._until = NEVER
            self._over.set()

    def fail(self, error: FatalError) -> None:
        """End it for a reason, of which those are told who asked for that; only the first reason counts."""
        with self._lock:
            if self.failure is not None:
                return
            self.failure = error
            self._until = NEVER
            self._over.set()
            callbacks, self._callbacks = self._callbacks, []
        for tell in callbacks:
            tell(error)

    def on_failure(self, tell: Callable[[FatalError], None]) -> None:
        """Ask to be told why it ended, at once if it has; it may be told from another thread."""
        with self._lock:
            if self.failure is None:
                self._callbacks.append(tell)
                return
        tell(self.failure)

    def keep(self, work: Callable[[], None], name: str) -> threading.Thread:
        """Let a thread renew it, until that has no more to do; what the work raises ends it."""
        thread = threading.Thread(target=self._work, args=(work,), name=name, daemon=True)
        thread.start()
        return thread

    def not_renewed(self, trouble: BaseException | None) -> FatalError:
        """Say that it ran out.

        Args:
            trouble: why it could not be renewed; without any, nothing was tried in time.
        """
        cause = str(trouble) if trouble else "this process was suspended, or too slow, for longer than it lasts"
        remedy = "" if _AGAIN in cause else f"; {_AGAIN}"
        return FatalError(f"cannot renew the lease of {self._what}: {cause}{remedy}")

    def _work(self, work: Callable[[], None]) -> None:
        try:
            work()
        except FatalError as error:
            self.fail(error)
        except ReplayError as error:
            self.fail(self.not_renewed(error))
        except BaseException as error:  # whatever it is: nobody renews it any more
            self.fail(self.not_renewed(error))
            raise

    def _is_over(self) -> bool:
        """Look again: it may have been renewed since the clock was read."""
        with self._lock:
            if self._clock() < self._until:
                return True
            self._until = NEVER
            self._over.set()
            return False

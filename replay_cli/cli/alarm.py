"""Carries what must end a run from the threads that notice it to whoever conducts the run at the time."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from replay_cli.errors import FatalError


class Alarm:
    """Remembers the first failure, and tells it to who listens; `ring` may be called from any thread."""

    def __init__(self) -> None:
        self.failure: FatalError | None = None
        self._lock = threading.Lock()
        self._listener: Callable[[FatalError], object] | None = None

    def ring(self, failure: FatalError) -> None:
        """Note that nothing may go on."""
        with self._lock:
            if self.failure is None:
                self.failure = failure
                if self._listener is not None:
                    self._listener(failure)

    def require_silence(self) -> None:
        """Refuse to go on after an alarm.

        Raises:
            FatalError: the failure that rang it.
        """
        if self.failure is not None:
            raise self.failure

    @contextmanager
    def heard_by(self, listener: Callable[[FatalError], object]) -> Iterator[None]:
        """Tell a failure to a listener, at once where it is there already; it is called from the thread that rings."""
        with self._lock:
            self._listener = listener
            if self.failure is not None:
                listener(self.failure)
        try:
            yield
        finally:
            with self._lock:
                self._listener = None

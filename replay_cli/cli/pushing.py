"""Stores a working copy on S3: before anything is sent, every so often in a thread of its own, and at the end."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from replay_cli.errors import ReplayError
from replay_cli.ledger.snapshot import still_open, take_snapshot
from replay_cli.remote.keeper import Keeper


class Pushing:
    """Pushes one working copy.

    Args:
        keeper: holds the checkpoint.
        path: the working copy.
        every: seconds between two pushes.
        say: tells people of those that fail.
        note: tells a log of those that do not.
    """

    def __init__(
        self, keeper: Keeper, path: Path, every: float, say: Callable[[str], None], note: Callable[[], None]
    ) -> None:
        self._keeper = keeper
        self._path = path
        self._every = every
        self._say = say
        self._note = note
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Push every so often from here on."""
        self._thread = threading.Thread(target=self._go_on, name="pushing", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Push no more; one that is on its way is waited for."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def push_at_rest(self, summary: Mapping[str, Any] | None = None) -> None:
        """Push while nothing is on its way: then all that may have been sent is known to the checkpoint itself.

        Raises:
            FatalError: the lease is lost, access is denied, or the copy cannot be made.
            PausedError: the store cannot be reached.
        """
        mark = self._keeper.mark()
        with self._copy() as copy:
            self._keeper.push(copy, mark, ((), ()), summary)

    def push(self) -> None:
        """Push while the run goes on: what was announced stays so until the pushed checkpoint has it all settled.

        Raises:
            As `push_at_rest`.
        """
        mark = self._keeper.mark()
        announced = self._keeper.announced()
        with self._copy() as copy:
            self._keeper.push(copy, mark, still_open(copy, *announced))

    @contextmanager
    def _copy(self) -> Iterator[Path]:
        copy = self._path.with_name(self._path.name + ".push")
        try:
            take_snapshot(self._path, copy)
            yield copy
        finally:
            copy.unlink(missing_ok=True)

    def _go_on(self) -> None:
        while not self._over.wait(self._every):
            try:
                self.push()
                self._note()
            except ReplayError as error:  # whether the run may go on, the lease decides
                self._say(f"the checkpoint was not stored, and will be tried again: {error}")

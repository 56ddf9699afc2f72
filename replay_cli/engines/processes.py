"""Processes of this machine, for work that takes more than one core."""

import gc
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from multiprocessing import active_children, get_context, resource_tracker
from multiprocessing.connection import Connection
from threading import Thread
from typing import Any, Self

from replay_cli.engines.engine import LOCAL, Told, Work, ahead_of
from replay_cli.errors import FatalError

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Processes:
    """Processes of this machine.

    They end with this one, however that ends, for they hold the other end of a pipe that is closed then. Signals are
    left to this process: a terminal sends them to all.

    Args:
        work: what is done; each process gets it once.
        workers: how many.
    """

    name = LOCAL

    def __init__(self, work: Work, workers: int) -> None:
        self.workers = workers
        self.ahead = ahead_of(workers)
        self._others = set(active_children())
        context = get_context("spawn")
        resource_tracker.ensure_running()  # or it would let signals through again while the first worker starts
        self._counts = context.Array("q", 3)  # bytes, records, and whether to stop
        self._theirs, self._lifeline = context.Pipe(duplex=False)
        begin = partial(_begin, work, self._counts, self._theirs)
        self._pool = ProcessPoolExecutor(workers, context, begin)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        if any(raised):
            self._end_all()
        self._pool.shutdown(cancel_futures=True)
        self._lifeline.close()
        self._theirs.close()

    def submit(self, item: Any) -> "Future[Any]":
        """Queue the work; see `Engine`."""
        try:
            with _signals_held():  # a process that starts here must not meet one before it is ready
                return self._pool.submit(_work_here, item)
        except BrokenExecutor:
            raise self._lost() from None

    def collect(self, future: "Future[Any]") -> Any:
        """See `Engine`."""
        try:
            return future.result()
        except BrokenExecutor:
            raise self._lost() from None

    def told(self) -> Told:
        """See `Engine`. A process that is killed may never let go of the numbers' lock: it is not asked for."""
        counts: Any = self._counts.get_obj()
        return Told(counts[0], counts[1])

    def stop(self) -> None:
        """See `Engine`."""
        self._counts.get_obj()[2] = 1

    def _end_all(self) -> None:
        """End the processes without waiting for what they do, even if they are only beginning."""
        self._lifeline.close()
        for process in set(active_children()) - self._others:
            process.kill()

    def _lost(self) -> FatalError:
        self._end_all()
        return FatalError(
            "a process that reads was killed, perhaps because memory ran out: run the same command again, with fewer "
            f"--workers than {self.workers}"
        )


_WORK: ContextVar[Callable[[Any], Any]] = ContextVar("work")
"""In a process that works: what is done there, from `_begin` on."""


def _begin(work: Work, counts: Any, lifeline: Connection) -> None:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    Thread(target=_end_with, args=(lifeline,), daemon=True).start()
    gc.freeze()  # what is imported stays, and need not be looked through again and again

    def tell(size: int, records: int) -> bool:
        with counts.get_lock():
            counts[0] += size
            counts[1] += records
            return bool(counts[2])

    _WORK.set(lambda item: work(item, tell))


def _end_with(lifeline: Connection) -> None:
    """End this process at once, wherever it is, when the other end of the pipe is closed."""
    with suppress(EOFError, OSError):
        lifeline.recv_bytes()
    os._exit(1)


def _work_here(item: Any) -> Any:
    return _WORK.get()(item)


@contextmanager
def _signals_held() -> Iterator[None]:
    """Let signals wait until this is over; a process that is started meanwhile begins with them held."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

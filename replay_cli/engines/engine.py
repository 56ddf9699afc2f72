"""What all engines have in common, and the simplest of them."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, NamedTuple, Protocol, Self

LOCAL, DASK = "local", "dask"
_AHEAD = 16


class Told(NamedTuple):
    """How far the work has come: stored bytes and records that are read."""

    bytes: int = 0
    records: int = 0


Tell = Callable[[int, int], bool]
"""Takes how many stored bytes and records were read since it was called last; tells whether to stop with that."""
Work = Callable[[Any, Tell], Any]
"""Does the work for one item. Where it is done elsewhere, both it and what it takes and gives can be pickled."""


def ahead_of(workers: int) -> int:
    """Return how many items so many workers have ahead: each result may be a few megabytes that wait here."""
    return 2 * workers + _AHEAD


class Engine(Protocol):
    """Does work for items, `workers` at a time.

    `ahead` is how many items should be submitted and not yet collected: then nobody waits, as long as the first of them
    takes no longer than some of the others together.
    """

    name: str
    workers: int
    ahead: int

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...

    def submit(self, item: Any) -> "Future[Any]":
        """Begin, or queue, the work for an item; its result is for `collect`."""

    def collect(self, future: "Future[Any]") -> Any:
        """Return the result of what is done.

        Raises:
            FatalError: a worker or the cluster is lost.
            ReplayError: what the work has raised.
        """

    def told(self) -> Told:
        """Return how far all work together has come.

        Raises:
            FatalError: nobody works any more.
        """

    def stop(self) -> None:
        """Let those who work stop with what they have read, where they can be reached; a signal handler may call it."""


class Here:
    """The process itself: the work for an item is done when `submit` returns.

    Args:
        work: what is done.
        on_told: is called with what it has told, whenever that is more.
    """

    name = LOCAL
    workers = 1
    ahead = 1

    def __init__(self, work: Work, on_told: Callable[[Told], None]) -> None:
        self._work = work
        self._on_told = on_told
        self._told = Told()
        self._is_stopping = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def submit(self, item: Any) -> "Future[Any]":
        """Do the work; see `Engine`."""
        future: Future[Any] = Future()
        try:
            future.set_result(self._work(item, self._tell))
        except Exception as error:  # raised where it is collected
            future.set_exception(error)
        return future

    def collect(self, future: "Future[Any]") -> Any:
        """See `Engine`."""
        return future.result()

    def told(self) -> Told:
        """See `Engine`."""
        return self._told

    def stop(self) -> None:
        """See `Engine`."""
        self._is_stopping = True

    def _tell(self, size: int, records: int) -> bool:
        self._told = Told(self._told.bytes + size, self._told.records + records)
        self._on_told(self._told)
        return self._is_stopping

"""A process that prepares batches beside the one that sends: then the two share the work of one core.

For jobs that are bound by nothing else: at a rate that MoEngage takes, one core does it all.
"""

import pickle
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Thread
from typing import Any, NamedTuple, Self

from replay_cli.errors import FatalError
from replay_cli.model import RecordBatch, Request
from replay_cli.preparation import Prepared
from replay_cli.recognition import known_by

_AHEAD = 3
"""Batches that are with the process at once: it never waits for the next one."""
_SECONDS_TO_END = 5.0

Ready = tuple[Prepared, dict[int, bytes]]
"""A prepared batch, and what its records are known by."""
Preparing = Callable[[Iterable[RecordBatch]], Iterator[Ready]]


class _Parcel(NamedTuple):
    """A prepared batch on its way: `rest` is what is not in the batch itself, which stays where it is."""

    requests: list[tuple[int, int, str, bytes, tuple[str, ...], bytes | None]]
    """(ordinal, part, path, body, lanes, the record's text unless it is the record itself)"""
    rest: tuple[Any, ...]
    hashes: dict[int, bytes]


def one_by_one(prepare: Callable[[RecordBatch], Prepared]) -> Preparing:
    """Prepare batches here, as they come."""

    def prepare_all(batches: Iterable[RecordBatch]) -> Iterator[Ready]:
        for batch in batches:
            prepared = prepare(batch)
            yield prepared, known_by(prepared)

    return prepare_all


class Workshop:
    """The process, while it is open.

    It ends with this one, however that ends: its pipe is closed then.

    Args:
        make: makes what prepares, over there; it is sent to the process.
    """

    def __init__(self, make: Callable[[], Callable[[RecordBatch], Prepared]]) -> None:
        context = get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(make, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._process.join(_SECONDS_TO_END)

    def prepare_all(self, batches: Iterable[RecordBatch]) -> Iterator[Ready]:
        """Prepare batches over there, in their order; what reading them raises comes after those before it.

        Raises:
            FatalError: the process has ended.
        """
        out: deque[RecordBatch] = deque()
        source = iter(batches)
        failure: Exception | None = None
        try:
            while True:
                while failure is None and len(out) < _AHEAD:
                    try:
                        batch = next(source)
                    except StopIteration:
                        break
                    except Exception as error:  # a damaged or changed object: first what was read of it
                        failure = error
                        break
                    self._connection.send(batch)
                    out.append(batch)
                if not out:
                    break
                parcel = pickle.loads(self._connection.recv_bytes())  # noqa: S301 # of our own process
                yield _unpacked(parcel, out.popleft())
        except (EOFError, OSError):
            raise FatalError("the process that prepares messages has ended: run the same command again") from None
        if failure is not None:
            raise failure


def _work(make: Callable[[], Callable[[RecordBatch], Prepared]], connection: Connection) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # a terminal sends them to both
        signal.signal(number, signal.SIG_IGN)
    batches: SimpleQueue[RecordBatch | None] = SimpleQueue()
    Thread(target=_receive, args=(connection, batches), daemon=True).start()
    prepare = make()
    with suppress(OSError):  # the other one is gone
        while (batch := batches.get()) is not None:
            connection.send_bytes(pickle.dumps(_packed(prepare(batch), batch), pickle.HIGHEST_PROTOCOL))


def _receive(connection: Connection, batches: "SimpleQueue[RecordBatch | None]") -> None:
    """Take batches as they come, or whoever sends the next one and whoever sends a result would wait for each other."""
    with suppress(EOFError, OSError):
        while True:
            batches.put(connection.recv())
    batches.put(None)


def _packed(prepared: Prepared, batch: RecordBatch) -> _Parcel:
    requests = [
        (
            *(ordinal := request.ordinals[0], request.part, request.path, request.body, request.users),
            None if request.records[0] is batch.records[ordinal - batch.first] else request.records[0],
        )
        for request in prepared.requests
    ]
    _, records, _, *rest = prepared
    return _Parcel(requests, (records, *rest), known_by(prepared))


def _unpacked(parcel: _Parcel, batch: RecordBatch) -> Ready:
    records, first = batch.records, batch.first
    requests = [
        Request((ordinal,), part, "POST", path, body, users, (records[ordinal - first] if text is None else text,))  # type: ignore[arg-type] # only bytes are their own text
        for ordinal, part, path, body, users, text in parcel.requests
    ]
    count, *rest = parcel.rest
    return Prepared(batch, count, requests, *rest), parcel.hashes

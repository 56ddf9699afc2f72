"""A Dask cluster that is there already, for work that takes more than one machine."""

import asyncio
import logging
import time
from concurrent.futures import CancelledError, Executor, Future
from contextlib import suppress
from importlib import import_module
from typing import Any, Self
from warnings import catch_warnings, simplefilter

from replay_cli import __version__
from replay_cli.engines.engine import DASK, Told, Work, ahead_of
from replay_cli.errors import FatalError, ReplayError, UsageError

_CONNECT_SECONDS = 10
_LOOK_EVERY = 1.0
_ALONE_SECONDS = 10.0
"""A cluster without workers is given up after so long: those that are restarted come back sooner."""
_LOGGERS = ("distributed", "distributed.client", "tornado")
_SAME_EVERYWHERE = ("python", "dask", "distributed", "cloudpickle")
"""What has to be of the same version on a cluster, or what is sent there may not be understood."""


class Cluster:
    """A Dask cluster that is there already.

    Args:
        work: what is done; each worker gets it once.
        address: the scheduler's, as in `tcp://10.0.0.1:8786`.

    Raises:
        UsageError: that is no address, or Dask is not installed.
        FatalError: the scheduler does not answer, has no workers, or they have other versions than are here.
    """

    name = DASK

    def __init__(self, work: Work, address: str) -> None:
        self._address = address
        self._told = Told()
        self._looked_at = self._seen_at = time.monotonic()
        self._client = _connected(address)
        try:
            self.workers = sum(self._client.nthreads().values())
            if not self.workers:
                raise FatalError(f"{address}: this cluster has no workers: start some with `dask worker {address}`")
            self.ahead = ahead_of(self.workers)
            _require_same_versions(self._client, address)
            self._work = self._client.scatter(work, broadcast=True, hash=False)
            self._executor: Executor = self._client.get_executor(pure=False)
        except BaseException:
            self._client.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(Exception):  # what is wrong with the cluster was said
            self._executor.shutdown(wait=False)
        with suppress(Exception):  # as above
            self._client.close(timeout=_CONNECT_SECONDS)

    def submit(self, item: Any) -> "Future[Any]":
        """Queue the work; see `Engine`."""
        self._require_connection()
        future = self._executor.submit(_work_there, self._work, item)
        future.add_done_callback(self._hear)
        return future

    def collect(self, future: "Future[Any]") -> Any:
        """See `Engine`."""
        try:
            return future.result()[0]
        except (ReplayError, MemoryError):
            raise
        except (Exception, CancelledError) as error:
            if not type(error).__module__.startswith(("distributed", "concurrent", "asyncio", "tornado")):
                raise
            self._require_connection()
            raise FatalError(
                f"{self._address}: workers of this cluster were lost while they read ({type(error).__name__}), perhaps "
                "because memory ran out: look at their logs, and run the same command again"
            ) from None

    def told(self) -> Told:
        """See `Engine`; what is told is known when an item is done."""
        self._require_connection()
        self._require_workers()
        return self._told

    def stop(self) -> None:
        """See `Engine`: these cannot be reached; what they have not finished can be cancelled."""

    def _hear(self, future: "Future[Any]") -> None:
        if not future.cancelled() and future.exception() is None:
            told = future.result()[1]
            self._told = Told(self._told.bytes + told.bytes, self._told.records + told.records)

    def _require_connection(self) -> None:
        if self._client.status != "running":
            raise FatalError(f"{self._address}: the connection to the scheduler is lost: run the same command again")

    def _require_workers(self) -> None:
        """Check now and then that somebody works: the scheduler itself would wait for new workers for ever."""
        now = time.monotonic()
        if now - self._looked_at < _LOOK_EVERY:
            return
        self._looked_at = now
        if self._client.nthreads():
            self._seen_at = now
        elif now - self._seen_at > _ALONE_SECONDS:
            raise FatalError(f"{self._address}: this cluster has lost all its workers: start some, and run this again")


def _work_there(work: Work, item: Any) -> tuple[Any, Told]:
    told = Told()

    def tell(size: int, records: int) -> bool:
        nonlocal told
        told = Told(told.bytes + size, told.records + records)
        return False

    return work(item, tell), told


def _connected(address: str) -> Any:
    try:
        distributed = import_module("distributed")
    except ImportError:
        raise UsageError("--engine dask: Dask is not installed here: pip install 'replay-cli[dask]'") from None
    for name in _LOGGERS:  # what goes wrong is raised, and told in a sentence
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        distributed.comm.get_address_host_port(address)
    except ValueError as error:
        raise UsageError(f"--scheduler {address}: is no address of a Dask scheduler ({error})") from None
    try:
        asyncio.run(_knock(distributed, address))  # a client that is let in by anything else waits for ever
        with catch_warnings():
            simplefilter("ignore")  # versions that differ are told below
            return distributed.Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ImportError):
        raise FatalError(
            f"{address}: no Dask scheduler answers there within {_CONNECT_SECONDS} seconds: start it, or correct "
            "--scheduler"
        ) from None


async def _knock(distributed: Any, address: str) -> None:
    """Check that somebody there speaks as a scheduler does."""
    how = distributed.Security().get_connection_args("client")
    async with asyncio.timeout(_CONNECT_SECONDS):
        comm = await distributed.comm.connect(address, timeout=_CONNECT_SECONDS, **how)
    comm.abort()


def _require_same_versions(client: Any, address: str) -> None:
    versions = client.get_versions()
    here = versions["client"]
    for worker, there in sorted(versions["workers"].items()):
        for name in _SAME_EVERYWHERE:
            _require_same(address, worker, name, _version(here, name), _version(there, name))
    try:
        installed = client.run(_own_version)
    except Exception as error:
        raise FatalError(
            f"{address}: replay-cli cannot be used by the workers of this cluster ({type(error).__name__}): "
            f"install replay-cli {__version__} where they run"
        ) from None
    for worker, version in sorted(installed.items()):
        _require_same(address, worker, "replay-cli", __version__, version)


def _require_same(address: str, worker: str, name: str, here: str, there: str) -> None:
    if here != there:
        raise FatalError(
            f"{address}: its worker {worker} has {name} {there}, and here it is {here}: install the same versions"
        )


def _version(versions: Any, name: str) -> str:
    return str(versions["host" if name == "python" else "packages"].get(name))


def _own_version() -> str:
    return __version__

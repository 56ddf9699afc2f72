"""A Dask cluster does the same work: a real scheduler and its workers, in processes of their own on loopback."""

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from replay_cli.archive.disk import DiskSource
from replay_cli.engines import Tell, Told
from replay_cli.engines import cluster as engine_module
from replay_cli.engines.cluster import Cluster
from replay_cli.errors import FatalError, UsageError
from replay_cli.model import ArchiveObject
from replay_cli.validation import conductor
from replay_cli.validation.conductor import Validation
from tests.support.dask_cluster import DaskCluster
from tests.test_validation import QUIET, SAMPLES, found, setup, small_portions

__all__ = ["small_portions"]  # a fixture

WORKERS = 2


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    with DaskCluster(tmp_path_factory.mktemp("cluster"), WORKERS) as started:
        yield started


def work(setup: str, item: object, tell: Tell) -> object:
    """What these tests have done: some items are special."""
    if item == "fail":
        raise UsageError("it cannot be done")
    if item == "bug":
        raise ZeroDivisionError
    if item == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    tell(10, 1)
    tell(5, 0)
    return setup, item


ONCE = partial(work, "once")


def test_every_item_becomes_its_result_and_what_is_told_adds_up(cluster: DaskCluster) -> None:
    with Cluster(ONCE, cluster.address) as engine:
        assert engine.workers == WORKERS
        futures = [engine.submit(n) for n in range(20)]
        assert [engine.collect(future) for future in futures] == [("once", n) for n in range(20)]
        deadline = time.monotonic() + 10
        while engine.told() != Told(300, 20):  # it is heard of beside, and may be known a moment later
            assert time.monotonic() < deadline, engine.told()
            time.sleep(0.01)


def test_what_the_work_raises_is_raised_where_it_is_collected_and_others_go_on(cluster: DaskCluster) -> None:
    with Cluster(ONCE, cluster.address) as engine:
        futures = [engine.submit(item) for item in ("fail", "bug", 7)]
        with pytest.raises(UsageError, match=r"^it cannot be done$"):
            engine.collect(futures[0])
        with pytest.raises(ZeroDivisionError):
            engine.collect(futures[1])
        assert engine.collect(futures[2]) == ("once", 7)


@pytest.mark.usefixtures("small_portions")
def test_a_cluster_finds_what_one_process_finds(cluster: DaskCluster) -> None:
    asked = setup(SAMPLES)
    alone = Validation(asked).go(QUIET)
    together = Validation(asked, scheduler=cluster.address).go(QUIET)
    assert found(together) == found(alone)
    assert (together.engine, together.workers) == ("dask", WORKERS)


class Elsewhere(DiskSource):
    """An archive that is on this machine only, not on the workers'."""

    there = ArchiveObject("/not/on/every/disk/a.jsonl", 10, "e")

    def pages(self) -> Iterator[list[ArchiveObject]]:
        yield [self.there]

    def find(self, uri: str) -> ArchiveObject | None:
        return self.there


def test_an_archive_that_the_workers_do_not_see_is_not_taken_for_a_damaged_one(
    cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conductor, "open_source", lambda *_: Elsewhere([]))
    with pytest.raises(
        FatalError, match=r"a\.jsonl is there, but not for all workers of tcp://.*: put the archive where"
    ):
        Validation(setup(SAMPLES), scheduler=cluster.address).go(QUIET)


def test_a_cluster_with_another_version_is_refused(cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "__version__", "99.0")
    with pytest.raises(FatalError, match=r"its worker .* has replay-cli .*, and here it is 99\.0: install the same"):
        Cluster(ONCE, cluster.address)


def test_without_dask_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"pip install 'replay-cli\[dask\]'"):
        Cluster(ONCE, "tcp://127.0.0.1:1")


@pytest.mark.parametrize("address", ["nonsense", "http://127.0.0.1:1", ""])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match=r"--scheduler .* is no address of a Dask scheduler"):
        Cluster(ONCE, address)


def test_a_scheduler_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens at the first address; whoever does at the second one never says a word."""
    monkeypatch.setattr(engine_module, "_CONNECT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        for port in (reserved.getsockname()[1], silent.getsockname()[1]):
            with pytest.raises(FatalError, match=r"no Dask scheduler answers there"):
                Cluster(ONCE, f"tcp://127.0.0.1:{port}")


def test_lost_workers_and_a_lost_scheduler_are_told_in_a_sentence(tmp_path: Path) -> None:
    with DaskCluster(tmp_path, 1) as doomed, Cluster(ONCE, doomed.address) as engine:
        future = engine.submit("die")
        with pytest.raises(FatalError, match="workers of this cluster were lost while they read"):
            engine.collect(future)
        with pytest.raises(FatalError, match="has no workers: start some with"):
            Cluster(ONCE, doomed.address)
        future = engine.submit(1)
        doomed.stop()
        with pytest.raises(FatalError, match="the connection to the scheduler is lost"):
            engine.collect(future)
        with pytest.raises(FatalError, match="the connection to the scheduler is lost"):
            engine.told()

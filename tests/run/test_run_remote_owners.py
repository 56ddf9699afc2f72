"""One owner a checkpoint on S3, and one quota a workspace: between machines that know nothing of each other."""

import re
import signal
from pathlib import Path

import pytest

from tests.support.archives import message
from tests.support.arrivals import bodies, most_in_any_second, times, twice
from tests.support.machines import SHORT, Plant
from tests.support.processes import Finished, wait_until
from tests.support.s3_proxy import S3Proxy
from tests.support.s3_server import S3Server
from tests.support.sandbox_process import SandboxProcess

COUNT = 600
SLOW, RPS = 30, 200


@pytest.fixture
def plant(
    tmp_path: Path, s3_server: S3Server, bucket: str, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> Plant:
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    plant = Plant(tmp_path, s3_server, bucket, sandbox.url)
    plant.put("00", (message(n) for n in range(COUNT)))
    return plant


def test_a_checkpoint_is_refused_until_it_is_given_back(plant: Plant, sandbox: SandboxProcess) -> None:
    """Another machine is told who has it; after an interrupted run, it goes on at once."""
    other = plant.machine("b")
    with plant.machine("a").running(plant.run(rps=SLOW)) as process:
        wait_until(lambda: sandbox.stats()["attempts"] >= 10, process)
        refused = other.run(plant.run(), code=1)
        assert re.search(rf"another run \(pid {process.pid} on [^)]+\) is using {plant.checkpoint}", refused.err)
        assert "wait for it, or stop it" in refused.err
        process.send_signal(signal.SIGTERM)
        assert Finished(process).code == 143
    end = other.run(plant.run())
    assert "waiting" not in end.err
    assert end.require_closed_book()["in_doubt"] == 0
    assert times(bodies(sandbox)).total() == COUNT


def test_two_jobs_of_a_workspace_never_exceed_its_quota_together(plant: Plant, sandbox: SandboxProcess) -> None:
    """On two machines, with checkpoints of their own; each has its share while both are there."""
    many = 20 * RPS
    plant.put("01", (message(COUNT + n) for n in range(many)))
    plant.put("00", (message(COUNT + many + n) for n in range(many)), folder="other")
    first = plant.run(rps=RPS, lease=10)
    second = [word.replace("/logs/", "/other/").replace("nightly.ckpt", "other.ckpt") for word in first]

    def both_send() -> bool:
        numbers = times(bodies(sandbox))
        return len(numbers) - 100 > sum(n >= COUNT + many for n in numbers) > 100

    with plant.machine("a").running(first) as one, plant.machine("b").running(second) as two:
        wait_until(both_send, one)
        for process in (one, two):
            process.send_signal(signal.SIGTERM)
        ends = [Finished(one), Finished(two)]
    assert [end.code for end in ends] == [143, 143], [end.err for end in ends]
    assert all(f"share of the workspace's quota: {RPS / 2:g} of {RPS} requests a second" in end.err for end in ends)
    assert sandbox.stats()["peak_per_second"] <= RPS
    assert most_in_any_second(line["at"] for line in sandbox.received()) <= RPS


def test_a_store_that_goes_away_stops_the_run_before_its_lease_ends(plant: Plant, sandbox: SandboxProcess) -> None:
    """Nobody could tell whether another machine goes on; when the store is back, the same command does."""
    machine = plant.machine("a")
    with S3Proxy(plant.server.url) as proxy:
        state = ("--state-endpoint-url", proxy.url)
        with machine.running(plant.run(*state, rps=SLOW, lease=SHORT)) as process:
            wait_until(lambda: sandbox.stats()["attempts"] >= 10, process)
            proxy.refuse()
            end = Finished(process)
        assert end.code == 1
        assert "cannot renew the lease of" in end.summary["reason"]
        assert f"{proxy.url} cannot be reached" in end.summary["reason"]
        assert len(times(bodies(sandbox))) < COUNT
        proxy.listen()
        summary = machine.run(plant.run(*state)).require_closed_book()
    arrived = times(bodies(sandbox))
    assert set(arrived) == set(range(COUNT))
    assert twice(arrived) <= summary["in_doubt"]


def test_a_store_that_cannot_be_reached_or_refuses_is_named(plant: Plant, sandbox: SandboxProcess) -> None:
    machine = plant.machine("a")
    nowhere = machine.run(plant.run("--state-endpoint-url", "http://127.0.0.1:9"), code=1)
    assert "http://127.0.0.1:9 cannot be reached" in nowhere.err
    stranger = machine.run(plant.run(), code=1, AWS_SECRET_ACCESS_KEY="wrong")
    for lease in (1, 7200):
        assert "--lease" in machine.run(plant.run(lease=lease), code=2).err
    assert "the secret access key does not belong to the access key id" in stranger.err
    assert sandbox.stats()["attempts"] == 0

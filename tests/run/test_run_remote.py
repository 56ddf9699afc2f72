"""A checkpoint on S3: it holds all of its job, outlives its machine, and knows what may have been sent since."""

import gzip
import json
import re
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.support.archives import message
from tests.support.arrivals import bodies, times, twice
from tests.support.machines import SHORT, Plant
from tests.support.processes import Finished, wait_until
from tests.support.s3_server import IDENTITIES, S3Server
from tests.support.sandbox_process import SandboxProcess

EACH, OBJECTS = 120, 5
MANY = 700
"""So many in each object that what waits in memory is not all there is."""


@pytest.fixture
def plant(
    tmp_path: Path, s3_server: S3Server, bucket: str, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> Plant:
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    plant = Plant(tmp_path, s3_server, bucket, sandbox.url)
    fill(plant, EACH)
    return plant


def fill(plant: Plant, each: int) -> None:
    """Make the archive: so many messages in each object, numbered."""
    for number in range(OBJECTS):
        plant.put(f"{number:02}", map(message, range(number * each, (number + 1) * each)))


def test_all_of_a_job_is_on_s3_when_its_run_ends(plant: Plant, sandbox: SandboxProcess) -> None:
    """Another machine finds it complete, adds what is new, and sends its dead letters again."""
    sandbox.faults([{"match": {"properties.n": 7}, "status": 400}])
    first = plant.machine("a").run(plant.run(), code=3)
    summary = first.require_closed_book()
    assert summary["checkpoint"] == plant.checkpoint
    letters = f"s3://{plant.bucket}/state/nightly.dead-letters.jsonl.gz"
    assert summary["dead_letters"] == letters
    assert json.loads(gzip.decompress(plant.get(letters)))["record"]["properties"] == {"n": 7}
    assert b"<html" in plant.get(f"s3://{plant.bucket}/state/nightly.html")

    other = plant.machine("b")
    again = other.run(plant.run(), code=3)
    assert "already complete" in again.require_closed_book()["reason"]
    assert again.summary["run"]["requests"]["attempts"] == 0
    plant.put("50", (message(n) for n in range(5000, 5010)))
    assert other.run(plant.run(), code=3).require_closed_book()["records"]["read"] == OBJECTS * EACH + 10

    sandbox.faults([])
    redriven = plant.machine("c").run(["redrive", plant.checkpoint, "--s3-endpoint-url", plant.server.url, "--json"])
    assert redriven.require_closed_book()["dead_lettered"] == {}
    assert times(bodies(sandbox)) == Counter([*range(OBJECTS * EACH), *range(5000, 5010)])
    snapshots = [name for name in plant.state() if name.endswith(".gz") and name.startswith("nightly.ckpt")]
    assert len(snapshots) == 1, "only the last one is kept"


def test_a_paused_job_is_resumed_from_another_machine(plant: Plant, sandbox: SandboxProcess) -> None:
    plant.machine("a").run(plant.run("--limit", "300"), code=4)
    command = ["resume", plant.checkpoint, "--s3-endpoint-url", plant.server.url, "--json"]
    summary = plant.machine("b").run(command).require_closed_book()
    assert summary["in_doubt"] == 0, "it was given back in order"
    assert times(bodies(sandbox)) == Counter(range(OBJECTS * EACH))


@pytest.mark.parametrize("in_doubt", ["resend", "dead-letter"])
def test_when_its_machine_is_lost_nothing_else_is(plant: Plant, sandbox: SandboxProcess, in_doubt: str) -> None:
    """What was announced since the last push is in doubt, and no more; all else is known to be sent, or not."""
    fill(plant, MANY)
    machine = plant.machine("a")
    with machine.running(plant.run("--in-doubt", in_doubt, rps=300, lease=SHORT)) as process:
        wait_until(lambda: sandbox.stats()["attempts"] >= 250, process)
        process.kill()
        assert Finished(process).code == -signal.SIGKILL
    machine.lose()
    end = plant.machine("b").run(plant.run("--in-doubt", in_doubt), code=0 if in_doubt == "resend" else 3)
    assert re.search(r"waiting \d+ s for the lease of pid \d+ on ", end.err)
    summary, arrived = end.require_closed_book(), times(bodies(sandbox))
    doubts = {plant.number(row, MANY) for row in plant.doubts()}
    assert summary["in_doubt"] >= len(doubts) > 0
    assert {n for n, count in arrived.items() if count > 1} <= doubts
    if in_doubt == "resend":
        assert set(arrived) == set(range(OBJECTS * MANY))
    else:
        assert twice(arrived) == 0
        assert set(range(OBJECTS * MANY)) - set(arrived) <= doubts
        assert summary["dead_lettered"] == {"in_doubt": len(doubts)}


def test_a_restart_moves_the_old_checkpoint_aside(plant: Plant, sandbox: SandboxProcess) -> None:
    machine = plant.machine("a")
    machine.run(plant.run("--limit", "300"), code=4)
    end = plant.machine("b").run(plant.run("--restart"))
    assert end.require_closed_book()["records"]["delivered"] == OBJECTS * EACH
    assert "--restart: 300 records that the old job has delivered are sent again" in end.err
    (aside,) = [name for name in plant.state() if name.startswith("nightly.ckpt.20") and name.endswith("Z")]
    with plant.opened(f"s3://{plant.bucket}/state/{aside}") as old:
        assert old.store.tallies()["delivered"][""] == 300


def test_what_is_not_there_is_not_begun_where_it_must_resume(plant: Plant, sandbox: SandboxProcess) -> None:
    end = plant.machine("a").run(plant.run("--must-resume"), code=2)
    assert f"{plant.checkpoint}: there is no such checkpoint" in end.err
    assert sandbox.stats()["attempts"] == 0


def test_a_checkpoint_that_is_gone_is_not_begun_anew_unasked(plant: Plant, sandbox: SandboxProcess) -> None:
    machine = plant.machine("a")
    machine.run(plant.run("--limit", "300"), code=4)
    plant.server.client().delete_object(Bucket=plant.bucket, Key="state/nightly.ckpt")
    end = machine.run(plant.run(), code=2)
    assert f"{plant.checkpoint} is not there, but this machine has sent from it" in end.err
    assert len(times(bodies(sandbox))) == 300


def test_a_snapshot_that_is_gone_does_not_keep_a_restart_away(plant: Plant, sandbox: SandboxProcess) -> None:
    plant.machine("a").run(plant.run("--limit", "300"), code=4)
    (snapshot,) = [name for name in plant.state() if name.startswith("nightly.ckpt.")]
    plant.server.client().delete_object(Bucket=plant.bucket, Key=f"state/{snapshot}")
    machine = plant.machine("b")
    assert "begin anew with --restart" in machine.run(plant.run(), code=1).err
    end = machine.run(plant.run("--restart"))
    assert end.require_closed_book()["records"]["delivered"] == OBJECTS * EACH
    assert plant.machine("c").run(plant.run()).summary["run"]["requests"]["attempts"] == 0


def test_a_run_that_ends_before_it_opens_its_copy_leaves_no_more_in_doubt(
    plant: Plant, sandbox: SandboxProcess
) -> None:
    """What the copy on this machine knows of a killed run is not given up for the older snapshot."""
    fill(plant, MANY)
    machine = plant.machine("a")
    with machine.running(plant.run("--push-every", "1h", rps=300, lease=SHORT)) as process:
        wait_until(lambda: sandbox.stats()["attempts"] >= 250, process)
        process.kill()
    names = {"sources": IDENTITIES["lister"], "state": IDENTITIES["admin"]}
    profiles = (
        f"[{name}]\naws_access_key_id={who.access_key}\naws_secret_access_key={who.secret_key}\n"
        for name, who in names.items()
    )
    (machine.folder / "profiles").write_text("".join(profiles))
    refused = plant.run("--aws-profile", "sources", "--state-profile", "state")
    assert "access denied" in machine.run(refused, code=1, AWS_SHARED_CREDENTIALS_FILE="profiles").err
    end = machine.run(plant.run())
    assert end.require_closed_book()["in_doubt"] < 100, "those that were on their way when it was killed"
    assert "nobody had it since this machine" in end.err
    assert {doubt.cause for doubt in plant.doubts()} <= {"interrupted"}


def test_the_copy_of_a_checkpoint_on_s3_is_not_run_as_one_of_its_own(plant: Plant, sandbox: SandboxProcess) -> None:
    machine = plant.machine("a")
    machine.run(plant.run("--limit", "300"), code=4)
    (copy,) = machine.folder.glob(".replay/s3/*.ckpt")
    command = ["resume", str(copy.relative_to(machine.folder)), "--s3-endpoint-url", plant.server.url]
    assert "is this machine's copy of a checkpoint on S3" in machine.run(command, code=2).err
    assert sandbox.stats()["attempts"] == 300

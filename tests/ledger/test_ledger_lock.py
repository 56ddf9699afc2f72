"""Two runs are kept apart, by real processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from replay_cli.errors import FatalError
from replay_cli.ledger import lock
from replay_cli.ledger.lock import RunLock, checkpoint_lock, is_locked, workspace_lock

HOLD = """
import sys
from pathlib import Path
from replay_cli.ledger.lock import checkpoint_lock
with checkpoint_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_by_another_process(checkpoint: Path) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(checkpoint)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_the_second_run_is_refused_naming_the_first(tmp_path: Path) -> None:
    checkpoint = tmp_path / "new" / "job.ckpt"
    with held_by_another_process(checkpoint) as first:
        assert is_locked(checkpoint)
        expected = rf"another run \(pid {first.pid}\) is using the checkpoint {checkpoint}"
        with pytest.raises(FatalError, match=expected), checkpoint_lock(checkpoint):
            pytest.fail("two runs")


def test_a_killed_run_leaves_no_lock(tmp_path: Path) -> None:
    checkpoint = tmp_path / "job.ckpt"
    with held_by_another_process(checkpoint) as first:
        first.send_signal(signal.SIGKILL)
        first.wait()
        assert not is_locked(checkpoint)
        with checkpoint_lock(checkpoint):
            assert is_locked(checkpoint)
    assert not is_locked(checkpoint)


def test_a_lock_names_who_holds_it_now(tmp_path: Path) -> None:
    """Not a former holder with a longer pid."""
    path = tmp_path / "lock"
    path.write_text("123456789012\n")
    with RunLock(path, "it"):
        assert path.read_text() == f"{os.getpid()}\n"


def test_a_refused_run_keeps_no_file_open(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with RunLock(path, "it"):
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(5):
            with pytest.raises(FatalError), RunLock(path, "it"):
                pytest.fail("two runs")
        assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_lock_follows_no_link(tmp_path: Path) -> None:
    """In a folder that all may write to, a link could have us overwrite a file."""
    target = tmp_path / "precious"
    target.write_text("content")
    (tmp_path / "lock").symlink_to(target)
    with pytest.raises(FatalError, match="symbolic links"), RunLock(tmp_path / "lock", "it"):
        pytest.fail("followed")
    assert target.read_text() == "content"


def test_one_run_for_a_workspace_and_endpoint_on_a_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "_MACHINE_WIDE", (tmp_path,))
    endpoint = f"https://test-{os.getpid()}.invalid"
    with (
        workspace_lock(endpoint, "w1"),
        workspace_lock(endpoint, "w2"),
        workspace_lock(endpoint + "/eu", "w1"),
        pytest.raises(FatalError, match=rf"\(pid {os.getpid()}\) is using the workspace w1 at {endpoint}"),
        workspace_lock(endpoint, "w1"),
    ):
        pytest.fail("two runs")


def test_a_checkpoint_that_was_never_used_is_not_locked(tmp_path: Path) -> None:
    assert not is_locked(tmp_path / "job.ckpt")
    assert list(tmp_path.iterdir()) == []

"""Killing the real command: at a random moment, or once it has got so far."""

import signal
import threading
from pathlib import Path

from tests.support.processes import Finished, start, wait_until
from tests.support.sandbox_process import SandboxProcess


def kill_after(attempts: int, sandbox: SandboxProcess, cwd: Path, arguments: list[str]) -> None:
    """Start a run and kill it after so many attempts."""
    most = sandbox.stats()["attempts"] + attempts
    process = start(cwd, *arguments)
    wait_until(lambda: sandbox.stats()["attempts"] >= most, process)
    process.kill()
    assert Finished(process).code == -signal.SIGKILL


def kill_at_random(seconds: float, sandbox: SandboxProcess, cwd: Path, arguments: list[str]) -> Finished:
    """Start a run and kill it so many seconds after its first attempt, unless it ends first.

    Negative seconds count from the start of the process: it is killed while it opens, lists or reads.
    """
    before = sandbox.stats()["attempts"]
    process = start(cwd, *arguments)
    if seconds >= 0:
        wait_until(lambda: process.poll() is not None or sandbox.stats()["attempts"] > before, process)
    killer = threading.Timer(abs(seconds), process.send_signal, [signal.SIGKILL])
    killer.start()
    try:
        return Finished(process)
    finally:
        killer.cancel()

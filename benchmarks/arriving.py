"""What the benchmarks of delivery share: a run that is ended when they have seen enough, and the server's clock."""

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.support.processes import start
from tests.support.sandbox_process import SandboxProcess

_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")


class Running:
    """A `replay run` under way; `peak_mb` is its peak memory when it was last looked at."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.peak_mb = 0.0
        self._process = process

    def wait_until(self, condition: Callable[[], bool], seconds: float = 300.0) -> None:
        """Wait for something to come true, which must do so before the run ends."""
        end = time.monotonic() + seconds
        while not condition():
            self._look()
            if time.monotonic() > end or self._process.poll() is not None:
                raise AssertionError("the run ended too early, or went nowhere")
            time.sleep(0.05)

    def end(self) -> None:
        self._process.terminate()
        self._process.wait()

    def _look(self) -> None:
        # Not the peak that `wait4` reports, which is at least what this process had when it started the other one.
        with suppress(OSError):
            status = Path(f"/proc/{self._process.pid}/status").read_text()
            self.peak_mb = max([self.peak_mb, *(int(kb) * 1024 / 1e6 for kb in _PEAK.findall(status))])


@contextmanager
def running(cwd: Path, archive: Path, url: str, *more: str, checkpoint: str = "job.ckpt") -> Iterator[Running]:
    """Replay an archive until the block is left."""
    process = start(cwd, "run", str(archive), "--endpoint", url, "--checkpoint", checkpoint, *more)
    run = Running(process)
    try:
        yield run
    finally:
        run.end()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def received(sandbox: SandboxProcess, *, recorded: bool = False) -> list[dict[str, Any]]:
    """What arrived, in its order, with `at` in POSIX seconds."""
    return sorted(sandbox.received(recorded=recorded), key=lambda line: line["at"])


def per_second(lines: list[dict[str, Any]], since: float, until: float) -> float:
    """Average attempts a second in a span of time."""
    return len([line for line in lines if since <= line["at"] < until]) / (until - since)

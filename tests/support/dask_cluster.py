"""A Dask scheduler and workers in processes of their own, on loopback."""

import json
import os
import subprocess
import sys
import time
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Self

from distributed import Client

_ROOT = Path(__file__).parents[2]
"""Where workers find what tests send them."""
_SECONDS = 60.0
_POLL_SECONDS = 0.02


class DaskCluster(AbstractContextManager["DaskCluster"]):
    """Starts a scheduler and so many workers; ends their processes, by their ids.

    Args:
        folder: where they keep their files.
        workers: how many; all have joined.
    """

    def __init__(self, folder: Path, workers: int = 2) -> None:
        self._stack = ExitStack()
        self._log = self._stack.enter_context((folder / "cluster.log").open("wb"))
        self._folder = folder
        file = folder / "scheduler.json"
        try:
            self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file))
            self.address = _address(file)
            self.workers = [self._start_worker() for _ in range(workers)]
            with Client(self.address, set_as_default=False) as client:  # type: ignore[no-untyped-call] # Dask's
                client.wait_for_workers(workers, timeout=_SECONDS)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start_worker(self) -> "subprocess.Popen[bytes]":
        return self._start("worker", self.address, "--nthreads", "1", "--no-nanny", "--host", "127.0.0.1")

    def _start(self, *command: str) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *command, "--no-dashboard"],
            cwd=self._folder,
            env=os.environ | {"PYTHONPATH": str(_ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        return process


def _address(file: Path) -> str:
    """The address that a scheduler has written down; it is complete when it is JSON."""
    give_up = time.monotonic() + _SECONDS
    while time.monotonic() < give_up:
        try:
            address: str = json.loads(file.read_text())["address"]
        except (FileNotFoundError, ValueError):
            time.sleep(_POLL_SECONDS)
        else:
            return address
    raise RuntimeError("the Dask scheduler did not start")

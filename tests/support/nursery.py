"""Processes of the real command that begin at once: forked from one that has imported everything already."""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import cast

_MODULES = ["__main__", "tests.support.forebear"]


class Forked:
    """A process of the command, with what `subprocess.Popen` has of it.

    Args:
        cwd: its folder.
        arguments: of the command.
        environment: all of it.
    """

    def __init__(self, cwd: Path, arguments: Sequence[str], environment: dict[str, str]) -> None:
        self.args = arguments
        self._folder = Path(tempfile.mkdtemp())
        self._process = _context().Process(
            target=_run, args=(str(cwd), list(arguments), environment, str(self._folder)), daemon=True
        )
        self._process.start()

        assert self._process.pid is not None
        self.pid = self._process.pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._process.exitcode
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for its end; return what it wrote, once."""
        self._process.join(timeout)
        if self.poll() is None:
            raise subprocess.TimeoutExpired(list(self.args), timeout or 0.0)
        out, err = ((self._folder / name).read_text() for name in ("out", "err"))
        shutil.rmtree(self._folder)
        self._process.close()
        return out, err


def fork(cwd: Path, arguments: Sequence[str], environment: dict[str, str]) -> "subprocess.Popen[str]":
    """Start a process of the command."""
    return cast("subprocess.Popen[str]", Forked(cwd, arguments, environment))


@cache
def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_MODULES)
    return context


def _run(cwd: str, arguments: list[str], environment: dict[str, str], folder: str) -> None:
    """Be the command, in the process that was forked."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    for descriptor, name, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, f"{folder}/out", os.O_WRONLY | os.O_CREAT),
        (2, f"{folder}/err", os.O_WRONLY | os.O_CREAT),
    ):
        opened = os.open(name, flags, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.argv = ["replay", *arguments]
    from replay_cli.cli.main import main

    main()

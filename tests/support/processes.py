"""The real command in a process of its own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

KEY = "sandbox"
_SECONDS = 300.0
_GLANCE_SECONDS = 0.02
"""Between two looks at what goes on elsewhere: without a pause, looking takes the processor from those looked at."""


def environment(**changes: str) -> dict[str, str]:
    """The environment of a command that knows the sandbox's workspace."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("REPLAY_", "MOENGAGE_"))}
    return clean | {"MOENGAGE_WORKSPACE_ID": "sandbox", "MOENGAGE_API_KEY": KEY} | changes


def start(cwd: Path, *arguments: str, **changes: str) -> "subprocess.Popen[str]":
    """Start `replay` in a folder."""
    return subprocess.Popen(
        [sys.executable, "-m", "replay_cli", *arguments],
        cwd=cwd,
        env=environment(**changes),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(true: Callable[[], object], process: "subprocess.Popen[str]") -> None:
    """Wait for something that a running command brings about; it may not end before that."""
    while not true():
        assert process.poll() is None, process.communicate()
        time.sleep(_GLANCE_SECONDS)


class Finished:
    """A command that ended: its exit code, its output, and its summary where `--json` was given."""

    def __init__(self, process: "subprocess.Popen[str]", seconds: float = _SECONDS) -> None:
        self.out, self.err = process.communicate(timeout=seconds)
        self.code = process.returncode

    @property
    def summary(self) -> dict[str, Any]:
        summary = json.loads(self.out)
        assert isinstance(summary, dict)
        return summary

    def require_closed_book(self) -> dict[str, Any]:
        """The summary, its book checked."""
        records = self.summary["records"]
        parts = ("delivered", "skipped", "rejected", "dead_lettered", "pending")
        assert records["read"] == sum(records[part] for part in parts), records
        for outcome in ("skipped", "rejected", "dead_lettered"):
            assert records[outcome] == sum(self.summary[outcome].values())
        return self.summary


def replay(cwd: Path, *arguments: str, **changes: str) -> Finished:
    """Run `replay` in a folder to its end."""
    return Finished(start(cwd, *arguments, **changes))

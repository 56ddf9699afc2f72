"""A sandbox in a process of its own, asked over plain HTTP."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self
from urllib.request import ProxyHandler, Request, build_opener

_STOP_SECONDS = 10.0
_ANSWER_SECONDS = 60.0
_PREFIX = "sandbox listening on "


class SandboxProcess(AbstractContextManager["SandboxProcess"]):
    """Starts a sandbox and waits until it listens; ends its process (by its own id) on `stop`.

    Args:
        port: 0 takes a free one.
        workspace_id: the workspace that it knows.
        api_key: that workspace's key.
        rps: attempts allowed in any rolling second.
        users_per_minute: users and devices that the Data API takes in any rolling minute.
        events_per_minute: events that it takes in it.
        latency: seconds before each reply.
        spool: where it keeps what it receives, for that to outlive the process.

    The fault programme is set with `faults` once it runs.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        workspace_id: str = "sandbox",
        api_key: str = "sandbox",
        rps: int = 500,
        users_per_minute: int = 10_000,
        events_per_minute: int = 30_000,
        latency: float = 0.0,
        spool: Path | None = None,
    ) -> None:
        command = [sys.executable, "-m", "replay_cli", "sandbox"]
        command += ["--port", str(port), "--workspace-id", workspace_id]
        command += ["--rps", str(rps), "--latency", str(latency)]
        command += ["--users-per-minute", str(users_per_minute), "--events-per-minute", str(events_per_minute)]
        command += [] if spool is None else ["--spool", str(spool)]
        self._opener = build_opener(ProxyHandler({}))
        self._process = subprocess.Popen(
            command, env=os.environ | {"SANDBOX_API_KEY": api_key}, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.startswith(_PREFIX):
            self.stop()
            raise RuntimeError(f"the sandbox did not start: {line!r}")
        self.url = line.removeprefix(_PREFIX).strip()

    @property
    def pid(self) -> int:
        return self._process.pid

    def received(self, after: int = 0, limit: int | None = None, recorded: bool = False) -> Iterator[dict[str, Any]]:
        query = f"?after={after}&recorded={int(recorded)}" + ("" if limit is None else f"&limit={limit}")
        with self._opener.open(f"{self.url}/_sandbox/received{query}", timeout=_ANSWER_SECONDS) as lines:
            yield from map(json.loads, lines)

    def stats(self) -> dict[str, Any]:
        return self._ask("stats")

    def faults(self, programme: Sequence[Mapping[str, Any]]) -> None:
        """Replace the fault programme: its seconds start now."""
        self._ask("faults", json.dumps(programme).encode())

    def reset(self) -> None:
        """Forget counts and spool."""
        self._ask("reset", b"")

    def stop(self) -> int:
        """End the process in order (SIGTERM), or after ten seconds by force; its exit code."""
        self._process.terminate()
        try:
            code = self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _ask(self, question: str, body: bytes | None = None) -> dict[str, Any]:
        request = Request(f"{self.url}/_sandbox/{question}", data=body)
        with self._opener.open(request, timeout=_ANSWER_SECONDS) as reply:
            answer: dict[str, Any] = json.load(reply)
            return answer

"""The sandbox in a process of its own."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from replay_cli.sandbox.endpoints import Account
from tests.sandbox.client import EVENT, send
from tests.support.sandbox_process import SandboxProcess


def test_it_is_started_asked_and_stopped() -> None:
    with SandboxProcess() as sandbox:
        assert asyncio.run(send(sandbox.url)).status == 200
        sandbox.faults([{"status": 500}])
        assert asyncio.run(send(sandbox.url)).status == 500
        assert [line["body"] for line in sandbox.received()] == [EVENT, EVENT]
        assert [line["seq"] for line in sandbox.received(recorded=True, limit=5)] == [1]
        assert sandbox.stats()["by_status"] == {"200": 1, "500": 1}
        sandbox.reset()
        assert not list(sandbox.received())
        assert sandbox.stop() == 0


def test_its_credentials_are_what_it_was_told() -> None:
    with SandboxProcess(workspace_id="shop", api_key="secret") as sandbox:
        own = {"Authorization": Account.of("shop", "secret").authorization}
        assert asyncio.run(send(sandbox.url, headers=own)).status == 409
        assert asyncio.run(send(sandbox.url)).status == 401


def test_its_spool_outlives_it(tmp_path: Path) -> None:
    for seq in (1, 2):
        with SandboxProcess(spool=tmp_path) as sandbox:
            asyncio.run(send(sandbox.url))
            assert [line["seq"] for line in sandbox.received()] == list(range(1, seq + 1))


def test_a_fault_file_that_cannot_be_meant_ends_it_with_one_sentence(tmp_path: Path) -> None:
    faults = tmp_path / "faults.json"
    faults.write_text(json.dumps([{"stauts": 500}]))
    command = [sys.executable, "-m", "replay_cli", "sandbox", "--faults", str(faults)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.startswith("Error: fault rule 1: unknown key 'stauts'; valid are ")
    assert ended.stderr.count("\n") == 1

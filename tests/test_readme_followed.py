"""The README's first steps, followed to the letter by a shell: from a fresh clone, and from the wheel."""

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.processes import environment
from tests.support.readme import README, blocks, section
from tests.support.sandbox_process import SandboxProcess
from tests.support.shipping import Installed, build_wheel, copy_checkout, install, install_editable
from tests.support.workplace import CHECKOUT

STEPS = section("## A first replay, step by step")
ARCHIVE = "segment-logs/kQ8vTz3nWbYp5RdXmLs2Ha/1740787200000"
"""A day of a source: as much as the canary leaves something of, and no more."""
KEY = "sandbox"
_SECONDS = 120.0
_INSTEAD = """#!/bin/sh
# `replay`, with a MoEngage of this machine instead of the real one of each workspace.
case " $* " in
  *TEST_APP_ID*) instead={test} ;;
  *) instead={live} ;;
esac
for word do
  shift
  case $word in
    --region) set -- "$@" --endpoint ;;
    DC_01) set -- "$@" "$instead" ;;
    *) set -- "$@" "$word" ;;
  esac
done
exec {command} "$@"
"""


class Workspaces(NamedTuple):
    """The two MoEngages of the steps."""

    test: SandboxProcess
    live: SandboxProcess


class Step(NamedTuple):
    """A command of the README, and the exit code that it says there will be."""

    command: str
    code: int


def steps() -> Iterator[Step]:
    for _, text in blocks(STEPS):
        for command in re.split(r"(?<!\\)\n", text.rstrip()):
            said = re.search(r"# .*exit code (\d+)", command)
            yield Step(command, int(said[1]) if said else 0)


@pytest.fixture
def workspaces() -> Iterator[Workspaces]:
    with SandboxProcess(workspace_id="TEST_APP_ID") as test, SandboxProcess(workspace_id="LIVE_APP_ID") as live:
        yield Workspaces(test, live)


@pytest.fixture(params=["clone", "wheel"])
def program(request: pytest.FixtureRequest, tmp_path: Path) -> Installed:
    checkout = copy_checkout(tmp_path / "clone")
    if request.param == "clone":
        return install_editable(checkout, tmp_path / "venv")
    return install(build_wheel(checkout, tmp_path / "dist"), tmp_path / "venv")


def prepare(folder: Path) -> None:
    """What the reader has by then: an archive, and the keys in files of their own."""
    shutil.copytree(CHECKOUT / "sample_archives" / ARCHIVE, folder / ARCHIVE)
    for name in ("test.key", "live.key"):
        (folder / name).write_text(KEY + "\n")
        (folder / name).chmod(0o600)


def follow(step: Step, folder: Path, path: Path) -> None:
    """Give a shell the command, as it stands there."""
    env = environment() | {"PATH": f"{path}{os.pathsep}{os.environ['PATH']}"}
    env = {name: value for name, value in env.items() if not name.startswith("MOENGAGE_") and name != "PYTHONPATH"}
    done = subprocess.run(
        ["bash", "--norc", "-c", step.command],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert done.returncode == step.code, f"{step.command}\n{done.stdout}{done.stderr}"


def test_the_first_replay_is_as_the_readme_says(program: Installed, workspaces: Workspaces, tmp_path: Path) -> None:
    """Each message arrives once, the canary's first; the test workspace gets its part alone."""
    folder, path = tmp_path / "folder", tmp_path / "path"
    folder.mkdir()
    path.mkdir()
    prepare(folder)
    instead = _INSTEAD.format(
        test=workspaces.test.url, live=workspaces.live.url, command=shlex.quote(str(program.command))
    )
    (path / "replay").write_text(instead)
    (path / "replay").chmod(0o700)
    for step in steps():
        follow(step, folder, path)
    told = json.loads(program.run(folder, "status", ".replay/march.ckpt", "--json").stdout)
    assert told["state"] == "complete"
    assert [field for field in told if f'"{field}"' not in README] == []
    assert told["requests"]["attempts"] == told["records"]["delivered"] == len(list(workspaces.live.received()))
    assert 0 < len(list(workspaces.test.received())) < told["records"]["delivered"]
    assert all("<style>" in (folder / page).read_text() for page in ("validation.html", "march.html"))


def test_the_steps_that_are_followed_are_all_of_them() -> None:
    assert [shlex.split(step.command, comments=True)[1] for step in steps()] == [
        *("check", "validate", "validate", "run", "run", "run", "status", "run"),
    ]
    assert [step.code for step in steps()] == [0, 0, 0, 0, 0, 4, 0, 0]

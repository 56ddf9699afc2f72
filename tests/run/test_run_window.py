"""`--window` and `--rps-schedule`, from the command line to the exit code, by a clock that tells another time."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.archives import message, write_lines
from tests.support.in_process import replay_here
from tests.support.processes import Finished, environment, replay
from tests.support.sandbox_process import SandboxProcess

COUNT = 600
AT_ANOTHER_TIME = """
import sys, time
from datetime import datetime
from types import SimpleNamespace
from zoneinfo import ZoneInfo
from replay_cli import pacemaker
from replay_cli.cli import hours, main
offset = datetime.fromisoformat(sys.argv.pop(1)).replace(tzinfo=ZoneInfo("Europe/Berlin")).timestamp() - time.time()
pacemaker.time = hours.time = SimpleNamespace(time=lambda: time.time() + offset)
main()
"""
"""Runs `replay` by a clock that shows its first argument when it begins."""
WINDOW = ("--window", "22:00-04:00", "--time-zone", "Europe/Berlin")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return write_lines(tmp_path / "a.jsonl", (message(n) for n in range(COUNT)))


def at(clock: str, cwd: Path, *arguments: str) -> Finished:
    """Run `replay` in a folder to its end, by a clock that shows some time in Berlin when it begins."""
    command = [sys.executable, "-c", AT_ANOTHER_TIME, clock, *arguments]
    pipe = subprocess.PIPE
    return Finished(
        subprocess.Popen(
            command, cwd=cwd, env=environment(), stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True
        )
    )


def to(sandbox: SandboxProcess, *more: str) -> tuple[str, ...]:
    return ("run", "a.jsonl", "--endpoint", sandbox.url, "--checkpoint", "job.ckpt", "--json", *more)


def test_outside_its_window_a_run_takes_nothing_and_says_when_it_opens(tmp_path: Path, sandbox: SandboxProcess) -> None:
    """Not even the sources are looked at: these are not there."""
    end = at("2025-03-01T12:00:00", tmp_path, *to(sandbox, *WINDOW))
    assert end.code == 4
    assert "opens at 2025-03-01 22:00 CET (21:00 UTC)" in end.err
    assert [path.name for path in tmp_path.iterdir()] == []


def test_a_run_ends_when_its_window_closes_and_goes_on_the_next_night(
    tmp_path: Path, archive: Path, sandbox: SandboxProcess
) -> None:
    first = at("2025-03-01T03:59:58", tmp_path, *to(sandbox, *WINDOW, "--rps", "50"))
    assert first.code == 4
    summary = first.require_closed_book()
    assert summary["state"] == "paused"
    assert summary["reason"].startswith("the window closed at 2025-03-01 04:00 CET (03:00 UTC); it opens at")
    assert summary["in_doubt"] == 0
    assert summary["records"]["pending"] + COUNT - summary["records"]["read"] > 0
    assert "open until 2025-03-01 04:00 CET (03:00 UTC)" in first.err
    # What is not said again is as it was: a resumed job keeps to its hours.
    refused = at("2025-03-01T12:00:00", tmp_path, "resume", "job.ckpt", "--json")
    assert refused.code == 4
    assert "opens at 2025-03-01 22:00 CET" in refused.err
    second = at("2025-03-01T22:30:00", tmp_path, "resume", "job.ckpt", "--json", "--rps", "5000")
    assert second.code == 0, second.err
    received = [event["properties"]["n"] for event in map(body_of, sandbox.received())]
    assert sorted(received) == list(range(COUNT))


def body_of(received: dict[str, object]) -> dict[str, dict[str, int]]:
    body = received["body"]
    assert isinstance(body, dict)
    return body


def test_the_rate_of_the_hour_holds(tmp_path: Path, archive: Path, sandbox: SandboxProcess) -> None:
    """The first seconds belong to a slower hour than the rest."""
    schedule = ("--rps", "2000", "--rps-schedule", "1:00=10,2:00=1000", "--time-zone", "Europe/Berlin")
    end = at("2025-03-01T01:59:58", tmp_path, *to(sandbox, *schedule))
    assert end.code == 0, end.err
    assert "10/s from 01:00, 1000/s from 02:00; now 10/s, until 2025-03-01 02:00 CET (01:00 UTC)" in end.err
    assert 10 < end.require_closed_book()["requests"]["peak_per_second"] <= 1000


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--time-zone", "berlin"), "did you mean Europe/Berlin?"),
        (("--time-zone", "../passwd"), "is no time zone"),
        (("--time-zone", "Europe"), "is no time zone"),
        (("--window", "01:00"), "'01:00' is no window"),
        (("--rps-schedule", "01:00=0.0001"), "0.0001 is not a rate"),
        (("--region", "DC_01", "--rps-schedule", "01:00=600"), "--rps-schedule 600: MoEngage takes at most 500"),
    ],
)
def test_hours_that_cannot_be_meant_are_refused(tmp_path: Path, options: tuple[str, ...], sentence: str) -> None:
    where = () if "--region" in options else ("--sandbox",)
    end = replay_here(tmp_path, "run", "a.jsonl", *where, *options)
    assert end.code == 2
    assert sentence in " ".join(end.err.split())


def test_who_is_asked_is_told_that_waiting_hours_are_not_counted(tmp_path: Path, archive: Path) -> None:
    where = ("--region", "DC_01", "--workspace-id", "w")
    end = replay(tmp_path, "run", "a.jsonl", *where, "--window", "00:00-24:00")
    assert end.code == 2
    assert "--window and --rps-schedule" in end.err
    assert "nobody is there to ask" in end.err

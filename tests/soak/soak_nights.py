"""`make soak`: seven nights of a job whose checkpoint is on S3, and fifty races for one.

The bucket grows night by night. Runs are killed, two overlap, objects come late and change, and machines are lost with
all that is on them: each message arrives once, but for those in doubt, and the books close each morning. Of two who
begin at once one sends, also where one of them sleeps beyond its lease.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.arrivals import bodies, times, twice
from tests.support.machines import Plant
from tests.support.nights import Nights, race, race_of_a_sleeper
from tests.support.s3_server import S3Server
from tests.support.sandbox_process import SandboxProcess

EACH = 2_000
RACES, EACH_RACE = 50, 150


@pytest.fixture
def plant(tmp_path: Path, s3_server: S3Server, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch) -> Plant:
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    return Plant(tmp_path, s3_server, s3_server.make_bucket(), sandbox.url)


@pytest.fixture
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess(rps=1_000_000, latency=0.02) as process:
        yield process


def test_seven_nights(plant: Plant, sandbox: SandboxProcess, capsys: pytest.CaptureFixture[str]) -> None:
    nights, began = Nights(plant, sandbox, EACH), time.monotonic()
    for night in nights.programme():
        night()
    arrived = times(bodies(sandbox))
    with capsys.disabled():
        print(f"\n7 nights in {time.monotonic() - began:.0f} s: {nights.kills} kills, {nights.losses} machines lost, ")
        print(f"{nights.refusals} refused; {len(arrived):,} messages arrived, {twice(arrived)} of them twice, in doubt")
    assert (nights.kills, nights.losses, nights.refusals) == (6, 2, 1)


def test_fifty_races(plant: Plant, sandbox: SandboxProcess, capsys: pytest.CaptureFixture[str]) -> None:
    began, runners = time.monotonic(), (plant.machine("a"), plant.machine("b"))
    for number in range(RACES):
        numbers = range(number * EACH_RACE, (number + 1) * EACH_RACE)
        run = race_of_a_sleeper if number == RACES // 2 else race
        run(plant, sandbox, runners, f"{number:02}", numbers)
    with capsys.disabled():
        print(f"\n{RACES} races in {time.monotonic() - began:.0f} s, one of them of a sleeper")

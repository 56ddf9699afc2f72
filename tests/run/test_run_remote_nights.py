"""Three nights and six races of what `make soak` does for seven and fifty."""

from pathlib import Path

import pytest

from tests.support.machines import Plant
from tests.support.nights import Nights, race, race_of_a_sleeper
from tests.support.s3_server import S3Server
from tests.support.sandbox_process import SandboxProcess

NIGHTS, RACES, EACH = 3, 6, 150


@pytest.fixture
def plant(
    tmp_path: Path, s3_server: S3Server, bucket: str, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> Plant:
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    return Plant(tmp_path, s3_server, bucket, sandbox.url)


def test_night_after_night_each_message_arrives_once(plant: Plant, sandbox: SandboxProcess) -> None:
    """But for those in doubt; the books close each morning."""
    nights = Nights(plant, sandbox, EACH)
    for night in nights.programme()[:NIGHTS]:
        night()
    assert (nights.kills, nights.losses, nights.refusals) == (3, 1, 1)


def test_of_those_who_race_for_a_checkpoint_one_sends(plant: Plant, sandbox: SandboxProcess) -> None:
    runners = plant.machine("a"), plant.machine("b")
    for number in range(RACES):
        numbers = range(number * EACH, (number + 1) * EACH)
        run = race_of_a_sleeper if number == RACES // 2 else race
        run(plant, sandbox, runners, f"{number:02}", numbers)

"""Killed in bulk at any instant: nothing is lost, and nothing arrives twice that was not in doubt (rules 1 to 3, 5)."""

import random
import signal
from pathlib import Path

import pytest

from tests.support.bulk_arrivals import people, requests, require_users_in_order, times
from tests.support.kills import kill_at_random
from tests.support.letters import read_letters
from tests.support.parts import doubted, number_in_archive, write_parts
from tests.support.processes import replay
from tests.support.sandbox_process import SandboxProcess

KILLS = 10
MESSAGES = 12_000


@pytest.mark.parametrize("in_doubt", ["resend", "dead-letter"])
def test_ten_kills_in_bulk_lose_nothing_and_double_only_what_was_in_doubt(tmp_path: Path, in_doubt: str) -> None:
    messages = people(MESSAGES, users=400)
    size = write_parts(tmp_path / "logs", messages, 2)
    moments = random.Random(11)
    with SandboxProcess(rps=1_000_000, latency=0.1) as sandbox:
        command = ["run", "logs", "--endpoint", sandbox.url, "--api", "bulk", "--in-doubt", in_doubt, "--json"]
        command += ["--checkpoint", "job.ckpt", "--users-per-minute", "0", "--events-per-minute", "0"]
        kills = 0
        for _ in range(KILLS):
            moment = moments.uniform(-0.1, 0.3)
            kills += kill_at_random(moment, sandbox, tmp_path, [*command, "--rps", "9"]).code == -signal.SIGKILL
        end = replay(tmp_path, *command, "--rps", "1000")
        arrived = requests(sandbox)
    summary = end.require_closed_book()
    assert kills == KILLS, "the archive was too small to be killed so often"
    doubts = doubted(tmp_path, size)
    counted = times(arrived)

    assert summary["state"] == "complete"
    assert summary["records"]["read"] == MESSAGES
    assert summary["in_doubt"] == doubts.total() > 0
    assert all(count <= 1 + doubts[n] for n, count in counted.items())
    require_users_in_order(arrived, messages)
    if in_doubt == "resend":
        assert end.code == 0
        assert counted.keys() == {*range(MESSAGES)}
    else:
        assert end.code == 3
        assert max(counted.values()) == 1
        letters = read_letters(tmp_path)
        assert {letter["reason"] for letter in letters} == {"in_doubt"}
        given_up = {number_in_archive(letter, size) for letter in letters}
        assert given_up == doubts.keys() >= {*range(MESSAGES)} - counted.keys()

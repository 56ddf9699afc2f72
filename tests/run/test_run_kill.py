"""Kill at any instant: nothing is lost, and nothing arrives twice that was not in doubt (rules 1 to 3, and 5)."""

import random
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.support.archives import history
from tests.support.arrivals import lanes_in_order
from tests.support.kills import kill_at_random
from tests.support.letters import read_letters
from tests.support.parts import doubted, write_parts
from tests.support.processes import replay
from tests.support.sandbox_process import SandboxProcess

KILLS = 20
MESSAGES = 12_000


@pytest.mark.parametrize("in_doubt", ["resend", "dead-letter"])
def test_twenty_kills_lose_nothing_and_double_only_what_was_in_doubt(tmp_path: Path, in_doubt: str) -> None:
    messages = history(MESSAGES, users=1800)
    size = write_parts(tmp_path / "logs", messages, 2)
    sendable = {made["properties"]["n"]: made for made in messages if made["type"] == "track"}
    moments = random.Random(7)
    with SandboxProcess(rps=1_000_000, latency=0.02) as sandbox:
        command = ["run", "logs", "--endpoint", sandbox.url, "--rps", "1000", "--in-doubt", in_doubt, "--json"]
        command += ["--checkpoint", "job.ckpt"]
        kills = 0
        for _ in range(KILLS):
            moment = moments.uniform(-0.2, 0.6)
            kills += kill_at_random(moment, sandbox, tmp_path, command).code == -signal.SIGKILL
        end = replay(tmp_path, *command)
        arrivals = [line["body"] for line in sandbox.received(recorded=True)]
    summary = end.require_closed_book()
    assert kills == KILLS, "the archive was too small to be killed so often"
    doubts = doubted(tmp_path, size)
    times = Counter(body["properties"]["n"] for body in arrivals)

    assert summary["state"] == "complete"
    assert summary["records"]["read"] == MESSAGES
    assert summary["in_doubt"] == doubts.total() > 0
    assert {n for n, count in times.items() if count > 1} <= doubts.keys()
    assert all(times[n] <= 1 + doubts[n] for n in times)
    lanes_in_order(arrivals)
    if in_doubt == "resend":
        assert end.code == 0
        assert set(times) == set(sendable)
        assert summary["records"]["delivered"] == len(sendable)
    else:
        assert end.code == 3
        assert max(times.values()) == 1
        assert summary["dead_lettered"] == {"in_doubt": summary["records"]["dead_lettered"]}
        assert set(sendable) - set(times) <= doubts.keys()
        letters = read_letters(tmp_path)
        assert sorted(letter["record"]["properties"]["n"] for letter in letters) == sorted(doubts)

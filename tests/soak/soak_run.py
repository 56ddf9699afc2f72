"""`make soak`: a long run under everything at once; what must hold holds, and the figures are printed.

100,000 messages: 5 % of the attempts get a 500, 2 % a reset (half of them after the event was recorded), 1 % a 400, and
1 % a 429 with Retry-After. The latter come in busy hours, in which live traffic takes the quota: spread evenly, they
would keep the rate so low that the cap would never be met. Two outages of 20 seconds, and three SIGKILLs.
"""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.soak.director import Director, three_kills_and_two_outages
from tests.support.archives import history
from tests.support.arrivals import bodies, lanes_in_order, times, twice
from tests.support.letters import read_letters
from tests.support.parts import doubted, write_parts
from tests.support.sandbox_process import SandboxProcess

MESSAGES = 100_000
USERS = 20_000
OBJECTS = 10
RPS = 1000
BUSY_EVERY = 100
"""One message in so many belongs to a busy hour, in which each gets a 429 first."""
BUSY_ROW = 100
LATENCY = 0.1

USUAL: list[dict[str, Any]] = [
    {"match": {"event": "Busy hour"}, "once_per_message": True, "status": 429, "retry_after": 0.5},
    {"rate": 0.05, "status": 500},
    {"rate": 0.01, "reset": "before"},
    {"rate": 0.01, "reset": "after"},
    {"rate": 0.01, "status": 400},
]


def archive() -> Iterator[dict[str, Any]]:
    for made in history(MESSAGES, USERS):
        busy = made["properties"]["n"] % (BUSY_EVERY * BUSY_ROW) < BUSY_ROW
        yield made | {"event": "Busy hour"} if busy else made


@pytest.mark.parametrize("in_doubt", ["resend", "dead-letter"])
def test_a_long_run_under_everything_at_once(tmp_path: Path, in_doubt: str, capsys: pytest.CaptureFixture[str]) -> None:
    messages = list(archive())
    size = write_parts(tmp_path / "logs", messages, OBJECTS)
    sendable = {made["properties"]["n"] for made in messages if made["type"] == "track"}
    began = time.monotonic()
    with SandboxProcess(rps=1_000_000, latency=LATENCY) as sandbox:
        command = ["run", "logs", "--endpoint", sandbox.url, "--rps", str(RPS), "--in-doubt", in_doubt, "--json"]
        command += ["--checkpoint", "job.ckpt"]
        acts = three_kills_and_two_outages(MESSAGES)
        with Director(sandbox, USUAL, acts, lambda stats: int(stats["recorded"])) as director:
            end = director.run(tmp_path, command)
            while end.code == -signal.SIGKILL:
                end = director.run(tmp_path, command)
        seconds = time.monotonic() - began
        arrivals, stats = bodies(sandbox), sandbox.stats()
    arrived = times(arrivals)
    doubts = doubted(tmp_path, size)
    letters = read_letters(tmp_path)
    lettered = {letter["record"]["properties"]["n"] for letter in letters}
    with capsys.disabled():
        print(f"\n--in-doubt {in_doubt}: exit code {end.code} after {seconds:.0f} s")
        print(json.dumps({key: end.summary[key] for key in ("records", "dead_lettered", "in_doubt", "requests")}))
        print(f"arrived {len(arrived):,} of {len(sendable):,}, twice {twice(arrived)}, ", end="")
        print(f"kills {director.kills}, outages {director.outages}; the server's figures: {json.dumps(stats)}")

    summary = end.require_closed_book()
    assert (director.kills, director.outages) == (3, 2)
    assert end.code == 3, end.err
    assert summary["state"] == "complete"
    assert summary["records"]["read"] == MESSAGES
    assert summary["records"]["pending"] == 0
    assert len(letters) == len(lettered) == summary["records"]["dead_lettered"]
    assert set(arrived) | lettered == sendable, "lost"
    assert summary["in_doubt"] == doubts.total()
    assert all(arrived[n] <= 1 + doubts[n] for n in arrived)
    assert stats["peak_per_second"] <= RPS
    lanes_in_order(arrivals)
    if in_doubt == "resend":
        assert set(summary["dead_lettered"]) == {"http_400:Bad Request"}
        assert 0 < twice(arrived) <= doubts.total()
    else:
        assert set(summary["dead_lettered"]) == {"http_400:Bad Request", "in_doubt"}
        assert twice(arrived) == 0
        assert summary["dead_lettered"]["in_doubt"] == len(doubts)

"""`make soak` in bulk: a long run of large requests under everything at once; what must hold holds for each record.

100,000 records: 8 % of the attempts get a 500, 3 % a 502, 4 % a reset (half of them after the records were recorded),
every fortieth a 429 with Retry-After, and about every third request has a user who is refused by name. Two outages of
20 seconds, and three SIGKILLs.
"""

import json
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.soak.director import Director, three_kills_and_two_outages
from tests.support.arrivals import twice
from tests.support.bulk_arrivals import people, requests, require_users_in_order, times
from tests.support.letters import read_letters
from tests.support.parts import doubted, number_in_archive, write_parts
from tests.support.sandbox_process import SandboxProcess

RECORDS = 100_000
USERS = 400_000
"""So many that most requests share nobody with the one before, and that thousands of users have several records."""
OBJECTS = 10
RPS = 20
LATENCY = 0.2
BOUNDLESS = 1_000_000
REFUSED = frozenset(f"user-{person}" for person in range(0, USERS, 700))
USUAL: list[dict[str, Any]] = [
    {"refuse_users": sorted(REFUSED)},
    {"every": 40, "times": 30, "status": 429, "retry_after": 0.5},
    {"rate": 0.08, "status": 500},
    {"rate": 0.03, "status": 502},
    {"rate": 0.02, "reset": "before"},
    {"rate": 0.02, "reset": "after"},
]
"""A request is refused before anything else happens to it, or a refused user's record could be there all the same."""


def recorded(stats: Mapping[str, Any]) -> int:
    """How many records have arrived."""
    return int(stats["elements"]["users"] + stats["elements"]["events"])


@pytest.mark.parametrize("in_doubt", ["resend", "dead-letter"])
def test_a_long_run_in_bulk_under_everything_at_once(
    tmp_path: Path, in_doubt: str, capsys: pytest.CaptureFixture[str]
) -> None:
    messages = people(RECORDS, USERS)
    size = write_parts(tmp_path / "logs", messages, OBJECTS)
    began = time.monotonic()
    with SandboxProcess(
        rps=BOUNDLESS, users_per_minute=BOUNDLESS, events_per_minute=BOUNDLESS, latency=LATENCY
    ) as sandbox:
        command = ["run", "logs", "--endpoint", sandbox.url, "--api", "bulk", "--rps", str(RPS), "--json"]
        command += ["--users-per-minute", "0", "--events-per-minute", "0", "--in-doubt", in_doubt]
        command += ["--checkpoint", "job.ckpt"]
        with Director(sandbox, USUAL, three_kills_and_two_outages(RECORDS), recorded) as director:
            end = director.run(tmp_path, command)
            while end.code == -signal.SIGKILL:
                end = director.run(tmp_path, command)
        seconds = time.monotonic() - began
        arrived, stats = requests(sandbox), sandbox.stats()
    counted, doubts = times(arrived), doubted(tmp_path, size)
    letters = read_letters(tmp_path)
    lettered = {number_in_archive(letter, size) for letter in letters}
    with capsys.disabled():
        print(f"\n--in-doubt {in_doubt}: exit code {end.code} after {seconds:.0f} s")
        print(json.dumps({key: end.summary[key] for key in ("records", "dead_lettered", "in_doubt", "requests")}))
        print(
            f"arrived {len(counted):,} of {RECORDS:,} in {len(arrived):,} requests, twice {twice(counted):,}, ", end=""
        )
        print(f"kills {director.kills}, outages {director.outages}; the server's figures: {json.dumps(stats)}")

    summary = end.require_closed_book()
    refused = {n for n, made in enumerate(messages) if made["userId"] in REFUSED}
    assert (director.kills, director.outages) == (3, 2)
    assert (end.code, summary["state"]) == (3, "complete"), end.err
    assert (summary["records"]["read"], summary["records"]["pending"]) == (RECORDS, 0)
    assert len(letters) == len(lettered) == summary["records"]["dead_lettered"]
    assert counted.keys() | lettered == {*range(RECORDS)}, "lost"
    assert refused <= lettered
    assert refused.isdisjoint(counted)
    assert summary["in_doubt"] == doubts.total()
    assert all(count <= 1 + doubts[n] for n, count in counted.items())
    assert stats["peak_per_second"] <= RPS
    require_users_in_order(arrived, messages)
    if in_doubt == "resend":
        assert lettered == refused
        assert 0 < twice(counted) <= doubts.total()
    else:
        assert twice(counted) == 0
        assert lettered - refused <= doubts.keys() <= lettered

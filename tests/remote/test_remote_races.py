"""Of several machines only one has a checkpoint at any moment: not two, however they race, and whoever is asleep."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from replay_cli.remote import Bucket, Keeper, Place, read_manifest
from replay_cli.remote.clocks import boot_time
from tests.support.keepers import JOB, KEY
from tests.support.s3_server import S3Server

ROOT = Path(__file__).parents[2]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(s3_server: S3Server, opened: Callable[..., Bucket], bucket: str) -> Iterator[Start]:
    """Starts a run of another machine; those that are left are killed."""
    with ExitStack() as stack:

        def start(what: str, *numbers: float) -> "subprocess.Popen[str]":
            command = [sys.executable, "-m", "tests.support.keepers", what, s3_server.url, bucket, *map(str, numbers)]
            process = stack.enter_context(
                subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            stack.callback(process.kill)
            return process

        yield start


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def said(process: "subprocess.Popen[str]") -> dict[str, Any]:
    assert process.stdout is not None
    fields = json.loads(process.stdout.readline())
    assert isinstance(fields, dict)
    return fields


def test_many_that_race_for_a_checkpoint_have_it_one_after_the_other(
    start: Start, opened: Callable[..., Bucket]
) -> None:
    """Each announces one record more than its forerunner: one that was overlooked would be announced twice."""
    processes = [start("race", 4.0, 7) for _ in range(3)]
    turns = [turn for process in processes for turn in lines(process.communicate(timeout=60)[0])]
    assert all(turn["could"] and not turn["failure"] for turn in turns)
    turns.sort(key=lambda turn: float(turn["began"]))
    assert [turn["first"] for turn in turns] == list(range(21))
    assert all(turn["ended"] <= later["began"] for turn, later in pairwise(turns))
    found = read_manifest(opened(), Place(opened().name, KEY))
    assert found is not None
    assert [batch[2:] for batch in found[0].announced] == [(0, 21)]


def test_a_run_that_sleeps_beyond_its_lease_sends_nothing_when_it_wakes(
    start: Start, opened: Callable[..., Bucket]
) -> None:
    sleeper = start("hold", 1.2, 0.3)
    assert said(sleeper)["id"]
    sleeper.send_signal(signal.SIGSTOP)
    bucket = opened()
    keeper = Keeper.take(bucket, Place(bucket.name, KEY), JOB, say=lambda _: None, ttl=20.0)
    taken = boot_time()
    assert keeper.previous is not None
    assert [batch[2:] for batch in keeper.previous.announced] == [(0, 10)]
    sleeper.send_signal(signal.SIGCONT)
    (end,) = lines(sleeper.communicate(timeout=30)[0])
    assert end["last"] < taken
    assert f"has taken {Place(bucket.name, KEY).uri} over, for the lease of this one had run out" in end["failure"]
    assert f"another run ({keeper.owner.shown}, since" in end["failure"]
    assert not end["announced"]
    assert keeper.may_send()
    keeper.release()


def test_a_run_that_sleeps_beyond_its_lease_ends_though_nobody_took_it_over(
    start: Start, opened: Callable[..., Bucket]
) -> None:
    """Its conductor may have been told already that it may not send."""
    sleeper = start("hold", 1.2, 0.3)
    assert said(sleeper)["id"]
    sleeper.send_signal(signal.SIGSTOP)
    bucket = opened()
    while True:
        found = read_manifest(bucket, Place(bucket.name, KEY))
        assert found is not None
        if bucket.clock.earliest() > found[0].renewed + found[0].ttl:
            break
    sleeper.send_signal(signal.SIGCONT)
    (end,) = lines(sleeper.communicate(timeout=30)[0])
    assert "this process was suspended, or too slow, for longer than it lasts; run the same command" in end["failure"]
    assert not end["announced"]


def test_a_run_that_is_killed_leaves_what_it_announced(start: Start, opened: Callable[..., Bucket]) -> None:
    killed = start("hold", 1.2, 0.3)
    owner = said(killed)["id"]
    killed.kill()
    bucket = opened()
    keeper = Keeper.take(bucket, Place(bucket.name, KEY), JOB, say=lambda _: None)
    assert keeper.previous is not None
    assert keeper.previous.owner.id == owner
    assert not keeper.previous.released
    assert [batch[2:] for batch in keeper.previous.announced] == [(0, 10)]
    keeper.release()


# -- sharing a quota -----------------------------------------------------------------------------------------


class Watched:
    """A process with a share: what it stored, and what rates it had when."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.stored: list[dict[str, Any]] = []
        self.rates: list[tuple[float, float]] = []

    def until(self, rate: float) -> None:
        """Read on until it has this rate."""
        while not (self.rates and self.rates[-1][1] == rate):
            self._note(said(self.process))

    def leave(self) -> None:
        for fields in lines(self.process.communicate(timeout=30)[0]):
            self._note(fields)

    def _note(self, fields: dict[str, Any]) -> None:
        assert "failure" not in fields, fields
        if "stored" in fields:
            self.stored.append(fields["stored"])
        else:
            self.rates.append((fields["at"], fields["rate"]))


def summed(watched: list[Watched]) -> float:
    """The most that all were allowed together at any moment; a rate counts for a second after it was lowered."""
    spans = []
    for one in watched:
        ends = [at for at, _ in one.rates[1:]]
        for (at, rate), after in zip(one.rates, ends, strict=False):
            spans.append((at, after + 1.0, rate, one))
    most = 0.0
    for instant, *_ in spans:
        now: dict[int, float] = {}
        for begin, end, rate, one in spans:
            if begin <= instant < end:
                now[id(one)] = max(now.get(id(one), 0.0), rate)
        most = max(most, sum(now.values()))
    return most


def test_jobs_that_come_and_go_never_have_more_than_the_quota_together(start: Start) -> None:
    """At each state that is stored, and at each moment as the processes follow it; first two, then three."""
    rates = (500.0, 500.0, 100.0)
    watched: list[Watched] = []
    for rps in rates:
        watched.append(Watched(start("share", rps)))
        for one, own in zip(watched, rates, strict=False):
            one.until(int(own * 1000 / len(watched)) / 1000)
    for one in watched[:-1]:
        one.leave()
    watched[-1].until(rates[-1])
    watched[-1].leave()
    states = [state["entries"] for one in watched for state in one.stored]
    assert {len(entries) for entries in states} == {0, 1, 2, 3}
    for entries in states:
        assert sum(entry["rate"] for entry in entries) <= max((entry["rps"] for entry in entries), default=0)
    assert summed(watched) <= max(rates)

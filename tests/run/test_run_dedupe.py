"""`--dedupe N`: exactly the messages whose id is among the N before are left out, however often a run is killed."""

import random
import signal
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.archives import message, write_lines
from tests.support.arrivals import bodies, lanes_in_order, times, twice
from tests.support.in_process import replay_here
from tests.support.processes import Finished, replay, start
from tests.support.sandbox_process import SandboxProcess

KILLS = 10
WINDOW, OBJECTS, IN_AN_OBJECT = 150, ("a", "b", "c"), 400
DEDUPE = ("--dedupe", str(WINDOW))

Archive = dict[str, list[dict[str, Any]]]


def archive() -> Archive:
    """Objects with repeated message ids: near and far, in the same object and in another; pages and nameless between.

    Each message has a number of its own, so that it can be told which of several with one id arrived.
    """
    generator = random.Random(5)
    made: list[dict[str, Any]] = []
    for n in range(len(OBJECTS) * IN_AN_OBJECT):
        kind = "page" if generator.random() < 0.1 else "track"
        one = message(n, type=kind, userId=f"user-{generator.randrange(200)}")
        repeated = generator.random()
        if repeated < 0.2:
            reach = generator.choice([5, WINDOW // 2, WINDOW, 2 * WINDOW, 4 * WINDOW])
            one["messageId"] = made[max(0, n - generator.randrange(1, reach + 1))].get("messageId", f"m-{n}")
        elif repeated < 0.25:
            del one["messageId"]
        made.append(one)
    return {name: made[place * IN_AN_OBJECT :][:IN_AN_OBJECT] for place, name in enumerate(OBJECTS)}


def naive(messages: Iterator[dict[str, Any]]) -> tuple[set[int], list[int]]:
    """What is sent, and what is left out as a duplicate. What would not be sent anyway does not count."""
    before: deque[str] = deque(maxlen=WINDOW)
    sent, left_out = set[int](), []
    for one in messages:
        number, name = one["properties"]["n"], one.get("messageId")
        if one["type"] == "page":
            continue
        if name is not None and name in before:
            left_out.append(number)
        else:
            sent.add(number)
        if name is not None:
            before.append(name)
    return sent, left_out


ARCHIVE = archive()
SENT, LEFT_OUT = naive(one for name in OBJECTS for one in ARCHIVE[name])


def write(folder: Path) -> Path:
    for name in OBJECTS:
        write_lines(folder / "logs" / f"{name}.jsonl.gz", ARCHIVE[name])
    return folder


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("logs"))


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxProcess]:
    with SandboxProcess(rps=1_000_000) as process:
        yield process


def kill_after(arrivals: int, sandbox: SandboxProcess, cwd: Path, command: list[str]) -> int:
    """Start a run and kill it once so many requests have arrived in all; its exit code."""
    process, tick = start(cwd, *command), threading.Event()
    while process.poll() is None and sandbox.stats()["attempts"] < arrivals:
        tick.wait(0.03)
    process.send_signal(signal.SIGKILL)
    return Finished(process).code


def test_the_archive_has_duplicates_of_every_kind() -> None:
    """Within and outside of the window, in the same object and in another."""
    all_of_them = [one for name in OBJECTS for one in ARCHIVE[name] if one["type"] == "track" and "messageId" in one]
    first: dict[str, int] = {}
    kinds = set[tuple[bool, bool]]()
    for one in all_of_them:
        number = one["properties"]["n"]
        earlier = first.setdefault(one["messageId"], number)
        if earlier != number:
            kinds.add((number in SENT, earlier // IN_AN_OBJECT == number // IN_AN_OBJECT))
    assert kinds == {(True, True), (True, False), (False, True), (False, False)}


def test_a_run_killed_ten_times_leaves_out_the_same_duplicates_and_loses_nothing(tmp_path: Path) -> None:
    logs = write(tmp_path)
    moments = random.Random(3)
    with SandboxProcess(rps=1_000_000, latency=0.02) as sandbox:
        command = ["run", "logs", *DEDUPE, "--endpoint", sandbox.url, "--rps", "500", "--concurrency", "64", "--json"]
        command += ["--checkpoint", "job.ckpt"]
        codes, arrivals = [], 0
        for _ in range(KILLS):
            arrivals += moments.randrange(20, 2 * len(SENT) // KILLS - 80)
            codes.append(kill_after(arrivals, sandbox, logs, command))
        end = replay(logs, *command)
        arrived = bodies(sandbox)
    summary = end.require_closed_book()
    assert codes == [-signal.SIGKILL] * KILLS, "the archive was too small to be killed so often"
    assert end.code == 0, end.err
    assert set(times(arrived)) == SENT
    assert 0 <= twice(times(arrived)) <= summary["in_doubt"]
    assert summary["in_doubt"] > 0
    assert summary["skipped"]["duplicate"] == len(LEFT_OUT)
    assert summary["records"]["delivered"] == len(SENT)
    assert summary["records"]["read"] == len(OBJECTS) * IN_AN_OBJECT
    lanes_in_order(arrived)


@pytest.fixture(scope="module")
def uninterrupted(logs: Path, server: SandboxProcess) -> dict[str, tuple[Finished, list[dict[str, Any]]]]:
    """A whole run through each API, and what arrived."""
    ends = {}
    for api in ("actions", "bulk"):
        server.reset()
        ends[api] = (run(logs, server, api), [line["body"] for line in server.received(recorded=True)])
    return ends


def run(logs: Path, server: SandboxProcess, api: str) -> Finished:
    to = ("--endpoint", server.url, "--rps", "5000", "--json", "--name", api, "--again")
    return replay(logs, "run", "logs", *DEDUPE, "--api", api, *to)


@pytest.mark.parametrize("api", ["actions", "bulk"])
def test_an_uninterrupted_run_and_a_dry_run_leave_out_what_a_naive_reading_does(
    logs: Path, uninterrupted: dict[str, tuple[Finished, list[dict[str, Any]]]], api: str
) -> None:
    end, arrived = uninterrupted[api]
    sources = [f"logs/{name}.jsonl.gz" for name in OBJECTS]
    dry = replay_here(logs, "run", *sources, *DEDUPE, "--api", api, "--dry-run", "--json").require_closed_book()
    summary = end.require_closed_book()
    assert end.code == dry["records"]["rejected"] == 0
    assert summary["skipped"] == dry["skipped"]
    assert summary["skipped"]["duplicate"] == len(LEFT_OUT) > 50
    assert summary["records"]["delivered"] == dry["records"]["pending"] == len(SENT)
    assert sorted(map(number_of, elements(arrived))) == sorted(SENT)


def elements(arrived: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events of some bodies, one by one."""
    return [one for body in arrived for one in body.get("elements", [body])]


def number_of(event: dict[str, Any]) -> int:
    number: int = event["properties"]["n"] if "properties" in event else event["actions"][0]["attributes"]["n"]
    return number


@pytest.mark.usefixtures("uninterrupted")
def test_the_window_reaches_from_one_run_into_the_next(logs: Path, server: SandboxProcess) -> None:
    """Files that are added to a finished job: what they repeat of its last messages is left out."""
    last = [one for one in ARCHIVE["c"] if one["type"] == "track" and "messageId" in one][-WINDOW // 2 :]
    new = [message(9000 + n, messageId=one["messageId"]) for n, one in enumerate(last)]
    write_lines(logs / "logs" / "d.jsonl", [*new[:20], message(9999), *new[20:]])
    end = run(logs, server, "actions")
    book = end.require_closed_book()
    assert end.code == 0, end.err
    assert (book["run"]["records"]["read"], book["run"]["records"]["delivered"]) == (len(new) + 1, 1)
    assert book["skipped"]["duplicate"] == len(LEFT_OUT) + len(new)

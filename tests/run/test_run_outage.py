"""Outages and pauses: what a run spends on them, when it waits or stops, and how it goes on (rules 1, 3 and 5)."""

import re
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.archives import history, message, write_lines
from tests.support.arrivals import bodies, lanes_in_order, times, twice
from tests.support.letters import read_letters
from tests.support.processes import Finished, replay, start, wait_until
from tests.support.sandbox_process import SandboxProcess
from tests.support.tcp_proxy import Fault, Harm, TcpProxy

COUNT = 300


def arguments(url: str, *more: str) -> list[str]:
    return ["run", "a.jsonl", "--endpoint", url, "--name", "job", "--json", "--rps", "1000", *more]


def run(cwd: Path, url: str, *more: str) -> Finished:
    return replay(cwd, *arguments(url, *more))


def numbers(sandbox: SandboxProcess) -> list[int]:
    return [body["properties"]["n"] for body in bodies(sandbox)]


def letters(cwd: Path) -> list[dict[str, Any]]:
    return read_letters(cwd / ".replay")


def wait_until_recorded(process: "subprocess.Popen[str]", sandbox: SandboxProcess, count: int) -> None:
    wait_until(lambda: sandbox.stats()["recorded"] >= count, process)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return write_lines(tmp_path / "a.jsonl", [message(n) for n in range(COUNT)])


# -- an outage in the middle ------------------------------------------------------------------------------------

KINDS = ("503", "reset", "hang", "no connection", "refused")
MODES = ("resend", "dead-letter")
HISTORY = history(400, users=250)
SENDABLE = {made["properties"]["n"] for made in HISTORY if made["type"] == "track"}
DETECTED_WITHIN = 3.0
WATCHED = 4.0
RULES: dict[str, dict[str, Any]] = {"503": {"status": 503}, "reset": {"reset": "before"}, "hang": {"hang": True}}


class Middle(NamedTuple):
    """An outage that a run went through: the attempts of a few seconds of it, and how it all ended."""

    attempts: int
    seconds: float
    end: Finished
    arrivals: list[dict[str, Any]]
    letters: list[dict[str, Any]]


def go_through(kind: str, in_doubt: str, cwd: Path) -> Middle:
    write_lines(cwd / "a.jsonl", HISTORY)
    with SandboxProcess(rps=1_000_000) as sandbox:
        host, port = sandbox.url.removeprefix("http://").split(":")
        with TcpProxy(host, int(port)) as proxy:

            def attempts() -> int:
                stats = sandbox.stats()
                return int(proxy.connections if kind == "no connection" else stats["attempts"] + stats["auth_checks"])

            limits = ("--rps", "100", "--max-attempts", "2", "--timeout", "0.5s", "--in-doubt", in_doubt)
            process = start(cwd, *arguments(proxy.url, *limits))
            wait_until_recorded(process, sandbox, 40)
            if kind == "no connection":
                proxy.fault = Fault(Harm.RESET_ON_ACCEPT)
                proxy.cut()
            elif kind == "refused":
                proxy.refuse()
                proxy.cut()
            else:
                sandbox.faults([RULES[kind]])
            time.sleep(DETECTED_WITHIN)
            began, before = time.monotonic(), attempts()
            time.sleep(WATCHED)
            spent, seconds = attempts() - before, time.monotonic() - began
            sandbox.faults([])
            proxy.fault = None
            if kind == "refused":
                proxy.listen()
            end = Finished(process)
        return Middle(spent, seconds, end, bodies(sandbox), letters(cwd))


@pytest.fixture(scope="module")
def middles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, str], "Future[Middle]"]]:
    """All at the same time: each is mostly waiting."""
    with ThreadPoolExecutor(len(KINDS)) as pool:
        folder = tmp_path_factory.mktemp("outages")
        yield {
            (kind, mode): pool.submit(go_through, kind, mode, folder / f"{kind} {mode}")
            for mode in MODES
            for kind in KINDS
        }


@pytest.mark.parametrize("in_doubt", MODES)
@pytest.mark.parametrize("kind", KINDS)
def test_an_outage_in_the_middle_costs_an_attempt_a_second_and_no_message_its_budget(
    middles: dict[tuple[str, str], "Future[Middle]"], kind: str, in_doubt: str
) -> None:
    """`--max-attempts 2` would be used up at once; only what was under way may end in doubt."""
    middle = middles[kind, in_doubt].result()
    summary = middle.end.require_closed_book()
    arrived = times(middle.arrivals)
    lettered = {letter["record"]["properties"]["n"] for letter in middle.letters}
    # Of "no connection" the connections are counted, and one that is reset in hand is replaced before the attempt.
    assert middle.attempts <= (middle.seconds + 1) * (2 if kind == "no connection" else 1)
    assert middle.end.code == (3 if lettered else 0), middle.end.err
    assert set(summary["dead_lettered"]) <= ({"in_doubt"} if in_doubt == "dead-letter" else set())
    assert set(arrived) | lettered == SENDABLE
    assert summary["records"]["pending"] == 0
    assert twice(arrived) <= (summary["in_doubt"] if in_doubt == "resend" else 0)
    lanes_in_order(middle.arrivals)


# -- for good ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["503", "refused"])
def test_an_outage_for_good_pauses_the_run_and_the_same_command_sends_the_rest_once(
    tmp_path: Path, archive: Path, sandbox: SandboxProcess, kind: str
) -> None:
    host, port = sandbox.url.removeprefix("http://").split(":")
    with TcpProxy(host, int(port)) as proxy:
        process = start(tmp_path, *arguments(proxy.url, "--rps", "100", "--retry-for", "3s"))
        wait_until_recorded(process, sandbox, 50)
        if kind == "refused":
            proxy.refuse()
            proxy.cut()
        else:
            sandbox.faults([{"status": 503}])
        paused = Finished(process)
        assert paused.code == 4, paused.err
        assert paused.require_closed_book()["state"] == "paused"
        assert "nothing has passed for 3 s (--retry-for)" in paused.summary["reason"]
        sandbox.faults([])
        if kind == "refused":
            proxy.listen()
        end = run(tmp_path, proxy.url, "--retry-for", "3s")
    arrived = times(bodies(sandbox))
    assert end.code == 0
    assert set(arrived) == set(range(COUNT))
    assert twice(arrived) <= (end.require_closed_book()["in_doubt"] if kind == "refused" else 0)


def test_to_be_told_to_wait_for_longer_than_retry_for_pauses_the_run_at_once(
    tmp_path: Path, archive: Path, sandbox: SandboxProcess
) -> None:
    sandbox.faults([{"every": 40, "status": 429, "retry_after": 3600}])
    paused = run(tmp_path, sandbox.url, "--retry-for", "50m")
    assert paused.code == 4
    assert paused.require_closed_book()["state"] == "paused"
    found = re.search(r"run again after (\S+ \S+)", paused.summary["reason"])
    assert found is not None, paused.summary["reason"]
    assert abs((datetime.fromisoformat(found[1]) - datetime.now(UTC)).total_seconds() - 3600) < 60
    sandbox.faults([])
    assert run(tmp_path, sandbox.url).code == 0
    assert sorted(numbers(sandbox)) == list(range(COUNT))


@pytest.mark.parametrize("pause", [0.11, 0.13, 0.17, 0.2])
def test_a_pause_of_any_length_ends(tmp_path: Path, archive: Path, sandbox: SandboxProcess, pause: float) -> None:
    """Also when the loop's timer fires a hair before the instant that it was set for (uvloop counts milliseconds)."""
    sandbox.faults([{"every": 20, "status": 429, "retry_after": pause}])
    end = run(tmp_path, sandbox.url, "--max-duration", "30s", "--rps", "100000")
    assert end.code == 0, end.summary["reason"]


# -- a message that fails while others pass ---------------------------------------------------------------------

POISON = 7
OF_ITS_USER = [n for n in range(COUNT) if n % 97 == POISON]


@pytest.mark.parametrize("budget", [("--max-attempts", "6"), ("--retry-for", "2s")])
def test_a_poisoned_message_is_given_up_and_its_user_goes_on_in_order(
    tmp_path: Path, archive: Path, sandbox: SandboxProcess, budget: tuple[str, str]
) -> None:
    sandbox.faults([{"match": {"properties.n": POISON}, "status": 500}])
    end = run(tmp_path, sandbox.url, *budget)
    assert end.code == 3
    assert end.require_closed_book()["dead_lettered"] == {"exhausted:http_500": 1}
    assert sorted(numbers(sandbox)) == [n for n in range(COUNT) if n != POISON]
    assert [n for n in numbers(sandbox) if n in OF_ITS_USER] == OF_ITS_USER[1:]


def test_with_on_exhausted_pause_the_next_run_tries_again(
    tmp_path: Path, archive: Path, sandbox: SandboxProcess
) -> None:
    sandbox.faults([{"match": {"properties.n": POISON}, "status": 500}])
    command = ("--max-attempts", "2", "--on-exhausted", "pause")
    paused = run(tmp_path, sandbox.url, *command)
    assert paused.code == 4
    records = paused.require_closed_book()["records"]
    assert (records["pending"], records["dead_lettered"]) == (len(OF_ITS_USER), 0)
    assert sorted(numbers(sandbox)) == [n for n in range(COUNT) if n not in OF_ITS_USER]
    assert run(tmp_path, sandbox.url, *command).code == 4
    sandbox.faults([])
    end = run(tmp_path, sandbox.url, *command)
    assert end.code == 0
    assert end.require_closed_book()["records"]["delivered"] == COUNT
    assert [n for n in numbers(sandbox) if n in OF_ITS_USER] == OF_ITS_USER
    assert sorted(numbers(sandbox)) == list(range(COUNT))


# -- too many dead letters --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("most", "fault"), [("5", {"every": 10}), ("20%", {"every": 3})])
def test_too_many_dead_letters_stop_the_run_and_the_same_command_goes_on(
    tmp_path: Path, archive: Path, sandbox: SandboxProcess, most: str, fault: dict[str, Any]
) -> None:
    sandbox.faults([fault | {"status": 400}])
    stopped = run(tmp_path, sandbox.url, "--max-dead-letters", most, "--concurrency", "1")
    records = stopped.require_closed_book()["records"]
    assert stopped.code == 1
    assert f"--max-dead-letters {most}" in stopped.summary["reason"]
    assert records["pending"] > 0
    assert records["dead_lettered"] >= 6
    sandbox.faults([])
    end = run(tmp_path, sandbox.url, "--max-dead-letters", most)
    given_up = {letter["record"]["properties"]["n"] for letter in letters(tmp_path)}
    assert end.code == 3
    assert end.require_closed_book()["records"]["dead_lettered"] == len(given_up) == records["dead_lettered"]
    assert sorted(numbers(sandbox)) == sorted(set(range(COUNT)) - given_up)


@pytest.mark.parametrize(("most", "fault"), [("30", {"every": 10}), ("40%", {"every": 3})])
def test_as_many_dead_letters_as_allowed_do_not_stop_the_run(
    tmp_path: Path, archive: Path, sandbox: SandboxProcess, most: str, fault: dict[str, Any]
) -> None:
    sandbox.faults([fault | {"status": 400}])
    end = run(tmp_path, sandbox.url, "--max-dead-letters", most)
    assert end.code == 3
    assert end.require_closed_book()["records"]["dead_lettered"] == COUNT // fault["every"]


def test_nothing_but_dead_letters_stops_a_run_early_unless_something_was_delivered_before(
    tmp_path: Path, archive: Path, sandbox: SandboxProcess
) -> None:
    sandbox.faults([{"status": 400}])
    stopped = run(tmp_path, sandbox.url, "--concurrency", "1")
    assert stopped.code == 1
    assert "100 dead letters before the first success" in stopped.summary["reason"]
    assert stopped.require_closed_book()["records"]["dead_lettered"] == 101
    sandbox.faults([])
    assert run(tmp_path, sandbox.url, "--limit", "1").code == 4
    sandbox.faults([{"status": 400}])
    assert run(tmp_path, sandbox.url).require_closed_book()["records"]["dead_lettered"] == COUNT - 1


# -- a part of a job --------------------------------------------------------------------------------------------


def test_a_limit_sends_so_many_of_the_next_requests_and_the_same_command_goes_on(
    tmp_path: Path, sandbox: SandboxProcess
) -> None:
    """Failures on the way make no difference, and neither does what is skipped."""
    write_lines(tmp_path / "a.jsonl", HISTORY)
    ordered = [made["properties"]["n"] for made in HISTORY if made["type"] == "track"]
    sandbox.faults([{"rate": 0.1, "status": 500}])
    for part in (1, 2):
        paused = run(tmp_path, sandbox.url, "--limit", "60")
        assert paused.code == 4
        assert "--limit 60" in paused.require_closed_book()["reason"]
        assert sorted(numbers(sandbox)) == ordered[: 60 * part]
    assert run(tmp_path, sandbox.url).code == 0
    assert sorted(numbers(sandbox)) == ordered


@pytest.mark.parametrize("limit", [COUNT, COUNT + 1])
def test_a_limit_that_is_not_exceeded_does_not_matter(
    tmp_path: Path, archive: Path, sandbox: SandboxProcess, limit: int
) -> None:
    end = run(tmp_path, sandbox.url, "--limit", str(limit))
    assert (end.code, end.require_closed_book()["state"]) == (0, "complete")


def test_a_run_pauses_after_max_duration_and_the_same_command_goes_on(
    tmp_path: Path, archive: Path, sandbox: SandboxProcess
) -> None:
    paused = run(tmp_path, sandbox.url, "--max-duration", "1s", "--rps", "50")
    assert paused.code == 4
    assert "--max-duration" in paused.require_closed_book()["reason"]
    assert 0 < paused.summary["records"]["delivered"] < COUNT
    assert paused.summary["in_doubt"] == 0
    assert run(tmp_path, sandbox.url, "--max-duration", "5m").code == 0
    assert sorted(numbers(sandbox)) == list(range(COUNT))


@pytest.mark.parametrize("fault", [{"status": 503}, {"hang": True}, {"status": 429, "retry_after": 600}])
def test_max_duration_also_ends_a_wait(
    tmp_path: Path, archive: Path, sandbox: SandboxProcess, fault: dict[str, Any]
) -> None:
    sandbox.faults([fault])
    paused = run(tmp_path, sandbox.url, "--max-duration", "2s", "--timeout", "1s")
    assert paused.code == 4
    assert "--max-duration" in paused.require_closed_book()["reason"]
    sandbox.faults([])
    assert run(tmp_path, sandbox.url).code == 0
    assert set(numbers(sandbox)) == set(range(COUNT))


# -- poison in a crowd -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
def test_many_poisoned_users_in_a_row_are_no_outage_for_long(tmp_path: Path, first: bool) -> None:
    """They fail together before anybody passes, or after everybody has: the others go on, and these are given up."""
    poisoned = [message(n, userId=f"ill-{n}", event="Poison") for n in range(60)]
    healthy = [message(n, userId=f"well-{n}") for n in range(100, 400)]
    write_lines(tmp_path / "a.jsonl", poisoned + healthy if first else healthy + poisoned)
    with SandboxProcess(rps=1_000_000, latency=0.01) as sandbox:
        sandbox.faults([{"match": {"event": "Poison"}, "status": 500}])
        end = replay(tmp_path, *arguments(sandbox.url, "--max-attempts", "3"))
        summary = end.require_closed_book()
    assert end.code == 3, end.err
    assert summary["dead_lettered"] == {"exhausted:http_500": 60}
    assert summary["records"]["delivered"] == 300


def test_one_message_alone_that_fails_for_good_is_not_sent_for_hours(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl", [message(1)])
    with SandboxProcess() as sandbox:
        sandbox.faults([{"rate": 1, "status": 502, "record": True}])
        end = replay(tmp_path, *arguments(sandbox.url, "--max-attempts", "3"))
        assert end.code == 4
        assert end.require_closed_book()["records"]["pending"] == 1
        assert "whose fault" in end.summary["reason"]
        assert sandbox.stats()["attempts"] == 3

"""Delivery under faults, signals and full disks, with real processes over real sockets."""

import json
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.archives import history, message, write_lines
from tests.support.letters import read_letters
from tests.support.processes import Finished, environment, replay, start, wait_until
from tests.support.sandbox_process import SandboxProcess

COUNT = 300


def run(cwd: Path, sandbox: SandboxProcess, *more: str) -> Finished:
    return replay(cwd, "run", "a.jsonl", "--endpoint", sandbox.url, "--name", "job", "--json", "--rps", "1000", *more)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return write_lines(tmp_path / "a.jsonl", [message(n) for n in range(COUNT)])


def numbers(sandbox: SandboxProcess) -> list[int]:
    return [line["body"]["properties"]["n"] for line in sandbox.received(recorded=True)]


def test_failures_that_pass_are_tried_again_until_they_do(
    tmp_path: Path, archive: Path, sandbox: SandboxProcess
) -> None:
    sandbox.faults([{"rate": 0.2, "status": 503}, {"rate": 0.05, "reset": "before"}])
    end = run(tmp_path, sandbox)
    summary = end.require_closed_book()
    assert end.code == 0
    assert sorted(numbers(sandbox)) == list(range(COUNT))
    assert summary["requests"]["by_status"]["503"] > 0
    assert summary["in_doubt"] == summary["requests"]["by_status"].get("reset", 0)


def test_a_429_holds_everybody_back_and_costs_no_message_its_budget(
    tmp_path: Path, archive: Path, sandbox: SandboxProcess
) -> None:
    sandbox.faults([{"first": 40, "status": 429, "retry_after": 1}])
    end = run(tmp_path, sandbox, "--max-attempts", "1")
    assert end.code == 0, end.err
    assert sorted(numbers(sandbox)) == list(range(COUNT))
    assert end.require_closed_book()["requests"]["by_status"]["429"] >= 40


def test_nothing_but_429_ends_the_run_paused_and_the_same_command_goes_on(
    tmp_path: Path, archive: Path, sandbox: SandboxProcess
) -> None:
    sandbox.faults([{"rate": 1, "status": 429, "retry_after": 1}])
    paused = run(tmp_path, sandbox, "--retry-for", "2s")
    assert paused.code == 4
    assert paused.require_closed_book()["state"] == "paused"
    sandbox.faults([])
    assert run(tmp_path, sandbox).code == 0
    assert sorted(numbers(sandbox)) == list(range(COUNT))


def test_what_moengage_refuses_becomes_a_dead_letter_with_its_reason(
    tmp_path: Path, archive: Path, sandbox: SandboxProcess
) -> None:
    error = {"status": "fail", "error": {"type": "InvalidParams", "message": "no such thing", "attribute": "event"}}
    sandbox.faults([{"match": {"properties.n": 7}, "status": 400, "body": error}])
    end = run(tmp_path, sandbox)
    summary = end.require_closed_book()
    assert end.code == 3
    assert summary["dead_lettered"] == {"http_400:InvalidParams:event": 1}
    (letter,) = read_letters(tmp_path / ".replay")
    assert letter["kind"] == "dead_lettered"
    assert letter["line"] == 8
    assert letter["record"] == message(7)
    assert "no such thing" in letter["detail"]
    assert summary["dead_letters"].endswith("job.dead-letters.jsonl.gz")


def test_a_message_that_fails_for_good_is_given_up_and_the_rest_goes_on(
    tmp_path: Path, archive: Path, sandbox: SandboxProcess
) -> None:
    sandbox.faults([{"match": {"properties.n": 7}, "status": 500}])
    end = run(tmp_path, sandbox, "--max-attempts", "3")
    assert end.code == 3
    assert end.require_closed_book()["dead_lettered"] == {"exhausted:http_500": 1}
    assert sorted(numbers(sandbox)) == [n for n in range(COUNT) if n != 7]


@pytest.mark.parametrize(("status", "text"), [(401, "401"), (403, "403"), (409, "409"), (302, "302")])
def test_what_stops_everybody_stops_the_run_and_the_same_command_goes_on(
    tmp_path: Path, archive: Path, sandbox: SandboxProcess, status: int, text: str
) -> None:
    sandbox.faults([{"match": {"properties.n": 150}, "status": status}])
    stopped = run(tmp_path, sandbox)
    assert stopped.code == 1
    assert text in stopped.err
    assert stopped.require_closed_book()["state"] == "failed"
    sandbox.faults([])
    assert run(tmp_path, sandbox).code == 0
    assert sorted(numbers(sandbox)) == list(range(COUNT))


@pytest.mark.parametrize("in_doubt", ["resend", "dead-letter"])
def test_an_attempt_in_doubt_is_resent_or_dead_lettered_as_told(
    tmp_path: Path, archive: Path, sandbox: SandboxProcess, in_doubt: str
) -> None:
    sandbox.faults([{"match": {"properties.n": 5}, "times": 1, "reset": "after"}])
    end = run(tmp_path, sandbox, "--in-doubt", in_doubt)
    summary = end.require_closed_book()
    assert summary["in_doubt"] == 1
    assert numbers(sandbox).count(5) == (2 if in_doubt == "resend" else 1)
    assert summary["dead_lettered"] == ({} if in_doubt == "resend" else {"in_doubt": 1})
    listed = json.loads(replay(tmp_path, "status", "--in-doubt", ".replay/job.ckpt").out)
    assert (listed["ordinal"], listed["cause"]) == (5, "reset")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_lets_requests_in_flight_finish_and_the_same_command_goes_on(
    tmp_path: Path, archive: Path, sandbox: SandboxProcess, number: signal.Signals, code: int
) -> None:
    sandbox.faults([{"latency": 0.3}])
    arguments = ["run", "a.jsonl", "--endpoint", sandbox.url, "--name", "job", "--json", "--rps", "100"]
    process = start(tmp_path, *arguments)
    wait_for_attempts(process, sandbox)
    process.send_signal(number)
    stopped = Finished(process)
    summary = stopped.require_closed_book()
    assert stopped.code == code
    assert (summary["state"], summary["reason"]) == ("interrupted", number.name)
    assert summary["in_doubt"] == 0
    assert 0 < summary["records"]["delivered"] < COUNT
    sandbox.faults([])
    assert run(tmp_path, sandbox).code == 0
    assert sorted(numbers(sandbox)) == list(range(COUNT))


def test_a_second_signal_stops_now_and_what_was_in_flight_is_in_doubt(
    tmp_path: Path, archive: Path, sandbox: SandboxProcess
) -> None:
    sandbox.faults([{"hang": True}])
    arguments = ["run", "a.jsonl", "--endpoint", sandbox.url, "--name", "job", "--json", "--rps", "100"]
    process = start(tmp_path, *arguments)
    wait_for_attempts(process, sandbox)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    while "once more stops now" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    stopped = Finished(process)
    assert stopped.code == 130
    assert stopped.require_closed_book()["in_doubt"] > 0
    sandbox.faults([])
    assert run(tmp_path, sandbox).code == 0
    assert set(numbers(sandbox)) == set(range(COUNT))


def test_who_reads_the_progress_may_go_away(tmp_path: Path, archive: Path, sandbox: SandboxProcess) -> None:
    """What is shown never stops what is done, and the exit code tells how that went."""
    arguments = ["run", "a.jsonl", "--endpoint", sandbox.url, "--name", "job", "--rps", "40"]
    process = start(tmp_path, *arguments)
    assert process.stderr is not None
    assert process.stdout is not None
    process.stderr.close()
    assert process.wait() == 0
    process.stdout.close()
    assert sorted(numbers(sandbox)) == list(range(COUNT))


def test_a_summary_that_cannot_be_printed_is_an_error_in_one_sentence(
    tmp_path: Path, archive: Path, sandbox: SandboxProcess
) -> None:
    with Path("/dev/full").open("w") as full:
        end = subprocess.run(
            [sys.executable, "-m", "replay_cli", "run", "a.jsonl", "--endpoint", sandbox.url, "--json"],
            cwd=tmp_path,
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert end.returncode == 1
    assert "could not be printed" in end.stderr
    assert "Traceback" not in end.stderr


def test_a_run_that_is_stopped_at_the_gate_withdraws_what_has_not_left(
    tmp_path: Path, archive: Path, sandbox: SandboxProcess
) -> None:
    """At one attempt in two seconds nearly all wait for the cap: none of them is in doubt, or counted."""
    process = start(tmp_path, "run", "a.jsonl", "--endpoint", sandbox.url, "--name", "job", "--json", "--rps", "0.5")
    wait_for_attempts(process, sandbox)
    process.send_signal(signal.SIGTERM)
    summary = Finished(process).require_closed_book()
    assert summary["in_doubt"] == 0
    assert summary["requests"]["attempts"] == sandbox.stats()["attempts"] <= 2
    assert summary["requests"]["peak_per_second"] == 1


def wait_for_attempts(process: "subprocess.Popen[str]", sandbox: SandboxProcess) -> None:
    wait_until(lambda: sandbox.stats()["attempts"], process)


def test_a_full_disk_stops_the_run_in_one_sentence_and_loses_nothing(
    tmp_path: Path, archive: Path, sandbox: SandboxProcess
) -> None:
    """The kernel refuses to let the checkpoint grow (a limit on the size of files); later it does not."""
    limited = subprocess.run(
        [sys.executable, "-m", "replay_cli", "run", "a.jsonl", "--endpoint", sandbox.url, "--name", "job"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000)),
    )
    assert limited.returncode == 1, limited.stderr
    assert "cannot write the checkpoint" in limited.stderr
    assert "Traceback" not in limited.stderr
    arrived = numbers(sandbox)
    end = run(tmp_path, sandbox)
    assert end.code == 0, end.err
    assert end.require_closed_book()["records"]["delivered"] == COUNT
    assert set(numbers(sandbox)) == set(range(COUNT))
    assert len(numbers(sandbox)) - COUNT <= end.summary["in_doubt"]
    assert len(arrived) < COUNT


def test_each_users_messages_arrive_in_the_order_of_their_times(tmp_path: Path, sandbox: SandboxProcess) -> None:
    """Also when some fail first, and although users go side by side."""
    messages = history(600, users=40)
    shuffled = messages[300:] + messages[:300]
    write_lines(tmp_path / "a.jsonl", shuffled)
    sandbox.faults([{"rate": 0.1, "status": 500}])
    assert run(tmp_path, sandbox).code == 0
    latest: dict[Any, int] = {}
    for line in sandbox.received(recorded=True):
        body = line["body"]
        for lane in (("u", body.get("user_id")), ("a", body.get("anonymous_id"))):
            if lane[1] is not None:
                assert latest.get(lane, -1) < body["properties"]["n"]
                latest[lane] = body["properties"]["n"]


def test_the_cap_holds_at_the_server(tmp_path: Path) -> None:
    """With a server that answers 429 beyond 200 in a rolling second, `--rps 200` sees none."""
    write_lines(tmp_path / "a.jsonl", [message(n, userId=f"user-{n}") for n in range(700)])
    with SandboxProcess(rps=200) as sandbox:
        end = replay(tmp_path, "run", "a.jsonl", "--endpoint", sandbox.url, "--name", "job", "--json", "--rps", "200")
        stats = sandbox.stats()
    assert end.summary["requests"]["by_status"] == {"200": 700}
    assert stats["peak_per_second"] <= 200
    assert end.summary["requests"]["peak_per_second"] <= 200

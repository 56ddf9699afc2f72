"""`replay redrive`: dead letters become requests again, through the same cap, in the same book."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.archives import history, message, write_lines
from tests.support.letters import read_letters
from tests.support.processes import Finished, replay, start
from tests.support.sandbox_process import SandboxProcess

CHECKPOINT = ".replay/job.ckpt"
COUNT = 1000
REFUSE_ALL = [{"rate": 1, "status": 400}]


def run(cwd: Path, sandbox: SandboxProcess, *more: str, source: str = "a.jsonl", name: str = "job") -> Finished:
    arguments = ["run", source, "--endpoint", sandbox.url, "--name", name, "--json", "--rps", "2000"]
    return replay(cwd, *arguments, "--max-dead-letters", "100%", *more)


def redrive(cwd: Path, *more: str) -> Finished:
    return replay(cwd, "redrive", CHECKPOINT, "--json", *more)


def arrived(sandbox: SandboxProcess) -> list[int]:
    return [line["body"]["properties"]["n"] for line in sandbox.received(recorded=True)]


def letters(cwd: Path) -> list[dict[str, Any]]:
    return read_letters(cwd / ".replay")


@pytest.fixture
def refused(tmp_path: Path, sandbox: SandboxProcess) -> Path:
    """A finished job whose messages were all refused."""
    write_lines(tmp_path / "a.jsonl", [message(n) for n in range(COUNT)])
    sandbox.faults(REFUSE_ALL)
    end = run(tmp_path, sandbox)
    assert end.code == 3
    assert end.summary["dead_lettered"] == {"http_400:Bad Request": COUNT}
    sandbox.faults([])
    return tmp_path


def test_all_refused_messages_are_delivered_and_a_second_redrive_sends_nothing(
    refused: Path, sandbox: SandboxProcess
) -> None:
    first = redrive(refused)
    assert first.code == 0, first.err
    summary = first.require_closed_book()
    assert summary["records"]["delivered"] == COUNT
    assert summary["run"]["records"] == {
        "read": COUNT,
        "delivered": COUNT,
        "skipped": 0,
        "rejected": 0,
        "dead_lettered": 0,
        "pending": 0,
        "left": 0,
    }
    assert sorted(arrived(sandbox)) == list(range(COUNT))
    assert summary["dead_letters"] is None
    assert letters(refused) == []
    attempts = sandbox.stats()["attempts"]
    second = redrive(refused)
    assert second.code == 0
    assert "nothing was sent" in second.summary["reason"]
    assert second.require_closed_book()["records"] == summary["records"]
    again = run(refused, sandbox)
    assert again.code == 0
    assert "already complete" in again.summary["reason"]
    assert sandbox.stats()["attempts"] == attempts


def test_each_users_dead_letters_arrive_in_the_order_of_their_times(tmp_path: Path, sandbox: SandboxProcess) -> None:
    messages = history(COUNT, users=40)
    write_lines(tmp_path / "a.jsonl", messages[COUNT // 2 :] + messages[: COUNT // 2])
    sandbox.faults(REFUSE_ALL)
    run(tmp_path, sandbox)
    sandbox.faults([{"rate": 0.05, "status": 503}])
    assert redrive(tmp_path).code == 0
    latest: dict[Any, int] = {}
    for line in sandbox.received(recorded=True):
        body = line["body"]
        for lane in (("u", body.get("user_id")), ("a", body.get("anonymous_id"))):
            if lane[1] is not None:
                assert latest.get(lane, -1) < body["properties"]["n"]
                latest[lane] = body["properties"]["n"]


def test_reason_status_and_limit_choose(tmp_path: Path, sandbox: SandboxProcess) -> None:
    write_lines(tmp_path / "a.jsonl", [message(n, event=f"E{n % 3}") for n in range(90)])
    bad = {"status": "fail", "error": {"type": "InvalidParams", "message": "no", "attribute": "event"}}
    sandbox.faults(
        [
            {"match": {"event": "E0"}, "status": 400, "body": bad},
            {"match": {"event": "E1"}, "status": 413},
            {"match": {"event": "E2"}, "reset": "after"},
        ]
    )
    run(tmp_path, sandbox, "--in-doubt", "dead-letter")
    sandbox.faults([])
    before = len(arrived(sandbox))
    shown = replay(tmp_path, "redrive", CHECKPOINT, "--dry-run", "--json")
    assert shown.code == 0
    reasons = json.loads(shown.out)["reasons"]
    short = {reason.split(":")[0]: n for reason, n in reasons.items()}
    assert short == {"http_400": 30, "http_413": 30}, "what may have arrived is redriven by name only"
    wrong = redrive(tmp_path, "--reason", "http_500")
    assert wrong.code == 2
    assert "there are: http_400:InvalidParams:event 30" in wrong.err
    assert redrive(tmp_path, "--reason", "http_400", "--limit", "10").summary["run"]["records"]["delivered"] == 10
    assert sorted(arrived(sandbox)[before:]) == [0, 3, 6, 9, 12, 15, 18, 21, 24, 27]
    assert redrive(tmp_path, "--reason", "http_4*", "--status", "413").summary["run"]["records"]["delivered"] == 30
    assert {letter["reason"] for letter in letters(tmp_path)} == {"http_400:InvalidParams:event", "in_doubt"}
    both = redrive(tmp_path, "--reason", "in_doubt", "--reason", "http_400")
    assert both.code == 0
    assert both.require_closed_book()["records"]["delivered"] == 90
    assert letters(tmp_path) == []


def test_a_dry_run_changes_nothing(refused: Path, sandbox: SandboxProcess) -> None:
    before = (refused / CHECKPOINT).read_bytes()
    attempts = sandbox.stats()["attempts"]
    end = replay(refused, "redrive", CHECKPOINT, "--dry-run", "--reason", "http_400")
    assert end.code == 0
    assert "1,000 records in 1,000 requests" in end.err
    assert (refused / CHECKPOINT).read_bytes() == before
    assert sandbox.stats()["attempts"] == attempts
    assert len(letters(refused)) == COUNT


def test_what_fails_again_is_a_dead_letter_again(refused: Path, sandbox: SandboxProcess) -> None:
    sandbox.faults([{"match": {"properties.n": 7}, "status": 400}])
    end = redrive(refused)
    assert end.code == 3
    assert end.require_closed_book()["dead_lettered"] == {"http_400:Bad Request": 1}
    (letter,) = letters(refused)
    assert (letter["line"], letter["attempts"], letter["record"]) == (8, 2, message(7))


def test_rejected_records_are_not_redriven(tmp_path: Path, sandbox: SandboxProcess) -> None:
    write_lines(tmp_path / "a.jsonl", [b"{broken", message(1)])
    sandbox.faults(REFUSE_ALL)
    run(tmp_path, sandbox)
    sandbox.faults([])
    end = redrive(tmp_path)
    assert end.code == 0, "all that was taken arrived"
    assert end.require_closed_book()["rejected"] == {"malformed_json": 1}
    assert [letter["kind"] for letter in letters(tmp_path)] == ["rejected"]
    assert arrived(sandbox) == [1]


def test_a_killed_redrive_goes_on_with_either_command(refused: Path, sandbox: SandboxProcess) -> None:
    process = start(refused, "redrive", CHECKPOINT, "--rps", "200", "--json")
    while len(arrived(sandbox)) < 100:
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    Finished(process)
    status = json.loads(replay(refused, "status", CHECKPOINT, "--json").out)
    assert status["state"] == "interrupted"
    assert status["records"]["dead_lettered"] == 0
    assert status["records"]["pending"] == COUNT - status["records"]["delivered"]
    process = start(refused, "redrive", CHECKPOINT, "--rps", "200", "--json")
    while len(arrived(sandbox)) < 300:
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    stopped = Finished(process)
    assert stopped.code == 143
    assert stopped.require_closed_book()["run"]["records"]["pending"] > 0
    end = run(refused, sandbox)
    assert end.code == 0
    assert end.require_closed_book()["records"]["delivered"] == COUNT
    assert set(arrived(sandbox)) == set(range(COUNT))
    assert len(arrived(sandbox)) - COUNT <= end.summary["in_doubt"]


def test_a_redrive_of_an_unfinished_job_leaves_the_rest_of_it_alone(tmp_path: Path, sandbox: SandboxProcess) -> None:
    write_lines(tmp_path / "a.jsonl", [message(n) for n in range(200)])
    sandbox.faults([{"match": {"properties.n": 3}, "status": 400}])
    assert run(tmp_path, sandbox, "--limit", "50").code == 4
    sandbox.faults([])
    end = redrive(tmp_path)
    assert end.code == 0
    assert end.require_closed_book()["records"]["pending"] == 150
    status = json.loads(replay(tmp_path, "status", CHECKPOINT, "--json").out)
    assert (status["state"], status["reason"]) == ("paused", "--limit 50 is reached")
    assert run(tmp_path, sandbox).code == 0
    assert sorted(arrived(sandbox)) == list(range(200))


def test_a_dead_letter_file_is_an_ordinary_source(refused: Path, sandbox: SandboxProcess) -> None:
    """Its rejected records, too: what was wrong with them may have passed."""
    copy = refused / "letters.jsonl"
    lines = [json.dumps(letter).encode() for letter in letters(refused) if letter["ordinal"] < 50]
    rejected = {"uri": "x", "ordinal": 4, "kind": "rejected", "reason": "future_date", "record": message(5000)}
    broken = {"uri": "x", "ordinal": 5, "kind": "rejected", "reason": "malformed_json", "text": "{broken"}
    write_lines(copy, [*lines, rejected, broken])
    end = run(refused, sandbox, source="letters.jsonl", name="again")
    assert end.code == 3
    assert end.require_closed_book()["records"]["delivered"] == 51
    assert end.summary["rejected"] == {"malformed_json": 1}
    assert sorted(arrived(sandbox)) == [*range(50), 5000]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["nowhere.ckpt"], "there is no such checkpoint"),
        (["a.jsonl"], "not a replay checkpoint"),
        ([CHECKPOINT, "--limit", "0"], "--limit"),
        ([CHECKPOINT, "--status", "99"], "--status"),
    ],
)
def test_what_cannot_be_redriven_is_refused_by_name(
    tmp_path: Path, sandbox: SandboxProcess, arguments: list[str], text: str
) -> None:
    write_lines(tmp_path / "a.jsonl", [message(1)])
    run(tmp_path, sandbox)
    end = replay(tmp_path, "redrive", *arguments)
    assert end.code == 2
    assert text in end.err
    assert "Traceback" not in end.err


def hot_job(cwd: Path, sandbox: SandboxProcess, *more: str) -> Finished:
    write_lines(cwd / "a.jsonl", [message(n, userId="hot") for n in range(200)])
    return run(cwd, sandbox, *more)


def test_a_redrive_sends_nothing_but_dead_letters(tmp_path: Path, sandbox: SandboxProcess) -> None:
    """What waits in the checkpoint for its turn in the archive stays there: nobody is overtaken."""
    sandbox.faults([{"latency": 0.02}])
    assert hot_job(tmp_path, sandbox, "--max-duration", "1s").code == 4
    sent = len(arrived(sandbox))
    assert redrive(tmp_path).code == 0
    assert len(arrived(sandbox)) == sent
    assert run(tmp_path, sandbox).code == 0
    assert arrived(sandbox) == list(range(200))


def test_two_redrives_keep_one_users_order(tmp_path: Path, sandbox: SandboxProcess) -> None:
    write_lines(tmp_path / "a.jsonl", [message(n, userId="one") for n in range(10)])
    sandbox.faults(REFUSE_ALL)
    run(tmp_path, sandbox)
    sandbox.faults([{"rate": 1, "status": 503, "on": "all"}])
    assert redrive(tmp_path, "--limit", "5", "--max-duration", "1s").code == 4
    sandbox.faults([])
    assert redrive(tmp_path, "--limit", "5").code == 0
    assert arrived(sandbox) == list(range(10))


@pytest.mark.parametrize("headers", [{"x-ratelimit-reset": "1999999999999"}, {"Retry-After": "1e15"}])
def test_a_429_that_names_no_reasonable_time_pauses_the_run_in_good_order(
    tmp_path: Path, sandbox: SandboxProcess, headers: dict[str, str]
) -> None:
    write_lines(tmp_path / "a.jsonl", [message(n) for n in range(50)])
    sandbox.faults([{"rate": 1, "status": 429, "headers": headers}])
    end = run(tmp_path, sandbox)
    assert end.code == 4
    assert "Traceback" not in end.err
    assert end.require_closed_book()["in_doubt"] == 0

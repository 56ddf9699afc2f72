"""`--api bulk` with the real command: few requests, and of each record an account of its own (rules 1, 2, 4 and 5)."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from replay_cli.ledger.store import Store
from tests.ledger.checkpoints import rows
from tests.support.archives import message, write_lines
from tests.support.bulk_arrivals import number, people, requests, require_users_in_order, times
from tests.support.letters import read_letters
from tests.support.processes import Finished, replay, start, wait_until
from tests.support.sandbox_process import SandboxProcess

CHECKPOINT = ".replay/job.ckpt"
UNBOUNDED = ("--users-per-minute", "0", "--events-per-minute", "0")
ALL = ("--max-dead-letters", "100%")


def arguments(sandbox: SandboxProcess, *more: str) -> list[str]:
    command = ["run", "logs", "--endpoint", sandbox.url, "--name", "job", "--json", "--api", "bulk", "--rps", "1000"]
    return [*command, *UNBOUNDED, *more]


def run(cwd: Path, sandbox: SandboxProcess, *more: str, code: int = 0) -> Finished:
    end = replay(cwd, *arguments(sandbox, *more))
    assert end.code == code, end.err
    return end


def archive(cwd: Path, *files: list[dict[str, Any]]) -> None:
    for name, messages in zip("abcdef", files, strict=False):
        write_lines(cwd / "logs" / f"{name}.jsonl", messages)


def letters(cwd: Path) -> dict[int, str]:
    """Which records are dead letters, with their reasons."""
    found = read_letters(cwd / ".replay")
    records = [letter["record"] for letter in found]
    return {
        record.get("properties", record.get("traits"))["n"]: letter["reason"]
        for letter, record in zip(found, records, strict=True)
    }


def require_once(sandbox: SandboxProcess, messages: list[dict[str, Any]], *without: int) -> None:
    """All but some records arrived, each once and in the order of its user."""
    arrived = requests(sandbox)
    assert times(arrived) == dict.fromkeys({*range(len(messages))} - {*without}, 1)
    require_users_in_order(arrived, messages)


# -- refused --------------------------------------------------------------------------------------------------

BAD = [n * 1379 for n in range(7)]


def test_of_ten_thousand_records_the_seven_that_are_refused_by_name_are_dead_letters(
    tmp_path: Path, sandbox: SandboxProcess
) -> None:
    messages = people(10_000, users=300)
    for n in BAD:
        messages[n]["userId"] = f"bad-{n}"
        messages[n].pop("anonymousId", None)
    archive(tmp_path, messages[:5000], messages[5000:])
    sandbox.faults([{"refuse_users": [f"bad-{n}" for n in BAD]}])
    summary = run(tmp_path, sandbox, code=3).require_closed_book()
    assert summary["dead_lettered"] == {"http_400:InvalidParams:customer_id": 7}
    assert summary["records"]["delivered"] == 9_993
    assert letters(tmp_path) == dict.fromkeys(BAD, "http_400:InvalidParams:customer_id")
    require_once(sandbox, messages, *BAD)
    sizes = [len(json.dumps(line["body"], separators=(",", ":"))) for line in sandbox.received()]
    assert max(sizes) <= 100_000
    assert sandbox.stats()["attempts"] == len(sizes) <= 10 * 3 + len(BAD), "a batch of 1,000 takes three at most"


@pytest.fixture
def some(tmp_path: Path, sandbox: SandboxProcess) -> list[dict[str, Any]]:
    """Three files of two hundred records each, of which 30 and 450 are refused, and nobody says why."""
    messages = people(600, users=60)
    for n in (30, 450):
        messages[n] = message(n, userId="bad")
    archive(tmp_path, messages[:200], messages[200:400], messages[400:])
    sandbox.faults([{"match": {"elements.*.customer_id": "bad"}, "status": 400}])
    return messages


def test_a_refusal_that_names_nothing_gives_up_all_of_its_request_unless_told_otherwise(
    tmp_path: Path, sandbox: SandboxProcess, some: list[dict[str, Any]]
) -> None:
    summary = run(tmp_path, sandbox, *ALL, code=3).require_closed_book()
    given_up = {*range(200), *range(400, 600)}
    assert summary["dead_lettered"] == {"http_400:Bad Request": 400}
    assert letters(tmp_path).keys() == given_up
    require_once(sandbox, some, *given_up)


def test_or_it_is_split_down_to_the_bad_ones(
    tmp_path: Path, sandbox: SandboxProcess, some: list[dict[str, Any]]
) -> None:
    summary = run(tmp_path, sandbox, "--bulk-refused", "split", code=3).require_closed_book()
    assert summary["dead_lettered"] == {"http_400:Bad Request": 2}
    assert letters(tmp_path).keys() == {30, 450}
    require_once(sandbox, some, 30, 450)
    assert sandbox.stats()["attempts"] <= 1 + 2 * (1 + 2 * 8), "200 are halved eight times"


def test_too_many_dead_letters_of_one_request_stop_the_run(
    tmp_path: Path, sandbox: SandboxProcess, some: list[dict[str, Any]]
) -> None:
    stopped = run(tmp_path, sandbox, "--max-dead-letters", "150", code=1)
    assert "200 records became dead letters" in stopped.require_closed_book()["reason"]
    sandbox.faults([])
    again = run(tmp_path, sandbox, code=3).require_closed_book()
    assert again["records"]["delivered"] + 200 == 600


def test_redriven_dead_letters_arrive_in_the_order_of_their_times(tmp_path: Path, sandbox: SandboxProcess) -> None:
    """Not in that of the archive, where a later half may stand before an earlier one."""
    messages = people(300, users=20)
    archive(tmp_path, messages[150:] + messages[:150])
    sandbox.faults([{"rate": 1, "status": 400}])
    run(tmp_path, sandbox, *ALL, code=3)
    sandbox.faults([])
    end = replay(tmp_path, "redrive", CHECKPOINT, "--json")
    assert end.code == 0, end.err
    assert end.require_closed_book()["records"]["delivered"] == 300
    require_once(sandbox, messages)


# -- failing while others pass ----------------------------------------------------------------------------------


@pytest.fixture
def poisoned(tmp_path: Path, sandbox: SandboxProcess) -> list[dict[str, Any]]:
    """A request with a user that fails for long, one behind it that shares another of its users, and many others."""
    poison = [
        message(0, userId="poison"),
        message(1, userId="beside"),
        message(2, userId="bad"),
        message(3, userId="beside"),
    ]
    others = [message(n, userId=f"user-{n % 50}") for n in range(4, 2000)]
    behind = [message(n, userId="beside") for n in range(2000, 2010)]
    archive(tmp_path, poison, others[:1000], others[1000:], behind)
    sandbox.faults([{"match": {"elements.*.customer_id": "poison"}, "status": 500}, {"latency": 0.1}])
    return [*poison, *others, *behind]


def test_a_poisoned_request_is_parked_and_comes_back_in_order_though_the_run_was_killed(
    tmp_path: Path, sandbox: SandboxProcess, poisoned: list[dict[str, Any]]
) -> None:
    """And though it is taken apart then."""
    process = start(tmp_path, *arguments(sandbox))
    wait_until(lambda: sandbox.stats()["recorded"] and rows(tmp_path / CHECKPOINT, "SELECT 1 FROM parked"), process)
    process.send_signal(signal.SIGKILL)
    Finished(process)
    sandbox.faults([{"refuse_users": ["bad"]}])
    summary = run(tmp_path, sandbox, code=3).require_closed_book()
    assert summary["dead_lettered"] == {"http_400:InvalidParams:customer_id": 1}
    assert letters(tmp_path).keys() == {2}
    assert rows(tmp_path / CHECKPOINT, "SELECT * FROM parked_record") == []
    arrived = requests(sandbox)
    require_users_in_order(arrived, poisoned)
    counted = times(arrived)
    assert counted.keys() == {*range(2010)} - {2}
    assert counted.total() - len(counted) <= summary["in_doubt"]
    assert all(counted[n] == 1 for n in (0, 1, 3, *range(2000, 2010)))


def test_people_suppressed_by_now_are_taken_out_of_a_parked_request(
    tmp_path: Path, sandbox: SandboxProcess, poisoned: list[dict[str, Any]]
) -> None:
    held = run(tmp_path, sandbox, "--max-attempts", "2", "--on-exhausted", "pause", code=4)
    assert held.require_closed_book()["records"]["pending"] >= 4
    (tmp_path / "people").write_text("poison\n")
    summary = run(tmp_path, sandbox, "--suppress", "people").require_closed_book()
    assert summary["skipped"] == {"suppressed": 1}
    require_once(sandbox, poisoned, 0)


# -- pace -----------------------------------------------------------------------------------------------------


def test_users_and_events_a_minute_are_kept_and_resume_knows_them(tmp_path: Path, sandbox: SandboxProcess) -> None:
    archive(tmp_path, people(1000, users=100))
    bounds = ("--users-per-minute", "60", "--events-per-minute", "300", "--bulk-refused", "split")
    paused = run(tmp_path, sandbox, *bounds, "--max-duration", "10s", code=4)
    assert paused.require_closed_book()["records"]["delivered"] > 20
    again = replay(tmp_path, "resume", CHECKPOINT, "--max-duration", "1s", "--json")
    assert again.code == 4, again.err
    stats = sandbox.stats()
    assert 0 < stats["users_peak_per_minute"] <= 60
    assert 0 < stats["events_peak_per_minute"] <= 300
    store = Store.open(tmp_path / CHECKPOINT, read_only=True)
    pace = store.pace()
    store.close()
    assert (pace["users_per_minute"], pace["events_per_minute"], pace["bulk_refused"]) == (60, 300, "split")


def test_a_canary_stops_after_so_many_requests_and_the_job_goes_on(tmp_path: Path, sandbox: SandboxProcess) -> None:
    messages = people(3000, users=100)
    archive(tmp_path, messages)
    canary = run(tmp_path, sandbox, "--limit", "2", code=4).require_closed_book()
    assert canary["requests"]["attempts"] == 2
    assert canary["records"]["delivered"] > 200
    run(tmp_path, sandbox)
    require_once(sandbox, messages)


def test_a_429_and_an_outage_cost_nothing_but_time(tmp_path: Path, sandbox: SandboxProcess) -> None:
    messages = people(4000, users=200)
    archive(tmp_path, messages)
    sandbox.faults([{"every": 3, "times": 1, "status": 429, "retry_after": 1}])
    process = start(tmp_path, *arguments(sandbox, "--max-attempts", "2", "--rps", "5"))
    wait_until(lambda: sandbox.stats()["by_status"].get("429"), process)
    sandbox.faults([{"between": [0, 4], "status": 503, "on": "all"}])
    summary = Finished(process).require_closed_book()
    assert {"200", "429", "503"} <= summary["requests"]["by_status"].keys()
    require_once(sandbox, messages)


# -- what each record becomes -------------------------------------------------------------------------------------


def test_a_dry_run_shows_the_elements_of_each_record(tmp_path: Path) -> None:
    anonymous = message(2, anonymousId="a-1")
    del anonymous["userId"]
    large = message(3, properties={"n": 3, "text": "x" * 100_000})
    identify = message(
        4, type="identify", traits={"n": 4}, context={"device": {"id": "d", "token": "t", "type": "ios"}}
    )
    archive(tmp_path, [message(0), message(1, type="page"), anonymous, large, identify])
    end = replay(tmp_path, "run", "logs", "--dry-run", "--api", "bulk", "--output", "out.jsonl", "--json")
    assert end.code == 3, end.err
    summary = end.require_closed_book()
    assert (summary["skipped"], summary["rejected"]) == ({"anonymous": 1, "not_subscribed": 1}, {"too_large": 1})
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    shown = {line["ordinal"]: [request["body"]["elements"] for request in line["requests"]] for line in lines}
    assert [[element["type"] for element in elements] for elements in shown[0] + shown[4]] == [
        ["event"],
        ["customer", "device"],
    ]
    assert [number(elements[0]) for elements in shown[0] + shown[4]] == [0, 4]
    assert shown[1] == shown[2] == shown[3] == []


def test_what_another_api_has_parked_goes_out_as_it_is_when_the_job_is_amended(
    tmp_path: Path, sandbox: SandboxProcess
) -> None:
    archive(tmp_path, [message(0, userId="poison")], [message(n) for n in range(1, 50)])
    sandbox.faults([{"match": {"user_id": "poison"}, "status": 500}])
    command = ["run", "logs", "--endpoint", sandbox.url, "--name", "job", "--json"]
    assert replay(tmp_path, *command, "--max-attempts", "2", "--on-exhausted", "pause").code == 4
    sandbox.faults([])
    write_lines(tmp_path / "logs" / "c.jsonl", [message(n) for n in range(50, 60)])
    end = replay(tmp_path, *command, "--api", "bulk", "--amend", "fewer requests")
    assert end.code == 0, end.err
    assert end.require_closed_book()["records"]["delivered"] == 60
    assert sandbox.stats()["recorded"] == 50 + 1

"""What a run keeps for its report, and `--report`: written whatever the end, and never at the cost of the run."""

import json
import re
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from replay_cli.cli.reporting import report_run
from replay_cli.cli.summarizing import chronicle_of
from replay_cli.job import Job
from replay_cli.ledger.group import Group
from replay_cli.ledger.store import Store
from tests.ledger.checkpoints import A, new_store
from tests.support.archives import history, message, write_lines
from tests.support.in_process import replay_here
from tests.support.processes import Finished, replay, start
from tests.support.sandbox_process import SandboxProcess

COUNT = 300
SECRET = "not-for-any-page"  # the test's own


def run(cwd: Path, sandbox: SandboxProcess, *more: str) -> Finished:
    return replay(cwd, *command(sandbox), *more)


def command(sandbox: SandboxProcess, rps: int = 1000) -> list[str]:
    return ["run", "logs", "--endpoint", sandbox.url, "--checkpoint", "job.ckpt", "--json", "--rps", str(rps)]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return write_lines(tmp_path / "logs" / "a.jsonl", [message(n) for n in range(COUNT)])


def told(cwd: Path, summary: dict[str, Any]) -> dict[str, Any]:
    """The document that the page is drawn from."""
    with closing(Store.open(cwd / "job.ckpt", read_only=True)) as store:
        return chronicle_of(store, summary)


def sums(document: dict[str, Any]) -> tuple[int, dict[str, int], int]:
    """Attempts, replies by status, and records delivered, over the whole timeline."""
    by_status: Counter[str] = Counter()
    for interval in document["timeline"]:
        by_status.update(interval["by_status"])
    attempts = sum(interval["attempts"] for interval in document["timeline"])
    return attempts, dict(by_status), sum(interval["delivered"] for interval in document["timeline"])


def require_same_numbers(document: dict[str, Any]) -> None:
    """The timeline, the composition and the summary speak of the same."""
    summary = document["summary"]
    attempts, by_status, delivered = sums(document)
    assert attempts == summary["requests"]["attempts"]
    assert by_status == summary["requests"]["by_status"]
    assert delivered == summary["records"]["delivered"]
    peaks = [interval["peak_per_second"] for interval in document["timeline"]]
    assert max(peaks) == summary["requests"]["peak_per_second"]
    records = summary["records"]
    became_requests = records["read"] - records["skipped"] - records["rejected"]
    content = document["content"]
    assert sum(content["by_day"].values()) == became_requests
    assert sum(content["by_event"].values()) == became_requests
    assert sum(n for *_, n in content["by_event_and_day"]) == became_requests


def test_the_page_is_written_and_tells_what_the_summary_tells(
    tmp_path: Path, archive: Path, sandbox: SandboxProcess
) -> None:
    """Replies, retries and pauses included; secrets are masked in it."""
    sandbox.faults([
        {"first": 1, "status": 429, "retry_after": 1},
        {"match": {"properties.n": 7}, "status": 400},
        {"rate": 0.1, "status": 503},
    ])  # fmt: skip
    spoiled = json.dumps(message(1, writeKey=SECRET, timestamp="2999-01-01T00:00:00.000Z")).encode()
    write_lines(tmp_path / "logs" / "b.jsonl", [spoiled[:-40], spoiled, message(0, type="page", writeKey=SECRET)])
    end = run(tmp_path, sandbox, "--report", "r.html")
    assert end.code == 3
    document = told(tmp_path, end.require_closed_book())
    require_same_numbers(document)
    page = (tmp_path / "r.html").read_text()
    assert all(text in page for text in ("http_400", "malformed_json", "Tested"))
    assert SECRET not in json.dumps(document) + page
    assert (tmp_path / "r.html").stat().st_mode & 0o777 == 0o600
    answers = end.summary["requests"]["by_status"]
    assert answers["503"] > 0
    assert sum(interval["retries"] for interval in document["timeline"]) == answers["503"] + answers["429"]
    assert sum(interval["paused_seconds"] for interval in document["timeline"]) > 0.5
    assert document["latency_ms"]["p50"] <= document["latency_ms"]["max"]
    examples = {rejection["reason"].split(":")[0]: rejection["examples"][0] for rejection in document["rejections"]}
    assert {reason: example["line"] for reason, example in examples.items()} == {
        "http_400": 8,
        "malformed_json": 1,
        "future_date": 2,
    }
    (entry,) = document["history"]
    assert (entry["kind"], entry["state"]) == ("run", "complete")


def test_a_killed_run_and_the_next_one_are_both_told_and_nothing_is_counted_twice(
    tmp_path: Path, sandbox: SandboxProcess
) -> None:
    write_lines(tmp_path / "logs" / "a.jsonl", history(1500, users=500))
    for attempts in (100, 700):
        process = start(tmp_path, *command(sandbox))
        while sandbox.stats()["attempts"] < attempts and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert Finished(process).code == -signal.SIGKILL
    shown = replay(tmp_path, "status", "job.ckpt", "--report", "died.html")
    assert shown.code == 0, shown.err
    assert "died" in (tmp_path / "died.html").read_text()
    end = run(tmp_path, sandbox)
    assert end.code == 0, end.err
    document = told(tmp_path, end.require_closed_book())
    require_same_numbers(document)
    assert end.summary["requests"]["by_status"]["interrupted"] > 0
    assert [entry["state"] for entry in document["history"]] == ["interrupted", "interrupted", "complete"]


def test_it_is_written_when_a_signal_ends_the_run(tmp_path: Path, archive: Path, sandbox: SandboxProcess) -> None:
    process = start(tmp_path, *command(sandbox, rps=50), "--report", "r.html")
    while sandbox.stats()["attempts"] < 5 and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    end = Finished(process)
    assert end.code == 143
    require_same_numbers(told(tmp_path, end.require_closed_book()))
    assert "SIGTERM" in (tmp_path / "r.html").read_text()


def test_it_is_written_whatever_the_end_and_whatever_goes_on(
    tmp_path: Path, archive: Path, sandbox: SandboxProcess
) -> None:
    """Paused, failed, resumed to the end, redriven: each run has its page, and all are told in the last one."""

    def page(*arguments: str, code: int) -> str:
        end = replay(tmp_path, *arguments, "--report", "r.html", "--json")
        assert end.code == code, end.err
        require_same_numbers(told(tmp_path, end.require_closed_book()))
        return (tmp_path / "r.html").read_text()

    start_ = command(sandbox)
    assert "--limit 20 is reached" in page(*start_, "--limit", "20", code=4)
    sandbox.faults([{"match": {"properties.n": 150}, "status": 401}, {"match": {"properties.n": 7}, "status": 400}])
    assert "401" in page(*start_, code=1)
    sandbox.faults([{"match": {"properties.n": 200}, "status": 400}])
    assert "http_400" in page("resume", "job.ckpt", code=3)
    sandbox.faults([])
    page("redrive", "job.ckpt", code=0)
    with closing(Store.open(tmp_path / "job.ckpt", read_only=True)) as store:
        ends = [(entry["kind"], entry["state"]) for entry in store.runs()]
    assert ends == [("run", "paused"), ("run", "failed"), ("run", "complete"), ("redrive", "complete")]


# -- where it cannot be written -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("report", "said"),
    [
        ("missing/r.html", "there is no folder"),
        ("logs/r.html", "lies in, what is read"),
        ("logs", "what is read"),
        (".", "is a folder"),
        ("s3://bucket/r.html", "a file on disk"),
        ("job.ckpt", "the job's own"),
        ("job.ckpt-wal", "the job's own"),
        ("job.dead-letters.jsonl.gz", "the job's own"),
    ],
)
def test_a_report_that_must_not_be_written_is_refused_before_anything_begins(
    tmp_path: Path, archive: Path, report: str, said: str
) -> None:
    before = sorted(tmp_path.rglob("*"))
    refused = replay_here(tmp_path, "run", "logs", "--sandbox", "--checkpoint", "job.ckpt", "--report", report)
    assert refused.code == 2
    assert said in refused.err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["resume", "redrive", "status"])
def test_the_other_commands_refuse_it_too(tmp_path: Path, archive: Path, name: str) -> None:
    job = Job((str(archive.parent),), "sandbox", "sandbox", {})
    Store.create(tmp_path / "job.ckpt", job.stored()).close()
    for report in ("missing/r.html", "logs/r.html", "job.ckpt"):
        refused = replay_here(tmp_path, name, "job.ckpt", "--report", report)
        assert (refused.code, "--report" in refused.err) == (2, True), refused.err
    with closing(sqlite3.connect(tmp_path / "job.ckpt")) as db:
        assert db.execute("SELECT count(*) FROM run").fetchall() == [(0,)]


def test_what_sends_nothing_has_no_report(tmp_path: Path, archive: Path) -> None:
    dry = replay_here(tmp_path, "run", "logs", "--dry-run", "--report", "r.html")
    assert dry.code == 2
    assert "replay validate" in dry.err
    for arguments in (["redrive", "x.ckpt", "--dry-run"], ["status", "x.ckpt", "--in-doubt"]):
        assert replay_here(tmp_path, *arguments, "--report", "r.html").code == 2


def test_a_report_that_fails_at_the_end_changes_nothing_of_what_happened(
    tmp_path: Path, archive: Path, sandbox: SandboxProcess
) -> None:
    (tmp_path / "pages").mkdir()
    process = start(tmp_path, *command(sandbox, rps=200), "--report", "pages/r.html")
    while sandbox.stats()["attempts"] < 5 and process.poll() is None:
        time.sleep(0.01)
    (tmp_path / "pages").rmdir()
    end = Finished(process)
    assert end.code == 1
    assert end.require_closed_book()["state"] == "complete"
    assert re.search(r"Error: .*r\.html", end.err)
    assert "replay status job.ckpt --report FILE" in end.err


@pytest.mark.parametrize(("code", "then"), [(0, 1), (1, 1), (3, 3), (4, 4), (143, 143)])
def test_of_the_exit_codes_only_that_of_success_is_one_no_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], code: int, then: int
) -> None:
    """Nothing else would tell a script that the report is missing."""
    assert report_run(None, tmp_path / "job.ckpt", {}, code) == code
    assert report_run(tmp_path / "r.html", tmp_path / "job.ckpt", {"checkpoint": "job.ckpt"}, code) == then
    assert "there is no such checkpoint" in capsys.readouterr().err


# -- what else is told ---------------------------------------------------------------------------------------------


def test_a_job_that_is_complete_says_that_an_object_is_not_whole(tmp_path: Path, sandbox: SandboxProcess) -> None:
    path = write_lines(tmp_path / "logs" / "a.jsonl.gz", [message(n) for n in range(3)])
    path.write_bytes(path.read_bytes()[:-4])
    assert run(tmp_path, sandbox).summary["reason"] == "1 object is not whole"
    again = replay_here(tmp_path, *command(sandbox))
    assert again.summary["reason"].endswith("nothing sent; 1 object is not whole")


def test_attempts_in_doubt_are_listed_with_their_line_or_row(tmp_path: Path) -> None:
    store = new_store(tmp_path, [A, A._replace(uri="/logs/b.Parquet")])
    intents = [(number, 6, 0, 1, 1000.5) for number in (1, 2)]
    store.apply(Group(intents=intents))
    store.settle_intents()
    store.close()
    listed = [json.loads(line) for line in replay_here(tmp_path, "status", "job.ckpt", "--in-doubt").out.splitlines()]
    assert [(row["ordinal"], row.get("line"), row.get("row")) for row in listed] == [(6, 7, None), (6, None, 7)]

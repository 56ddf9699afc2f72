"""What a run tells those who are not there, by real processes: one bad night, and the redrive after it.

The night has damage, an outage, a 429, refusals that repeat whose message it was, and a hook that fails at first.
"""

import json
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.report.test_report_finish import SECRET, Hook, hook
from tests.report.test_report_metrics import ask, samples
from tests.support.archives import message, write_lines
from tests.support.in_process import replay_here
from tests.support.processes import Finished, replay, start, wait_until
from tests.support.sandbox_process import SandboxProcess

KEY = "K3Y-of-the-workspace"
COUNT, POISONED = 300, 3
PERSONAL = re.compile(rf"person-\d|@|mid-\d|{KEY}|{SECRET}|Secretname")
"""Ids, addresses, message ids and names of the archive; and what is secret."""
REFUSAL = {"type": "InvalidParams", "message": "person-7 <person-7@mail.example> mid-7", "attribute": "of.person-7"}
POISON = {"match": {"event": "Poison"}, "status": 400, "body": {"error": REFUSAL}}
OUTAGE = {"status": 503, "body": {"error": REFUSAL}}
LIMIT = {"status": 429, "retry_after": 1, "first": 1, "body": {"error": REFUSAL}}


def record(n: int) -> dict[str, Any]:
    person = {"traits": {"email": f"person-{n}@mail.example", "name": "Secretname"}}
    event = "Poison" if n < POISONED else "Tested"
    return message(n, userId=f"person-{n}", messageId=f"mid-{n}", event=event, context=person)


class Night(NamedTuple):
    """What came of it: the run and its redrive, what was asked while it was stalled, and what was posted."""

    folder: Path
    end: Finished
    events: list[dict[str, Any]]
    stalled: tuple[int, str, bytes]
    metrics: bytes
    posts: list[dict[str, Any]]
    file: bytes
    mode: int
    redrive: Finished
    after: bytes


class Reader:
    """Reads a process's stderr while it runs."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.lines: list[str] = []
        self._thread = threading.Thread(target=self._read, args=(process,))
        self._thread.start()

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stderr is not None
        self.lines += iter(process.stderr.readline, "")

    def events(self, name: str) -> list[dict[str, Any]]:
        return [event for event in map(json.loads, self.lines) if event["event"] == name]

    def end(self, process: "subprocess.Popen[str]") -> Finished:
        assert process.stdout is not None
        out = process.stdout.read()
        process.wait()
        self._thread.join()
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            stream.close()
        return Ended(process.returncode, out, "".join(self.lines))


class Ended(Finished):
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


def write_archive(folder: Path) -> None:
    write_lines(folder / "logs" / "a.jsonl", [*map(record, range(COUNT)), b'{"userId": "person-999", "type": 7}'])
    whole = write_lines(folder / "logs" / "b.jsonl.gz", map(record, range(COUNT, COUNT + 100)))
    whole.write_bytes(whole.read_bytes()[:-20])


def arguments(url: str, *more: str) -> list[str]:
    return ["run", "logs", "--endpoint", url, "--name", "nightly", "--rps", "1000", "--log-format", "json", *more]


def go_through(folder: Path, sandbox: SandboxProcess, taken: Hook) -> Night:
    write_archive(folder)
    (folder / "hook").write_text(taken.url)
    telling = ["--metrics-file", "m.prom", "--on-finish-file", "hook"]
    sandbox.faults([OUTAGE])
    more = [*telling, "--metrics-port", "0", "--stall-after", "1s", "--json"]
    process = start(folder, *arguments(sandbox.url, *more), MOENGAGE_API_KEY=KEY)
    reader = Reader(process)
    wait_until(lambda: reader.events("listening"), process)
    url = reader.events("listening")[0]["url"].removesuffix("/metrics")
    wait_until(lambda: ask(f"{url}/healthz")[0] == 503, process)
    stalled, metrics = ask(f"{url}/healthz"), ask(f"{url}/metrics")[2]
    wait_until(lambda: len(taken.posts) > 1, process)
    sandbox.faults([LIMIT, POISON])
    end = reader.end(process)
    file, mode = (folder / "m.prom").read_bytes(), (folder / "m.prom").stat().st_mode
    redrive = replay(
        folder, "redrive", ".replay/nightly.ckpt", *("--log-format", "json", "--verbose"), *telling,
        MOENGAGE_API_KEY=KEY,
    )  # fmt: skip
    events = [json.loads(line) for line in end.err.splitlines()]
    posts = [body for _, body in taken.posts]
    return Night(folder, end, events, stalled, metrics, posts, file, mode, redrive, (folder / "m.prom").read_bytes())


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    with SandboxProcess(rps=1_000_000, api_key=KEY) as sandbox, hook(500) as taken:
        yield go_through(tmp_path_factory.mktemp("night"), sandbox, taken)


# -- the log ----------------------------------------------------------------------------------------------------


def test_each_line_of_stderr_is_an_event_of_one_run(night: Night) -> None:
    for event in night.events:
        assert event.keys() >= {"at", "level", "event", "run", "job"}
        assert event["level"] in ("info", "warning", "error")
        assert event["at"].endswith("Z")
    times = [datetime.fromisoformat(event["at"]) for event in night.events]
    assert times == sorted(times)
    assert len({event["run"] for event in night.events}) == 1
    begun = [event["event"] for event in night.events].index("run_started")
    assert {event["job"] for event in night.events[begun:]} == {"nightly"}


def test_the_events_tell_the_night(night: Night) -> None:
    names = [event["event"] for event in night.events]
    assert names[:2] == ["listening", "run_started"]
    assert names[-1] == "run_ended"
    assert {"listing_done", "stalled", "goes_on"} <= set(names)
    held = [(event["event"], event.get("why")) for event in night.events if event["event"] in ("held_back", "released")]
    assert held == [
        ("held_back", "everything fails"), ("released", None), ("held_back", "after a 429"), ("released", None)
    ]  # fmt: skip
    (damaged,) = [event for event in night.events if event["event"] == "object_damaged"]
    assert damaged["uri"].endswith("b.jsonl.gz")
    assert damaged["cause"]


def test_the_last_event_is_the_summary_and_the_exit_code(night: Night) -> None:
    assert night.end.code == 3
    summary, ended = night.end.require_closed_book(), night.events[-1]
    assert (ended["state"], ended["exit_code"]) == ("complete", 3)
    assert ended["summary"]["records"] == summary["records"]
    assert ended["summary"]["dead_lettered"] == {"http_400:InvalidParams": POISONED}
    assert summary["records"]["dead_lettered"] == POISONED
    assert summary["records"]["rejected"] > 0


# -- metrics ----------------------------------------------------------------------------------------------------


def test_the_file_stays_with_the_final_state_and_the_numbers_of_the_summary(night: Night) -> None:
    summary, found = night.end.summary, samples(night.file)
    assert found["replay_run_state", ("nightly", "complete")] == 1
    assert found["replay_exit_code", ("nightly",)] == 3
    for outcome in ("delivered", "skipped", "rejected", "dead_lettered"):
        assert found["replay_records_total", ("nightly", outcome)] == summary["records"][outcome]
    assert found["replay_records_pending", ("nightly",)] == 0
    for status, n in summary["requests"]["by_status"].items():
        assert found["replay_attempts_total", ("nightly", status)] == n
    assert found["replay_dead_letters_total", ("nightly", "http_400")] == POISONED
    assert found["replay_objects", ("nightly", "damaged")] == 1
    assert found["replay_bytes_read", ("nightly",)] == found["replay_bytes_listed", ("nightly",)]
    assert time.time() - 300 < found["replay_last_success_timestamp_seconds", ("nightly",)] <= time.time()
    assert night.mode & 0o777 == 0o644
    assert [path.name for path in night.folder.glob("*.prom*")] == ["m.prom"]
    assert not list(night.folder.glob(".m.prom*"))


def test_a_stall_is_seen_at_the_port_while_it_lasts(night: Night) -> None:
    status, _, body = night.stalled
    health = json.loads(body)
    assert (status, health["status"], health["state"]) == (503, "stalled", "running")
    assert "everything fails" in health["why"]
    found = samples(night.metrics)
    assert found["replay_run_state", ("nightly", "running")] == 1
    assert found["replay_records_pending", ("nightly",)] > 0
    assert found["replay_rate_limit", ("nightly",)] > 0


def test_counters_do_not_fall_when_dead_letters_are_sent_again(night: Night) -> None:
    before, after = samples(night.file), samples(night.after)
    assert night.redrive.code == 3
    assert after["replay_dead_letters_total", ("nightly", "http_400")] == 2 * POISONED
    for key, value in before.items():
        if key[0].endswith(("_total", "_bucket", "_count", "_sum")):
            assert after[key] >= value, key


# -- the hook ---------------------------------------------------------------------------------------------------


def test_the_stall_and_each_end_are_posted_and_tried_again(night: Night) -> None:
    names = [post["event"] for post in night.posts]
    assert names[:2] == ["stalled", "stalled"]
    assert names.count("finished") == 2
    assert set(names) == {"stalled", "finished"}
    stall, end = night.posts[1], night.posts[names.index("finished")]
    assert (stall["job"], stall["exit_code"], stall["summary"]) == ("nightly", None, None)
    assert (end["exit_code"], end["run"]) == (3, night.events[0]["run"])
    assert end["summary"]["records"] == night.end.summary["records"]
    assert "nightly" in end["text"]


# -- nobody's data ----------------------------------------------------------------------------------------------


def test_nobody_in_the_archive_and_no_secret_is_in_what_is_told(night: Night) -> None:
    told = [night.end.err, night.stalled[2].decode(), night.metrics.decode(), night.file.decode()]
    for text in (*told, night.after.decode(), json.dumps(night.posts)):
        assert not PERSONAL.search(text)


def test_details_are_told_where_they_are_wanted_and_secrets_never(night: Night) -> None:
    events = [json.loads(line) for line in night.redrive.err.splitlines()]
    letters = [event for event in events if event["event"] == "dead_letter"]
    assert len(letters) == POISONED
    assert {letter["line"] for letter in letters} == {1, 2, 3}
    assert all("person-7" in letter["text"] and letter["uri"].endswith("a.jsonl") for letter in letters)
    assert KEY not in night.redrive.err
    assert SECRET not in night.redrive.err


# -- what goes wrong before ---------------------------------------------------------------------------------------


def errors(end: Finished) -> list[str]:
    events = [json.loads(line) for line in end.err.splitlines()]
    return [event["text"] for event in events if event["event"] == "error"]


def test_what_is_wrong_with_the_command_line_itself_is_an_event(tmp_path: Path) -> None:
    (text,) = errors(replay(tmp_path, "run", "logs", "--bogus", REPLAY_RUN_LOG_FORMAT="json"))
    assert "--bogus" in text


@pytest.mark.parametrize(
    "wrong",
    [
        ["--rps", "person-7"],
        ["--sandbox", "--where", 'userId = "person-7" an'],
        ["--sandbox", "--user-id", "person-7"],
        ["--sandbox", "--metrics-file", "m.txt"],
    ],
    ids=" ".join,
)
def test_usage_errors_are_events(wrong: list[str], tmp_path: Path) -> None:
    end = replay_here(tmp_path, "run", "nowhere", "--log-format", "json", *wrong)
    assert end.code == 2
    assert len(errors(end)) == 1
    assert "--rps" in wrong or "person-7" not in end.err


def test_a_validation_speaks_json_too(tmp_path: Path) -> None:
    write_archive(tmp_path)
    end = replay_here(tmp_path, "validate", "logs", "--log-format", "json")
    events = [json.loads(line) for line in end.err.splitlines()]
    assert end.code == 3
    assert [event["event"] for event in events] == ["validation_ended"]
    assert events[0]["summary"]["records"]["rejected"] > 0
    assert not PERSONAL.search(end.err)


def test_a_run_of_which_people_want_details_says_each_dead_letter(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl", [record(1), b"[]"])
    end = replay_here(tmp_path, "run", "a.jsonl", "--sandbox", "--verbose", "--name", "j")
    assert end.code == 3
    assert re.search(r"^\S+: \S*a\.jsonl line 2: ", end.err, re.MULTILINE)

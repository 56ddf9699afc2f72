"""Each option that says what is sent: the book by reason is what a naive reading of the archive counts."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.archives import write_lines
from tests.support.in_process import replay_here
from tests.support.naive_selection import (
    CASES,
    DAYS,
    DEVICE_MODE,
    EXCEPT,
    FILTER,
    FILTERS,
    RECEIVED,
    ROWS,
    SOURCE,
    SOURCES,
    SUPPRESS,
    TURNED_OFF,
    Case,
    Row,
    folder_time,
    happened_in,
    has,
    is_nobody,
    naive,
    no,
    sent,
    together,
)
from tests.support.processes import Finished, replay
from tests.support.sandbox_process import SandboxProcess

LATELY = Case(
    ("--from", "2025-03-01T08:00+02:00", "--until", "2025-03-02T20:00", "--late", "12h"),
    (("outside_event_time", no(happened_in("2025-03-01T06", "2025-03-02T20"))), ("no_timestamp", no(has("timestamp")))),
)
TOGETHER = together([RECEIVED, LATELY, SOURCE, DEVICE_MODE, TURNED_OFF, EXCEPT, SUPPRESS, FILTER])
OPTIONS = (*TOGETHER.options, "--dedupe", "1M", "--stamp", "replayed=yes")


@pytest.fixture(scope="module")
def cwd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the archive under `logs`, and the operator's files."""
    folder = tmp_path_factory.mktemp("selection")
    for source in SOURCES:
        for day in DAYS:
            here = [row.message for row in ROWS if (row.source, row.day) == (source, day)]
            write_lines(folder / "logs" / "segment-logs" / source / str(folder_time(day)) / "a.gz", here)
    write_lines(folder / "logs" / "loose.jsonl", [row.message for row in ROWS if row.source is None])
    for case in CASES:
        for name, text in case.files.items():
            (folder / name).write_text(text)
    return folder


# -- the options ----------------------------------------------------------------------------------------------


def dry(cwd: Path, *options: str) -> Finished:
    end = replay_here(cwd, "run", "logs", "--dry-run", "--json", *options)
    assert end.code in (0, 3), end.err
    return end


def numbers(cwd: Path, *options: str) -> set[int]:
    """Which messages a dry run would send."""
    dry(cwd, *options, "--output", "out.jsonl")
    rows = [json.loads(line) for line in (cwd / "out.jsonl").read_text().splitlines()]
    return {number_of(request["body"]) for row in rows for request in row["requests"]}


def number_of(body: Mapping[str, Any]) -> int:
    number: int = (body.get("traits") or body["properties"])["n"]
    return number


def require_naive_book(end: Finished, case: Case, sent_as: str) -> None:
    summary, (reasons, left) = end.require_closed_book(), naive(case)
    assert summary["skipped"] == reasons
    assert summary["records"]["read"] == sum(map(case.listed, ROWS))
    assert summary["records"][sent_as] == len(sent(left))
    assert summary["rejected"] == ({"no_identity": n} if (n := sum(map(is_nobody, left))) else {})


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_book_is_what_a_naive_reading_counts(cwd: Path, case: Case) -> None:
    assert all(naive(case)[0][reason] for reason, _ in case.rules), "a rule that leaves nothing out tests nothing"
    require_naive_book(dry(cwd, *case.options), case, "pending")


def test_a_named_object_of_another_source_is_not_read(cwd: Path) -> None:
    path = f"logs/segment-logs/app/{folder_time(2)}/a.gz"
    end = replay_here(cwd, "run", path, "--dry-run", "--json", "--source-id", "web")
    assert (end.code, end.summary["records"]["read"], end.summary["objects"]["total"]) == (0, 0, 0)


def test_two_samples_share_no_user_and_miss_none(cwd: Path) -> None:
    one, rest = dry(cwd, "--sample", "0-30%").summary, dry(cwd, "--sample", "30-100%").summary
    total = len(ROWS)
    assert 0 < one["skipped"]["not_sampled"] < total
    assert one["skipped"]["not_sampled"] + rest["skipped"]["not_sampled"] == total
    first, second = numbers(cwd, "--sample", "0-30%"), numbers(cwd, "--sample", "30-100%")
    assert not first & second
    assert first | second == numbers(cwd)


def test_a_sample_of_the_filters_keeps_whole_users(cwd: Path) -> None:
    action = {"type": "SAMPLE", "percent": 0.4, "path": "userId"}
    (cwd / "sample.json").write_text(json.dumps([{"title": "Some", "if": "userId != null", "actions": [action]}]))
    end = dry(cwd, "--filters", "sample.json")
    kept = numbers(cwd, "--filters", "sample.json")
    users = {row.message["userId"] for row in sent(ROWS) if "userId" in row.message and number(row) in kept}
    whole = {number(row) for row in sent(ROWS) if row.message.get("userId") in users or "userId" not in row.message}
    assert kept == whole
    assert 0 < len(users) < 40
    left_out = [row for row in ROWS if "userId" in row.message and row.message["userId"] not in users]
    assert end.summary["skipped"]["filter_sampled:Some"] >= len(sent(left_out)) > 0


def number(row: Row) -> int:
    return number_of(row.message)


def test_dedupe_leaves_out_what_has_the_id_of_another(cwd: Path) -> None:
    """What has no message id is no duplicate of anything."""
    summary = dry(cwd, "--dedupe", "1M").require_closed_book()
    named = [row.message["messageId"] for row in sent(ROWS) if "messageId" in row.message]
    assert summary["skipped"]["duplicate"] == len(named) - len(set(named)) > 0
    assert len(numbers(cwd, "--dedupe", "1M")) == summary["records"]["pending"]


# -- a job with a selection -----------------------------------------------------------------------------------


class Job(NamedTuple):
    """A job with many options that was paused half-way, and gone on with by `resume`."""

    cwd: Path
    command: tuple[str, ...]
    first: Finished
    end: Finished
    arrived: list[int]


@pytest.fixture(scope="module")
def job(cwd: Path) -> Iterator[Job]:
    with SandboxProcess(rps=1_000_000) as sandbox:
        command = ("run", "logs", "--endpoint", sandbox.url, "--checkpoint", "job.ckpt", "--json")
        first = replay(cwd, *command, *OPTIONS, "--limit", "5")
        end = replay(cwd, "resume", "job.ckpt", "--json")
        bodies = [line["body"] for line in sandbox.received(recorded=True)]
        yield Job(cwd, command, first, end, list(map(number_of, bodies)))


def test_resume_keeps_the_whole_selection(job: Job) -> None:
    """And a record that several options leave out has the first reason, in the documented order."""
    assert (job.first.code, job.end.code) == (4, 0), job.end.err
    reasons, left = naive(TOGETHER)
    expected = {number(row) for row in sent(left)}
    duplicates = len(sent(left)) - len(expected)
    summary = job.end.require_closed_book()
    assert summary["skipped"] == reasons + Counter(duplicate=duplicates)
    assert summary["records"]["delivered"] == len(expected) > 5
    assert sorted(job.arrived) == sorted(expected)
    assert duplicates


def test_a_dry_run_of_the_same_options_counts_the_same(job: Job) -> None:
    told = dry(job.cwd, *TOGETHER.options, "--dedupe", "1M").summary
    assert told["skipped"] == job.end.summary["skipped"]
    assert told["records"]["pending"] == job.end.summary["records"]["delivered"]


CHANGES = {
    "--received-from": "2025-03-01T13:00",
    "--received-until": "2025-03-02T23:00",
    "--from": "2025-03-01T09:00",
    "--until": "2025-03-01T20:00",
    "--late": "13h",
    "--source-id": "app",
    "--require-consent": "other",
    "--except-ids": "only.txt",
    "--filters": "none.json",
    "--dedupe": "2M",
    "--stamp": "replayed=no",
    "--where": "type = 'track'",
    "--type": "track",
    "--identify": "none",
    "--event": "Order *",
    "--user-id": "user-1",
    "--sample": "0-1%",
    "--windows": "windows.csv",
    "--only-ids": "only.txt",
    "--api": "bulk",
    "--mapping": "mapping.toml",
    "--project-name": "Shop",
}


ADDING_UP = ("--source-id", "--require-consent", "--stamp", "--type", "--event", "--user-id")


@pytest.mark.parametrize("option", [*CHANGES, "--exclude-device-mode", "--strict", "--update-existing-only"])
def test_another_selection_is_refused_by_name(job: Job, option: str) -> None:
    (job.cwd / "none.json").write_text("[]")
    (job.cwd / "mapping.toml").write_text('[track]\ndrop = ["total"]\n')
    options = list(OPTIONS)
    if option in CHANGES:
        if option in options and option not in ADDING_UP:
            del options[options.index(option) : options.index(option) + 2]
        options += [option, CHANGES[option]]
    elif option in options:
        options.remove(option)
    else:
        options.append(option)
    if option in ("--source-id", "--stamp"):
        options.remove({"--source-id": "web", "--stamp": "replayed=yes"}[option])
        options.remove(option)
    end = replay_here(job.cwd, *job.command, *options)
    assert end.code == 2, end.err
    assert f"Error: {option} was " in end.err
    assert " is  here" not in end.err
    assert "--amend REASON" in end.err


def test_the_same_selection_written_otherwise_is_no_change(job: Job) -> None:
    """Times with another offset, a list in another file, filters with other spaces."""
    (job.cwd / "same.txt").write_text("".join(f"m-{n}\n" for n in range(0, 600, 2)))
    (job.cwd / "same.json").write_text(json.dumps(json.loads(FILTERS), indent=4))
    options = list(OPTIONS)
    for before, after in (
        ("2025-03-01T08:00+02:00", "2025-03-01T06:00Z"),
        ("except.csv", "same.txt"),
        ("filters.json", "same.json"),
        ("12h", "720m"),
        ("1M", "1000k"),
    ):
        options[options.index(before)] = after
    end = replay_here(job.cwd, *job.command, *options)
    assert (end.code, end.summary["requests"]) == (0, job.end.summary["requests"]), end.err
    assert "already complete" in end.summary["reason"]


def test_status_says_what_is_sent_as_the_operator_wrote_it(job: Job) -> None:
    """In the words of JSON and of the options, and no configuration whole."""
    told = replay_here(job.cwd, "status", "job.ckpt").out
    assert re.search(r"filters [0-9]+, ", told)
    assert "stamp replayed=yes" in told
    assert "received from 2025-03-01T12:00:00Z" in told


def test_what_was_begun_before_the_sources_were_amended_is_left_out(cwd: Path, job: Job) -> None:
    """The reason `other_source`: objects that were not begun are not read at all."""
    command = ("run", "logs", *job.command[2:4], "--checkpoint", "amended.ckpt", "--again", "--json")
    first = replay(cwd, *command, "--source-id", "app", "--source-id", "web", "--limit", "1", "--concurrency", "1")
    end = replay(cwd, *command, "--source-id", "web", "--amend", "the website only", "--rps", "5000")
    assert (first.code, end.code) == (4, 0), end.err
    begun, records = first.summary["records"], end.require_closed_book()["records"]
    assert end.summary["skipped"]["other_source"] == begun["pending"] > 0
    assert records["read"] - begun["read"] == sum(row.source != "app" for row in ROWS)
    assert "--source-id was app, web, is web: the website only" in end.err

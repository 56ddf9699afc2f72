"""`replay validate` end to end: what it says of an archive is what a dry run and a run of the same options find."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import pytest

from replay_cli.cli.findings import ALL_SENDABLE, REST_SENDABLE
from replay_cli.cli.interruption import interruptible
from replay_cli.cli.validating import cores
from replay_cli.errors import FatalError
from tests.support.archives import history, message, write_lines
from tests.support.in_process import Told, replay_here
from tests.support.processes import Finished, environment, replay, start, wait_until
from tests.support.s3_server import S3Server

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "sample_archives"
REJECTED = {
    "bad-timestamp.jsonl": ("invalid_timestamp", {2}),
    "deep-nesting.jsonl": ("too_deep", {2}),
    "future-date.jsonl": ("future_date", {2}),
    "invalid-utf8.jsonl": ("invalid_utf8", {2}),
    "large-record.jsonl.gz": ("too_large", {2}),
    "malformed.jsonl": ("malformed_json", {2, 3, 4, 5}),
    "missing-ids.jsonl": ("no_identity", {2}),
    "nan.jsonl": ("malformed_json", {2}),
    "not-an-object.jsonl": ("not_an_object", {2, 3, 4, 5, 6}),
    "truncated.jsonl.gz": ("truncated", {11}),
}
DAMAGED = {"corrupt.jsonl.gz": "line 21", "truncated.jsonl.gz": "line 11", "unknown-format.json.gz": "unknown format"}
ALSO = (("--plan",), ("--show", "1"))
"""What else can be asked for."""
SUBSCRIPTION = {
    "actionSlug": "trackEvent",
    "trigger": 'type = "track"',
    "settings": {"type": {"@path": "$.type"}, "userId": {"@path": "$.userId"}, "event": {"@template": "My {{event}}"}},
}


def validate(cwd: Path, *arguments: str, **changes: str) -> Told:
    return replay_here(cwd, "validate", *arguments, "--workers", "1", "--json", **changes)


def dry_run(cwd: Path, *arguments: str) -> dict[str, Any]:
    return replay_here(cwd, "run", *arguments, "--dry-run", "--json").summary


def require_same_book(document: Mapping[str, Any], dry: Mapping[str, Any]) -> None:
    """What is found is what a dry run finds."""
    records = document["records"]
    assert records["read"] == records["sendable"] + records["skipped"] + records["rejected"]
    assert (records["read"], records["sendable"]) == (dry["records"]["read"], dry["records"]["pending"])
    for part in ("skipped", "rejected", "warnings"):
        assert document[part] == dry[part]
        assert records.get(part, sum(dry[part].values())) == sum(dry[part].values())
    assert document["objects"]["damage"] == dry["objects"]["damage"]
    assert document["objects"]["ignored"] == dry["objects"]["ignored"]


def test_every_fault_of_the_dirty_samples_is_found_with_its_file_and_line(tmp_path: Path) -> None:
    end = validate(tmp_path, str(SAMPLES / "dirty"))
    document = end.summary
    found = dict[tuple[str, str], set[int]]()
    for reason, examples in document["examples"]["rejected"].items():
        for example in examples:
            found.setdefault((Path(example["uri"]).name, reason), set()).add(example["line"])
    assert found.keys() == {(name, reason) for name, (reason, _) in REJECTED.items()}
    assert all(found[name, reason] <= lines for name, (reason, lines) in REJECTED.items())
    assert sum(document["rejected"].values()) == sum(len(lines) for _, lines in REJECTED.values())
    damage = {Path(uri).name: cause for uri, cause in document["objects"]["damage"].items()}
    assert damage.keys() == DAMAGED.keys()
    assert all(DAMAGED[name] in cause for name, cause in damage.items())
    (surrogates,) = document["examples"]["warnings"]["lone_surrogate"]
    assert (Path(surrogates["uri"]).name, surrogates["line"]) == ("lone-surrogates.jsonl", 2)
    assert (end.code, document["sendable"]) == (3, False)
    assert document["reason"] == "17 of 80 records would be rejected, 3 objects are damaged"
    require_same_book(document, dry_run(tmp_path, str(SAMPLES / "dirty")))


def test_the_terminal_and_the_page_name_the_faults_too(tmp_path: Path) -> None:
    end = replay_here(tmp_path, "validate", str(SAMPLES / "dirty"), "--workers", "1", "--report", "page.html")
    assert (end.code, end.out) == (3, "")
    page = (tmp_path / "page.html").read_text()
    for text in (end.err, page):
        assert all(name in text for name in DAMAGED)
        assert all(reason in text for reason, _ in REJECTED.values())
    assert all(name in page for name in REJECTED)


@pytest.mark.parametrize("api", ["actions", "classic", "bulk"])
def test_the_clean_samples_can_be_sent(tmp_path: Path, api: str) -> None:
    source = (str(SAMPLES / "json-column-parquet"), "--api", api)
    end = validate(tmp_path, *source)
    document = end.summary
    assert (end.code, document["sendable"]) == (0, True)
    assert document["reason"] == (REST_SENDABLE if document["records"]["skipped"] else ALL_SENDABLE)
    assert document["estimate"]["records"] == document["records"]["sendable"]
    require_same_book(document, dry_run(tmp_path, *source))


def sampled(tmp_path: Path) -> None:
    """An archive in which every selection finds something."""
    records: list[dict[str, Any]] = history(300, 40)
    records[7]["event"] = "Other"
    write_lines(tmp_path / "logs" / "a.jsonl", [*records[:150], b"{", b"", records[0]])
    write_lines(tmp_path / "logs" / "b.gz", records[150:])
    (tmp_path / "mapping.json").write_text(json.dumps(SUBSCRIPTION))
    (tmp_path / "filters.json").write_text(
        json.dumps([{"title": "T", "if": "event = 'Other'", "enabled": True, "actions": [{"type": "DROP"}]}])
    )
    (tmp_path / "people.txt").write_text("user-3\nuser-4\n")
    (tmp_path / "ids.txt").write_text("m-1\nm-2\n")


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--mapping", "mapping.json"],
        ["--filters", "filters.json"],
        ["--suppress", "people.txt"],
        ["--only-ids", "ids.txt"],
        ["--event", "Oth*"],
        ["--where", "properties.n > 100"],
        ["--from", "2025-03-01T10:00:00.100Z"],
        ["--sample", "0-20%"],
        ["--dedupe", "1000"],
        ["--api", "bulk", "--stamp", "a=b"],
        ["--api", "classic", "--strict"],
    ],
    ids=" ".join,
)
def test_each_option_means_what_it_does_for_a_run(tmp_path: Path, options: list[str]) -> None:
    sampled(tmp_path)
    end = validate(tmp_path, "logs", *options)
    require_same_book(end.summary, dry_run(tmp_path, "logs", *options))
    assert end.code == (3 if end.summary["rejected"] else 0)


def test_what_was_understood_is_said_before(tmp_path: Path) -> None:
    sampled(tmp_path)
    end = validate(tmp_path, "logs", "--event", "Tested", "--dedupe", "10", "--suppress", "people.txt")
    assert "without the people listed in" in end.err
    assert "note: what --dedupe leaves out depends on the order" in end.err


def test_a_limit_ends_the_reading_after_so_many_requests(tmp_path: Path) -> None:
    sampled(tmp_path)
    document = validate(tmp_path, "logs", "--limit", "20").summary
    assert document["estimate"]["requests"] == document["records"]["sendable"] == 20
    assert "until --limit 20 is reached" in document["reason"]


def test_an_archive_on_s3_is_validated_by_as_many_processes_as_there_are_cores(
    tmp_path: Path, s3_server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    sampled(tmp_path)
    s3_server.put(bucket, {f"logs/{path.name}": path.read_bytes() for path in (tmp_path / "logs").iterdir()})
    store = ("--s3-endpoint-url", s3_server.url)
    environment = s3_server.environment() | {"NO_PROXY": "127.0.0.1"}
    end = replay(tmp_path, "validate", f"s3://{bucket}/logs", *store, "--json", **environment)
    assert end.code == 3, end.err
    assert (end.summary["workers"], end.summary["engine"]) == (cores(), "local")
    here = validate(tmp_path, "logs").summary
    assert comparable(end.summary, f"s3://{bucket}") == comparable(here, str(tmp_path))


def comparable(document: Mapping[str, Any], root: str) -> object:
    """What a validation found, wherever and by whomever."""
    itself = {"at", "elapsed_seconds", "workers", "job", "estimate"}
    text = json.dumps({name: value for name, value in document.items() if name not in itself})
    return json.loads(text.replace(root, ""))


def test_nothing_within_the_selection_is_said_so_and_is_no_fault(tmp_path: Path) -> None:
    write_lines(tmp_path / "logs" / "src1" / "1740787200000" / "a.gz", [message(1)])
    end = validate(tmp_path, "logs", "--source-id", "src2")
    assert (end.code, end.summary["objects"]["total"]) == (0, 0)
    assert "nothing under the sources lies within the selection" in end.summary["reason"]
    write_lines(tmp_path / "logs" / "src1" / "1740787200000" / "a.gz", [])
    assert "no records" in validate(tmp_path, "logs").summary["reason"]
    write_lines(tmp_path / "logs" / "src1" / "1740787200000" / "a.gz", [message(1, type="page")])
    assert "all that was read is skipped" in validate(tmp_path, "logs").summary["reason"]


@pytest.mark.parametrize("api", ["actions", "bulk"])
def test_as_many_requests_are_estimated_as_a_run_then_sends(tmp_path: Path, api: str) -> None:
    write_lines(tmp_path / "logs" / "a.jsonl", history(400, 50))
    budgets = ("--users-per-minute", "0", "--events-per-minute", "0")
    options = ("logs", "--api", api, "--sandbox", "--rps", "5000", *budgets)
    estimate = validate(tmp_path, *options).summary["estimate"]
    run = replay(tmp_path, "run", *options, "--json").require_closed_book()
    assert estimate["records"] == run["records"]["delivered"]
    assert estimate["requests"] == run["requests"]["attempts"]


def test_a_plan_tells_how_much_it_is_about(tmp_path: Path) -> None:
    sampled(tmp_path)
    end = replay_here(tmp_path, "validate", "logs", "--plan", "--json", "--report", "plan.html")
    plan = end.summary
    assert end.code == 3  # a record of those that were looked at would be rejected
    assert (plan["kind"], plan["objects"], plan["job"]["sources"]) == ("plan", 2, [str(tmp_path / "logs")])
    assert plan["records"] == {"estimate": 302, "error": 0}
    assert "plan" in (tmp_path / "plan.html").read_text().lower()
    assert replay_here(tmp_path, "validate", "logs", "--plan", "--type", "identify").code == 3


def test_what_can_be_written_in_the_end_is_although_something_else_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_lines(tmp_path / "a.jsonl", [message(1)])

    def fail(path: Path, *_: object) -> None:
        raise FatalError(f"{path} cannot be written: no space left")

    monkeypatch.setattr("replay_cli.cli.counts.write_counts", fail)
    end = validate(tmp_path, "a.jsonl", "--report", "r.html", "--counts", "c.csv")
    assert (end.code, end.summary["sendable"]) == (1, True)
    assert "Error: c.csv cannot be written: no space left" in end.err
    assert (tmp_path / "r.html").exists()


def test_no_secret_is_told_anywhere(tmp_path: Path) -> None:
    secret = "SECRETSECRET"
    write_lines(tmp_path / "a.jsonl", [message(1, writeKey=secret, userId=""), b'{"writeKey": "SECRETSECRET"', b"[]"])
    end = validate(tmp_path, "a.jsonl", "--report", "r.html", "--counts", "c.csv", MOENGAGE_API_KEY="KEYKEYKEY")
    told = end.out + end.err + (tmp_path / "r.html").read_text() + (tmp_path / "c.csv").read_text()
    assert "malformed_json" in told
    assert secret not in told
    assert "KEYKEYKEY" not in told


def test_the_readme_names_every_field(tmp_path: Path) -> None:
    sampled(tmp_path)
    documents = (
        validate(tmp_path, "logs"),
        *(replay_here(tmp_path, "validate", "logs", *kind, "--json") for kind in ALSO),
    )
    readme = (ROOT / "README.md").read_text()
    names = {field for told in documents for field in fields(told.summary)}
    assert sorted(field for field in names if f'"{field}"' not in readme) == []


def fields(document: Mapping[str, Any]) -> Sequence[str]:
    """The names of a document's own: no reasons, events, days."""
    free = ("by_", "days", "skipped", "rejected", "warnings", "examples", "damage", "settings", "categories")
    names = list[str]()
    for name, value in document.items():
        names.append(name)
        if isinstance(value, dict) and not name.startswith(free):
            names += fields(value)
    return names


def test_a_signal_ends_it_with_its_code_and_without_a_traceback(tmp_path: Path) -> None:
    first = write_lines(tmp_path / "logs" / "000.gz", [message(n) for n in range(20_000)])
    for n in range(1, 100):
        first.with_name(f"{n:03}.gz").write_bytes(first.read_bytes())
    process = start(tmp_path, "validate", "logs", "--workers", "2", "--event", "Tested")
    assert process.stderr is not None
    assert "Tested" in process.stderr.readline()  # what was understood: the reading begins
    process.terminate()
    end = Finished(process)
    assert end.code == 143, end.err
    assert "Traceback" not in end.err
    assert "Interrupted." in end.err


def test_ctrl_c_tells_of_all_that_was_read_by_workers_until_then(tmp_path: Path) -> None:
    """They are in the middle of objects that take them seconds."""
    for name in "ab":
        write_lines(tmp_path / f"{name}.jsonl", (message(n) for n in range(150_000)))
    process = start(tmp_path, "validate", "a.jsonl", "b.jsonl", "--workers", "2", "--json")
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    wait_until(lambda: sum(map(_has_read, workers.read_text().split())) == 2, process)
    process.send_signal(signal.SIGINT)
    end = Finished(process)
    document = end.summary
    assert (end.code, document["state"], document["sendable"]) == (130, "interrupted", False), end.err
    assert document["records"]["read"] == document["records"]["sendable"]
    assert 0 < document["records"]["read"] < 300_000
    assert "were looked at until then" in document["reason"]


def _has_read(pid: str) -> bool:
    """Tell whether a worker has read a few megabytes: then there were batches."""
    try:
        lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    except OSError:
        return False
    return int(lines[0].split()[1]) > 20_000_000


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_signals_are_exceptions_within_and_what_they_were_behind(number: signal.Signals, code: int) -> None:
    before = signal.getsignal(number)
    with pytest.raises(click.exceptions.Exit) as ended, interruptible():
        signal.raise_signal(number)
    assert ended.value.exit_code == code
    assert signal.getsignal(number) is before


def test_where_no_workspace_is_named_none_is_told(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl", [message(1)])
    for given in ("", "shop"):
        end = replay(tmp_path, "validate", "a.jsonl", "--json", MOENGAGE_WORKSPACE_ID=given)
        assert (end.code, end.summary["job"]["workspace_id"]) == (0, given), end.err


def test_there_are_no_more_workers_than_cores_that_may_be_used() -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)


def test_a_disk_that_fills_up_in_mid_document_is_told(tmp_path: Path) -> None:
    """Unbuffered, as in many a container: then the system writes a part, and says so by its number alone."""
    command = [
        sys.executable,
        "-m",
        "replay_cli",
        "validate",
        str(SAMPLES / "segment-logs"),
        "--workers",
        "1",
        "--json",
    ]
    limited = ["bash", "-c", 'ulimit -f 4; exec "$@" > told.json', "bash", *command]
    done = subprocess.run(
        limited, cwd=tmp_path, env=environment(PYTHONUNBUFFERED="1"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "could not be printed" in done.stderr

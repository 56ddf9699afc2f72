"""Bad input: the bad record is rejected with its place and reason, and the rest goes on."""

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.archives import message, write_lines
from tests.support.letters import read_letters
from tests.support.processes import Finished, environment, replay
from tests.support.sandbox_process import SandboxProcess

SAMPLES = Path(__file__).parents[2] / "sample_archives"


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Finished, list[dict[str, Any]]]:
    cwd = tmp_path_factory.mktemp("dirty")
    with SandboxProcess(rps=1_000_000) as sandbox:
        end = replay(
            cwd,
            "run",
            str(SAMPLES / "dirty"),
            "--endpoint",
            sandbox.url,
            "--name",
            "job",
            "--json",
            "--rps",
            "1000",
        )
        received = [line["body"] for line in sandbox.received(recorded=True)]
    assert len(received) == end.summary["records"]["delivered"]
    return cwd, end, read_letters(cwd / ".replay")


def test_a_dirty_archive_is_sent_as_far_as_it_goes(
    dirty: tuple[Path, Finished, list[dict[str, Any]]],
) -> None:
    """The book closes, each fault is counted by its reason, and the exit code is 3."""
    _, end, _ = dirty
    summary = end.require_closed_book()
    assert end.code == 3
    assert summary["state"] == "complete"
    assert summary["records"]["pending"] == summary["records"]["dead_lettered"] == 0
    assert summary["records"]["delivered"] > 0
    assert set(summary["rejected"]) >= {
        "malformed_json",
        "not_an_object",
        "invalid_utf8",
        "too_deep",
        "too_large",
        "truncated",
        "future_date",
        "invalid_timestamp",
        "no_identity",
    }
    assert summary["warnings"]["lone_surrogate"] > 0


def test_damaged_objects_are_named_with_their_place(
    dirty: tuple[Path, Finished, list[dict[str, Any]]],
) -> None:
    _, end, _ = dirty
    objects = end.summary["objects"]
    names = {Path(uri).name for uri in objects["damaged"]}
    assert names == {"corrupt.jsonl.gz", "truncated.jsonl.gz", "unknown-format.json.gz"}
    assert all(f"{uri}: {cause}" in end.err for uri, cause in objects["damage"].items())


def test_names_that_are_no_archives_are_counted_as_ignored(
    dirty: tuple[Path, Finished, list[dict[str, Any]]],
) -> None:
    _, end, _ = dirty
    assert end.summary["objects"]["ignored"] == 3


def test_every_rejected_record_is_kept_with_its_place(
    dirty: tuple[Path, Finished, list[dict[str, Any]]],
) -> None:
    cwd, end, kept = dirty
    assert len(kept) == end.summary["records"]["rejected"]
    assert {letter["kind"] for letter in kept} == {"rejected"}
    for letter in kept:
        assert letter["line"] == letter["ordinal"] + 1
        assert letter["reason"] in end.summary["rejected"]
        assert letter["detail"]
        assert "record" in letter or "text" in letter
    malformed = [letter for letter in kept if letter["uri"].endswith("/malformed.jsonl")]
    lines = (SAMPLES / "dirty" / "malformed.jsonl").read_text(encoding="utf-8").splitlines()
    assert [letter["text"] for letter in malformed] == [lines[letter["ordinal"]] for letter in malformed]
    path = cwd / ".replay" / "job.dead-letters.jsonl.gz"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_line_of_50_mb_is_rejected_and_costs_no_memory(tmp_path: Path, sandbox: SandboxProcess) -> None:
    """The run has less address space for data than the line is long."""
    huge = json.dumps(message(2, properties={"n": 2, "x": "y" * 50_000_000})).encode()
    write_lines(tmp_path / "a.jsonl.gz", [message(1), huge, message(3)])
    end = replay(tmp_path, "run", "a.jsonl.gz", "--endpoint", sandbox.url, "--name", "job", "--json")
    summary = end.require_closed_book()
    assert end.code == 3
    assert summary["rejected"] == {"oversized": 1}
    assert summary["records"]["delivered"] == 2
    (letter,) = read_letters(tmp_path / ".replay")
    assert letter["line"] == 2
    assert len(letter["text"]) < 10_000


@pytest.mark.parametrize(
    "line",
    [
        b"\\" * 900_000,
        b'"' + b'\\"' * 450_000,
        b'{"a": "\\ud800' + b'\\"' * 450_000,
        json.dumps(message(2, timestamp=["1" * 900_000 + "x"])).encode(),
        json.dumps(message(2, timestamp=["x" + " " * 900_000 + "x"])).encode(),
        json.dumps(message(2, timestamp="1" * 900_000)).encode(),
        json.dumps(message(2, timestamp=" " * 900_000 + "x")).encode(),
        b"writeKey" * 110_000,
        b'"writeKey":' * 80_000,
    ],
    ids=lambda line: line[:24].decode(),
)
def test_a_hostile_record_is_read_in_linear_time(tmp_path: Path, line: bytes) -> None:
    """Under a limit on CPU time that quadratic work over a record of 900 KB would exceed many times."""
    write_lines(tmp_path / "a.jsonl", [message(1), line, message(3)])
    limited = subprocess.run(
        [sys.executable, "-m", "replay_cli", "run", "a.jsonl", "--sandbox", "--json"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (20, 20)),
    )
    assert limited.returncode == 3, limited.stderr
    assert json.loads(limited.stdout)["records"]["rejected"] == 1


def test_rejected_records_do_not_fill_the_memory(tmp_path: Path, sandbox: SandboxProcess) -> None:
    """They wait for the checkpoint's disk like everything else: 300 MB of them pass through 200 MB of memory."""
    write_lines(tmp_path / "a.jsonl.gz", [b"x" * 1_000_000] * 300)
    code = (
        "import resource, subprocess, sys; done = subprocess.run(sys.argv[1:], stderr=2);"
        "print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    command = [sys.executable, "-m", "replay_cli", "run", "a.jsonl.gz", "--endpoint", sandbox.url]
    measured = subprocess.run(
        [sys.executable, "-c", code, *command],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    exit_code, peak = map(int, measured.stdout.split())
    assert exit_code == 3
    assert peak * 1024 < 200_000_000


def test_secrets_are_kept_nowhere(tmp_path: Path, sandbox: SandboxProcess) -> None:
    """Neither the API key nor a write key is in any file or any output."""
    records: list[dict[str, Any] | bytes] = [
        message(1, writeKey="WRITE-SECRET"),
        message(2, writeKey="WRITE-SECRET", timestamp="never"),
        b'{"writeKey": "WRITE-SECRET", "type": "track", ',
        b'{"write\\u004bey": "WRITE-SECRET", "type": "track"}',
        b"{'writeKey': 'WRITE-SECRET'}",
        b'{writeKey: "WRITE-SECRET"}',
        b"writeKey=WRITE-SECRET",
        b'{"writeKey":["WRITE-SECRET"], ',
        b'"writeKey""WRITE-SECRET"',
    ]
    write_lines(tmp_path / "a.jsonl", records)
    sandbox.faults([{"match": {"properties.n": 1}, "status": 400}])
    end = replay(
        tmp_path, "run", "a.jsonl", "--endpoint", sandbox.url, "--name", "job", "--json", MOENGAGE_API_KEY="sandbox"
    )
    assert end.code == 3
    assert end.summary["records"]["rejected"] == 8
    assert end.summary["records"]["dead_lettered"] == 1
    for path in (tmp_path / ".replay").iterdir():
        assert b"WRITE-SECRET" not in path.read_bytes(), path
        assert path.stat().st_mode & 0o077 in (0, 0o044) or path.suffix == ".lock"
    assert "WRITE-SECRET" not in end.out + end.err


def test_an_api_key_is_in_no_file_and_no_output(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl", [message(1), b"bad"])
    with SandboxProcess(api_key="API-SECRET-1") as sandbox:
        arguments = ("run", "a.jsonl", "--endpoint", sandbox.url, "--name", "job", "--json")
        wrong = replay(tmp_path, *arguments, MOENGAGE_API_KEY="API-SECRET-2")
        right = replay(tmp_path, *arguments, MOENGAGE_API_KEY="API-SECRET-1")
    assert (wrong.code, right.code) == (1, 3)
    assert "401" in wrong.err
    for text in (wrong.out, wrong.err, right.out, right.err):
        assert "API-SECRET" not in text
    for path in (tmp_path / ".replay").iterdir():
        assert b"API-SECRET" not in path.read_bytes(), path


def test_a_file_that_cannot_be_read_stops_the_run_with_its_name(tmp_path: Path, sandbox: SandboxProcess) -> None:
    """A fault for the whole run: fix it, run again, and nothing is missing."""
    write_lines(tmp_path / "logs" / "a.jsonl", [message(1)])
    (tmp_path / "logs" / "loop.jsonl").symlink_to(tmp_path / "logs" / "loop.jsonl")
    end = replay(tmp_path, "run", "logs/loop.jsonl", "--endpoint", sandbox.url)
    assert end.code in (1, 2)
    assert "loop.jsonl" in end.err
    assert "Traceback" not in end.err

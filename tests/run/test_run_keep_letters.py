"""`--keep-dead-letters`: the texts of old dead letters are erased, when a run begins and when it ends."""

import gzip
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from replay_cli.ledger.store import Store
from tests.support.archives import message, write_lines
from tests.support.letters import read_letters
from tests.support.nursery import fork
from tests.support.processes import Finished, environment
from tests.support.sandbox_process import SandboxProcess

CHECKPOINT = ".replay/job.ckpt"
DAY = 86400


def replay(cwd: Path, *arguments: str) -> Finished:
    return Finished(fork(cwd, arguments, environment()))


def run(cwd: Path, sandbox: SandboxProcess, *more: str, code: int = 0) -> Finished:
    end = replay(cwd, "run", "logs", "--endpoint", sandbox.url, "--name", "job", "--json", *more)
    assert end.code == code, end.err
    return end


@pytest.fixture
def refused(tmp_path: Path, sandbox: SandboxProcess) -> Path:
    """A finished job with four dead letters, of which two are 40 days old."""
    write_lines(tmp_path / "logs" / "a.jsonl", [message(n, note=f"secret-{n}-text") for n in range(4)])
    sandbox.faults([{"rate": 1, "status": 400}])
    run(tmp_path, sandbox, code=3)
    sandbox.faults([])
    with closing(sqlite3.connect(tmp_path / CHECKPOINT)) as db, db:
        db.execute("UPDATE dead_letter SET at = ? WHERE ordinal < 2", (time.time() - 40 * DAY,))
    return tmp_path


def beside(cwd: Path) -> bytes:
    files = sorted((cwd / ".replay").iterdir())
    return b"".join(gzip.decompress(f.read_bytes()) if f.suffix == ".gz" else f.read_bytes() for f in files)


def test_a_run_erases_what_is_too_old_and_keeps_its_number(refused: Path, sandbox: SandboxProcess) -> None:
    end = run(refused, sandbox, "--keep-dead-letters", "30d", code=3)
    assert end.require_closed_book()["records"]["dead_lettered"] == 4
    assert [letter.get("expired", False) for letter in read_letters(refused / ".replay")] == [True, True, False, False]
    assert b"secret-0-text" not in beside(refused)
    assert b"secret-2-text" in beside(refused)


def test_a_redrive_sends_what_is_not_too_old_and_says_how_much_was(refused: Path, sandbox: SandboxProcess) -> None:
    end = replay(refused, "redrive", CHECKPOINT, "--keep-dead-letters", "30d", "--json")
    assert end.code == 0, end.err
    assert end.summary["run"]["records"]["delivered"] == 2
    assert end.summary["reason"] == "2 of 2 dead letters delivered; 2 have expired, and cannot be sent again"
    dry = replay(refused, "redrive", CHECKPOINT, "--dry-run")
    assert "expired, never redriven: 2 records" in dry.err
    again = replay(refused, "redrive", CHECKPOINT, "--json")
    assert "nothing was sent; 2 have expired, and cannot be sent again" in again.summary["reason"]
    assert sandbox.stats()["recorded"] == 2


def test_a_run_that_is_refused_erases_nothing_of_the_job_that_it_is_not(refused: Path, sandbox: SandboxProcess) -> None:
    write_lines(refused / "other" / "a.jsonl", [message(0)])
    checkpoint = ("--checkpoint", CHECKPOINT, "--keep-dead-letters", "30d")
    end = replay(refused, "run", "other", "--endpoint", sandbox.url, *checkpoint)
    assert (end.code, "belongs to another job" in end.err) == (2, True)
    assert b"secret-0-text" in beside(refused)


def test_what_a_process_that_died_has_not_erased_from_the_file_is_erased_by_the_next(
    refused: Path, sandbox: SandboxProcess
) -> None:
    """Also by one that has nothing to send, and is not told to erase anything."""
    with closing(Store.open(refused / CHECKPOINT)) as store:
        assert store.expire_letters(time.time() + DAY) == 4
    assert b"secret-0-text" in beside(refused)
    assert replay(refused, "redrive", CHECKPOINT).code == 0
    assert b"secret-" not in beside(refused)
    assert len(read_letters(refused / ".replay")) == 4


def test_without_it_nothing_expires_and_a_later_run_keeps_to_what_an_earlier_one_said(
    refused: Path, sandbox: SandboxProcess
) -> None:
    run(refused, sandbox, code=3)
    assert b"secret-0-text" in beside(refused)
    run(refused, sandbox, "--keep-dead-letters", "100d", code=3)
    with closing(sqlite3.connect(refused / CHECKPOINT)) as db, db:
        db.execute("UPDATE dead_letter SET at = ? WHERE ordinal < 2", (time.time() - 101 * DAY,))
    assert replay(refused, "resume", CHECKPOINT).code == 3
    assert b"secret-0-text" not in beside(refused)

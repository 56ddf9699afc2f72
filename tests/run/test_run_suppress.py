"""Lists of ids end to end: suppressed people get nothing, whatever became of their messages before."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.archives import message, write_lines
from tests.support.letters import read_letters
from tests.support.processes import Finished, replay
from tests.support.sandbox_process import SandboxProcess

CHECKPOINT = ".replay/job.ckpt"


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Six messages of the users `user-0` … `user-5`; the last one says who it is."""
    identified = message(5, properties={"n": 5, "email": "Five@Example.com"})
    write_lines(tmp_path / "logs" / "a.jsonl", [*map(message, range(5)), identified])
    return tmp_path


def listed(folder: Path, *lines: str, name: str = "people.txt") -> str:
    (folder / name).write_text("".join(f"{line}\n" for line in lines))
    return name


def run(folder: Path, sandbox: SandboxProcess, *more: str, code: int = 0) -> Finished:
    end = replay(folder, "run", "logs", "--endpoint", sandbox.url, "--name", "job", "--json", *more)
    assert end.code == code, end.err
    return end


def sent(sandbox: SandboxProcess) -> list[int]:
    return sorted(line["body"]["properties"]["n"] for line in sandbox.received(recorded=True))


def skipped(end: Finished) -> dict[str, int]:
    """The book's skipped records by reason, the book checked."""
    reasons: dict[str, Any] = end.require_closed_book()["skipped"]
    return reasons


# -- what is left out -----------------------------------------------------------------------------------------


def test_nothing_of_suppressed_people_is_sent(logs: Path, sandbox: SandboxProcess) -> None:
    end = run(logs, sandbox, "--suppress", listed(logs, "user-1", " FIVE@example.com"))
    assert sent(sandbox) == [0, 2, 3, 4]
    assert skipped(end) == {"suppressed": 1, "suppressed_by_email": 1}
    assert "1 of the entries are e-mail addresses" in end.err


def test_only_ids_and_except_ids_choose_messages(logs: Path, sandbox: SandboxProcess) -> None:
    only, without = listed(logs, "m-1", "m-2", "m-3", name="only"), listed(logs, "message_id", "m-2", name="without")
    end = run(logs, sandbox, "--only-ids", only, "--except-ids", without)
    assert sent(sandbox) == [1, 3]
    assert skipped(end) == {"not_in_only_ids": 3, "in_except_ids": 1}


def test_a_dry_run_leaves_the_same_out(logs: Path) -> None:
    options = ("--suppress", listed(logs, "user-1"), "--except-ids", listed(logs, "m-2", name="without"))
    end = replay(logs, "run", "logs", "--dry-run", "--json", *options)
    assert end.code == 0, end.err
    assert skipped(end) == {"in_except_ids": 1, "suppressed": 1}


def test_a_list_that_cannot_be_read_stops_the_run_before_it_begins(logs: Path, sandbox: SandboxProcess) -> None:
    (logs / "people.txt").write_bytes(b"user-1\n\xff\n")
    assert (
        "--suppress people.txt line 2: byte ff is not UTF-8"
        in run(logs, sandbox, "--suppress", "people.txt", code=2).err
    )
    assert not (logs / CHECKPOINT).exists()
    assert sent(sandbox) == []


# -- what was under way ---------------------------------------------------------------------------------------


def test_a_message_that_was_not_settled_is_left_out_by_the_next_run(logs: Path, sandbox: SandboxProcess) -> None:
    sandbox.faults([{"match": {"properties.n": 1}, "status": 401}])
    run(logs, sandbox, "--concurrency", "1", code=1)
    sandbox.faults([])
    end = run(logs, sandbox, "--suppress", listed(logs, "user-1"))
    assert sent(sandbox) == [0, 2, 3, 4, 5]
    assert skipped(end) == {"suppressed": 1}


def test_parked_requests_of_suppressed_people_are_taken_out(logs: Path, sandbox: SandboxProcess) -> None:
    """User 1's messages wait in the checkpoint, because the first one fails while others pass."""
    write_lines(logs / "logs" / "b.jsonl", [message(n, userId="user-1", timestamp="2025-03-02") for n in (6, 7)])
    sandbox.faults([{"match": {"user_id": "user-1"}, "status": 500}])
    held = run(logs, sandbox, "--max-attempts", "5", "--on-exhausted", "pause", code=4)
    assert held.require_closed_book()["records"]["pending"] == 3
    sandbox.faults([])
    end = run(logs, sandbox, "--suppress", listed(logs, "user-1"))
    assert sent(sandbox) == [0, 2, 3, 4, 5]
    assert skipped(end) == {"suppressed": 3}
    assert end.summary["records"]["pending"] == 0


def test_dead_letters_of_suppressed_people_are_not_sent_again(logs: Path, sandbox: SandboxProcess) -> None:
    sandbox.faults([{"rate": 1, "status": 400}])
    run(logs, sandbox, code=3)
    sandbox.faults([])
    end = replay(logs, "redrive", CHECKPOINT, "--json", "--suppress", listed(logs, "user-1"))
    assert end.code == 3, end.err
    assert sent(sandbox) == [0, 2, 3, 4, 5]
    assert end.require_closed_book()["run"]["records"]["left"] == 1
    assert [letter["record"]["userId"] for letter in read_letters(logs / ".replay")] == ["user-1"]


# -- the next run ---------------------------------------------------------------------------------------------


def begin(logs: Path, sandbox: SandboxProcess, *options: str) -> None:
    """A run that stops at message 0, with all left to do."""
    sandbox.faults([{"rate": 1, "status": 401}])
    run(logs, sandbox, *options, "--concurrency", "1", code=1)
    sandbox.faults([])


def test_resume_reads_the_lists_again(logs: Path, sandbox: SandboxProcess) -> None:
    only = listed(logs, "m-0", "m-1", "m-2", name="only")
    begin(logs, sandbox, "--only-ids", only, "--suppress", listed(logs, "user-9"))
    listed(logs, "user-1")
    end = replay(logs, "resume", CHECKPOINT, "--json")
    assert end.code == 0, end.err
    assert sent(sandbox) == [0, 2]
    assert skipped(end) == {"not_in_only_ids": 3, "suppressed": 1}


def test_resume_takes_another_list_of_people(logs: Path, sandbox: SandboxProcess) -> None:
    begin(logs, sandbox, "--suppress", listed(logs, "user-9"))
    (logs / "people.txt").unlink()
    gone = replay(logs, "resume", CHECKPOINT)
    assert gone.code == 2
    assert f"--suppress {logs / 'people.txt'}: there is no such file" in gone.err
    end = replay(logs, "resume", CHECKPOINT, "--suppress", listed(logs, "user-1", name="others.txt"), "--json")
    assert (end.code, sent(sandbox)) == (0, [0, 2, 3, 4, 5])


def test_other_message_ids_are_refused_and_another_file_of_the_same_is_not(logs: Path, sandbox: SandboxProcess) -> None:
    begin(logs, sandbox, "--except-ids", listed(logs, "m-1", name="first"))
    assert "--except-ids was " in run(logs, sandbox, "--except-ids", listed(logs, "m-2", name="second"), code=2).err
    listed(logs, "m-2", name="first")
    changed = replay(logs, "resume", CHECKPOINT)
    assert changed.code == 2
    assert "is not the same list as when the job began" in changed.err
    (logs / "first").unlink()
    gone = replay(logs, "resume", CHECKPOINT)
    assert gone.code == 2
    assert "again with --except-ids and the file's new place" in gone.err
    run(logs, sandbox, "--except-ids", listed(logs, "message_id", "m-1", name="third.csv"))
    assert sent(sandbox) == [0, 2, 3, 4, 5]


def test_a_run_without_the_list_of_an_earlier_one_is_refused(logs: Path, sandbox: SandboxProcess) -> None:
    """Nothing quietly goes to whom an earlier run left out; an empty list is the choice to send to everybody."""
    begin(logs, sandbox, "--suppress", listed(logs, "user-1"))
    write_lines(logs / "logs" / "b.jsonl", [message(6, userId="user-1")])
    refused = run(logs, sandbox, code=2)
    assert f"an earlier run of this job had --suppress {logs / 'people.txt'}, and this one has no such" in refused.err
    assert sent(sandbox) == []
    end = run(logs, sandbox, "--suppress", listed(logs, name="nobody.txt"))
    assert f"warning: an earlier run of this job had --suppress {logs / 'people.txt'}" in end.err
    assert sent(sandbox) == [0, 2, 3, 4, 5, 6]
    assert skipped(end) == {"suppressed": 1}

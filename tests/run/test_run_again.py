"""The same command again: a job goes on, adds what is new, and refuses what would make its numbers lie (rule 6)."""

from pathlib import Path

import pytest

from tests.support.archives import message, write_lines
from tests.support.processes import Finished, replay, start, wait_until
from tests.support.sandbox_process import SandboxProcess


def run(cwd: Path, sandbox: SandboxProcess, *more: str, code: int = 0) -> Finished:
    end = replay(cwd, "run", "logs", "--endpoint", sandbox.url, "--rps", "1000", "--json", *more)
    assert end.code == code, end.err
    return end


def sent(sandbox: SandboxProcess) -> list[int]:
    return sorted(line["body"]["properties"]["n"] for line in sandbox.received(recorded=True))


def numbered(*numbers: int) -> list[dict[str, object]]:
    return [message(n) for n in numbers]


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    write_lines(tmp_path / "logs" / "a.jsonl.gz", numbered(1, 2, 3))
    return tmp_path / "logs"


def test_a_finished_job_sends_nothing_and_repeats_its_exit_code(
    tmp_path: Path, logs: Path, sandbox: SandboxProcess
) -> None:
    run(tmp_path, sandbox)
    again = run(tmp_path, sandbox)
    assert sent(sandbox) == [1, 2, 3]
    assert "already complete" in again.summary["reason"]
    assert again.require_closed_book()["records"]["delivered"] == 3
    assert again.summary["run"]["requests"]["attempts"] == 0


def test_the_exit_code_3_is_repeated_too(tmp_path: Path, logs: Path, sandbox: SandboxProcess) -> None:
    write_lines(logs / "b.jsonl", [b"not json"])
    run(tmp_path, sandbox, code=3)
    assert "already complete" in run(tmp_path, sandbox, code=3).summary["reason"]


def test_a_file_added_is_the_only_one_sent(tmp_path: Path, logs: Path, sandbox: SandboxProcess) -> None:
    run(tmp_path, sandbox)
    write_lines(logs / "b.jsonl", numbered(4))
    again = run(tmp_path, sandbox)
    assert sent(sandbox) == [1, 2, 3, 4]
    assert again.require_closed_book()["objects"]["total"] == 2
    assert again.summary["run"]["records"]["read"] == 1


def test_a_finished_file_that_changed_is_noted_and_not_sent(
    tmp_path: Path, logs: Path, sandbox: SandboxProcess
) -> None:
    run(tmp_path, sandbox)
    write_lines(logs / "a.jsonl.gz", numbered(1, 2, 3, 4))
    again = run(tmp_path, sandbox)
    assert sent(sandbox) == [1, 2, 3]
    assert again.summary["objects"]["changed"] == [str(logs / "a.jsonl.gz")]
    assert "changed after it was finished" in again.err


def test_a_file_that_changed_before_it_was_read_is_taken_as_it_is_now(
    tmp_path: Path, logs: Path, sandbox: SandboxProcess
) -> None:
    """The first file is too long to be read to its end while its first message is under way."""
    write_lines(logs / "a.jsonl.gz", [message(n) for n in range(100, 3100)])
    write_lines(logs / "b.jsonl", numbered(4))
    sandbox.faults([{"match": {"properties.n": 100}, "status": 401}])
    run(tmp_path, sandbox, "--concurrency", "1", code=1)
    write_lines(logs / "b.jsonl", numbered(5))
    sandbox.faults([])
    run(tmp_path, sandbox)
    assert sent(sandbox) == [5, *range(100, 3100)]


def test_an_unfinished_file_that_is_gone_is_missed(tmp_path: Path, logs: Path, sandbox: SandboxProcess) -> None:
    """Its records are not settled, so the job is not complete without it."""
    write_lines(logs / "b.jsonl", numbered(4))
    sandbox.faults([{"match": {"properties.n": 2}, "status": 401}])
    run(tmp_path, sandbox, code=1)
    (logs / "a.jsonl.gz").rename(tmp_path / "a.jsonl.gz")
    sandbox.faults([])
    end = run(tmp_path, sandbox, code=1)
    assert f"{logs / 'a.jsonl.gz'} is not under the sources any more" in end.err
    (tmp_path / "a.jsonl.gz").rename(logs / "a.jsonl.gz")
    run(tmp_path, sandbox)
    assert sorted(set(sent(sandbox))) == [1, 2, 3, 4]


def test_a_finished_file_may_go(tmp_path: Path, logs: Path, sandbox: SandboxProcess) -> None:
    run(tmp_path, sandbox)
    (logs / "a.jsonl.gz").unlink()
    write_lines(logs / "b.jsonl", numbered(4))
    assert run(tmp_path, sandbox).require_closed_book()["records"]["delivered"] == 4


def test_a_file_that_changed_while_it_was_in_progress_is_refused(
    tmp_path: Path, logs: Path, sandbox: SandboxProcess
) -> None:
    sandbox.faults([{"match": {"properties.n": 2}, "status": 401}])
    run(tmp_path, sandbox, code=1)
    write_lines(logs / "a.jsonl.gz", numbered(1, 3))
    end = run(tmp_path, sandbox, code=2)
    assert f"{logs / 'a.jsonl.gz'} changed since a part of it was sent" in end.err


@pytest.mark.parametrize(
    ("changes", "named"), [(["--strict"], "--strict"), (["--project-name", "Shop"], "--project-name")]
)
def test_other_settings_are_refused_by_name(
    tmp_path: Path, logs: Path, sandbox: SandboxProcess, changes: list[str], named: str
) -> None:
    run(tmp_path, sandbox)
    assert named in run(tmp_path, sandbox, *changes, code=2).err


def test_pace_and_policy_may_change_freely(tmp_path: Path, logs: Path, sandbox: SandboxProcess) -> None:
    run(tmp_path, sandbox)
    run(tmp_path, sandbox, "--rps", "7", "--concurrency", "3", "--in-doubt", "dead-letter", "--retry-for", "1m")


def test_restart_begins_anew_and_keeps_the_old_files_aside(tmp_path: Path, logs: Path, sandbox: SandboxProcess) -> None:
    write_lines(logs / "b.jsonl", [b"not json"])
    run(tmp_path, sandbox, "--name", "job", code=3)
    run(tmp_path, sandbox, "--name", "job", "--restart", code=3)
    assert sent(sandbox) == [1, 1, 2, 2, 3, 3]
    names = sorted(path.name.split(".2")[0] for path in (tmp_path / ".replay").iterdir() if ".2" in path.name)
    assert names == ["job.ckpt", "job.dead-letters.jsonl.gz"]


def test_a_restart_that_is_refused_changes_nothing(tmp_path: Path, logs: Path, sandbox: SandboxProcess) -> None:
    """Without a key nothing begins, so the old checkpoint must stay: without it everything would be sent again."""
    run(tmp_path, sandbox, "--name", "job")
    arguments = ("run", "logs", "--endpoint", sandbox.url, "--name", "job")
    refused = replay(tmp_path, *arguments, "--restart", MOENGAGE_API_KEY="")
    assert refused.code == 2
    assert "already complete" in run(tmp_path, sandbox, "--name", "job").summary["reason"]
    assert sent(sandbox) == [1, 2, 3]


def test_restart_and_yes_are_for_the_command_line_only(tmp_path: Path, logs: Path, sandbox: SandboxProcess) -> None:
    """An environment is set once and forgotten; what cannot be undone is said each time."""
    arguments = ("run", "logs", "--endpoint", sandbox.url, "--json")
    replay(tmp_path, *arguments)
    for name in ("RESTART", "YES", "AMEND"):
        again = replay(tmp_path, *arguments, **{f"REPLAY_RUN_{name}": "1"})
        assert again.code == 2
        assert f"REPLAY_RUN_{name} in the environment is no option of `replay run`" in again.err
    assert sent(sandbox) == [1, 2, 3]


def test_a_damaged_file_that_is_repaired_does_not_hold_up_the_others(
    tmp_path: Path, logs: Path, sandbox: SandboxProcess
) -> None:
    """It is finished as far as it went, so its new version is noted, like that of any finished file."""
    whole = (logs / "a.jsonl.gz").read_bytes()
    (logs / "a.jsonl.gz").write_bytes(whole[:-6])
    run(tmp_path, sandbox, code=3)
    (logs / "a.jsonl.gz").write_bytes(whole)
    write_lines(logs / "b.jsonl", numbered(4))
    end = run(tmp_path, sandbox, code=3)
    assert end.summary["objects"]["changed"] == [str(logs / "a.jsonl.gz")]
    assert sent(sandbox) == [1, 2, 3, 4]


def test_a_dead_letter_file_that_is_gone_is_written_again(tmp_path: Path, logs: Path, sandbox: SandboxProcess) -> None:
    """Also when nothing is left to do: the checkpoint has the letters."""
    write_lines(logs / "b.jsonl", [b"not json"])
    run(tmp_path, sandbox, "--name", "job", code=3)
    letters = tmp_path / ".replay" / "job.dead-letters.jsonl.gz"
    text = letters.read_bytes()
    letters.unlink()
    again = run(tmp_path, sandbox, "--name", "job", code=3)
    assert again.summary["dead_letters"] == ".replay/job.dead-letters.jsonl.gz"
    assert letters.read_bytes() == text


def test_a_book_that_does_not_close_is_never_called_complete(
    tmp_path: Path, logs: Path, sandbox: SandboxProcess
) -> None:
    import sqlite3

    run(tmp_path, sandbox, "--name", "job")
    with sqlite3.connect(tmp_path / ".replay" / "job.ckpt") as db:
        db.execute("UPDATE tally SET n = n - 1")
    db.close()
    end = replay(tmp_path, "run", "logs", "--endpoint", sandbox.url, "--name", "job")
    assert end.code == 1
    assert "does not close: 3 read, 2 settled, 0 pending" in end.err


def test_must_resume_refuses_to_begin(tmp_path: Path, logs: Path, sandbox: SandboxProcess) -> None:
    end = run(tmp_path, sandbox, "--must-resume", code=2)
    assert "--must-resume" in end.err
    assert not (tmp_path / ".replay").exists() or not list((tmp_path / ".replay").glob("*.ckpt"))


def test_a_checkpoint_of_another_job_is_refused(tmp_path: Path, logs: Path, sandbox: SandboxProcess) -> None:
    run(tmp_path, sandbox, "--name", "job")
    write_lines(tmp_path / "others" / "a.jsonl", numbered(9))
    end = replay(tmp_path, "run", "others", "--endpoint", sandbox.url, "--name", "job")
    assert end.code == 2
    assert "belongs to another job" in end.err


def test_a_file_that_is_no_checkpoint_is_refused_and_left_alone(
    tmp_path: Path, logs: Path, sandbox: SandboxProcess
) -> None:
    (tmp_path / "notes.ckpt").write_text("my notes")
    end = run(tmp_path, sandbox, "--checkpoint", "notes.ckpt", code=2)
    assert "not a replay checkpoint" in end.err
    assert (tmp_path / "notes.ckpt").read_text() == "my notes"


def test_resume_goes_on_with_the_stored_sources_and_settings(
    tmp_path: Path, logs: Path, sandbox: SandboxProcess
) -> None:
    sandbox.faults([{"match": {"properties.n": 2}, "status": 403}])
    run(tmp_path, sandbox, "--name", "job", "--project-name", "Shop", code=1)
    sandbox.faults([])
    end = replay(tmp_path, "resume", ".replay/job.ckpt", "--json")
    assert end.code == 0, end.err
    assert end.require_closed_book()["records"]["delivered"] == 3
    bodies = [line["body"] for line in sandbox.received(recorded=True)]
    assert {body["properties"]["moe_project_name"] for body in bodies} == {"Shop"}


def test_resume_keeps_the_pace_of_the_last_run_unless_another_is_given(
    tmp_path: Path, logs: Path, sandbox: SandboxProcess
) -> None:
    write_lines(logs / "a.jsonl.gz", [message(n) for n in range(60)])
    sandbox.faults([{"match": {"properties.n": 0}, "status": 403}])
    run(tmp_path, sandbox, "--name", "job", "--rps", "20", code=1)
    sandbox.reset()
    sandbox.faults([])
    requests = replay(tmp_path, "resume", ".replay/job.ckpt", "--json").summary["run"]["requests"]
    assert requests["attempts"] == sandbox.stats()["attempts"] > 40
    assert requests["peak_per_second"] <= 20


def test_no_lock_stays_behind(tmp_path: Path, logs: Path, sandbox: SandboxProcess) -> None:
    run(tmp_path, sandbox, "--name", "job")
    replay(tmp_path, "status", ".replay/job.ckpt")
    assert [path.name for path in (tmp_path / ".replay").iterdir()] == ["job.ckpt"]


def test_a_checkpoint_in_a_folder_that_cannot_be_written_can_be_read(
    tmp_path: Path, logs: Path, sandbox: SandboxProcess
) -> None:
    run(tmp_path, sandbox, "--name", "job")
    (tmp_path / ".replay" / "job.ckpt").chmod(0o444)
    (tmp_path / ".replay").chmod(0o555)
    status = replay(tmp_path, "status", ".replay/job.ckpt", "--json")
    (tmp_path / ".replay").chmod(0o755)
    assert status.code == 0, status.err
    assert status.summary["records"]["delivered"] == 3


def test_the_job_is_found_from_another_folder_spelled_otherwise(
    tmp_path: Path, logs: Path, sandbox: SandboxProcess
) -> None:
    """A source is canonical: a job does not depend on how its path was typed."""
    run(tmp_path, sandbox)
    spelled = f"{tmp_path}/logs/../logs/"
    end = replay(tmp_path, "run", spelled, "--endpoint", sandbox.url, "--json")
    assert "already complete" in end.summary["reason"]


def test_two_runs_of_one_checkpoint_or_one_workspace_never_go_together(
    tmp_path: Path, logs: Path, sandbox: SandboxProcess
) -> None:
    """The second is refused, naming the first's pid."""
    write_lines(tmp_path / "others" / "a.jsonl", numbered(9))
    sandbox.faults([{"hang": True}])
    first = start(tmp_path, "run", "logs", "--endpoint", sandbox.url, "--name", "job")
    wait_until(lambda: sandbox.stats()["attempts"], first)
    same_checkpoint = replay(tmp_path, "run", "logs", "--endpoint", sandbox.url, "--name", "job")
    same_workspace = replay(tmp_path, "run", "others", "--endpoint", sandbox.url)
    first.kill()
    first.communicate()
    assert same_checkpoint.code == same_workspace.code == 1
    assert f"another run (pid {first.pid}) is using the checkpoint" in same_checkpoint.err
    assert f"another run (pid {first.pid}) is using the workspace" in same_workspace.err

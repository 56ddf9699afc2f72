"""A file that changed in mid-job: refused, or gone on with by the message ids already sent from it (rule 6)."""

import gzip
import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.archives import history, message, write_lines
from tests.support.kills import kill_after
from tests.support.letters import read_letters
from tests.support.processes import Finished, replay
from tests.support.sandbox_process import SandboxProcess

Records = Sequence[Mapping[str, Any]]


def run(cwd: Path, sandbox: SandboxProcess, *more: str, code: int = 0) -> Finished:
    end = replay(cwd, "run", "logs", "--endpoint", sandbox.url, "--checkpoint", "job.ckpt", "--json", *more)
    assert end.code == code, end.err
    return end


def sent(sandbox: SandboxProcess) -> "Counter[int]":
    return Counter(line["body"]["properties"]["n"] for line in sandbox.received(recorded=True))


@pytest.fixture
def half_sent(tmp_path: Path, sandbox: SandboxProcess) -> Path:
    """A file of which 1 to 3 and 5 to 9 were sent when the run stopped at 4."""
    file = write_lines(tmp_path / "logs" / "a.jsonl", [message(n) for n in range(1, 10)])
    sandbox.faults([{"match": {"properties.n": 4}, "status": 401, "latency": 0.5}])
    run(tmp_path, sandbox, code=1)
    sandbox.faults([])
    assert sent(sandbox) == Counter([1, 2, 3, 5, 6, 7, 8, 9])
    return file


def test_a_change_is_refused_naming_the_way_on(tmp_path: Path, sandbox: SandboxProcess, half_sent: Path) -> None:
    write_lines(half_sent, [message(1)])
    assert "--changed continue" in run(tmp_path, sandbox, code=2).err
    assert "--changed continue" in replay(tmp_path, "resume", "job.ckpt").err


def test_what_was_not_sent_of_the_new_version_is_sent_once(
    tmp_path: Path, sandbox: SandboxProcess, half_sent: Path
) -> None:
    """Some are gone, some moved, some are new; one that was sent once is there twice now."""
    write_lines(half_sent, [message(n) for n in (20, 9, 4, 1, 2, 2, 21)])
    summary = run(tmp_path, sandbox, "--changed", "continue").require_closed_book()
    assert sent(sandbox) == Counter([1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 20, 21])
    assert summary["records"]["delivered"] == summary["records"]["read"] == 12
    assert summary["objects"]["total"] == summary["objects"]["complete"] == 1
    assert "already complete" in run(tmp_path, sandbox).summary["reason"]


def test_resume_goes_on_too(tmp_path: Path, sandbox: SandboxProcess, half_sent: Path) -> None:
    write_lines(half_sent, [message(n) for n in (3, 4)])
    end = replay(tmp_path, "resume", "job.ckpt", "--changed", "continue", "--json")
    assert end.code == 0, end.err
    assert sent(sandbox) == Counter(range(1, 10))


def test_skipped_rejected_and_warned_records_are_counted_anew(tmp_path: Path, sandbox: SandboxProcess) -> None:
    """They are no part of what was sent, so the new version alone says how many there are."""
    bad: list[Mapping[str, Any] | bytes] = [b"not json", b"nor this", message(7, type="page"), message(8, timestamp="")]
    file = write_lines(tmp_path / "logs" / "a.jsonl", [message(1), *bad, message(2)])
    sandbox.faults([{"match": {"properties.n": 2}, "status": 401, "latency": 0.5}])
    run(tmp_path, sandbox, code=1)
    sandbox.faults([])
    write_lines(file, [message(1), b"not json", message(8, timestamp=""), message(2)])
    summary = run(tmp_path, sandbox, "--changed", "continue", code=3).require_closed_book()
    assert summary["records"]["read"] == 4
    assert (summary["skipped"], summary["rejected"]) == ({}, {"malformed_json": 1})
    assert summary["warnings"] == {"missing_time": 1}
    letters = read_letters(tmp_path)
    assert [(letter["text"], letter["line"]) for letter in letters] == [("not json", 2)]
    assert sent(sandbox) == Counter([1, 2, 8])


def test_a_damaged_file_that_is_repaired_is_sent_to_its_end(tmp_path: Path, sandbox: SandboxProcess) -> None:
    file = write_lines(tmp_path / "logs" / "a.jsonl.gz", [message(n) for n in range(5000)])
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    damaged = run(tmp_path, sandbox, "--rps", "5000", code=3).summary
    assert 0 < damaged["records"]["delivered"] < 5000
    file.write_bytes(whole)
    assert run(tmp_path, sandbox, code=3).summary["objects"]["changed"] == [str(file)], "refused, but finished: noted"
    summary = run(tmp_path, sandbox, "--rps", "5000", "--changed", "continue").require_closed_book()
    assert summary["objects"]["damaged"] == summary["objects"]["changed"] == []
    assert sent(sandbox) == Counter(range(5000))


def test_parked_messages_of_the_old_version_are_sent_before_those_of_the_new(
    tmp_path: Path, sandbox: SandboxProcess
) -> None:
    """What was tried is kept as it was; what only waited behind it is read anew, if it is still there."""
    mine = [message(n, userId="me") for n in range(1, 6)]
    others = [message(n) for n in range(100, 400)]
    file = write_lines(tmp_path / "logs" / "a.jsonl", mine + others)
    sandbox.faults([{"match": {"properties.n": 1}, "status": 500}, {"match": {"properties.n": 399}, "status": 401}])
    parking = ["--rps", "200", "--concurrency", "4", "--max-attempts", "1", "--on-exhausted", "pause"]
    end = run(tmp_path, sandbox, *parking, code=1)
    assert end.require_closed_book()["records"]["pending"] > 0
    sandbox.faults([])
    write_lines(file, [mine[4], *others, mine[2], message(6, userId="me")])
    summary = run(tmp_path, sandbox, "--changed", "continue").require_closed_book()
    arrived = [line["body"]["properties"]["n"] for line in sandbox.received(recorded=True)]
    assert summary["records"]["pending"] == 0
    assert sorted(arrived) == [1, 3, 5, 6, *range(100, 400)], "2 and 4 were never tried, and are gone"
    assert [n for n in arrived if n < 100] == [1, 3, 5, 6]


KILLS = 12
MESSAGES = 8000


def rewritten(messages: Records, dice: random.Random, new: int) -> list[Mapping[str, Any]]:
    """Another version: a tenth of the users is gone, there are new lines, and all is in another order."""
    gone = set(dice.sample(range(800), 80))
    kept = [made for made in messages if int(str(made.get("userId", "user-9999"))[5:]) not in gone]
    version = [*kept, *(message(new + n) for n in range(300))]
    version += dice.sample(version, 100)  # the same message twice
    dice.shuffle(version)
    return version


def with_some_without_ids(messages: Records) -> list[Mapping[str, Any]]:
    return [
        {key: value for key, value in made.items() if key != "messageId" or made["properties"]["n"] % 5}
        for made in messages
    ]


@pytest.mark.parametrize("in_doubt", ["resend", "dead-letter"])
def test_a_file_rewritten_twice_between_kills_is_sent_once(tmp_path: Path, in_doubt: str) -> None:
    """Each occurrence in the last version is sent once, and what older versions sent is not sent again."""
    dice = random.Random(11)
    versions = [with_some_without_ids(history(MESSAGES, users=800))]
    versions.append(rewritten(versions[0], dice, 100_000))
    versions.append(rewritten(versions[1], dice, 200_000))
    file = tmp_path / "logs" / "a.jsonl.gz"
    with SandboxProcess(rps=1_000_000, latency=0.05) as sandbox:
        command = ["run", "logs", "--endpoint", sandbox.url, "--rps", "900", "--in-doubt", in_doubt, "--json"]
        command += ["--checkpoint", "job.ckpt", "--changed", "continue"]
        for version in versions:
            file.parent.mkdir(exist_ok=True)
            file.with_suffix(".new").write_bytes(
                gzip.compress(b"".join(json.dumps(m).encode() + b"\n" for m in version))
            )
            file.with_suffix(".new").rename(file)
            for _ in range(KILLS // 3):
                kill_after(dice.randrange(50, 500), sandbox, tmp_path, command)
        end = replay(tmp_path, *command)
        times = sent(sandbox)
    summary = end.require_closed_book()
    in_last = Counter(made["properties"]["n"] for made in versions[-1] if made["type"] == "track")
    most = in_last.copy()
    for version in versions[:-1]:
        most |= Counter(made["properties"]["n"] for made in version if made["type"] == "track")
    doubted = summary["in_doubt"]
    dead = Counter(
        letter["record"]["properties"]["n"] for letter in (read_letters(tmp_path) if in_doubt != "resend" else [])
    )

    assert summary["state"] == "complete"
    assert doubted > 0
    assert times[200_000] == 1
    assert any(times[n] and not in_last[n] for n in range(MESSAGES)), "older versions were sent in part"
    assert sum((times - most).values()) <= (doubted if in_doubt == "resend" else 0), "nothing twice but in doubt"
    assert not in_last - times - dead, "nothing lost"
    assert summary["records"]["skipped"] == sum(made["type"] == "page" for made in versions[-1])
    if in_doubt == "resend":
        assert end.code == 0
        assert not dead
    else:
        assert end.code == 3
        assert summary["dead_lettered"] == {"in_doubt": sum(dead.values())}


# -- other settings -------------------------------------------------------------------------------------------


def test_other_settings_are_refused_until_they_are_amended_and_that_is_recorded(
    tmp_path: Path, sandbox: SandboxProcess, half_sent: Path
) -> None:
    assert "--amend REASON" in run(tmp_path, sandbox, "--project-name", "Shop", code=2).err
    reason = "[bold]the project was forgotten"
    end = run(tmp_path, sandbox, "--project-name", "Shop", "--strict", "--amend", reason)
    assert end.require_closed_book()["records"]["delivered"] == 9
    (last,) = [line["body"] for line in sandbox.received(recorded=True) if line["body"]["properties"]["n"] == 4]
    assert last["properties"]["moe_project_name"] == "Shop"
    status = replay(tmp_path, "status", "job.ckpt", "--json").summary
    amendments = [{name: made[name] for name in made if name != "at"} for made in status["amendments"]]
    assert amendments == [
        {"reason": reason, "setting": "project_name", "before": "not set", "after": "Shop"},
        {"reason": reason, "setting": "strict", "before": "off", "after": "on"},
    ]
    assert f"--project-name was not set, is Shop: {reason}" in replay(tmp_path, "status", "job.ckpt").out
    assert "already complete" in replay(tmp_path, "resume", "job.ckpt", "--json").summary["reason"]
    assert "already complete" in run(tmp_path, sandbox, "--project-name", "Shop", "--strict").summary["reason"]
    assert "--project-name was Shop" in run(tmp_path, sandbox, code=2).err


def test_a_finished_job_is_amended_for_what_comes(tmp_path: Path, sandbox: SandboxProcess) -> None:
    write_lines(tmp_path / "logs" / "a.jsonl", [message(1)])
    run(tmp_path, sandbox)
    assert "already complete" in run(tmp_path, sandbox, "--strict", "--amend", "new rules").summary["reason"]
    write_lines(tmp_path / "logs" / "b.jsonl", [message(2, timestamp="")])
    assert run(tmp_path, sandbox, "--strict", code=3).summary["rejected"] == {"missing_time": 1}


def test_an_amendment_of_nothing_says_so(tmp_path: Path, sandbox: SandboxProcess) -> None:
    write_lines(tmp_path / "logs" / "a.jsonl", [message(1)])
    assert "nothing to amend" in run(tmp_path, sandbox, "--amend", "in vain").err
    again = run(tmp_path, sandbox, "--amend", "in vain")
    assert "nothing to amend" in again.err
    assert again.summary["amendments"] == []


def test_another_job_is_never_amended(tmp_path: Path, sandbox: SandboxProcess) -> None:
    write_lines(tmp_path / "logs" / "a.jsonl", [message(1)])
    run(tmp_path, sandbox)
    write_lines(tmp_path / "others" / "a.jsonl", [message(9)])
    more = ("--endpoint", sandbox.url, "--checkpoint", "job.ckpt", "--amend", "moved")
    assert "belongs to another job" in replay(tmp_path, "run", "others", *more).err
    assert "belongs to another job" in replay(tmp_path, "run", "logs", *more, MOENGAGE_WORKSPACE_ID="other").err


def test_an_amendment_needs_a_reason_each_time(tmp_path: Path, sandbox: SandboxProcess) -> None:
    write_lines(tmp_path / "logs" / "a.jsonl", [message(1)])
    run(tmp_path, sandbox)
    assert "needs a reason" in run(tmp_path, sandbox, "--strict", "--amend", " ", code=2).err
    assert "not both" in run(tmp_path, sandbox, "--strict", "--amend", "why", "--restart", code=2).err
    arguments = ("run", "logs", "--endpoint", sandbox.url, "--checkpoint", "job.ckpt", "--strict")
    assert replay(tmp_path, *arguments, REPLAY_RUN_AMEND="from the environment").code == 2


def test_a_file_that_is_gone_half_sent_is_gone_on_without_and_with_again(
    tmp_path: Path, sandbox: SandboxProcess, half_sent: Path
) -> None:
    """What was sent of it stays known, so that it can come back."""
    text = half_sent.read_bytes()
    half_sent.unlink()
    write_lines(tmp_path / "logs" / "b.jsonl", [message(20)])
    assert "--changed continue" in run(tmp_path, sandbox, code=1).err
    end = run(tmp_path, sandbox, "--changed", "continue", code=3)
    summary = end.require_closed_book()
    assert summary["records"] == {
        **{"read": 9, "delivered": 9, "skipped": 0, "rejected": 0, "dead_lettered": 0, "pending": 0}
    }
    assert summary["objects"]["damage"] == {str(half_sent): "it was removed after a part of it was sent"}
    assert summary["objects"]["continued"] == [str(half_sent)]
    half_sent.write_bytes(text)
    summary = run(tmp_path, sandbox).require_closed_book()
    assert sent(sandbox) == Counter([*range(1, 10), 20])
    assert summary["records"]["delivered"] == 10
    assert summary["objects"]["damage"] == {}


def test_more_cannot_be_meant_after_some_was_left_out(tmp_path: Path, sandbox: SandboxProcess) -> None:
    """The job has passed those records and would never look at them again."""
    times = [f"2025-03-01T{hour:02}:00:00.000Z" for hour in range(10)]
    write_lines(tmp_path / "logs" / "a.jsonl", [message(n, receivedAt=time) for n, time in enumerate(times)])
    run(tmp_path, sandbox, "--received-until", "2025-03-01T04:00")
    refused = run(tmp_path, sandbox, "--received-until", "2025-03-01T06:00", "--amend", "the rest", code=2)
    assert "6 records that this job has read were left out by its selection" in refused.err
    narrower = run(tmp_path, sandbox, "--received-until", "2025-03-01T03:00", "--amend", "less")
    assert narrower.summary["records"]["delivered"] == 4
    assert sent(sandbox) == Counter(range(4))


def test_an_amendment_that_is_given_up_leaves_nothing_behind(tmp_path: Path, sandbox: SandboxProcess) -> None:
    """What it would have added was listed, but is not the job's."""
    for day in range(2):
        lines = [message(10 * day + n, receivedAt=f"2025-03-0{day + 1}T10:00:00.000Z") for n in range(3)]
        write_lines(tmp_path / "logs" / "src" / str(1740787200000 + day * 86_400_000) / "a.gz", lines)
    one_day = ("--received-until", "2025-03-02")
    run(tmp_path, sandbox, *one_day, "--limit", "1", code=4)
    arguments = ("run", "logs", "--endpoint", sandbox.url, "--checkpoint", "job.ckpt", "--amend", "more")
    assert replay(tmp_path, *arguments, MOENGAGE_API_KEY="").code == 2
    summary = run(tmp_path, sandbox, *one_day).require_closed_book()
    assert summary["objects"] | {"ignored": 0} == {
        **{"total": 1, "listing": False, "complete": 1, "damaged": [], "damage": {}, "changed": [], "continued": []},
        "ignored": 0,
    }
    run(tmp_path, sandbox, "--amend", "more")
    assert sent(sandbox) == Counter([0, 1, 2, 10, 11, 12])


def test_a_file_that_comes_back_while_a_job_is_amended_is_sent_once(tmp_path: Path, sandbox: SandboxProcess) -> None:
    for number, name in enumerate(("a", "b", "not_begun")):
        file = write_lines(tmp_path / "logs" / f"{name}.jsonl", [message(number)])
    run(tmp_path, sandbox, "--limit", "1", code=4)
    text = file.read_bytes()
    file.unlink()
    run(tmp_path, sandbox, code=3)
    file.write_bytes(text)
    write_lines(tmp_path / "logs" / "z.jsonl", [message(3)])
    run(tmp_path, sandbox, "--strict", "--amend", "stricter", "--changed", "continue")
    assert sent(sandbox) == Counter(range(4))


def test_a_new_version_that_was_broken_and_repaired_forgets_nothing(
    tmp_path: Path, sandbox: SandboxProcess, half_sent: Path
) -> None:
    text = half_sent.read_bytes()
    half_sent.write_bytes(b"\0broken upload")
    run(tmp_path, sandbox, "--changed", "continue", code=3)
    half_sent.write_bytes(text)
    run(tmp_path, sandbox)
    assert sent(sandbox) == Counter(range(1, 10))


def test_a_finished_job_repeats_its_end_though_its_archive_is_gone(tmp_path: Path, sandbox: SandboxProcess) -> None:
    """Archives expire; and what waits in the checkpoint can still go."""
    write_lines(tmp_path / "logs" / "a.jsonl", [message(n, userId="u") for n in range(3)])
    sandbox.faults([{"match": {"properties.n": 1}, "status": 500}])
    run(tmp_path, sandbox, "--max-attempts", "1", "--on-exhausted", "pause", code=4)
    (tmp_path / "logs" / "a.jsonl").unlink()
    sandbox.faults([])
    run(tmp_path, sandbox)
    assert sent(sandbox) == Counter(range(3))
    assert "already complete" in run(tmp_path, sandbox).summary["reason"]

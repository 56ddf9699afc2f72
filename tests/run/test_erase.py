"""`replay erase`: nothing of a person is left beside a job, its book closes, and what was sent is listed."""

import gzip
import json
import shutil
import sqlite3
import zlib
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pytest

from replay_cli.archive import S3Options
from replay_cli.archive.disk import DiskSource
from replay_cli.cli.erase import command
from replay_cli.cli.people import Theirs, read_people
from replay_cli.cli.pushing import Pushing
from replay_cli.cli.remote_checkpoint import open_checkpoint
from replay_cli.errors import FatalError, PausedError, UsageError
from replay_cli.ledger.lock import checkpoint_lock
from replay_cli.ledger.store import Store
from tests.support.archives import message, write_lines
from tests.support.letters import read_letters
from tests.support.machines import Plant
from tests.support.nursery import fork
from tests.support.processes import Finished, environment
from tests.support.s3_server import S3Server
from tests.support.sandbox_process import SandboxProcess

CHECKPOINT = ".replay/job.ckpt"
ERASED = "erased-person"


def theirs(n: int, **changes: Any) -> dict[str, Any]:
    return message(n, **{"userId": ERASED, **changes})


def replay(cwd: Path, *arguments: str) -> Finished:
    return Finished(fork(cwd, arguments, environment()))


def run(cwd: Path, sandbox: SandboxProcess, *more: str, code: int = 0) -> Finished:
    end = replay(cwd, "run", "logs", "--endpoint", sandbox.url, "--name", "job", "--json", *more)
    assert end.code == code, end.err
    return end


class Said(NamedTuple):
    """What a command that ended said."""

    out: str
    err: str

    @property
    def summary(self) -> dict[str, Any]:
        summary = json.loads(self.out)
        assert isinstance(summary, dict)
        return summary


class Eraser(Protocol):
    def __call__(self, cwd: Path, *more: str, who: str = ERASED) -> Said: ...


@pytest.fixture
def erase(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Eraser:
    """The command, in this process."""

    def run_it(cwd: Path, *more: str, who: str = ERASED) -> Said:
        (cwd / "people.txt").write_text(f"{who}\n" if who else "")
        monkeypatch.chdir(cwd)
        capsys.readouterr()
        command.main([CHECKPOINT, "--ids", "people.txt", *more], standalone_mode=False)
        return Said(*capsys.readouterr())

    return run_it


def summary_of(cwd: Path) -> dict[str, Any]:
    return replay(cwd, "status", CHECKPOINT, "--json").require_closed_book()


def rows(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def places(found: list[dict[str, Any]]) -> list[tuple[str, int, str]]:
    return [(Path(row["uri"]).name, row["line"], row["outcome"]) for row in found]


def kept_beside(cwd: Path) -> bytes:
    """All bytes of the checkpoint's files, those of the dead letters unpacked, and the texts in its tables."""
    found = b""
    for file in sorted((cwd / ".replay").iterdir()):
        content = file.read_bytes()
        found += gzip.decompress(content) if file.suffix == ".gz" else content
    with closing(sqlite3.connect(cwd / CHECKPOINT)) as db:
        for (kept,) in db.execute("SELECT record FROM dead_letter WHERE form = 1"):
            found += zlib.decompress(kept)
    return found


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory, server: SandboxProcess) -> Path:
    """A job that has something of a person everywhere: delivered, dead-lettered, rejected, parked."""
    folder = tmp_path_factory.mktemp("job")
    others = [message(n) for n in range(20, 40)]
    of_all_kinds: list[dict[str, Any] | bytes] = [
        theirs(1),
        theirs(2, event="Refused"),
        b'{"type": "track", "userId": "erased-person", "event": "Cut',
        b"[broken erased-person",
        message(5, userId="somebody", traits={"email": "Erased@Example.com"}, event="Refused"),
        theirs(6, timestamp="no time of this earth"),
        message(50, userId="somebody", event="Refused", properties={"n": 50, "seen_with": "nobody"}),
    ]
    late = [theirs(n, event="Parked", properties={"n": n, "x": "y" * 500}) for n in range(60, 70)]
    write_lines(folder / "logs" / "a.jsonl", [*of_all_kinds, *others])
    write_lines(folder / "logs" / "b.jsonl", [*late, message(70)])
    server.faults([{"match": {"event": "Refused"}, "status": 400}, {"match": {"event": "Parked"}, "status": 500}])
    run(folder, server, "--max-attempts", "3", "--on-exhausted", "pause", code=4)
    return folder


@pytest.fixture
def troubled(job: Path, tmp_path: Path, sandbox: SandboxProcess) -> Path:
    """A copy of that job's memory; its archives are where they were."""
    shutil.copytree(job / ".replay", tmp_path / ".replay")
    return tmp_path


# -- nothing is left ------------------------------------------------------------------------------------------


def test_nothing_of_a_person_is_left_in_any_file_beside_the_job(troubled: Path, erase: Eraser) -> None:
    before = kept_beside(troubled)
    assert b"erased-person" in before
    assert b"Erased@Example.com" in before
    (troubled / "more.csv").write_text("email\nerased@example.com\n")
    done = erase(troubled, "--ids", "more.csv", "--json").summary
    assert (done["people"], done["dead_letters"], done["parked"]) == (2, 5, 10)
    left = kept_beside(troubled).lower()
    assert b"erased-person" not in left
    assert b"erased@example.com" not in left
    assert b"nobody" in left, "the dead letter of somebody else stays"
    letters = read_letters(troubled / ".replay")
    assert Counter(letter.get("erased", False) for letter in letters) == {True: 5, False: 1}
    assert all(not letter["detail"] for letter in letters if letter.get("erased"))


def test_the_book_closes_and_the_job_goes_on_without_them(
    troubled: Path, sandbox: SandboxProcess, erase: Eraser
) -> None:
    before = summary_of(troubled)
    erase(troubled)
    after = summary_of(troubled)
    for outcome in ("rejected", "dead_lettered"):
        assert after[outcome] == before[outcome]
    assert after["records"]["read"] == before["records"]["read"]
    assert after["skipped"] == {"suppressed": 10}
    end = replay(troubled, "resume", CHECKPOINT, "--suppress", "people.txt", "--json")
    assert (end.code, end.require_closed_book()["records"]["pending"]) == (3, 0), end.err
    again = replay(troubled, "redrive", CHECKPOINT, "--suppress", "people.txt", "--json")
    assert again.summary["run"]["records"]["read"] == 2, "the dead letters of others go again"
    assert {line["body"]["user_id"] for line in sandbox.received(recorded=True)} == {"somebody"}


def test_a_dry_run_shows_the_same_and_changes_nothing(troubled: Path, erase: Eraser) -> None:
    files = {file: file.read_bytes() for file in (troubled / ".replay").iterdir()}
    shown = erase(troubled, "--dry-run", "--json").summary
    assert {file: file.read_bytes() for file in (troubled / ".replay").iterdir()} == files
    done = erase(troubled, "--json").summary
    assert [shown.pop("dry_run"), done.pop("dry_run")] == [True, False]
    assert any("--suppress people.txt" in note for note in shown.pop("notes")), "what waits would be sent"
    assert not any("--suppress" in note for note in done.pop("notes")), "nothing is left to be sent"
    assert shown == done


def test_a_run_that_holds_the_checkpoint_is_not_disturbed(troubled: Path, erase: Eraser) -> None:
    with (
        checkpoint_lock(troubled / CHECKPOINT),
        pytest.raises(FatalError, match="another run"),
    ):
        erase(troubled)
    assert erase(troubled, "--json").summary["parked"] == 10


def test_who_reads_the_checkpoint_meanwhile_is_waited_for_and_named(
    troubled: Path, erase: Eraser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Store, "wipe", lambda store: False)
    with pytest.raises(FatalError, match="still in its files, because somebody is reading it"):
        erase(troubled)
    monkeypatch.undo()
    assert Store.open(troubled / CHECKPOINT).wipe(), "it is remembered that this is to be done"


def test_the_details_of_examples_that_may_be_theirs_go_too(
    tmp_path: Path, sandbox: SandboxProcess, erase: Eraser
) -> None:
    """A detail may quote what a message says; that of a record which is known to be another one's stays."""
    odd = {"properties": {"n": 1, "x" * 500: "of erased-person"}, "userId": ERASED}
    write_lines(tmp_path / "logs" / "a.jsonl", [message(1, **odd), message(2, timestamp=None)])
    write_lines(tmp_path / "logs" / "b.jsonl", [message(3)])
    run(tmp_path, sandbox)
    with closing(sqlite3.connect(tmp_path / CHECKPOINT)) as db, db:
        db.execute("DELETE FROM example")
        db.execute(
            "INSERT INTO example VALUES ('odd', 1, 0, 'line', 'of erased-person'), ('odd', 1, 1, 'line', 'kept')"
        )
    assert erase(tmp_path, "--json").summary["examples"] == 1
    assert ERASED.encode() not in kept_beside(tmp_path)
    assert b"kept" in kept_beside(tmp_path)
    assert erase(tmp_path, "--json", "--no-scan").summary["examples"] == 1, "nobody looked whose it is"
    assert b"kept" not in kept_beside(tmp_path)


# -- what was sent --------------------------------------------------------------------------------------------


def test_what_was_sent_of_theirs_is_listed_with_its_place(troubled: Path, job: Path, erase: Eraser) -> None:
    said = erase(troubled)
    assert rows(said.out) == [
        {
            "uri": str(job / "logs" / "a.jsonl"),
            "line": 1,
            "outcome": "sent",
            "type": "track",
            "timestamp": "2025-03-01T10:00:00.001Z",
        }
    ]
    assert "sent: 1 record" in said.err
    assert "not covered: reports written before" in said.err


@pytest.mark.parametrize(("who", "is_said"), [(ERASED, True), ("m-x", True), ("somebody-else", False)])
def test_a_selection_that_names_them_is_said_to_stay(
    who: str, is_said: bool, tmp_path: Path, sandbox: SandboxProcess, erase: Eraser
) -> None:
    write_lines(tmp_path / "logs" / "a.jsonl", [theirs(1), message(2)])
    run(tmp_path, sandbox, "--user-id", ERASED, "--where", 'messageId != "m-x"')
    assert ("the settings of the job name them" in erase(tmp_path, who=who).err) is is_said


def test_the_list_goes_to_a_file_of_its_owner_only(troubled: Path, erase: Eraser) -> None:
    (troubled / "sent.jsonl").write_text("older")
    (troubled / "sent.jsonl").chmod(0o644)
    done = erase(troubled, "--output", "sent.jsonl", "--json").summary
    assert places(rows((troubled / "sent.jsonl").read_text())) == [("a.jsonl", 1, "sent")]
    assert (troubled / "sent.jsonl").stat().st_mode & 0o777 == 0o600
    assert done["records"] == {"sent": 1, "perhaps_sent": 0, "sent_in_part": 0, "in_doubt": 0}
    assert len(done["listed"]) == 1


@pytest.mark.parametrize("output", ["logs/x.jsonl", ".replay/job.ckpt", ".replay/job.dead-letters.jsonl.gz", "no/x"])
def test_a_list_is_not_written_where_it_would_destroy_something(
    troubled: Path, job: Path, erase: Eraser, output: str
) -> None:
    with pytest.raises(UsageError, match="--output"):
        erase(troubled, "--output", str(job / output) if output.startswith("logs") else output)


def test_what_the_settings_left_out_was_not_sent_and_what_arrived_in_part_is_said(
    tmp_path: Path, sandbox: SandboxProcess, erase: Eraser
) -> None:
    events = ["Tested", "Doubtful", "Other", "Tested"]
    write_lines(tmp_path / "logs" / "a.jsonl", [theirs(n, event=event) for n, event in enumerate(events)])
    sandbox.faults([{"match": {"event": "Doubtful"}, "reset": "after"}])
    run(tmp_path, sandbox, "--in-doubt", "dead-letter", "--event", "Tested", "--event", "Doubtful", code=3)
    with closing(sqlite3.connect(tmp_path / CHECKPOINT)) as db, db:
        db.execute(
            "INSERT INTO dead_letter VALUES (9, 1, 3, 'dead_lettered', 'r', '', 1, 1.0, 'line', '', 0, '0', 0, 3)"
        )
    assert places(rows(erase(tmp_path, "--no-scan").out)) == [("a.jsonl", 2, "in_doubt")]
    found = [("a.jsonl", 1, "sent"), ("a.jsonl", 2, "in_doubt"), ("a.jsonl", 4, "sent_in_part")]
    assert places(rows(erase(tmp_path).out)) == found
    assert ERASED.encode() not in kept_beside(tmp_path)


def test_where_people_were_left_out_before_it_is_not_certain_what_was_sent(
    tmp_path: Path, sandbox: SandboxProcess, erase: Eraser
) -> None:
    write_lines(tmp_path / "logs" / "a.jsonl", [theirs(1), message(2)])
    (tmp_path / "before.txt").write_text(f"{ERASED}\n")
    run(tmp_path, sandbox, "--suppress", "before.txt")
    assert places(rows(erase(tmp_path).out)) == [("a.jsonl", 1, "perhaps_sent")]


def test_archives_that_cannot_be_looked_through_are_named(
    tmp_path: Path, sandbox: SandboxProcess, erase: Eraser
) -> None:
    for name in "abc":
        write_lines(tmp_path / "logs" / f"{name}.jsonl", [theirs(1)])
    run(tmp_path, sandbox)
    gone, changed = (tmp_path / "logs" / f"{name}.jsonl" for name in "ab")
    gone.unlink()
    write_lines(changed, [theirs(1), theirs(2)])
    done = erase(tmp_path, "--json").summary
    assert done["not_looked_through"] == {
        str(gone): "it is not there any more",
        str(changed): "it changed since it was read",
    }
    assert places(done["listed"]) == [("c.jsonl", 1, "sent")]
    said = erase(tmp_path, "--no-scan")
    assert said.out == ""
    assert "what was sent is not known" in said.err


def test_a_store_that_fails_is_an_error_once_all_else_is_done(
    troubled: Path, erase: Eraser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise FatalError("the disk is gone")

    monkeypatch.setattr(DiskSource, "find", fail)
    with pytest.raises(FatalError, match="could be looked through, so the list is not whole: the disk is gone"):
        erase(troubled)
    assert b"erased-person" not in kept_beside(troubled)


# -- on S3 ----------------------------------------------------------------------------------------------------


def test_a_person_is_erased_from_a_checkpoint_on_s3_and_from_all_beside_it(
    tmp_path: Path, s3_server: S3Server, bucket: str, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    plant = Plant(tmp_path, s3_server, bucket, sandbox.url)
    reach = ("--s3-endpoint-url", s3_server.url)
    plant.put("a", [theirs(1), theirs(2, event="Refused"), message(3), message(4, event="Refused")])
    sandbox.faults([{"match": {"event": "Refused"}, "status": 400}])
    plant.machine("a").run(plant.run(), code=3)
    other = plant.machine("b")
    (other.folder / "people.txt").write_text(f"{ERASED}\n")
    told = other.run(["status", plant.checkpoint, *reach, "--json"]).summary
    assert "pid" in told["remote"]["owner"]
    command = ["erase", plant.checkpoint, "--ids", "people.txt", *reach, "--lease", "3s"]
    assert [row["line"] for row in rows(other.run([*command, "--dry-run"]).out)] == [1]
    assert ERASED.encode() in stored(plant)
    end = other.run(command)
    assert [(row["line"], row["outcome"]) for row in rows(end.out)] == [(1, "sent")]
    assert "what other machines have" in end.err
    assert ERASED.encode() not in stored(plant)
    assert b"user-4" in stored(plant)
    assert ERASED.encode() not in b"".join(file.read_bytes() for file in other.folder.rglob("*.ckpt*"))
    sandbox.faults([])
    redriven = plant.machine("c").run(["redrive", plant.checkpoint, *reach, "--lease", "3s", "--json"])
    assert redriven.require_closed_book()["run"]["records"]["delivered"] == 1


def test_what_could_not_be_erased_on_s3_is_an_error(
    tmp_path: Path, s3_server: S3Server, bucket: str, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the run before had failed, so that the state of the job does not tell."""
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    plant = Plant(tmp_path, s3_server, bucket, sandbox.url)
    plant.put("a", [theirs(1)])
    sandbox.faults([{"match": {}, "status": 401}])
    machine = plant.machine("a")
    machine.run(plant.run(), code=1)
    (machine.folder / "people.txt").write_text(f"{ERASED}\n")
    monkeypatch.chdir(machine.folder)

    def fail(*_: Any) -> None:
        raise PausedError("the store is gone")

    monkeypatch.setattr(Pushing, "push_at_rest", fail)
    arguments = [plant.checkpoint, "--ids", "people.txt", "--s3-endpoint-url", s3_server.url]
    with pytest.raises(FatalError, match="the store is gone"):
        command.main(arguments, standalone_mode=False)


def stored(plant: Plant) -> bytes:
    """All that lies on S3 where the checkpoint is, unpacked, and the texts in its tables."""
    found = b""
    for name in plant.state():
        content = plant.get(f"s3://{plant.bucket}/state/{name}")
        found += gzip.decompress(content) if name.endswith(".gz") else content
    with open_checkpoint(plant.checkpoint, S3Options(endpoint_url=plant.server.url)) as seen:
        found += b"".join(record or b"" for _, _, record in seen.store.dead_letters(after=0))
    return found


# -- whose a record is ----------------------------------------------------------------------------------------


def listed(folder: Path, *entries: str) -> Theirs:
    (folder / "people").write_text("".join(f"{entry}\n" for entry in entries))
    return Theirs(read_people([folder / "people"]), lambda message: [])


@pytest.mark.parametrize(
    "record",
    [
        b'{"type":"track","userId":"u 1"}',
        b'{"type":"track","anonymousId":"u 1"}',
        b'{"type":"alias","previousId":"u 1"}',
        b'{"type":"track","traits":{"email":" U1@example.com"}}',
        b'{"kind":"dead_lettered","uri":"x","ordinal":1,"record":{"type":"track","userId":"u 1"}}',
        b'{"kind":"rejected","uri":"x","ordinal":1,"text":"no message of \\"u 1\\" at all", "x": "u 1"}',
        b'{"type":"track","userId":"u 1',
        b'["u 1"]',
        b'{"userId": "u\\u00201", broken',
        b"userId=u1@EXAMPLE.com;",
        b'{"a":' * 300 + b'"u 1"',
    ],
)
def test_a_record_is_theirs_by_its_ids_and_by_its_words_where_it_is_no_message(tmp_path: Path, record: bytes) -> None:
    assert listed(tmp_path, "u 1", "U1@example.com").of(record) is not None
    assert listed(tmp_path, "u 2", "U2@example.com").of(record) is None


def test_a_list_of_nobody_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is empty, so there is nobody to erase"):
        listed(tmp_path)


@pytest.mark.parametrize("record", [b'"' * 900_001, b"\\" * 900_000, b'"\\' * 400_000, b'\\"' * 400_000, b"\xff" * 9])
def test_hostile_texts_are_nobodys(tmp_path: Path, record: bytes) -> None:
    assert listed(tmp_path, "u 1").of(record) is None

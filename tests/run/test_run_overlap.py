"""What another job has sent is not sent again without knowing it: refused, asked about, or said with `--again`."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any, cast

import pytest

from replay_cli.archive import S3Options, open_source
from replay_cli.cli import overlap
from replay_cli.cli.overlap import Lookout, look_again, look_out
from replay_cli.cli.session import Session
from replay_cli.cli.siblings import siblings_of
from replay_cli.errors import UsageError
from replay_cli.job import Job
from replay_cli.ledger.history import History, Sibling
from replay_cli.ledger.store import Store
from replay_cli.model import ArchiveObject
from replay_cli.moengage.regions import REGIONS
from replay_cli.reading import listed
from replay_cli.remote import Place, reading, snapshots
from replay_cli.remote.snapshots import fetch_snapshot
from replay_cli.report.terminal import error_console
from replay_cli.segment.selection import EVERYTHING
from tests.support.archives import message, write_lines
from tests.support.in_process import Told, replay_here
from tests.support.machines import Plant
from tests.support.processes import Finished, replay
from tests.support.s3_server import S3Server
from tests.support.sandbox_process import SandboxProcess

COUNT = 5


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Two objects of five messages each."""
    for number, name in enumerate("ab"):
        write_lines(tmp_path / "logs" / f"{name}.jsonl", (message(n + COUNT * number) for n in range(COUNT)))
    return tmp_path / "logs"


def run(cwd: Path, sandbox: SandboxProcess, source: str, name: str, *more: str) -> Finished:
    return replay(cwd, "run", source, "--endpoint", sandbox.url, "--name", name, "--json", *more)


def refused(cwd: Path, sandbox: SandboxProcess, source: str, name: str, *more: str) -> Told:
    """Run what must be refused: it sends nothing, so it needs no process."""
    told = replay_here(cwd, "run", source, "--endpoint", sandbox.url, "--name", name, *more)
    assert told.code == 2, told.err
    return told


def found(archive: Path) -> list[ArchiveObject]:
    """All objects, as they are listed."""
    return [obj for page in open_source([str(archive)], EVERYTHING).pages() for obj in page]


def sent_by(
    cwd: Path,
    name: str,
    endpoint: str,
    workspace_id: str,
    objects: Sequence[ArchiveObject],
    settings: Mapping[str, Any] = MappingProxyType({}),
) -> Path:
    """Make the checkpoint of another job that has sent something of some objects."""
    path = cwd / ".replay" / f"{name}.ckpt"
    with closing(Store.create(path, Job(("logs",), endpoint, workspace_id, settings).stored())) as store:
        store.start_run(5000.0, {})
    with closing(sqlite3.connect(path)) as db, db:
        for number, obj in enumerate(objects, 1):
            row = (number, obj.uri, obj.etag)
            db.execute("INSERT INTO object (id, uri, etag, size) VALUES (?, ?, ?, 1)", row)
            db.execute("INSERT INTO tally VALUES (?, 'delivered', '', 5)", (number,))
    return path


def test_what_another_job_has_sent_is_sent_again_only_knowingly(
    tmp_path: Path, archive: Path, sandbox: SandboxProcess
) -> None:
    first = run(tmp_path, sandbox, "logs/a.jsonl", "first")
    assert (first.code, first.summary["overlap"]) == (0, None)
    told = refused(tmp_path, sandbox, "logs", "second")
    assert "1 object under the sources was sent to this workspace already" in told.err
    assert "by job first (until 20" in told.err
    assert "--again" in told.err
    assert sandbox.stats()["attempts"] == COUNT
    assert not (tmp_path / ".replay" / "second.ckpt").exists()
    again = run(tmp_path, sandbox, "logs", "second", "--again", "--limit", "2")
    assert (again.code, again.summary["overlap"]) == (4, {"objects": 1, "jobs": ["first"]})
    # It was said once: the job goes on without saying so again.
    rest = run(tmp_path, sandbox, "logs", "second")
    assert (rest.code, rest.summary["overlap"]) == (0, {"objects": 1, "jobs": ["first"]})
    assert sandbox.stats()["attempts"] == 3 * COUNT


def test_what_is_new_under_the_sources_is_looked_up_too_and_nothing_of_it_is_begun(
    tmp_path: Path, archive: Path, sandbox: SandboxProcess
) -> None:
    aside = (archive / "b.jsonl").rename(tmp_path / "b.jsonl")
    assert run(tmp_path, sandbox, "logs", "nightly").code == 0
    aside.rename(archive / "b.jsonl")
    write_lines(archive / "c.jsonl", [message(100)])
    sent_by(tmp_path, "by-hand", sandbox.url, "sandbox", found(archive)[1:2])
    told = refused(tmp_path, sandbox, "logs", "nightly")
    assert "by job by-hand" in told.err
    assert sandbox.stats()["attempts"] == COUNT
    again = run(tmp_path, sandbox, "logs", "nightly", "--again")
    assert (again.code, again.summary["overlap"]) == (0, {"objects": 1, "jobs": ["by-hand"]})
    assert again.summary["run"]["records"]["delivered"] == COUNT + 1


def test_what_waits_since_an_earlier_run_is_looked_up_as_it_goes_on(
    tmp_path: Path, archive: Path, sandbox: SandboxProcess
) -> None:
    """It was nobody's when it was listed; another job was quicker."""
    assert run(tmp_path, sandbox, "logs", "slow", "--limit", "1", "--concurrency", "1").code == 4
    sent_by(tmp_path, "quick", sandbox.url, "sandbox", found(archive)[1:])
    told = replay_here(tmp_path, "resume", ".replay/slow.ckpt")
    assert told.code == 2
    assert "by job quick" in told.err
    assert sandbox.stats()["attempts"] == 1


def test_only_the_same_version_sent_to_the_same_workspace_by_another_job_counts(
    tmp_path: Path, archive: Path, sandbox: SandboxProcess
) -> None:
    sent_by(tmp_path, "first", sandbox.url, "sandbox", [obj._replace(etag="older") for obj in found(archive)])
    sent_by(tmp_path, "second", sandbox.url, "another", found(archive))
    assert run(tmp_path, sandbox, "logs", "third").code == 0
    # The same job anew is meant so.
    assert run(tmp_path, sandbox, "logs", "third", "--restart").code == 0


@pytest.mark.parametrize(
    ("theirs", "ours", "refusal"),
    [
        ({"received_until": "2025-03-01T12:00:00Z"}, ("--received-from", "2025-03-01T12:00"), "--must-resume forbids"),
        ({"received_until": "2025-03-01T12:00:01Z"}, ("--received-from", "2025-03-01T12:00"), "say --again"),
        ({"sample": "0-1%"}, ("--sample", "1-100%"), "--must-resume forbids"),
        ({"type": ["track"]}, ("--type", "identify"), "--must-resume forbids"),
        ({"type": ["track"]}, (), "say --again"),
    ],
)
def test_jobs_that_mean_no_message_in_common_may_read_the_same_objects(
    tmp_path: Path, archive: Path, theirs: dict[str, Any], ours: tuple[str, ...], refusal: str
) -> None:
    """A canary and the rest of it, or two halves of a day; what comes next is refused for another reason here."""
    sent_by(tmp_path, "first", REGIONS["DC_01"], "w", found(archive), theirs)
    where = ("--region", "DC_01", "--workspace-id", "w", "--must-resume", "--yes")
    told = replay_here(tmp_path, "run", "logs", "--name", "second", *where, *ours)
    assert told.code == 2
    assert refusal in told.err


def test_the_embedded_sandbox_is_everybodys(tmp_path: Path, archive: Path) -> None:
    sent_by(tmp_path, "first", "sandbox", "sandbox", found(archive))
    assert replay(tmp_path, "run", "logs", "--sandbox", "--name", "second").code == 0


def test_what_lies_beside_and_cannot_be_read_is_named_and_passed_over(
    tmp_path: Path, archive: Path, sandbox: SandboxProcess
) -> None:
    (tmp_path / ".replay").mkdir()
    (tmp_path / ".replay" / "odd.ckpt").write_text("no checkpoint")
    end = run(tmp_path, sandbox, "logs", "first")
    assert end.code == 0
    assert "what a job beside this one has sent is not known" in end.err
    assert "odd.ckpt" in end.err


# -- who is asked ---------------------------------------------------------------------------------------------


@pytest.fixture
def sent_to_a_region(tmp_path: Path, archive: Path) -> Path:
    """A checkpoint that says that both objects were sent to a real workspace."""
    return sent_by(tmp_path, "earlier", REGIONS["DC_01"], "w", found(archive))


def test_who_is_asked_is_told_before_the_answer(tmp_path: Path, archive: Path, sent_to_a_region: Path) -> None:
    where = ("--region", "DC_01", "--workspace-id", "w")
    told = replay_here(tmp_path, "run", "logs", *where)
    assert told.code == 2
    sentences = " ".join(told.err.split())
    assert "2 objects under the sources were sent to this workspace already" in sentences
    assert "by job earlier (until 1970-01-01 01:23 UTC)" in sentences
    assert "nobody is there to ask" in sentences
    assert [path.name for path in sent_to_a_region.parent.glob("*.ckpt")] == ["earlier.ckpt"]


def test_yes_does_not_mean_again(tmp_path: Path, archive: Path, sent_to_a_region: Path) -> None:
    where = ("--region", "DC_01", "--workspace-id", "w", "--yes")
    told = replay_here(tmp_path, "run", "logs", *where)
    assert told.code == 2
    assert "say --again" in told.err
    assert [path.name for path in sent_to_a_region.parent.glob("*.ckpt")] == ["earlier.ckpt"]


def test_again_is_said_on_the_command_line_only(tmp_path: Path, archive: Path) -> None:
    """In a job file or the environment it would be said by nobody in particular."""
    told = replay_here(tmp_path, "run", "logs", "--sandbox", REPLAY_RUN_AGAIN="1")
    assert told.code == 2
    assert "REPLAY_RUN_AGAIN" in told.err


@pytest.mark.parametrize("goes_on", [False, True])
def test_what_is_sent_while_somebody_thinks_it_over_is_not_agreed_to(
    tmp_path: Path, archive: Path, goes_on: bool
) -> None:
    objects, endpoint = found(archive), REGIONS["DC_01"]
    own = tmp_path / ".replay" / "own.ckpt"
    job = Job(("logs",), endpoint, "w", {})
    destination, state = SimpleNamespace(is_sandbox=False), SimpleNamespace(s3=S3Options())
    session = cast("Session", SimpleNamespace(asks=True, again=False, destination=destination, state=state))
    console = error_console()
    with ExitStack() as stack:
        store = None
        if goes_on:
            store = stack.enter_context(closing(Store.create(own, job.stored())))
            store.register(listed(objects))
        first = stack.enter_context(look_out(own, job, store, session, console))
        assert list(first.look_ahead(iter([] if goes_on else [objects]))) == ([] if goes_on else [objects])
        assert first.warning == ""
        look_again(first, own, job, store, session, console)
        sent_by(tmp_path, "meanwhile", endpoint, "w", objects[:1])
        with pytest.raises(UsageError, match=r"1 object under .* by job meanwhile .* since you were asked"):
            look_again(first, own, job, store, session, console)


# -- long listings --------------------------------------------------------------------------------------------


class Asked:
    """A session of which only this is asked."""

    again = False
    asks = False


def pages_of(objects: Sequence[ArchiveObject], given: list[str]) -> Iterator[Sequence[ArchiveObject]]:
    for obj in objects:
        given.append(Path(obj.uri).name)
        yield [obj]


@pytest.mark.parametrize(
    ("answers", "ahead", "refusal"),
    [
        ({}, ["a.jsonl"], "1 object under the sources"),
        ({"again": True}, ["a.jsonl"], None),
        ({"asks": True}, ["a.jsonl", "b.jsonl"], None),
    ],
)
def test_what_is_listed_late_is_refused_before_it_is_begun(
    archive: Path,
    sent_to_a_region: Path,
    monkeypatch: pytest.MonkeyPatch,
    answers: dict[str, Any],
    ahead: list[str],
    refusal: str | None,
) -> None:
    """Of a long listing only the beginning is looked at before anything is sent; whoever is asked is told of all."""
    monkeypatch.setattr(overlap, "LOOKED_AHEAD", 1)
    session, given = Asked(), list[str]()
    for name, value in answers.items():
        setattr(session, name, value)
    objects = found(archive)
    with closing(sqlite3.connect(sent_to_a_region)) as db, db:
        db.execute("DELETE FROM tally WHERE object = 1")
    with closing(History([Sibling("earlier", sent_to_a_region)], lambda _: True)) as history:
        lookout = Lookout(history, None, cast("Session", session))
        pages = lookout.look_ahead(pages_of(objects, given))
        assert given == ahead
        assert next(pages) == objects[:1]
        if refusal is None:
            assert next(pages) == objects[1:]
        else:
            with pytest.raises(UsageError, match=refusal):
                next(pages)


# -- on S3 ----------------------------------------------------------------------------------------------------


def test_jobs_of_other_machines_are_looked_up_where_the_checkpoint_is_on_s3(
    tmp_path: Path, s3_server: S3Server, bucket: str, sandbox: SandboxProcess
) -> None:
    plant = Plant(tmp_path, s3_server, bucket, sandbox.url)
    plant.put("00", (message(n) for n in range(COUNT)))
    plant.machine("a").run(plant.run())
    command = plant.run("--checkpoint", f"s3://{bucket}/state/other.ckpt")
    there = plant.machine("b")
    told = there.run(command, code=2)
    assert "by job nightly (until 20" in told.err
    assert sandbox.stats()["attempts"] == COUNT
    again = there.run([*command, "--again"])
    assert again.require_closed_book()["overlap"] == {"objects": 1, "jobs": ["nightly"]}


def test_a_snapshot_that_is_replaced_while_it_is_looked_at_is_looked_for_again(
    tmp_path: Path, s3_server: S3Server, bucket: str, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else what a job has sent that runs now would be missed without a word."""
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    plant, misses = Plant(tmp_path, s3_server, bucket, sandbox.url), [False]
    plant.put("00", [message(0)])
    plant.machine("a").run(plant.run())

    def fetch(*arguments: Any) -> bool:
        return misses.pop() if misses else fetch_snapshot(*arguments)

    monkeypatch.setattr(snapshots, "fetch_snapshot", fetch)
    monkeypatch.setattr(reading, "fetch_snapshot", fetch)
    job, unreadable = Job((), sandbox.url, "sandbox", {}), list[str]()
    options = S3Options(endpoint_url=s3_server.url)
    (sibling,) = siblings_of(Place(bucket, "state/other.ckpt"), job, options, tmp_path, unreadable)
    assert (sibling.job, misses, unreadable) == ("nightly", [], [])

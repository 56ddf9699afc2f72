"""What other jobs have sent: told by their checkpoints, whatever state these are in."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay_cli.ledger import store as store_module
from replay_cli.ledger.history import NOTHING, History, Overlap, Sent, Sibling, remember, sent_again
from replay_cli.ledger.store import Store
from replay_cli.model import ArchiveObject
from tests.ledger.checkpoints import JOB

TRACES = {
    "delivered": "INSERT INTO tally VALUES (?, 'delivered', '', 3)",
    "in doubt": "INSERT INTO in_doubt (object, ordinal, part, attempt, at, cause) VALUES (?, 0, 0, 1, 0, 'reset')",
    "on its way": "INSERT INTO intent VALUES (?, 0, 0, 1, 0)",
    "parked": "INSERT INTO parked_record VALUES (?, 0, 1, x'')",
    "lost with its machine": "INSERT INTO lost VALUES (?, 0, 3, 0, 0)",
    "one request delivered": "INSERT INTO settled_part VALUES (?, 0, 0, NULL, '', 200)",
    "one request given up": "INSERT INTO settled_part VALUES (?, 0, 1, 'http_400', '', 400)",
    "skipped": "INSERT INTO tally VALUES (?, 'skipped', 'type', 3)",
    "given up": "INSERT INTO tally VALUES (?, 'dead_lettered', 'http_400', 3)",
}
"""What a checkpoint may hold of an object."""
SENT = frozenset({"delivered", "in doubt", "on its way", "parked", "lost with its machine", "one request delivered"})


class Known(NamedTuple):
    """An object in a checkpoint, and what that holds of it."""

    uri: str
    etag: str
    traces: frozenset[str] = frozenset()
    state: str = "waiting"
    place: int = 0


def make(path: Path, objects: Sequence[Known], job: Mapping[str, Any] = JOB, seen: float = 5000.0) -> Path:
    """Make the checkpoint of a job."""
    with closing(Store.create(path, dict(job))) as store:
        store.start_run(seen, {})
    with closing(sqlite3.connect(path)) as db, db:
        for number, known in enumerate(objects, 1):
            row = (number, known.uri, known.etag, known.state, known.place)
            db.execute("INSERT INTO object (id, uri, etag, size, state, place) VALUES (?, ?, ?, 1, ?, ?)", row)
            for trace in known.traces:
                db.execute(TRACES[trace], (number,))
    return path


@pytest.fixture(autouse=True)
def _without_syncing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_make_durable", lambda db: db.execute("PRAGMA journal_mode=WAL"))
    monkeypatch.setattr(store_module, "_sync_folder", lambda _: None)


def look(*paths: Path) -> History:
    return History([Sibling(path.stem, path) for path in paths], lambda job: job["workspace_id"] == "w")


def listed(uri: str, etag: str = "e1") -> ArchiveObject:
    return ArchiveObject(uri, 1, etag)


URIS, ETAGS = st.sampled_from("abcd"), st.sampled_from(["e1", "e2"])
OBJECTS = st.lists(
    st.tuples(URIS, ETAGS, st.frozensets(st.sampled_from(sorted(TRACES)), max_size=3)).map(lambda row: Known(*row)),
    max_size=4,
    unique_by=lambda known: known.uri,
)


@settings(max_examples=40)
@given(st.lists(OBJECTS, max_size=3), st.sets(st.tuples(URIS, ETAGS)))
def test_an_object_counts_as_sent_where_something_of_it_was_or_may_have_been(
    jobs: list[list[Known]], candidates: set[tuple[str, str]]
) -> None:
    """Of the same version only; each object is counted once, and each job by itself."""
    theirs = [{(known.uri, known.etag) for known in objects if known.traces & SENT} for objects in jobs]
    with TemporaryDirectory() as folder:
        paths = [make(Path(folder, f"{n}.ckpt"), objects) for n, objects in enumerate(jobs)]
        with closing(look(*paths)) as history:
            found = history.overlap(listed(*place) for place in candidates)
    both = [places & candidates for places in theirs]
    assert found.objects == len(set().union(*both))
    assert {sent.job: sent.objects for sent in found.jobs} == {str(n): len(b) for n, b in enumerate(both) if b}


@pytest.mark.parametrize(
    ("own", "counts"),
    [
        (None, True),
        (Known("a", "e1"), False),  # it waits, and was looked at before the listing
        (Known("a", "e0"), True),  # it waits, and is another one now
        (Known("a", "e1", state="reading", place=1), False),
        (Known("a", "e0", state="complete", place=1), False),
        (Known("a", "e0", state="waiting", place=1), False),
        (Known("a", "e0", state="damaged"), True),
        (Known("b", "e1", state="complete", place=1), True),
    ],
)
def test_what_a_job_has_begun_itself_is_its_own_affair(tmp_path: Path, own: Known | None, counts: bool) -> None:
    other = make(tmp_path / "other.ckpt", [Known("a", "e1", frozenset({"delivered"}))])
    path = make(tmp_path / "own.ckpt", [] if own is None else [own])
    with closing(look(other)) as history:
        assert (history.overlap([listed("a")], path).objects == 1) is counts


def test_what_waits_since_an_earlier_run_is_looked_up_without_being_listed(tmp_path: Path) -> None:
    sent = frozenset({"delivered"})
    other = make(tmp_path / "other.ckpt", [Known(uri, "e1", sent) for uri in "abc"])
    own = make(tmp_path / "own.ckpt", [Known("a", "e1"), Known("b", "e1", state="reading", place=1), Known("d", "e1")])
    with closing(look(other)) as history:
        assert history.overlap_of_waiting(own) == Overlap(1, (Sent("other", 1, 5000.0),))


def test_a_job_is_left_aside_where_that_was_said_before(tmp_path: Path) -> None:
    paths = [make(tmp_path / f"{name}.ckpt", [Known("a", "e1", frozenset({"delivered"}))]) for name in ("one", "two")]
    with closing(look(*paths)) as history:
        assert [sent.job for sent in history.overlap([listed("a")], known=["one"]).jobs] == ["two"]
        assert history.overlap([listed("a")], known=["one", "two"]) == NOTHING


def test_a_job_that_cannot_have_sent_the_same_is_left_aside(tmp_path: Path) -> None:
    other = make(tmp_path / "other.ckpt", [Known("a", "e1", frozenset({"delivered"}))], JOB | {"workspace_id": "x"})
    with closing(look(other)) as history:
        assert not history
        assert not history.unreadable


def test_what_an_amended_job_has_sent_may_have_been_meant_otherwise_than_it_is_now(tmp_path: Path) -> None:
    path = make(tmp_path / "other.ckpt", [], JOB | {"settings": {"type": ["track"]}})
    seen = list[dict[str, Any]]()

    def may_meet(job: dict[str, Any]) -> bool:
        seen.append(job)
        return True

    for _ in range(2):
        with closing(History([Sibling("other", path)], may_meet)):
            pass
        with closing(Store.open(path)) as store:
            store.amend(JOB | {"settings": {"type": ["page"]}}, "changed my mind", 1.0, [("type", "track", "page")])
    assert [job["settings"] for job in seen] == [{"type": ["track"]}, {}]


def test_what_cannot_be_read_is_named_and_does_no_harm(tmp_path: Path) -> None:
    good = make(tmp_path / "good.ckpt", [Known("a", "e1", frozenset({"delivered"}))])
    (tmp_path / "text.ckpt").write_text("no checkpoint" * 100)
    (tmp_path / "empty.ckpt").touch()
    odd = make(tmp_path / "odd.ckpt", [])
    nested = make(tmp_path / "nested.ckpt", [])
    for path, job in ((odd, "[]"), (nested, "[" * 100_000)):
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("UPDATE meta SET value = ? WHERE key = 'job'", (job,))
    paths = [tmp_path / f"{name}.ckpt" for name in ("text", "empty", "odd", "nested", "missing")]
    with closing(look(*paths, good)) as history:
        assert [path.stem for path, _ in history.unreadable] == ["text", "empty", "odd", "nested", "missing"]
        assert history.overlap([listed("a")]).objects == 1
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".ckpt"] * 5


def test_a_checkpoint_that_is_being_written_is_read_and_not_held_up(tmp_path: Path) -> None:
    path = make(tmp_path / "running.ckpt", [Known("a", "e1")])
    with closing(Store.open(path)) as running, closing(look(path)) as history:
        running.start_run(6000.0, {})
        assert history.overlap([listed("a")]) == NOTHING
        with running._transaction() as db:
            db.execute(TRACES["on its way"], (1,))
            assert history.overlap([listed("a")]) == NOTHING
        assert history.overlap([listed("a")]) == Overlap(1, (Sent("running", 1, 6000.0),))


def test_what_was_announced_since_a_copy_was_stored_may_have_been_sent(tmp_path: Path) -> None:
    path = make(tmp_path / "copy.ckpt", [Known("a", "e1"), Known("b", "e1")])
    sibling = Sibling("far", path, (("a", "e1"), ("c", "e1")))
    with closing(History([sibling], lambda _: True)) as history:
        assert history.overlap([listed("a"), listed("b")]).objects == 1


def test_what_is_sent_again_knowingly_adds_up(tmp_path: Path) -> None:
    path = make(tmp_path / "job.ckpt", [])
    with closing(Store.open(path)) as store:
        assert sent_again(store) is None
        remember(store, NOTHING, 1.0)
        assert sent_again(store) is None
        remember(store, Overlap(2, (Sent("one", 2, 0.0),)), 1.0)
        remember(store, Overlap(3, (Sent("two", 1, 0.0), Sent("three", 2, 0.0))), 2.0)
        assert sent_again(store) == {"objects": 5, "jobs": ["one", "two", "three"]}


def test_what_a_lost_machine_may_have_sent_counts(tmp_path: Path) -> None:
    """Whoever took its checkpoint over has noted that there, and need not have looked at it yet."""
    path = make(tmp_path / "a.ckpt", [Known("a", "e1", frozenset({"lost with its machine"}))])
    with closing(look(path)) as history:
        assert history.overlap([listed("a")]).objects == 1

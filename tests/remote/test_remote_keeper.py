"""A checkpoint on S3 has one owner, who announces what is sent; what was announced is never unknown."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from replay_cli.errors import FatalError, PausedError, UsageError
from replay_cli.remote import Announced, Bucket, JobIdentity, Keeper, Manifest, Place, read_checkpoint, read_manifest
from replay_cli.remote.taking import Taken, Terms, take
from tests.support.s3_server import S3Server
from tests.support.tcp_proxy import Fault, Harm, TcpProxy

JOB = JobIdentity("nightly", "https://api-01.moengage.com", "WORKSPACE")
KEY = "state/nightly.ckpt"
FIRST, SECOND = Announced("s3://logs/a", "e", 0, 10), Announced("s3://logs/a", "e", 10, 20)
SHORT = 0.6
"""Seconds of a lease that is waited for, or that is to run out."""


class Store:
    """A bucket, and keepers that are released with the test."""

    def __init__(self, opened: Callable[..., Bucket]) -> None:
        self.bucket = opened()
        self.place = Place(self.bucket.name, KEY)
        self.said: list[str] = []
        self.keepers: list[Keeper] = []

    def take(self, bucket: Bucket | None = None, job: JobIdentity = JOB, ttl: float = 30.0, **options: bool) -> Keeper:
        keeper = Keeper.take(
            bucket or self.bucket, self.place, job, say=self.said.append, ttl=ttl, margin=ttl / 6, **options
        )
        self.keepers.append(keeper)
        return keeper

    def abandon(self, ttl: float, *announced: Announced) -> Taken:
        """Take the checkpoint for a run that ends at once, without a word."""
        taken = take(self.bucket, self.place, Terms(JOB, ttl, of_any_job=False, say=self.said.append))
        data = self.stored
        assert data.owner.id == taken.manifest.owner.id
        if announced:
            manifest = taken.manifest.renewed_by(data.owner, ttl, data.renewed).to_bytes()
            manifest = manifest.replace(b'"announced":[]', b'"announced":[["s3://logs/a","e",0,10]]')
            self.bucket.replace(KEY, manifest, taken.etag)
        return taken

    @property
    def stored(self) -> Manifest:
        found = read_manifest(self.bucket, self.place)
        assert found is not None
        return found[0]


@pytest.fixture
def store(opened: Callable[..., Bucket]) -> Iterator[Store]:
    store = Store(opened)
    yield store
    for keeper in store.keepers:
        keeper.release()


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "copy"
    path.write_bytes(os.urandom(10_000))
    return path


def failures(keeper: Keeper) -> list[str]:
    told: list[str] = []
    keeper.begin(lambda error: told.append(str(error)))
    return told


def until_lost(keeper: Keeper) -> str:
    """Wait until a lease is over, which its thread says."""
    keeper._writer._thread.join(30.0)
    assert keeper.failure is not None
    assert not keeper.may_send()
    return str(keeper.failure)


# -- taking --------------------------------------------------------------------------------------------------


def test_a_checkpoint_that_nobody_has_is_taken_at_once(store: Store) -> None:
    keeper = store.take()
    assert keeper.previous is None
    assert keeper.may_send()
    assert (store.stored.job, store.stored.owner, store.stored.released) == (JOB, keeper.owner, False)
    assert store.said == []


def test_a_checkpoint_that_was_given_back_is_taken_at_once(store: Store) -> None:
    first = store.take()
    first.release({"state": "complete"})
    second = store.take()
    assert second.previous is not None
    assert (second.previous.owner.id, second.previous.released) == (first.owner_id, True)
    assert second.previous.summary == {"state": "complete"}
    assert store.said == []


def test_a_checkpoint_that_another_run_renews_is_not_taken(store: Store) -> None:
    keeper = store.take(ttl=1.5)
    with pytest.raises(FatalError, match=rf"another run \(pid {os.getpid()} on .*, since 20.* UTC\) is using s3://"):
        store.take(ttl=1.5)
    assert store.said[0].startswith("waiting ")
    assert keeper.may_send()


def test_a_lease_that_nobody_renews_is_waited_for(store: Store) -> None:
    dead = store.abandon(SHORT, FIRST)
    keeper = store.take()
    assert keeper.previous is not None
    assert keeper.previous.owner == dead.manifest.owner
    assert keeper.previous.announced == [FIRST]
    assert store.said == [
        f"waiting 1 s for the lease of pid {os.getpid()} on {dead.manifest.owner.host}: "
        f"it has not said that it is done with {store.place.uri}"
    ]


def test_what_a_dead_owner_announced_stays_announced_until_the_first_push(store: Store, checkpoint: Path) -> None:
    store.abandon(0.1, FIRST)
    keeper = store.take()
    assert store.stored.announced == [FIRST]
    keeper.announce([SECOND], [3]).result()
    assert store.stored.announced == [FIRST._replace(next=20)]
    assert keeper.announced() == ([FIRST._replace(next=20)], [3])
    keeper.push(checkpoint, keeper.mark(), ([], []))
    assert (store.stored.announced, store.stored.parked) == ([], [])


@pytest.mark.parametrize(
    ("job", "text"),
    [
        (JOB._replace(endpoint="https://api-02.moengage.com"), "endpoint https://api-01.moengage.com, not"),
        (JOB._replace(workspace_id="OTHER"), "workspace id WORKSPACE, not OTHER"),
        (JOB._replace(name="weekly"), "name nightly, not weekly"),
    ],
)
def test_another_jobs_checkpoint_is_not_taken(store: Store, job: JobIdentity, text: str) -> None:
    store.take().release()
    before = store.stored
    with pytest.raises(UsageError, match=rf"is the checkpoint of another job \({text}.*--restart"):
        store.take(job=job)
    assert store.stored == before


def test_an_object_that_is_no_checkpoint_is_left_alone(s3_server: S3Server, store: Store) -> None:
    s3_server.put(store.bucket.name, {KEY: b"precious"})
    with pytest.raises(UsageError, match="is no checkpoint of replay"):
        store.take()
    stored = store.bucket.get(KEY, 100)
    assert stored is not None
    assert stored.data == b"precious"


def test_a_checkpoint_is_set_aside_where_it_can_be_taken_again(store: Store, checkpoint: Path, tmp_path: Path) -> None:
    first = store.take()
    first.announce([FIRST]).result()
    first.push(checkpoint, first.mark(), ([FIRST], []))
    first.release({"state": "failed"})
    other = JOB._replace(name="weekly")
    second = store.take(job=other, of_any_job=True)
    assert store.stored.job == JOB, "until it is set aside it is what it was"
    aside = second.set_aside("20250301T000000")
    assert (store.stored.job, store.stored.snapshot, store.stored.announced) == (other, None, [])
    assert aside is not None
    old = read_checkpoint(store.bucket, aside, tmp_path / "old")
    assert old is not None
    assert (old.job, old.released, old.announced) == (JOB, True, [FIRST])
    assert (tmp_path / "old").read_bytes() == checkpoint.read_bytes()


def test_a_snapshot_that_is_gone_is_not_set_aside(store: Store, checkpoint: Path) -> None:
    first = store.take()
    first.push(checkpoint, first.mark(), ((), ()))
    first.release()
    snapshot = store.stored.snapshot
    assert snapshot is not None
    store.bucket.delete(snapshot.key)
    aside = store.take(of_any_job=True).set_aside("20250301T000000")
    assert aside is not None
    old = read_manifest(store.bucket, aside)
    assert old is not None
    assert old[0].snapshot is None
    assert store.stored.snapshot is None


def test_one_that_never_held_anything_becomes_another_jobs(store: Store) -> None:
    store.take().release()
    other = JOB._replace(name="weekly")
    assert store.take(job=other, of_any_job=True).set_aside("20250301T000000") is None
    assert store.stored.job == other


# -- announcing and pushing ----------------------------------------------------------------------------------


def test_what_is_announced_is_stored_before_it_may_be_sent(store: Store) -> None:
    keeper = store.take()
    keeper.announce([FIRST], [7, 8, 3]).result()
    assert (store.stored.announced, store.stored.parked) == ([FIRST], [(3, 4), (7, 9)])


def test_announcements_that_wait_are_stored_together(store: Store) -> None:
    keeper = store.take()
    before = store.stored.serial
    with keeper._writer.lock:
        futures = [keeper.announce([Announced("s3://logs/b", "e", n, n + 1)]) for n in range(100)]
    for future in futures:
        future.result()
    assert store.stored.announced == [Announced("s3://logs/b", "e", 0, 100)]
    assert store.stored.serial == before + 1


def test_an_announcement_that_nobody_waits_for_any_more_holds_up_nothing(store: Store) -> None:
    keeper = store.take()
    with keeper._writer.lock:
        given_up, other = keeper.announce([FIRST]), keeper.announce([SECOND])
        assert given_up.cancel()
    other.result()
    assert keeper.failure is None


def test_a_push_keeps_what_was_announced_since_its_mark(store: Store, checkpoint: Path, tmp_path: Path) -> None:
    keeper = store.take()
    keeper.announce([FIRST], [1]).result()
    mark = keeper.mark()
    keeper.announce([SECOND], [2]).result()
    still_open = Announced("s3://logs/a", "e", 4, 5)
    keeper.push(checkpoint, mark, ([still_open], []), {"state": "running"})
    found = read_checkpoint(store.bucket, store.place, tmp_path / "seen")
    assert found is not None
    assert (found.announced, found.parked) == ([still_open, SECOND], [(2, 3)])
    assert found.summary == {"state": "running"}
    assert (tmp_path / "seen").read_bytes() == checkpoint.read_bytes()


def test_the_snapshot_before_is_removed_once_another_is_named(
    store: Store, s3_server: S3Server, checkpoint: Path
) -> None:
    keeper = store.take()
    for _ in range(3):
        keeper.push(checkpoint, keeper.mark(), ([], []))
    snapshot = store.stored.snapshot
    assert snapshot is not None
    assert s3_server.keys(store.bucket.name) == [KEY, snapshot.key]


def test_the_next_owner_fetches_the_snapshot_and_removes_those_of_the_dead(
    store: Store, s3_server: S3Server, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = store.take()
    first.push(checkpoint, first.mark(), ([], []))
    first.release()
    kept = [KEY, str(store.stored.snapshot and store.stored.snapshot.key), "state/nightly.ckpt.mine", "state/other.gz"]
    orphans = [f"{KEY}.{'a' * 32}-7.gz", f"{KEY}.{first.owner_id}-9.gz"]
    s3_server.put(store.bucket.name, dict.fromkeys([*orphans, *kept[2:]], b"x"))
    monkeypatch.setattr("replay_cli.remote.taking._DATE_SECONDS", -60.0)  # as if they had been there for a minute
    second = store.take()
    assert sorted(s3_server.keys(store.bucket.name)) == sorted(kept)
    second.fetch(tmp_path / "fetched")
    assert (tmp_path / "fetched").read_bytes() == checkpoint.read_bytes()


def test_a_snapshot_that_somebody_may_be_storing_now_is_left(
    store: Store, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "replay_cli.remote.taking._DATE_SECONDS", 3600.0
    )  # however slow this machine is: it is the same moment
    orphan = f"{KEY}.{'a' * 32}-7.gz"
    s3_server.put(store.bucket.name, {orphan: b"x"})
    store.take()
    assert orphan in s3_server.keys(store.bucket.name)


def test_a_checkpoint_without_a_snapshot_says_so(store: Store, tmp_path: Path) -> None:
    keeper = store.take()
    with pytest.raises(FatalError, match="has no snapshot yet"):
        keeper.fetch(tmp_path / "fetched")


def test_a_snapshot_that_is_gone_is_named(store: Store, checkpoint: Path, tmp_path: Path) -> None:
    first = store.take()
    first.push(checkpoint, first.mark(), ([], []))
    first.release()
    snapshot = store.stored.snapshot
    assert snapshot is not None
    store.bucket.delete(snapshot.key)
    with pytest.raises(FatalError, match=f"{snapshot.key} is gone, which .* names as its snapshot"):
        store.take().fetch(tmp_path / "fetched")
    with pytest.raises(FatalError, match="the snapshot that it names is gone"):
        read_checkpoint(store.bucket, store.place, tmp_path / "seen")


def test_what_lies_beside_is_stored_in_the_same_folder(store: Store, s3_server: S3Server, checkpoint: Path) -> None:
    store.take().put_beside("nightly.html", checkpoint)
    assert "state/nightly.html" in s3_server.keys(store.bucket.name)


# -- losing it -----------------------------------------------------------------------------------------------


def test_who_lost_the_checkpoint_stores_nothing_more_and_says_who_has_it(
    store: Store, s3_server: S3Server, checkpoint: Path
) -> None:
    """The other one takes it as if the lease had run out."""
    keeper = store.take()
    told = failures(keeper)
    thief = store.stored.renewed_by(keeper.owner._replace(id="f" * 32, pid=4711, host="elsewhere"), 30.0, 0.0)
    stored = store.bucket.get(KEY, 10_000)
    assert stored is not None
    s3_server.put(store.bucket.name, {KEY: thief.to_bytes()})
    lost = r"another run \(pid 4711 on elsewhere, since .*\) has taken s3://.* over, for the lease of this one had run"
    with pytest.raises(FatalError, match=lost):
        keeper.push(checkpoint, keeper.mark(), ([], []))
    assert not keeper.may_send()
    with pytest.raises(FatalError, match=lost):
        keeper.announce([FIRST]).result()
    with pytest.raises(FatalError, match=lost):
        keeper.put_beside("nightly.html", checkpoint)
    keeper.release({"state": "complete"})
    until_lost(keeper)
    assert told == [str(keeper.failure)]
    assert store.stored == thief
    assert s3_server.keys(store.bucket.name) == [KEY], "its snapshot, which counts for nobody, is removed"


def test_a_run_stops_before_its_lease_ends_when_the_store_is_gone(
    store: Store, opened: Callable[..., Bucket], network: TcpProxy
) -> None:
    keeper = store.take(opened(network.url, read_timeout=0.3), ttl=1.2)
    told = failures(keeper)
    network.stall()
    waiting = keeper.announce([FIRST])
    text = until_lost(keeper)
    network.flow()
    assert text.startswith(f"cannot renew the lease of {store.place.uri}: ")
    assert text.endswith("then run the same command again")
    assert told == [text]
    with pytest.raises(FatalError, match="cannot renew the lease"):
        waiting.result()


@pytest.mark.parametrize("harm", [Harm.RESET_AFTER, Harm.RESET_BEFORE, Harm.MUTE, Harm.SWALLOW])
def test_a_network_that_fails_for_a_while_costs_nothing_but_time(
    store: Store, opened: Callable[..., Bucket], network: TcpProxy, harm: Harm
) -> None:
    keeper = store.take(opened(network.url, read_timeout=1.0))
    network.fault = Fault(harm, times=2)
    keeper.announce([FIRST]).result()
    assert network.struck == 2
    assert store.stored.announced == [FIRST]
    assert keeper.may_send()
    keeper.release()  # while there is a network


def test_a_push_that_cannot_be_stored_changes_nothing(
    store: Store, opened: Callable[..., Bucket], network: TcpProxy, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = store.take()
    keeper.announce([FIRST]).result()

    def refuse(*_: object) -> None:
        raise PausedError("the store is busy")

    with monkeypatch.context() as patch:
        patch.setattr(store.bucket, "put", refuse)
        with pytest.raises(PausedError):
            keeper.push(checkpoint, keeper.mark(), ([], []))
    keeper.announce([SECOND]).result()
    assert (store.stored.snapshot, store.stored.announced) == (None, [FIRST._replace(next=20)])
    assert keeper.may_send()


def test_after_it_was_given_back_nothing_is_announced(store: Store) -> None:
    keeper = store.take()
    keeper.release()
    assert not keeper.may_send()
    assert keeper.failure is None
    with pytest.raises(FatalError, match="was given back"):
        keeper.announce([FIRST]).result()
    keeper.release()
    assert store.stored.released

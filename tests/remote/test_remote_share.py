"""A share is lowered before it is stored, raised after, and given up by who cannot renew it."""

from collections.abc import Callable, Iterator
from queue import SimpleQueue

import pytest

from replay_cli.errors import FatalError, UsageError
from replay_cli.remote import Bucket, Owner, Place, Share
from replay_cli.remote.quota import Entry, Quota
from replay_cli.remote.share import place_of_quota
from tests.support.s3_server import S3Server
from tests.support.tcp_proxy import TcpProxy

ENDPOINT, WORKSPACE = "https://api-01.moengage.com", "WORKSPACE"


class Workspace:
    """The shares of a workspace, and jobs that leave with the test."""

    def __init__(self, opened: Callable[..., Bucket]) -> None:
        self.bucket = opened()
        self.checkpoint = Place(self.bucket.name, "state/nightly.ckpt")
        self.place = place_of_quota(self.checkpoint, ENDPOINT, WORKSPACE)
        self.shares: list[Share] = []

    def join(self, name: str, rps: float, bucket: Bucket | None = None, ttl: float = 20.0) -> Share:
        owner = Owner(name, "host", 7, "ada", "0.1.0", 0.0)
        terms = {"ttl": ttl, "margin": ttl / 6, "every": 0.1}
        share = Share.join(bucket or self.bucket, self.checkpoint, ENDPOINT, WORKSPACE, owner, name, rps, **terms)
        self.shares.append(share)
        return share

    def put(self, *entries: Entry) -> None:
        """Store entries of others as they are."""
        stored = self.bucket.get(self.place.key, 1 << 20)
        quota = Quota() if stored is None else Quota.from_bytes(stored.data, "")
        self.bucket.replace(self.place.key, quota.replaced(entries).to_bytes(), stored and stored.etag)

    @property
    def rates(self) -> dict[str, float]:
        stored = self.bucket.get(self.place.key, 1 << 20)
        assert stored is not None
        return {entry.owner: entry.rate for entry in Quota.from_bytes(stored.data, "").entries}


@pytest.fixture
def workspace(opened: Callable[..., Bucket]) -> Iterator[Workspace]:
    workspace = Workspace(opened)
    yield workspace
    for share in workspace.shares:
        share.leave()


def until_lost(share: Share) -> str:
    share._thread.join(30.0)
    assert share.failure is not None
    assert not share.may_send()
    return str(share.failure)


def test_who_is_alone_has_all_at_once(workspace: Workspace) -> None:
    told: list[float] = []
    share = workspace.join("a", 250.0)
    assert workspace.rates == {"a": 250.0}
    share.begin(told.append, lambda _: None)
    assert told == [250.0]
    assert share.may_send()


def test_who_leaves_leaves_nothing_behind(workspace: Workspace) -> None:
    share = workspace.join("a", 250.0)
    share.leave()
    assert workspace.rates == {}
    assert not share.may_send()
    assert share.failure is None
    share.leave()


def test_the_dead_are_forgotten_once_their_time_is_over(workspace: Workspace) -> None:
    workspace.join("b", 1.0).leave()  # so that the store has said what time it is
    now = workspace.bucket.clock.latest()
    workspace.put(
        Entry("dead", "x", "host", 1, 500.0, 500.0, now - 100.0, 1.0),
        Entry("alive", "x", "host", 1, 500.0, 200.0, now, 30.0),
    )
    told = SimpleQueue[float]()
    workspace.join("a", 500.0).begin(told.put, lambda _: None)
    assert told.get(timeout=30.0) == 0.0  # it may be slow rather than dead
    assert told.get(timeout=30.0) == 250.0
    assert workspace.rates == {"alive": 200.0, "a": 250.0}


def test_what_the_others_do_not_leave_is_waited_for(workspace: Workspace) -> None:
    workspace.join("b", 1.0).leave()
    now = workspace.bucket.clock.latest()
    workspace.put(Entry("greedy", "x", "host", 1, 500.0, 500.0, now, 30.0))
    share = workspace.join("a", 500.0)
    assert share.rate == 0.0
    assert workspace.rates == {"greedy": 500.0, "a": 0.0}


def test_who_was_taken_for_dead_stops(workspace: Workspace) -> None:
    share = workspace.join("a", 250.0)
    told: list[FatalError] = []
    share.begin(lambda _: None, told.append)
    lost = False
    while not lost:  # it renews its share meanwhile
        try:
            workspace.put()
            lost = True
        except FatalError:
            continue
    assert "others have taken this run for dead" in until_lost(share)
    assert told == [share.failure]


def test_who_cannot_renew_a_share_gives_it_up(
    workspace: Workspace, opened: Callable[..., Bucket], network: TcpProxy
) -> None:
    share = workspace.join("a", 250.0, opened(network.url, read_timeout=0.3), ttl=2.0)
    network.stall()
    text = until_lost(share)
    network.flow()
    assert text.startswith(f"cannot renew the lease of the share of the quota in {workspace.place.uri}: ")


def test_an_object_that_is_something_else_is_left_alone(workspace: Workspace, s3_server: S3Server) -> None:
    s3_server.put(workspace.bucket.name, {workspace.place.key: b"precious"})
    with pytest.raises(UsageError, match="is not what replay keeps there"):
        workspace.join("a", 250.0)
    stored = workspace.bucket.get(workspace.place.key, 100)
    assert stored is not None
    assert stored.data == b"precious"

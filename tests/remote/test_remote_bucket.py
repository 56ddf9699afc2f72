"""A conditional put is made once or not at all, and it is known which, whatever becomes of its answer."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from replay_cli.errors import FatalError, PausedError, UsageError
from replay_cli.remote import Bucket, ConflictError, Snapshot
from replay_cli.remote.probing import require_conditions
from replay_cli.remote.snapshots import fetch_snapshot, put_file, put_snapshot
from tests.support.s3_proxy import S3Proxy
from tests.support.s3_server import S3Server
from tests.support.s3_stub import S3Error, S3Request
from tests.support.tcp_proxy import Fault, Harm, TcpProxy

MANY = 1 << 20


@pytest.fixture
def proxy(s3_server: S3Server) -> Iterator[S3Proxy]:
    with S3Proxy(s3_server.url) as proxy:
        yield proxy


def is_put(request: S3Request) -> bool:
    return request.method == "PUT"


def test_an_object_is_replaced_only_while_it_is_what_was_seen(opened: Callable[..., Bucket]) -> None:
    bucket = opened()
    assert bucket.get("a", MANY) is None
    first = bucket.replace("a", b"1", None)
    assert bucket.get("a", MANY) == (b"1", first)
    second = bucket.replace("a", b"2", first)
    for etag in (first, None):
        with pytest.raises(ConflictError, match=f"s3://{bucket.name}/a: another run has changed it"):
            bucket.replace("a", b"3", etag)
    assert bucket.get("a", MANY) == (b"2", second)


def test_an_object_that_was_removed_is_not_made_anew(opened: Callable[..., Bucket]) -> None:
    bucket = opened()
    etag = bucket.replace("a", b"1", None)
    bucket.delete("a")
    bucket.delete("a")
    with pytest.raises(ConflictError):
        bucket.replace("a", b"2", etag)
    assert bucket.get("a", MANY) is None


@pytest.mark.parametrize("harm", [Harm.RESET_AFTER, Harm.MUTE])
def test_a_put_whose_answer_is_lost_is_looked_up(opened: Callable[..., Bucket], network: TcpProxy, harm: Harm) -> None:
    bucket = opened(network.url, read_timeout=0.5)
    first = bucket.replace("a", b"1", None)
    network.fault = Fault(harm, times=1)
    second = bucket.replace("a", b"2", first)
    assert network.struck == 1
    assert bucket.get("a", MANY) == (b"2", second)


@pytest.mark.parametrize("harm", [Harm.RESET_BEFORE, Harm.SWALLOW])
def test_a_put_that_never_arrived_may_be_made_again(
    opened: Callable[..., Bucket], network: TcpProxy, harm: Harm
) -> None:
    bucket = opened(network.url, read_timeout=0.5)
    first = bucket.replace("a", b"1", None)
    network.fault = Fault(harm, times=1)
    with pytest.raises(PausedError):
        bucket.replace("a", b"2", first)
    assert bucket.get("a", MANY) == (b"1", first)
    bucket.replace("a", b"2", first)


def test_a_put_whose_answer_is_lost_may_have_come_too_late(opened: Callable[..., Bucket], network: TcpProxy) -> None:
    bucket, other = opened(network.url, read_timeout=0.5), opened()
    first = bucket.replace("a", b"1", None)
    theirs = other.replace("a", b"theirs", first)
    network.fault = Fault(Harm.RESET_AFTER, times=1)
    with pytest.raises(ConflictError):
        bucket.replace("a", b"2", first)
    assert bucket.get("a", MANY) == (b"theirs", theirs)


@pytest.mark.parametrize("code", ["ConditionalRequestConflict", "SlowDown"])
def test_a_put_that_is_refused_though_nothing_changed_may_be_made_again(
    opened: Callable[..., Bucket], proxy: S3Proxy, code: str
) -> None:
    bucket = opened(proxy.url)
    first = bucket.replace("a", b"1", None)
    proxy.fail(S3Error(409 if code != "SlowDown" else 503, code, "Try again."), 1, is_put)
    with pytest.raises(PausedError, match=f"s3://{bucket.name}/a"):
        bucket.replace("a", b"2", first)
    bucket.replace("a", b"2", first)


def test_a_small_object_that_is_large_is_not_read(opened: Callable[..., Bucket]) -> None:
    bucket = opened()
    bucket.replace("a", b"x" * 1001, None)
    with pytest.raises(UsageError, match="far too large"):
        bucket.get("a", 1000)


def test_who_may_not_write_is_told_what_is_lacking(
    s3_server: S3Server, opened: Callable[..., Bucket], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3_server.environment("reader").items():
        monkeypatch.setenv(name, value)
    bucket = opened()
    with pytest.raises(FatalError, match=rf"access denied: the credentials lack s3:\w+ on s3://{bucket.name}/a"):
        bucket.replace("a", b"1", None)


def test_the_clock_of_the_store_is_heard_in_every_reply(opened: Callable[..., Bucket]) -> None:
    bucket = opened()
    bucket.replace("a", b"1", None)
    with pytest.raises(ConflictError):
        bucket.replace("a", b"2", None)
    (listed,) = bucket.list("a")
    assert listed.modified <= bucket.clock.latest()
    assert bucket.clock.latest() - bucket.clock.earliest() > 0
    assert bucket.clock.earliest() < listed.modified + 60.0


def test_a_listing_goes_on_beyond_a_page(opened: Callable[..., Bucket], monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = opened()
    names = [f"a/{number}" for number in range(5)]
    for name in [*names, "b"]:
        bucket.replace(name, name.encode(), None)

    def shorten(params: dict[str, Any], **_: object) -> None:
        params["MaxKeys"] = 2

    client = bucket._patient.get()
    client.meta.events.register("provide-client-params.s3.ListObjectsV2", shorten)
    assert [listed.key for listed in bucket.list("a/")] == names


# -- stores that do not know conditions ----------------------------------------------------------------------


def test_a_store_that_refuses_what_it_must_is_taken(s3_server: S3Server, opened: Callable[..., Bucket]) -> None:
    bucket = opened()
    require_conditions(bucket, "probe")
    assert s3_server.keys(bucket.name) == []


@pytest.mark.parametrize("header", ["If-Match", "If-None-Match"])
def test_a_store_that_ignores_a_condition_is_refused(opened: Callable[..., Bucket], header: str) -> None:
    """The condition is taken out of the request before it is signed: the store never sees it."""
    bucket = opened()

    def forget(request: Any, **_: object) -> None:
        del request.headers[header]

    bucket._prompt.get().meta.events.register("before-sign.s3.PutObject", forget)
    with pytest.raises(UsageError, match=f"s3://{bucket.name}: its store does not refuse a put whose condition"):
        require_conditions(bucket, "probe")


def test_a_store_that_knows_no_conditions_is_refused(opened: Callable[..., Bucket], proxy: S3Proxy) -> None:
    proxy.fail(S3Error(501, "NotImplemented", "A header you provided is not implemented."), 100, is_put)
    with pytest.raises(UsageError, match="its store does not refuse a put"):
        require_conditions(opened(proxy.url), "probe")


# -- snapshots -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, (9 << 20) + 7])
def test_a_snapshot_comes_back_as_it_was(opened: Callable[..., Bucket], tmp_path: Path, size: int) -> None:
    """The largest of these is stored in parts."""
    bucket, file, back = opened(), tmp_path / "checkpoint", tmp_path / "back"
    file.write_bytes(os.urandom(size))
    snapshot = put_snapshot(bucket, "snapshot", file)
    back.write_bytes(b"older")
    assert fetch_snapshot(bucket, snapshot, back)
    assert back.read_bytes() == file.read_bytes()
    assert back.stat().st_mode & 0o777 == 0o600
    (listed,) = bucket.list("snapshot")
    assert (listed.size, snapshot.unpacked) == (snapshot.bytes, size)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back", "checkpoint"]


def test_a_snapshot_that_is_gone_is_told_apart(opened: Callable[..., Bucket], tmp_path: Path) -> None:
    assert not fetch_snapshot(opened(), Snapshot("nothing", 0.0, 1, 1), tmp_path / "back")
    assert list(tmp_path.iterdir()) == []


def harmed(data: bytes, how: str) -> bytes:
    if how == "cut short":
        return data[:-9]
    if how == "without its check sum":
        return data[:-8]
    if how == "followed by more":
        return data + b"more"
    if how == "followed by another":
        return data + data
    if how == "turned over":
        return data[:500] + bytes((data[500] ^ 0xFF,)) + data[501:]
    return how.encode()


@pytest.mark.parametrize(
    "how",
    [
        *("cut short", "without its check sum", "followed by more", "followed by another", "turned over"),
        *("no gzip at all", ""),
    ],
)
def test_a_snapshot_that_is_not_what_was_stored_is_refused(
    s3_server: S3Server, opened: Callable[..., Bucket], tmp_path: Path, how: str
) -> None:
    bucket, file, back = opened(), tmp_path / "checkpoint", tmp_path / "back"
    file.write_bytes(os.urandom(1_000_000))
    snapshot = put_snapshot(bucket, "snapshot", file)
    data = bucket.read("snapshot", lambda body: body.read())
    assert data is not None
    s3_server.put(bucket.name, {"snapshot": harmed(data, how)})
    back.write_bytes(b"older")
    with pytest.raises(FatalError, match=f"s3://{bucket.name}/snapshot is not what was stored there"):
        fetch_snapshot(bucket, snapshot, back)
    assert back.read_bytes() == b"older"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back", "checkpoint"]


def test_no_more_is_unpacked_than_there_was(opened: Callable[..., Bucket], tmp_path: Path) -> None:
    """A thousand times the stored bytes could be in them."""
    bucket, file, back = opened(), tmp_path / "checkpoint", tmp_path / "back"
    file.write_bytes(bytes(50_000_000))
    snapshot = put_snapshot(bucket, "snapshot", file)
    with pytest.raises(FatalError, match="not what was stored"):
        fetch_snapshot(bucket, snapshot._replace(unpacked=1000), back)


def test_a_snapshot_whose_connection_breaks_is_fetched_again(
    opened: Callable[..., Bucket], proxy: S3Proxy, tmp_path: Path
) -> None:
    bucket, file, back = opened(proxy.url), tmp_path / "checkpoint", tmp_path / "back"
    file.write_bytes(os.urandom(1_000_000))
    snapshot = put_snapshot(bucket, "snapshot", file)
    proxy.cut_after([500_000, 700_000])
    assert fetch_snapshot(bucket, snapshot, back)
    assert back.read_bytes() == file.read_bytes()
    assert proxy.struck == 2


def test_a_file_is_stored_as_it_is(s3_server: S3Server, opened: Callable[..., Bucket], tmp_path: Path) -> None:
    bucket, file = opened(), tmp_path / "nightly.html"
    file.write_bytes(b"<p>")
    put_file(bucket, "state/nightly.html", file)
    stored = s3_server.client().get_object(Bucket=bucket.name, Key="state/nightly.html")
    with stored["Body"] as body:
        assert (body.read(), stored["ContentType"]) == (b"<p>", "text/html; charset=utf-8")


def test_a_disk_that_fails_is_not_taken_for_the_network(opened: Callable[..., Bucket], tmp_path: Path) -> None:
    bucket = opened()
    with pytest.raises(FatalError, match=r"cannot read .*nothing: No such file"):
        put_snapshot(bucket, "snapshot", tmp_path / "nothing")
    with pytest.raises(FatalError, match=r"cannot read .*: Is a directory"):
        put_file(bucket, "snapshot", tmp_path)
    (tmp_path / "file").write_bytes(b"x")
    snapshot = put_snapshot(bucket, "snapshot", tmp_path / "file")
    with pytest.raises(FatalError, match=r"cannot write .*: No such file"):
        fetch_snapshot(bucket, snapshot, tmp_path / "no folder" / "back")

"""Objects come from S3 byte by byte as they were listed, whatever the network does, and in bounded memory."""

import gzip
import io
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from replay_cli.archive import s3_client, s3_reading
from replay_cli.archive.parquet import row_batches
from replay_cli.archive.patience import Patience, Persistence, Setbacks
from replay_cli.archive.s3_client import S3Client
from replay_cli.archive.s3_reading import (
    AHEAD_BYTES,
    AHEAD_OBJECTS,
    CURRENT_BYTES,
    EXPECTED_BYTES,
    Download,
    ObjectFile,
    ReadAhead,
)
from replay_cli.archive.source import ReadingStoppedError
from replay_cli.aws import S3Options
from replay_cli.errors import ChangedObjectError, FatalError, PausedError
from replay_cli.model import ArchiveObject, RecordBatch
from tests.support.s3_proxy import S3Proxy
from tests.support.s3_server import S3Server

NOISE = random.Random(4).randbytes(12_000_000)  # more than the buffers between server and client hold
KEY = "a.gz"
SECONDS = 30.0  # within which everything here happens, on however busy a machine
QUICK = Persistence(first_pause=0.002, longest_pause=0.01)
ONCE = Persistence(failures=1)


@pytest.fixture
def proxy(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Proxy]:
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with S3Proxy(s3_server.url) as proxy:
        yield proxy


@pytest.fixture
def store(s3_server: S3Server, bucket: str) -> Callable[..., ArchiveObject]:
    """Stores an object, and returns it as a listing would."""

    def store(data: bytes, key: str = KEY, **about: Any) -> ArchiveObject:
        etag = s3_server.client(attempts=5).put_object(Bucket=bucket, Key=key, Body=data, **about)["ETag"]
        return ArchiveObject(f"s3://{bucket}/{key}", len(data), etag.strip('"'))

    return store


def client(proxy: S3Proxy, **settings: Any) -> S3Client:
    quick: dict[str, Any] = {"attempts": 1, "persistence": QUICK}
    return S3Client(S3Options(endpoint_url=proxy.url), **(quick | settings))


def until(true: Callable[[], object]) -> None:
    """Wait for something that happens in another thread."""
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def opened(client: S3Client, obj: ArchiveObject) -> Any:
    return ReadAhead(client).open(obj)


def drain(file: Any, into: bytearray) -> None:
    while piece := file.read(100_000):
        into += piece


def bytes_asked_for(proxy: S3Proxy, size: int) -> int:
    """How many bytes of an object the requests so far wanted."""
    ranges = [request.range or f"bytes=0-{size - 1}" for request in proxy.gets]
    return sum(int(last) - int(first) + 1 for first, last in (r.removeprefix("bytes=").split("-") for r in ranges))


# -- a bad network --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("clean", [False, True], ids=["reset", "early end"])
def test_an_object_survives_cuts(proxy: S3Proxy, store: Callable[..., ArchiveObject], clean: bool) -> None:
    chance = random.Random(clean)
    proxy.cut_after([chance.randrange(1_000_000) for _ in range(9)] + [0], clean=clean)
    with opened(client(proxy), store(NOISE)) as file:
        assert file.read() == NOISE
        assert file.read() == b""
    assert proxy.struck == 10
    assert len(proxy.gets) == 11
    assert all(request.if_match for request in proxy.gets)


def test_a_range_survives_cuts_too(proxy: S3Proxy, store: Callable[..., ArchiveObject]) -> None:
    proxy.cut_after([0, 100, 300_000])
    file = ObjectFile(client(proxy), store(NOISE))
    file.seek(7_000_000)
    assert file.read(2_000_000) == NOISE[7_000_000:9_000_000]
    assert proxy.struck == 3


def test_a_stalled_connection_is_given_up(proxy: S3Proxy, store: Callable[..., ArchiveObject]) -> None:
    proxy.stall_after(1_000_000)
    proxy.stall_after(0)
    with opened(client(proxy, read_timeout=0.5), store(NOISE)) as file:
        assert file.read() == NOISE
    assert proxy.struck == 2


def test_a_throttled_store_is_asked_again(proxy: S3Proxy, store: Callable[..., ArchiveObject]) -> None:
    """By boto3, and when that gives up by the download."""
    proxy.throttle(3)
    with opened(client(proxy, attempts=2), store(NOISE)) as file:
        assert file.read() == NOISE
    assert proxy.struck == 3


def test_a_connection_that_breaks_after_every_few_bytes_makes_progress(
    proxy: S3Proxy, store: Callable[..., ArchiveObject]
) -> None:
    """Less than is read at once: what came of it is not lost every time."""
    data = NOISE[:2_000_000]
    proxy.cut_after([50_000] * 200)
    with opened(client(proxy), store(data)) as file:
        assert file.read() == data
    assert 40 < proxy.struck < 200


def test_a_store_that_never_answers_pauses_the_run(proxy: S3Proxy, store: Callable[..., ArchiveObject]) -> None:
    proxy.throttle(1000)
    with opened(client(proxy), store(NOISE)) as file, pytest.raises(PausedError, match="503 SlowDown"):
        file.read(1)
    assert proxy.struck == QUICK.failures


def test_a_body_that_never_comes_pauses_the_run(proxy: S3Proxy, store: Callable[..., ArchiveObject]) -> None:
    proxy.cut_after([1_000_000] + [0] * QUICK.failures)
    with opened(client(proxy), store(NOISE)) as file:
        assert file.read(700_000) == NOISE[:700_000]
        with pytest.raises(PausedError, match=r"s3://.* cannot be reached"):
            file.read()


def test_a_small_request_is_made_again_once_the_store_has_answered(proxy: S3Proxy, bucket: str) -> None:
    """That it is busy is an answer, too; that nobody listens is none."""
    ours = client(proxy)
    proxy.refuse()
    with pytest.raises(PausedError, match="refused"):
        ours.page(bucket, "", folders=True)
    proxy.listen()
    proxy.throttle(3)
    assert ours.page(bucket, "", folders=True).objects == []
    proxy.refuse()
    with pytest.raises(PausedError, match="refused"):
        client(proxy, persistence=ONCE).page(bucket, "", folders=True)


# -- an object that is not what was listed --------------------------------------------------------------------


def test_bytes_of_two_versions_are_never_mixed(proxy: S3Proxy, store: Callable[..., ArchiveObject]) -> None:
    obj = store(NOISE)
    proxy.cut_after([6_000_000])
    file = ObjectFile(client(proxy), obj, Download(client(proxy), obj, bound=1 << 20))
    got = bytearray(file.read(2_000_000))
    store(NOISE[::-1])
    with file, pytest.raises(ChangedObjectError, match="changed since it was listed"):
        drain(file, got)
    assert len(got) >= 5_000_000
    assert got == NOISE[: len(got)]


def test_an_object_that_was_deleted_meanwhile_is_gone(
    s3_server: S3Server, bucket: str, proxy: S3Proxy, store: Callable[..., ArchiveObject]
) -> None:
    obj = store(NOISE)
    proxy.cut_after([6_000_000])
    with ObjectFile(client(proxy), obj, Download(client(proxy), obj, bound=1 << 20)) as file:
        assert file.read(2_000_000) == NOISE[:2_000_000]
        s3_server.client().delete_object(Bucket=bucket, Key=KEY)
        with pytest.raises(ChangedObjectError, match="is gone since it was listed"):
            file.read()


@pytest.mark.parametrize("data", [b"", b"x", NOISE], ids=len)
def test_an_object_that_was_replaced_before_is_not_read(
    proxy: S3Proxy, store: Callable[..., ArchiveObject], data: bytes
) -> None:
    obj = store(data)
    store(b"another one")
    with opened(client(proxy), obj) as file, pytest.raises(ChangedObjectError, match="changed"):
        file.read(512)


# -- as a file -------------------------------------------------------------------------------------------------


def test_an_object_is_read_as_it_is_stored(proxy: S3Proxy, store: Callable[..., ArchiveObject]) -> None:
    stored = gzip.compress(NOISE[:100_000])
    with opened(client(proxy), store(stored, ContentEncoding="gzip")) as file:
        assert file.read() == stored


def test_an_empty_object_has_no_bytes(proxy: S3Proxy, store: Callable[..., ArchiveObject]) -> None:
    with opened(client(proxy), store(b"")) as file:
        assert file.read(512) == b""
    assert [request.range for request in proxy.gets] == [None]


@pytest.mark.parametrize("name", ["a.gz", "a.parquet"])
def test_it_is_a_file(proxy: S3Proxy, store: Callable[..., ArchiveObject], name: str) -> None:
    """Wherever it is read, a read gives what it would from memory, in full."""
    data = NOISE[:3_000_000]
    chance = random.Random(7)
    memory = io.BytesIO(data)
    with opened(client(proxy), store(data, name)) as file:
        for _ in range(150):
            if chance.random() < 0.4:
                place = chance.choice([0, 0, 4, memory.tell() + 1000, chance.randrange(len(data) + 10)])
                assert file.seek(place) == memory.seek(place)
            if chance.random() < 0.1:
                assert file.seek(-8, io.SEEK_END) == memory.seek(-8, io.SEEK_END)
            size = chance.choice([0, 1, 512, 65_536, chance.randrange(1_000_000)])
            assert file.read(size) == memory.read(size)
            assert file.tell() == memory.tell()
        assert file.seek(0) == 0
        assert file.read() == data
    assert file.closed
    with pytest.raises(ValueError, match="closed"):
        file.read(1)


def test_the_beginning_is_not_fetched_again(proxy: S3Proxy, store: Callable[..., ArchiveObject]) -> None:
    """Formats are told by it, before anything is read."""
    with opened(client(proxy), store(NOISE)) as file:
        for _ in range(3):
            file.seek(0)
            assert file.read(512) == NOISE[:512]
        file.seek(0)
        assert file.read() == NOISE
    assert len(proxy.gets) == 1


def test_reading_can_begin_again(proxy: S3Proxy, store: Callable[..., ArchiveObject]) -> None:
    with opened(client(proxy), store(NOISE)) as file:
        assert file.read(5_000_000) == NOISE[:5_000_000]
        file.seek(0)
        assert file.read() == NOISE
    assert [request.range for request in proxy.gets] == [None, None]


def test_a_closed_file_leaves_no_thread_behind(proxy: S3Proxy, store: Callable[..., ArchiveObject]) -> None:
    obj = store(NOISE)
    before = threading.active_count()
    for _ in range(5):
        with opened(client(proxy), obj) as file:
            file.read(1)
    until(lambda: threading.active_count() <= before)


# -- stopping --------------------------------------------------------------------------------------------------


def test_stopping_wakes_a_read(proxy: S3Proxy, store: Callable[..., ArchiveObject]) -> None:
    proxy.stall_after(100)
    ours = client(proxy, read_timeout=600)
    with opened(ours, store(NOISE)) as file:
        reader = _Doer(lambda: file.read(512))
        until(lambda: proxy.struck)
        ours.stop()
        assert isinstance(reader.error(), ReadingStoppedError)


def test_nothing_is_read_after_stopping(proxy: S3Proxy, store: Callable[..., ArchiveObject]) -> None:
    """Not even what is fetched already."""
    for name in ("a.gz", "a.parquet"):
        ours = client(proxy)
        with opened(ours, store(NOISE, name)) as file:
            assert file.read(512) == NOISE[:512]
            ours.stop()
            with pytest.raises(ReadingStoppedError):
                file.read(512)


def test_stopping_wakes_a_pause(proxy: S3Proxy, store: Callable[..., ArchiveObject]) -> None:
    proxy.throttle(1000)
    ours = client(proxy, persistence=Persistence(first_pause=600, longest_pause=600))
    with opened(ours, store(NOISE)) as file:
        reader = _Doer(lambda: file.read(512))
        until(lambda: proxy.struck)
        ours.stop()
        assert isinstance(reader.error(), ReadingStoppedError)


def test_stopping_wakes_a_listing(proxy: S3Proxy, bucket: str) -> None:
    proxy.latency = 600
    ours = client(proxy, read_timeout=600)
    pages = [lambda: ours.page(bucket, "", folders=True)] * 20
    lister = _Doer(lambda: list(ours.call_all(pages)))
    until(lambda: len(proxy.requests) == 8)
    ours.stop()
    assert isinstance(lister.error(), ReadingStoppedError)
    with pytest.raises(ReadingStoppedError):
        ours.find(bucket, KEY)


class _Doer:
    """Does something in a thread; what it raises is told."""

    def __init__(self, act: Callable[[], object]) -> None:
        self._act = act
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def error(self) -> BaseException | None:
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()
        return self._error

    def _run(self) -> None:
        try:
            self._act()
        except BaseException as error:
            self._error = error


def test_calls_run_side_by_side_and_give_their_values_in_order() -> None:
    gate = threading.Barrier(4, timeout=SECONDS)
    values = Patience().call_all([lambda n=n: (gate.wait(), n)[1] for n in range(8)], at_once=4)  # type: ignore[misc] # n
    assert list(values) == list(range(8))


def test_a_call_raises_what_its_function_does() -> None:
    with pytest.raises(ZeroDivisionError):
        Patience().call(lambda: 1 / 0)


def test_pauses_grow_up_to_a_limit() -> None:
    setbacks = Setbacks(Persistence(failures=5, first_pause=1, longest_pause=3))
    pauses = [setbacks.next_pause() for _ in range(5)]
    assert [pause and (most / 2 <= pause <= most) for pause, most in zip(pauses, [1, 2, 3, 3, 0], strict=True)] == [
        *[True] * 4,
        None,
    ]
    setbacks.forget()
    assert setbacks.next_pause() is not None


# -- memory, and reading ahead ---------------------------------------------------------------------------------


def test_no_more_is_fetched_than_may_wait(proxy: S3Proxy, store: Callable[..., ArchiveObject]) -> None:
    bound = 1 << 20
    download = Download(client(proxy), store(NOISE), bound=bound)
    until(lambda: download.buffered == bound)
    got = b""
    while piece := download.read(70_000):
        assert download.buffered <= bound
        got += piece
    assert got == NOISE
    download.close()


def test_the_bound_can_be_raised(proxy: S3Proxy, store: Callable[..., ArchiveObject]) -> None:
    download = Download(client(proxy), store(NOISE), bound=1 << 20)
    until(lambda: download.buffered == 1 << 20)
    download.let(CURRENT_BYTES)
    until(lambda: download.buffered == CURRENT_BYTES)
    download.close()
    assert download.buffered == 0


@pytest.mark.parametrize("bound", [1, 1000, 300_000])
def test_any_bound_lets_everything_through(proxy: S3Proxy, store: Callable[..., ArchiveObject], bound: int) -> None:
    data = NOISE[: bound * 20 + 7]
    download = Download(client(proxy), store(data), bound=bound)
    assert download.read(len(data)) == data


def test_the_next_objects_are_fetched_while_one_is_read(proxy: S3Proxy, store: Callable[..., ArchiveObject]) -> None:
    objects = [store(NOISE, f"{n}.gz") for n in range(7)]
    table = store(b"PAR1", "table.parquet")
    ahead = ReadAhead(client(proxy))
    ahead.expect([table, *objects[1:]])
    with ahead.open(objects[0]) as file:
        file.read(1)
        until(lambda: len(proxy.gets) == 5)
        assert {request.key for request in proxy.gets} == {f"{n}.gz" for n in range(5)}
        assert file.read() == NOISE[1:]
    ahead.expect([table, *objects[2:]])
    with ahead.open(objects[1]) as file:
        assert file.read() == NOISE
        until(lambda: len(proxy.gets) == 6)
    assert sorted(request.key for request in proxy.gets) == [f"{n}.gz" for n in range(6)]
    ahead.close()


def test_what_is_expected_waits_within_a_smaller_bound(
    proxy: S3Proxy, store: Callable[..., ArchiveObject], monkeypatch: pytest.MonkeyPatch
) -> None:
    downloads: list[Download] = []

    class Seen(Download):
        def __init__(self, *args: Any, **settings: Any) -> None:
            super().__init__(*args, **settings)
            downloads.append(self)

    monkeypatch.setattr(s3_reading, "Download", Seen)
    objects = [store(NOISE, f"{n}.gz") for n in range(6)]
    ahead = ReadAhead(client(proxy))
    ahead.expect(objects[1:])
    with ahead.open(objects[0]):
        until(lambda: sum(each.buffered for each in downloads) == CURRENT_BYTES + AHEAD_OBJECTS * EXPECTED_BYTES)
        ahead.expect(objects[2:])
        with ahead.open(objects[1]):
            until(lambda: downloads[0].buffered == CURRENT_BYTES)
    assert sum(each.buffered for each in downloads) <= AHEAD_BYTES
    ahead.close()


def test_what_is_not_expected_any_more_is_dropped(proxy: S3Proxy, store: Callable[..., ArchiveObject]) -> None:
    first, second, third = (store(NOISE, f"{n}.gz") for n in range(3))
    ahead = ReadAhead(client(proxy))
    before = threading.active_count()
    ahead.expect([second])
    ahead.expect([third])
    with ahead.open(first) as file:
        assert file.read() == NOISE
    until(lambda: threading.active_count() == before + 1)
    ahead.close()
    until(lambda: threading.active_count() <= before)


def test_what_failed_ahead_is_begun_anew(proxy: S3Proxy, store: Callable[..., ArchiveObject]) -> None:
    obj = store(NOISE)
    ahead = ReadAhead(client(proxy, persistence=ONCE))
    before = threading.active_count()
    proxy.throttle(1)
    ahead.expect([obj])
    until(lambda: proxy.struck and threading.active_count() <= before)
    with ahead.open(obj) as file:
        assert file.read() == NOISE


# -- Parquet ---------------------------------------------------------------------------------------------------


ROWS = 8_000


def table(path: Path) -> bytes:
    """40 row groups."""
    chance = random.Random(9)
    columns: dict[str, list[Any]] = {
        "user_id": [f"u{n}" for n in range(ROWS)],
        "type": ["track"] * ROWS,
        "properties_text": [chance.randbytes(100).hex() for _ in range(ROWS)],
        **{f"properties_n{n}": [chance.random() for _ in range(ROWS)] for n in range(20)},
    }
    pq.write_table(pa.table(columns), path, row_group_size=200)
    return path.read_bytes()


def from_disk(path: Path, obj: ArchiveObject, start: int = 0) -> list[RecordBatch]:
    with path.open("rb") as file:
        return list(row_batches(obj, file, start))


def test_rows_are_the_same_as_from_disk(proxy: S3Proxy, store: Callable[..., ArchiveObject], tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    obj = store(table(path), "t.parquet")
    with opened(client(proxy), obj) as file:
        file.read(512)
        batches = list(row_batches(obj, file, 0))
    assert batches == from_disk(path, obj)
    assert sum(len(batch.records) for batch in batches) == ROWS
    assert bytes_asked_for(proxy, obj.size) < obj.size * 1.5


def test_row_groups_before_the_start_are_not_fetched(
    proxy: S3Proxy, store: Callable[..., ArchiveObject], tmp_path: Path
) -> None:
    path = tmp_path / "t.parquet"
    obj = store(table(path), "t.parquet")
    with opened(client(proxy), obj) as file:
        assert list(row_batches(obj, file, 7_400)) == from_disk(path, obj, 7_400)
    assert bytes_asked_for(proxy, obj.size) < obj.size / 2


def test_only_the_column_of_json_text_is_fetched(
    proxy: S3Proxy, store: Callable[..., ArchiveObject], tmp_path: Path
) -> None:
    chance = random.Random(9)
    path = tmp_path / "t.parquet"
    columns = {"message": ['{"type":"track"}'] * 20_000, "other": [chance.randbytes(500) for _ in range(20_000)]}
    pq.write_table(pa.table(columns), path, row_group_size=10_000)
    obj = store(path.read_bytes(), "t.parquet")
    with opened(client(proxy), obj) as file:
        batches = list(row_batches(obj, file, 0))
    assert [record for batch in batches for record in batch.records] == [b'{"type":"track"}'] * 20_000
    assert bytes_asked_for(proxy, obj.size) < obj.size / 4


@pytest.mark.parametrize("name", ["t.parquet", "t"])
def test_rows_of_an_object_that_changes_meanwhile_end_with_that(
    proxy: S3Proxy, store: Callable[..., ArchiveObject], tmp_path: Path, name: str
) -> None:
    """Through Arrow, which calls for the bytes, comes the exception as it is."""
    path = tmp_path / "t.parquet"
    obj = store(table(path), name)
    with opened(client(proxy), obj) as file:
        file.read(512)
        batches = row_batches(obj, file, 0)
        first = next(batches)
        store(NOISE, name)
        with pytest.raises(ChangedObjectError, match="changed"):
            list(batches)
    assert first == from_disk(path, obj)[0]
    assert all(request.range for request in proxy.gets[1:])


def test_stopping_wakes_arrow(proxy: S3Proxy, store: Callable[..., ArchiveObject], tmp_path: Path) -> None:
    obj = store(table(tmp_path / "t.parquet"), "t.parquet")
    ours = client(proxy, read_timeout=600)
    with opened(ours, obj) as file:
        batches = row_batches(obj, file, 0)
        next(batches)
        proxy.stall_after(0)
        reader = _Doer(lambda: list(batches))
        until(lambda: proxy.struck)
        ours.stop()
        assert isinstance(reader.error(), ReadingStoppedError)


def test_what_was_fetched_ahead_long_ago_is_fetched_again(
    proxy: S3Proxy, store: Callable[..., ArchiveObject], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The object may have been rewritten without somebody's data while the run waited."""
    obj = store(NOISE[:1000])
    ahead = ReadAhead(client(proxy))
    ahead.expect([obj])
    until(lambda: ahead._ahead[obj].buffered == 1000)
    store(NOISE[1000:2000])
    monkeypatch.setattr(s3_reading, "_FRESH_SECONDS", 0.0)
    with ahead.open(obj) as file, pytest.raises(ChangedObjectError):
        file.read(1000)


def test_a_listing_that_does_not_say_how_it_goes_on_is_no_whole_one(
    proxy: S3Proxy, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = client(proxy)
    monkeypatch.setattr(s3_client, "_listed", lambda answer: {**answer, "IsTruncated": True})
    with pytest.raises(FatalError, match="does not say how it goes on"):
        ours.page(bucket, "", folders=False)


def test_a_password_in_the_endpoint_of_the_environment_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "made-up")
    ours = S3Client(S3Options(endpoint_url="http://user:secret@127.0.0.1:9"), attempts=1, persistence=ONCE)
    with pytest.raises(PausedError, match=r"http://127\.0\.0\.1:9 cannot be reached") as caught:
        ours.page("bucket", "", folders=False)
    assert "secret" not in str(caught.value)

"""Plans: from the listing and a few beginnings to what a run would be."""

import gzip
import random
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from replay_cli.archive import Source, open_source
from replay_cli.archive.wrapped import WrappedSource
from replay_cli.delivery.allowance import Allowance
from replay_cli.errors import ChangedObjectError, UsageError
from replay_cli.model import ArchiveObject
from replay_cli.moengage.apis import make_api
from replay_cli.outlook import outlook
from replay_cli.pacing import make_pace
from replay_cli.preparation import Preparation
from replay_cli.segment.selection import EVERYTHING, Selection
from tests.support.archives import message, write_lines
from tests.support.simulation import MemorySource

NOW = 1_800_000_000.0
ALLOWANCE = Allowance()
DAYS = [1_740_787_200_000 + day * 86_400_000 for day in range(3)]  # from 2025-03-01
SHOP, SITE = "kQ8vTz3nWbYp5RdXmLs2Ha", "f4Jc9GxUeMt7ZqNr1VwKoB"


class Watched(WrappedSource):
    """A source that counts the bytes that are read, and of which some objects are gone by then."""

    def __init__(self, whole: Source, gone: Iterable[str] = ()) -> None:
        super().__init__(whole)
        self.read = 0
        self._gone = set(gone)

    @contextmanager
    def open(self, obj: ArchiveObject) -> Iterator[BinaryIO]:
        if Path(obj.uri).name in self._gone:
            raise ChangedObjectError(obj.uri, "is gone")
        with self._whole.open(obj) as file:
            yield cast("BinaryIO", CountingFile(file, self))


class CountingFile:
    def __init__(self, file: BinaryIO, owner: Watched) -> None:
        self._file = file
        self._owner = owner

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._owner.read += len(data)
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def preparation(api: str = "actions", selection: Selection = EVERYTHING) -> Preparation:
    made = make_api({"api": api}, "APP", most_users=ALLOWANCE.most_users, most_events=ALLOWANCE.most_events)
    return Preparation(made, strict=False, clock=lambda: NOW, selection=selection)


def plan_of(source: Source, api: str = "actions", settings: Mapping[str, Any] | None = None) -> dict[str, Any]:
    selection = Selection.from_settings(settings or {})
    in_bulk = None if api == "bulk" else preparation("bulk", selection)
    pace = make_pace(500, 512, 0.2, ALLOWANCE)
    return outlook(source, preparation(api, selection), pace, now=NOW, selection=selection, in_bulk=in_bulk)


def plan(folder: Path, api: str = "actions", **settings: Any) -> dict[str, Any]:
    source = open_source([str(folder)], Selection.from_settings(settings))
    return plan_of(source, api, settings)


def write_logs(folder: Path, count: int, records: Iterable[Mapping[str, Any]]) -> None:
    """Raw logs of the same records, spread over two sources and three days."""
    first = write_lines(folder / "first.gz", records)
    text = first.read_bytes()
    first.unlink()
    for n in range(count):
        path = folder / "segment-logs" / (SHOP, SITE)[n % 2] / str(DAYS[n % 3]) / f"{n:05}.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)


def test_of_objects_that_are_alike_everything_is_told_exactly(tmp_path: Path) -> None:
    """Each has 20 tracks of ten users, and five pages, which nobody subscribes to."""
    records = [message(n, userId=f"user-{n % 10}") for n in range(20)]
    records += [message(n, type="page") for n in range(20, 25)]
    write_logs(tmp_path, 300, records)
    source = Watched(open_source([str(tmp_path)]))
    made = plan_of(source)
    assert (made["kind"], made["objects"], made["at"]) == ("plan", 300, NOW)
    assert made["records"] == {"estimate": 7_500, "error": 0}
    assert made["sendable"] == {"estimate": 6_000, "error": 0, "share": 0.8}
    assert made["requests"] == {"estimate": 6_000, "error": 0}
    assert (made["skipped"], made["rejected"]) == ({"not_subscribed": 1_500}, {})
    assert made["estimate"]["requests"] == 6_000
    assert made["estimate"]["longest_user"]["requests"] == 600
    assert made["estimate"]["bulk"]["left_out"] == 0
    assert made["sampled"]["records"] == 25 * made["sampled"]["objects"]
    assert made["reason"] == f"estimated from the beginnings of {made['sampled']['objects']} of 300 objects"
    assert source.read < 0.4 * made["bytes"]  # the beginning of each is looked at three times


def test_days_and_sources_are_told_by_the_listing_alone(tmp_path: Path) -> None:
    write_logs(tmp_path, 30, [message(1)])
    write_lines(tmp_path / "loose.jsonl", [message(2)])
    made = plan(tmp_path)
    size = (made["bytes"] - (tmp_path / "loose.jsonl").stat().st_size) // 30
    each = {"objects": 10, "bytes": 10 * size}
    assert list(made["days"].items())[:3] == [(day, each) for day in ("2025-03-01", "2025-03-02", "2025-03-03")]
    assert list(made["days"])[3:] == [""]
    assert {source: about["objects"] for source, about in made["by_source"].items()} == {SHOP: 15, SITE: 15, "": 1}


@pytest.mark.parametrize("seed", range(6))
def test_the_true_numbers_are_within_three_errors(seed: int) -> None:
    """Of objects that differ in size and in what is in them."""
    generator = random.Random(seed)
    objects, kinds = dict[str, list[dict[str, Any]]](), list[str]()
    for n in range(80):
        pages, wordy = generator.random(), generator.randrange(60, 400)
        inside = ["page" if generator.random() < pages else "track" for _ in range(generator.randrange(1, 120))]
        uri = f"s3://bucket/segment-logs/{(SHOP, SITE)[n % 2]}/{DAYS[n % 3]}/{n}.jsonl"
        objects[uri] = [message(m, type=kind, properties={"words": wordy * "w"}) for m, kind in enumerate(inside)]
        kinds += inside
    made = plan_of(MemorySource(objects))
    assert 0 < made["sampled"]["objects"] < 80
    for name, number in (
        ("records", len(kinds)),
        ("sendable", kinds.count("track")),
        ("requests", kinds.count("track")),
    ):
        assert abs(made[name]["estimate"] - number) <= 3 * made[name]["error"]
    assert made["records"]["error"] < 0.1 * len(kinds)
    assert made["records"]["estimate"] == made["sendable"]["estimate"] + sum(made["skipped"].values())


@pytest.mark.parametrize(("name", "most"), [("large.jsonl.gz", 0.07), ("large.jsonl", 0.03)])
def test_of_a_large_object_only_the_beginning_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, most: float
) -> None:
    """Of a compressed one it is less sure: nobody knows how well the rest is compressed."""
    monkeypatch.setattr("replay_cli.outlook._MOST_BATCHES", 4)
    generator = random.Random(1)
    records = [message(n, properties={"w": f"{generator.getrandbits(1200):x}"}) for n in range(20_000)]
    write_lines(tmp_path / name, records)
    source = Watched(open_source([str(tmp_path)]))
    made = plan_of(source)
    assert made["sampled"]["records"] == 4_000
    assert source.read < 0.25 * made["bytes"]
    assert made["records"]["estimate"] == pytest.approx(20_000, rel=0.01)
    assert abs(made["records"]["estimate"] - 20_000) <= 3 * made["records"]["error"] <= most * 20_000


def test_parquet_tells_its_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("replay_cli.outlook._MOST_BATCHES", 2)
    rows = [message(n, properties=None) for n in range(9_000)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "messages.parquet", row_group_size=3_000)
    made = plan(tmp_path)
    assert made["sampled"]["records"] == 2_000
    assert made["records"]["estimate"] == pytest.approx(9_000, abs=3)


def test_parquet_that_cannot_be_meant_is_not_read(tmp_path: Path) -> None:
    """Its footer tells that it is too late."""
    rows = [message(n, properties=None, receivedAt="2025-03-01T10:00:00.000Z") for n in range(3_000)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "messages.parquet")
    source = Watched(open_source([str(tmp_path)]))
    made = plan_of(source, settings={"received_until": "2025-02-01T00:00:00.000Z"})
    assert made["records"]["estimate"] == sum(made["skipped"].values()) == 3_000
    assert made["sendable"] == {"estimate": 0, "error": 0, "share": 0.0}


def test_the_same_archive_gives_the_same_plan(tmp_path: Path) -> None:
    for n in range(60):
        write_lines(tmp_path / f"{n}.gz", [message(m) for m in range(n + 1)])
    assert plan(tmp_path) == plan(tmp_path)


def test_damaged_and_vanished_objects_are_told(tmp_path: Path) -> None:
    good = gzip.compress(b"\n".join([b'{"type": "track", "event": "E", "userId": "u1"}'] * 50))
    (tmp_path / "good.gz").write_bytes(good)
    (tmp_path / "cut.gz").write_bytes(good[:-12])
    (tmp_path / "gone.gz").write_bytes(good)
    made = plan_of(Watched(open_source([str(tmp_path)]), gone=["gone.gz"]))
    told = {Path(uri).name: cause for uri, cause in made["sampled"]["damage"].items()}
    assert told.keys() == {"cut.gz", "gone.gz"}
    assert "cut off" in told["cut.gz"]
    assert told["gone.gz"] == "is gone since it was listed"
    assert made["records"] == {"estimate": made["sampled"]["records"], "error": 0}
    assert made["reason"] == "all of it was read"


def test_busy_sessions_make_no_hot_user(tmp_path: Path) -> None:
    """Who has 50 messages in one object of 200 has not 10,000."""
    for n in range(200):
        records = [message(m, userId=f"busy-{n}") for m in range(50)]
        write_lines(tmp_path / f"{n}.gz", records)
    longest = plan(tmp_path)["estimate"]["longest_user"]
    assert (longest["user"][:5], longest["requests"]) == ("busy-", 50)


def test_bulk_is_compared_and_planned(tmp_path: Path) -> None:
    """Those without a user id are left out of it."""
    records = [message(n) for n in range(30)] + [message(n, userId=None, anonymousId="a") for n in range(30, 40)]
    write_logs(tmp_path, 10, records)
    compared = plan(tmp_path)["estimate"]["bulk"]
    assert (compared["requests"], compared["left_out"]) == (10, 100)
    made = plan(tmp_path, api="bulk")
    assert (made["requests"]["estimate"], made["estimate"]["records"]) == (10, 300)
    assert made["estimate"]["bulk"] is None
    assert made["estimate"]["bound_by"] == "events_per_minute"


def test_a_selection_that_meets_nothing_is_a_plan_of_nothing(tmp_path: Path) -> None:
    write_logs(tmp_path, 6, [message(1)])
    made = plan(tmp_path, received_from="2026-01-01T00:00:00.000Z")
    assert (made["objects"], made["bytes"], made["sampled"]["objects"]) == (0, 0, 0)
    assert made["records"] == {"estimate": 0, "error": 0}
    assert made["reason"].startswith("there is nothing to read")
    assert made["estimate"]["requests"] == 0


def test_empty_objects_have_no_records(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_bytes(b"")
    made = plan(tmp_path)
    assert (made["objects"], made["records"]["estimate"]) == (1, 0)


def test_a_location_with_nothing_in_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to read in there"):
        plan(tmp_path)


def test_names_of_any_length_do_not_fill_the_memory_or_the_plan(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl", [message(n, userId="x" * 100_000) for n in range(3)])
    longest = plan(tmp_path)["estimate"]["longest_user"]
    assert longest["requests"] == 3
    assert len(longest["user"]) < 200

"""A validation finds the same whoever reads, and what it counts is what a dry run counts."""

import gzip
import itertools
import json
import os
import random
from concurrent.futures import Future
from multiprocessing import active_children
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from replay_cli.archive import canonical, open_source
from replay_cli.archive import portions as portions_module
from replay_cli.archive.portions import Portion
from replay_cli.cli.preparing import preparation
from replay_cli.delivery.allowance import Allowance
from replay_cli.dry_run import DryRun
from replay_cli.engines import Here, Work
from replay_cli.errors import FatalError, UsageError
from replay_cli.job import Job
from replay_cli.model import RecordBatch
from replay_cli.preparation import Preparation
from replay_cli.profiling import document
from replay_cli.report.moments import Showable
from replay_cli.report.progress import Reading
from replay_cli.report.summary import Summary
from replay_cli.segment.duplicates import Window
from replay_cli.segment.ids import IdSet, portable
from replay_cli.segment.lists import NO_LISTS, Lists
from replay_cli.validation import conductor
from replay_cli.validation.conductor import Findings, Validation
from replay_cli.validation.order import Order
from replay_cli.validation.work import Setup, Worker
from tests.support.archives import message, objects, write_lines
from tests.support.processes import replay
from tests.support.sandbox_process import SandboxProcess

SAMPLES = Path(__file__).parents[1] / "sample_archives"
NOW = 1_790_000_000.0
QUIET = Console(quiet=True)


def setup(*sources: Path, lists: Lists = NO_LISTS, **settings: Any) -> Setup:
    job = Job(tuple(canonical(str(source)) for source in sources), "", "workspace", {"api": "actions", **settings})
    return Setup(job, lists, Allowance(), None, NOW)


def found(findings: Findings) -> dict[str, Any]:
    """All that is found, as a machine would be told."""
    told = document(findings.profile, NOW) | {"damage": findings.damage}
    told |= {"objects": findings.objects, "bytes": findings.bytes, "empty": findings.empty}
    told |= {"ignored": findings.ignored}
    assert json.dumps(told)
    return told


def dry(asked: Setup, limit: int | None = None, window: Window | None = None) -> Summary:
    prepare = preparation(asked.job, asked.lists, asked.allowance)
    return DryRun(open_source(asked.job.sources), prepare, "", limit, window).go(None, QUIET)


def require_as_dry(findings: Findings, summary: Summary) -> None:
    told = found(findings)
    assert told["records"]["read"] == summary["records"]["read"]
    assert told["records"]["sendable"] == summary["records"]["pending"]
    for book in ("skipped", "rejected", "warnings"):
        assert told[book] == summary[book]
    assert told["damage"] == summary["objects"]["damage"]
    assert told["objects"] == summary["objects"]["total"]


@pytest.fixture
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portions_module, "PORTION_BYTES", 30_000)


@pytest.mark.usefixtures("small_portions")
def test_two_processes_find_what_one_finds_and_what_a_dry_run_counts() -> None:
    asked = setup(SAMPLES)
    alone = Validation(asked).go(QUIET)
    together = Validation(asked, workers=2).go(QUIET)
    assert found(alone) == found(together)
    assert list(alone.damage) == list(together.damage)
    assert (alone.workers, together.workers) == (1, 2)
    require_as_dry(alone, dry(asked))


def damaged_table(path: Path) -> Path:
    """Write 2,000 messages in eight row groups, of which one in the middle cannot be read."""
    rows = [json.dumps(message(n, context={"filler": os.urandom(40).hex()})) for n in range(2000)]
    pq.write_table(pa.table({"message": rows}), path, row_group_size=250)
    stored = bytearray(path.read_bytes())
    middle = len(stored) // 2
    stored[middle : middle + 100] = bytes(100)
    path.write_bytes(stored)
    return path


@pytest.mark.usefixtures("small_portions")
def test_what_lies_behind_damage_in_a_table_is_not_counted(tmp_path: Path) -> None:
    """A run would not read it, though the parts after the damage can be read."""
    path = damaged_table(tmp_path / "a.parquet")
    findings = Validation(setup(path)).go(QUIET)
    assert list(findings.damage) == [str(path)]
    assert 250 <= found(findings)["records"]["read"] <= 1250
    require_as_dry(findings, dry(setup(path)))


@pytest.mark.usefixtures("small_portions")
def test_what_lies_behind_damage_neither_spends_the_limit_nor_makes_duplicates(tmp_path: Path) -> None:
    damaged_table(tmp_path / "a.parquet")
    write_lines(tmp_path / "b.jsonl", (message(n) for n in range(1000, 2000)))
    require_as_dry(
        Validation(setup(tmp_path), window=Window(10_000, 1)).go(QUIET), dry(setup(tmp_path), window=Window(10_000, 1))
    )
    assert found(Validation(setup(tmp_path), limit=1800).go(QUIET))["records"]["sendable"] == 1800


@pytest.mark.parametrize("api", ["actions", "classic", "bulk"])
def test_other_apis_are_validated_as_they_are_run(api: str) -> None:
    asked = setup(SAMPLES / "segment-logs", api=api)
    require_as_dry(Validation(asked).go(QUIET), dry(asked))


@pytest.mark.usefixtures("small_portions")
def test_what_was_read_before_an_interruption_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        write_lines(tmp_path / f"{name}.jsonl", (message(n) for n in range(1000)))
    read_portion = Worker.__call__

    def interrupted_in_b(self: Worker, portion: Portion, tell: Any) -> Any:
        if portion.objects[0].uri.endswith("b.jsonl"):
            raise KeyboardInterrupt("SIGTERM")
        return read_portion(self, portion, tell)

    monkeypatch.setattr(Worker, "__call__", interrupted_in_b)
    findings = Validation(setup(tmp_path)).go(QUIET)
    assert findings.interrupted == "SIGTERM"
    assert (findings.objects, found(findings)["records"]["read"]) == (1, 1000)


@pytest.mark.parametrize("read", [1, 2, 5])
def test_who_stops_it_is_told_of_all_batches_that_were_read(
    read: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "ab":
        write_lines(tmp_path / f"{name}.jsonl", (message(n) for n in range(3000)))
    validation, within, batches = Validation(setup(tmp_path)), Order.within, itertools.count(1)

    def stopping(self: Order, batch: RecordBatch, prepare: Preparation) -> RecordBatch:
        if next(batches) == read:
            validation.stop("SIGHUP")
        return within(self, batch, prepare)

    monkeypatch.setattr(Order, "within", stopping)
    findings = validation.go(QUIET)
    assert findings.interrupted == "SIGHUP"
    assert (findings.objects, found(findings)["records"]["read"]) == (read // 3, 1000 * read)


def test_what_is_stopped_before_it_begins_reads_nothing(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl", (message(n) for n in range(10)))
    for workers in (1, 2):
        validation = Validation(setup(tmp_path), workers=workers)
        validation.stop("SIGINT")
        findings = validation.go(QUIET)
        assert (findings.interrupted, findings.objects, found(findings)["records"]["read"]) == ("SIGINT", 0, 0)


def test_a_limit_ends_reading_after_so_many_requests(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl", (message(n) for n in range(2500)))
    write_lines(tmp_path / "b.jsonl", (message(n) for n in range(2500, 3000)))
    findings = Validation(setup(tmp_path), workers=2, limit=1234).go(QUIET)
    assert found(findings)["records"] == {"read": 1234, "sendable": 1234, "skipped": 0, "rejected": 0}
    assert (findings.objects, findings.workers) == (1, 1)


@pytest.mark.parametrize("api", ["actions", "bulk"])
def test_a_limit_leaves_what_a_run_sends_in_so_many_requests(tmp_path: Path, api: str) -> None:
    dice = random.Random(3)
    made = [message(n) for n in dice.sample(range(4000), 3000)]  # their times are out of order
    made[5:2000:7] = [{**one, "type": "page"} for one in made[5:2000:7]]
    write_lines(tmp_path / "logs" / "a.jsonl", [*made[:1500], b"no JSON", *made[1500:]])
    limit = 3 if api == "bulk" else 1234
    asked = setup(tmp_path / "logs", api=api)._replace(allowance=Allowance(0, 0))
    findings = Validation(asked, limit=limit).go(QUIET)
    options = ["--limit", str(limit), "--rps", "100000", "--users-per-minute", "0", "--events-per-minute", "0"]
    with SandboxProcess(rps=1_000_000) as sandbox:
        end = replay(tmp_path, "run", "logs", "--endpoint", sandbox.url, "--api", api, *options, "--json")
    told = found(findings)
    assert findings.profile.workload().requests == limit
    assert end.summary["records"]["delivered"] == told["records"]["sendable"]
    assert end.summary["rejected"] == told["rejected"]
    assert end.summary["skipped"] == told["skipped"]


def test_duplicates_are_left_out_across_objects(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl", (message(n) for n in range(1500)))
    write_lines(tmp_path / "b.jsonl", (message(n) for n in range(1000, 2000)))
    findings = Validation(setup(tmp_path), workers=2, window=Window(10_000)).go(QUIET)
    assert found(findings)["skipped"] == {"duplicate": 500}
    require_as_dry(findings, dry(setup(tmp_path), window=Window(10_000)))


def test_lists_go_to_other_processes(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl", (message(n, userId=f"user-{n % 4}") for n in range(100)))
    lists = Lists(suppressed=IdSet(["user-1", "user-2"], portable))
    for workers in (1, 2):
        findings = Validation(setup(tmp_path, lists=lists), workers=workers).go(QUIET)
        assert found(findings)["skipped"] == {"suppressed": 50}


def test_what_is_not_as_it_was_listed_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    for name in "abc":
        write_lines(tmp_path / f"{name}.jsonl", (message(n) for n in range(10)))
    listed = objects(open_source([str(tmp_path)]))
    (tmp_path / "a.jsonl").unlink()
    write_lines(tmp_path / "b.jsonl", (message(n) for n in range(11)))
    result = Worker(setup(tmp_path))(Portion(0, tuple(listed)), lambda *_: False)
    assert result.damage == {
        listed[0].uri: "it is gone since it was listed",
        listed[1].uri: "it changed since it was listed",
    }
    assert result.missing == listed[:2]
    assert document(result.profile, NOW)["records"]["read"] == 10


@pytest.mark.usefixtures("small_portions")
@pytest.mark.parametrize("workers", [1, 2])
def test_objects_without_a_record_are_counted(tmp_path: Path, workers: int) -> None:
    """They may be uploads that failed."""
    (tmp_path / "a.jsonl").touch()
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(b""))
    pq.write_table(pa.table({"json": pa.array([], pa.string())}), tmp_path / "c.parquet")
    write_lines(tmp_path / "d.jsonl", [message(1)])
    findings = Validation(setup(tmp_path), workers=workers).go(QUIET)
    assert (findings.objects, findings.empty, findings.damage) == (4, 3, {})


def test_all_that_is_read_is_told(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl.gz", (message(n) for n in range(2500)))
    (tmp_path / "b.gz").write_bytes(b"\x1f\x8bnonsense")
    listed = objects(open_source([str(tmp_path)]))
    told: list[tuple[int, int]] = []

    def tell(size: int, records: int) -> bool:
        told.append((size, records))
        return False

    Worker(setup(tmp_path))(Portion(0, tuple(listed)), tell)
    assert min(size for size, _ in told) >= 0
    assert [sum(column) for column in zip(*told, strict=True)] == [sum(obj.size for obj in listed), 2500]


def test_nothing_to_read_is_told_as_everywhere(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to read in there"):
        Validation(setup(tmp_path), workers=2).go(QUIET)


class Watching:
    """A reporter that keeps what it is shown."""

    every = 0.0

    def __init__(self) -> None:
        self.shown: list[Reading] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def show(self, state: Showable) -> None:
        assert isinstance(state, Reading)
        self.shown.append(state)


class Counting(Here):
    """An engine that counts what is submitted and not yet collected."""

    workers, ahead = 2, 5
    out = most = 0

    def submit(self, item: Any) -> "Future[Any]":
        self.out += 1
        self.most = max(self.most, self.out)
        return super().submit(item)

    def collect(self, future: "Future[Any]") -> Any:
        self.out -= 1
        return super().collect(future)


@pytest.mark.usefixtures("small_portions")
def test_results_that_wait_to_be_put_together_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in range(20):
        write_lines(tmp_path / f"{name}.jsonl", (message(n) for n in range(60)))
    engines: list[Counting] = []

    def make(work: Work, _workers: int) -> Counting:
        engines.append(Counting(work, lambda _: None))
        return engines[0]

    monkeypatch.setattr(conductor, "Processes", make)
    assert found(Validation(setup(tmp_path), workers=2).go(QUIET))["records"]["read"] == 1200
    assert [engine.most for engine in engines] == [Counting.ahead]


def test_progress_comes_within_a_portion_and_ends_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "ab":
        write_lines(tmp_path / f"{name}.jsonl", (message(n) for n in range(3000)))
    reporter = Watching()
    monkeypatch.setattr(conductor, "make_reporter", lambda _: reporter)
    findings = Validation(setup(tmp_path)).go(QUIET)
    shares = [state.share for state in reporter.shown]
    assert shares == sorted(shares)
    assert len(set(shares)) > 3
    last = reporter.shown[-1]
    assert (last.consumed, last.total, last.records) == (findings.bytes, findings.bytes, 6000)
    assert (last.of_objects, last.listing) == (2, False)


class Killing(Watching):
    """Kills a worker when it is first shown that something was read."""

    every = 0.01

    def show(self, state: Showable) -> None:
        if state.share:
            for child in active_children()[:1]:
                child.kill()


@pytest.mark.usefixtures("small_portions")
def test_a_worker_killed_midway_ends_it_with_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in range(40):
        write_lines(tmp_path / f"{name}.jsonl", (message(n) for n in range(1000)))
    monkeypatch.setattr(conductor, "make_reporter", lambda _: Killing())
    with pytest.raises(FatalError, match="was killed, perhaps because memory ran out"):
        Validation(setup(tmp_path), workers=2).go(QUIET)
    assert active_children() == []

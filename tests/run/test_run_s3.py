"""Archives on S3: what is sent is what a copy on disk would give, whatever the network does, and whatever changes."""

import gzip
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from tests.support.archives import history, message, write_lines
from tests.support.arrivals import bodies, lanes_in_order, times, twice
from tests.support.kills import kill_after
from tests.support.processes import Finished, environment, replay, start
from tests.support.s3_proxy import S3Proxy
from tests.support.s3_server import S3Server
from tests.support.s3_stub import S3Request, Side, header
from tests.support.sandbox_process import SandboxProcess

WEB, APP, API = SOURCES = ("rMtR7AWRj3mP6q9KmEhzh5", "9cJd1L5RBHzTUPeA6g3QvW", "qwErTy12345UiOpAsDfGhj")
FIRST = datetime(2025, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
SECONDS = 120.0  # within which everything here happens, on however busy a machine
FAST = ("--rps", "20000", "--json")

Records = Sequence[Mapping[str, Any]]


@pytest.fixture
def proxy(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Proxy]:
    """What stands before the store; processes started from now on have its credentials, and no others."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with S3Proxy(s3_server.url) as proxy:
        yield proxy


def folder(source: str, day: int) -> str:
    """A raw log's, days counted from March 1, 2025."""
    return f"segment-logs/{source}/{int((FIRST + day * DAY).timestamp()) * 1000}/"


def zipped(records: Iterable[Mapping[str, Any]]) -> bytes:
    return gzip.compress(b"".join(json.dumps(record).encode() + b"\n" for record in records), mtime=0)


def noisy(numbers: Iterable[int]) -> list[dict[str, Any]]:
    """Messages that cannot be compressed much."""
    noise = random.Random(6)
    return [message(n, properties={"n": n, "noise": noise.randbytes(150).hex()}) for n in numbers]


def iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def command(bucket: str, store: S3Proxy, sandbox: SandboxProcess, *more: str) -> list[str]:
    """To run what is in `segment-logs` of a bucket."""
    return [
        *("run", f"s3://{bucket}/segment-logs/", "--s3-endpoint-url", store.url, "--endpoint", sandbox.url),
        *(*FAST, *more),
    ]


def run(cwd: Path, arguments: Sequence[str], code: int = 0) -> Finished:
    end = replay(cwd, *arguments)
    assert end.code == code, end.err
    assert "Traceback" not in end.err
    return end


@contextmanager
def running(cwd: Path, arguments: Sequence[str]) -> "Iterator[subprocess.Popen[str]]":
    """A run that ends with the test, if not before."""
    process = start(cwd, *arguments)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def until(true: Callable[[], object]) -> None:
    """Wait for something that happens in another process."""
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# -- what is listed, and the cut ------------------------------------------------------------------------------


def logs(files: int, lines: int, days: range = range(10)) -> dict[str, Records]:
    """Objects by key, of three sources and some days; each record was received in its folder's day."""
    dice = random.Random(3)
    numbers = iter(range(1_000_000))
    return {
        f"{folder(source, day)}{file:03}.gz": [
            message(next(numbers), receivedAt=iso(FIRST + (day + dice.random() * 0.999999) * DAY)) for _ in range(lines)
        ]
        for source in SOURCES
        for day in days
        for file in range(files)
    }


def test_two_jobs_cut_at_an_instant_list_only_their_days_and_send_each_record_once(
    tmp_path: Path, s3_server: S3Server, bucket: str, proxy: S3Proxy, sandbox: SandboxProcess
) -> None:
    archive = logs(files=70, lines=3)
    start, cut, end = FIRST + 2 * DAY, FIRST + 4.523456 * DAY, FIRST + 8 * DAY
    cut = cut.replace(microsecond=123_000)
    edge = folder(APP, 4) + "edge.gz"
    moments = [cut - timedelta(milliseconds=1), cut, cut + timedelta(milliseconds=1)]
    archive[edge] = [message(900_000 + n, receivedAt=iso(moment)) for n, moment in enumerate(moments)]
    assert len(archive) > 2000
    s3_server.put(bucket, {key: zipped(records) for key, records in archive.items()})
    received = {
        record["properties"]["n"]: datetime.fromisoformat(record["receivedAt"])
        for records in archive.values()
        for record in records
    }
    jobs = {"a": (start, cut, range(2, 5)), "b": (cut, end, range(4, 8))}
    skipped = 0
    for name, (first, last, days) in jobs.items():
        proxy.forget()
        bounds = ["--received-from", iso(first), "--received-until", iso(last)]
        summary = run(tmp_path, command(bucket, proxy, sandbox, "--name", name, *bounds)).require_closed_book()
        levels = ["segment-logs", "segment-logs/", *(f"segment-logs/{source}/" for source in SOURCES)]
        wanted = [folder(source, day) for source in SOURCES for day in days]
        assert Counter(proxy.prefixes) == Counter([*levels, *wanted])
        assert {request.key.rpartition("/")[0] + "/" for request in proxy.gets} == set(wanted)
        meant = sum(first <= moment < last for moment in received.values())
        read = sum(FIRST + days[0] * DAY <= moment < FIRST + (days[-1] + 1) * DAY for moment in received.values())
        assert summary["state"] == "complete"
        assert summary["records"] == summary["records"] | {"read": read, "delivered": meant, "skipped": read - meant}
        assert summary["skipped"] == {"outside_received_range": read - meant}
        assert summary["objects"]["total"] == summary["objects"]["complete"] == len(proxy.gets)
        skipped += read - meant
    arrived = times(bodies(sandbox))
    assert arrived == Counter(n for n, moment in received.items() if start <= moment < end)
    assert skipped == sum(cut.date() == moment.date() for moment in received.values())


def test_sources_on_disk_and_on_s3_are_read_as_one_day_by_day(
    tmp_path: Path, s3_server: S3Server, bucket: str, proxy: S3Proxy, sandbox: SandboxProcess
) -> None:
    """A person's history is spread over both, and arrives in its order."""
    days = [[message(10 * day + n, userId="ada") for n in range(10)] for day in range(6)]
    for day, records in enumerate(days):
        if day % 2:
            write_lines(tmp_path / folder(WEB, day) / "a.gz", records)
        else:
            s3_server.put(bucket, {folder(APP, day) + "a.gz": zipped(records)})
    summary = run(tmp_path, [*command(bucket, proxy, sandbox), "segment-logs"]).require_closed_book()
    assert summary["objects"]["total"] == 6
    assert [body["properties"]["n"] for body in bodies(sandbox)] == list(range(60))


# -- a bad network --------------------------------------------------------------------------------------------

CUTS = 10


def test_ten_cuts_in_each_object_lose_and_double_nothing(
    tmp_path: Path, s3_server: S3Server, bucket: str, proxy: S3Proxy, sandbox: SandboxProcess
) -> None:
    """The records are, byte for byte, those of the disk."""
    dice = random.Random(5)
    archive = {
        f"{folder(source, day)}{name}": noisy(range(10_000 * number, 10_000 * number + 1500))
        for number, (source, day, name) in enumerate([(WEB, 0, "a.gz"), (APP, 0, "a.jsonl"), (API, 1, "b.jsonl.gz")])
    }
    stored = {}
    for key, records in archive.items():
        stored[key] = write_lines(tmp_path / key, records).read_bytes()
    s3_server.put(bucket, stored)

    def cut_everything() -> None:
        proxy.heal()
        for key, data in stored.items():
            proxy.cut_after([dice.randrange(len(data) // CUTS) for _ in range(CUTS)], key=key)

    run(tmp_path, ["run", "segment-logs", "--dry-run", "--output", "disk.jsonl"])
    before, source = proxy.struck, f"s3://{bucket}/segment-logs"
    cut_everything()
    run(tmp_path, ["run", source, "--s3-endpoint-url", proxy.url, "--dry-run", "--output", "s3.jsonl"])
    assert proxy.struck - before == CUTS * len(stored)
    here = f"{tmp_path.resolve()}/".encode()
    there = f"s3://{bucket}/".encode()
    assert (tmp_path / "s3.jsonl").read_bytes() == (tmp_path / "disk.jsonl").read_bytes().replace(here, there)

    before = proxy.struck
    cut_everything()
    summary = run(tmp_path, command(bucket, proxy, sandbox)).require_closed_book()
    assert proxy.struck - before == CUTS * len(stored)
    assert times(bodies(sandbox)) == Counter(made["properties"]["n"] for made in chain.from_iterable(archive.values()))
    assert summary["records"]["delivered"] == 1500 * len(stored)
    assert summary["objects"]["damaged"] == []


def test_a_store_that_throttles_only_slows_a_run_down(
    tmp_path: Path, s3_server: S3Server, bucket: str, proxy: S3Proxy, sandbox: SandboxProcess
) -> None:
    archive = logs(files=1, lines=5, days=range(3))
    s3_server.put(bucket, {key: zipped(records) for key, records in archive.items()})
    proxy.throttle(2)
    proxy.throttle(3, only=lambda request: request.key.endswith(folder(WEB, 1) + "000.gz"))
    proxy.throttle(2, only=lambda request: request.is_listing and request.query["prefix"] == folder(APP, 2))
    summary = run(tmp_path, command(bucket, proxy, sandbox)).require_closed_book()
    assert proxy.struck == 7
    assert summary["records"]["delivered"] == 45
    assert times(bodies(sandbox)) == Counter(range(45))


IMPATIENT = """
from replay_cli.archive.patience import Persistence
from replay_cli.archive.s3_client import S3Client
from replay_cli.cli import main
S3Client.__init__.__kwdefaults__ |= {"attempts": 1, "persistence": Persistence(failures=3, first_pause=0.1)}
main()
"""
"""The command, which gives a store up within a second; no option says so, for nobody wants it."""


def test_a_store_that_goes_away_pauses_the_run_and_the_same_command_goes_on(
    tmp_path: Path, s3_server: S3Server, bucket: str, proxy: S3Proxy, sandbox: SandboxProcess
) -> None:
    keys = [folder(WEB, day) + "a.gz" for day in range(8)]
    s3_server.put(bucket, {key: zipped(message(500 * n + i) for i in range(500)) for n, key in enumerate(keys)})
    arguments = command(bucket, proxy, sandbox, "--checkpoint", "job.ckpt", "--rps", "500")
    with subprocess.Popen(
        [sys.executable, "-c", IMPATIENT, *arguments],
        cwd=tmp_path,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        until(lambda: folder(WEB, 7) in proxy.prefixes and sandbox.stats()["attempts"])
        proxy.refuse()
        end = Finished(process)
    proxy.listen()
    summary = end.require_closed_book()
    assert (end.code, summary["state"]) == (4, "paused"), end.err
    assert f"{proxy.url} cannot be reached (Connection refused): check the network" in summary["reason"]
    assert 0 < len(times(bodies(sandbox))) < 4000
    assert run(tmp_path, [*arguments, *FAST]).require_closed_book()["records"]["read"] == 4000
    assert times(bodies(sandbox)) == Counter(range(4000))


# -- kills, and changes ---------------------------------------------------------------------------------------


def test_kills_lose_nothing_and_double_only_what_was_in_doubt(
    tmp_path: Path, s3_server: S3Server, bucket: str, proxy: S3Proxy
) -> None:
    messages = history(8000, users=800)
    share = len(messages) // 8
    keys = [folder(source, day) + "a.gz" for day in range(4) for source in sorted((WEB, APP))]
    s3_server.put(bucket, {key: zipped(messages[n * share : (n + 1) * share]) for n, key in enumerate(keys)})
    sendable = {made["properties"]["n"] for made in messages if made["type"] == "track"}
    dice = random.Random(7)
    with SandboxProcess(rps=1_000_000, latency=0.05) as sandbox:
        arguments = command(bucket, proxy, sandbox, "--checkpoint", "job.ckpt", "--rps", "900")
        for _ in range(4):
            kill_after(dice.randrange(50, 900), sandbox, tmp_path, arguments)
        proxy.forget()
        summary = run(tmp_path, arguments).require_closed_book()
        arrivals = bodies(sandbox)
    arrived = times(arrivals)
    assert summary["state"] == "complete"
    assert summary["records"]["read"] == len(messages)
    assert set(arrived) == sendable, "lost"
    assert 0 < twice(arrived) <= summary["in_doubt"]
    lanes_in_order(arrivals)
    opened = {request.key for request in proxy.gets}
    assert 0 < len(opened) < len(keys), "what was finished is not opened again"
    assert opened == set(keys[-len(opened) :])


def test_an_object_rewritten_without_a_person_is_refused_then_gone_on_with(
    tmp_path: Path, s3_server: S3Server, bucket: str, proxy: S3Proxy, sandbox: SandboxProcess
) -> None:
    key, other = folder(WEB, 0) + "a.gz", folder(WEB, 1) + "a.gz"
    messages = [message(n) for n in range(3000)]
    rest = [message(5000 + n) for n in range(20)]
    s3_server.put(bucket, {key: zipped(messages), other: zipped(rest)})
    arguments = command(bucket, proxy, sandbox, "--checkpoint", "job.ckpt")
    run(tmp_path, [*arguments, "--limit", "1500"], code=4)
    before = times(bodies(sandbox))
    person = {made["properties"]["n"] for made in messages if made["userId"] == "user-5"}
    assert 0 < len(person & set(before)) < len(person)

    s3_server.put(bucket, {key: zipped(made for made in messages if made["userId"] != "user-5")})
    for again in (arguments, ["resume", "job.ckpt"]):
        refused = run(tmp_path, again, code=2)
        assert f"s3://{bucket}/{key} changed since a part of it was sent" in refused.err
        assert "--changed continue" in refused.err
    assert times(bodies(sandbox)) == before

    summary = run(tmp_path, [*arguments, "--changed", "continue"]).require_closed_book()
    left_out = person - set(before)
    assert times(bodies(sandbox)) == Counter(set(range(3000)) - left_out) + Counter(range(5000, 5020))
    assert summary["state"] == "complete"
    assert "already complete" in run(tmp_path, arguments).summary["reason"]


def test_an_object_replaced_while_it_is_read_ends_the_run_and_is_not_mixed(
    tmp_path: Path, s3_server: S3Server, bucket: str, proxy: S3Proxy, sandbox: SandboxProcess
) -> None:
    """Its connection breaks, and when the rest is asked for, it is another object's."""
    key = folder(WEB, 0) + "a.gz"
    data = zipped(noisy(range(10_000)))
    s3_server.put(bucket, {key: data})
    proxy.cut_after([len(data) // 2], key=key)
    proxy.throttle(1000, only=lambda request: request.is_get and len(proxy.gets) > 1)
    arguments = command(bucket, proxy, sandbox, "--checkpoint", "job.ckpt")
    with running(tmp_path, arguments) as process:
        until(lambda: proxy.struck > 1 and sandbox.stats()["attempts"] > 2000)
        s3_server.put(bucket, {key: zipped(noisy(range(1, 10_000, 2)))})
        proxy.heal()
        end = Finished(process)
    summary = end.require_closed_book()
    assert end.code == 1
    assert summary["state"] == "failed"
    assert summary["reason"].startswith(f"s3://{bucket}/{key} changed while it was read, and a part of it may be sent")
    assert "--changed continue" in summary["reason"]
    arrived = times(bodies(sandbox))
    assert set(arrived) <= set(range(6000))
    assert twice(arrived) == 0
    refused = run(tmp_path, arguments, code=2)
    assert f"s3://{bucket}/{key} changed since a part of it was sent" in refused.err
    run(tmp_path, [*arguments, "--changed", "continue"])
    assert times(bodies(sandbox)) == Counter(set(arrived) | set(range(1, 10_000, 2)))


@pytest.fixture
def listed_only(
    tmp_path: Path, s3_server: S3Server, bucket: str, proxy: S3Proxy, sandbox: SandboxProcess
) -> "Iterator[tuple[str, Callable[[], Finished]]]":
    """The key of an object that a run has listed, and what lets that run get its objects from then on, to its end."""
    keys = [folder(WEB, day) + "a.gz" for day in range(4)]
    s3_server.put(bucket, {key: zipped(message(10 * day + n) for n in range(10)) for day, key in enumerate(keys)})
    proxy.throttle(1000, only=lambda request: request.is_get)
    with running(tmp_path, command(bucket, proxy, sandbox)) as process:
        # Days are listed one after the other, so when the last one is asked for, those before were answered.
        until(lambda: folder(WEB, 3) in proxy.prefixes and proxy.gets)

        def finish() -> Finished:
            proxy.heal()
            return Finished(process)

        yield keys[1], finish


def test_an_object_replaced_before_it_is_read_is_sent_as_it_is_then(
    s3_server: S3Server, bucket: str, sandbox: SandboxProcess, listed_only: tuple[str, Callable[[], Finished]]
) -> None:
    key, finish = listed_only
    s3_server.put(bucket, {key: zipped(message(100 + n) for n in range(15))})
    end = finish()
    assert end.code == 0, end.err
    summary = end.require_closed_book()
    assert (summary["records"]["delivered"], summary["objects"]["complete"]) == (45, 4)
    assert times(bodies(sandbox)) == Counter([*range(10), *range(20, 40), *range(100, 115)])


def test_an_object_deleted_before_it_is_read_is_named_and_the_rest_is_sent(
    s3_server: S3Server, bucket: str, sandbox: SandboxProcess, listed_only: tuple[str, Callable[[], Finished]]
) -> None:
    key, finish = listed_only
    s3_server.client().delete_object(Bucket=bucket, Key=key)
    end = finish()
    assert end.code == 3, end.err
    summary = end.require_closed_book()
    assert summary["state"] == "complete"
    (damaged,) = summary["objects"]["damaged"]
    assert f"s3://{bucket}/{key}" in json.dumps(damaged)
    assert "it was removed before it was read" in end.err
    assert times(bodies(sandbox)) == Counter([*range(10), *range(20, 40)])


# -- how the store is reached ---------------------------------------------------------------------------------


def test_resume_reaches_the_store_as_the_run_did(
    tmp_path: Path, s3_server: S3Server, bucket: str, proxy: S3Proxy, sandbox: SandboxProcess
) -> None:
    """Options given anew take their place: the store may have moved."""
    keys = [folder(WEB, day) + "a.gz" for day in range(3)]
    s3_server.put(bucket, {key: zipped(message(10 * day + n) for n in range(10)) for day, key in enumerate(keys)})
    run(tmp_path, command(bucket, proxy, sandbox, "--checkpoint", "job.ckpt", "--limit", "5"), code=4)
    proxy.forget()
    run(tmp_path, ["resume", "job.ckpt", "--limit", "15"], code=4)
    assert len(proxy.listings) > 3
    proxy.forget()
    run(tmp_path, ["resume", "job.ckpt", "--s3-endpoint-url", s3_server.url])
    assert proxy.requests == []
    assert times(bodies(sandbox)) == Counter(range(30))


class PayerProxy(S3Proxy):
    """Notes who each request says will pay."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.payers: Counter[tuple[str, str | None]] = Counter()

    async def _answer(self, request: S3Request, head: bytes, client: Side) -> bool:
        self.payers["list" if request.is_listing else request.method, header(head, "x-amz-request-payer")] += 1
        return await super()._answer(request, head, client)


def test_who_pays_is_said_with_every_request(
    tmp_path: Path, s3_server: S3Server, bucket: str, proxy: S3Proxy, sandbox: SandboxProcess
) -> None:
    key = folder(WEB, 0) + "a.gz"
    s3_server.put(bucket, {key: zipped(message(n) for n in range(5000))})
    with PayerProxy(s3_server.url) as payers:
        arguments = command(bucket, payers, sandbox, "--checkpoint", "job.ckpt", "--s3-requester-pays")
        run(tmp_path, [*arguments, "--limit", "10"], code=4)
        run(tmp_path, ["resume", "job.ckpt"])
        assert {payer for _, payer in payers.payers} == {"requester"}
        assert {what for what, _ in payers.payers} == {"list", "GET", "HEAD"}
        payers.payers.clear()
        run(tmp_path, ["check", f"s3://{bucket}/{key}", "--s3-endpoint-url", payers.url, "--sandbox"])
        assert {payer for _, payer in payers.payers} == {None}

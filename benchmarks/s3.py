"""Archives on S3 (a SeaweedFS on this machine): streaming against the disk, starting, resuming, memory."""

import gzip
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

from benchmarks.messages import write_archive
from replay_cli.archive import S3Options, Source, open_source, read
from tests.support.processes import environment
from tests.support.s3_server import S3Server
from tests.support.sandbox_process import SandboxProcess

LARGE_MESSAGES = 950_000
"""They make 100 MB."""
MANY = 50_000
FINISHED = 2_000
DAY_MS = 86_400_000
FIRST_DAY = 1_740_787_200_000
ROUNDS = 3


def _line(n: int) -> bytes:
    made = {"type": "track", "event": "Tested", "userId": f"user-{n}", "messageId": f"m-{n}", "properties": {"n": n}}
    return orjson.dumps(made | {"timestamp": "2025-03-01T10:00:00.000Z"}, option=orjson.OPT_APPEND_NEWLINE)


def _seconds_to_read(source: Source) -> float:
    began = time.perf_counter()
    records = sum(len(batch.records) for page in source.pages() for obj in page for batch in read(source, obj))
    if records != LARGE_MESSAGES:
        raise AssertionError(f"{records} records came")
    return time.perf_counter() - began


def _streaming(server: S3Server, archive: Path, uri: str) -> tuple[float, float]:
    """Seconds to read the same object from the disk and from S3, in turns."""
    options = S3Options(endpoint_url=server.url)
    pairs = [
        (_seconds_to_read(open_source([str(archive)])), _seconds_to_read(open_source([uri], s3=options)))
        for _ in range(ROUNDS)
    ]
    disk, s3 = zip(*pairs, strict=True)
    return statistics.median(disk), statistics.median(s3)


def _command(server: S3Server, sandbox: SandboxProcess, uri: str, name: str, *more: str) -> list[str]:
    where = ["--endpoint", sandbox.url, "--name", name, "--s3-endpoint-url", server.url]
    return [sys.executable, "-m", "replay_cli", "run", uri, *where, "--rps", "5000", *more]


def _run(cwd: Path, command: list[str], codes: tuple[int, ...]) -> None:
    done = subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode not in codes:
        raise AssertionError(f"{done.returncode}: {done.stderr}")


def _first_request(cwd: Path, command: list[str], sandbox: SandboxProcess) -> float:
    """Seconds from the start of a run, which sends ten requests, to its first request at the server."""
    sandbox.reset()
    began = time.time()
    _run(cwd, [*command, "--limit", "10"], (0, 4))
    return min(float(line["at"]) for line in sandbox.received()) - began


def _peak_mb(cwd: Path, command: list[str]) -> float:
    """Peak memory of a command; measured from a small process, whose own peak its children inherit."""
    code = (
        "import resource, subprocess, sys;"
        "done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode;"
        "print(done, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    measured = subprocess.run(
        [sys.executable, "-c", code, *command], cwd=cwd, env=environment(), capture_output=True, text=True, check=True
    )
    exit_code, peak = map(int, measured.stdout.split())
    if exit_code:
        raise AssertionError(measured.stderr)
    return peak * 1024 / 1e6


@contextmanager
def _credentials(server: S3Server) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(server.environment())
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _many_objects(server: S3Server, bucket: str) -> None:
    """50,000 objects of one message in 3 sources and 100 days."""
    keys = (f"segment-logs/src{n % 3}/{FIRST_DAY + n // 3 % 100 * DAY_MS}/{n:05}.gz" for n in range(MANY))
    server.put(bucket, {key: gzip.compress(_line(n)) for n, key in enumerate(keys)})


def main() -> list[tuple[str, str, str]]:
    with tempfile.TemporaryDirectory() as folder, S3Server() as server, _credentials(server):
        cwd, bucket = Path(folder), server.make_bucket()
        archive = write_archive(cwd / "large.jsonl.gz", LARGE_MESSAGES // 2, users=50_000)
        content = archive.read_bytes() * 2  # as two gzip members: to compress takes long
        archive.write_bytes(content)
        server.put(bucket, {f"large/{n}.gz": content for n in range(2)})
        disk, s3 = _streaming(server, archive, f"s3://{bucket}/large/0.gz")
        dry = [sys.executable, "-m", "replay_cli", "run", f"s3://{bucket}/large/", "--dry-run"]
        dry_mb = _peak_mb(cwd, [*dry, "--s3-endpoint-url", server.url])
        with SandboxProcess(rps=1_000_000) as sandbox:
            sending = _command(server, sandbox, f"s3://{bucket}/large/", "large", "--limit", "100000", "--json")
            sending_mb = _peak_mb(cwd, ["sh", "-c", '"$@"; test $? = 4', "sh", *sending])
            finished = {f"many/{n:04}.gz": gzip.compress(_line(n)) for n in range(FINISHED - 1)}
            last = {"many/last.gz": gzip.compress(b"".join(map(_line, range(FINISHED, FINISHED + 20_000))))}
            server.put(bucket, finished | last)
            job = _command(server, sandbox, f"s3://{bucket}/many/", "many")
            _run(cwd, [*job, "--limit", str(FINISHED + 5_000)], (4,))
            resumed = _first_request(cwd, job, sandbox)
            _many_objects(server, bucket)
            begun = _first_request(cwd, _command(server, sandbox, f"s3://{bucket}/segment-logs/", "begun"), sandbox)
    size = len(content) / 1e6
    return [
        (f"read an object of {size:.0f} MB from disk", f"{disk:.2f} s, {size / disk:.0f} MB/s", ""),
        ("the same from S3", f"{s3:.2f} s, {size / s3:.0f} MB/s", ""),
        ("ratio of the speeds", f"{disk / s3:.2f}", "≥ 0.70"),
        ("memory: dry run of two of them", f"{dry_mb:.0f} MB", "< 250 MB"),
        ("memory: replay of 100,000 of their messages", f"{sending_mb:.0f} MB", "< 250 MB"),
        (f"{MANY:,} objects: first request after", f"{begun:.2f} s", "< 3 s"),
        (f"{FINISHED:,} objects, resumed in the last: first request after", f"{resumed:.2f} s", "< 2 s"),
    ]

"""`replay validate` with two workers and with one, beside jq and DuckDB over the same files, in turn."""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

import duckdb

from benchmarks.messages import write_archive
from tests.support.processes import environment

OBJECTS, MESSAGES = 8, 125_000
ROUNDS = 3
TARGET = 80_000
TARGET_OF_JQ = 1.8
TARGET_OF_ONE = 1.6
TARGET_MEGABYTES = 250
_LOOK_EVERY = 0.1


def write_archives(folder: Path) -> int:
    """Write the objects; return how many bytes they are as text."""
    size = 0
    for n in range(OBJECTS):
        path = write_archive(folder / f"{n}.jsonl.gz", MESSAGES, users=50_000, seed=n)
        size += int.from_bytes(path.read_bytes()[-4:], "little")  # as a gzip file's end tells
    return size


def _validated(folder: Path, workers: int) -> tuple[float, float]:
    """Validate the archive; the seconds that it takes, from start to end, and the peak of a worker's memory in MB."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "replay_cli", "validate", str(folder), "--workers", str(workers), "--json"],
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    peak = 0.0
    while process.poll() is None:
        peak = max([peak, *map(_peak, _working(process.pid, workers))])
        time.sleep(_LOOK_EVERY)
    seconds = time.monotonic() - began
    _, told = process.communicate()
    if process.returncode:
        raise AssertionError(told.decode())
    return seconds, peak


def _working(pid: int, workers: int) -> list[int]:
    """The processes that read: where there is one, the command itself."""
    if workers == 1:
        return [pid]
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:  # it has ended
        return []


def _peak(pid: int) -> float:
    """A process's peak memory so far, in MB; 0 when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM")), 0.0)


def _jq_seconds(folder: Path) -> float:
    began = time.monotonic()
    subprocess.run(f"zcat {folder}/*.gz | jq -c .type > /dev/null", shell=True, check=True)
    return time.monotonic() - began


def _duckdb_seconds(folder: Path) -> float:
    began = time.monotonic()
    columns = "{type: 'VARCHAR', event: 'VARCHAR'}"
    query = f"SELECT type, event, count(*) FROM read_json('{folder}/*.gz', columns={columns}) GROUP BY ALL"
    counted = duckdb.connect().execute(query).fetchall()
    if sum(row[-1] for row in counted) != OBJECTS * MESSAGES:
        raise AssertionError(counted)
    return time.monotonic() - began


class Round(NamedTuple):
    """Seconds that each took, in the same minutes: this machine's speed may be another one soon."""

    both: float
    one: float
    jq: float | None
    duck: float


def main() -> list[tuple[str, str, str]]:
    messages = OBJECTS * MESSAGES
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = write_archives(folder)
        rounds, peak = [], 0.0
        for _ in range(ROUNDS):
            both, peak_of_two = _validated(folder, 2)
            one, peak_of_one = _validated(folder, 1)
            jq = _jq_seconds(folder) if shutil.which("jq") else None
            rounds.append(Round(both, one, jq, _duckdb_seconds(folder)))
            peak = max(peak, peak_of_one, peak_of_two)
    fastest, typical = min(each.both for each in rounds), median(each.both for each in rounds)

    def rate(seconds: float) -> str:
        return f"{messages / seconds:,.0f} messages/s, {size / seconds / 1e6:.0f} MB/s"

    of_jq = [each.jq / each.both for each in rounds if each.jq is not None]
    return [
        (f"2 workers, best of {ROUNDS} rounds", rate(fastest), f"≥ {TARGET:,} messages/s"),
        ("2 workers, median", rate(typical), ""),
        ("1 worker, median", rate(median(each.one for each in rounds)), ""),
        ("2 workers / 1 worker", f"{median(each.one / each.both for each in rounds):.2f}", f"≥ {TARGET_OF_ONE}"),
        ("jq -c .type, median", rate(median(each.jq for each in rounds if each.jq)) if of_jq else "not installed", ""),
        ("2 workers / jq", f"{median(of_jq):.2f}" if of_jq else "–", f"≥ {TARGET_OF_JQ}"),
        ("DuckDB, two columns counted", rate(median(each.duck for each in rounds)), ""),
        ("2 workers / DuckDB", f"{median(each.duck / each.both for each in rounds):.2f}", ""),
        ("peak memory of a worker", f"{peak:.0f} MB", f"< {TARGET_MEGABYTES} MB"),
    ]

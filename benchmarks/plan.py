"""`replay validate --plan` over 50,000 small objects on disk, in folders like those of S3: start and end included."""

import gzip
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.messages import write_archive
from tests.support.processes import environment

OBJECTS = 50_000
SOURCES = ("kQ8vTz3nWbYp5RdXmLs2Ha", "f4Jc9GxUeMt7ZqNr1VwKoB", "s9Dn2HyPtWc6LfEj4QbMvR", "b3Lx8TkReFw5GvZm1NqJdY")
DAYS = 125
VARIANTS = 50
TARGET = 10.0
_FIRST_DAY = 1_740_787_200_000
_DAY = 86_400_000

_COMMAND = """
import re, sys
from replay_cli.cli import main
try:
    main()
finally:
    status = open("/proc/self/status").read()
    print("peak", re.search(r"VmHWM:\\s+(\\d+) kB", status)[1], file=sys.stderr)
"""


def write_objects(folder: Path) -> int:
    """Write objects of 5 to 54 messages each, and return how many messages these are."""
    lines = gzip.decompress(write_archive(folder / "messages.gz", VARIANTS + 4).read_bytes()).splitlines(keepends=True)
    (folder / "messages.gz").unlink()
    contents = [gzip.compress(b"".join(lines[: n + 5]), 1) for n in range(VARIANTS)]
    folders = [
        folder / "segment-logs" / source / str(_FIRST_DAY + day * _DAY) for source in SOURCES for day in range(DAYS)
    ]
    for place in folders:
        place.mkdir(parents=True)
    for n in range(OBJECTS):
        (folders[n % len(folders)] / f"{n:06}.gz").write_bytes(contents[n * 7 % VARIANTS])
    return sum(n * 7 % VARIANTS + 5 for n in range(OBJECTS))


def main() -> list[tuple[str, str, str]]:
    with tempfile.TemporaryDirectory() as folder:
        messages = write_objects(Path(folder))
        os.sync()  # what writing them leaves to do is not measured
        command = [sys.executable, "-c", _COMMAND, "validate", folder, "--plan", "--json"]
        began = time.monotonic()
        done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
        seconds = time.monotonic() - began
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    import orjson

    plan = orjson.loads(done.stdout)
    estimate, error = plan["records"]["estimate"], plan["records"]["error"]
    peak = int(done.stderr.rpartition("peak ")[2]) * 1024 / 1e6
    return [
        ("objects", f"{plan['objects']:,}", ""),
        ("seconds, start and end of the process included", f"{seconds:.1f}", f"< {TARGET:.0f}"),
        ("records", f"{estimate:,} ± {error:,}; there are {messages:,}", ""),
        ("peak memory", f"{peak:.0f} MB", ""),
    ]

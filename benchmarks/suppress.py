"""A list of 5,000,000 suppressed users: to load it, to keep it, and to ask it of each message."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.processes import environment

USERS = 5_000_000
_AT_ONCE = 100_000
_CHILD = """
import json, resource, sys, time
from pathlib import Path
from replay_cli.cli.listing import listing_from

def memory():
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0]) * 1024 / 1e6

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6

def per_question(select, names):
    messages = [{"userId": name} for name in names]
    began = time.perf_counter()
    for message in messages:
        select(message)
    return (time.perf_counter() - began) / len(messages)

found = {"base": memory(), "base_peak": peak()}
began = time.perf_counter()
listing = listing_from({"suppress": sys.argv[2:]})
found |= {"seconds": time.perf_counter() - began, "steady": memory(), "peak": peak()}
select, users = listing.lists.selector(), int(sys.argv[1])
found["listed"] = per_question(select, [f"user-{n * 7919 % users}" for n in range(200_000)])
found["others"] = per_question(select, [f"other-{n}" for n in range(200_000)])
print(json.dumps(found))
"""


def write_list(path: Path, users: int) -> Path:
    with path.open("w") as file:
        for first in range(0, users, _AT_ONCE):
            file.write("".join(f"user-{n}\n" for n in range(first, min(first + _AT_ONCE, users))))
    return path


def main() -> list[tuple[str, str, str]]:
    with tempfile.TemporaryDirectory() as folder:
        path = write_list(Path(folder) / "people.txt", USERS)
        command = [sys.executable, "-c", _CHILD, str(USERS), str(path)]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    peak, steady = found["peak"] - found["base_peak"], found["steady"] - found["base"]
    return [
        (f"load {USERS:,} users", f"{found['seconds']:.1f} s", "< 10 s"),
        ("peak memory over the baseline (in all)", f"{peak:.0f} MB ({found['peak']:.0f} MB)", "< 400 MB"),
        ("steady memory over the baseline (in all)", f"{steady:.0f} MB ({found['steady']:.0f} MB)", "< 100 MB"),
        ("messages of others", f"{1 / found['others']:,.0f} a second", ""),
        ("messages of listed users", f"{1 / found['listed']:,.0f} a second", ""),
    ]

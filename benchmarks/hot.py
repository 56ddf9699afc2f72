"""One user owns half of 20,000 messages, 50 ms latency: when the other users' have arrived, and when they do alone."""

import gzip
import tempfile
from pathlib import Path

import orjson

from benchmarks.arriving import received, running
from benchmarks.messages import write_archive
from tests.support.sandbox_process import SandboxProcess

MESSAGES = 20_000
RPS = 450
HOT = "hot"


def write_archives(cwd: Path) -> tuple[Path, Path]:
    """Two archives: of the others, and the same with a hot user's messages in between."""
    plain = write_archive(cwd / "plain.jsonl.gz", MESSAGES)
    alone, mixed = cwd / "alone.jsonl.gz", cwd / "mixed.jsonl.gz"
    with gzip.open(plain) as lines, gzip.open(alone, "wb") as others, gzip.open(mixed, "wb") as both:
        for n, line in enumerate(lines):
            if n % 2:
                others.write(line)
                both.write(line)
            else:
                both.write(orjson.dumps(orjson.loads(line) | {"userId": HOT, "anonymousId": HOT}) + b"\n")
    return alone, mixed


def _seconds(cwd: Path, archive: Path) -> tuple[float, int]:
    """Seconds from the first arrival to the last one of the others; and how many of the hot user had arrived."""
    with (
        SandboxProcess(rps=1_000_000, latency=0.05) as sandbox,
        running(cwd, archive, sandbox.url, "--rps", str(RPS), checkpoint=f"{archive.name}.ckpt") as run,
    ):
        run.wait_until(lambda: sandbox.stats()["recorded"] >= MESSAGES // 2 - 5)
        others: list[float] = []
        while len(others) < MESSAGES // 2:
            lines = received(sandbox, recorded=True)
            others = [line["at"] for line in lines if line["body"]["user_id"] != HOT]
    return others[-1] - lines[0]["at"], len(lines) - len(others)


def main() -> list[tuple[str, str, str]]:
    with tempfile.TemporaryDirectory() as folder:
        cwd = Path(folder)
        alone, mixed = write_archives(cwd)
        without, _ = _seconds(cwd, alone)
        beside, hot = _seconds(cwd, mixed)
    return [
        ("the others alone", f"{without:.1f} s", ""),
        ("beside the hot user", f"{beside:.1f} s", ""),
        ("ratio", f"{beside / without:.3f}", "≤ 1.10"),
        ("the hot user's by then", f"{hot / beside:.1f} a second", ""),
    ]

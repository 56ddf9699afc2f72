"""One message answered 500 for good in the middle of 50,000: when the rest has arrived, and the peak memory."""

import gzip
import statistics
import tempfile
from pathlib import Path

import orjson

from benchmarks.arriving import received, running
from benchmarks.messages import write_archive
from tests.support.sandbox_process import SandboxProcess

MESSAGES = 50_000
RPS = 1000
ORDER = (False, True, True, False)
"""With the poison or without, so that the machine's mood cancels out."""


def find_poison(archive: Path) -> tuple[str, int]:
    """A track in the middle: its order id, and how many messages its user has from there on."""
    with gzip.open(archive) as lines:
        messages = [orjson.loads(line) for line in lines]
    middle = next(n for n, made in enumerate(messages) if n >= MESSAGES // 2 and made["type"] == "track")
    behind = sum(made["userId"] == messages[middle]["userId"] for made in messages[middle:])
    return messages[middle]["properties"]["order_id"], behind


def _measure(cwd: Path, archive: Path, number: int, order_id: str | None, others: int) -> tuple[float, float]:
    """Seconds from the first arrival to the last one of the others, and MB."""
    with SandboxProcess(rps=1_000_000) as sandbox:
        if order_id is not None:
            sandbox.faults([{"match": {"properties.order_id": order_id}, "status": 500}])
        url, checkpoint = sandbox.url, f"{number}.ckpt"
        with running(cwd, archive, url, "--rps", str(RPS), "--max-duration", "5m", checkpoint=checkpoint) as run:
            # Without the poison the run ends by itself after its last message.
            run.wait_until(lambda: sandbox.stats()["recorded"] >= others - 5)
            lines = received(sandbox, recorded=True)
            while len(lines) < others:
                lines = received(sandbox, recorded=True)
            run.end()
    return lines[-1]["at"] - lines[0]["at"], run.peak_mb


def main() -> list[tuple[str, str, str]]:
    figures: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    with tempfile.TemporaryDirectory() as folder:
        cwd = Path(folder)
        archive = write_archive(cwd / "archive.jsonl.gz", MESSAGES, users=5000)
        order_id, behind = find_poison(archive)
        for number, poisoned in enumerate(ORDER):
            others = MESSAGES - behind if poisoned else MESSAGES
            figures[poisoned].append(_measure(cwd, archive, number, order_id if poisoned else None, others))
    (without, without_mb), (with_it, with_mb) = (
        [statistics.mean(column) for column in zip(*figures[poisoned], strict=True)] for poisoned in (False, True)
    )
    return [
        ("without: all have arrived after", f"{without:.1f} s", ""),
        ("with it: the others have", f"{with_it:.1f} s", ""),
        ("ratio", f"{with_it / without:.3f}", "≤ 1.05"),
        ("peak memory without", f"{without_mb:.0f} MB", ""),
        ("peak memory with it", f"{with_mb:.0f} MB", ""),
        ("ratio", f"{with_mb / without_mb:.2f}", "≤ 1.10"),
    ]

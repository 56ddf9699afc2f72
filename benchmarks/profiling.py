"""Read + prepare + profile, as a validation's worker does, against read + prepare, as a run does, on one core.

The worker makes no bodies, so the ratio is no share of the profile alone. In CPU time.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.messages import write_archive
from replay_cli.archive import open_source, read
from replay_cli.model import RecordBatch
from replay_cli.moengage.apis import make_api
from replay_cli.preparation import Observer, Preparation, Prepared
from replay_cli.profiling import Profiler

MESSAGES = 50_000
ROUNDS = 9
TARGET = 45_000
_NOW = 1.75e9


def _preparation(observer: Observer | None = None, api: str = "actions") -> Preparation:
    made, is_observed = make_api({"api": api}, "APP"), observer is not None
    return Preparation(made, strict=False, clock=lambda: _NOW, observer=observer, without_bodies=is_observed)


def _profiler() -> Profiler:
    return Profiler(_preparation, _NOW, _preparation(api="bulk"))


def _seconds(path: Path, take: Callable[[RecordBatch], Prepared]) -> float:
    source, began = open_source([str(path)]), time.process_time()
    for page in source.pages():
        for obj in page:
            for batch in read(source, obj):
                take(batch)
    return time.process_time() - began


def main() -> list[tuple[str, str, str]]:
    with tempfile.TemporaryDirectory() as folder:
        path = write_archive(Path(folder) / "archive.jsonl.gz", MESSAGES, users=50_000)
        rounds = [
            (
                _seconds(path, _preparation()),
                _seconds(path, _profiler().take),
            )
            for _ in range(ROUNDS)
        ]
    prepared, profiled = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(one / other for one, other in rounds)
    return [
        ("read + prepare", f"{MESSAGES / prepared:,.0f} messages/s", ""),
        ("read + prepare + profile", f"{MESSAGES / profiled:,.0f} messages/s", f"≥ {TARGET:,}"),
        ("ratio, median of rounds", f"{ratio:.2f}", ""),
    ]

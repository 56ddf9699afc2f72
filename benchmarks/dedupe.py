"""A window for duplicates of 10,000,000 messages: its memory, the time of a take, and of a resume."""

import random
import subprocess
import sys
import tempfile
import time
from array import array
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

from replay_cli.ledger.group import Group, Seen
from replay_cli.ledger.store import Store
from replay_cli.segment.duplicates import Window

SIZE = 10_000_000
BATCH = 1000
TAKES = 500_000
ROUNDS = 5


def _write_checkpoint(path: Path) -> None:
    """Make a checkpoint that knows a window full of messages."""
    store, dice = Store.create(path, {}), random.Random(1)
    for first in range(0, SIZE, 100 * BATCH):
        batches = range(first, first + 100 * BATCH, BATCH)
        store.apply(Group(seen_messages=[Seen(1, batch, dice.randbytes(8 * BATCH), None) for batch in batches]))
    store.close()


def measure(path: Path) -> None:
    """Go on with a job as a run does, all of it loaded; print seconds, microseconds and bytes."""
    import replay_cli.cli.wiring  # all that a run has in memory
    import replay_cli.sandbox  # noqa: F401 # as above

    store = Store.open(path)
    began = time.perf_counter()
    window = Window(SIZE, salt=random.getrandbits(32))
    for numbers in store.begin_window(SIZE):
        window.fill(numbers)
    loaded = time.perf_counter() - began
    rounds = []
    for _ in range(ROUNDS):
        fresh = array("Q", random.randbytes(8 * TAKES))
        began = time.perf_counter()
        for number in fresh:
            window.take(number)
        rounds.append((time.perf_counter() - began) / TAKES)
    if not all(map(window.take, fresh)):
        raise AssertionError("the window has lost messages")
    store.close()
    print(loaded, sorted(rounds)[ROUNDS // 2] * 1e6, getrusage(RUSAGE_SELF).ru_maxrss * 1024)


def main() -> list[tuple[str, str, str]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "job.ckpt"
        _write_checkpoint(path)
        size = path.stat().st_size
        code = "import sys; from pathlib import Path; from benchmarks.dedupe import measure; measure(Path(sys.argv[1]))"
        done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    loaded, take, peak = map(float, done.stdout.split())
    return [
        (f"window of {SIZE:,}, memory of the process", f"{peak / 1e6:.0f} MB", "< 500 MB"),
        ("a take when it is full", f"{take:.2f} µs", "≤ 2 µs"),
        ("loaded from the checkpoint", f"{loaded:.1f} s", ""),
        ("its share of the checkpoint", f"{size / 1e6:.0f} MB", ""),
    ]

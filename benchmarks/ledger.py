"""What the ledger costs at the cap, `synchronous=FULL`: its CPU time against a core, and a run without it."""

import asyncio
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path

from replay_cli.ledger.dead_letters import DeadLetterFile
from replay_cli.ledger.ledger import Ledger
from replay_cli.ledger.objects import Listed
from replay_cli.ledger.store import Store
from replay_cli.ledger.watermark import OpenBatch
from replay_cli.model import ArchiveObject

SECONDS = 6
ROUNDS = 5
RPS = 500
BATCH = 1000


async def _pace(ledger: Ledger | None, object_id: int) -> float:
    """Declare, conclude and settle 500 attempts a second; the CPU seconds that it took."""
    began, cpu = time.monotonic(), time.process_time()
    batch: OpenBatch | None = None
    attempts: set[asyncio.Task[None]] = set()
    for n in range(SECONDS * RPS):
        if ledger is not None and n % BATCH == 0:
            if batch is None:
                ledger.begin_object(object_id, 0)
            ordinals = range(n, n + BATCH)
            batch = ledger.begin_batch(object_id, ordinals, BATCH, ordinals, Counter(), ())
        task = asyncio.create_task(_attempt(ledger, batch, n))
        attempts.add(task)
        task.add_done_callback(attempts.discard)
        await asyncio.sleep(max(0.0, began + n / RPS - time.monotonic()))
    await asyncio.gather(*attempts)
    if ledger is not None:
        await ledger.flush()
    return time.process_time() - cpu


async def _attempt(ledger: Ledger | None, batch: OpenBatch | None, n: int) -> None:
    if ledger is None or batch is None:
        return
    key = (batch.object_id, n, 0, 1)
    await ledger.intend([key])
    ledger.conclude([key], "200")
    ledger.settle(batch, n, "delivered")


def main() -> list[tuple[str, str, str]]:
    async def measure(store: Store, path: Path) -> tuple[float, float]:
        store.register([Listed(ArchiveObject(str(n), 1, "e"), "") for n in range(ROUNDS)])
        states = store.waiting()
        ledger = Ledger(store, DeadLetterFile(path), lambda error: None)
        pairs = [(await _pace(None, 0), await _pace(ledger, state.id)) for state in states]
        ledger.close()
        without = statistics.median(first for first, _ in pairs)
        return without, without + statistics.median(second - first for first, second in pairs)

    with tempfile.TemporaryDirectory() as folder:
        store = Store.create(Path(folder) / "a.ckpt", {})
        without, with_ledger = asyncio.run(measure(store, Path(folder) / "letters"))
        store.verify_book()
        if store.tallies() != {"delivered": {"": ROUNDS * SECONDS * RPS}}:
            raise AssertionError("the ledger did not settle everything")
        store.close()
    share = (with_ledger - without) / SECONDS
    return [
        ("driver alone, CPU of a core", f"{without / SECONDS:.1%}", ""),
        ("ledger at 500 attempts a second", f"{share:.1%}", "< 5 %"),
    ]

"""What the ledger costs at the cap, `synchronous=FULL`: its CPU time against a core, and a run without it."""

import asyncio
import tempfile
import time
from collections import Counter
from pathlib import Path

from replay_cli.ledger.dead_letters import DeadLetterFile
from replay_cli.ledger.ledger import Ledger
from replay_cli.ledger.store import Store
from replay_cli.model import ArchiveObject

SECONDS = 20
RPS = 500
BATCH = 1000


async def _pace(ledger: Ledger | None, object_id: int) -> float:
    """Declare, conclude and settle 500 attempts a second; the CPU seconds that it took."""
    began, cpu = time.monotonic(), time.process_time()
    batch = None
    for n in range(SECONDS * RPS):
        if ledger is not None:
            if n % BATCH == 0:
                if n == 0:
                    ledger.begin_object(object_id, 0)
                ordinals = range(n, n + BATCH)
                batch = ledger.begin_batch(object_id, ordinals, BATCH, ordinals, Counter(), ())
            key = (object_id, n, 0, 1)
            task = asyncio.ensure_future(ledger.intend([key]))
            task.add_done_callback(lambda _, key=key, batch=batch, n=n: _answer(ledger, key, batch, n))  # type: ignore[misc] # mypy cannot infer bound defaults
        await asyncio.sleep(max(0.0, began + n / RPS - time.monotonic()))
    if ledger is not None:
        await ledger.flush()
    return time.process_time() - cpu


def _answer(ledger: Ledger, key: tuple[int, int, int, int], batch: object, n: int) -> None:
    ledger.conclude([key], "200")
    ledger.settle(batch, n, "delivered")  # type: ignore[arg-type] # an OpenBatch, through a callback


def main() -> list[tuple[str, str, str]]:
    async def measure(store: Store, path: Path) -> tuple[float, float]:
        states, _ = store.register([ArchiveObject("a", 1, "e")])
        ledger = Ledger(store, DeadLetterFile(path), lambda error: None)
        without = await _pace(None, 0)
        with_ledger = await _pace(ledger, states[0].id)
        ledger.close()
        return without, with_ledger

    with tempfile.TemporaryDirectory() as folder:
        store = Store.create(Path(folder) / "a.ckpt", {})
        without, with_ledger = asyncio.run(measure(store, Path(folder) / "letters"))
        store.verify_book()
        if store.tallies() != {"delivered": {"": SECONDS * RPS}}:
            raise AssertionError("the ledger did not settle everything")
        store.close()
    share = (with_ledger - without) / SECONDS
    return [
        ("driver alone, CPU of a core", f"{without / SECONDS:.1%}", ""),
        ("ledger at 500 attempts a second", f"{share:.1%}", "< 5 %"),
    ]

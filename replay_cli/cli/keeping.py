"""The option `--keep-dead-letters`: how long the texts of what was not delivered are kept."""

import time
from pathlib import Path

from replay_cli.job import dead_letter_path
from replay_cli.ledger.dead_letters import DeadLetterFile
from replay_cli.ledger.store import Store

_WHY = {"expired": "expired", "erased": "been erased"}


def expire_dead_letters(store: Store, path: Path, keep: float | None) -> None:
    """Erase the texts of the dead letters that are too old, and what an erasure that died has left on the disk.

    Args:
        store: the checkpoint, locked.
        path: its file; the dead letters' is beside it.
        keep: seconds; None: as long as the checkpoint.

    Raises:
        FatalError: the disk is full or failing.
    """
    if keep is not None:
        store.expire_letters(time.time() - keep)
    if store.is_to_be_wiped:
        DeadLetterFile(dead_letter_path(path)).recover(store)
    store.wipe()


def no_more_text(store: Store) -> str:
    """Say how many dead letters cannot be sent again, because their texts are gone; "" for none."""
    return "".join(
        f"; {n:,} {'has' if n == 1 else 'have'} {_WHY[why]}, and cannot be sent again"
        for why, n in store.gone_letters().items()
    )

"""The copy of a checkpoint on S3 that runs of this machine work on: whose it is, and when it counts."""

from contextlib import closing
from pathlib import Path

from replay_cli.errors import UsageError
from replay_cli.job import dead_letter_path
from replay_cli.ledger.store import Store

_OWN_FILES = ("", "-wal", "-shm", "-journal", ".push")


def custodian(path: Path) -> str | None:
    """Return who wrote the working copy last: the id of an owner of the checkpoint; None where there is no copy.

    Raises:
        UsageError: the file is no checkpoint.
    """
    if not path.exists():
        return None
    with closing(Store.open(path)) as store:  # not only read: a killed run has left its log behind
        return store.custodian() or ""


def note_custodian(path: Path, owner: str) -> None:
    """Note that a working copy goes on as it is, with this owner of the checkpoint."""
    with closing(Store.open(path)) as store:
        store.set_custodian(owner)


def was_used(path: Path) -> bool:
    """Tell whether a run has begun to send from the working copy."""
    if not path.exists():
        return False
    with closing(Store.open(path)) as store:
        return bool(store.runs())


def put_in_place(fetched: Path, path: Path) -> None:
    """Make what was fetched the working copy; what was written from the old one goes with it."""
    remove(path)
    fetched.rename(path)


def remove(path: Path) -> None:
    """Remove a working copy that counts no more, and its dead letters: they are in the checkpoint on S3."""
    for suffix in _OWN_FILES:
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    dead_letter_path(path).unlink(missing_ok=True)


def refuse_orphan(path: Path, shown: str) -> None:
    """Refuse to begin anew where this machine has sent from a checkpoint that is not there any more.

    Raises:
        UsageError: it has.
    """
    if was_used(path):
        raise UsageError(
            f"{shown} is not there, but this machine has sent from it: bring it back, or begin anew with --restart, "
            f"which sends everything again ({path} is what is known of it here)"
        )

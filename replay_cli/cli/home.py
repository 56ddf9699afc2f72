"""Where the checkpoint of an invocation lives: a file on this machine, or (`remote_home`) an object on S3."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Union

from rich.console import Console

from replay_cli.custody import AT_HOME, Custody
from replay_cli.errors import UsageError
from replay_cli.job import CHECKPOINTS, Job
from replay_cli.ledger.lock import checkpoint_lock
from replay_cli.ledger.store import Store
from replay_cli.report.summary import Summary

if TYPE_CHECKING:  # what only annotations need, and is slow to import: `status` is to be instant
    from replay_cli.cli.session import Session
    from replay_cli.cli.state import Keeping
    from replay_cli.delivery.cap import Cap
    from replay_cli.remote.place import Place
    from replay_cli.replay import Replay

Where = Union[Path, "Place"]  # a name in quotes takes no `|`
"""A checkpoint as the command line names it."""
_WORKING_COPIES = "s3"
"""The folder, beside the checkpoints in files, for copies of those on S3."""
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


class Home:
    """A checkpoint in a file.

    `path` is the file that the run works on, `shown` what people call the checkpoint, and `custody` is asked before
    anything is sent.
    """

    custody: Custody = AT_HOME

    def __init__(self, path: Path) -> None:
        self.path = path
        self.shown = str(path)

    def lock(self) -> AbstractContextManager[object]:
        """Keep other runs of this machine away from the checkpoint.

        Raises:
            FatalError: another run uses it.
        """
        return checkpoint_lock(self.path)

    def opened(self, store: Store) -> None:
        """Note in a checkpoint that goes on what became of it while it was elsewhere."""

    def keep_old(self) -> None:
        """Keep the old checkpoint elsewhere too, if there is one, before a new one takes its name."""

    def ready(self, job: Job, session: "Session") -> None:
        """Make the checkpoint safe as it is, and take a share of the workspace's quota: now it is sent.

        Raises:
            FatalError: that cannot be.
        """

    @asynccontextmanager
    async def watch(self, replay: "Replay", cap: "Cap") -> AsyncIterator[None]:
        """Look after the checkpoint and the rate while a run is on."""
        yield

    def put_back(self, store: Store, summary: Summary) -> Summary:
        """Make the checkpoint safe as it is now; return the job's summary, with the names that its files have there.

        Raises:
            ReplayError: that cannot be.
        """
        return summary

    def leave(self, store: Store, summary: Summary) -> Summary:
        """Make the checkpoint safe as the run has left it, as `put_back` does; a summary tells where that cannot be."""
        return self.put_back(store, summary)


def name_of(where: Where) -> str:
    """Return a checkpoint's short name: its job is called by it."""
    return Path(where.name if isinstance(where, Path) else where.key).name.removesuffix(".ckpt")


def working_file(where: Where) -> Path:
    """Return the file that runs of a checkpoint work on; for one on S3 it has a place of its own on this machine."""
    if isinstance(where, Path):
        return where
    name = _NOT_IN_NAMES.sub("-", Path(where.key).name.removesuffix(".ckpt"))[:40]
    return CHECKPOINTS / _WORKING_COPIES / f"{name}-{sha256(where.uri.encode()).hexdigest()[:8]}.ckpt"


def _refuse_working_copy(path: Path) -> None:
    """Refuse the copy of a checkpoint on S3, where nobody would know what was sent from it."""
    if path.resolve().parts[-3:-1] != (CHECKPOINTS.name, _WORKING_COPIES) or not path.exists():
        return
    with closing(Store.open(path, read_only=True)) as store:
        if store.custodian() is not None:
            raise UsageError(
                f"{path} is this machine's copy of a checkpoint on S3, which would not know what is sent from here: "
                "name that one, as in s3://bucket/state/nightly.ckpt"
            )


@contextmanager
def home_of(where: Where, job: Job, session: "Keeping", console: Console) -> Iterator[Home]:
    """Give the home of a job's checkpoint; of one on S3, it is ours from here to the end.

    Raises:
        FatalError: another run uses it, or it cannot be reached.
        UsageError: it is another job's, or the file is this machine's copy of one on S3.
    """
    if isinstance(where, Path):
        _refuse_working_copy(where)
        yield Home(where)
        return
    from replay_cli.cli.remote_home import keep

    with keep(where, working_file(where), job, session, console) as home:
        yield home

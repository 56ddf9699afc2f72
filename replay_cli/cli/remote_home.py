"""A checkpoint on S3: taken, fetched, pushed before anything is sent and while it is, and given back at the end.

The run works on a copy of it on this machine. That copy is used again only if nobody else had the checkpoint since.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from replay_cli.cli.alarm import Alarm
from replay_cli.cli.beside import put_beside
from replay_cli.cli.home import Home
from replay_cli.cli.interruption import interruptible
from replay_cli.cli.pushing import Pushing
from replay_cli.cli.quota import Quota
from replay_cli.cli.remote_custody import RemoteCustody
from replay_cli.cli.session import Session
from replay_cli.cli.state import Keeping
from replay_cli.cli.working_copy import custodian, note_custodian, put_in_place, refuse_orphan, remove
from replay_cli.delivery.cap import Cap
from replay_cli.errors import FatalError, PausedError, ReplayError
from replay_cli.job import Job
from replay_cli.ledger.lock import checkpoint_lock
from replay_cli.ledger.store import Store
from replay_cli.remote.bucket import Bucket
from replay_cli.remote.keeper import Keeper
from replay_cli.remote.manifest import JobIdentity, Manifest, Snapshot
from replay_cli.remote.place import Place
from replay_cli.remote.share import EVERY, Share
from replay_cli.replay import Replay
from replay_cli.report.logs import tell
from replay_cli.report.summary import Summary
from replay_cli.report.terminal import duration

_MARGIN, _MARGIN_SHARE = 5.0, 1 / 6
"""So many seconds before its lease ends a run sends nothing more; of a short one, this share of it."""
_RENEWALS = 10
"""How often at least a share of the quota is renewed while its lease lasts."""


@contextmanager
def keep(place: Place, path: Path, job: Job, session: Keeping, console: Console) -> Iterator["RemoteHome"]:
    """Take a checkpoint on S3 and bring it to this machine; at the end it is given back, whatever happened.

    Args:
        place: where it is.
        path: the file on this machine that the run works on.
        job: whose it must be.
        session: how S3 is reached, and how long a lease lasts.
        console: is told what happens.

    Raises:
        FatalError: another run uses it, or it cannot be reached.
        UsageError: it is another job's.
    """
    with ExitStack() as stack:
        stack.enter_context(interruptible())
        stack.enter_context(checkpoint_lock(path))
        bucket = Bucket.open(session.state.s3, place.bucket)
        say = partial(tell, console, "checkpoint")
        keeper = _take(bucket, place, job, session, partial(tell, console, "lease"))
        pushing = Pushing(keeper, path, session.state.push_every, say, partial(tell, console, "pushed"))
        home = RemoteHome(bucket, place, path, keeper, pushing, console)
        stack.push(home.give_back)
        home.fetch(restart=session.restart)
        yield home


def _take(bucket: Bucket, place: Place, job: Job, session: Keeping, say: Callable[[str], None]) -> Keeper:
    identity, lease = JobIdentity(job.name, job.endpoint, job.workspace_id), session.state.lease
    try:
        return Keeper.take(
            *(bucket, place, identity),
            say=say,
            ttl=lease,
            margin=_margin(lease),
            of_any_job=session.restart,
        )
    except PausedError as error:
        raise FatalError(str(error)) from error  # nothing was begun that could go on


def _margin(lease: float) -> float:
    return min(_MARGIN, lease * _MARGIN_SHARE)


class RemoteHome(Home):
    """A checkpoint on S3 that this run has taken.

    Args:
        bucket: where it is.
        place: its name there.
        path: the working copy.
        keeper: holds the lease.
        pushing: stores the working copy.
        console: is told what happens.
    """

    def __init__(
        self, bucket: Bucket, place: Place, path: Path, keeper: Keeper, pushing: Pushing, console: Console
    ) -> None:
        super().__init__(path)
        self.shown = place.uri
        self.custody: RemoteCustody = RemoteCustody(keeper)
        self._alarm = Alarm()
        self._bucket = bucket
        self._place = place
        self._keeper = keeper
        self._pushing = pushing
        self._console = console
        self._lost: Manifest | None = None
        self._is_sending = False
        self._ending: Mapping[str, Any] | None = None
        keeper.begin(self._alarm.ring)

    def lock(self) -> AbstractContextManager[object]:
        """Do nothing: it is ours already."""
        return nullcontext()

    # -- before anything is sent ------------------------------------------------------------------------------

    def fetch(self, *, restart: bool) -> None:
        """Make the working copy what the checkpoint is, unless it is that already.

        Raises:
            UsageError: the checkpoint is gone, and this machine has sent from it.
            FatalError: it cannot be fetched, and is not to be moved aside.
        """
        previous, ours = self._keeper.previous, custodian(self.path)
        if previous is not None and ours == previous.owner.id:
            # At once: whoever comes after a run that ends before it opens this copy must know it for the newest.
            note_custodian(self.path, self._keeper.owner_id)
            self._say(f"checkpoint {self.shown}: nobody had it since this machine, whose copy goes on: {self.path}")
        elif previous is None or previous.snapshot is None:
            self._say(f"checkpoint {self.shown}: a new one")
            if not restart:
                refuse_orphan(self.path, self.shown)
                remove(self.path)
        else:
            try:
                self._fetch(previous, previous.snapshot)
            except FatalError as error:
                if not restart:
                    raise
                self._say(f"the old checkpoint is of no use any more: {error}")
            self._lost = None if restart else previous

    def _fetch(self, previous: Manifest, snapshot: Snapshot) -> None:
        fetched = self.path.with_name(self.path.name + ".fetched")
        self._keeper.fetch(fetched)
        put_in_place(fetched, self.path)
        age = duration(max(0.0, self._keeper.owner.since - snapshot.at))
        self._say(f"checkpoint {self.shown}: stored {age} ago by {previous.owner.shown}")

    def opened(self, store: Store) -> None:
        """Note what may have been sent since the checkpoint was stored, where its machine is lost; now it is ours."""
        lost = self._lost
        if lost is not None and (lost.announced or lost.parked):
            parked = [number for first, after in lost.parked for number in range(first, after)]
            store.note_lost(lost.announced, parked, time.time())
            self._say(f"what {lost.owner.shown} may have sent since then is in doubt")
        store.set_custodian(self._keeper.owner_id)

    def keep_old(self) -> None:
        """Keep the old checkpoint on S3 under a name with the time."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        if (aside := self._keeper.set_aside(stamp)) is not None:
            self._say(f"the old checkpoint is {aside.uri} now")

    def ready(self, job: Job, session: Session) -> None:
        """Store the checkpoint as it is now, and take a share of the workspace's quota."""
        self._alarm.require_silence()
        self._pushing.push_at_rest()
        self._is_sending = True
        if not session.destination.is_sandbox:
            self._join(job, session)
        self._pushing.begin()

    def _join(self, job: Job, session: Session) -> None:
        """Take a share of the quota of a workspace that others may send to as well."""
        lease = session.state.lease
        share = Share.join(
            *(self._bucket, self._place, job.endpoint, job.workspace_id, self._keeper.owner, job.name, session.rps),
            ttl=lease,
            margin=_margin(lease),
            every=min(EVERY, lease / _RENEWALS),
        )
        self.custody.quota = Quota(share, session.rps, self._alarm, self._console)

    # -- while it is sent, and after --------------------------------------------------------------------------

    @asynccontextmanager
    async def watch(self, replay: Replay, cap: Cap) -> AsyncIterator[None]:
        """End the run when the checkpoint or the share is lost; hold the rate at the share."""
        loop, quota = asyncio.get_running_loop(), self.custody.quota
        with self._alarm.heard_by(lambda failure: loop.call_soon_threadsafe(replay.fail, failure)):
            async with nullcontext() if quota is None else quota.rule(cap):
                yield

    def put_back(self, store: Store, summary: Summary) -> Summary:
        """Store the checkpoint as it is now, with its dead letters and its page beside it."""
        self._pushing.end()
        self._alarm.require_silence()
        self._pushing.push_at_rest(_short(summary))
        summary = summary | {"checkpoint": self.shown}
        return put_beside(self._bucket, self._keeper, self._place, self.path, store, summary)

    def leave(self, store: Store, summary: Summary) -> Summary:
        """Store the checkpoint as the run has left it; where that cannot be, the summary says so."""
        summary = summary | {"checkpoint": self.shown}
        try:
            summary = self.put_back(store, summary)
        except ReplayError as error:
            summary = self._not_stored(summary, error)
        self._ending = _short(summary)
        return summary

    def _not_stored(self, summary: Summary, error: ReplayError) -> Summary:
        """Say that a run has ended well, or was to go on later, and that its checkpoint does not know."""
        if summary["state"] in ("complete", "paused"):
            reason = "; ".join(filter(None, (summary["reason"], f"the checkpoint could not be stored: {error}")))
            return summary | {"state": "failed", "reason": reason}
        if error is not self._alarm.failure:  # which is what has ended it
            self._say(f"the checkpoint could not be stored: {error}")
        return summary

    def give_back(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Let others have the checkpoint, whatever ended the run; what a broken one has sent is stored before."""
        self._pushing.end()
        self._leave_quota()
        if error is not None and self._is_sending and self._alarm.failure is None:
            try:
                self._pushing.push_at_rest()
            except ReplayError as failure:
                self._say(f"{failure}; what this run has sent is known on this machine only, in {self.path}")
        self._keeper.release(self._ending)

    def _leave_quota(self) -> None:
        if self.custody.quota is not None:
            self.custody.quota.leave()
            self.custody.quota = None

    def _say(self, text: str) -> None:
        tell(self._console, "checkpoint", text)


def _short(summary: Summary) -> Mapping[str, Any]:
    """Return what the manifest says of a job."""
    return {name: summary[name] for name in ("state", "reason", "records")}

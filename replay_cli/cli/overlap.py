"""Objects that other jobs have sent already to the same workspace: nobody sends them again without knowing it.

What other jobs have sent is told by their checkpoints in the same place. The objects that a run is going to begin are
looked up before anything is sent, and those listed later when they are listed. What is sent again knowingly (`--again`,
or by who was asked) is remembered by the jobs that have sent it, and not asked about once more.
"""

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from rich.console import Console

from replay_cli.cli.home import Where
from replay_cli.cli.session import Pages, Session
from replay_cli.cli.siblings import siblings_of
from replay_cli.errors import UsageError
from replay_cli.job import Job
from replay_cli.ledger.history import NOTHING, History, Overlap, Sent, remember, sent_again
from replay_cli.ledger.store import Store
from replay_cli.model import ArchiveObject
from replay_cli.report.logs import tell
from replay_cli.report.terminal import count, printable
from replay_cli.segment.apart import are_apart

LOOKED_AHEAD = 100_000
"""Objects listed before anything is sent, where other jobs have sent something: they take some 30 MB."""
_NAMED = 3
"""Jobs that a sentence names."""


class Lookout:
    """Looks out for what other jobs have sent.

    Args:
        history: their checkpoints.
        store: this job's checkpoint; None: it begins.
        session: whether it is to be sent again, or somebody is asked.
    """

    def __init__(self, history: History, store: Store | None, session: Session) -> None:
        self.found: Overlap = NOTHING
        self._history = history
        self._own = None if store is None else store.path
        self._known: Sequence[str] = [] if store is None else (sent_again(store) or {}).get("jobs", [])
        self._is_asked = session.asks
        self._is_knowing = session.again or session.asks
        self.ahead: Sequence[Sequence[ArchiveObject]] = ()

    @property
    def warning(self) -> str:
        """What other jobs have sent of what is going to be, in a sentence; empty when it is nothing."""
        return f"{_sentence(self.found)}." if self.found.objects else ""

    def look_ahead(self, pages: Pages) -> Pages:
        """Look at what waits and at the first pages, or at all where somebody is asked; return the pages, all guarded.

        Raises:
            UsageError: other jobs have sent some of it, and nobody said that it is to be sent again.
        """
        if not (self._history or self._is_asked):
            return pages
        if self._own is not None:
            self._take(self._history.overlap_of_waiting(self._own, self._known))
        ahead, left = _some(pages, None if self._is_asked else LOOKED_AHEAD)
        self._take(self._history.overlap(chain.from_iterable(ahead), self._own, self._known))
        self.ahead = ahead
        return chain(ahead, left if self._is_knowing else self._guarded(left))

    def remember(self, store: Store) -> None:
        """Note in the checkpoint what is sent again knowingly, from here."""
        remember(store, self.found, time.time())

    def _guarded(self, pages: Pages) -> Pages:
        for page in pages:
            self._take(self._history.overlap(page, self._own, self._known))
            yield page

    def _take(self, overlap: Overlap) -> None:
        if overlap.objects and not self._is_knowing:
            raise UsageError(
                f"{_sentence(overlap)}: say --again to send them again, which doubles every message that both jobs "
                "mean; or mean others, for example with --received-from"
            )
        self.found = self.found.and_(overlap)


@contextmanager
def look_out(where: Where, job: Job, store: Store | None, session: Session, console: Console) -> Iterator[Lookout]:
    """Look out for what other jobs in the same place have sent; the embedded sandbox is everybody's.

    Args:
        where: this job's checkpoint.
        job: which workspace it is sent to.
        store: the checkpoint, opened; None: the job begins.
        session: whether it is to be sent again, or somebody is asked.
        console: is told which checkpoints cannot be looked at.

    Raises:
        FatalError: S3 cannot be reached.
    """
    with tempfile.TemporaryDirectory(prefix="replay-") as folder:
        unreadable = list[str]()
        others = (
            []
            if session.destination.is_sandbox
            else siblings_of(where, job, session.state.s3, Path(folder), unreadable)
        )
        with closing(History(others, partial(_may_meet, job))) as history:
            for text in (*unreadable, *(f"{printable(str(path))} ({cause})" for path, cause in history.unreadable)):
                tell(
                    console, "overlap", f"warning: what a job beside this one has sent is not known: {text}", "warning"
                )
            yield Lookout(history, store, session)


def look_again(
    before: Lookout, where: Where, job: Job, store: Store | None, session: Session, console: Console
) -> None:
    """Look once more, now that no other run of this machine can send: who was asked may have thought for long.

    Args:
        before: what was looked at, and asked about.
        where: this job's checkpoint.
        job: which workspace it is sent to.
        store: the checkpoint, as it was before; None: the job begins.
        session: whether somebody was asked.
        console: is told which checkpoints cannot be looked at.

    Raises:
        UsageError: more was sent by now than what the answer was about.
        FatalError: S3 cannot be reached.
    """
    if not session.asks or session.again:
        return
    with look_out(where, job, store, session, console) as now:
        now.look_ahead(iter(before.ahead if store is None else ()))
        if now.found.objects > before.found.objects:
            raise UsageError(f"{_sentence(now.found)}, some of it since you were asked: run the same command again")


def _may_meet(job: Job, stored: Mapping[str, Any]) -> bool:
    """Tell whether another job, as its checkpoint has it, may have sent what this one means."""
    other = Job.from_stored(stored)
    if (other.endpoint, other.workspace_id) != (job.endpoint, job.workspace_id):
        return False
    return not are_apart(job.selection, other.selection)


def _some(pages: Pages, most: int | None) -> tuple[list[Sequence[ArchiveObject]], Pages]:
    """Take pages of at least so many objects (None: all); return them, and what is left.

    A source that is refused is left: whether that matters, is known by who asks for it.
    """
    ahead, listed = list[Sequence[ArchiveObject]](), 0
    try:
        while (most is None or listed < most) and (page := next(pages, None)) is not None:
            ahead.append(page)
            listed += len(page)
    except UsageError as error:
        return ahead, _refused(error)
    return ahead, pages


def _refused(error: UsageError) -> Pages:
    raise error
    yield ()


def _sentence(overlap: Overlap) -> str:
    """Say what other jobs have sent."""
    named = [f"{printable(sent.job)}{_until(sent)}" for sent in overlap.jobs[:_NAMED]]
    more = len(overlap.jobs) - len(named)
    jobs = ", ".join([*named, *([f"{more} more"] if more else [])])
    were, one = "was" if overlap.objects == 1 else "were", "job" if len(overlap.jobs) == 1 else "jobs"
    objects = count(overlap.objects, "object")
    return f"{objects} under the sources {were} sent to this workspace already, in whole or in part, by {one} {jobs}"


def _until(sent: Sent) -> str:
    """Say when a job was seen last; of a first run that has stored nothing of itself yet, nobody knows."""
    return time.strftime(" (until %Y-%m-%d %H:%M UTC)", time.gmtime(sent.until)) if sent.until else ""

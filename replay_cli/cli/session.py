"""What one invocation is about: how it reaches everything, what it is going to do, and who is asked before."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from replay_cli.archive import S3Options, Source
from replay_cli.cli.destination import Destination
from replay_cli.cli.listing import Listing
from replay_cli.cli.state import USUAL, StateOptions
from replay_cli.cli.telling import Telling
from replay_cli.delivery.allowance import Allowance
from replay_cli.job import Job
from replay_cli.ledger.changes import Changed
from replay_cli.model import ArchiveObject
from replay_cli.pacemaker import ALWAYS, Hours
from replay_cli.policy import Policy
from replay_cli.preparation import Preparation
from replay_cli.settlement import Work

Pages = Iterator[Sequence[ArchiveObject]]


@dataclass(frozen=True, slots=True)
class Session:
    """What one invocation needs beyond the job itself.

    `key` gives the API key when it is time to send; `confirm` is called before, where somebody is to be asked (`asks`).
    """

    destination: Destination
    key: Callable[[], str]
    rps: float
    policy: Policy
    timeout: float
    ca_file: Path | None
    confirm: Callable[["Plan"], None]
    asks: bool
    pace: Mapping[str, Any]
    allowance: Allowance
    listing: Listing
    restart: bool = False
    must_resume: bool = False
    changed: Changed = Changed.REFUSE
    s3: S3Options | None = None
    state: StateOptions = USUAL
    amend: str | None = None
    """Why the job goes on with other settings; None: it does not"""
    telling: Telling | None = None
    """Who is told what; None: nobody but who reads stderr"""
    hours: Hours = ALWAYS
    keep_dead_letters: float | None = None
    """Seconds; None: all are kept"""
    again: bool = False
    """Whether to send knowingly what other jobs have sent already"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is about to do, for a person."""

    job: Job
    source: Source
    objects: Sequence[ArchiveObject]
    rps: float
    prepare: Preparation
    allowance: Allowance
    redriven: int = 0
    """Dead letters to send again; then no object is read"""
    overlap: str = ""
    """What other jobs have sent of it already, in a sentence"""


class ToDo(NamedTuple):
    """What a run is going to read: what was begun, then what is listed; `size` bytes of that are known already.

    A redrive reads nothing: it has no pages.
    """

    work: Sequence[Work]
    pages: Pages | None
    size: int = 0

    @property
    def total(self) -> int:
        """The stored bytes known so far."""
        return self.size + sum(work.object.size for work in self.work)

"""What is done for one portion of a validation, in whatever process: it is read, prepared and profiled."""

from collections.abc import Iterator
from threading import local
from typing import Any, NamedTuple

from replay_cli.archive import S3Options, Source, open_source, read
from replay_cli.archive.portions import Portion
from replay_cli.delivery.allowance import Allowance
from replay_cli.engines import Tell
from replay_cli.errors import ChangedObjectError, DamagedObjectError, FatalError
from replay_cli.job import Job
from replay_cli.model import ArchiveObject, RecordBatch
from replay_cli.moengage.apis import BULK, make_api
from replay_cli.preparation import Observer, Preparation
from replay_cli.profiling import Profile, Profiler
from replay_cli.segment.filters import Filters
from replay_cli.segment.lists import Lists
from replay_cli.validation.order import Order

_EXPECTED = 4
"""How many objects after the current one are told to the source."""


class Setup(NamedTuple):
    """What a worker needs to know of a validation; it can be pickled if the lists are `portable`.

    `now` (POSIX seconds) is when it is, for all workers. `s3` None: nothing is said.
    """

    job: Job
    lists: Lists
    allowance: Allowance
    s3: S3Options | None
    now: float


class PortionResult(NamedTuple):
    """What came of a portion.

    `damage` is what cannot be read, uri → cause; of that, `missing` is not there, or not what was listed. `objects` and
    `bytes` count what was read to its end (or damage), an object in several parts with its first one; `empty` ones had
    nothing in them.
    """

    profile: Profile
    damage: dict[str, str]
    missing: list[ArchiveObject]
    objects: int
    bytes: int
    empty: int
    rejected: int


class Worker:
    """Reads portions and profiles them. It is sent to whoever works, once; there, several threads may use it.

    Args:
        setup: what the validation is about.
        order: where all portions are read here, one after the other: what is left out by what came before.
    """

    def __init__(self, setup: Setup, order: Order | None = None) -> None:
        self._setup = setup
        self._order = order or Order()
        self._kept = local()  # a thread's source, whose connections are used again

    def __reduce__(self) -> "tuple[type[Worker], tuple[Setup]]":
        return Worker, (self._setup,)

    def __call__(self, portion: Portion, tell: Tell) -> PortionResult:
        """Read a portion and profile it; `tell` is told how far it has come.

        Raises:
            FatalError: an object cannot be read for a reason outside of it, or memory ran out.
            PausedError: the network fails again and again.
        """
        source = self._source()
        try:
            return _Work(self._setup, portion, tell, self._order).done(source)
        except MemoryError:
            raise FatalError(
                f"{portion.objects[0].uri}: there is not enough memory to read it: use fewer --workers"
            ) from None

    def _source(self) -> Source:
        source: Source | None = getattr(self._kept, "source", None)
        if source is None:
            job = self._setup.job
            source = self._kept.source = open_source(job.sources, job.selection, self._setup.s3)
        return source


class _Work:
    """One portion being read."""

    def __init__(self, setup: Setup, portion: Portion, tell: Tell, order: Order) -> None:
        self._portion = portion
        self._tell = tell
        self._order = order
        self._profiler = _profiler(setup, order)
        self._unobserved = _preparation(setup, setup.job)
        self._damage: dict[str, str] = {}
        self._missing: list[ArchiveObject] = []
        self._objects = self._bytes = self._empty = self._rejected = 0
        self._is_stopped = False

    def done(self, source: Source) -> PortionResult:
        objects = self._portion.objects
        for index, obj in enumerate(objects, start=1):
            self._is_stopped = self._is_stopped or self._tell(0, 0)
            if self._order.is_over or self._is_stopped:
                break
            source.expect(objects[index : index + _EXPECTED])
            self._read(source, obj)
        return PortionResult(
            self._profiler.profile,
            self._damage,
            self._missing,
            self._objects,
            self._bytes,
            self._empty,
            self._rejected,
        )

    def _read(self, source: Source, obj: ArchiveObject) -> None:
        share = self._portion.share
        try:
            batches = self._profile(read(source, obj, share=share), *share.span(obj.size))
            self._empty += not batches and share.of == 1 and not self._is_stopped
        except DamagedObjectError as error:
            self._damage[obj.uri] = error.cause
        except ChangedObjectError as error:
            self._damage[obj.uri] = f"it {error.how} since it was listed"
            self._missing.append(obj)
        if not share.number and not self._is_stopped:
            self._objects += 1
            self._bytes += obj.size

    def _profile(self, batches: Iterator[RecordBatch], begin: int, end: int) -> int:
        """Profile the batches of an object or a part of one, and count them.

        It begins and ends at so many stored bytes.
        """
        told, number = begin, 0
        try:
            for number, whole in enumerate(batches, start=1):  # noqa: B007 # the last one is told
                prepared = self._profiler.take(self._order.within(whole, self._unobserved))
                self._rejected += len(prepared.rejected)
                come = min(max(whole.consumed, told), end)
                self._is_stopped = self._tell(come - told, prepared.records)
                told = come
                if self._order.is_over or self._is_stopped:
                    break
        finally:
            if not self._is_stopped:
                self._tell(end - told, 0)
        return number


def _profiler(setup: Setup, order: Order) -> Profiler:
    """Make what profiles batches; what a job sends one by one is looked at in bulk as well."""
    job = setup.job
    is_comparable = job.settings.get("api") != BULK and not job.settings.get("mapping")
    in_bulk = job._replace(settings={**job.settings, "api": BULK}) if is_comparable else None
    return Profiler(
        lambda observer: order.kept(_preparation(setup, job, observer)),
        setup.now,
        None if in_bulk is None else _preparation(setup, in_bulk),
    )


def _preparation(setup: Setup, job: Job, observer: Observer | None = None) -> Preparation:
    settings, allowance = job.settings, setup.allowance
    filters: dict[str, Any] | list[Any] | None = settings.get("filters")
    return Preparation(
        make_api(settings, job.workspace_id, most_users=allowance.most_users, most_events=allowance.most_events),
        strict=settings.get("strict", False),
        clock=lambda: setup.now,
        selection=job.selection,
        lists=setup.lists,
        filters=None if filters is None else Filters.from_document(filters),
        observer=observer,
        without_bodies=True,
    )

"""Portions → workers → profiles, put together in the portions' order; with progress."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from functools import partial
from typing import Any, NamedTuple

from rich.console import Console

from replay_cli.archive import Source, open_source
from replay_cli.archive.portions import Portion, portions
from replay_cli.engines import Engine, Here, Processes, Told
from replay_cli.errors import FatalError
from replay_cli.model import ArchiveObject
from replay_cli.profiling import Profile
from replay_cli.report.progress import Reading, make_reporter
from replay_cli.segment.duplicates import Window
from replay_cli.validation.order import Order
from replay_cli.validation.work import PortionResult, Setup, Worker

_PAGES_AHEAD = 100
"""Pages of the listing that wait to be read, at most: 100,000 objects."""
_NOTICE_EVERY = 0.2
"""Seconds after which it is noticed that all should stop."""


class Findings(NamedTuple):
    """What a validation found.

    `damage` is what could not be read, uri → cause, in the order of the archive. `objects` counts those read, to their
    end or damage; `bytes` are theirs, as stored; `empty` ones had nothing in them. `ignored` names were left alone by
    the listing. `elapsed` is in seconds, `workers` worked, `engine` is `local` or `dask`. `interrupted` names the
    signal that stopped it, if one did: then all this is of what was read until then.
    """

    profile: Profile
    damage: dict[str, str]
    objects: int
    bytes: int
    empty: int
    ignored: int
    elapsed: float
    workers: int
    engine: str
    interrupted: str = ""


class Validation:
    """Looks at everything that a run would read.

    Args:
        setup: what it is about.
        workers: processes of this machine that read; 1: this one does.
        scheduler: address of a Dask scheduler, whose cluster reads instead.
        limit: how many requests to prepare at most; None: all.
        window: an empty one, in which duplicates are looked for; None: they are prepared. With either of these two,
            this process reads alone.
    """

    def __init__(
        self,
        setup: Setup,
        *,
        workers: int = 1,
        scheduler: str | None = None,
        limit: int | None = None,
        window: Window | None = None,
    ) -> None:
        self._setup = setup
        self._order = Order(limit, window)
        self._reads_in_order = limit is not None or window is not None
        self._workers = workers
        self._scheduler = scheduler
        self._engine_name = Here.name
        self._damage: dict[str, str] = {}
        self._objects = self._bytes = self._empty = self._rejected = 0
        self._engine_at_work: Engine | None = None
        self._stopped_by = ""

    def stop(self, name: str) -> None:
        """Let `go` return soon, with what was read until then; a signal handler may call it.

        Args:
            name: of the signal.
        """
        self._stopped_by = name
        if self._engine_at_work is not None:
            self._engine_at_work.stop()

    def go(self, console: Console) -> Findings:
        """Read everything.

        Raises:
            UsageError: a source is missing or has nothing to read in it.
            FatalError: an object cannot be read for a reason outside of it, or workers are lost.
            PausedError: the network fails again and again.
        """
        began = time.monotonic()
        setup = self._setup
        source = open_source(setup.job.sources, setup.job.selection, setup.s3)
        profile = Profile()
        try:
            self._read(profile, source, console)
        except KeyboardInterrupt as error:  # whoever cannot wait for it to stop: the portions under way are lost
            self._stopped_by = str(error) or "SIGINT"
        elapsed = time.monotonic() - began
        found = (profile, self._damage, self._objects, self._bytes, self._empty, source.ignored, elapsed)
        return Findings(*found, self._workers, self._engine_name, self._stopped_by)

    def _read(self, profile: Profile, source: Source, console: Console) -> None:
        """Read everything, and put it all into one profile."""
        listing = _Listing(source)
        with make_reporter(console) as reporter:
            shown = time.monotonic()

            def show(told: Told) -> None:
                nonlocal shown
                if time.monotonic() - shown >= reporter.every:
                    shown = time.monotonic()
                    reporter.show(self._reading(told, listing))

            with self._engine(show) as engine:
                self._workers, self._engine_name, self._engine_at_work = engine.workers, engine.name, engine
                every = min(reporter.every, _NOTICE_EVERY)
                for result in self._results(engine, listing, partial(self._look_up, engine, listing, show, every)):
                    self._require_seen(result, engine, source)
                    self._count(result)
                    profile.merge(result.profile)

    def _engine(self, show: Callable[[Told], None]) -> Engine:
        work = Worker(self._setup, self._order)
        if self._reads_in_order:
            return Here(work, show)
        if self._scheduler is not None:
            from replay_cli.engines.cluster import Cluster  # takes its time to import, and is not always needed

            return Cluster(work, self._scheduler)
        return Here(work, show) if self._workers == 1 else Processes(work, self._workers)

    def _results(
        self, engine: Engine, listing: "_Listing", look_up: Callable[["Future[PortionResult]"], None]
    ) -> Iterator[PortionResult]:
        """Give what comes of the portions, in their order; so many are under way at once that nobody waits."""
        under_way: deque[tuple[Portion, Future[PortionResult]]] = deque()
        coming = portions(listing.pages())
        while not self._order.is_over:
            while len(under_way) < engine.ahead and not self._stopped_by:
                if (portion := next(coming, None)) is None:
                    break
                if not self._lies_behind_damage(portion):  # it would spend the limit, and be remembered for duplicates
                    under_way.append((portion, engine.submit(portion)))
            if not under_way:
                return
            portion, future = under_way.popleft()
            look_up(future)
            if future.cancelled():
                continue
            result: PortionResult = engine.collect(future)
            if not self._lies_behind_damage(portion):
                yield result

    def _look_up(
        self, engine: Engine, listing: "_Listing", show: Callable[[Told], None], every: float, future: "Future[Any]"
    ) -> None:
        """Wait for a result; list more meanwhile, and look up now and then to show how far it has come."""
        while not future.done() and not (self._stopped_by and future.cancel()):
            if listing.may_go_on and not self._stopped_by:
                listing.go_on()
            else:
                wait([future], timeout=every)
            show(engine.told())

    def _lies_behind_damage(self, portion: Portion) -> bool:
        """Tell whether it is a part of an object that a run reads up to an earlier part only."""
        return portion.share.number > 0 and portion.objects[0].uri in self._damage

    def _require_seen(self, result: PortionResult, engine: Engine, source: Source) -> None:
        """Check that workers of a cluster have not missed what is there: their disks may be others."""
        if engine.name == Here.name:
            return
        for obj in result.missing:
            if source.find(obj.uri) == obj:
                raise FatalError(
                    f"{obj.uri} is there, but not for all workers of {self._scheduler}: put the archive where they "
                    "find it under the same path, or use --engine local"
                )

    def _count(self, result: PortionResult) -> None:
        self._damage.update(result.damage)
        self._objects += result.objects
        self._bytes += result.bytes
        self._empty += result.empty
        self._rejected += result.rejected

    def _reading(self, told: Told, listing: "_Listing") -> Reading:
        return Reading(
            consumed=min(told.bytes, listing.bytes),
            total=listing.bytes,
            objects=self._objects,
            of_objects=listing.objects,
            records=told.records,
            rejected=self._rejected,
            damaged=len(self._damage),
            listing=not listing.is_over,
        )


class _Listing:
    """The objects of a source, listed ahead of those who read them."""

    def __init__(self, source: Source) -> None:
        self._listed = source.pages()
        self._ahead: deque[Sequence[ArchiveObject]] = deque()
        self.objects = self.bytes = 0
        self.is_over = False

    @property
    def may_go_on(self) -> bool:
        """Whether there may be more, and room for it."""
        return not self.is_over and len(self._ahead) < _PAGES_AHEAD

    def go_on(self) -> None:
        """List one more page."""
        page = next(self._listed, None)
        if page is None:
            self.is_over = True
        else:
            self._ahead.append(page)
            self.objects += len(page)
            self.bytes += sum(obj.size for obj in page)

    def pages(self) -> Iterator[Sequence[ArchiveObject]]:
        """Give the pages in their order; it is known of the last one that it is the last."""
        self.go_on()
        while self._ahead:
            if len(self._ahead) == 1 and not self.is_over:
                self.go_on()
            yield self._ahead.popleft()

"""What `replay erase` does once its options are read."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from replay_cli.archive import open_source
from replay_cli.cli.elsewhere import require_elsewhere, require_writable
from replay_cli.cli.erased import Erased, tell_of
from replay_cli.cli.home import Where, home_of, working_file
from replay_cli.cli.interruption import interruptible
from replay_cli.cli.people import Theirs, read_people
from replay_cli.cli.preparing import preparation
from replay_cli.cli.remote_checkpoint import open_checkpoint, state_from, state_s3
from replay_cli.cli.selecting import s3_options
from replay_cli.cli.state import StateOptions
from replay_cli.cli.summarizing import summarize
from replay_cli.cli.tracing import Looked, Tracing
from replay_cli.delivery.allowance import Allowance
from replay_cli.errors import FatalError, PausedError, UsageError
from replay_cli.job import Job, dead_letter_path
from replay_cli.ledger.dead_letters import DeadLetterFile
from replay_cli.ledger.lock import checkpoint_lock
from replay_cli.ledger.store import Store
from replay_cli.moengage.packing import without
from replay_cli.report.summary import run_state
from replay_cli.report.terminal import error_console, printable
from replay_cli.segment.lists import NO_LISTS, SUPPRESSED
from replay_cli.telling.discretion import discreet

_NOTHING_LOOKED_THROUGH = Looked(set(), {}, None)


class _Keeping(NamedTuple):
    """How a checkpoint is taken, to be erased in."""

    state: StateOptions
    restart: bool = False


def erase_people(where: Where, values: Mapping[str, Any], given: set[str]) -> None:
    """Erase people from a checkpoint, and list what of theirs is, or may be, with MoEngage.

    Args:
        where: the checkpoint.
        values: the options of `replay erase`.
        given: the names of those that were given, rather than left at their defaults.

    Raises:
        UsageError: the list, the checkpoint or the output cannot be used.
        FatalError: a run holds the checkpoint; or an archive could not be looked through, though all else was done.
    """
    people, console = read_people(values["ids"]), error_console()
    with open_checkpoint(where, state_s3(values)) as seen:
        job, pace = Job.from_stored(seen.store.stored_job()), seen.store.pace()
    _require_output(values["output"], job, working_file(where))
    values = {**values, **{name: value for name, value in pace.items() if name not in given}}
    with interruptible(), (_looked_at if values["dry_run"] else _taken)(where, job, values, console) as store:
        prepare = preparation(job, NO_LISTS, Allowance())
        theirs = Theirs(people, prepare.api.map)
        eraser = _Looker(store) if values["dry_run"] else _Eraser(store, theirs)
        with console.status("looking through the checkpoint") as status:

            def archives() -> Looked:
                source = open_source(job.sources, s3=s3_options(values))
                return tracing.archives(source, prepare, lambda uri: status.update(_line(f"looking through {uri}")))

            tracing = Tracing(store, theirs)
            looking = (lambda: _NOTHING_LOOKED_THROUGH) if values["no_scan"] else archives
            erased = _erase(store, tracing, eraser, looking)._replace(
                in_settings=theirs.are_named_in([job.settings, store.amendments()])
            )
        tell_of(store, where, erased, len(people), values, console)
    if erased.looked.failure is not None:
        raise FatalError(
            f"not every archive could be looked through, so the list is not whole: {erased.looked.failure}"
        )


@contextmanager
def _taken(where: Where, job: Job, values: Mapping[str, Any], console: Console) -> Iterator[Store]:
    """Give a checkpoint that is ours from here to the end; one on S3 is then stored as it is.

    Raises:
        FatalError: a run uses it, or it cannot be reached or stored.
    """
    with (
        home_of(where, job, _Keeping(state_from(values)), console) as home,
        home.lock(),
        closing(Store.open(home.path)) as store,
    ):
        home.opened(store)
        yield store
        state, reason = run_state(store.runs(), running=False)
        try:
            home.put_back(store, summarize(store, home.path, state, reason, {}))
        except PausedError as error:
            raise FatalError(str(error)) from error  # S3 still holds what was to be erased


@contextmanager
def _looked_at(where: Where, _job: Job, values: Mapping[str, Any], _console: Console) -> Iterator[Store]:
    """Give a checkpoint that is only read."""
    with ExitStack() as stack:
        if isinstance(where, Path):
            stack.enter_context(checkpoint_lock(where))
        yield stack.enter_context(open_checkpoint(where, state_s3(values))).store


def _line(text: str) -> str:
    from rich.markup import escape

    return escape(printable(text))


def _require_output(output: Path | None, job: Job, checkpoint: Path) -> None:
    require_elsewhere("--output", output, job.sources)
    require_writable("--output", output)
    own = {checkpoint.resolve(), dead_letter_path(checkpoint).resolve()}
    if output is not None and output.resolve() in own:
        raise UsageError(f"--output {output} is a file of the job's own: name another one")


# -- erasing --------------------------------------------------------------------------------------------------


class _Looker:
    """Erases nothing."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def begin(self) -> None:
        """Get ready."""

    def letters(self, numbers: list[int]) -> None:
        """Take dead letters."""

    def parked(self) -> None:
        """Take all parked records of theirs."""

    def details(self, places: list[tuple[int, int]]) -> None:
        """Take what is noted about records."""

    def finish(self) -> None:
        """Make sure of all that was taken."""


class _Eraser(_Looker):
    """Erases for good."""

    def __init__(self, store: Store, theirs: Theirs) -> None:
        super().__init__(store)
        self._theirs = theirs

    def begin(self) -> None:
        self.store.settle_intents()

    def letters(self, numbers: list[int]) -> None:
        self.store.erase_letters(numbers)

    def parked(self) -> None:
        theirs = self._theirs
        if self.store.suppress_parked(lambda record: None if theirs.of(record) is None else SUPPRESSED, without):
            self.store.parked_erased()

    def details(self, places: list[tuple[int, int]]) -> None:
        self.store.erase_details(places)
        self.store.shorten_reasons(discreet)

    def finish(self) -> None:
        """Let nothing of it be left in the files.

        Raises:
            FatalError: somebody reads the checkpoint as it was.
        """
        DeadLetterFile(dead_letter_path(self.store.path)).recover(self.store)
        self.store.verify_book()
        if not self.store.wipe():
            raise FatalError(
                f"{self.store.path}: what was erased is still in its files, because somebody is reading it as it was: "
                "end that (replay status --watch?) and run the same command again"
            )


def _erase(store: Store, tracing: Tracing, eraser: _Looker, archives: Callable[[], Looked]) -> Erased:
    """Erase, and trace what became of all that is theirs, before it is not known any more."""
    eraser.begin()
    letters, parked = tracing.letters(eraser.letters), tracing.parked()
    eraser.parked()
    looked = archives()
    places = [place for place in store.example_places() if place[0] not in looked.through or store.is_on_list(*place)]
    eraser.details(places)
    eraser.details(store.list_in_part())
    eraser.finish()
    return Erased(letters, parked, len(places), looked)

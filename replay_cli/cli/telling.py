"""Tells the outside of an invocation, as its options want it: events, metrics, health, and a word at its end."""

import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from replay_cli import __version__
from replay_cli.cli.booking import booked
from replay_cli.cli.elsewhere import require_elsewhere, require_writable
from replay_cli.cli.json_log import new_run
from replay_cli.cli.on_finish import messenger_from
from replay_cli.errors import BusyError, ReplayError, UsageError
from replay_cli.report.logs import events_of, tell
from replay_cli.report.summary import EXIT_FAILED, EXIT_OK, EXIT_PAUSED, EXIT_SIGNALS, Summary
from replay_cli.report.terminal import error_console
from replay_cli.telling.discretion import discreet, discreet_summary
from replay_cli.telling.endpoint import Endpoint, Health
from replay_cli.telling.headway import STALL_AFTER
from replay_cli.telling.messenger import Messenger, event_of, message
from replay_cli.telling.metrics import Standing, render
from replay_cli.telling.textfile import replace_file

_SUFFIX = ".prom"
REFUSED = "refused"
"""How an invocation ends that another run kept from doing anything."""
_LEVELS = {"failed": "error", REFUSED: "warning"}


class Telling:
    """Who is told what, of one invocation.

    Args:
        console: stderr.
        stall_after: seconds without headway that are a stall.
        is_verbose: details are wanted, which may hold personal data.
        metrics_file: where metrics are written; None: nowhere.
        messenger: tells somebody at the end and of a stall; None: nobody.
    """

    def __init__(
        self,
        console: Console,
        *,
        stall_after: float = STALL_AFTER,
        is_verbose: bool = False,
        metrics_file: Path | None = None,
        messenger: Messenger | None = None,
    ) -> None:
        self.console = console
        self.stall_after = stall_after
        self.is_verbose = is_verbose
        self.job: str | None = None
        self._events = events_of(console)
        self.run = new_run() if self._events is None else self._events.run
        self._wanted_file = metrics_file
        self._metrics_file: Path | None = None
        self._messenger = messenger
        self._standing = Standing()
        self._why_stalled = ""
        self._checkpoint: Path | None = None
        self._summary: Summary | None = None
        self._began = time.monotonic()
        self._has_failed_to_write = False

    @property
    def is_json(self) -> bool:
        """Whether stderr has events, and no tables for people."""
        return self._events is not None

    # -- what is known --------------------------------------------------------------------------------------------

    def about(self, job: str, checkpoint: Path, sources: Sequence[str]) -> None:
        """Note which job it is, before anything of it is done.

        Args:
            job: its name.
            checkpoint: the file with its memory, which may not be there yet.
            sources: canonical; nothing is written where is read.

        Raises:
            UsageError: the metrics must not, or cannot, be written where they were asked for.
        """
        _require_metrics_file(self._wanted_file, sources)
        self._metrics_file = self._wanted_file  # not before: whatever it is, it might be what is read
        self.job, self._checkpoint = job, checkpoint
        if self._events is not None:
            self._events.job = job
        host = {"host": socket.gethostname(), "version": __version__}
        tell(self.console, "run_started", **host, sources=[discreet(source) for source in sources])

    def note(self, standing: Standing, why_stalled: str = "") -> None:
        """Take how the job stands now; from any thread."""
        self._standing, self._why_stalled = standing, why_stalled

    def note_summary(self, summary: Summary) -> None:
        """Take the summary of the run that has ended."""
        self._summary = summary

    # -- who asks -------------------------------------------------------------------------------------------------

    def metrics(self) -> bytes:
        """Return the metrics as they are now."""
        return render({self.job or "": self._standing})

    def health(self) -> Health:
        """Return whether the run makes headway or rightly waits."""
        standing = self._standing
        document = {
            "status": "stalled" if standing.is_stalled else "ok",
            "why": discreet(self._why_stalled) or None,
            "state": standing.state,
            "job": self.job,
            "run": self.run,
            "seconds": round(time.monotonic() - self._began),
        }
        return Health(not standing.is_stalled, document)

    def write_metrics(self) -> None:
        """Write the metrics where they were asked for; what fails there is said once, and stops nothing."""
        if self._metrics_file is None:
            return
        try:
            replace_file(self._metrics_file, self.metrics())
        except OSError as error:
            if not self._has_failed_to_write:
                problem = f"warning: --metrics-file {self._metrics_file} cannot be written: {error.strerror}"
                tell(self.console, "metrics_failed", problem, "warning")
            self._has_failed_to_write = True

    # -- who is told ----------------------------------------------------------------------------------------------

    def post_stall(self, why: str) -> None:
        """Tell whoever wants to know that the run makes no headway."""
        self._post("stalled", why, None)

    def end(self, state: str, why: str, code: int) -> None:
        """Tell how the invocation ended, to everybody who wants to know."""
        summary = self._summary
        if self._events is not None:
            told = summary if self._events.is_verbose or summary is None else discreet_summary(summary)
            level = _LEVELS.get(state, "info")
            self._events.emit("run_ended", level, state=state, reason=discreet(why), exit_code=code, summary=told)
        if state == REFUSED:  # the job is well, and the run that is at work on it tells how it stands
            return
        now = booked(self._checkpoint) or self._standing.booked
        self.note(Standing(state, now, exit_code=code))
        self.write_metrics()
        self._post(event_of(state), why, code)

    def _post(self, event: str, why: str, code: int | None) -> None:
        if self._messenger is None:
            return
        summary = None if self._summary is None else discreet_summary(self._summary)
        document = message(event, self.job, self.run, socket.gethostname(), code, summary, discreet(why))
        if problem := self._messenger.post(document):
            text = f"warning: the {event} message could not be delivered: {problem}"
            tell(self.console, "message_failed", text, "warning")

    @property
    def ending(self) -> tuple[str, str]:
        """How the run went, by its summary: the state, and why."""
        assert self._summary is not None  # noqa: S101 # asked for only where there is one
        return str(self._summary["state"]), str(self._summary["reason"] or "")

    @property
    def has_summary(self) -> bool:
        return self._summary is not None


@contextmanager
def telling_from(values: Mapping[str, Any]) -> Iterator[Telling]:
    """Tell the outside about what is done within, as the options say; and how it ended, whatever that was.

    Args:
        values: those of `telling_options`.

    Raises:
        UsageError: an option cannot be followed.
    """
    console = error_console()
    if (events := events_of(console)) is not None:
        events.is_verbose = values["verbose"]
        events.job = None  # of a job file's route before this one
    telling = Telling(
        console,
        stall_after=values["stall_after"],
        is_verbose=values["verbose"],
        metrics_file=values["metrics_file"],
        messenger=messenger_from(values["on_finish_file"]),
    )
    with ExitStack() as stack:
        if values["metrics_port"] is not None:
            stack.enter_context(_endpoint(telling, values["metrics_host"], values["metrics_port"]))
        try:
            yield telling
        except BaseException as error:
            telling.end(*_ending(telling, error))
            raise


def _ending(telling: Telling, error: BaseException) -> tuple[str, str, int]:
    """Return how an invocation ended that was left by an exception: its state, why, and its exit code."""
    match error:
        case click.exceptions.Exit(exit_code=code):
            if telling.has_summary:
                return (*telling.ending, code)
            states = dict.fromkeys(EXIT_SIGNALS.values(), "interrupted") | {EXIT_OK: "complete", EXIT_PAUSED: "paused"}
            return states.get(code, "failed"), "", code
        case BusyError(exit_code=code):
            return REFUSED, str(error), code
        case ReplayError(exit_code=code):
            return "paused" if code == EXIT_PAUSED else "failed", str(error), code
        case KeyboardInterrupt() | click.Abort():
            return "interrupted", "", EXIT_SIGNALS["SIGINT"]
        case click.ClickException(exit_code=code):
            return "failed", error.format_message(), code
    return "failed", f"{type(error).__name__}: a bug in replay", EXIT_FAILED


def _endpoint(telling: Telling, host: str, port: int) -> Endpoint:
    try:
        endpoint = Endpoint(host, port, telling.metrics, telling.health)
    except OSError as error:
        problem = error.strerror or str(error)
        raise UsageError(f"--metrics-port {port}: cannot listen at {host}: {problem}: name another port") from None
    tell(telling.console, "listening", f"metrics: {endpoint.url}/metrics", url=f"{endpoint.url}/metrics")
    return endpoint


def _require_metrics_file(path: Path | None, sources: Sequence[str]) -> None:
    if path is None:
        return
    if path.suffix != _SUFFIX:
        raise UsageError(f"--metrics-file {path}: name it *{_SUFFIX}: the collector reads no other files")
    require_elsewhere("--metrics-file", path, sources)
    require_writable("--metrics-file", path)

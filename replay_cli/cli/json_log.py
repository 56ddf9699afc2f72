"""The log as JSON: from where it is asked for to the end of the process, stderr has one event a line."""

import sys
import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, TextIO, cast

if TYPE_CHECKING:
    from replay_cli.telling.events import EventStream

_OPTION = "--log-format"
_VARIABLE = "LOG_FORMAT"
_JSON = "json"
_RUN_BYTES = 8


def prepare_stderr(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Let what a process says from its first word on be events, where that is asked for: usage errors and bugs, too.

    Args:
        arguments: its command line, behind the program's name.
        environment: its environment.
    """
    sys.excepthook = _tell_crash
    threading.excepthook = _tell_crash_of_thread
    if wants_json(arguments, environment):
        speak_json()


def wants_json(arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Tell whether a command line asks for a log in JSON, however little else of it can be understood."""
    for number, argument in enumerate(arguments):
        if argument == f"{_OPTION}={_JSON}" or (argument == _OPTION and arguments[number + 1 : number + 2] == [_JSON]):
            return True
        if argument.partition("=")[0] == _OPTION:
            return False
    command = arguments[0].upper() if arguments else ""
    return environment.get(f"REPLAY_{command}_{_VARIABLE}") == _JSON


def speak_json() -> "EventStream":
    """Let all that is written to stderr become events, and return the stream; once begun, it goes on."""
    from replay_cli.report.consoles import Forgiving  # these are what people read does without
    from replay_cli.telling.events import EventStream

    if isinstance(sys.stderr, EventStream):
        return sys.stderr
    stderr = Forgiving(sys.stderr)

    def write(line: str) -> None:
        stderr.write(line)
        stderr.flush()

    events = EventStream(write, new_run())
    sys.stderr = cast("TextIO", events)
    return events


def events_of_stderr() -> "EventStream | None":
    """Return the stream of events that stderr is; None if it is a text."""
    from replay_cli.telling.events import EventStream

    return sys.stderr if isinstance(sys.stderr, EventStream) else None


def new_run() -> str:
    """Return a name for an invocation that no other one has."""
    from secrets import token_hex  # what `--help` does without

    return token_hex(_RUN_BYTES)


def _tell_crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    events = events_of_stderr()
    if events is None:
        sys.__excepthook__(kind, error, trace)
    else:
        events.note_crash(kind, error, trace)


def _tell_crash_of_thread(crash: threading.ExceptHookArgs) -> None:
    events = events_of_stderr()
    if events is None:
        threading.__excepthook__(crash)
    else:
        events.note_crash(crash.exc_type, crash.exc_value, crash.exc_traceback)

"""Telling what happens to whoever reads stderr: people, in lines, or a collector of logs, in events."""

from typing import Any, Protocol, cast

from rich.console import Console

from replay_cli.report.terminal import printable


class Events(Protocol):
    """A stream on which each line is an event: what is told has a name and fields, whatever else is written is a note.

    Each names the invocation (`run`) and the job, once that is known; `is_verbose` tells whether what may hold personal
    data may be told.
    """

    run: str
    job: str | None
    is_verbose: bool

    def emit(self, event: str, level: str = "info", **fields: Any) -> None:
        """Write an event; its `text`, if there is one, is made fit for others unless the stream is verbose."""
        ...


def events_of(console: Console) -> Events | None:
    """Return the stream behind a console if each of its lines is an event; None if people read it."""
    return cast("Events", console.file) if callable(getattr(console.file, "emit", None)) else None


def tell(console: Console, event: str, text: str = "", level: str = "info", **fields: Any) -> None:
    """Tell what happens: in a log of events by its name and fields, elsewhere as a line, if there is a text.

    Args:
        console: where to.
        event: its name.
        text: a sentence, without personal data.
        level: info, warning or error.
        fields: numbers and names, for a log of events.
    """
    events = events_of(console)
    if events is not None:
        events.emit(event, level, **({"text": text} if text else {}), **fields)
    elif text:
        console.print(printable(text), highlight=False, markup=False, soft_wrap=True)


def tell_of_people(console: Console, event: str, text: str, **fields: Any) -> None:
    """Tell what may hold personal data: a log of events has it only where that is wanted."""
    events = events_of(console)
    if events is None or events.is_verbose:
        tell(console, event, text, **fields)

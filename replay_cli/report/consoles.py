"""The streams that people read: stderr for progress and tables, stdout for what was asked for."""

import codecs
import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO, cast

from rich.console import Console

_UNWRAPPED = 400
"""Columns of what is no terminal: a log's lines are searched, and must not be cut."""
_SIGNS = {"·": "-", "–": "-", "…": "...", "×": "x", "±": "+/-"}
"""What this program's own sentences have beyond ASCII."""
_IN_ASCII = "replay.in-ascii"


class Forgiving:
    """A stream whose reader may go away: what is shown must never stop what is done."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            self._stream.write(text)
        except (OSError, ValueError):
            let_go(self._stream)
        return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            let_go(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def let_go(stream: TextIO) -> None:
    """Write nothing more to a stream that cannot be written: what it still holds would fail again at the exit."""
    with suppress(OSError, ValueError), Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def error_console() -> Console:
    """Return the console for progress, logs and tables: stderr, even when nobody reads it any more."""
    if callable(getattr(sys.stderr, "emit", None)):  # a log of events, which takes everything
        return Console(file=sys.stderr, highlight=False, width=_width(sys.stderr))
    return Console(file=cast("TextIO", Forgiving(_legible(sys.stderr))), highlight=False, width=_width(sys.stderr))


def output_console() -> Console:
    """Return the console for what was asked for: stdout."""
    return Console(file=_legible(sys.stdout), highlight=False, width=_width(sys.stdout))


def _width(stream: TextIO | None) -> int | None:
    if stream is None:
        return _UNWRAPPED
    return None if stream.isatty() else int(getattr(stream, "width", _UNWRAPPED))


def _legible(stream: TextIO) -> TextIO:
    """Let a stream that has no Unicode show what it cannot encode in ASCII."""
    if isinstance(stream, TextIOWrapper) and not stream.encoding.lower().startswith("utf"):
        codecs.register_error(_IN_ASCII, _in_ascii)
        stream.reconfigure(errors=_IN_ASCII)
    return stream


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    return "".join(_SIGNS.get(letter) or ascii(letter)[1:-1] for letter in letters), error.end

"""The log as JSON: a stream for stderr on which each line is one event, whoever writes to it, and however."""

import io
import json
import math
import threading
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from replay_cli.telling.discretion import MOST_TEXT, discreet

INFO, WARNING, ERROR = "info", "warning", "error"
_ERROR = "Error: "
_TRACEBACK = "Traceback (most recent call last)"
_MOST_HELD = 1 << 20
"""Characters of a line without an end that are kept until it comes."""
_VERBOSE = 10
"""So many times longer are the texts of a stream that is verbose."""


class EventStream(io.TextIOBase):
    """A text stream that makes events of what is written to it.

    What is written as text becomes a `note` for each line, or an `error` where it begins as one; what is told by `emit`
    has its own name and fields. The streams of a process are written by several threads.

    Args:
        write: takes whole lines of ASCII, and never fails.
        run: names this invocation.
    """

    encoding = "utf-8"
    errors = "replace"
    width = 100_000
    """Columns: a line is cut nowhere."""

    def __init__(self, write: Callable[[str], object], run: str) -> None:
        super().__init__()
        self.run = run
        self.job: str | None = None
        self.is_verbose = False
        self._write = write
        self._held = ""
        self._lock = threading.RLock()

    def emit(self, event: str, level: str = INFO, **fields: Any) -> None:
        """Write an event; texts among its fields are made fit for others, unless the stream is verbose."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        told = {name: self._told(value) if isinstance(value, str) else value for name, value in fields.items()}
        line = _json({"at": at, "level": level, "event": event, "run": self.run, "job": self.job} | told)
        with self._lock:
            self._write(f"{line}\n")

    # -- what is written as text --------------------------------------------------------------------------------

    def write(self, text: str, /) -> int:
        """Take a text; what has no line's end yet waits for it."""
        if not isinstance(text, str):
            raise TypeError("a text stream takes text")  # as all of them say it: click asks this way
        with self._lock:
            whole, end, self._held = (self._held + text).rpartition("\n")
            if len(self._held) > _MOST_HELD:
                whole, end, self._held = self._held, "\n", ""
            if end:
                self._take(whole)
        return len(text)

    def flush(self) -> None:
        """Let a line without an end be told, too: it is a question, and somebody is to answer."""
        with self._lock:
            held, self._held = self._held, ""
            if held:
                self._take(held)

    def isatty(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def _take(self, text: str) -> None:
        if text.startswith(_ERROR):
            sentence, _, excerpt = text.removeprefix(_ERROR).partition("\n")
            self.emit("error", ERROR, text=sentence, **self._only_verbose(excerpt=excerpt))
        elif _TRACEBACK in text:
            self.emit("error", ERROR, text="a bug in replay", **self._only_verbose(traceback=text))
        else:
            for line in filter(None, map(str.strip, text.splitlines())):
                level = WARNING if line.lower().startswith(WARNING) else INFO
                self.emit("note", level, text=line)

    def _told(self, text: str) -> str:
        return text[: _VERBOSE * MOST_TEXT] if self.is_verbose else discreet(text)

    def _only_verbose(self, **texts: str) -> dict[str, str]:
        """Return fields that may hold what is in the records: none unless that is wanted, and none that are empty."""
        return {name: text for name, text in texts.items() if text} if self.is_verbose else {}

    # -- bugs ---------------------------------------------------------------------------------------------------

    def note_crash(
        self, kind: type[BaseException], error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Tell of an exception that nobody has caught; what it says itself may hold what is in the records."""
        frames = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)]
        self.emit(
            "error",
            ERROR,
            text=f"{kind.__name__}: a bug in replay; please report it",
            traceback=frames,
            **self._only_verbose(message=str(error)),
        )


def _json(document: dict[str, Any]) -> str:
    """Return a document in ASCII, on one line; lone surrogates and numbers that JSON does not have are replaced."""
    text = json.dumps(_finite(document), default=str, allow_nan=False)
    if "\\ud" in text:
        whole = json.dumps(json.loads(text), ensure_ascii=False).encode("utf-8", "replace")
        text = json.dumps(json.loads(whole))
    return text


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, list | tuple) else value

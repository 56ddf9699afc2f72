"""The dead-letter file: one JSON object a line, written from the checkpoint, which is the truth.

After a crash the file is cut to its committed length and written on from there, so that no letter is missing and
none is there twice.
"""

import os
from pathlib import Path
from typing import Any

import orjson

from replay_cli.errors import FatalError
from replay_cli.ledger.store import Store

_BYTES_AT_ONCE = 4 << 20


class DeadLetterFile:
    """The rejected and dead-lettered records beside a checkpoint, readable by their owner only.

    Each line holds `uri`, `etag`, `ordinal`, `line` or `row` (1-based), `kind`, `reason`, `detail`, `attempts`, `at`
    (POSIX seconds), and the `record` (or its `text`, where it is no JSON object).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._written = 0
        self._length = 0

    def recover(self, store: Store) -> None:
        """Cut the file to its committed length and add what the checkpoint has beyond it.

        A file that is shorter or gone, because somebody edited or deleted it, is written anew.

        Raises:
            FatalError: the file cannot be written.
        """
        self._written = int(store.meta("dead_letters_written") or 0)
        self._length = int(store.meta("dead_letters_length") or 0)
        try:
            if self._size() < self._length:
                self._written = self._length = 0
            if self.path.exists():
                os.truncate(self.path, self._length)
        except OSError as error:
            raise FatalError(f"cannot write {self.path}: {error.strerror}") from None
        self.catch_up(store)

    def _size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def catch_up(self, store: Store) -> None:
        """Append the dead letters that the file does not have yet, and commit its new length.

        Raises:
            FatalError: the file cannot be written.
        """
        before, lines = self._length, bytearray()
        for number, fields, record in store.dead_letters(after=self._written):
            lines += _line(fields, record)
            self._written = number
            if len(lines) > _BYTES_AT_ONCE:
                self._append(lines)
                lines.clear()
        self._append(lines)
        if self._length > before:
            store.set_meta(dead_letters_written=self._written, dead_letters_length=self._length)

    def _append(self, lines: bytearray) -> None:
        if not lines:
            return
        try:
            descriptor = os.open(self.path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(lines)
                file.flush()
                os.fsync(descriptor)
        except OSError as error:
            raise FatalError(f"cannot write {self.path}: {error.strerror}; nothing more is sent") from None
        self._length += len(lines)


def _line(fields: dict[str, Any], record: bytes) -> bytes:
    try:
        document = orjson.loads(record)
    except orjson.JSONDecodeError:
        document = None
    kept = (
        {"record": orjson.Fragment(record)} if isinstance(document, dict) else {"text": record.decode(errors="replace")}
    )
    return orjson.dumps(fields | kept, option=orjson.OPT_APPEND_NEWLINE)

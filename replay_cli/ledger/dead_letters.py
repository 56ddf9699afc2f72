"""The dead-letter file: one JSON object a line, compressed, written from the checkpoint, which is the truth.

It grows by whole gzip members, so that `zcat` and `gunzip` read it at any time. After a crash it is cut to its
committed length and written on from there: no letter is missing, none is there twice, and no member is half written.
"""

import os
from pathlib import Path
from typing import Any

import orjson
from isal import igzip

from replay_cli.errors import FatalError
from replay_cli.ledger.store import Store

_BYTES_AT_ONCE = 4 << 20
_LEVEL = 1
_PLAIN, _GZIP = "plain", "gzip"
"""How the file of a checkpoint is kept: before format 6 it was plain."""


class DeadLetterFile:
    """The rejected and dead-lettered records beside a checkpoint, readable by their owner only.

    Each line holds `uri`, `etag`, `ordinal`, `line` or `row` (1-based), `kind`, `reason`, `detail`, `attempts`, `at`
    (POSIX seconds), and the `record` (or its `text`, where it is no JSON object). Where that is not kept any more,
    `expired` or `erased` is true instead, and the detail is empty.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._written = 0
        self._length = 0

    def recover(self, store: Store) -> None:
        """Cut the file to its committed length and add what the checkpoint has beyond it.

        A file that is shorter or gone, because somebody edited or deleted it, is written anew, and so is the plain one
        of an earlier version, which is then removed.

        Raises:
            FatalError: the file cannot be written.
        """
        self._written = int(store.meta("dead_letters_written") or 0)
        self._length = int(store.meta("dead_letters_length") or 0)
        try:
            self._cut()
        except OSError as error:
            raise FatalError(f"cannot write {self.path}: {error.strerror}") from None
        self.catch_up(store)
        if store.meta("dead_letters_form") == _PLAIN:
            self._remove_plain()
            store.set_meta(dead_letters_form=_GZIP)

    def _cut(self) -> None:
        if not self.path.exists() or self.path.stat().st_size < self._length:
            self._written = self._length = 0
        if self._length:
            os.truncate(self.path, self._length)
        else:
            self.path.unlink(missing_ok=True)  # gunzip takes no empty file

    def _remove_plain(self) -> None:
        plain = self.path.with_name(self.path.name.removesuffix(".gz"))
        if plain == self.path:
            return
        try:
            plain.unlink(missing_ok=True)
        except OSError as error:
            raise FatalError(
                f"cannot remove {plain}, which is kept compressed in {self.path.name} now: {error.strerror}"
            ) from None

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
        member = igzip.compress(lines, _LEVEL, mtime=0)
        try:
            descriptor = os.open(self.path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(member)
                file.flush()
                os.fsync(descriptor)
        except OSError as error:
            raise FatalError(f"cannot write {self.path}: {error.strerror}; nothing more is sent") from None
        self._length += len(member)


def _line(fields: dict[str, Any], record: bytes | None) -> bytes:
    return orjson.dumps(fields | _kept(record), option=orjson.OPT_APPEND_NEWLINE)


def _kept(record: bytes | None) -> dict[str, Any]:
    if record is None:
        return {}
    try:
        document = orjson.loads(record)
    except orjson.JSONDecodeError:
        document = None
    return (
        {"record": orjson.Fragment(record)} if isinstance(document, dict) else {"text": record.decode(errors="replace")}
    )

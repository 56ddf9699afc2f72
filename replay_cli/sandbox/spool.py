"""What the sandbox received, on disk: one JSON line per attempt."""

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from replay_cli.errors import UsageError
from replay_cli.sandbox.endpoints import Body

FILE_NAME = "received.jsonl"
_BUFFER_BYTES = 1 << 18
_CHUNK_BYTES = 1 << 18
_INDEX_EVERY = 1000
_EXCERPT_CHARACTERS = 1000


class Spool:
    r"""An append-only file of attempts, numbered from 1.

    A line is `{"seq", "at", "status", "recorded", "fault", "body"}`: `at` in unix seconds, `status` null when
    nothing was answered, `body` the JSON exactly as it was sent (but line ends in it become spaces). A body that
    is no JSON is null, with its beginning as `text`.

    Appends are buffered: `flush` hands them to the system. A file that exists in `directory` is continued (a
    cut last line, left by a kill, is dropped); without a directory the file has no name and ends with the
    process.

    Raises:
        UsageError: the directory cannot be used, or the file in it is not a spool.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._file = _open_named(directory) if directory else _open_unnamed()
        self._size = 0
        self._seq = 0
        self._index: list[int] = []
        if directory is not None:
            self._continue(directory / FILE_NAME)

    def append(self, at: float, status: int | None, recorded: bool, fault: str | None, body: Body) -> int:
        """Add an attempt; give its sequence number."""
        self._seq += 1
        line = _format(self._seq, at, status, recorded, fault, body)
        self._note()
        self._file.write(line)
        self._size += len(line)
        return self._seq

    def lines(self, after: int = 0, limit: int | None = None, recorded: bool = False) -> Iterator[bytes]:
        """Give the lines (without their ends) that are there when reading begins, read in chunks.

        Args:
            after: only those with a higher sequence number.
            limit: at most so many.
            recorded: only those of attempts that were recorded.
        """
        given = 0
        for line in self._scan(self._offset_of(after)):
            if given == limit:
                return
            if _seq_of(line) > after and (not recorded or _is_recorded(line)):
                given += 1
                yield line

    def flush(self) -> None:
        """Hand buffered lines to the system."""
        self._file.flush()

    def reset(self) -> None:
        """Forget everything; numbers start from 1 again."""
        self._file.flush()
        self._file.seek(0)
        self._file.truncate()
        self._size = self._seq = 0
        self._index.clear()

    def close(self) -> None:
        """Flush and close."""
        self._file.close()

    def _scan(self, offset: int) -> Iterator[bytes]:
        self.flush()
        end = self._size
        tail = b""
        while offset < end:
            chunk = os.pread(self._file.fileno(), min(_CHUNK_BYTES, end - offset), offset)
            if not chunk:  # a reset came in between
                return
            offset += len(chunk)
            *whole, tail = (tail + chunk).split(b"\n")
            yield from whole

    def _note(self) -> None:
        if self._seq % _INDEX_EVERY == 1:
            self._index.append(self._size)

    def _offset_of(self, after: int) -> int:
        place = min(after // _INDEX_EVERY, len(self._index) - 1)
        return self._index[place] if place >= 0 else 0

    def _continue(self, path: Path) -> None:
        try:
            for line in self._file:
                if not line.endswith(b"\n"):
                    break
                self._seq += 1
                if _seq_of(line) != self._seq:
                    raise ValueError
                self._note()
                self._size += len(line)
        except ValueError:
            self._file.close()
            raise UsageError(f"{path} is not a spool of the sandbox; choose another directory") from None
        self._file.seek(self._size)
        self._file.truncate()


def _open_unnamed() -> BinaryIO:
    return cast(BinaryIO, tempfile.TemporaryFile(buffering=_BUFFER_BYTES))


def _open_named(directory: Path) -> BinaryIO:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        handle = os.open(directory / FILE_NAME, os.O_RDWR | os.O_CREAT, 0o600)
        return os.fdopen(handle, "r+b", buffering=_BUFFER_BYTES)
    except OSError as error:
        raise UsageError(f"cannot spool into {directory}: {error.strerror}") from None


def _format(seq: int, at: float, status: int | None, recorded: bool, fault: str | None, body: Body) -> bytes:
    shown, text = _show(body)
    head = (
        f'{{"seq":{seq},"at":{at!r},"status":{"null" if status is None else status},'
        f'"recorded":{"true" if recorded else "false"},"fault":{json.dumps(fault)},"body":'
    )
    return b"".join((head.encode(), shown, text, b"}\n"))


def _show(body: Body) -> tuple[bytes, bytes]:
    if body.problem is not None or not body.raw:
        excerpt = body.raw[:_EXCERPT_CHARACTERS].decode(errors="replace")
        return b"null", f',"text":{json.dumps(excerpt)}'.encode() if excerpt else b""
    # JSON has line ends between its tokens only, where a space is as good.
    return body.raw.replace(b"\r", b" ").replace(b"\n", b" "), b""


def _seq_of(line: bytes) -> int:
    return int(line[len(b'{"seq":') : line.index(b",")])


def _is_recorded(line: bytes) -> bool:
    # `recorded` stands before everything that a sender has a say in, so the first one is ours.
    return line.split(b'"recorded":', 1)[1].startswith(b"true")

"""Reading one object from S3: as a stream that survives cuts, or in ranges; and the next ones ahead.

A `Download` fetches bytes in a thread of its own into a bounded buffer. Whatever cuts it off, it goes on from the byte
that it has come to, with a request for the rest that holds only while the object is the one that was listed: bytes of
two versions are never mixed. `ObjectFile` makes a file of it for what decompresses and parses; `ReadAhead` begins
downloads of the objects that will be opened next.
"""

import io
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, BinaryIO, cast

from botocore.exceptions import IncompleteReadError

from replay_cli.archive.patience import Setbacks
from replay_cli.archive.s3_client import S3Client
from replay_cli.aws.errors import FOREIGN
from replay_cli.errors import PausedError, ReplayError
from replay_cli.model import ArchiveObject

if TYPE_CHECKING:
    from botocore.response import StreamingBody

CURRENT_BYTES = 8 << 20
"""How much of the object that is read is fetched before it is wanted."""
EXPECTED_BYTES = 2 << 20
"""How much of one that will be read next."""
AHEAD_BYTES = 16 << 20
"""How much of all of these together."""
AHEAD_OBJECTS = 4

_FRESH_SECONDS = 60.0
"""What was fetched ahead longer ago is fetched again: the object may have been rewritten without somebody's data."""
_PIECE_BYTES = 256 << 10
_CAREFUL_BYTES = 16 << 10
"""How much is read at once after a failure: what a connection that breaks again gave is lost from here on."""
_HEAD_BYTES = 4 << 10
"""How much of an object's beginning is kept, for formats are told by it."""
_RANGE_BYTES = 256 << 10
"""The least that is asked for where an object is read here and there: small columns lie side by side."""
_COLUMN_BYTES = 32 << 20


class Download:
    """Fetches an object's bytes, or a range of them, ahead of who reads them.

    One thread reads; any may close.

    Args:
        client: the store.
        obj: the object as it was listed.
        start: the first byte.
        stop: the byte after the last one; None for the object's end.
        bound: how many bytes may wait to be read.
    """

    def __init__(
        self, client: S3Client, obj: ArchiveObject, start: int = 0, stop: int | None = None, *, bound: int
    ) -> None:
        self.began = time.monotonic()
        self.offset = start  # of the next byte that is read
        self._client = client
        self._obj = obj
        self._stop = obj.size if stop is None else stop
        self._bound = bound
        self._changed = threading.Condition()  # guards all that follows, but for what only one side uses
        self._pieces: deque[bytes] = deque()
        self._waiting = 0  # bytes in the pieces and in the one that is read
        self._ended = self._closed = False
        self._error: BaseException | None = None
        self._received = start  # the fetching side's
        self._piece, self._used = b"", 0  # the reading side's
        client.patience.begin(self._run)

    @property
    def buffered(self) -> int:
        """How many bytes wait to be read, those of the piece that is read included."""
        return self._waiting

    @property
    def failed(self) -> bool:
        """Whether it can give no more than is buffered."""
        return self._error is not None

    def let(self, bound: int) -> None:
        """Let so many bytes wait from now on."""
        with self._changed:
            self._bound = bound
            self._changed.notify_all()

    def read(self, size: int) -> bytes:
        """Give so many bytes, or all that are left if these are fewer.

        Raises:
            ChangedObjectError: the object changed, or is gone.
            PausedError: the network fails again and again.
            FatalError: it cannot be read.
            ReadingStoppedError: nobody wants the rest any more.
        """
        self._client.patience.check()
        size = min(size, self._stop - self.offset)
        parts = []
        while size > 0:
            if self._used == len(self._piece):
                self._next_piece()
            part = self._piece[self._used : self._used + size]
            self._used += len(part)
            self.offset += len(part)
            size -= len(part)
            parts.append(part)
        if self.offset == self._stop:
            self._wait_for_end()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        """Fetch no more, and forget what was fetched."""
        with self._changed:
            self._closed = True
            self._pieces.clear()
            self._waiting = 0
            self._changed.notify_all()

    def _next_piece(self) -> None:
        with self._changed:
            self._waiting -= len(self._piece)
            self._piece, self._used = b"", 0
            if self._waiting <= self._bound // 2:
                self._changed.notify_all()
            while not self._pieces:
                self._require_more()
                self._client.patience.wait(self._changed)
            self._piece = self._pieces.popleft()

    def _wait_for_end(self) -> None:
        """Wait until what was asked of the store last is answered: of an empty object, that is all there is."""
        with self._changed:
            while not self._ended:
                self._client.patience.wait(self._changed)
            if self._error is not None:
                raise self._error

    def _require_more(self) -> None:
        if self._error is not None:
            raise self._error
        if self._closed:
            raise ValueError("read of closed download")

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            self._fetch()
        except BaseException as raised:  # raised where it is read
            error = raised
        with self._changed:
            self._error = error
            self._ended = True
            self._changed.notify_all()

    def _fetch(self) -> None:
        """Receive up to the end, however many requests it takes."""
        setbacks = self._client.setbacks()
        while not self._closed:
            try:
                with closing(self._client.get(self._obj, self._received, self._stop)) as body:
                    self._receive(body, setbacks)
                return
            except PausedError as error:
                told: ReplayError = error
            except FOREIGN as error:
                told = self._client.explained(error, self._obj.uri)
                if not isinstance(told, PausedError):
                    raise told from error
            self._pause(setbacks, told)

    def _receive(self, body: "StreamingBody", setbacks: Setbacks) -> None:
        most = _CAREFUL_BYTES if setbacks.in_a_row else _PIECE_BYTES
        while self._received < self._stop:
            size = min(most, self._stop - self._received)
            size = self._room_for(size)
            if self._closed:
                return
            piece = body.read(size)
            if not piece:
                raise IncompleteReadError(actual_bytes=self._received, expected_bytes=self._stop)
            self._received += len(piece)
            if setbacks.in_a_row:
                setbacks.forget()
                self._client.trouble = ""
            self._put(piece)

    def _room_for(self, size: int) -> int:
        """Wait until a piece of this size may be received; if it is more than ever may, of the size that may.

        A buffer that is full is filled again when half of it was read: to wake up for each piece slows the reader down.
        """
        with self._changed:
            if self._waiting + size > self._bound:
                while not self._closed and self._waiting > self._bound // 2:
                    self._client.patience.wait(self._changed)
            return min(size, self._bound - self._waiting)

    def _put(self, piece: bytes) -> None:
        with self._changed:
            if not self._closed:
                self._pieces.append(piece)
                self._waiting += len(piece)
                self._changed.notify_all()

    def _pause(self, setbacks: Setbacks, told: ReplayError) -> None:
        pause = setbacks.next_pause()
        if pause is None:
            raise told
        self._client.trouble = str(told)
        self._client.patience.sleep(pause)


class ObjectFile(io.RawIOBase):
    """One object as a file that can seek.

    Read from its beginning, and on, it is one download; to read elsewhere, ranges are asked for. `read` gives as much
    as it is asked for, except at the end.

    Args:
        client: the store.
        obj: the object as it was listed.
        download: of the whole object; None if it will be read here and there.
    """

    preferred_read = _COLUMN_BYTES
    """How many bytes should be asked for at once, in all columns together, for a request takes its time."""

    def __init__(self, client: S3Client, obj: ArchiveObject, download: Download | None = None) -> None:
        super().__init__()
        self._client = client
        self._obj = obj
        self._download = download
        self._is_stream = download is not None
        self._position = 0
        self._head = b""
        self._window_start, self._window = 0, b""

    @property
    def size(self) -> int:
        """The object's size in bytes."""
        return self._obj.size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._require_open()
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._obj.size}[whence]
        if base + offset < 0:
            raise ValueError(f"negative seek position {base + offset}")
        self._position = base + offset
        return self._position

    def read(self, size: int | None = -1, /) -> bytes:
        """Give so many bytes, or all up to the end; see `Download.read` for what it raises."""
        self._require_open()
        self._client.patience.check()
        end = self._obj.size if size is None or size < 0 else min(self._position + size, self._obj.size)
        if self._position > end or (self._position == end and self._download is None):
            return b""
        download = self._in_sequence()
        data = self._from_range(end) if download is None else self._from_download(download, end)
        if len(self._head) == self._position < _HEAD_BYTES:
            self._head += data[: _HEAD_BYTES - self._position]
        self._position += len(data)
        return data

    def readinto(self, buffer: "memoryview | bytearray", /) -> int:  # type: ignore[override] # typeshed's name for it is private
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._let_go()
        self._window = b""
        super().close()

    def _require_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")

    def _in_sequence(self) -> Download | None:
        """Return the download if it can go on from here, or a new one at the beginning."""
        download = self._download
        if download is not None:
            skipped = self._position - download.offset
            if 0 <= skipped <= download.buffered or (skipped < 0 and download.offset <= len(self._head)):
                return download
            self._let_go()
        if self._position == 0 and self._is_stream:
            self._download = Download(self._client, self._obj, bound=CURRENT_BYTES)
        return self._download

    def _from_download(self, download: Download, end: int) -> bytes:
        if self._position < download.offset:
            again = self._head[self._position : min(end, download.offset)]
            return again + download.read(end - self._position - len(again))
        download.read(self._position - download.offset)
        return download.read(end - self._position)

    def _from_range(self, end: int) -> bytes:
        start = self._position - self._window_start
        if start >= 0 and end <= self._window_start + len(self._window):
            return self._window[start : end - self._window_start]
        if end - self._position >= _RANGE_BYTES:
            return self._range(end)
        self._window = self._range(min(self._position + _RANGE_BYTES, self._obj.size))
        self._window_start = self._position
        return self._window[: end - self._position]

    def _range(self, end: int) -> bytes:
        with closing(Download(self._client, self._obj, self._position, end, bound=CURRENT_BYTES)) as download:
            return download.read(end - self._position)

    def _let_go(self) -> None:
        if self._download is not None:
            self._download.close()
            self._download = None


class ReadAhead:
    """Opens objects, and begins to fetch those that will be opened next.

    At most `AHEAD_OBJECTS` are fetched ahead, and `AHEAD_BYTES` of them in all. One thread expects and opens.

    Args:
        client: the store.
    """

    def __init__(self, client: S3Client) -> None:
        self._client = client
        self._wanted: list[ArchiveObject] = []
        self._ahead: dict[ArchiveObject, Download] = {}

    def expect(self, objects: Sequence[ArchiveObject]) -> None:
        """Say which objects will be opened after the next one, in order.

        Those that are not expected any more are dropped when the next one is opened: it may be among them.
        """
        self._wanted = [obj for obj in objects if _is_stream(obj)][:AHEAD_OBJECTS]
        self._begin()

    def open(self, obj: ArchiveObject) -> BinaryIO:
        """Open an object, as an `ObjectFile`; closing it ends its download."""
        download = self._ahead.pop(obj, None)
        for other in self._ahead.keys() - set(self._wanted):
            self._ahead.pop(other).close()
        if download is not None and not download.failed and time.monotonic() - download.began < _FRESH_SECONDS:
            download.let(CURRENT_BYTES)
        elif _is_stream(obj):
            if download is not None:
                download.close()
            download = Download(self._client, obj, bound=CURRENT_BYTES)
        self._begin()
        return cast("BinaryIO", ObjectFile(self._client, obj, download))

    def close(self) -> None:
        """Drop all that was fetched ahead."""
        self._wanted = []
        for download in self._ahead.values():
            download.close()
        self._ahead.clear()

    def _begin(self) -> None:
        for obj in self._wanted:
            if obj not in self._ahead and (len(self._ahead) + 1) * EXPECTED_BYTES <= AHEAD_BYTES:
                self._ahead[obj] = Download(self._client, obj, bound=EXPECTED_BYTES)


def _is_stream(obj: ArchiveObject) -> bool:
    """Tell whether an object is read from its beginning to its end, as far as its name says so."""
    return not obj.uri.lower().endswith(".parquet")

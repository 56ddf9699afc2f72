"""A proxy between an S3 client and a real server, which harms what passes as the test says."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from fcntl import ioctl
from struct import unpack
from termios import TIOCOUTQ
from urllib.parse import urlsplit

from tests.support.s3_stub import (
    SLOW_DOWN,
    S3Error,
    S3Front,
    S3Request,
    Side,
    answer,
    body_length,
    expects_continue,
    header,
)

_LIMIT = 1 << 18
_POLL_SECONDS = 0.001


class _Harm(StrEnum):
    RESET = "reset"
    CLOSE = "close"
    STALL = "stall"
    CORRUPT = "corrupt"


@dataclass
class _Fault:
    harm: _Harm
    offset: int
    key: str | None
    times: int


@dataclass
class _Refusal:
    error: S3Error
    only: Callable[[S3Request], bool]
    times: int


class S3Proxy(S3Front):
    """Passes requests and replies, which it streams: no object is ever whole in its memory.

    Faults strike bodies of objects, and may be set at any time. They are taken in the order they were set, each by the
    next reply whose body goes on beyond the fault's offset, which counts from the beginning of that body (not of the
    object, where a range is asked for). With a `key`, only replies with that object count.

    Args:
        url: the server's.
    """

    def __init__(self, url: str) -> None:
        super().__init__()
        parts = urlsplit(url)
        self._target = parts.hostname, parts.port
        self._faults: list[_Fault] = []
        self._refusals: list[_Refusal] = []
        self._lock = threading.Lock()
        self.struck = 0  # faults and refusals that were taken

    def cut_after(self, offsets: Sequence[int], *, key: str | None = None, clean: bool = False) -> None:
        """End the connection after so many bytes of a body, once for each number.

        The client's kernel has all of these bytes by then. What it does with them is the client's choice.

        Args:
            offsets: bytes of the body that pass.
            key: the object that is struck, if not any.
            clean: close the connection in order, instead of with an RST.
        """
        harm = _Harm.CLOSE if clean else _Harm.RESET
        self._set(*(_Fault(harm, offset, key, 1) for offset in offsets))

    def stall_after(self, offset: int, *, key: str | None = None, times: int = 1) -> None:
        """Send no more after so many bytes of a body: the connection stays open until the client ends it."""
        self._set(_Fault(_Harm.STALL, offset, key, times))

    def corrupt_at(self, offset: int, *, key: str | None = None, times: int = 1) -> None:
        """Turn the bits of one byte of a body."""
        self._set(_Fault(_Harm.CORRUPT, offset, key, times))

    def throttle(self, times: int, only: Callable[[S3Request], bool] = lambda _: True) -> None:
        """Answer the next requests with `SLOW_DOWN`."""
        self.fail(SLOW_DOWN, times, only)

    def fail(self, error: S3Error, times: int, only: Callable[[S3Request], bool] = lambda _: True) -> None:
        """Answer the next requests with an error, without asking the server."""
        with self._lock:
            self._refusals.append(_Refusal(error, only, times))

    def heal(self) -> None:
        """Forget the faults and refusals that are left."""
        with self._lock:
            self._faults.clear()
            self._refusals.clear()

    async def _answer(self, request: S3Request, head: bytes, client: Side) -> bool:
        if error := self._refusal(request):
            return await answer(client, request, head, error.reply(request))
        async with self._upstream() as server:
            await server.send(head)
            if expects_continue(head):
                reply = await _head(server)
                if _status(reply) != 100:
                    return await self._pass_reply(request, reply, server, client)
                await client.send(reply)
            await client.pass_on(body_length(head), to=server)
            return await self._pass_reply(request, await _head(server), server, client)

    async def _pass_reply(self, request: S3Request, head: bytes, server: Side, client: Side) -> bool:
        """Pass a reply of which the head is read; whether the client's connection stays."""
        length = int(header(head, "content-length") or 0)
        if header(head, "transfer-encoding"):
            await client.send(head)
            await _pass_chunks(server, client)
        elif request.method == "HEAD" or not length:
            await client.send(head)
        elif request.is_get and _status(head) in (200, 206) and (fault := self._fault(request, length)):
            await client.send(head)
            await server.pass_on(fault.offset, to=client)
            return await _strike(fault, length, server, client)
        else:
            await client.send(head)
            await server.pass_on(length, to=client)
        return (header(head, "connection") or "").lower() != "close"

    @asynccontextmanager
    async def _upstream(self) -> AsyncIterator[Side]:
        """A connection for one request, so that none is used that the server is about to close."""
        server = Side(*await asyncio.open_connection(*self._target, limit=_LIMIT))
        try:
            yield server
        finally:
            server.reset()

    def _set(self, *faults: _Fault) -> None:
        with self._lock:
            self._faults += faults

    def _fault(self, request: S3Request, length: int) -> _Fault | None:
        with self._lock:
            for fault in self._faults:
                if fault.offset < length and fault.key in (None, request.key):
                    fault.times -= 1
                    self._faults = [fault for fault in self._faults if fault.times > 0]
                    self.struck += 1
                    return fault
            return None

    def _refusal(self, request: S3Request) -> S3Error | None:
        with self._lock:
            for refusal in self._refusals:
                if refusal.only(request):
                    refusal.times -= 1
                    self._refusals = [refusal for refusal in self._refusals if refusal.times > 0]
                    self.struck += 1
                    return refusal.error
            return None


async def _strike(fault: _Fault, length: int, server: Side, client: Side) -> bool:
    """Harm a body of which all before the fault's offset has passed; whether the client's connection stays."""
    if fault.harm is _Harm.CORRUPT:
        byte = await server.reader.readexactly(1)
        await client.send(bytes((byte[0] ^ 0xFF,)))
        await server.pass_on(length - fault.offset - 1, to=client)
        return True
    if fault.harm is _Harm.STALL:
        await client.reader.read(1)  # until the client gives up
    if fault.harm is _Harm.RESET:
        await _delivered(client)
        raise ConnectionResetError
    return False


async def _delivered(client: Side) -> None:
    """Wait until the client's kernel has all that was sent: a reset would discard the rest."""
    client.writer.transport.set_write_buffer_limits(0)
    await client.writer.drain()
    sock = client.writer.get_extra_info("socket")
    # No event says that it is so.
    while not client.writer.is_closing() and unpack("i", ioctl(sock.fileno(), TIOCOUTQ, bytes(4)))[0]:  # noqa: ASYNC110
        await asyncio.sleep(_POLL_SECONDS)


async def _pass_chunks(server: Side, client: Side) -> None:
    """Pass a body that comes in chunks, and its trailers."""
    size = -1
    while size:
        line = await server.reader.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        await client.send(line)
        await server.pass_on(size + 2 if size else 0, to=client)
    while (line := await server.reader.readuntil(b"\r\n")) != b"\r\n":
        await client.send(line)
    await client.send(line)


async def _head(server: Side) -> bytes:
    if not (head := await server.head()):
        raise ConnectionResetError
    return head


def _status(head: bytes) -> int:
    return int(head.split(b" ", 2)[1])

"""A TCP proxy between a client and an HTTP/1.1 server, which harms what passes as the test says."""

import asyncio
import random
import re
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, Self, TypeVar

T = TypeVar("T")
_ANSWER_SECONDS = 30.0


class Harm(StrEnum):
    """What befalls a request, or (`RESET_ON_ACCEPT`) a connection; a reset is an RST, on both sides."""

    RESET_ON_ACCEPT = "reset on accept"
    RESET_BEFORE = "reset before"  # the server sees nothing of the request
    RESET_DURING = "reset during"  # the server sees `after` bytes of it
    RESET_AFTER = "reset after"  # the server has answered, and the client sees nothing of that
    RESET_REPLY = "reset reply"  # the client sees `after` bytes of the reply
    TRUNCATE = "truncate"  # as above, then a clean close
    DRIP = "drip"  # the reply comes byte by byte, one each `pace` seconds
    SWALLOW = "swallow"  # the server sees nothing of the request, and the connection stays open
    MUTE = "mute"  # the client sees nothing of the reply, and the connection stays open


@dataclass(frozen=True)
class Fault:
    """A harm and whom it strikes: of every n-th request a random share, at most so many.

    `after` counts bytes as a slice does: 0 is none, -1 all but the last.
    """

    harm: Harm
    every: int = 1
    share: float = 1.0
    times: int | None = None
    after: int = -1
    pace: float = 1.0
    seed: int = 1


class TcpProxy(AbstractContextManager["TcpProxy"]):
    """Runs in a thread, on a loop of its own: for tests with a loop of theirs and for those without.

    A `fault` may be set at any time, for the requests (or connections) that come from then on. Messages need a
    Content-Length, and a connection carries one request at a time.

    Args:
        target_host: where the server listens.
        target_port: its port.
        host: where to listen: 127.0.0.1 or ::1.
    """

    def __init__(self, target_host: str, target_port: int, *, host: str = "127.0.0.1") -> None:
        self.connections = self.requests = self.struck = 0
        self.request_bytes = self.reply_bytes = 0  # those that were forwarded
        self.host, self.port = host, 0
        self._target = target_host, target_port
        self._aim = _Aim(None)
        self._links: dict[asyncio.Task[None], list[_Side]] = {}
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    @property
    def fault(self) -> Fault | None:
        return self._aim.fault

    @fault.setter
    def fault(self, fault: Fault | None) -> None:
        self._aim = _Aim(fault)

    def cut(self) -> int:
        """Reset all connections at once; how many there were."""
        return self._do(self._call(self._cut))

    def stall(self) -> None:
        """Hold back every byte until `flow`."""
        self._do(self._call(self._flowing.clear))

    def flow(self) -> None:
        self._do(self._call(self._flowing.set))

    def refuse(self) -> None:
        """Stop listening; open connections stay."""
        self._do(self._call(self._listener.close))

    def listen(self) -> None:
        """Listen, again on the same port."""
        self._do(self._listen())

    def __enter__(self) -> Self:
        self._thread.start()
        self.flow()
        self.listen()
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse()
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, act: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(act, self._loop).result(_ANSWER_SECONDS)

    async def _call(self, act: Callable[[], T]) -> T:
        return act()

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._serve, self.host, self.port, backlog=1024)
        self.port = self._listener.sockets[0].getsockname()[1]

    def _cut(self) -> int:
        for sides in self._links.values():
            for side in sides:
                side.reset()
        return len(self._links)

    async def _end(self) -> None:
        for link in self._links:
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.connections += 1
        sides = self._links[task] = [_Side(reader, writer)]
        try:
            if self._draw(accepting=True) is None:
                sides.append(_Side(*await asyncio.open_connection(*self._target)))
                await self._relay(*sides)
                for side in sides:
                    side.writer.close()
        except (OSError, asyncio.CancelledError):  # the server is gone, a fault says so, or the test is over
            pass
        finally:
            for side in sides:
                side.reset()
            del self._links[task]

    async def _relay(self, client: "_Side", server: "_Side") -> None:
        """Pass requests and replies until either side ends."""
        faults: list[Fault | None] = [None]  # that of the request under way
        pumps = [
            asyncio.create_task(self._pass_requests(client, server, faults)),
            asyncio.create_task(self._pass_replies(client, server, faults)),
        ]
        try:
            done, _ = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
        for pump in done:
            pump.result()

    async def _pass_requests(self, client: "_Side", server: "_Side", faults: list[Fault | None]) -> None:
        while request := await client.message():
            self.requests += 1
            fault = faults[0] = self._draw(accepting=False)
            harm = fault and fault.harm
            if harm is Harm.SWALLOW:
                continue
            if fault and harm is Harm.RESET_DURING:
                request = request[: fault.after]
            if harm is not Harm.RESET_BEFORE:
                self.request_bytes += await self._forward(server, request)
            if harm in (Harm.RESET_BEFORE, Harm.RESET_DURING):
                raise ConnectionResetError

    async def _pass_replies(self, client: "_Side", server: "_Side", faults: list[Fault | None]) -> None:
        while reply := await server.message():
            fault = faults[0]
            harm = fault and fault.harm
            if harm is Harm.MUTE:
                break
            if fault and harm is Harm.DRIP:
                for byte in reply:
                    self.reply_bytes += await self._forward(client, bytes((byte,)))
                    await asyncio.sleep(fault.pace)
                continue
            if fault and harm in (Harm.RESET_REPLY, Harm.TRUNCATE):
                reply = reply[: fault.after]
            if harm is not Harm.RESET_AFTER:
                self.reply_bytes += await self._forward(client, reply)
            if harm in (Harm.RESET_AFTER, Harm.RESET_REPLY):
                raise ConnectionResetError
            if harm is Harm.TRUNCATE:
                return
        if faults[0] and faults[0].harm in (Harm.MUTE, Harm.SWALLOW):
            await asyncio.Event().wait()  # whatever the server does, the client does not hear of it

    async def _forward(self, side: "_Side", data: bytes) -> int:
        await self._flowing.wait()
        side.writer.write(data)
        await side.writer.drain()
        return len(data)

    def _draw(self, *, accepting: bool) -> Fault | None:
        fault = self._aim.draw(accepting)
        self.struck += fault is not None
        return fault


class _Aim:
    """A fault while it is set: it counts what passes, and what it struck."""

    def __init__(self, fault: Fault | None) -> None:
        self.fault = fault
        self._random = random.Random(fault.seed if fault else 0)
        self._passed = self._struck = 0

    def draw(self, accepting: bool) -> Fault | None:
        fault = self.fault
        if fault is None or (fault.harm is Harm.RESET_ON_ACCEPT) is not accepting or self._struck == fault.times:
            return None
        self._passed += 1
        if self._passed % fault.every or self._random.random() >= fault.share:
            return None
        self._struck += 1
        return fault


class _Side(NamedTuple):
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def message(self) -> bytes:
        """Read one request or reply; what there is of it when the stream ends, b"" when it has ended."""
        head = b""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
            return head + await self.reader.readexactly(int(length[1]) if length else 0)
        except asyncio.IncompleteReadError as end:
            return head + end.partial

    def reset(self) -> None:
        if not self.writer.is_closing():
            sock = self.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.writer.transport.abort()

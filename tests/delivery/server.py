"""A TCP server whose every connection does as the test says."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

OK = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{"status":"success"}'


class Server:
    """What a server saw: one entry a connection, and one a request (its bytes)."""

    def __init__(self) -> None:
        self.url = ""
        self.accepted = asyncio.Event()
        self.connections = 0
        self.requests: list[bytes] = []

    async def read_request(self, reader: asyncio.StreamReader) -> bytes:
        """Read one request with its body; b"" when the client hung up before it."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as end:
            if end.partial:
                self.requests.append(end.partial)
            return b""
        length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        body = await reader.readexactly(int(length[0].split(b":")[1])) if length else b""
        self.requests.append(head + body)
        return head + body


@asynccontextmanager
async def serving(talk: Callable[[Server], Talk]) -> AsyncIterator[Server]:
    """Serve on loopback; connections still talking at the end are cut."""
    server = Server()
    talks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        server.accepted.set()
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        try:
            await talk(server)(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            talks.discard(task)
            writer.transport.abort()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listener.close()
        for task in list(talks):
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        await listener.wait_closed()


def answering(reply: bytes, *, close: bool = False) -> Callable[[Server], Talk]:
    """Answer every request with the same bytes, and hang up after the first if told to."""

    def make(server: Server) -> Talk:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while await server.read_request(reader):
                writer.write(reply)
                await writer.drain()
                if close:
                    return

        return talk

    return make

"""A bare HTTP client: what it says about a connection's end is what TCP said."""

import asyncio
import json
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from replay_cli.sandbox.endpoints import Account

EVENT = {"type": "track", "event": "Order Completed", "user_id": "u-1", "properties": {"n": 7}}
EVENTS_TARGET = "/v1/integrations/segment?appId=sandbox"
AUTH_TARGET = "/v1/integrations/segment/auth?appId=sandbox"
BOUND_SECONDS = 30


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> Any:
        assert self.document["status"] == "fail"
        return self.document["error"]


def write_request(method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
    """A request as bytes, with the sandbox's credentials unless `headers` say otherwise ("" is none)."""
    fields = {
        "Host": "sandbox",
        "Connection": "close",
        "Authorization": Account.of("sandbox", "sandbox").authorization,
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
    } | (headers or {})
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items() if value)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def exchange(url: str, request: bytes) -> bytes:
    """All bytes that come back until the connection ends; ConnectionResetError if it ends with an RST."""
    place = urlsplit(url)
    async with asyncio.timeout(BOUND_SECONDS):
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        try:
            writer.write(request)
            return await reader.read()
        finally:
            writer.close()


def parse_answer(raw: bytes) -> Answer:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *fields = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
    if headers.get("transfer-encoding") == "chunked":
        body = _join_chunks(body)
    return Answer(int(first.split()[1]), headers, body)


async def ask(url: str, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
    return parse_answer(await exchange(url, write_request(method, target, body, headers)))


async def send(url: str, event: Any = EVENT, headers: dict[str, str] | None = None) -> Answer:
    return await ask(url, "POST", EVENTS_TARGET, json.dumps(event).encode(), headers)


def _join_chunks(raw: bytes) -> bytes:
    body = b""
    while raw:
        size, _, raw = raw.partition(b"\r\n")
        body, raw = body + raw[: int(size, 16)], raw[int(size, 16) + 2 :]
    return body

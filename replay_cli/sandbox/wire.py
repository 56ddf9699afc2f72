"""What goes back over the connection: replies, and the ways in which a network spoils them."""

import asyncio
import json
import socket
import struct
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NoReturn

from aiohttp import web

from replay_cli.sandbox.endpoints import Body, max_body_bytes, read_body
from replay_cli.sandbox.faults import Effect
from replay_cli.sandbox.verdicts import Verdict, failure


async def receive(request: web.BaseRequest) -> Body:
    """Read the body of a request, whole unless it is too large.

    Raises:
        ConnectionError: the client gave up before it was complete.
        aiohttp.web.RequestPayloadError: it is not the HTTP that its headers announce.
    """
    most = max_body_bytes(request.path)
    if (request.content_length or 0) > most:
        return Body(b"", too_large=True)
    try:
        raw = await request.read()
    except web.HTTPRequestEntityTooLarge:
        return Body(b"", too_large=True)
    if len(raw) > most:
        return Body(b"", too_large=True)
    return read_body(raw)


def render(verdict: Verdict, request_id: str, headers: Mapping[str, str] = {}) -> web.Response:
    """Make a verdict an HTTP reply, with its `request_id` where MoEngage documents it."""
    return web.Response(
        status=verdict.status,
        body=_encode(_identify(verdict.document, request_id)),
        headers=headers,
        content_type="application/json",
    )


def render_effect(effect: Effect, request_id: str) -> web.Response:
    """Make the reply that a fault gives instead of MoEngage's."""
    if effect.text is not None:
        return web.Response(
            status=effect.status,
            text=effect.text,
            headers=effect.headers,
            content_type="text/html",
        )
    document = effect.document
    if document is None:
        document = _default_document(effect.status)
    return render(Verdict(effect.status, document), request_id, effect.headers)


async def reset(request: web.BaseRequest) -> NoReturn:
    """End the connection with a TCP reset (RST)."""
    if request.transport is not None:
        connection = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    await hang()


async def truncate(request: web.BaseRequest, response: web.Response) -> NoReturn:
    """Send the reply's head and half of its body, then end the connection in order (FIN)."""
    body = response.body if isinstance(response.body, bytes) else b""
    head = (
        f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}\r\n"
        f"Content-Type: {response.content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    if request.transport is not None:
        request.transport.write(head.encode() + body[: len(body) // 2])
        request.transport.close()
    await hang()


async def hang() -> NoReturn:
    """Wait until the server cancels this, which it does once the connection is gone."""
    await asyncio.get_running_loop().create_future()
    raise AssertionError("nobody answers for the silence")


def _default_document(status: int) -> dict[str, Any]:
    if status < 400:
        return {"status": "success", "message": "Your request has been accepted."}
    return failure(status, "a programmed fault").document


def _identify(document: Any, request_id: str) -> Any:
    if not isinstance(document, Mapping):
        return document
    error = document.get("error")
    if isinstance(error, Mapping):
        return {**document, "error": {"request_id": request_id, **error}}
    return {"request_id": request_id, **document}


def _encode(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()

"""The questions that tests and operators ask the sandbox itself: `/_sandbox/…`.

    GET  /_sandbox/received?after=SEQ&limit=N&recorded=1    the spool's lines (JSON lines)
    GET  /_sandbox/stats                                    the tally (JSON)
    POST /_sandbox/faults                                   replace the fault programme
    POST /_sandbox/reset                                    forget counts and spool; the programme stays

They need no credentials, are never limited, and leave no trace in the counts.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from aiohttp import web

from replay_cli.errors import UsageError
from replay_cli.sandbox.programme import RawProgramme
from replay_cli.sandbox.verdicts import failure
from replay_cli.sandbox.wire import render

PREFIX = "/_sandbox/"
_BLOCK_BYTES = 1 << 16


class Answerer(Protocol):
    """What the sandbox can say about itself."""

    def lines(self, after: int, limit: int | None, recorded: bool) -> Iterator[bytes]:
        """Lines of the spool, without their ends."""

    def stats(self) -> dict[str, Any]:
        """Give the tally."""

    def set_faults(self, programme: RawProgramme) -> int:
        """Replace the fault programme; the number of its rules."""

    def reset(self) -> None:
        """Forget counts and spool."""


async def answer(request: web.BaseRequest, sandbox: Answerer) -> web.StreamResponse:
    """Answer a question; 400 names what is wrong with it, 404 is no question."""
    question = (request.method, request.path.removeprefix(PREFIX))
    try:
        if question == ("GET", "received"):
            return await _send_lines(request, sandbox.lines(*_read_range(request)))
        if question == ("GET", "stats"):
            return web.json_response(sandbox.stats())
        if question == ("POST", "faults"):
            return web.json_response({"rules": sandbox.set_faults(await request.read())})
        if question == ("POST", "reset"):
            sandbox.reset()
            return web.json_response({})
    except UsageError as error:
        return render(failure(400, str(error)), "sandbox")
    return render(failure(404, f"the sandbox has no {request.method} {request.path}"), "sandbox")


class _Range(NamedTuple):
    after: int
    limit: int | None
    recorded: bool


def _read_range(request: web.BaseRequest) -> _Range:
    limit = _read_count(request, "limit")
    return _Range(_read_count(request, "after") or 0, limit, request.query.get("recorded") == "1")


def _read_count(request: web.BaseRequest, name: str) -> int | None:
    text = request.query.get(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit():
        raise UsageError(f"{name} is a count from 0, not {text!r}")
    return int(text)


async def _send_lines(request: web.BaseRequest, lines: Iterator[bytes]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await response.prepare(request)
    for block in _blocks(lines):
        await response.write(block)
    await response.write_eof()
    return response


def _blocks(lines: Iterator[bytes]) -> Iterator[bytes]:
    block = bytearray()
    for line in lines:
        block += line + b"\n"
        if len(block) >= _BLOCK_BYTES:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)

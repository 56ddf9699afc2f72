"""The sandbox as a server: aiohttp's low-level server, for speed, around the parts that decide."""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from replay_cli.errors import UsageError
from replay_cli.sandbox import questions, wire
from replay_cli.sandbox.budgets import DOCUMENTED, Limits
from replay_cli.sandbox.door import Door
from replay_cli.sandbox.endpoints import AUTH_CHECK, Account, Attempt, Body
from replay_cli.sandbox.faults import Action, Fault
from replay_cli.sandbox.programme import RawProgramme, parse_latency
from replay_cli.sandbox.reception import Reception, Ruling
from replay_cli.sandbox.spool import Spool
from replay_cli.sandbox.verdicts import failure

_LOG = logging.getLogger(__name__)
_FLUSH_SECONDS = 0.5
_SHUTDOWN_SECONDS = 0.1
_BACKLOG = 2048
"""Connections that may wait to be accepted: a sender opens hundreds at once."""


class Sandbox:
    """A local MoEngage for one workspace, on the running asyncio loop.

        async with Sandbox(rps=500) as sandbox:
            ...  # send to sandbox.url

    Args:
        workspace_id: the workspace that it knows.
        api_key: that workspace's key.
        port: where it listens; 0 takes a free one.
        host: the address that it listens on.
        rps: attempts allowed in any rolling second; all that arrive count, refused ones too.
        latency: seconds (or a range of them) before each reply; what arrived is recorded before it.
        faults: a fault programme (see `programme`), whose seconds start with the server.
        spool: the directory of what it receives; without it that is kept until `close`.
        users_per_minute: users and devices allowed in any rolling minute through the Data API, counted likewise.
        events_per_minute: events (actions) allowed in it.
        clock: monotonic nanoseconds, for tests.
        wall: unix seconds, for tests.

    Raises:
        UsageError: an argument is invalid, or (in `start`) the address or spool cannot be used.
    """

    def __init__(
        self,
        workspace_id: str = "sandbox",
        api_key: str = "sandbox",
        port: int = 0,
        host: str = "127.0.0.1",
        rps: int = 500,
        latency: float | tuple[float, float] = 0.0,
        faults: RawProgramme = (),
        spool: Path | str | None = None,
        users_per_minute: int = DOCUMENTED.users,
        events_per_minute: int = DOCUMENTED.events,
        *,
        clock: Callable[[], int] = time.monotonic_ns,
        wall: Callable[[], float] = time.time,
    ) -> None:
        limits = Limits(users_per_minute, events_per_minute)
        self._reception = Reception(Account.of(workspace_id, api_key), rps, clock, wall, limits)
        self._reception.set_faults(faults)
        self._latency = parse_latency(latency)
        self._random = Random(0)
        self._host = host
        self._port = port
        self._spool_directory = None if spool is None else Path(spool)

    @property
    def url(self) -> str:
        """Where it listens, like `http://127.0.0.1:40123` (once started)."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    async def start(self) -> None:
        """Listen.

        Raises:
            UsageError: the address is taken or unknown, or the spool cannot be used.
        """
        self._spool = Spool(self._spool_directory)
        self._door = Door(self._answer)
        self._runner = web.ServerRunner(self._door, shutdown_timeout=_SHUTDOWN_SECONDS)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port, backlog=_BACKLOG)
        try:
            await site.start()
        except (OSError, OverflowError) as error:
            await self._runner.cleanup()
            self._spool.close()
            raise UsageError(f"the sandbox cannot listen on {self.url}: {error}") from None
        self._port = site.port
        self._reception.restart_programme_clock()
        self._flusher = asyncio.create_task(self._flush_now_and_then())

    async def close(self) -> None:
        """Stop listening, cut what is still being answered, and close the spool."""
        self._flusher.cancel()
        await self._runner.cleanup()
        with contextlib.suppress(asyncio.CancelledError):
            await self._flusher
        self._spool.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def set_faults(self, programme: RawProgramme) -> int:
        """Replace the fault programme, whose seconds start now; the number of its rules.

        Raises:
            UsageError: a rule is invalid; the old programme stays.
        """
        return self._reception.set_faults(programme)

    def stats(self) -> dict[str, Any]:
        """Give the counts (see `Reception.report`) and the `connections` that senders opened."""
        self._spool.flush()
        return self._reception.report() | {"connections": self._door.opened}

    def lines(self, after: int = 0, limit: int | None = None, recorded: bool = False) -> Iterator[bytes]:
        """Give lines of the spool (see `Spool.lines`)."""
        return self._spool.lines(after, limit, recorded)

    def received(self, after: int = 0, limit: int | None = None, recorded: bool = False) -> Iterator[Any]:
        """Give the same, read: `{"seq", "at", "status", "recorded", "fault", "body"}` each."""
        return map(json.loads, self.lines(after, limit, recorded))

    def reset(self) -> None:
        """Forget counts and spool; the fault programme stays as it is."""
        self._reception.reset()
        self._spool.reset()
        self._door.forget()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            if request.path.startswith(questions.PREFIX):
                self._door.overlook(request)
                return await questions.answer(request, self)
            self._door.admit(request)
            return await self._answer_attempt(request)
        except (web.HTTPException, ConnectionError):
            raise
        except Exception:
            _LOG.exception("the sandbox failed to answer %s %s", request.method, request.path)
            raise

    async def _answer_attempt(self, request: web.BaseRequest) -> web.StreamResponse:
        arrival = self._reception.admit()
        is_event = (request.method, request.path) != AUTH_CHECK
        if is_event:
            self._reception.tally.arrive(arrival.at)
        try:
            body = await wire.receive(request)
        except BaseException as error:
            self._reception.tally.incomplete += is_event
            if isinstance(error, ConnectionError | web.RequestPayloadError):
                return wire.render(failure(400, "the body is incomplete"), "sandbox")
            raise
        attempt = _describe(request, body)
        ruling = self._reception.decide(attempt, arrival)
        request_id = self._reception.keep(attempt, arrival, ruling, self._spool)
        await self._delay(ruling.fault)
        return await _reply(request, ruling, request_id)

    async def _delay(self, fault: Fault | None) -> None:
        seconds = self._random.uniform(*self._latency) + (0.0 if fault is None else fault.latency)
        if seconds > 0:
            await asyncio.sleep(seconds)

    async def _flush_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            self._spool.flush()


async def serve(sandbox: Sandbox, on_listening: Callable[[str], None]) -> None:
    """Run a sandbox until cancelled; `on_listening` is called with its url as soon as it answers.

    Raises:
        UsageError: its address or spool cannot be used.
    """
    async with sandbox:
        on_listening(sandbox.url)
        await asyncio.get_running_loop().create_future()


async def _reply(request: web.BaseRequest, ruling: Ruling, request_id: str) -> web.Response:
    effect = ruling.effect
    if effect.action is Action.RESET:
        await wire.reset(request)
    if effect.action is Action.HANG:
        await wire.hang()
    if effect.action is Action.REPLY:
        return wire.render_effect(effect, request_id)
    usual = wire.render(ruling.verdict, request_id, ruling.headers)
    if effect.action is Action.TRUNCATE:
        await wire.truncate(request, usual)
    return usual


def _describe(request: web.BaseRequest, body: Body) -> Attempt:
    return Attempt(
        request.method,
        request.path,
        request.query.get("appId"),
        request.headers.get("Authorization"),
        request.content_type,
        body,
        request.headers.get("MOE-APPKEY"),
    )

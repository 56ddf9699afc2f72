"""Where connections come in, counted."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

_SILENCE = logging.getLogger("replay_cli.sandbox.http")
_SILENCE.disabled = True


class Door(web.Server):
    """Counts the connections that senders open; those opened to ask the sandbox something are overlooked."""

    def __init__(self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> None:
        # A client that leaves ends its handler; that is how silences and resets end, too.
        # aiohttp would log a traceback for what a broken client sends; `Sandbox` logs its own mistakes.
        super().__init__(handler, handler_cancellation=True, access_log=None, logger=_SILENCE)
        self.opened = 0
        self._fresh: set[web.RequestHandler] = set()

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self.opened += 1
        self._fresh.add(handler)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self._fresh.discard(handler)

    def admit(self, request: web.BaseRequest) -> None:
        """Keep the connection counted: its first request is an attempt."""
        self._fresh.discard(request.protocol)

    def overlook(self, request: web.BaseRequest) -> None:
        """Forget the connection if this question is its first request."""
        if request.protocol in self._fresh:
            self._fresh.discard(request.protocol)
            self.opened -= 1

    def forget(self) -> None:
        """Count from zero."""
        self.opened = 0
        self._fresh.clear()

"""One attempt over aiohttp: a request in, a reply out, whatever happens.

This is the one gate where aiohttp's exceptions become replies. No redirects are followed, nothing is retried here.
"""

import asyncio
import os
import socket
import ssl
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from yarl import URL

from replay_cli import __version__
from replay_cli.delivery.loopback import is_loopback
from replay_cli.errors import UsageError
from replay_cli.model import Request
from replay_cli.moengage.replies import Failure, Reply

CONNECT_TIMEOUT = 30.0
"""Seconds for DNS, connect and TLS together."""
KEEP_ALIVE = 4.0
"""Seconds for which a connection may lie idle and be used again.

Less than servers commonly allow (5 s is the shortest of their defaults: Node's, Apache's), so that a request seldom
meets a server that is closing: a new connection is cheap beside an attempt in doubt. (aiohttp takes the connection
that has been idle longest, so without this bound the one nearest to its end.)
"""
MAX_REPLY_BYTES = 1 << 16
"""A reply is read up to here (64 KiB); the documented ones are a few hundred bytes."""
_LOOK_EVERY = 0.1
"""Seconds between two looks at a connection that waits at the gate."""
_RECONNECT_AFTER = 1.0
"""Seconds until the next look when it could not be replaced."""

Gate = Callable[[], Awaitable[None]]
"""Awaited with a connection in hand, just before the first byte leaves. What it raises ends the attempt unsent."""

_gate: ContextVar[Gate] = ContextVar("gate")


class _GoneError(aiohttp.ClientConnectionError):
    """The server closed the connection while it waited for the gate: nothing was sent."""


class _GatedConnector(aiohttp.TCPConnector):
    """Holds every request at the gate once it has its connection, new or kept alive."""

    async def connect(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 # aiohttp's signature
    ) -> Connection:
        connect = partial(super().connect, req, traces, timeout)
        hold = _Hold(await connect(), connect)
        try:
            await _gate.get()()
        except BaseException:
            hold.end().release()
            raise
        connection = hold.end()
        if not _is_fresh(connection):
            connection.close()
            raise _GoneError("the connection was closed before it was used")
        return connection


class _Hold:
    """Keeps a connection in hand at the gate, as long as that takes.

    Servers close connections that bring nothing for a while, and at a slow rate or in a pause the gate takes longer:
    what is closed meanwhile is replaced, or no attempt would ever leave. Should the gate open before that is done, the
    attempt ends unsent, because whoever passes must leave at once.
    """

    def __init__(self, connection: Connection, connect: Callable[[], Awaitable[Connection]]) -> None:
        self._connection = connection
        self._connect = connect
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(_LOOK_EVERY, self._look)
        self._replacing: asyncio.Task[None] | None = None

    def end(self) -> Connection:
        """Return the connection, which may be closed just now."""
        self._timer.cancel()
        if self._replacing is not None:
            self._replacing.cancel()
        return self._connection

    def _look(self) -> None:
        if _is_fresh(self._connection):
            self._timer = self._loop.call_later(_LOOK_EVERY, self._look)
        else:
            self._replacing = self._loop.create_task(self._replace())

    async def _replace(self) -> None:
        self._connection.close()
        pause = _LOOK_EVERY
        try:
            self._connection = await self._connect()
        except (aiohttp.ClientError, OSError, TimeoutError):  # the next look tries again
            pause = _RECONNECT_AFTER
        self._timer = self._loop.call_later(pause, self._look)


def _is_fresh(connection: Connection) -> bool:
    """Tell whether a connection is open, and nothing came over it that would be taken for the reply."""
    protocol = connection.protocol
    return protocol is not None and protocol.is_connected() and not protocol.should_close


@dataclass(slots=True)
class _Departure:
    """Whether the attempt has left: before that, every failure is certain."""

    left: bool = False


class Transport:
    """The session with MoEngage; an async context manager.

    Args:
        endpoint: base URL, without a path.
        workspace_id: user name of HTTP Basic.
        api_key: its password; it is kept in the requests' headers only.
        concurrency: attempts at once, the connector's limit too.
        timeout: seconds from the first byte sent to the last byte received.
        ca_file: PEM file of certificate authorities to trust instead of the system's.
        headers: more of them, for each request.
    """

    def __init__(
        self,
        endpoint: str,
        workspace_id: str,
        api_key: str,
        *,
        concurrency: int = 512,
        timeout: float = 30.0,
        ca_file: Path | None = None,
        headers: Mapping[str, str] = {},
    ) -> None:
        token = b64encode(f"{workspace_id}:{api_key}".encode()).decode()
        self._base = endpoint.rstrip("/")
        self._proxy, self._proxy_headers, proxy_secrets = _proxy(URL(self._base))
        self._secrets = (token, api_key, *proxy_secrets)
        self._timeout = timeout
        self._concurrency = concurrency
        self._tls = tls_context(ca_file)
        # Not the session's, which go to a proxy too.
        self._headers = {
            "Authorization": f"Basic {token}",
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"replay-cli/{__version__}",
            **headers,
        }
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=_GatedConnector(
                limit=self._concurrency, ssl=self._tls, ttl_dns_cache=60, keepalive_timeout=KEEP_ALIVE
            ),
            timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_TIMEOUT, sock_connect=CONNECT_TIMEOUT),
            cookie_jar=aiohttp.DummyCookieJar(),
            # Not `trust_env`: aiohttp then also looks into ~/.netrc, for each request, and refuses our credentials
            # where it finds others there. The environment's proxy is named with each request instead.
            auto_decompress=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def attempt(self, request: Request, gate: Gate) -> Reply:
        """Send a request once; an answer and every way of not getting one come back as a reply.

        What the gate raises passes through: then nothing was sent.
        """
        assert self._session is not None, "the transport is not open"  # noqa: S101 # a bug, not an error
        departure = _Departure()
        try:
            async with asyncio.timeout(None) as deadline:

                async def leave() -> None:
                    await gate()
                    departure.left = True
                    deadline.reschedule(asyncio.get_running_loop().time() + self._timeout)

                _gate.set(leave)
                url = URL(f"{self._base}{request.path}", encoded=True)
                async with self._session.request(
                    request.method,
                    url,
                    data=request.body or None,
                    headers=self._headers,
                    proxy=self._proxy,
                    proxy_headers=self._proxy_headers,
                    allow_redirects=False,
                ) as response:
                    return self._without_secrets(await _read(response))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return self._without_secrets(_failure(error, departure.left, self._timeout))

    def _without_secrets(self, reply: Reply) -> Reply:
        """Mask what a server or a proxy may echo, because replies are kept."""
        body, cause = reply.body, reply.cause
        for secret in self._secrets:
            body, cause = body.replace(secret.encode(), b"***"), cause.replace(secret, "***")
        return reply._replace(body=body, cause=cause)


async def _read(response: aiohttp.ClientResponse) -> Reply:
    headers = response.headers
    chunks, size = [], 0
    async for chunk in response.content.iter_any():
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_REPLY_BYTES:
            response.close()
            break
    return Reply(
        status=response.status,
        body=b"".join(chunks)[:MAX_REPLY_BYTES],
        content_type=response.content_type,
        retry_after=headers.get("Retry-After"),
        rate_reset=headers.get("x-ratelimit-reset"),
    )


def _failure(error: BaseException, left: bool, timeout: float) -> Reply:
    """Tell what a missing reply means: certain (nothing was sent) or in doubt."""
    cause = _cause(error)
    if not left or _never_written(error):
        return Reply(failure=Failure.NOT_SENT, cause=cause)
    if isinstance(error, TimeoutError):
        return Reply(failure=Failure.TIMEOUT, cause=f"no whole reply within {timeout:g} s")
    if isinstance(error, aiohttp.ClientPayloadError):
        return Reply(failure=Failure.TRUNCATED, cause=cause)
    return Reply(failure=Failure.RESET, cause=cause)


def _cause(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        return " ".join(f"cannot connect to {error.host}:{error.port}: {_why(error.os_error)}".split())
    if isinstance(error, aiohttp.ClientResponseError):
        return " ".join(f"HTTP {error.status} {error.message}".split())
    return " ".join(str(error).split()) or type(error).__name__


def _why(error: OSError) -> str:
    """Return the reason alone: asyncio's text is a call and its arguments, OpenSSL's a line of its source."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError) and error.reason:
        return f"TLS failed: {error.reason.replace('_', ' ').lower()}"
    # The numbers of a resolver and of OpenSSL are none of the system's.
    if error.errno and not isinstance(error, socket.gaierror | ssl.SSLError):
        return os.strerror(error.errno)
    return error.strerror or str(error)


def _never_written(error: BaseException | None) -> bool:
    """Tell whether aiohttp found the connection closed before it wrote (a body of ours goes out in one write)."""
    while error is not None:
        if isinstance(error, _GoneError):
            return True
        if isinstance(error, aiohttp.ClientConnectionResetError) and "closing transport" in str(error):
            return True
        error = error.__cause__
    return False


def _proxy(url: URL) -> tuple[str | None, dict[str, str] | None, tuple[str, ...]]:
    """Return the proxy that the environment (`https_proxy`, `no_proxy`, …) names for a URL, if any.

    Returns:
        Its URL without credentials, the header with them, and what of it is secret.
    """
    named = None if is_loopback(url) or proxy_bypass(url.host or "") else getproxies().get(url.scheme)
    if not named:
        return None, None, ()
    try:
        proxy = URL(named)
    except ValueError:
        return named, None, ()
    if proxy.user is None and proxy.password is None:
        return named, None, ()
    token = b64encode(f"{proxy.user or ''}:{proxy.password or ''}".encode()).decode()
    secrets = tuple(filter(None, (token, proxy.password, proxy.raw_password)))
    return str(proxy.with_user(None)), {"Proxy-Authorization": f"Basic {token}"}, secrets


def tls_context(ca_file: Path | None) -> ssl.SSLContext | bool:
    """Return what to trust: the certificates of a PEM file, or (`True`) the system's.

    Raises:
        UsageError: the file cannot be read, or holds no certificates.
    """
    if ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError:
        raise UsageError(f"{ca_file}: not a file of PEM certificates") from None
    except OSError as error:
        raise UsageError(f"cannot read {ca_file}: {error.strerror}") from None

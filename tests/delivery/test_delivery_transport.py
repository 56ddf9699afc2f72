"""One attempt: whatever the network does, it ends in a reply, and certain failures are told from doubtful ones."""

import asyncio
import base64
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yarl import URL

from replay_cli.delivery import transport as module
from replay_cli.delivery.loopback import is_loopback
from replay_cli.delivery.transport import MAX_REPLY_BYTES, Transport
from replay_cli.errors import FatalError, UsageError
from replay_cli.model import Request
from replay_cli.moengage.replies import Failure, Reply
from tests.delivery.server import OK, Server, Talk, answering, serving

BOUND_SECONDS = 20.0
SHORT = 0.05  # a time-out that is meant to be reached
REQUEST = Request((0,), 0, "POST", "/v1/integrations/segment?appId=w%2F1", b'{"n":1}', ("ua",), (b"",))


async def at_once() -> None:
    """A gate that is open."""


async def attempt(
    url: str,
    gate: Callable[[], Awaitable[None]] = at_once,
    *,
    request: Request = REQUEST,
    **options: Any,
) -> Reply:
    async with asyncio.timeout(BOUND_SECONDS), Transport(url, "w/1", "secret", **options) as transport:
        return await transport.attempt(request, gate)


async def attempt_at(talk: Callable[[Server], Talk], **options: Any) -> tuple[Reply, Server]:
    async with serving(talk) as server:
        return await attempt(server.url, **options), server


def doing(then: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> Callable[[Server], Talk]:
    """Read one request, then do something to the connection."""

    def make(server: Server) -> Talk:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.read_request(reader)
            await then(writer)

        return talk

    return make


async def never(_: object = None) -> None:
    await asyncio.Event().wait()


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with an RST."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        assert isinstance(port, int)
        return port


# -- what a whole reply carries -------------------------------------------------------------------------------


def test_an_answer_comes_back_whole() -> None:
    reply = (
        b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json; charset=utf-8\r\nRetry-After: 7\r\n"
        b"x-ratelimit-reset: 1700000000\r\nContent-Length: 2\r\n\r\n{}"
    )
    got, _ = asyncio.run(attempt_at(answering(reply)))
    assert got == Reply(429, b"{}", "application/json", "7", "1700000000")


def test_the_request_goes_out_as_prepared_with_credentials() -> None:
    got, server = asyncio.run(attempt_at(answering(OK)))
    assert got.status == 200
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /v1/integrations/segment?appId=w%2F1 HTTP/1.1"
    assert f"Authorization: Basic {base64.b64encode(b'w/1:secret').decode()}" in lines
    assert "Content-Type: application/json" in lines
    assert body == REQUEST.body


def test_credentials_beyond_latin_1_go_out_as_utf_8() -> None:
    async def scenario() -> bytes:
        async with serving(answering(OK)) as server, Transport(server.url, "wörk", "clé€") as transport:
            await transport.attempt(REQUEST, at_once)
            return server.requests[0]

    assert base64.b64encode("wörk:clé€".encode()) in asyncio.run(scenario())


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_a_reply_and_is_not_followed(status: int) -> None:
    async def scenario() -> tuple[Reply, int]:
        async with serving(answering(OK)) as elsewhere:
            redirect = f"HTTP/1.1 {status} Moved\r\nLocation: {elsewhere.url}/\r\nContent-Length: 0\r\n\r\n"
            got, _ = await attempt_at(answering(redirect.encode()))
            return got, elsewhere.connections

    got, followed = asyncio.run(scenario())
    assert (got.status, followed) == (status, 0)


def test_a_huge_reply_is_read_to_its_bound_only() -> None:
    async def flood(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    got, _ = asyncio.run(attempt_at(doing(flood)))
    assert (got.status, len(got.body)) == (200, MAX_REPLY_BYTES)


def test_a_compressed_reply_is_not_inflated() -> None:
    """A bomb of a reply cannot fill the memory."""
    reply = b"HTTP/1.1 400 Bad\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"
    got, _ = asyncio.run(attempt_at(answering(reply)))
    assert (got.status, got.body) == (400, b"nope")


# -- certain: nothing was sent --------------------------------------------------------------------------------


def test_a_refused_connection_is_certain() -> None:
    got = asyncio.run(attempt(f"http://127.0.0.1:{free_port()}"))
    assert got.failure is Failure.NOT_SENT
    assert got.cause


def test_an_unknown_host_is_certain() -> None:
    got = asyncio.run(attempt("http://nowhere.invalid"))
    assert got.failure is Failure.NOT_SENT


def test_a_failed_handshake_is_certain() -> None:
    """TLS spoken to a server that answers in plain HTTP."""

    def make(_: Server) -> Talk:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            writer.write(OK)
            await writer.drain()

        return talk

    async def scenario() -> Reply:
        async with serving(make) as server:
            return await attempt(server.url.replace("http:", "https:"))

    assert asyncio.run(scenario()).failure is Failure.NOT_SENT


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_connection_closed_while_it_waits_at_the_gate_is_certain(how: str) -> None:
    def make(_: Server) -> Talk:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if how == "reset":
                reset(writer)
            else:
                writer.close()

        return talk

    async def scenario() -> tuple[Reply, list[bytes]]:
        async with serving(make) as server, Transport(server.url, "w", "k") as transport:

            async def gate() -> None:
                await until(lambda: not in_hand(transport).is_connected())

            return await transport.attempt(REQUEST, gate), server.requests

    got, requests = asyncio.run(scenario())
    assert got.failure is Failure.NOT_SENT
    assert requests == []


def test_a_reply_that_came_before_the_request_is_not_taken_for_its_own() -> None:
    """A record would be called delivered that the server never saw; on a connection of its own it is sent."""

    def make(_: Server) -> Talk:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(OK)
            await writer.drain()
            await reader.read()

        return talk

    async def scenario() -> tuple[Reply, list[bytes]]:
        async with serving(make) as server, Transport(server.url, "w", "k") as transport:

            async def gate() -> None:
                await until(lambda: in_hand(transport).should_close)

            return await transport.attempt(REQUEST, gate), server.requests

    got, requests = asyncio.run(scenario())
    assert got.failure is Failure.NOT_SENT
    assert requests == []


def test_a_second_reply_is_not_taken_for_the_next_requests() -> None:
    async def scenario() -> tuple[list[Reply], Server]:
        async with serving(answering(OK + OK)) as server, Transport(server.url, "w", "k", concurrency=1) as transport:
            replies = [await transport.attempt(REQUEST, at_once) for _ in range(4)]
            return replies, server

    replies, server = asyncio.run(scenario())
    assert sum(reply.status == 200 for reply in replies) <= len(server.requests)


def in_hand(transport: Transport) -> Any:
    """The protocol of the one connection in use."""
    assert transport._session is not None
    connector = transport._session.connector
    assert connector is not None
    (protocol,) = connector._acquired
    return protocol


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until something holds."""
    async with asyncio.timeout(BOUND_SECONDS):
        while not condition():  # noqa: ASYNC110 # nothing tells us
            await asyncio.sleep(0)


# -- in doubt -------------------------------------------------------------------------------------------------


def test_a_reset_after_the_request_leaves_doubt() -> None:
    async def then(writer: asyncio.StreamWriter) -> None:
        reset(writer)

    got, server = asyncio.run(attempt_at(doing(then)))
    assert got.failure is Failure.RESET
    assert len(server.requests) == 1


def test_a_close_without_an_answer_leaves_doubt() -> None:
    async def then(writer: asyncio.StreamWriter) -> None:
        writer.close()

    got, server = asyncio.run(attempt_at(doing(then)))
    assert got.failure is Failure.RESET
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "cut",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
    ],
    ids=["length", "chunked"],
)
def test_a_cut_reply_leaves_doubt(cut: bytes) -> None:
    got, _ = asyncio.run(attempt_at(answering(cut, close=True)))
    assert got.failure is Failure.TRUNCATED


def test_a_reply_cut_in_its_head_leaves_doubt() -> None:
    got, _ = asyncio.run(attempt_at(answering(b"HTTP/1.1 200 OK\r\nConte", close=True)))
    assert got.failure in (Failure.RESET, Failure.TRUNCATED)


def test_no_reply_in_time_leaves_doubt() -> None:
    got, server = asyncio.run(attempt_at(doing(never), timeout=SHORT))
    assert got.failure is Failure.TIMEOUT
    assert "0.05 s" in got.cause
    assert len(server.requests) == 1


def test_a_byte_now_and_then_does_not_stretch_the_time_out() -> None:
    async def trickle(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(SHORT / 10)

    got, _ = asyncio.run(attempt_at(doing(trickle), timeout=SHORT))
    assert got.failure is Failure.TIMEOUT


def test_a_cancelled_attempt_is_cancelled() -> None:
    """A time-out of the caller's is not taken for the network's."""

    async def scenario() -> None:
        async with serving(doing(never)) as server, Transport(server.url, "w", "k") as transport:
            task = asyncio.create_task(transport.attempt(REQUEST, at_once))
            await until(lambda: bool(server.requests))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(scenario())


def test_whatever_a_server_answers_ends_in_a_reply() -> None:
    async def scenario(answers: list[bytes]) -> list[Reply]:
        replies = []
        for answer in answers:
            reply, _ = await attempt_at(answering(answer, close=True), timeout=1.0)
            replies.append(reply)
        return replies

    pieces = st.sampled_from(
        [
            *[
                b"HTTP/1.1 200 OK\r\n",
                b"HTTP/1.1 101 Switching\r\n",
                b"HTTP/1.1 100 Continue\r\n\r\n",
                b"HTTP/9.9 99\r\n",
            ],
            *[b"Content-Length: -1\r\n", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"\r\n"],
            *[b"Content-Encoding: br\r\n", b"Content-Type: ;;=\xff\r\n", b"Upgrade: x\r\nConnection: upgrade\r\n"],
            *[b"Set-Cookie: \xff=;;\r\n", b": \r\n", b"A" * 9000, b"Location: http://[\r\n", b"\x00\xff", b"zz\r\n"],
            b"3\r\nabc\r\n0\r\n\r\n",
        ]
    )

    @settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(st.lists(pieces | st.binary(max_size=20), max_size=6).map(b"".join), min_size=3, max_size=3))
    def check(answers: list[bytes]) -> None:
        for reply in asyncio.run(scenario(answers)):
            assert reply.failure in (None, Failure.RESET, Failure.TRUNCATED, Failure.TIMEOUT)

    check()


# -- the gate -------------------------------------------------------------------------------------------------


def test_the_gate_is_passed_with_a_connection_in_hand_and_before_the_first_byte() -> None:
    async def scenario() -> tuple[Reply, list[bytes]]:
        async with serving(answering(OK)) as server, Transport(server.url, "w", "k") as transport:
            seen: list[bytes] = []

            async def gate() -> None:
                async with asyncio.timeout(BOUND_SECONDS):
                    await server.accepted.wait()
                seen.extend(server.requests)

            return await transport.attempt(REQUEST, gate), seen

    got, before = asyncio.run(scenario())
    assert (got.status, before) == (200, [])


def test_waiting_at_the_gate_uses_up_no_time_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the reply's nor the connection's: a pause may last for hours."""
    monkeypatch.setattr(module, "CONNECT_TIMEOUT", SHORT)

    async def gate() -> None:
        opened = asyncio.Event()
        asyncio.get_running_loop().call_later(3 * SHORT, opened.set)
        await opened.wait()

    got, _ = asyncio.run(attempt_at(answering(OK), gate=gate, timeout=2 * SHORT))
    assert got.status == 200


@pytest.mark.parametrize("error", [FatalError("the disk is full"), asyncio.CancelledError()])
def test_what_the_gate_raises_passes_and_the_connection_stays_good(error: BaseException) -> None:
    async def refuse() -> None:
        raise error

    async def scenario() -> tuple[Reply, Server]:
        async with serving(answering(OK)) as server, Transport(server.url, "w", "k") as transport:
            with pytest.raises(type(error)):
                await transport.attempt(REQUEST, refuse)
            return await transport.attempt(REQUEST, at_once), server

    got, server = asyncio.run(scenario())
    assert (got.status, server.connections, len(server.requests)) == (200, 1, 1)


def test_a_gate_that_always_refuses_uses_up_no_connections() -> None:
    async def refuse() -> None:
        raise FatalError("no")

    async def scenario() -> Reply:
        async with serving(answering(OK)) as server, Transport(server.url, "w", "k", concurrency=2) as transport:
            for _ in range(10):
                with pytest.raises(FatalError):
                    await transport.attempt(REQUEST, refuse)
            return await transport.attempt(REQUEST, at_once)

    assert asyncio.run(scenario()).status == 200


# -- connections ----------------------------------------------------------------------------------------------


def test_connections_are_kept_alive() -> None:
    async def scenario() -> Server:
        async with serving(answering(OK)) as server, Transport(server.url, "w", "k") as transport:
            for _ in range(5):
                await transport.attempt(REQUEST, at_once)
            return server

    server = asyncio.run(scenario())
    assert (server.connections, len(server.requests)) == (1, 5)


def test_a_request_on_a_connection_that_goes_stale_is_not_sent_again_behind_our_back() -> None:
    """The server reads the second request and hangs up: it may have it, so it is in doubt and went out once."""

    def make(server: Server) -> Talk:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.read_request(reader)
            writer.write(OK)
            await server.read_request(reader)

        return talk

    async def scenario() -> tuple[Reply, Server, int]:
        gates = 0

        async def gate() -> None:
            nonlocal gates
            gates += 1

        async with serving(make) as server, Transport(server.url, "w", "k") as transport:
            await transport.attempt(REQUEST, gate)
            second = await transport.attempt(REQUEST, gate)
            return second, server, gates

    second, server, gates = asyncio.run(scenario())
    assert second.failure is Failure.RESET
    assert (len(server.requests), server.connections, gates) == (2, 1, 2)


def test_at_most_so_many_connections_are_open_at_once() -> None:
    async def scenario() -> int:
        async with serving(answering(OK)) as server, Transport(server.url, "w", "k", concurrency=3) as transport:
            await asyncio.gather(*(transport.attempt(REQUEST, at_once) for _ in range(20)))
            return server.connections

    assert asyncio.run(scenario()) <= 3


# -- what the operator's machine says -------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.9.9.9", "[::1]"])
def test_loopback_is_told_from_elsewhere(host: str) -> None:
    assert is_loopback(URL(f"http://{host}:80/"))
    assert not is_loopback(URL("https://api-01.moengage.com"))
    assert not is_loopback(URL("https://localhost.example"))


def test_proxies_are_not_used_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    got, _ = asyncio.run(attempt_at(answering(OK)))
    assert got.status == 200


def test_proxies_of_the_environment_are_used_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> tuple[Reply, Server]:
        async with serving(answering(OK)) as proxy:
            monkeypatch.setenv("http_proxy", proxy.url)
            return await attempt("http://moengage.invalid"), proxy

    got, proxy = asyncio.run(scenario())
    assert got.status == 200
    assert proxy.requests[0].startswith(b"POST http://moengage.invalid/v1/")


def test_a_host_in_no_proxy_is_asked_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> tuple[Reply, Server]:
        async with serving(answering(OK)) as proxy:
            monkeypatch.setenv("http_proxy", proxy.url)
            monkeypatch.setenv("no_proxy", "moengage.invalid")
            return await attempt("http://moengage.invalid"), proxy

    got, proxy = asyncio.run(scenario())
    assert (got.failure, proxy.connections) == (Failure.NOT_SENT, 0)


def test_a_proxy_never_sees_the_credentials_of_an_encrypted_request(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"

    async def scenario() -> tuple[Reply, Server]:
        async with serving(answering(refusal)) as proxy:
            monkeypatch.setenv("https_proxy", proxy.url.replace("//", "//user:word@"))
            return await attempt("https://moengage.invalid"), proxy

    got, proxy = asyncio.run(scenario())
    assert got.failure is Failure.NOT_SENT
    (request,) = proxy.requests
    assert request.startswith(b"CONNECT moengage.invalid:443")
    assert b"\r\nProxy-Authorization: Basic " + base64.b64encode(b"user:word") in request
    assert b"\r\nAuthorization" not in request


def test_credentials_in_a_netrc_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))

    async def scenario() -> tuple[Reply, Server]:
        async with serving(answering(OK)) as proxy:
            monkeypatch.setenv("http_proxy", proxy.url)
            return await attempt("http://moengage.invalid"), proxy

    got, proxy = asyncio.run(scenario())
    assert got.status == 200
    assert base64.b64encode(b"w/1:secret") in proxy.requests[0]


def test_a_file_without_certificates_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("nothing")
    with pytest.raises(UsageError, match=r"ca\.pem"):
        Transport("https://moengage.invalid", "w", "k", ca_file=path)


def test_the_proxys_password_is_in_no_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replies are kept in dead letters and printed; what a proxy refuses or echoes must not be a secret."""
    refusal = b"HTTP/1.1 407 WORD-SECRET\r\nContent-Length: 11\r\n\r\nWORD-SECRET"

    async def scenario() -> tuple[Reply, Server]:
        async with serving(answering(refusal)) as proxy:
            monkeypatch.setenv("https_proxy", proxy.url.replace("//", "//user:WORD-SECRET@"))
            return await attempt("https://moengage.invalid"), proxy

    got, proxy = asyncio.run(scenario())
    assert "WORD-SECRET" not in repr(got)
    assert base64.b64encode(b"user:WORD-SECRET") in proxy.requests[0]


def test_an_echo_of_the_request_does_not_show_the_key() -> None:
    token = base64.b64encode(b"w/1:secret")
    echo = b"HTTP/1.1 400 Bad\r\nContent-Length: %d\r\n\r\nBasic %b" % (len(token) + 6, token)
    got, server = asyncio.run(attempt_at(answering(echo)))
    assert token in server.requests[0]
    assert got.body == b"Basic ***"

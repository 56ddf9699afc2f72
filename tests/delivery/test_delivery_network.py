"""What the network does to an attempt, and what is known of the request then: nothing was sent, or there is doubt."""

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
import uvloop

from replay_cli.delivery import transport as module
from replay_cli.delivery.transport import Transport
from replay_cli.model import Request
from replay_cli.moengage.replies import Failure, Reply, Verdict, classify
from tests.delivery.server import OK, Server, answering, serving
from tests.support.tcp_proxy import Fault, Harm, TcpProxy

T = TypeVar("T")
Run = Callable[[Coroutine[Any, Any, T]], T]

BOUND_SECONDS = 20.0
SHORT = 0.1  # a time-out that is meant to be reached
REQUEST = Request((0,), 0, "POST", "/v1/integrations/segment?appId=w", b'{"n":1}', ("ua",), (b"",))
CERTIFICATES = Path(__file__).parent / "certificates"


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Run a coroutine on a loop that the product may run on."""

    def run(main: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(asyncio.wait_for(main, BOUND_SECONDS))

    return run


class Gate:
    """A gate that is open, and counts who passed."""

    def __init__(self) -> None:
        self.passed = 0

    async def __call__(self) -> None:
        self.passed += 1


async def until(condition: Callable[[], bool], pause: float = 0.001) -> None:
    while not condition():  # noqa: ASYNC110 # nothing tells us
        await asyncio.sleep(pause)


def proxy_to(server: Server, **options: Any) -> TcpProxy:
    return TcpProxy("127.0.0.1", int(server.url.rpartition(":")[2]), **options)


def pooled(transport: Transport) -> list[Any]:
    """The idle connections."""
    assert transport._session is not None
    connector = transport._session.connector
    assert connector is not None
    return [protocol for connections in connector._conns.values() for protocol, _ in connections]


def in_hand(transport: Transport) -> list[Any]:
    """The connections in use that are open."""
    assert transport._session is not None
    connector = transport._session.connector
    assert connector is not None
    return [protocol for protocol in connector._acquired if getattr(protocol, "transport", None)]


def verdict(reply: Reply) -> Verdict:
    return classify(reply, 0.0).verdict


def is_certain(reply: Reply) -> bool:
    return reply.failure is Failure.NOT_SENT and verdict(reply) is Verdict.RETRY and bool(reply.cause)


# -- in doubt -------------------------------------------------------------------------------------------------

SENT, UNSENT = 1, 0  # whole requests that the server has read


@pytest.mark.parametrize(
    ("fault", "failures", "arrived"),
    [
        (Fault(Harm.RESET_BEFORE), {Failure.RESET}, UNSENT),
        (Fault(Harm.RESET_DURING, after=1), {Failure.RESET}, UNSENT),
        (Fault(Harm.RESET_DURING, after=-1), {Failure.RESET}, UNSENT),
        (Fault(Harm.RESET_AFTER), {Failure.RESET}, SENT),
        # Whether the bytes before an RST are still read is the kernel's affair.
        (Fault(Harm.RESET_REPLY, after=9), {Failure.RESET}, SENT),
        (Fault(Harm.RESET_REPLY), {Failure.RESET, Failure.TRUNCATED}, SENT),
        (Fault(Harm.TRUNCATE, after=0), {Failure.RESET}, SENT),
        (Fault(Harm.TRUNCATE, after=-20), {Failure.TRUNCATED}, SENT),
        (Fault(Harm.TRUNCATE), {Failure.TRUNCATED}, SENT),
        (Fault(Harm.SWALLOW), {Failure.TIMEOUT}, UNSENT),
        (Fault(Harm.MUTE), {Failure.TIMEOUT}, SENT),
        (Fault(Harm.DRIP, pace=SHORT / 4), {Failure.TIMEOUT}, SENT),
    ],
    ids=lambda value: f"{value.harm} {value.after}" if isinstance(value, Fault) else "",
)
@pytest.mark.parametrize("kept_alive", [False, True], ids=["new", "kept-alive"])
def test_once_bytes_went_out_a_missing_reply_leaves_doubt(
    run: Run[None], fault: Fault, failures: set[Failure], arrived: int, kept_alive: bool
) -> None:
    """And the connection is not used again: the next request goes over another, and gets its own reply."""

    async def scenario() -> None:
        async with serving(answering(OK)) as server:
            with proxy_to(server) as proxy:
                timeout = SHORT if failures == {Failure.TIMEOUT} else BOUND_SECONDS
                async with Transport(proxy.url, "w", "k", timeout=timeout) as transport:
                    if kept_alive:
                        transport._timeout = BOUND_SECONDS
                        assert (await transport.attempt(REQUEST, Gate())).status == 200
                        transport._timeout = timeout
                    before, gate = whole(server), Gate()
                    proxy.fault = fault
                    reply = await transport.attempt(REQUEST, gate)
                    assert reply.failure in failures
                    assert verdict(reply) is Verdict.IN_DOUBT
                    assert gate.passed == 1
                    await until(lambda: proxy.struck == 1 and whole(server) - before == arrived)
                    assert proxy.connections == 1

                    proxy.fault = None
                    transport._timeout = BOUND_SECONDS
                    assert (await transport.attempt(REQUEST, gate)).status == 200
                    assert proxy.connections == 2

    run(scenario())


def whole(server: Server) -> int:
    """How many requests the server has read to their end."""
    return sum(request.endswith(REQUEST.body) for request in server.requests)


def test_when_the_network_is_cut_every_attempt_under_way_is_in_doubt_and_the_next_are_not(run: Run[None]) -> None:
    async def scenario() -> None:
        async with serving(answering(OK)) as server:
            with proxy_to(server) as proxy:
                async with Transport(proxy.url, "w", "k", timeout=BOUND_SECONDS) as transport:
                    proxy.fault = Fault(Harm.MUTE)
                    attempts = [asyncio.create_task(transport.attempt(REQUEST, Gate())) for _ in range(50)]
                    await until(lambda: whole(server) == 50)
                    assert proxy.cut() == 50
                    assert {reply.failure for reply in await asyncio.gather(*attempts)} == {Failure.RESET}

                    proxy.fault = None
                    again = await asyncio.gather(*(transport.attempt(REQUEST, Gate()) for _ in range(50)))
                    assert {reply.status for reply in again} == {200}

    run(scenario())


def test_a_network_that_stalls_and_comes_back_in_time_leaves_no_doubt(run: Run[None]) -> None:
    async def scenario() -> None:
        async with serving(answering(OK)) as server:
            with proxy_to(server) as proxy:
                async with Transport(proxy.url, "w", "k", timeout=BOUND_SECONDS) as transport:
                    proxy.stall()
                    attempts = [asyncio.create_task(transport.attempt(REQUEST, Gate())) for _ in range(10)]
                    await until(lambda: proxy.requests == 10)
                    assert whole(server) == 0
                    proxy.flow()
                    assert {reply.status for reply in await asyncio.gather(*attempts)} == {200}

    run(scenario())


@pytest.mark.parametrize(
    ("fault", "struck"),
    [(Fault(Harm.RESET_AFTER, every=3), 30), (Fault(Harm.RESET_AFTER, share=0.5, times=7), 7)],
    ids=["every-third", "some"],
)
def test_as_many_attempts_are_in_doubt_as_were_struck(run: Run[None], fault: Fault, struck: int) -> None:
    """The server has them all: what it answered is lost."""

    async def scenario() -> None:
        async with serving(answering(OK)) as server:
            with proxy_to(server) as proxy:
                proxy.fault = fault
                async with Transport(proxy.url, "w", "k", concurrency=8, timeout=BOUND_SECONDS) as transport:
                    replies = await asyncio.gather(*(transport.attempt(REQUEST, Gate()) for _ in range(90)))
                assert sum(reply.failure is Failure.RESET for reply in replies) == proxy.struck == struck
                assert sum(reply.status == 200 for reply in replies) == 90 - struck
                assert whole(server) == proxy.requests == 90

    run(scenario())


# -- certain: nothing was sent --------------------------------------------------------------------------------


def test_a_refused_connection_is_certain_and_the_next_is_tried_anew(run: Run[None]) -> None:
    async def scenario() -> None:
        async with serving(answering(OK)) as server:
            with proxy_to(server) as proxy:
                async with Transport(proxy.url, "w", "k", timeout=BOUND_SECONDS) as transport:
                    gate = Gate()
                    proxy.refuse()
                    refused = await transport.attempt(REQUEST, gate)
                    assert is_certain(refused)
                    assert (gate.passed, proxy.connections) == (0, 0)
                    proxy.listen()
                    assert (await transport.attempt(REQUEST, gate)).status == 200

    run(scenario())


def test_a_connection_that_is_reset_before_its_first_byte_is_certain(run: Run[None]) -> None:
    async def scenario() -> None:
        async with serving(answering(OK)) as server:
            with proxy_to(server) as proxy:
                proxy.fault = Fault(Harm.RESET_ON_ACCEPT)
                async with Transport(proxy.url, "w", "k", timeout=BOUND_SECONDS) as transport:

                    async def gate() -> None:
                        await until(lambda: not in_hand(transport), pause=0)

                    assert is_certain(await transport.attempt(REQUEST, gate))
                assert server.requests == []

    run(scenario())


@asynccontextmanager
async def serving_tls(certificate: str) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Serve on loopback with a certificate of the tests'; the URL, and what came through the handshake."""
    came: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(65536):
                came.append(chunk)
                writer.write(OK)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / certificate)
    listener = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)
    try:
        yield f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}", came
    finally:
        listener.close()


@pytest.mark.parametrize(
    ("certificate", "authority"),
    [
        ("server.pem", None),
        ("server.pem", "stranger.pem"),
        ("elsewhere.pem", "authority.pem"),
        ("expired.pem", "authority.pem"),
    ],
    ids=["not-of-the-system", "not-of-the-ca-file", "of-another-host", "expired"],
)
def test_a_certificate_that_cannot_be_trusted_is_certain(
    run: Run[None], certificate: str, authority: str | None
) -> None:
    async def scenario() -> None:
        async with serving_tls(certificate) as (url, came):
            ca_file = CERTIFICATES / authority if authority else None
            async with Transport(url, "w", "k", ca_file=ca_file) as transport:
                gate = Gate()
                reply = await transport.attempt(REQUEST, gate)
            assert is_certain(reply)
            assert "its certificate is not trusted: " in reply.cause
            assert (gate.passed, came) == (0, [])

    run(scenario())


def test_the_ca_file_is_trusted(run: Run[None]) -> None:
    async def scenario() -> None:
        async with (
            serving_tls("server.pem") as (url, came),
            Transport(url, "w", "k", ca_file=CERTIFICATES / "authority.pem") as transport,
        ):
            assert (await transport.attempt(REQUEST, Gate())).status == 200
            assert b"".join(came).endswith(REQUEST.body)

    run(scenario())


def test_a_handshake_that_never_ends_is_certain(run: Run[None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONNECT_TIMEOUT", SHORT)

    async def silent(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async def scenario() -> None:
        async with (
            serving(lambda _: silent) as server,
            Transport(server.url.replace("http:", "https:"), "w", "k") as transport,
        ):
            gate = Gate()
            assert is_certain(await transport.attempt(REQUEST, gate))
            assert gate.passed == 0

    run(scenario())


# -- connections that are kept alive --------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["close", "reset"])
def test_an_idle_connection_that_the_server_closed_is_not_used(run: Run[None], how: str) -> None:
    """The next request goes over a new one, at the first try and without doubt."""

    async def scenario() -> None:
        async with serving(answering(OK, close=how == "close")) as server:
            with proxy_to(server) as proxy:
                async with Transport(proxy.url, "w", "k", timeout=BOUND_SECONDS) as transport:
                    for turn in (1, 2, 3):
                        assert (await transport.attempt(REQUEST, Gate())).status == 200
                        if how == "reset":
                            proxy.cut()
                        await until(lambda: not any(protocol.is_connected() for protocol in pooled(transport)))
                        assert (proxy.connections, whole(server)) == (turn, turn)

    run(scenario())


def test_a_server_that_announces_the_close_is_asked_over_a_new_connection(run: Run[None]) -> None:
    """It may close whenever it likes: there is no race."""
    last = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")

    async def scenario() -> None:
        async with serving(answering(last)) as server, Transport(server.url, "w", "k") as transport:
            for _ in range(3):
                assert (await transport.attempt(REQUEST, Gate())).status == 200
            assert (server.connections, len(server.requests)) == (3, 3)

    run(scenario())


def test_a_connection_that_was_idle_for_long_is_not_used(run: Run[None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEEP_ALIVE", SHORT)

    async def scenario() -> None:
        async with serving(answering(OK)) as server, Transport(server.url, "w", "k") as transport:
            assert (await transport.attempt(REQUEST, Gate())).status == 200
            await until(lambda: not pooled(transport))
            assert (await transport.attempt(REQUEST, Gate())).status == 200
            assert server.connections == 2

    run(scenario())


def test_a_connection_that_is_closed_while_it_waits_at_the_gate_is_replaced(run: Run[None]) -> None:
    """At a slow rate, and in a pause, the gate takes longer than a server waits: else no attempt would ever leave."""

    async def scenario() -> None:
        async with serving(answering(OK)) as server:
            with proxy_to(server) as proxy:
                async with Transport(proxy.url, "w", "k", concurrency=5, timeout=BOUND_SECONDS) as transport:
                    passed, opened = Gate(), asyncio.Event()

                    async def gate() -> None:
                        await opened.wait()
                        await passed()

                    async def have_made(connections: int) -> None:
                        await until(lambda: proxy.connections == connections and len(in_hand(transport)) == 5)

                    attempts = [asyncio.create_task(transport.attempt(REQUEST, gate)) for _ in range(5)]
                    await have_made(5)
                    for connections in (10, 15):
                        proxy.cut()
                        await have_made(connections)
                    opened.set()
                    assert {reply.status for reply in await asyncio.gather(*attempts)} == {200}
                    assert (passed.passed, whole(server)) == (5, 5)

    run(scenario())


@pytest.mark.parametrize("back", [False, True], ids=["away", "back"])
def test_a_server_that_goes_away_while_attempts_wait_at_the_gate_is_certain_and_may_come_back(
    run: Run[None], monkeypatch: pytest.MonkeyPatch, back: bool
) -> None:
    monkeypatch.setattr(module, "_RECONNECT_AFTER", SHORT)

    async def scenario() -> None:
        async with serving(answering(OK)) as server:
            with proxy_to(server) as proxy:
                async with Transport(proxy.url, "w", "k", concurrency=1, timeout=BOUND_SECONDS) as transport:

                    async def gate() -> None:
                        await until(lambda: proxy.connections == 1)
                        proxy.refuse()
                        proxy.cut()
                        await until(lambda: not in_hand(transport))
                        await asyncio.sleep(3 * SHORT)
                        if back:
                            proxy.listen()
                            await until(lambda: proxy.connections == 2 and bool(in_hand(transport)))

                    reply = await transport.attempt(REQUEST, gate)
                    assert reply.status == 200 if back else is_certain(reply)
                    if not back:
                        proxy.listen()
                    assert (await transport.attempt(REQUEST, Gate())).status == 200

    run(scenario())


def test_an_attempt_that_is_withdrawn_at_the_gate_gives_its_connection_back_though_it_was_replaced(
    run: Run[None],
) -> None:
    class WithdrawnError(Exception):
        pass

    async def scenario() -> None:
        async with serving(answering(OK)) as server:
            with proxy_to(server) as proxy:
                async with Transport(proxy.url, "w", "k", concurrency=1, timeout=BOUND_SECONDS) as transport:

                    async def gate() -> None:
                        await until(lambda: proxy.cut() > 0)
                        await until(lambda: proxy.connections == 2 and bool(in_hand(transport)))
                        raise WithdrawnError

                    with pytest.raises(WithdrawnError):
                        await transport.attempt(REQUEST, gate)
                    assert (await transport.attempt(REQUEST, Gate())).status == 200
                    assert (proxy.connections, whole(server)) == (2, 1)

    run(scenario())


# -- addresses and names --------------------------------------------------------------------------------------


def test_ipv6_works(run: Run[None]) -> None:
    async def scenario() -> None:
        async with serving(answering(OK)) as server:
            with proxy_to(server, host="::1") as proxy:
                assert proxy.url.startswith("http://[::1]:")
                async with Transport(proxy.url, "w", "k", timeout=BOUND_SECONDS) as transport:
                    assert (await transport.attempt(REQUEST, Gate())).status == 200
                    assert f"\r\nHost: [::1]:{proxy.port}\r\n".encode() in server.requests[0]
                    proxy.refuse()
                    proxy.cut()
                    await until(lambda: not any(protocol.is_connected() for protocol in pooled(transport)))
                    assert is_certain(await transport.attempt(REQUEST, Gate()))

    run(scenario())


class Names:
    """A resolver that knows `localhost` by the addresses it is told, and waits while it is stalled."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
        self.lookups = 0
        self.answering = threading.Event()
        self.answering.set()
        self._addresses = addresses
        self._real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self._look_up)

    def _look_up(self, host: Any, port: Any, *more: Any, **named: Any) -> list[Any]:
        if host != "localhost":
            return self._real(host, port, *more, **named)
        self.lookups += 1
        self.answering.wait(BOUND_SECONDS)
        return [entry for address in self._addresses for entry in self._real(address, port, type=socket.SOCK_STREAM)]


def named(server: Server) -> str:
    return server.url.replace("127.0.0.1", "localhost")


def test_localhost_is_found_though_its_first_address_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    Names(monkeypatch, "::1", "127.0.0.1")

    async def scenario() -> None:
        async with serving(answering(OK)) as server, Transport(named(server), "w", "k") as transport:
            gate = Gate()
            assert (await transport.attempt(REQUEST, gate)).status == 200
            assert (gate.passed, whole(server)) == (1, 1)

    asyncio.run(asyncio.wait_for(scenario(), BOUND_SECONDS))


def test_a_slow_lookup_takes_nothing_from_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else attempts would bunch behind it, and leave at once when it ends."""
    names = Names(monkeypatch, "127.0.0.1")
    names.answering.clear()

    async def scenario() -> None:
        async with serving(answering(OK)) as server, Transport(named(server), "w", "k") as transport:
            at_gate: list[int] = []

            async def gate() -> None:
                at_gate.append(server.connections)

            attempts = [asyncio.create_task(transport.attempt(REQUEST, gate)) for _ in range(20)]
            await until(lambda: names.lookups == 1)
            await asyncio.sleep(SHORT)
            assert (at_gate, server.connections, names.lookups) == ([], 0, 1)
            names.answering.set()
            assert {reply.status for reply in await asyncio.gather(*attempts)} == {200}
            assert len(at_gate) == 20
            assert names.lookups == 1

    asyncio.run(asyncio.wait_for(scenario(), BOUND_SECONDS))


def test_a_lookup_that_takes_too_long_is_certain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONNECT_TIMEOUT", SHORT)
    names = Names(monkeypatch, "127.0.0.1")
    names.answering.clear()

    async def scenario() -> None:
        async with serving(answering(OK)) as server, Transport(named(server), "w", "k") as transport:
            gate = Gate()
            replies = await asyncio.gather(*(transport.attempt(REQUEST, gate) for _ in range(20)))
            assert all(map(is_certain, replies))
            assert (gate.passed, server.connections) == (0, 0)
            names.answering.set()
            while (await transport.attempt(REQUEST, gate)).status != 200:
                assert gate.passed == 0

    try:
        asyncio.run(asyncio.wait_for(scenario(), BOUND_SECONDS))
    finally:
        names.answering.set()

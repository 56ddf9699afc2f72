"""The sandbox over TCP: what a client sees, and what the sandbox says about it afterwards."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from replay_cli.errors import UsageError
from replay_cli.sandbox import Sandbox, serve
from replay_cli.sandbox.endpoints import MAX_BODY_BYTES
from replay_cli.sandbox.meter import SECOND
from replay_cli.sandbox.spool import FILE_NAME
from tests.sandbox.client import (
    AUTH_TARGET,
    EVENT,
    EVENTS_TARGET,
    ask,
    exchange,
    parse_answer,
    send,
    write_request,
)
from tests.sandbox.serving import FakeClock, last, until, with_sandbox

POST_EVENT = write_request("POST", EVENTS_TARGET, json.dumps(EVENT).encode())


def test_an_event_is_accepted_with_a_request_id_and_kept() -> None:
    async def test(sandbox: Sandbox) -> None:
        answer = await send(sandbox.url)
        assert (answer.status, answer.document["status"]) == (200, "success")
        assert answer.document["request_id"]
        (line,) = sandbox.received()
        assert (line["seq"], line["body"], line["recorded"]) == (1, EVENT, True)

    with_sandbox(test)


def test_a_refusal_has_the_documented_shape_and_is_not_recorded() -> None:
    async def test(sandbox: Sandbox) -> None:
        answer = await send(sandbox.url, {"type": "track", "user_id": "u"})
        assert (answer.status, answer.error["type"], answer.error["attribute"]) == (
            400,
            "MissingAttributeError",
            "event",
        )
        assert answer.error["request_id"]
        assert last(sandbox) == (400, False, None)

    with_sandbox(test)


def test_missing_credentials_are_refused() -> None:
    async def test(sandbox: Sandbox) -> None:
        assert (await send(sandbox.url, headers={"Authorization": ""})).status == 401
        assert (await ask(sandbox.url, "GET", AUTH_TARGET, headers={"Authorization": ""})).status == 401

    with_sandbox(test)


def test_a_content_type_may_name_its_charset() -> None:
    async def test(sandbox: Sandbox) -> None:
        right = {"Content-Type": "application/json; charset=utf-8"}
        assert (await send(sandbox.url, headers=right)).status == 200
        assert (await send(sandbox.url, headers={"Content-Type": "text/plain"})).status == 415
        assert (await send(sandbox.url, headers={"Content-Type": ""})).status == 415

    with_sandbox(test)


@pytest.mark.parametrize(("size", "status"), [(MAX_BODY_BYTES, 200), (MAX_BODY_BYTES + 1, 413)])
def test_a_body_may_have_128_kilobytes(size: int, status: int) -> None:
    raw = json.dumps(EVENT).encode()
    raw += b" " * (size - len(raw))
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(raw), raw)

    async def test(sandbox: Sandbox) -> None:
        assert (await ask(sandbox.url, "POST", EVENTS_TARGET, raw)).status == status
        headers = {"Transfer-Encoding": "chunked", "Content-Length": ""}
        assert (await ask(sandbox.url, "POST", EVENTS_TARGET, chunked, headers)).status == status

    with_sandbox(test)


def test_attempts_over_the_rate_are_refused_until_the_window_opens() -> None:
    clock = FakeClock()

    async def test(sandbox: Sandbox) -> None:
        assert [(await send(sandbox.url)).status for _ in range(4)] == [200, 200, 200, 429]
        answer = await send(sandbox.url)
        assert answer.error["type"] == "Rate Limits Exceeded"
        assert answer.headers["retry-after"] == answer.headers["x-ratelimit-reset"] == "1"
        assert (answer.headers["x-ratelimit-limit"], answer.headers["x-ratelimit-remaining"]) == ("3", "0")
        clock.now += SECOND - 1
        assert (await send(sandbox.url)).status == 429
        clock.now += SECOND
        assert (await send(sandbox.url)).status == 200
        assert sandbox.stats()["peak_per_second"] == 6

    with_sandbox(test, rps=3, clock=clock)


def test_auth_checks_share_the_rate_but_are_no_attempts() -> None:
    async def test(sandbox: Sandbox) -> None:
        assert (await ask(sandbox.url, "GET", AUTH_TARGET)).status == 200
        assert (await ask(sandbox.url, "GET", AUTH_TARGET)).status == 429
        stats = sandbox.stats()
        assert (stats["attempts"], stats["auth_checks"], stats["peak_per_second"]) == (0, 2, 2)
        assert not list(sandbox.received())

    with_sandbox(test, rps=1, clock=FakeClock())


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_reset_is_a_real_one(when: str, new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def test(sandbox: Sandbox) -> None:
        with pytest.raises(ConnectionResetError):
            await exchange(sandbox.url, POST_EVENT)
        assert last(sandbox) == (None, when == "after", f"reset-{when}")

    with_sandbox(test, new_loop, faults=[{"reset": when}])


def test_a_truncated_reply_ends_in_its_middle_after_recording() -> None:
    async def test(sandbox: Sandbox) -> None:
        answer = parse_answer(await exchange(sandbox.url, POST_EVENT))
        assert answer.status == 200
        assert 0 < len(answer.body) < int(answer.headers["content-length"])
        assert last(sandbox) == (200, True, "truncate")

    with_sandbox(test, faults=[{"truncate": True}])


@pytest.mark.parametrize("recorded", [True, False])
def test_a_hanging_request_is_never_answered(recorded: bool) -> None:
    async def run() -> bytes:
        sandbox = Sandbox(faults=[{"hang": True, "record": recorded}])
        async with sandbox:
            pending = asyncio.create_task(exchange(sandbox.url, POST_EVENT))
            await until(lambda: sandbox.stats()["by_status"] == {"none": 1})
            assert last(sandbox) == (None, recorded, "hang")
        return await pending

    assert asyncio.run(run()) == b""


def test_a_late_reply_is_recorded_before_it_is_late() -> None:
    async def run() -> None:
        async with Sandbox(latency=3600.0, faults=[{"latency": [3600, 7200]}]) as sandbox:
            pending = asyncio.create_task(exchange(sandbox.url, POST_EVENT))
            await until(lambda: sandbox.stats()["recorded"] == 1)
            assert not pending.done()
        assert await pending == b""

    asyncio.run(run())


def test_a_late_reply_comes() -> None:
    async def test(sandbox: Sandbox) -> None:
        assert (await send(sandbox.url)).status == 200

    with_sandbox(test, latency=0.001, faults=[{"latency": 0.001}])


@pytest.mark.parametrize(
    ("rule", "status", "headers"),
    [
        ({"status": 503}, 503, {}),
        ({"status": 429, "retry_after": 7}, 429, {"retry-after": "7"}),
        (
            {"status": 429, "retry_after": "Fri, 31 Dec 1999 23:59:59 GMT"},
            429,
            {"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT"},
        ),
        ({"status": 400, "headers": {"X-A": "b"}}, 400, {"x-a": "b"}),
        ({"status": 204}, 204, {}),
        ({"redirect": True}, 302, {"location": "/redirected"}),
        ({"redirect": "https://elsewhere.example/"}, 302, {"location": "https://elsewhere.example/"}),
        ({"html": True}, 200, {"content-type": "text/html; charset=utf-8"}),
        ({"status": 502, "body": "<h1>Bad gateway</h1>"}, 502, {"content-type": "text/html; charset=utf-8"}),
    ],
)
def test_a_fault_replies_instead_of_moengage(rule: Any, status: int, headers: dict[str, str]) -> None:
    async def test(sandbox: Sandbox) -> None:
        answer = await send(sandbox.url)
        assert (answer.status, headers.items() <= answer.headers.items()) == (status, True)
        assert last(sandbox)[:2] == (status, False)

    with_sandbox(test, faults=[rule])


def test_a_status_fault_has_the_documented_body_or_its_own() -> None:
    async def test(sandbox: Sandbox) -> None:
        assert (await send(sandbox.url)).error["type"] == "Rate Limits Exceeded"
        assert (await send(sandbox.url)).error["attribute"] == "email"
        assert (await send(sandbox.url)).error == {"type": "Blacklisted", "request_id": "mine"}

    own = {"status": "fail", "error": {"type": "InvalidParams", "attribute": "email"}}
    fail_body = {"type": "Blacklisted", "request_id": "mine"}
    rules = [{"status": 429, "times": 1}, {"status": 400, "body": own, "times": 1}, {"fail_body": fail_body}]
    with_sandbox(test, faults=rules)


def test_a_lost_reply_to_an_invalid_event_records_nothing() -> None:
    async def test(sandbox: Sandbox) -> None:
        with pytest.raises(ConnectionResetError):
            await send(sandbox.url, {"type": "track"})
        assert last(sandbox) == (None, False, "reset-after")

    with_sandbox(test, faults=[{"reset": "after"}])


def test_an_outage_begins_and_ends_by_the_clock() -> None:
    clock = FakeClock()

    async def test(sandbox: Sandbox) -> None:
        statuses = []
        for second in (0, 10, 29, 30):
            clock.now = second * SECOND
            statuses.append((await send(sandbox.url)).status)
        assert statuses == [200, 503, 503, 200]

    with_sandbox(test, clock=clock, faults=[{"between": [10, 30], "status": 503}])


def test_the_programme_can_be_replaced_while_it_runs() -> None:
    async def test(sandbox: Sandbox) -> None:
        reply = await ask(sandbox.url, "POST", "/_sandbox/faults", b'[{"status": 500}]')
        assert (reply.status, reply.document) == (200, {"rules": 1})
        assert (await send(sandbox.url)).status == 500
        refused = await ask(sandbox.url, "POST", "/_sandbox/faults", b'[{"stauts": 500}]')
        assert (refused.status, "fault rule 1: unknown key 'stauts'" in refused.error["message"]) == (
            400,
            True,
        )
        assert (await send(sandbox.url)).status == 500
        await ask(sandbox.url, "POST", "/_sandbox/faults", b"[]")
        assert (await send(sandbox.url)).status == 200

    with_sandbox(test)


def test_received_is_streamed_and_selected() -> None:
    async def test(sandbox: Sandbox) -> None:
        for number in range(4):
            await send(sandbox.url, EVENT | {"properties": {"n": number}})
        reply = await ask(sandbox.url, "GET", "/_sandbox/received?after=1&limit=2&recorded=1")
        lines = [json.loads(line) for line in reply.body.splitlines()]
        assert [line["seq"] for line in lines] == [3, 4]
        assert (await ask(sandbox.url, "GET", "/_sandbox/received?after=x")).status == 400

    with_sandbox(test, faults=[{"match": {"properties.n": 1}, "status": 500}])


def test_questions_leave_no_trace() -> None:
    async def test(sandbox: Sandbox) -> None:
        await send(sandbox.url)
        for _ in range(3):
            stats = (await ask(sandbox.url, "GET", "/_sandbox/stats", headers={"Authorization": ""})).document
            assert (await ask(sandbox.url, "GET", "/_sandbox/unknown")).status == 404
        assert (stats["attempts"], stats["peak_per_second"], stats["connections"]) == (1, 1, 1)
        assert stats == sandbox.stats()

    with_sandbox(test, rps=1)


def test_stats_count_by_status_fault_and_connection() -> None:
    async def test(sandbox: Sandbox) -> None:
        keep_open = write_request("POST", EVENTS_TARGET, json.dumps(EVENT).encode(), {"Connection": ""})
        await exchange(sandbox.url, keep_open + POST_EVENT)
        with pytest.raises(ConnectionResetError):
            await exchange(sandbox.url, POST_EVENT)
        stats = sandbox.stats()
        assert stats["by_status"] == {"200": 2, "none": 1}
        assert stats["by_fault"] == {"cut": 1}
        assert (stats["attempts"], stats["recorded"], stats["connections"]) == (3, 2, 2)
        assert stats["first_at"] <= stats["last_at"]

    with_sandbox(test, faults=[{"name": "cut", "every": 3, "reset": "before"}])


def test_a_reset_of_the_sandbox_forgets_counts_and_spool() -> None:
    async def test(sandbox: Sandbox) -> None:
        await send(sandbox.url)
        assert (await ask(sandbox.url, "POST", "/_sandbox/reset")).status == 200
        stats = sandbox.stats()
        assert (stats["attempts"], stats["peak_per_second"], stats["first_at"]) == (0, 0, None)
        assert not list(sandbox.received())
        await send(sandbox.url)
        assert [line["seq"] for line in sandbox.received()] == [1]

    with_sandbox(test)


def test_an_attempt_given_up_in_its_body_is_incomplete(capfd: pytest.CaptureFixture[str]) -> None:
    async def test(sandbox: Sandbox) -> None:
        host, port = sandbox.url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(POST_EVENT[:-1])
        await until(lambda: sandbox.stats()["attempts"] == 1)
        writer.transport.abort()
        await until(lambda: sandbox.stats()["incomplete"] == 1)
        assert not list(sandbox.received())

    with_sandbox(test)
    assert capfd.readouterr() == ("", "")


def test_what_a_broken_client_sends_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    chunked = {"Transfer-Encoding": "chunked", "Content-Length": ""}
    requests = [
        b"\x16\x03\x01 no HTTP\r\n\r\n",
        write_request("POST", EVENTS_TARGET, b"zz\r\n{}", chunked),
        write_request("POST", EVENTS_TARGET, b"no gzip", {"Content-Encoding": "gzip"}),
    ]

    async def test(sandbox: Sandbox) -> None:
        for request in requests:
            assert parse_answer(await exchange(sandbox.url, request)).status == 400

    with_sandbox(test)
    assert capfd.readouterr() == ("", "")


def test_a_reply_that_nobody_waits_for_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    async def test(sandbox: Sandbox) -> None:
        host, port = sandbox.url.removeprefix("http://").split(":")
        for _ in range(20):
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(POST_EVENT)
            await writer.drain()
            writer.transport.abort()
        assert (await send(sandbox.url)).status == 200

    with_sandbox(test, latency=0.001)
    assert capfd.readouterr() == ("", "")


def test_the_spool_reaches_its_file_without_being_asked(tmp_path: Path) -> None:
    async def test(sandbox: Sandbox) -> None:
        await send(sandbox.url)
        await until(lambda: (tmp_path / FILE_NAME).stat().st_size > 0)

    with_sandbox(test, spool=tmp_path)
    assert json.loads((tmp_path / FILE_NAME).read_text())["body"] == EVENT


def test_a_taken_port_is_a_usage_error() -> None:
    async def test(sandbox: Sandbox) -> None:
        with pytest.raises(UsageError, match="cannot listen on http://127"):
            await Sandbox(port=int(sandbox.url.rpartition(":")[2])).start()

    with_sandbox(test)


@pytest.mark.parametrize("settings", [{"rps": 0}, {"latency": -1}, {"faults": [{}]}])
def test_invalid_settings_are_usage_errors(settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Sandbox(**settings)


def test_serve_tells_its_url_and_runs_until_cancelled() -> None:
    async def run() -> None:
        listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(serve(Sandbox(), listening.set_result))
        assert (await send(await listening)).status == 200
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving

    asyncio.run(run())

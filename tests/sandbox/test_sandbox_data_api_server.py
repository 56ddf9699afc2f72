"""The public Data API over TCP, and what the sandbox counts of it."""

import json
from typing import Any

import pytest

from replay_cli.errors import UsageError
from replay_cli.sandbox import Sandbox
from replay_cli.sandbox.endpoints import MAX_TRANSITION_BYTES
from replay_cli.sandbox.meter import SECOND
from tests.sandbox.client import EVENT as SEGMENT_EVENT
from tests.sandbox.client import Answer, ask, send
from tests.sandbox.serving import FakeClock, last, with_sandbox

CUSTOMER = {"type": "customer", "customer_id": "u-1"}
EVENT = {"type": "event", "customer_id": "u-1", "actions": [{"action": "A"}, {"action": "B"}]}
PUSH = {"platform": "iOS", "push_id": "p"}
DEVICE = {"type": "device", "customer_id": "u-1", "device_id": "d", "attributes": PUSH}
TRANSITION = {"type": "transition", "elements": [CUSTOMER, EVENT, DEVICE, EVENT]}
NOBODY = CUSTOMER | {"customer_id": "guest"}


async def post(sandbox: Sandbox, document: dict[str, Any], headers: dict[str, str] | None = None) -> Answer:
    target = f"/v1/{document['type']}/sandbox"
    return await ask(sandbox.url, "POST", target, json.dumps(document).encode(), headers)


@pytest.mark.parametrize("document", [CUSTOMER, EVENT, DEVICE, TRANSITION], ids=lambda document: document["type"])
def test_what_is_accepted_is_answered_as_documented_and_kept(document: dict[str, Any]) -> None:
    async def test(sandbox: Sandbox) -> None:
        answer = await post(sandbox, document, {"MOE-APPKEY": "sandbox"})
        assert (answer.status, answer.document["status"]) == (200, "success")
        assert answer.document.keys() == {"status", "message", "request_id"}
        (line,) = sandbox.received(recorded=True)
        assert line["body"] == document

    with_sandbox(test)


def test_a_refused_bulk_request_is_refused_as_a_whole() -> None:
    async def test(sandbox: Sandbox) -> None:
        answer = await post(sandbox, {"type": "transition", "elements": [CUSTOMER, EVENT, NOBODY]})
        assert (answer.status, answer.error["attribute"]) == (400, "elements[2].customer_id")
        assert answer.error["message"] == "elements[2].customer_id: guest is reserved"
        assert answer.error["request_id"]
        assert last(sandbox) == (400, False, None)
        assert sandbox.stats()["elements"] == {"users": 0, "devices": 0, "events": 0}

    with_sandbox(test)


def test_a_header_of_another_workspace_is_a_conflict() -> None:
    async def test(sandbox: Sandbox) -> None:
        assert (await post(sandbox, CUSTOMER, {"MOE-APPKEY": "other"})).status == 409
        assert (await ask(sandbox.url, "POST", "/v1/customer/other", b"{}")).status == 409

    with_sandbox(test)


def test_an_id_may_be_written_with_escapes() -> None:
    async def test(sandbox: Sandbox) -> None:
        body = json.dumps(CUSTOMER).encode()
        own = {"Authorization": "Basic YSAvw6k6aw=="}  # "a /é:k"
        assert (await ask(sandbox.url, "POST", "/v1/customer/a%20%2F%C3%A9", body, own)).status == 200

    with_sandbox(test, workspace_id="a /é", api_key="k")


@pytest.mark.parametrize(("size", "status"), [(MAX_TRANSITION_BYTES, 200), (MAX_TRANSITION_BYTES + 1, 413)])
def test_a_bulk_request_may_have_100_kilobytes(size: int, status: int) -> None:
    raw = json.dumps(TRANSITION).encode()
    raw += b" " * (size - len(raw))
    single = json.dumps(CUSTOMER).encode()
    single += b" " * (size - len(single))

    async def test(sandbox: Sandbox) -> None:
        assert (await ask(sandbox.url, "POST", "/v1/transition/sandbox", raw)).status == status
        chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(raw), raw)
        headers = {"Transfer-Encoding": "chunked", "Content-Length": ""}
        assert (await ask(sandbox.url, "POST", "/v1/transition/sandbox", chunked, headers)).status == status
        assert (await ask(sandbox.url, "POST", "/v1/customer/sandbox", single)).status == 200

    with_sandbox(test)


def test_what_was_recorded_is_counted_by_element() -> None:
    async def test(sandbox: Sandbox) -> None:
        for document in (CUSTOMER, EVENT, DEVICE, TRANSITION, NOBODY):
            await post(sandbox, document)
        await send(sandbox.url, SEGMENT_EVENT)
        stats = sandbox.stats()
        assert stats["elements"] == {"users": 2, "devices": 2, "events": 6}
        assert (stats["recorded"], stats["by_status"]) == (5, {"200": 5, "400": 1})
        assert (stats["users_peak_per_minute"], stats["events_peak_per_minute"]) == (5, 6)
        assert (await ask(sandbox.url, "GET", "/_sandbox/stats")).document == stats
        sandbox.reset()
        stats = sandbox.stats()
        assert stats["elements"] == {"users": 0, "devices": 0, "events": 0}
        assert (stats["users_peak_per_minute"], stats["events_peak_per_minute"]) == (0, 0)

    with_sandbox(test)


def test_elements_are_recorded_even_where_their_reply_is_lost() -> None:
    async def test(sandbox: Sandbox) -> None:
        with pytest.raises(ConnectionResetError):
            await post(sandbox, TRANSITION)
        assert (await post(sandbox, TRANSITION)).status == 500
        assert sandbox.stats()["elements"] == {"users": 1, "devices": 1, "events": 4}

    with_sandbox(test, faults=[{"reset": "after", "times": 1}, {"status": 500}])


def test_events_over_their_budget_are_refused_until_the_minute_opens() -> None:
    clock = FakeClock()

    async def test(sandbox: Sandbox) -> None:
        assert (await post(sandbox, TRANSITION)).status == 200
        clock.now = 10 * SECOND
        answer = await post(sandbox, EVENT)
        assert (answer.status, answer.error["type"]) == (429, "Rate Limits Exceeded")
        assert answer.error["message"] == "more than 5 events a minute"
        assert answer.headers["retry-after"] == answer.headers["x-ratelimit-reset"] == "50"
        assert (answer.headers["x-ratelimit-limit"], answer.headers["x-ratelimit-remaining"]) == ("5", "0")
        assert last(sandbox) == (429, False, None)
        assert [(await post(sandbox, document)).status for document in (CUSTOMER, SEGMENT_EVENT | CUSTOMER)] == [
            200
        ] * 2
        clock.now = 60 * SECOND
        assert (await post(sandbox, EVENT)).status == 200
        assert sandbox.stats()["events_peak_per_minute"] == 6

    with_sandbox(test, events_per_minute=5, clock=clock)


def test_users_over_their_budget_are_refused() -> None:
    async def test(sandbox: Sandbox) -> None:
        assert [(await post(sandbox, CUSTOMER)).status for _ in range(3)] == [200, 200, 429]
        assert (await post(sandbox, EVENT)).status == 200
        assert (await send(sandbox.url)).status == 200
        sandbox.reset()
        assert (await post(sandbox, CUSTOMER)).status == 200

    with_sandbox(test, users_per_minute=2, clock=FakeClock())


def test_the_budgets_meter_what_the_rate_refuses() -> None:
    async def test(sandbox: Sandbox) -> None:
        assert [(await post(sandbox, TRANSITION)).status for _ in range(2)] == [200, 429]
        assert sandbox.stats()["events_peak_per_minute"] == 8

    with_sandbox(test, rps=1, clock=FakeClock())


def test_a_fault_may_ask_for_any_element() -> None:
    async def test(sandbox: Sandbox) -> None:
        assert (await post(sandbox, TRANSITION)).status == 503
        assert (await post(sandbox, CUSTOMER)).status == 200
        assert last(sandbox) == (200, True, None)

    with_sandbox(test, faults=[{"match": {"elements.*.device_id": "d"}, "status": 503}])


@pytest.mark.parametrize("settings", [{"users_per_minute": 0}, {"events_per_minute": 0}])
def test_a_budget_of_nothing_is_a_usage_error(settings: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="is at least 1 a minute"):
        Sandbox(**settings)  # type: ignore[arg-type]  # mypy spreads the numbers over all arguments

"""What MoEngage documents, rule by rule, without a server."""

import json
from typing import Any

import pytest

from replay_cli.sandbox.endpoints import (
    AUTH_PATH,
    EVENTS_PATH,
    Account,
    Attempt,
    Body,
    judge,
    read_body,
)
from replay_cli.sandbox.verdicts import Verdict

NOW = 1_700_000_000.0  # 2023-11-14T22:13:20Z
ACCOUNT = Account.of("shop", "key")
EVENT = {"type": "track", "event": "Order", "user_id": "u-1"}


def attempt(event: Any = EVENT, **changes: Any) -> Attempt:
    raw = event if isinstance(event, bytes) else json.dumps(event).encode()
    usual = Attempt("POST", EVENTS_PATH, "shop", ACCOUNT.authorization, "application/json", read_body(raw))
    return usual._replace(**changes)


def refusal(verdict: Verdict) -> tuple[int, str, str | None]:
    assert verdict.document["status"] == "fail"
    assert not verdict.recorded
    error = verdict.document["error"]
    return verdict.status, error["type"], error.get("attribute")


@pytest.mark.parametrize(
    "event",
    [
        EVENT,
        {"type": "identify", "anonymous_id": "a", "user_id": None, "traits": {}},
        {
            "type": "track",
            "event": "E",
            "anonymous_id": "a",
            "properties": {"deep": [{"a": None}]},
            "context": {},
        },
        EVENT | {"timestamp": "2023-11-14T22:13:20.000Z"},
        EVENT | {"timestamp": "2023-11-14"},
        EVENT | {"timestamp": NOW},
        EVENT | {"timestamp": NOW * 1000},
        EVENT | {"timestamp": "2025-13-45"},
        EVENT | {"user_id": "guest"},
    ],
)
def test_an_event_is_accepted_and_recorded(event: dict[str, Any]) -> None:
    verdict = judge(attempt(event), ACCOUNT, NOW)
    assert (verdict.status, verdict.recorded, verdict.document["status"]) == (200, True, "success")


@pytest.mark.parametrize(
    ("event", "error_type", "attribute"),
    [
        ({"user_id": "u"}, "MissingAttributeError", "type"),
        ({"type": "", "user_id": "u"}, "MissingAttributeError", "type"),
        ({"type": "track", "user_id": "u"}, "MissingAttributeError", "event"),
        ({"type": "track", "event": "", "user_id": "u"}, "MissingAttributeError", "event"),
        ({"type": "identify"}, "MissingAttributeError", "user_id"),
        ({"type": "identify", "user_id": "", "anonymous_id": None}, "MissingAttributeError", "user_id"),
        ({"type": "identify", "user_id": 7}, "InvalidParams", "user_id"),
        (EVENT | {"properties": []}, "InvalidParams", "properties"),
        (EVENT | {"properties": None}, "InvalidParams", "properties"),
        ({"type": "identify", "user_id": "u", "traits": "x"}, "InvalidParams", "traits"),
        (EVENT | {"timestamp": {}}, "InvalidParams", "timestamp"),
        (EVENT | {"timestamp": True}, "InvalidParams", "timestamp"),
    ],
)
def test_an_invalid_event_is_refused_by_name(event: Any, error_type: str, attribute: str) -> None:
    assert refusal(judge(attempt(event), ACCOUNT, NOW)) == (400, error_type, attribute)


@pytest.mark.parametrize(
    "timestamp",
    [
        "2023-11-14T22:13:20.001Z",
        "2023-11-14T22:13:21",
        "2023-11-14T23:13:21+01:00",
        "2099-01-01",
        NOW + 1,
        NOW * 1000 + 1,
        2**64,
    ],
)
def test_a_future_date_is_refused(timestamp: Any) -> None:
    verdict = judge(attempt(EVENT | {"timestamp": timestamp}), ACCOUNT, NOW)
    assert refusal(verdict) == (400, "InvalidParams", "timestamp")


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[1]", b'"text"', b"null", b'{"a": NaN}', b'{"a": "\xff"}', b"[" * 100_000]
)
def test_a_body_that_is_no_json_object_is_refused(raw: bytes) -> None:
    assert refusal(judge(attempt(raw), ACCOUNT, NOW)) == (400, "Bad Request", None)


@pytest.mark.parametrize("authorization", [None, "", "Bearer x", Account.of("shop", "wrong").authorization])
def test_wrong_credentials_are_refused_with_401(authorization: str | None) -> None:
    for path, method in ((EVENTS_PATH, "POST"), (AUTH_PATH, "GET")):
        verdict = judge(attempt(authorization=authorization, path=path, method=method), ACCOUNT, NOW)
        assert refusal(verdict) == (401, "Authentication required", None)


@pytest.mark.parametrize("app_id", [None, "", "other"])
def test_an_app_id_of_another_workspace_is_a_conflict(app_id: str | None) -> None:
    assert refusal(judge(attempt(app_id=app_id), ACCOUNT, NOW)) == (409, "Conflict", None)


def test_a_body_over_128_kilobytes_is_too_large() -> None:
    verdict = judge(attempt(body=Body(b"", too_large=True)), ACCOUNT, NOW)
    assert refusal(verdict) == (413, "Payload Too Large", None)


def test_another_content_type_is_unsupported() -> None:
    verdict = judge(attempt(content_type="text/plain"), ACCOUNT, NOW)
    assert refusal(verdict) == (415, "Unsupported Media Type", None)


@pytest.mark.parametrize(("method", "path"), [("GET", EVENTS_PATH), ("POST", AUTH_PATH), ("POST", "/v1/x")])
def test_other_resources_do_not_exist(method: str, path: str) -> None:
    assert refusal(judge(attempt(method=method, path=path), ACCOUNT, NOW)) == (404, "Not Found", None)


def test_right_credentials_pass_the_auth_check() -> None:
    verdict = judge(attempt(b"", method="GET", path=AUTH_PATH), ACCOUNT, NOW)
    assert (verdict.status, verdict.recorded, verdict.document["status"]) == (200, False, "success")

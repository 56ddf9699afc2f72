"""What MoEngage would answer to an attempt: the Segment endpoint and its auth check, as documented.

Every failure has the documented shape `{"status": "fail", "error": {"type", "message", "attribute"?}}`; the
server adds the `request_id`. Names of error types are the documented ones where there are any (the 400s'
`MissingAttributeError` and `InvalidParams`, the 429's `Rate Limits Exceeded`), else the status's own words.
"""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, NoReturn

EVENTS_PATH = "/v1/integrations/segment"
AUTH_PATH = "/v1/integrations/segment/auth"
AUTH_CHECK = ("GET", AUTH_PATH)
MAX_BODY_BYTES = 128_000
"""Documented: 128 KB a request, with 1 KB = 1000 B (inferred)."""


class Body(NamedTuple):
    """A request's body: its bytes, the JSON in them, or what is wrong with it.

    `raw` is empty when `too_large` (it was not kept).
    """

    raw: bytes
    document: Any = None
    problem: str | None = None
    too_large: bool = False


class Attempt(NamedTuple):
    """What arrived, as far as the answer depends on it. `app_id` and `authorization` are None when absent."""

    method: str
    path: str
    app_id: str | None
    authorization: str | None
    content_type: str
    body: Body

    @property
    def is_auth_check(self) -> bool:
        """Whether this asks about credentials instead of sending an event."""
        return (self.method, self.path) == AUTH_CHECK


class Account(NamedTuple):
    """The one workspace that the sandbox knows: its id, and the Authorization header that opens it."""

    workspace_id: str
    authorization: str

    @classmethod
    def of(cls, workspace_id: str, api_key: str) -> "Account":
        """Derive the account from a workspace's HTTP Basic credentials (UTF-8)."""
        return cls(workspace_id, "Basic " + b64encode(f"{workspace_id}:{api_key}".encode()).decode())


class Verdict(NamedTuple):
    """MoEngage's answer, without its `request_id`; `recorded` says whether the event is kept."""

    status: int
    document: dict[str, Any]
    recorded: bool = False


def read_body(raw: bytes) -> Body:
    """Read a body as strict JSON (no `NaN`, no invalid UTF-8); integers of any size stay exact."""
    try:
        return Body(raw, json.loads(raw.decode(), parse_constant=_refuse_constant))
    except (ValueError, RecursionError) as error:
        return Body(raw, problem=f"malformed JSON: {error}")


def judge(attempt: Attempt, account: Account, now: float) -> Verdict:
    """Give MoEngage's answer to an attempt that is within the rate.

    Args:
        attempt: what arrived.
        account: the workspace that it must belong to.
        now: unix seconds: later timestamps are in the future.
    """
    endpoint = _ENDPOINTS.get((attempt.method, attempt.path))
    if endpoint is None:
        return failure(404, f"no such resource: {attempt.method} {attempt.path}")
    return _judge_credentials(attempt, account) or endpoint(attempt, now)


def failure(status: int, message: str, error_type: str | None = None, attribute: str | None = None) -> Verdict:
    """Build a failure in the documented shape; the type is the status's own unless given."""
    error = {"type": error_type or _ERROR_TYPES.get(status, "Error"), "message": message}
    if attribute is not None:
        error["attribute"] = attribute
    return Verdict(status, {"status": "fail", "error": error})


def _judge_credentials(attempt: Attempt, account: Account) -> Verdict | None:
    if attempt.authorization != account.authorization:
        return failure(401, "the workspace id or API key in the Authorization header is missing or wrong")
    if attempt.app_id != account.workspace_id:
        return failure(409, "appId in the URL is not the workspace of the Authorization header")
    return None


def _answer_auth_check(_attempt: Attempt, _now: float) -> Verdict:
    return Verdict(200, {"status": "success", "message": "The credentials are valid."})


def _answer_event(attempt: Attempt, now: float) -> Verdict:
    body = attempt.body
    if attempt.content_type != "application/json":
        return failure(415, f"content type {attempt.content_type} is not application/json")
    if body.too_large:
        return failure(413, f"the request is larger than {MAX_BODY_BYTES} bytes")
    if body.problem is not None:
        return failure(400, body.problem)
    if not isinstance(body.document, dict):
        return failure(400, "the body is not a JSON object")
    wrong = _find_fault(body.document, now)
    if wrong is not None:
        return failure(400, wrong.message, wrong.error_type, wrong.attribute)
    return Verdict(200, {"status": "success", "message": "Your request has been accepted."}, recorded=True)


class _Wrong(NamedTuple):
    error_type: str
    attribute: str
    message: str


def _missing(attribute: str, message: str) -> _Wrong:
    return _Wrong("MissingAttributeError", attribute, message)


def _invalid(attribute: str, message: str) -> _Wrong:
    return _Wrong("InvalidParams", attribute, message)


def _find_fault(event: Mapping[str, Any], now: float) -> _Wrong | None:
    for name in ("type", "event", "user_id", "anonymous_id"):
        if not isinstance(event.get(name), str | None):
            return _invalid(name, f"{name} must be a string")
    if not event.get("type"):
        return _missing("type", "type is required")
    if event["type"] == "track" and not event.get("event"):
        return _missing("event", "event is required for track")
    if not event.get("user_id") and not event.get("anonymous_id"):
        return _missing("user_id", "user_id or anonymous_id is required")
    for name in ("traits", "properties", "context"):
        if name in event and not isinstance(event[name], dict):
            return _invalid(name, f"{name} must be an object")
    return _find_time_fault(event.get("timestamp"), now)


def _find_time_fault(timestamp: object, now: float) -> _Wrong | None:
    if timestamp is None:
        return None
    if isinstance(timestamp, bool) or not isinstance(timestamp, str | int | float):
        return _invalid("timestamp", "timestamp must be a string or a number")
    if _is_future(timestamp, now):
        return _invalid("timestamp", f"timestamp {timestamp} is in the future")
    return None


def _is_future(timestamp: str | float, now: float) -> bool:
    """Documented: future-dated events are not accepted.

    Inferred: numbers from 1e11 on are milliseconds; a time without an offset is UTC; what is not ISO 8601 is
    let through, as no document says how it is read.
    """
    if not isinstance(timestamp, str):
        return timestamp > (now * 1000 if timestamp >= 1e11 else now)
    try:
        instant = datetime.fromisoformat(timestamp)
    except ValueError:
        return False
    aware = instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)
    return aware > datetime.fromtimestamp(now, UTC)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_ENDPOINTS: Mapping[tuple[str, str], Callable[[Attempt, float], Verdict]] = {
    ("POST", EVENTS_PATH): _answer_event,
    AUTH_CHECK: _answer_auth_check,
}

_ERROR_TYPES: Mapping[int, str] = {
    400: "Bad Request",
    401: "Authentication required",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    413: "Payload Too Large",
    415: "Unsupported Media Type",
    429: "Rate Limits Exceeded",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}

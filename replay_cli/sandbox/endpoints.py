"""What MoEngage would answer to an attempt: which endpoint it asks, who may, and what goes before its body.

The endpoints are the Segment endpoint and its auth check, and the public Data API: `POST /v1/customer/{id}`,
`/v1/event/{id}`, `/v1/device/{id}`, `/v1/transition/{id}`. Users cannot be merged here (`/v1/customer/merge`).
"""

import json
import re
from base64 import b64encode
from typing import Any, NamedTuple, NoReturn

from replay_cli.sandbox.data_api import TRANSITION, judge_body
from replay_cli.sandbox.elements import NOTHING, Elements, count_elements
from replay_cli.sandbox.segment_api import judge_event
from replay_cli.sandbox.verdicts import Verdict, failure

EVENTS_PATH = "/v1/integrations/segment"
AUTH_PATH = "/v1/integrations/segment/auth"
AUTH_CHECK = ("GET", AUTH_PATH)
MAX_BODY_BYTES = 128_000
"""Documented: 128 KB a request, with 1 KB = 1000 B (inferred)."""
MAX_TRANSITION_BYTES = 100_000
"""Documented: 100 KB a bulk request, with 1 KB = 1000 B (inferred)."""

_DATA_API = re.compile(r"/v1/(customer|event|device|transition)/(?!merge$)(.+)", re.DOTALL)


class Body(NamedTuple):
    """A request's body: its bytes, the JSON in them, or what is wrong with it.

    `raw` is empty when `too_large` (it was not kept).
    """

    raw: bytes
    document: Any = None
    problem: str | None = None
    too_large: bool = False


class Attempt(NamedTuple):
    """What arrived, as far as the answer depends on it.

    `app_id` (of the query), `authorization` and `app_key` (the header `MOE-APPKEY`) are None when absent.
    """

    method: str
    path: str
    app_id: str | None
    authorization: str | None
    content_type: str
    body: Body
    app_key: str | None = None

    @property
    def is_auth_check(self) -> bool:
        """Whether this asks about credentials instead of sending an event."""
        return (self.method, self.path) == AUTH_CHECK

    @property
    def elements(self) -> Elements:
        """What it holds for the Data API; for other endpoints, nothing."""
        address = _read_address(self.method, self.path)
        return NOTHING if address is None else count_elements(address.kind, self.body.document)


class Account(NamedTuple):
    """The one workspace that the sandbox knows: its id, and the Authorization header that opens it."""

    workspace_id: str
    authorization: str

    @classmethod
    def of(cls, workspace_id: str, api_key: str) -> "Account":
        """Derive the account from a workspace's HTTP Basic credentials (UTF-8)."""
        return cls(workspace_id, "Basic " + b64encode(f"{workspace_id}:{api_key}".encode()).decode())


def read_body(raw: bytes) -> Body:
    """Read a body as strict JSON (no `NaN`, no invalid UTF-8); integers of any size stay exact."""
    try:
        return Body(raw, json.loads(raw.decode(), parse_constant=_refuse_constant))
    except (ValueError, RecursionError) as error:
        return Body(raw, problem=f"malformed JSON: {error}")


def max_body_bytes(path: str) -> int:
    """Give the size that a body sent to `path` may have."""
    return MAX_TRANSITION_BYTES if path.startswith(f"/v1/{TRANSITION}/") else MAX_BODY_BYTES


def judge(attempt: Attempt, account: Account, now: float) -> Verdict:
    """Give MoEngage's answer to an attempt that is within the rate.

    Args:
        attempt: what arrived.
        account: the workspace that it must belong to.
        now: unix seconds: later timestamps are in the future.
    """
    address = _read_address(attempt.method, attempt.path)
    if address is not None:
        return (
            _judge_key(attempt, account)
            or _judge_address(attempt, address, account)
            or _judge_envelope(attempt)
            or judge_body(address.kind, attempt.body.document, now)
        )
    if attempt.is_auth_check:
        return _judge_key(attempt, account) or _judge_app_id(attempt, account) or _answer_auth_check()
    if (attempt.method, attempt.path) == ("POST", EVENTS_PATH):
        return (
            _judge_key(attempt, account)
            or _judge_app_id(attempt, account)
            or _judge_envelope(attempt)
            or judge_event(attempt.body.document, now)
        )
    return failure(404, f"no such resource: {attempt.method} {attempt.path}")


class _Address(NamedTuple):
    """An address in the Data API: the endpoint's name and the `{id}` that follows it."""

    kind: str
    workspace_id: str


def _read_address(method: str, path: str) -> _Address | None:
    found = _DATA_API.fullmatch(path) if method == "POST" else None
    return None if found is None else _Address(found[1], found[2])


def _judge_key(attempt: Attempt, account: Account) -> Verdict | None:
    if attempt.authorization != account.authorization:
        return failure(401, "the workspace id or API key in the Authorization header is missing or wrong")
    return None


def _judge_app_id(attempt: Attempt, account: Account) -> Verdict | None:
    if attempt.app_id != account.workspace_id:
        return failure(409, "appId in the URL is not the workspace of the Authorization header")
    return None


def _judge_address(attempt: Attempt, address: _Address, account: Account) -> Verdict | None:
    """Hold the URL and, where it is sent, `MOE-APPKEY` against the workspace (409 for the latter is inferred)."""
    if address.workspace_id != account.workspace_id:
        return failure(409, "the id in the URL is not the workspace of the Authorization header")
    if attempt.app_key not in (None, account.workspace_id):
        return failure(409, "MOE-APPKEY is not the workspace of the Authorization header")
    return None


def _judge_envelope(attempt: Attempt) -> Verdict | None:
    body = attempt.body
    if attempt.content_type != "application/json":
        return failure(415, f"content type {attempt.content_type} is not application/json")
    if body.too_large:
        return failure(413, f"the request is larger than {max_body_bytes(attempt.path)} bytes")
    if body.problem is not None:
        return failure(400, body.problem)
    if not isinstance(body.document, dict):
        return failure(400, "the body is not a JSON object")
    return None


def _answer_auth_check() -> Verdict:
    return Verdict(200, {"status": "success", "message": "The credentials are valid."})


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")

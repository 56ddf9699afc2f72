"""What every reply, and every way of not getting one, means (pure).

Retry 408, 423, 429 and 5xx but 501, as Segment's runtime does (documented); 502 and 504 leave in doubt whether
MoEngage has the event, as do a time-out, a reset or a cut reply once the first byte has gone out.
"""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum
from math import isfinite
from typing import Any, NamedTuple

import orjson


class Failure(StrEnum):
    """How an attempt ended without a whole reply."""

    NOT_SENT = "not_sent"
    """DNS, connect or TLS failed, or the connection was gone before the first byte: certain."""
    TIMEOUT = "timeout"
    RESET = "reset"
    TRUNCATED = "truncated"


class Reply(NamedTuple):
    """What one attempt came back with: a status and a body, or a `failure` with its cause in words."""

    status: int = 0
    body: bytes = b""
    content_type: str = ""
    retry_after: str | None = None
    rate_reset: str | None = None
    failure: Failure | None = None
    cause: str = ""

    @property
    def label(self) -> str:
        """The reply's name in `by_status`: its status, or its failure."""
        return str(self.failure) if self.failure else str(self.status)


class Verdict(StrEnum):
    """What follows from a reply."""

    DELIVERED = "delivered"
    RETRY = "retry"
    IN_DOUBT = "in_doubt"
    REFUSED = "refused"
    STOP = "stop"


class Outcome(NamedTuple):
    """The meaning of one attempt.

    `reason` names it for the book (`http_400:MissingAttributeError`), `detail` tells a person; `pause` is how many
    seconds everybody must wait (always more than 0 after a 429), 0 for none.
    """

    verdict: Verdict
    reason: str = ""
    detail: str = ""
    pause: float = 0.0


_DELIVERED = Outcome(Verdict.DELIVERED)
_RETRIED = frozenset({408, 423, 429})
_STOPPING = frozenset({401, 403, 409})
_DEFAULT_PAUSE = 1.0
_EPOCH = 1e9
_EPOCH_MILLISECONDS = 1e11
_ELEMENT = re.compile(r"^(?:\$\.)?elements(?:\[\d+\]|\.\d+)(?:\.|$)")
"""Which element of a bulk request an attribute is in: of a record, that says nothing."""
_LONGEST_PAUSE = 366 * 86400.0
"""Seconds; a reply that names a later time means no time."""


def classify(reply: Reply, now: float) -> Outcome:
    """Give a reply its meaning; never raises.

    Args:
        reply: what came back.
        now: POSIX seconds, for a `Retry-After` that is a date.
    """
    if reply.failure is not None:
        certain = reply.failure is Failure.NOT_SENT
        return Outcome(Verdict.RETRY if certain else Verdict.IN_DOUBT, str(reply.failure), reply.cause)
    status = reply.status
    if 200 <= status < 300:
        return _classify_success(reply)
    detail = _detail(reply)
    if status == 429:
        return Outcome(Verdict.RETRY, "http_429", detail, pause=_pause(reply, now))
    if 300 <= status < 400:
        return Outcome(Verdict.STOP, f"http_{status}", f"HTTP {status}, a redirect: is the endpoint MoEngage's?")
    if status in _STOPPING or status < 200:
        return Outcome(Verdict.STOP, f"http_{status}", detail)
    if status in (502, 504):
        return Outcome(Verdict.IN_DOUBT, f"http_{status}", detail)
    if status in _RETRIED or (status >= 500 and status != 501):
        return Outcome(Verdict.RETRY, f"http_{status}", detail)
    return Outcome(Verdict.REFUSED, _refusal(status, reply), detail)


def _classify_success(reply: Reply) -> Outcome:
    if reply.content_type == "text/html" or reply.body.lstrip()[:1] == b"<":
        return Outcome(Verdict.STOP, "html_reply", "a 2xx with an HTML body: a proxy or a login page, not MoEngage")
    if b'"fail"' in reply.body:
        error = _document(reply.body)
        if error.get("status") == "fail":
            return Outcome(Verdict.REFUSED, _refusal(reply.status, reply), _detail(reply))
    return _DELIVERED


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def _error(body: bytes) -> dict[str, Any]:
    error = _document(body).get("error")
    return error if isinstance(error, dict) else {}


def _refusal(status: int, reply: Reply) -> str:
    error = _error(reply.body)
    names = [str(error.get("type") or ""), _ELEMENT.sub("", str(error.get("attribute") or ""), count=1)]
    return ":".join([f"http_{status}", *filter(None, names)])[:200]


def _detail(reply: Reply) -> str:
    """Return what the reply says of itself, on one line."""
    error = _error(reply.body)
    text = str(error["message"]) if error.get("message") else reply.body[:200].decode(errors="replace")
    return " ".join(f"HTTP {reply.status} {text}".split())[:300]


def _pause(reply: Reply, now: float) -> float:
    for text in (reply.retry_after, reply.rate_reset):
        if text:
            seconds = _seconds(text.strip(), now)
            if seconds is not None and seconds > 0:
                return seconds
    return _DEFAULT_PAUSE


def _seconds(text: str, now: float) -> float | None:
    """Read `Retry-After` (seconds or an HTTP date) or `x-ratelimit-reset` (seconds, or an epoch above 1e9)."""
    try:
        number = float(text)
    except ValueError:
        return _seconds_to_date(text, now)
    if not isfinite(number):
        return None
    if number > _EPOCH_MILLISECONDS:
        number /= 1000
    return min(number - now if number > _EPOCH else number, _LONGEST_PAUSE)


def _seconds_to_date(text: str, now: float) -> float | None:
    try:
        date = parsedate_to_datetime(text)
        # Without a zone it is GMT, as every HTTP date, and not the local time of this machine.
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, TypeError, OverflowError):
        return None

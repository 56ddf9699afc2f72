"""What MoEngage answers, and what it finds wrong with a body.

Every failure has the documented shape `{"status": "fail", "error": {"type", "message", "attribute"?}}`; the
server adds the `request_id`. Names of error types are the documented ones where there are any (the 400s'
`MissingAttributeError`, `InvalidParams` and `ArrayFieldError`, the 429's `Rate Limits Exceeded`), else the
status's own words. `Blacklisted` is documented as well, but not what it is said of: nothing here says it.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Verdict(NamedTuple):
    """MoEngage's answer, without its `request_id`; `recorded` says whether what was sent is kept."""

    status: int
    document: dict[str, Any]
    recorded: bool = False


class Flaw(NamedTuple):
    """What is wrong with a body: the type of the error, its place, and what there is to say about that place.

    A place is written as in `actions[0].user_time`; it is empty for the whole of what was looked at.
    """

    error_type: str
    attribute: str
    message: str

    def within(self, place: str) -> "Flaw":
        """Give the same flaw as seen from outside, where what was looked at is `place`."""
        return self._replace(attribute=f"{place}.{self.attribute}" if self.attribute else place)


def missing(attribute: str, message: str = "is required") -> Flaw:
    """Say that something required is not there."""
    return Flaw("MissingAttributeError", attribute, message)


def invalid(attribute: str, message: str) -> Flaw:
    """Say that something is there, but cannot be meant."""
    return Flaw("InvalidParams", attribute, message)


def unfit_array(attribute: str, message: str) -> Flaw:
    """Say that a list breaks a rule for lists."""
    return Flaw("ArrayFieldError", attribute, message)


def accept() -> Verdict:
    """Build the answer to what is accepted, which is then recorded."""
    return Verdict(200, {"status": "success", "message": "Your request has been accepted."}, recorded=True)


def failure(status: int, message: str, error_type: str | None = None, attribute: str | None = None) -> Verdict:
    """Build a failure in the documented shape; the type is the status's own unless given."""
    error = {"type": error_type or _ERROR_TYPES.get(status, "Error"), "message": message}
    if attribute is not None:
        error["attribute"] = attribute
    return Verdict(status, {"status": "fail", "error": error})


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

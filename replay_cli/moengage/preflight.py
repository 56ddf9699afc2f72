"""MoEngage's documented limits, checked before anything is sent.

What MoEngage would reject is rejected here with the reason; what it would take, but not as meant, is a warning.
"""

from typing import Any, NoReturn

from replay_cli.moengage.mapping import UnmappableError

MAX_BODY_BYTES = 128_000
"""128 KB a request, else 413 (documented; 1 KB taken as 1,000 bytes, the safe reading)."""

RESERVED_IDS = frozenset(
    ["unknown", "guest", "null", "0", "1", "2", "-1", "-2", "true", "false", "na", "n/a", "none", "user_attribute_unique_id", "dummy_seller_code", "user_id", "id", "customer_id", "uid", "userid"]
)
"""Ids that MoEngage does not take for a user (documented; any case)."""

MISSING_TIME = "missing_time"
RESERVED_ID = "reserved_id"


def refuse_future(timestamp: object) -> NoReturn:
    """Refuse a message dated after now: MoEngage does not accept future-dated events (documented).

    Raises:
        UnmappableError: `future_date`.
    """
    raise UnmappableError("future_date", f"dated {timestamp}, which is in the future")


def check_identity(body: dict[str, Any]) -> str | None:
    """Return the rule that the user id breaks, if any: a reserved one, or one shorter than two characters."""
    user = body.get("user_id")
    if user is not None and (len(user) < 2 or (len(user) < 25 and user.lower() in RESERVED_IDS)):
        return RESERVED_ID
    return None


def check_size(body: bytes) -> None:
    """Refuse a body that MoEngage would answer with 413.

    Raises:
        UnmappableError: `too_large`.
    """
    if len(body) > MAX_BODY_BYTES:
        raise UnmappableError(
            "too_large", f"a body of {len(body):,} bytes; MoEngage takes {MAX_BODY_BYTES:,}"
        )

"""MoEngage's documented limits, checked before anything is sent.

What MoEngage would reject is rejected here with the reason; what it would take, but not as meant, is a warning.
"""

from typing import NoReturn

from replay_cli.moengage.mapping import UnmappableError

MAX_BODY_BYTES = 128_000
"""128 KB a request, else 413 (documented; 1 KB taken as 1,000 bytes, the safe reading)."""

RESERVED_IDS = frozenset(
    [
        "unknown",
        "guest",
        "null",
        "0",
        "1",
        "2",
        "-1",
        "-2",
        "true",
        "false",
        "na",
        "n/a",
        "none",
        "user_attribute_unique_id",
        "dummy_seller_code",
        "user_id",
        "id",
        "customer_id",
        "uid",
        "userid",
    ]
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


def is_reserved(user: str) -> bool:
    """Tell whether MoEngage does not take a user id: a reserved one, or one shorter than two characters."""
    return len(user) < 2 or user.lower() in RESERVED_IDS


def refuse_size(body: bytes) -> NoReturn:
    """Refuse a body that MoEngage would answer with 413.

    Raises:
        UnmappableError: `too_large`.
    """
    raise UnmappableError("too_large", f"a body of {len(body):,} bytes; MoEngage takes {MAX_BODY_BYTES:,}")

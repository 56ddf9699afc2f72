"""Rules for one field of a JSON object: whether it must be there, and of which type it is.

Each gives the flaw it finds, or None. Inferred throughout: a field that is there must be of its type, and null is
no way to leave one out (only what is required counts as missing when it is null or empty).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from replay_cli.sandbox.verdicts import Flaw, invalid, missing

Document = Mapping[str, Any]

_SHOWN_CHARACTERS = 40


def require_text(document: Document, name: str) -> Flaw | None:
    """Ask for a string that is not empty."""
    value = document.get(name)
    if isinstance(value, str) and value:
        return None
    return missing(name) if value is None or value == "" else invalid(name, "must be a string")


def require_object(document: Document, name: str) -> Flaw | None:
    """Ask for an object."""
    return allow_object(document, name) if document.get(name) is not None else missing(name)


def require_list(document: Document, name: str) -> Flaw | None:
    """Ask for a list of at least one element."""
    value = document.get(name)
    if isinstance(value, list) and value:
        return None
    return missing(name, "needs at least one element") if value is None or value == [] else not_a_list(name)


def allow_text(document: Document, name: str) -> Flaw | None:
    """Allow a string."""
    return invalid(name, "must be a string") if not isinstance(document.get(name, ""), str) else None


def allow_object(document: Document, name: str) -> Flaw | None:
    """Allow an object."""
    return invalid(name, "must be an object") if name in document and not isinstance(document[name], dict) else None


def allow_flag(document: Document, name: str) -> Flaw | None:
    """Allow a boolean, or the string `true` or `false` (inferred: the Data API writes some flags so)."""
    value = document.get(name, True)
    return None if isinstance(value, bool) or value in ("true", "false") else invalid(name, "must be true or false")


def allow_number(document: Document, name: str) -> Flaw | None:
    """Allow a number."""
    return None if _is_number(document.get(name, 0)) else invalid(name, "must be a number")


def allow_time(document: Document, name: str) -> Flaw | None:
    """Allow a time: a string or a number."""
    value = document.get(name, "")
    return None if isinstance(value, str) or _is_number(value) else invalid(name, "must be a string or a number")


def refuse_future(document: Document, name: str, now: float) -> Flaw | None:
    """Allow a time that is not after `now` (unix seconds): future-dated events are not accepted (documented)."""
    flaw = allow_time(document, name)
    if flaw is not None or name not in document or not _is_future(document[name], now):
        return flaw
    return invalid(name, f"{show(document[name])} is in the future")


def not_a_list(name: str) -> Flaw:
    """Say that a field is no list."""
    return invalid(name, "must be a list")


def show(value: object) -> str:
    """Give the beginning of a value, for people."""
    text = str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_future(time: str | float, now: float) -> bool:
    """Compare a time with `now`.

    Inferred: numbers from 1e11 on are milliseconds; a time without an offset is UTC; what is not ISO 8601 is
    let through, as no document says how it is read.
    """
    if not isinstance(time, str):
        return time > (now * 1000 if time >= 1e11 else now)
    try:
        instant = datetime.fromisoformat(time)
    except ValueError:
        return False
    aware = instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)
    return aware > datetime.fromtimestamp(now, UTC)

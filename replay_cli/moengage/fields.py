"""The fields of the Actions destination: what its runtime makes of each value before it is sent.

The validator of the published runtime (npm `@segment/action-destinations` 3.497.0, executed) coerces as JavaScript
does. An empty text or null is an absent value. What cannot be coerced is a problem: a sentence that begins with the
name of the field.
"""

from typing import Any, NoReturn

from replay_cli.moengage.mapping import UnmappableError
from replay_cli.segment.javascript import is_date_like, is_usual_date, number_to_string, string_to_number

ABSENT: Any = object()
"""No value at all, where null is one."""

_KINDS = {list: "an array", dict: "an object", str: "a string", bool: "a boolean", type(None): "null"}
_REASONS = {"userId": "user_id", "anonymousId": "anonymous_id"} | {
    f"context.{field}": field.replace(".", "_") for field in ("app.version", "os.name", "library.version")
}


def lanes(user: str | None, anonymous: str | None) -> tuple[str, ...]:
    """Return the lanes of a body: a key for each id that it names.

    Raises:
        UnmappableError: `no_identity`. The runtime would send it, but nobody could receive it.
    """
    if user:
        return ("u" + user, "a" + anonymous) if anonymous else ("u" + user,)
    if anonymous:
        return ("a" + anonymous,)
    raise UnmappableError("no_identity", "neither userId nor anonymousId: nobody could receive it")


def coerce_string(value: Any, field: str, problems: list[str]) -> str | None:
    """Coerce to a string field's value; None when it is absent (missing, null or empty)."""
    if value is None or value == "":
        return None
    if value.__class__ is list and len(value) == 1:
        value = value[0]
        if value is None or value.__class__ is str:
            return value or ""
    if value.__class__ is str:
        return str(value)
    text = _scalar_text(value)
    if text is None:
        problems.append(f"{field} must be a string, not {_kind(value)}")
    return text


def coerce_required(value: Any, field: str, problems: list[str]) -> str | None:
    """Coerce to the value of a string field that has to be there; an absent one is a problem."""
    text = coerce_string(value, field, problems)
    if text is None:
        problems.append(f"{field} is missing")
    return text


def coerce_nullable_string(value: Any, field: str, problems: list[str]) -> Any:
    """Coerce an identify's id: as `coerce_string`, but null reaches the wire and one-element arrays fare worse.

    Ajv's union types make `["a"]` a failure, `[""]` null and `[null]` empty: executed, not designed.
    """
    if value is ABSENT or value is None:
        return value
    if value.__class__ is str:
        return value or ABSENT
    if value.__class__ is list and len(value) == 1:
        value = value[0]
        if value is None:
            return ""
        if value == "":
            return None
    text = _scalar_text(value)
    if text is None:
        problems.append(f"{field} must be a string or null, not {_kind(value)}")
    return text


def coerce_boolean(value: Any, field: str, problems: list[str]) -> bool:
    """Coerce to a boolean field's value; false when it is absent, as the destination has it."""
    if value is None or value == "":
        return False
    if value.__class__ is list and len(value) == 1:
        value = value[0]
    if value.__class__ is bool:
        return bool(value)
    if value is None or value == "false" or value == 0:
        return False
    if value != "true" and value != 1:
        problems.append(f"{field} must be true or false, not {_kind(value)}")
    return True


def is_object(value: Any, field: str, problems: list[str]) -> bool:
    """Tell whether a value is an object; anything else but an absent value is a problem."""
    if value.__class__ is dict:
        return True
    if value is not None and value != "":
        problems.append(f"{field} must be an object, not {_kind(value)}")
    return False


def coerce_timestamp(value: Any, problems: list[str]) -> Any:
    """Return a timestamp as it goes out, None when absent: strings and numbers pass, a string must look like a date."""
    if value is None or value == "" or value.__class__ is int or value.__class__ is float:
        return value if value != "" else None
    if value.__class__ is list and len(value) == 1:
        value = _lone_timestamp(value[0])
        if value.__class__ is float:
            return value
    if value.__class__ is not str:
        problems.append(f"timestamp must be a string or number, not {_kind(value)}")
    elif not is_usual_date(value) and not is_date_like(value):
        problems.append(f"timestamp does not look like a date: {value[:40]!r}")
    return value


def refuse(problems: list[str]) -> NoReturn:
    """Refuse a message for its problems; the first one gives the reason.

    Raises:
        UnmappableError: `missing_FIELD` or `invalid_FIELD`.
    """
    field, verb = problems[0].split(" ", 2)[:2]
    raise UnmappableError(
        f"{'missing' if verb == 'is' else 'invalid'}_{_REASONS.get(field, field)}", "; ".join(problems)
    )


def _scalar_text(value: Any) -> str | None:
    if value.__class__ is bool:
        return "true" if value else "false"
    if value.__class__ is int or value.__class__ is float:
        return number_to_string(value)
    return None


def _lone_timestamp(value: Any) -> Any:
    """Coerce the one element of an array: numbers become text, numeric text a number, other text a failure."""
    if value is None:
        return ""
    if value.__class__ is str:
        number = string_to_number(value) if value else None
        return [value] if number is None else number
    text = _scalar_text(value)
    return value if text is None else text


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "a number")

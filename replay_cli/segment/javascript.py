"""What JavaScript makes of values, as Segment's own runtime (Node, dayjs 1.11) does.

The destination's schema is checked in JavaScript: numbers become strings by ECMAScript's rules, and a
timestamp is accepted when dayjs, and behind it V8's `Date`, can read it. Everything here is pure.
"""

import re
from datetime import UTC, datetime

from replay_cli.segment.v8_date import ISO, LAST, SPACE, iso_time, v8_time

_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
_EXACT = 2**53  # whole numbers up to here are doubles, and print as they are
_MILLISECONDS_FROM = 1e11  # as seconds this is the year 5138: such a timestamp is meant in milliseconds

# The form nearly every message has. All of these are dates to V8, 30 February included: it rolls over.
is_usual_date = re.compile(
    r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    r"(?:\.[0-9]+)?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])?"
).fullmatch
# What dayjs reads without asking Date; numbers out of range roll over, so a match is always a date.
_DAYJS = re.compile(
    rf"[0-9]{{4}}[-/]?(?:[0-9]{{1,2}})?[-/]?[0-9]{{0,2}}[Tt{SPACE}\u2028\u2029]*"
    r"(?:[0-9]{1,2})?:?(?:[0-9]{1,2})?:?(?:[0-9]{1,2})?[.:]?(?:[0-9]+)?"
)
_AROUND = "".join(re.findall(rf"[{SPACE}\u2028\u2029]", "".join(map(chr, range(0x10000)))))
_PREFIXED = re.compile(r"0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+")
_DECIMAL = re.compile(r"[+-]?(?:Infinity|(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?)")
_NUMERIC = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


def number_to_string(value: int | float) -> str:
    """Give the text JavaScript's `String(value)` gives (ECMA-262, Number::toString).

    An integer is first rounded to the nearest double, as `JSON.parse` does: digits past 2**53 get lost, and
    one beyond the doubles is "Infinity".
    """
    if -_EXACT <= value <= _EXACT and value == (whole := int(value)):
        return str(whole)
    try:
        double = float(value)
    except OverflowError:
        return "Infinity" if value > 0 else "-Infinity"
    return _NOT_FINITE.get(repr(double)) or _shortest(double)


def _shortest(double: float) -> str:
    """Lay out the shortest digits that mean `double` (`repr` finds the same) as ECMAScript does."""
    mantissa, _, exponent = repr(abs(double)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    # The value is 0.DIGITS times ten to the power of `point`.
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    sign = "-" if double < 0 else ""
    if len(digits) <= point <= 21:
        return sign + digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    tail = "." + digits[1:] if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{tail}e{point - 1:+d}"


def string_to_number(text: str) -> float | None:
    """Give what JavaScript's `Number(text)` gives (ECMA-262, StringToNumber), None for NaN."""
    bare = text.strip(_AROUND)
    if not bare:
        return 0.0
    try:
        if prefixed := _PREFIXED.fullmatch(bare):
            return float(int(prefixed[0], 0))
    except OverflowError:
        return float("inf")
    return float(bare) if _DECIMAL.fullmatch(bare) else None


def is_date_like(text: str) -> bool:
    """Tell whether Segment's runtime takes `text` for a date (its `date-like` format).

    The rule is that of @segment/actions-core, `schema-validation.js`: a number just as JavaScript writes it
    counts seconds; anything else must be readable by dayjs, which hands what its own pattern does not know
    to `new Date(text)`. Local time is taken to be UTC, which matters only at the very ends of time.
    """
    if is_usual_date(text):
        return True
    number = _as_javascript_writes(text)
    if number is not None:
        return abs(number * 1000) <= LAST
    if text[-1:] not in ("Z", "z") and _DAYJS.fullmatch(text):
        return True
    return v8_time(text) is not None


def instant(value: object) -> float | None:
    """Give the POSIX seconds a timestamp means, or None when that cannot be told; never raises.

    Args:
        value: an ISO 8601 text (without an offset it is UTC), a number or a numeric text. Numbers from 1e11
            up, either side of zero, are milliseconds, smaller ones seconds.
    """
    if isinstance(value, str):
        # The hyphen keeps out the numeric texts that Python reads as compact ISO dates.
        return _instant_of_iso(value) if value[7:8] == "-" else _instant_of_text(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _instant_of_number(value)
    return None


def _instant_of_iso(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return _instant_of_text(text)


def _instant_of_text(text: str) -> float | None:
    """Read what Python's ISO reader does not: numbers, and V8's 30 February, 24:00 and six-digit years."""
    if _NUMERIC.fullmatch(text):
        return _instant_of_number(float(text))
    found = ISO.fullmatch(text)
    time = iso_time(found) if found else None
    return None if time is None else time / 1000


def _instant_of_number(value: int | float) -> float | None:
    if abs(value) <= LAST:
        return value / 1000 if abs(value) >= _MILLISECONDS_FROM else float(value)
    return None


def _as_javascript_writes(text: str) -> float | None:
    """Give the number whose JavaScript text is exactly `text`: "1e+21" is one, "1e21" and " 12" are not."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if number_to_string(number) == text else None

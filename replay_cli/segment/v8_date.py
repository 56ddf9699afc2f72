"""How V8's `new Date(text)` reads a text: ISO 8601 first, then dates in nearly any form.

Checked against Node 20 by comparing hundreds of thousands of texts; written from its behaviour. Pure.
"""

import re
from datetime import date
from typing import NamedTuple

LAST = 8_640_000_000_000_000
"""Milliseconds either side of 1970 that a Date can hold (ECMA-262, Time Range)."""

# JavaScript's white space; Python's \s differs (U+FEFF, U+0085, U+001C to U+001F).
SPACE = r"\t\n\v\f\r \xa0\u1680\u2000-\u200a\u202f\u205f\u3000\ufeff"
# How V8 reads ISO 8601: the year may have a sign and six digits, T and Z be small, the offset lack its colon.
ISO = re.compile(
    r"(?!-000000)([+-][0-9]{6}|[0-9]{4})(?:-(0[1-9]|1[0-2])(?:-(0[1-9]|[12][0-9]|3[01]))?)?"
    r"(?:[Tt](?:([01][0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9])(?:\.([0-9]+))?)?|(24):00(?::00(?:\.0+)?)?)"
    r"(?:[Zz]|([+-])([01][0-9]|2[0-3]):?([0-5][0-9]))?)?"
)
# What it keeps, as numbers of a date, of an ISO start that goes on otherwise.
_ISO_START = re.compile(
    r"-000000(?![0-9])|([+-][0-9]{6}|[0-9]{4})(?![0-9])"
    r"(?:-(?:(0[1-9]|1[0-2])(?![0-9])(?:-(?:(0[1-9]|[12][0-9]|3[01])(?![0-9]))?)?)?)?"
)
# To V8 a word is a run of anything from "A" upwards: brackets, emoji, U+2028 too.
_TOKEN = re.compile(rf"(?P<number>[0-9]+)|(?P<space>[{SPACE}]+)|(?P<word>[^\x00-@{SPACE}]+)|(?P<symbol>.)", re.DOTALL)
_PARENTHESIS = re.compile(r"([()])")

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_ZONES = {"ut": 0, "utc": 0, "gmt": 0, "z": 0, "est": -5, "edt": -4, "cst": -6, "cdt": -5}
_ZONES |= {"mst": -7, "mdt": -6, "pst": -8, "pdt": -7}
_WORDS = (
    {name: ("month", number) for number, name in enumerate(_MONTHS, 1)}
    | {name: ("zone", hours) for name, hours in _ZONES.items()}
    | {"am": ("half", 0), "pm": ("half", 12)}
)


def v8_time(text: str) -> int | None:
    """Give the milliseconds since 1970 that V8's `new Date(text)` holds, or None for an invalid date."""
    text = text.partition("\0")[0]
    if found := ISO.fullmatch(text):
        return iso_time(found)
    if start := _ISO_START.match(text):
        return _LenientDate(text[start.end() :], [int(number) for number in start.groups() if number]).time()
    return _LenientDate(text, []).time()


def iso_time(found: re.Match[str]) -> int | None:
    year, month, day, hour, minute, second, fraction, midnight, sign, ahead, past = found.groups("")
    clock = [int(hour or midnight or 0), int(minute or 0), int(second or 0), int(fraction[:3].ljust(3, "0"))]
    offset = (int(ahead or 0) * 60 + int(past or 0)) * 60
    return _time(int(year), int(month or 1), int(day or 1), clock, -offset if sign == "-" else offset)


def _time(year: int, month: int, day: int, clock: list[int], offset: int) -> int | None:
    """Give milliseconds since 1970, or None beyond what a Date can hold; 30 February is 1 or 2 March."""
    # The calendar repeats every 400 years (146,097 days), and Python's knows the years 1 to 9999 only.
    alike = 2000 + year % 400
    days = date(alike, month, 1).toordinal() + (year - alike) // 400 * 146_097 + day - 1
    hour, minute, second, millisecond = clock
    seconds = (days - date(1970, 1, 1).toordinal()) * 86_400 + hour * 3600 + minute * 60 + second - offset
    time = seconds * 1000 + millisecond
    return time if abs(time) <= LAST else None


class _Token(NamedTuple):
    kind: str  # number, space, word, month, zone, half (AM and PM), end, or the symbol itself
    value: int
    length: int


def _token(found: re.Match[str]) -> _Token:
    kind, piece = str(found.lastgroup), found[0]
    if kind == "number":
        return _Token(kind, int(piece.lstrip("0")[:9] or 0), len(piece))  # V8 drops digits past the ninth
    meaning, value = _WORDS.get(piece[:3].lower(), (kind, 0))
    if len(piece) <= 3 or meaning == "month":  # "March" and "marble" are months; "estate" is no zone
        kind = meaning
    return _Token(piece if kind == "symbol" else kind, value, len(piece))


def _without_parentheses(text: str) -> str:
    """Put a comma, which only separates, where "(…)" stood; one left open takes all that follows."""
    depth, kept = 0, []
    for piece in _PARENTHESIS.split(text):
        if piece == "(":
            kept.append("," * (depth == 0))
            depth += 1
        elif piece == ")" and depth:
            depth -= 1
        elif not depth:
            kept.append(piece)
    return "".join(kept)


class _LenientDate:
    """What V8 makes of a date that is not ISO 8601: numbers, names and signs in nearly any order.

    Args:
        text: what is to be read.
        numbers: the numbers of the date that an ISO start has given already, in the order written.
    """

    def __init__(self, text: str, numbers: list[int]) -> None:
        tokens = [_token(found) for found in _TOKEN.finditer(_without_parentheses(text))]
        self._rest = [*tokens, _Token("end", 0, 0)][::-1]  # the next one last
        self._numbers = numbers
        self._number_seen = bool(numbers)
        self._month: int | None = None  # when it is named
        self._clock: list[int] = []  # hour, minute, second, millisecond
        self._half: int | None = None  # 0 for AM, 12 for PM
        self._hours: int | None = None  # of the offset from UTC …
        self._minutes: int | None = None  # … to which its sign is still to be given
        self._sign = 1

    def time(self) -> int | None:
        """Give milliseconds since 1970, or None for an invalid date."""
        while (token := self._rest.pop()).kind != "end":
            if not self._take(token):
                return None
        # V8 keeps the offset in 32 bits, of which the first must stay free.
        offset = ((self._hours or 0) * 3600 + (self._minutes or 0) * 60) % 2**32
        day = self._year_month_day()
        if not (self._settle_clock() and day and offset < 2**31):
            return None
        return _time(*day, self._clock, self._sign * offset)

    def _take(self, token: _Token) -> bool:
        match token.kind:
            case "number":
                self._number_seen = True
                return self._take_number(token.value)
            case "month" | "zone" | "half" | "word":
                return self._take_word(token)
            case "+" | "-" if self._clock or (self._hours == 0 and self._minutes == 0):
                self._number_seen = True
                return self._take_offset(-1 if token.kind == "-" else 1)
            case "+" | "-" | ")":
                return not self._number_seen
        return True  # anything else only separates

    def _skip(self, symbol: str) -> bool:
        return self._rest[-1].kind == symbol and bool(self._rest.pop())

    def _take_number(self, number: int) -> bool:
        if self._skip(":"):
            self._clock.append(number)
            if self._skip(":"):  # "10::" is ten sharp
                self._clock.append(0)
                return len(self._clock) == 2
            self._skip(".")
            return len(self._clock) <= 4
        in_clock = 1 <= len(self._clock) <= 3 and number < (60, 60, 1000)[len(self._clock) - 1]
        dot = self._skip(".")
        if not (dot and in_clock) and self._minutes is None and self._hours is not None and number < 60:
            self._minutes = number
            return True
        if in_clock:
            return self._end_clock(number, dot)
        self._numbers.append(number)
        self._skip("-")
        return len(self._numbers) <= 3

    def _end_clock(self, number: int, dot: bool) -> bool:
        """Take the last number of a time of day, and the fraction behind its dot."""
        after = self._rest[-1]
        fraction = after.value * 1000 // 10 ** min(after.length, 9) if dot else 0
        self._clock = [*self._clock, number, fraction, 0, 0][:4]
        if dot:
            return self._skip("number")
        return after.kind in ("end", "space", "+", "-") or (after.kind == "zone" and after.length == 1)

    def _take_word(self, token: _Token) -> bool:
        if token.kind == "half" and self._clock:
            self._half = token.value
        elif token.kind == "month":
            self._month = token.value
            self._skip("-")
        elif token.kind == "zone" and self._number_seen:
            self._sign = -1 if token.value < 0 else 1
            self._hours, self._minutes = abs(token.value), 0
        else:  # any other word may only come before the first number, and not touch it
            return not self._number_seen and self._rest[-1].kind != "number"
        return True

    def _take_offset(self, sign: int) -> bool:
        self._sign = sign
        number = self._rest[-1]
        length = number.length if self._skip("number") else 0
        if self._rest[-1].kind == ":":
            self._hours, self._minutes = (number.value if length else 0), None
            return True
        self._hours, self._minutes = divmod(number.value, 100) if length > 2 else (number.value, 0)
        return 1 <= length <= 4

    def _settle_clock(self) -> bool:
        self._clock = [*self._clock, 0, 0, 0, 0][:4]
        if self._half is not None:
            if self._clock[0] > 12:
                return False
            self._clock[0] = self._clock[0] % 12 + self._half
        hour, minute, second, millisecond = self._clock
        in_range = hour < 24 and minute < 60 and second < 60 and millisecond < 1000
        return in_range or self._clock == [24, 0, 0, 0]

    def _year_month_day(self) -> tuple[int, int, int] | None:
        if not self._numbers:
            return None
        first, second, third = [*self._numbers, 1, 1][:3]
        if self._month is not None:
            second, third = self._month, second
        if not 1 <= first <= 31:
            year, month, day = first, second, third
        elif self._month is not None:
            day, month, year = first, second, third
        else:
            month, day, year = first, second, third
        if 0 <= year < 100:
            year += 2000 if year < 50 else 1900
        return (year, month, day) if 1 <= month <= 12 and 1 <= day <= 31 else None

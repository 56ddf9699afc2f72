"""The filter `date`, and those that are one of its formats: liquidjs's strftime over JavaScript's dates, in UTC."""

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from replay_cli.segment.javascript import number_to_string
from replay_cli.segment.kit.liquid.coercion import bounded, number, output
from replay_cli.segment.kit.text import text_of
from replay_cli.segment.kit.values import UNDEFINED, is_absent
from replay_cli.segment.v8_date import LAST, v8_time

_CODE = re.compile(r"%([-_0^#:]+)?([0-9]+)?([EO])?(.)")
_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_DEFAULT = "%A, %B %-e, %Y at %-l:%M %P %z"
_WIDTHS = dict.fromkeys("CdeHIklmMSUWy", 2) | {"j": 3, "L": 3, "Y": 4}
_SPACED = frozenset("aAbBceklpP")
_DAY = 86_400_000
_ERA = 146_097
"""Days in 400 years, after which the calendar repeats."""


class _Moment(NamedTuple):
    """A time as it is shown: the calendar's parts, the offset in minutes east, and the zone's name if one was given."""

    year: int
    alike: date
    clock: int
    time: float
    offset: int
    zone: str | None

    @property
    def hour(self) -> int:
        return self.clock // 3_600_000

    @property
    def minute(self) -> int:
        return self.clock // 60_000 % 60

    @property
    def second(self) -> int:
        return self.clock // 1000 % 60

    @property
    def half(self) -> int:
        return self.hour % 12 or 12

    @property
    def weekday(self) -> int:
        """Days since Sunday."""
        return self.alike.isoweekday() % 7

    @property
    def day_of_year(self) -> int:
        return self.alike.timetuple().tm_yday


def _moment(time: float, offset: int, zone: str | None) -> _Moment:
    days, clock = divmod(int(time) + offset * 60_000, _DAY)
    eras, day = divmod(days + date(1970, 1, 1).toordinal() - date(2000, 1, 1).toordinal(), _ERA)
    alike = date.fromordinal(date(2000, 1, 1).toordinal() + day)
    return _Moment(alike.year + 400 * eras, alike, clock, time, offset, zone)


def _parse(value: Any, zone: Any) -> _Moment | None:
    if is_absent(value):
        return None
    if value in ("now", "today"):
        raise ValueError("the date of now would be the time of the replay, not of the message")
    time = _time(value)
    if time is None or not abs(time) <= LAST:
        return None
    if is_absent(zone):
        return _moment(time, 0, None)
    if not isinstance(zone, str):
        return _moment(time, -int(number(zone)), "")
    offset = ZoneInfo(zone).utcoffset(datetime.fromtimestamp(time / 1000, UTC))
    return _moment(time, 0 if offset is None else int(offset.total_seconds() // 60), zone)


def _time(value: Any) -> float | None:
    """Give the milliseconds since 1970 that a value means: numbers, and texts of digits, count seconds."""
    if isinstance(value, str) and not re.fullmatch("[0-9]+", value):
        return v8_time(value)
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, list | dict):
        return v8_time(text_of(value))
    time = number(value) * 1000
    return float(math.trunc(time)) if math.isfinite(time) else None


def _date(value: Any, form: Any = None, zone: Any = UNDEFINED) -> Any:
    moment = _parse(value, zone)
    return value if moment is None else _strftime(moment, _DEFAULT if is_absent(form) else output(form))


def _strftime(moment: _Moment, form: str) -> str:
    size, pieces, start = 0, [], 0
    for found in _CODE.finditer(form):
        piece = form[start : found.start()] + _formatted(moment, found)
        size += len(piece)
        bounded(size)
        pieces.append(piece)
        start = found.end()
    return "".join(pieces) + form[start:]


def _formatted(moment: _Moment, found: re.Match[str]) -> str:
    flags, width, _, code = found.groups("")
    if code not in _CODES and code not in "NzZ":
        return found[0]
    wanted = min(int(width[:9] or 0), 10**8)
    bounded(wanted)
    text = _special(moment, code, flags, wanted) if code in "NzZ" else str(_CODES[code](moment))
    if "^" in flags:
        text = text.upper()
    elif "#" in flags:
        text = text.upper() if re.search("[a-z]", text) else text.lower()
    padding = " " if "_" in flags or (code in _SPACED and "0" not in flags) else "0"
    wanted = 0 if "-" in flags else wanted or _WIDTHS.get(code, 0)
    if padding == "0" and text.startswith("-"):
        return "-" + text[1:].rjust(wanted - 1, padding)
    return text.rjust(wanted, padding)


def _special(moment: _Moment, code: str, flags: str, width: int) -> str:
    if code == "N":
        return f"{moment.clock % 1000:03}"[: width or 9].ljust(width or 9, "0")
    if code == "Z" and (name := "UTC" if moment.zone is None else moment.zone):
        return name
    hours, minutes = divmod(abs(moment.offset), 60)
    return f"{'-' if moment.offset < 0 else '+'}{hours:02}{':' if ':' in flags else ''}{minutes:02}"


def _week(moment: _Moment, first: int) -> int:
    """Give the week of the year; the days before its first Sunday (0) or Monday (1) are in week 0."""
    return (moment.day_of_year - 1 - (moment.weekday - first) % 7 + 7) // 7


def _ordinal(moment: _Moment) -> str:
    day = moment.alike.day
    return "th" if day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _local_date(moment: _Moment) -> str:
    return f"{moment.alike.month}/{moment.alike.day}/{moment.year}"


def _local_time(moment: _Moment) -> str:
    return f"{moment.half}:{moment.minute:02}:{moment.second:02} {'AM' if moment.hour < 12 else 'PM'}"


_CODES: dict[str, Callable[[_Moment], Any]] = {
    "%": lambda moment: "%",
    "A": lambda moment: _DAYS[moment.weekday],
    "B": lambda moment: _MONTHS[moment.alike.month - 1],
    "C": lambda moment: moment.year // 100,
    "H": lambda moment: moment.hour,
    "I": lambda moment: moment.half,
    "L": lambda moment: moment.clock % 1000,
    "M": lambda moment: moment.minute,
    "P": lambda moment: "am" if moment.hour < 12 else "pm",
    "S": lambda moment: moment.second,
    "U": lambda moment: _week(moment, 0),
    "W": lambda moment: _week(moment, 1),
    "X": _local_time,
    "Y": lambda moment: moment.year,
    "a": lambda moment: _DAYS[moment.weekday][:3],
    "b": lambda moment: _MONTHS[moment.alike.month - 1][:3],
    "c": lambda moment: f"{_local_date(moment)}, {_local_time(moment)}",
    "d": lambda moment: moment.alike.day,
    "e": lambda moment: moment.alike.day,
    "h": lambda moment: _MONTHS[moment.alike.month - 1][:3],
    "j": lambda moment: moment.day_of_year,
    "k": lambda moment: moment.hour,
    "l": lambda moment: moment.half,
    "m": lambda moment: moment.alike.month,
    "n": lambda moment: "\n",
    "p": lambda moment: "AM" if moment.hour < 12 else "PM",
    "q": _ordinal,
    "s": lambda moment: number_to_string(moment.time // 1000),
    "t": lambda moment: "\t",
    "u": lambda moment: moment.weekday or 7,
    "w": lambda moment: moment.weekday,
    "x": _local_date,
    "y": lambda moment: moment.year % 100,
}

FILTERS: dict[str, Callable[..., Any]] = {
    "date": _date,
    "date_to_long_string": lambda value: _date(value, "%d %B %Y"),
    "date_to_rfc822": lambda value: _date(value, "%a, %d %b %Y %H:%M:%S %z"),
    "date_to_string": lambda value: _date(value, "%d %b %Y"),
    "date_to_xmlschema": lambda value: _date(value, "%Y-%m-%dT%H:%M:%S%:z"),
}

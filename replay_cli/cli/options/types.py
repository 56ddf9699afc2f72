"""The values that options take, beyond those of click."""

import re
from datetime import UTC, datetime, tzinfo
from difflib import get_close_matches
from typing import Any

import click

from replay_cli.policy import DeadLetterLimit
from replay_cli.schedule import ScheduleError, rates_text, read_rates, read_windows, window_text
from replay_cli.segment.duplicates import LARGEST

MIN_RATE, MAX_RATE = 0.001, 1_000_000.0


class Duration(click.ParamType[float]):
    """A length of time: `90`, `20s`, `15m`, `4h`, `2d`; seconds where no unit is given."""

    name = "duration"
    _UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}  # noqa: RUF012 # a constant of click's own kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return float(value)
        text = str(value).strip().lower()
        number, unit = (text[:-1], text[-1]) if text[-1:] in self._UNITS else (text, "s")
        try:
            seconds = float(number) * self._UNITS[unit]
        except ValueError:
            seconds = float("nan")
        if not 0 < seconds < float("inf"):
            self.fail(f"{value!r} is not a duration: use for example 90s, 15m, 4h or 2d", param, ctx)
        return seconds


class Instant(click.ParamType[datetime]):
    """An instant, given as aware and in UTC: `2025-03-01`, `2025-03-01T10:00`, with seconds, with an offset or `Z`.

    Without an offset it is UTC. A space will do for the T, and Segment's folder names (a Unix time in milliseconds)
    can be used as they are.
    """

    name = "time"
    _FORM = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?", re.ASCII)
    _MILLISECONDS = re.compile(r"[0-9]{12,13}")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        text = str(value).strip().upper()
        try:
            if self._MILLISECONDS.fullmatch(text):
                seconds, milliseconds = divmod(int(text), 1000)
                return datetime.fromtimestamp(seconds, UTC).replace(microsecond=milliseconds * 1000)
            if self._FORM.fullmatch(text):
                moment = datetime.fromisoformat(text)
                return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            pass
        return self.fail(
            f"{value!r} is not a time: use for example 2025-03-01, 2025-03-01T10:00Z, 2025-03-01T10:00:00+02:00, or a "
            "folder name of Segment's (1740787200000); without an offset it is UTC",
            param,
            ctx,
        )


class Line(click.types.StringParamType):
    """A text that may have spaces in it: where the environment gives several, each has a line of its own."""

    envvar_list_splitter = "\n"


class Rate(click.ParamType[float]):
    """Attempts a second: a number more than 0; below four attempts an hour, nobody means it."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            rate = float(value)
        except ValueError:
            rate = float("nan")
        if not MIN_RATE <= rate <= MAX_RATE:
            self.fail(f"{value!r} is not a rate: use a number of attempts a second, for example 250", param, ctx)
        return rate


class SendingWindow(click.ParamType[str]):
    """Times of day at which may be sent: `01:00-06:00`, `mon-fri 22:00-04:00,sat 00:00-24:00`; as one way to say it."""

    name = "window"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return window_text(read_windows(str(value)))
        except ScheduleError as error:
            return self.fail(str(error), param, ctx)


class RateSchedule(click.ParamType[str]):
    """Attempts a second by time of day: `01:00=400,06:00=100`; 0: nothing then; as one way to say it."""

    name = "schedule"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            changes = read_rates(str(value))
        except ScheduleError as error:
            return self.fail(str(error), param, ctx)
        for _, rate in changes:
            if rate and not MIN_RATE <= rate <= MAX_RATE:
                self.fail(f"{rate:g} is not a rate: use a number of attempts a second, or 0 for none", param, ctx)
        return rates_text(changes)


class TimeZone(click.ParamType[str]):
    """The name of a place whose clocks count, as the IANA data base has it: `Europe/Berlin`, `UTC`."""

    name = "zone"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        name = str(value).strip()
        try:
            zone_of(name)
        except (KeyError, ValueError, OSError):  # unknown, no name of a file, or a folder of names
            self.fail(f"{value!r} is no time zone: {_similar_zones(name)}", param, ctx)
        return name


def zone_of(name: str) -> tzinfo:
    """Return a time zone by its name.

    Raises:
        KeyError: there is none of that name.
        ValueError: it could be the name of none.
        OSError: it is a part of names.
    """
    from zoneinfo import ZoneInfo  # what help does without

    return UTC if name == "UTC" else ZoneInfo(name)


def _similar_zones(name: str) -> str:
    """Say which names of zones may be meant; by the last part, too: `berlin`."""
    from zoneinfo import available_timezones

    known = {text.lower(): zone for zone in sorted(available_timezones()) for text in (zone.rsplit("/")[-1], zone)}
    if not known:
        return "this machine knows none but UTC; install the package tzdata"
    found = [name.lower()] if name.lower() in known else get_close_matches(name.lower()[:64], known, n=3)
    similar = dict.fromkeys(known[text] for text in found)
    return f"did you mean {' or '.join(similar)}?" if similar else "use a name like Europe/Berlin"


class MessageCount(click.ParamType[int]):
    """A number of messages: `1000000`, `500k`, `10M`."""

    name = "n"
    _UNITS = {"k": 1_000, "m": 1_000_000}  # noqa: RUF012 # a constant of click's own kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        text = str(value).strip().lower().replace("_", "").replace(",", "")
        number, unit = (text[:-1], self._UNITS[text[-1]]) if text[-1:] in self._UNITS else (text, 1)
        if not number.isascii() or not number.isdigit() or not 0 < int(number[:12]) * unit <= LARGEST:
            self.fail(
                f"{value!r} is no number of messages up to {LARGEST:,}: use for example 500k or 10M",
                param,
                ctx,
            )
        return int(number) * unit


class MostDeadLetters(click.ParamType[DeadLetterLimit]):
    """A number of dead letters, or a share of the records settled: `100`, `0`, `2%`."""

    name = "n|p%"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> DeadLetterLimit:
        if isinstance(value, DeadLetterLimit):
            return value
        text = str(value).strip()
        try:
            if text.endswith("%") and 0 <= (share := float(text[:-1])) <= 100:
                return DeadLetterLimit(share=share / 100)
            if text.isascii() and text.isdigit():
                return DeadLetterLimit(most=int(text))
        except ValueError:
            pass
        return self.fail(f"{value!r} is neither a number nor a share: use for example 500 or 2%", param, ctx)

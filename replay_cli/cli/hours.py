"""The options `--window`, `--rps-schedule` and `--time-zone`: when may be sent, and how fast by the time of day."""

import time
from collections.abc import Mapping
from typing import Any

from replay_cli.cli.destination import Destination
from replay_cli.cli.options.types import zone_of
from replay_cli.pacemaker import Hours
from replay_cli.report.logs import tell
from replay_cli.report.terminal import error_console
from replay_cli.schedule import Rates, Windows, read_rates, read_windows

NOT_COUNTED = "Hours at which --window and --rps-schedule let it wait, or go slower, are not counted."


def hours_from(values: Mapping[str, Any], destination: Destination) -> Hours:
    """Return the hours that the options mean; those of an invocation, or stored ones.

    Raises:
        UsageError: a rate is higher than the destination may be sent to.
    """
    zone = zone_of(values.get("time_zone") or "UTC")
    window, schedule = values.get("window"), values.get("rps_schedule")
    changes = read_rates(schedule) if schedule else ()
    for _, rate in changes:
        destination.require_rate(rate, "--rps-schedule")
    return Hours(
        Windows(read_windows(window), zone) if window else None,
        Rates(changes, zone) if changes else None,
    )


def begin_hours(values: Mapping[str, Any], destination: Destination) -> Hours:
    """Return the hours that the options mean; people are told what was understood.

    Raises:
        UsageError: a rate is higher than the destination may be sent to.
        PausedError: the window is closed now.
    """
    hours, now = hours_from(values, destination), time.time()
    hours.require_open(now)
    for line in hours.explain(now, values["rps"]):
        tell(error_console(), "window", line)
    return hours

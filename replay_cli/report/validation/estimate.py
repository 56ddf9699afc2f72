"""How many requests, how long, what bounds it, and what bulk would save."""

from collections.abc import Mapping
from typing import Any

from replay_cli.report.terminal import count, duration
from replay_cli.report.validation.sheet import Sheet, about, in_utc

_NAME = 40
"""Columns of a user's id at most."""


def print_estimate(sheet: Sheet, estimate: Mapping[str, Any], error: float = 0) -> None:
    """Print the estimate, two lines or three; nothing when nothing would be sent.

    Args:
        sheet: where to.
        estimate: the part of the document.
        error: of the number of requests, one standard error; 0 when they were counted.
    """
    if not estimate["requests"]:
        return
    sheet.gap()
    sheet.fact("estimate", _first(estimate, error), _bound(sheet, estimate), _bulk(estimate))


def _first(estimate: Mapping[str, Any], error: float) -> str:
    requests = about(estimate["requests"], error, "request")
    if estimate["records"] != estimate["requests"]:
        requests += f" for {count(estimate['records'], 'record')}"
    return f"{requests}, {duration(estimate['seconds'])}: begun now, finished {in_utc(estimate['finishes_at'])}"


def _bound(sheet: Sheet, estimate: Mapping[str, Any]) -> str:
    match estimate["bound_by"]:
        case "rps":
            return f"bound by --rps {estimate['rps']:g}"
        case "concurrency":
            latency = f"{1000 * estimate['latency_seconds']:,.0f} ms"
            return f"bound by --concurrency {estimate['concurrency']:,}, where a reply takes {latency}"
        case "users_per_minute":
            return "bound by the users a minute that MoEngage takes: --users-per-minute"
        case "events_per_minute":
            return "bound by the events a minute that MoEngage takes: --events-per-minute"
        case "longest_user":
            pace = "one after the other, within MoEngage's fair usage of a user"
            return f"bound by one user, whose messages go {pace}: {_longest(sheet, estimate)}"
        case "order":
            return "bound by the users' order: a bulk request waits for the reply to the one before"
        case "reading":
            return "bound by reading the archive"
    return f"bound by {sheet.name(str(estimate['bound_by']), _NAME)}"


def _longest(sheet: Sheet, estimate: Mapping[str, Any]) -> str:
    longest = estimate["longest_user"]
    if not longest:
        return "the one with the most of them"
    return f"{sheet.name(longest['user'], _NAME)} with {longest['requests']:,}"


def _bulk(estimate: Mapping[str, Any]) -> str:
    bulk = estimate["bulk"]
    if not bulk:
        return ""
    if not bulk["requests"]:
        return "--api bulk: none of it could be sent"
    less = f", {100 * bulk['saves']:.0f} % less time" if bulk["saves"] > 0 else ""
    left_out = f"; about {count(bulk['left_out'], 'record')} would be left out" if bulk["left_out"] else ""
    return f"--api bulk: about {count(bulk['requests'], 'request')}, {duration(bulk['seconds'])}{less}{left_out}"

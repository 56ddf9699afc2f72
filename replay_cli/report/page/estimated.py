"""The estimate: how many requests, how long they take, what bounds them (pure)."""

from collections.abc import Mapping
from typing import Any

from replay_cli.report.page.blocks import Block, Fact, Facts, Note, Section
from replay_cli.report.page.numbers import count, figures, lasting, moment, percent

_BOUNDS = {
    "rps": "the cap, {rps} requests a second (--rps), is what bounds it",
    "concurrency": "the {concurrency} requests that may be under way at once (--concurrency) are what bounds it",
    "longest_user": (
        "one user's requests take longest, for they go one after the other and within MoEngage's fair usage of a user: "
        "no higher cap would help"
    ),
    "users_per_minute": "MoEngage's budget of users a minute is what bounds it",
    "events_per_minute": "MoEngage's budget of events a minute is what bounds it",
    "order": "each batch waits for the replies to the one before, whose users it shares; that is what bounds it",
    "reading": "reading the archive takes longer than sending what is meant of it",
}


def estimated(estimate: Mapping[str, Any]) -> Section:
    """Show an estimate; all of a validation's and a plan's estimates have the same form."""
    if not estimate["requests"]:
        return Section("estimate", "How long it would take", [Note("There is nothing to send.")])
    facts = [
        Fact("duration", lasting(estimate["seconds"]), f"at {figures(estimate['rps'])} requests a second at most"),
        Fact("requests", estimate["requests"], f"of {count(estimate['records'], 'record')}"),
        Fact("finished", _minute(estimate["finishes_at"]), "UTC, begun now, if all goes well"),
    ]
    blocks: list[Block] = [Facts(facts), Note(_bound(estimate))]
    blocks += [Note(text) for text in (_longest(estimate), _bulk(estimate["bulk"])) if text]
    return Section("estimate", "How long it would take", blocks)


def _minute(seconds: float) -> str:
    return moment(seconds).removesuffix(" UTC").rsplit(":", 1)[0]


def _bound(estimate: Mapping[str, Any]) -> str:
    words = _BOUNDS.get(estimate["bound_by"], "{bound_by} is what bounds it").format(
        bound_by=estimate["bound_by"], rps=figures(estimate["rps"]), concurrency=figures(estimate["concurrency"])
    )
    latency = f"{1000 * estimate['latency_seconds']:,.0f} ms"
    return f"{words[0].upper()}{words[1:]}. An answer is taken to need {latency}."


def _longest(estimate: Mapping[str, Any]) -> str:
    longest = estimate["longest_user"]
    if not longest or longest["requests"] < 2:
        return ""
    return (
        f"Each user's messages go in order, one after the other: {longest['user']} has most, "
        f"{longest['requests']:,}, which take {lasting(longest['seconds'])} at least."
    )


def _bulk(bulk: Mapping[str, Any] | None) -> str:
    if not bulk:
        return ""
    left = ""
    if bulk["left_out"]:
        left = f" It would leave about {count(bulk['left_out'], 'record')} out: it takes those of known users only."
    if not bulk["requests"]:
        return "In bulk (--api bulk) none of it could be sent."
    if bulk["saves"] <= 0:
        return f"In bulk (--api bulk) nothing would be saved: {lasting(bulk['seconds'])}.{left}"
    return (
        f"In bulk (--api bulk) it would be about {count(bulk['requests'], 'request')} and take "
        f"{lasting(bulk['seconds'])}, "
        f"{percent(bulk['saves'], 1)} less.{left}"
    )

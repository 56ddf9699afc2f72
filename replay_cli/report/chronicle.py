"""What a job did, for its page: the summary, and what happened when, of what, and who let it run."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, takewhile
from math import ceil, floor
from typing import Any

from replay_cli.report.summary import Summary

Chronicle = dict[str, Any]
"""Plain JSON values; the page is drawn from them."""

OF_USERS = "(attributes of users)"
"""The event of records that update a user and are no event."""
NO_DAY = "(no time)"
_SEEN_EVERY = 2.0
"""Seconds within which a run that goes on says so."""
_RUNNING: Mapping[str, Any] = {"state": "running", "reason": ""}
_DIED: Mapping[str, Any] = {"state": "interrupted", "reason": "it died"}
MOST_RUNS = 500
"""So many runs are told, the last ones: a job in a crontab has thousands."""


def make_chronicle(
    *,
    at: float,
    version: str,
    summary: Summary,
    rps: float,
    timeline: Sequence[Mapping[str, Any]],
    latency: Mapping[str, float] | None,
    by_event: Mapping[str, int],
    by_day: Mapping[str, int],
    by_event_and_day: Mapping[tuple[str, str], int],
    rejections: Sequence[Mapping[str, Any]],
    runs: Sequence[Mapping[str, Any]],
) -> Chronicle:
    """Put what a checkpoint tells into one document.

    Args:
        at: when it was asked (POSIX seconds).
        version: of this program.
        summary: the job's.
        rps: the cap of the last run.
        timeline: what happened in each interval, in order; it comes back with the times in which no run was cut off.
        latency: of all whole replies, in milliseconds; None when there was none.
        by_event: records that became requests, by event as sent.
        by_day: the same by day.
        by_event_and_day: the same by both, the rarest of them together.
        rejections: kind, reason, n and examples of what was not delivered.
        runs: the job's runs, oldest first.
    """
    pairs = sorted(by_event_and_day.items(), key=lambda item: (item[0][1], -item[1], item[0][0]))
    return {
        "kind": "run",
        "at": at,
        "version": version,
        "summary": summary,
        "rps": int(rps) if rps.is_integer() else rps,
        "cap_note": _cap_note(rps, len(runs)),
        "timeline": list(_without_rest(timeline, runs)),
        "latency_ms": None if latency is None else dict(latency),
        "content": {
            "by_day": {day or NO_DAY: n for day, n in sorted(by_day.items())},
            "by_event": {event or OF_USERS: n for event, n in sorted(by_event.items(), key=lambda item: -item[1])},
            "by_event_and_day": [[event or OF_USERS, day or NO_DAY, n] for (event, day), n in pairs],
        },
        "rejections": [dict(rejection) for rejection in rejections],
        "history": history(runs, running=summary["state"] == "running"),
        "earlier_runs": max(0, len(runs) - MOST_RUNS),
    }


def _cap_note(rps: float | None, runs: int) -> str:
    """Say what the cap is that the throughput is drawn against."""
    return f"--rps {rps:g}" if runs < 2 else f"--rps {rps:g} of the last run; earlier ones may have had another"


def _without_rest(timeline: Sequence[Mapping[str, Any]], runs: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Cut off what of an interval no run was in, or a short run would seem to be a slow one."""
    first = 0
    for interval in timeline:
        begin, end = interval["at"], interval["at"] + interval["seconds"]
        while first < len(runs) and _end(runs[first]) <= begin:
            first += 1
        within = list(takewhile(lambda run: run["started"] < end, islice(runs, first, None)))  # noqa: B023 # used up here
        if within:
            begin = max(begin, floor(within[0]["started"]))
            end = max(begin + 1, min(end, max(ceil(_end(run)) for run in within)))
        paused = min(interval["paused_seconds"], end - begin)
        yield {**interval, "at": begin, "seconds": end - begin, "paused_seconds": paused}


def _end(run: Mapping[str, Any]) -> float:
    """Return when a run ended (POSIX seconds), or a time at which it was no more alive, or not much longer."""
    return float(run["seen"]) + (_SEEN_EVERY if run["state"] == "running" else 0.0)


def history(runs: Sequence[Mapping[str, Any]], *, running: bool) -> list[dict[str, Any]]:
    """Say how the last runs went, oldest first, and who ran them.

    Args:
        runs: the job's, oldest first.
        running: whether the last of them is on.
    """
    last = runs[-1:] if running else ()
    return [_told(run, _RUNNING if run in last else _DIED) for run in runs[-MOST_RUNS:]]


def _told(run: Mapping[str, Any], without_end: Mapping[str, str]) -> dict[str, Any]:
    """Say how a run went; `without_end` says it of one that has noted no end."""
    ending = without_end if run["state"] == "running" else {"state": run["state"], "reason": run["reason"]}
    who = {name: run[name] for name in ("user", "host", "pid", "version")}
    when = {"started": run["started"], "ended": run["seen"], "kind": run["kind"]}
    return {**when, **ending, **who}

"""A job at one glance, besides its book: who runs it, how fast, how long still, what fails, what was before (pure)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from replay_cli.report.chronicle import history

Glance = dict[str, Any]
"""Plain JSON values; they go into the JSON of `replay status` beside the summary."""

LAST_MINUTE = 60.0
MOST_RUNS, MOST_ERRORS = 5, 5
"""So many of the last runs, and of the last intervals with failures, are told."""
SILENT_AFTER = 60.0
"""Seconds after which a run that says nothing is worth a word: it says something at least every ten."""


def make_glance(
    *,
    now: float,
    running: bool,
    records: Mapping[str, int],
    runs: Sequence[Mapping[str, Any]],
    timeline: Sequence[Mapping[str, Any]],
    letters: Sequence[Mapping[str, Any]],
    unread: float | None,
    rps: float,
    lost: Sequence[Mapping[str, Any]] = (),
    owner: str = "",
    pushed: float | None = None,
    latest: Sequence[Mapping[str, Any]] | None = None,
) -> Glance:
    """Put what a checkpoint tells of this moment into one document; all times are POSIX seconds.

    Args:
        now: this moment.
        running: whether a run holds the checkpoint.
        records: the book: read, delivered, skipped, rejected, dead_lettered, pending.
        runs: the job's, oldest first.
        timeline: what happened in each interval, in order.
        letters: what was rejected or given up last.
        unread: about how many records are not read yet; None: nobody can tell.
        rps: the cap of the last run.
        lost: what may have been sent by a machine that was lost: uri, first, next.
        owner: who holds or held a checkpoint on S3.
        pushed: when that was stored there.
        latest: what happened in each interval of the last run alone; None: it was the only one.
    """
    run = runs[-1] if running and runs and runs[-1]["state"] == "running" else None
    begin = max(now - LAST_MINUTE, 0.0 if run is None else run["started"])
    own = timeline if latest is None else latest
    recent = [interval for interval in own if interval["at"] + interval["seconds"] > begin]
    rate = _rate(recent, begin, now, rps) if run is not None else None
    return {
        "running": _who(run, owner) if running else None,
        "rate": rate,
        "eta_seconds": _time_left(rate, records, unread),
        "held_back": _held_back(recent) if run is not None else None,
        "last_errors": _errors(timeline),
        "last_letters": [dict(letter) for letter in letters],
        "runs": _runs(runs, running=running),
        "lost": [dict(each) for each in lost],
        "remote": {"owner": owner, "pushed": pushed} if owner or pushed is not None else None,
    }


def _who(run: Mapping[str, Any] | None, owner: str) -> dict[str, Any]:
    """Say who runs it; of a run that has not begun to send, nothing is known."""
    names = ("kind", "pid", "user", "host", "version", "started", "seen")
    return {name: None if run is None else run[name] for name in names} | {"owner": owner or None}


def _rate(recent: Sequence[Mapping[str, Any]], begin: float, now: float, rps: float) -> dict[str, float]:
    """Return attempts and records a second in some intervals, of which the first began before `begin`, or later."""
    first = recent[0]["at"] if recent and now - begin >= LAST_MINUTE else begin
    seconds = max(1.0, now - first)
    return {
        "attempts_per_second": round(sum(interval["attempts"] for interval in recent) / seconds, 1),
        "delivered_per_second": round(sum(interval["delivered"] for interval in recent) / seconds, 1),
        "cap": rps,
    }


def _time_left(rate: Mapping[str, float] | None, records: Mapping[str, int], unread: float | None) -> float | None:
    """Return about how many seconds are left, if what is not read is like what was; None: nobody can tell."""
    if rate is None or unread is None or not rate["delivered_per_second"]:
        return None
    sendable = records["delivered"] + records["dead_lettered"] + records["pending"]
    left = records["pending"] + unread * sendable / records["read"] if records["read"] else 0.0
    return round(left / rate["delivered_per_second"], 1)


def _held_back(recent: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Say for how long all were held back in some intervals, and which replies failed; None: nothing of it."""
    paused = sum(interval["paused_seconds"] for interval in recent)
    failing = sum((Counter(_failing(interval)) for interval in recent), Counter[str]())
    if not (paused or failing):
        return None
    return {
        "paused_seconds": round(paused, 1),
        "of_seconds": sum(interval["seconds"] for interval in recent),
        "failing": dict(failing),
    }


def _failing(interval: Mapping[str, Any]) -> dict[str, int]:
    return {label: n for label, n in interval["by_status"].items() if not label.startswith("2")}


def _errors(timeline: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return when replies failed last, oldest first: at, seconds, replies by status or failure."""
    failed = [interval for interval in timeline if _failing(interval)][-MOST_ERRORS:]
    return [{"at": each["at"], "seconds": each["seconds"], "by_status": _failing(each)} for each in failed]


def _runs(runs: Sequence[Mapping[str, Any]], *, running: bool) -> list[dict[str, Any]]:
    last = runs[-MOST_RUNS:]
    told = history(last, running=running and bool(last) and last[-1]["state"] == "running")
    return [each | {"delivered": run["delivered"]} for each, run in zip(told, last, strict=True)]

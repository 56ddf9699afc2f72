"""The summary of a job: the numbers of its closed book, its JSON form, and the exit code that follows."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Summary = dict[str, Any]
"""The JSON form; its fields are documented in the README."""

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_INCOMPLETE, EXIT_PAUSED = 0, 1, 2, 3, 4
EXIT_SIGNALS = {"SIGHUP": 129, "SIGINT": 130, "SIGTERM": 143}
OUTCOMES = ("delivered", "skipped", "rejected", "dead_lettered")


def make_summary(
    *,
    state: str,
    reason: str,
    book: Mapping[str, Mapping[str, int]],
    totals: Mapping[str, int],
    replies: Mapping[str, int],
    damage: Mapping[str, str],
    changed: list[str],
    run: Mapping[str, Any],
    elapsed: float,
    checkpoint: Path | None,
    dead_letters: Path | None,
    amendments: Sequence[Mapping[str, Any]] = (),
    continued: Sequence[str] = (),
    job: Mapping[str, Any] | None = None,
    examples: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    overlap: Mapping[str, Any] | None = None,
) -> Summary:
    """Put a job's numbers into the documented form.

    Args:
        state: running, complete, paused, interrupted or failed.
        reason: why, in a sentence; empty when there is nothing to say.
        book: outcome → reason → records.
        totals: read, pending, parked, in_doubt, objects, complete, ignored, peak, and whether it is still `listing`.
        replies: status or failure → attempts.
        damage: uri → what is wrong with it, of the objects that could not be read to their end.
        changed: uris of objects that changed after they were finished.
        run: the same for this invocation, from `run_numbers`.
        elapsed: seconds of all runs of the job.
        checkpoint: its path.
        dead_letters: the file of undelivered records, where there is one.
        amendments: the settings that were changed in mid-job: at (POSIX seconds), reason, setting, before, after.
        job: its sources, endpoint, workspace_id and settings; None where there is no job.
        examples: rule → a few records that its warning is about: uri, line or row (1-based), detail.
        continued: uris of objects that changed in mid-job and were gone on with.
        overlap: what is sent again knowingly: how many objects, and the jobs that have sent them; None: nothing.
    """
    return {
        "state": state,
        "reason": reason,
        "job": dict(job) if job is not None else None,
        "records": _records(book, totals["read"], totals["pending"]),
        "skipped": dict(book.get("skipped", {})),
        "rejected": dict(book.get("rejected", {})),
        "dead_lettered": dict(book.get("dead_lettered", {})),
        "warnings": dict(book.get("warning", {})),
        "warning_examples": {rule: [dict(each) for each in found] for rule, found in (examples or {}).items()},
        "parked": totals.get("parked", 0),
        "in_doubt": totals["in_doubt"],
        "requests": _requests(replies, totals["peak"]),
        "objects": {
            "total": totals["objects"],
            "listing": bool(totals.get("listing")),
            "complete": totals["complete"],
            "damaged": list(damage),
            "damage": dict(damage),
            "changed": changed,
            "continued": list(continued),
            "ignored": totals["ignored"],
        },
        "overlap": dict(overlap) if overlap is not None else None,
        "amendments": [dict(amendment) for amendment in amendments],
        "run": dict(run),
        "elapsed_seconds": round(elapsed, 3),
        "checkpoint": str(checkpoint) if checkpoint else None,
        "dead_letters": str(dead_letters) if dead_letters else None,
    }


def run_numbers(
    read: int,
    records: Counter[tuple[str, str]],
    replies: Mapping[str, int],
    peak: int,
    in_doubt: int,
    elapsed: float,
) -> dict[str, Any]:
    """Put one run's numbers into the form of the summary's `run`; `pending` belongs to the job alone."""
    book: dict[str, dict[str, int]] = {}
    for (outcome, reason), n in records.items():
        book.setdefault(outcome, {})[reason] = n
    numbers = _records(book, read, 0)
    del numbers["pending"]
    return {
        "records": numbers,
        "requests": _requests(replies, peak),
        "in_doubt": in_doubt,
        "elapsed_seconds": round(elapsed, 3),
    }


def _records(book: Mapping[str, Mapping[str, int]], read: int, pending: int) -> dict[str, int]:
    return {"read": read} | {name: sum(book.get(name, {}).values()) for name in OUTCOMES} | {"pending": pending}


def _requests(replies: Mapping[str, int], peak: int) -> dict[str, Any]:
    return {
        "attempts": sum(replies.values()),
        "by_status": dict(sorted(replies.items())),
        "peak_per_second": peak,
    }


def exit_code(summary: Summary) -> int:
    """Return the exit code that a summary means."""
    state = summary["state"]
    if state == "interrupted":
        return EXIT_SIGNALS.get(summary["reason"], EXIT_FAILED)
    if state == "failed":
        return EXIT_FAILED
    if state == "paused":
        return EXIT_PAUSED
    records = summary["records"]
    undelivered = records["rejected"] or records["dead_lettered"] or summary["objects"]["damaged"]
    return EXIT_INCOMPLETE if undelivered else EXIT_OK


def run_state(runs: Sequence[Mapping[str, Any]], *, running: bool) -> tuple[str, str]:
    """Return a job's state and its reason, as of its last run.

    Args:
        runs: the job's runs, oldest first.
        running: whether a process holds the checkpoint now.
    """
    if running:
        return "running", ""
    if not runs:
        return "paused", "nothing was sent yet"
    last = runs[-1]
    if last["kind"] == "redrive" and last["state"] == "complete":  # it says nothing of what is left to read
        last = next((entry for entry in reversed(runs) if entry["kind"] != "redrive"), last)
    if last["state"] == "running":
        return "interrupted", f"the last run (pid {last['pid']} on {last['host']}) died"
    return str(last["state"]), str(last["reason"])

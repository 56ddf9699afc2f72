"""What a checkpoint says of its job: the summary, and the document of its page."""

import time
from pathlib import Path
from typing import Any

from replay_cli import __version__
from replay_cli.job import dead_letter_path, plain_dead_letter_path
from replay_cli.ledger.history import sent_again
from replay_cli.ledger.intervals import total
from replay_cli.ledger.store import Store
from replay_cli.ledger.timeline import latency_document
from replay_cli.report.chronicle import Chronicle, make_chronicle
from replay_cli.report.summary import Summary, make_summary
from replay_cli.report.terminal import count

NOTHING_MEANT = "nothing under the sources lies within the selection, as the paths tell it"
ALL_SKIPPED = "nothing was sent: all that was read is skipped, for the reasons below"


def about_completion(store: Store, reason: str = "") -> str:
    """Say what is to be known of a job that is complete; empty when it has sent everything of whole objects.

    Args:
        store: its checkpoint.
        reason: what is said already, if anything.
    """
    totals, outcomes = store.totals(), store.tallies()
    if not reason and not totals["objects"]:
        reason = NOTHING_MEANT
    elif not reason and outcomes.get("skipped") and not outcomes.keys() - {"skipped", "warning"}:
        reason = ALL_SKIPPED
    damaged = len(store.damaged())
    not_whole = f"{count(damaged, 'object')} {'is' if damaged == 1 else 'are'} not whole" if damaged else ""
    return "; ".join(filter(None, (reason, not_whole)))


def summarize(store: Store, path: Path, state: str, reason: str, run: dict[str, Any]) -> Summary:
    """Make the summary of a job from its checkpoint."""
    totals, replies = store.totals(), store.replies()
    letters = (dead_letter_path(path), plain_dead_letter_path(path))
    if state == "running":
        totals["in_doubt"] -= totals["intended"]  # on their way
    elif totals["intended"]:
        replies["interrupted"] = replies.get("interrupted", 0) + totals["intended"]
    return make_summary(
        state=state,
        reason=reason,
        book=store.tallies(),
        totals=totals,
        replies=replies,
        damage=dict(store.damaged()),
        changed=store.changed(),
        amendments=store.amendments(),
        continued=store.continued(),
        examples=store.examples(),
        overlap=sent_again(store),
        job=store.stored_job(),
        run=run,
        elapsed=sum(entry["seen"] - entry["started"] for entry in store.runs()),
        checkpoint=path,
        dead_letters=next((file for file in letters if file.exists() and file.stat().st_size), None),
    )


def chronicle_of(store: Store, summary: Summary) -> Chronicle:
    """Return what a job's page shows, from its checkpoint.

    Args:
        store: the checkpoint; it may be written meanwhile.
        summary: the job's, from there.
    """
    intervals, content, pace = store.timeline(), store.content(), store.pace()
    whole = total(intervals)
    latency = latency_document(whole.latencies, whole.slowest)
    return make_chronicle(
        at=time.time(),
        version=__version__,
        summary=summary,
        rps=float(pace.get("rps", 0)),
        timeline=[interval.document() for interval in intervals],
        latency=None if latency is None else latency | {"max": round(whole.slowest * 1000, 1)},
        by_event=content.by_event,
        by_day=content.by_day,
        by_event_and_day=content.by_event_and_day,
        rejections=store.undelivered(),
        runs=store.runs(),
    )

"""The page of a run: what a checkpoint tells of a job (pure)."""

from collections.abc import Mapping, Sequence
from typing import Any

from replay_cli.report.page.blocks import Block, Fact, Facts, Headline, Note, Page, Part, Section, Stack, Table
from replay_cli.report.page.numbers import count, duration, figures, moment, percent, share
from replay_cli.report.page.parts import job_section, objects, reasons, section, sections
from replay_cli.report.page.run_content import content
from replay_cli.report.page.run_timeline import over_time

_TONES = {"complete": "accent", "running": "accent", "paused": "wait"}
_TITLES = {
    "complete": "Complete",
    "running": "Still running",
    "paused": "Paused",
    "interrupted": "Interrupted",
    "failed": "Failed",
}
_BOOK = (
    ("delivered", "delivered", "accent", "MoEngage answered that it has them"),
    ("skipped", "skipped", "mute", "not meant to be sent"),
    ("rejected", "rejected", "bad", "cannot be sent as they are"),
    ("dead_lettered", "dead-lettered", "odd", "were tried, and given up; they can be sent again"),
    ("pending", "pending", "wait", "still to be sent"),
)


def run_page(document: Mapping[str, Any]) -> Page:
    """Return the page of a run's document (`kind` run), its texts tidied."""
    summary = document["summary"]
    state = _TITLES.get(summary["state"], str(summary["state"]))
    return Page(
        title=f"Replay: {state.lower()}",
        headline=_headline(document, state),
        sections=sections(
            _book(document),
            over_time(document),
            content(document["content"]),
            _not_sent(document),
            section(
                "objects",
                "Objects",
                objects(summary["objects"]),
                otherwise="All objects that were read are whole, and none changed under the job.",
            ),
            job_section(summary["job"]),
            _history(document["history"], document["earlier_runs"]),
            _amendments(summary["amendments"]),
        ),
        made=_made(document),
    )


def _headline(document: Mapping[str, Any], state: str) -> Headline:
    summary = document["summary"]
    job = summary["job"]
    where = f"Workspace {job['workspace_id']} at {job['endpoint']}" if job else ""
    return Headline(
        kind="Replay",
        state=state,
        tone=_tone(summary),
        reason=summary["reason"],
        steps=_steps(summary),
        under=[each for each in (where, f"As of {moment(document['at'])}") if each],
    )


def _tone(summary: Mapping[str, Any]) -> str:
    """Return the tone of a state; what is complete, but not all delivered, deserves a look."""
    records = summary["records"]
    undelivered = records["rejected"] or records["dead_lettered"] or summary["objects"]["damage"]
    if summary["state"] == "complete" and undelivered:
        return "wait"
    return _TONES.get(summary["state"], "bad")


def _steps(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what to do next, each with its command or an empty one."""
    steps: list[tuple[str, str]] = []
    checkpoint = summary["checkpoint"]
    match summary["state"]:
        case "paused" | "interrupted" if checkpoint:
            steps.append(("Go on with the same command, or with", f"replay resume {checkpoint}"))
        case "failed":
            steps.append(("Mend what the reason names, then run the same command again: it goes on from there.", ""))
        case "running":
            steps.append(("The job is under way: these are its numbers so far.", ""))
    if summary["records"]["dead_lettered"] and checkpoint:
        steps.append(("Dead letters are kept. Send them again with", f"replay redrive {checkpoint}"))
    if summary["in_doubt"] and checkpoint:
        doubts = f"{count(summary['in_doubt'], 'attempt')} may have arrived, no answer was seen. List them with"
        steps.append((doubts, f"replay status --in-doubt {checkpoint}"))
    if summary["records"]["rejected"]:
        steps.append(("Rejected records are not sent again by a redrive: see what is wrong with them below.", ""))
    if summary["objects"]["damage"]:
        steps.append(("Objects are not whole: what is wrong with each is named below.", ""))
    return steps or [("Nothing is left to do.", "")]


def _book(document: Mapping[str, Any]) -> Section:
    summary = document["summary"]
    records = summary["records"]
    read = records["read"]
    parts = [
        Part(label, records[name], share(records[name], read), percent(records[name], read), tone, about)
        for name, label, tone, about in _BOOK
        if records[name] or name == "delivered"
    ]
    blocks: list[Block] = [Stack("records read", read, parts), Facts(_facts(document))]
    if summary["parked"]:
        parked = f"{summary['parked']:,} of the pending records wait in the checkpoint"
        blocks.append(Note(f"{parked}: their user waits for a message that fails, or for its turn."))
    return Section("book", "The book", blocks, "Every record that was read is in exactly one part of it.")


def _facts(document: Mapping[str, Any]) -> list[Fact]:
    summary = document["summary"]
    requests, found = summary["requests"], summary["objects"]
    listed = "so far, there may be more" if found["listing"] else f"of {found['total']:,}"
    ignored = f", {count(found['ignored'], 'name')} ignored" if found["ignored"] else ""
    facts = [
        Fact("attempts", requests["attempts"], "requests sent, retries included"),
        Fact("peak", requests["peak_per_second"], f"in any one second; the cap is {figures(document['rps'])}"),
        Fact("objects finished", found["complete"], listed + ignored),
        Fact("time", duration(summary["elapsed_seconds"]), "of all runs together"),
    ]
    if summary["in_doubt"]:
        facts.insert(1, Fact("in doubt", summary["in_doubt"], "attempts that perhaps arrived", "wait"))
    return facts


def _not_sent(document: Mapping[str, Any]) -> Section | None:
    summary = document["summary"]
    warned = summary["warning_examples"]
    examples: dict[str, dict[str, Sequence[Mapping[str, Any]]]] = {"rejected": {}, "dead_lettered": {}}
    for entry in document["rejections"]:
        examples.setdefault(entry["kind"], {})[entry["reason"]] = entry["examples"]
    return section(
        "not-sent",
        "What was not sent, and why",
        [
            reasons("Rejected: cannot be sent as they are", summary["rejected"], examples["rejected"], "bad"),
            reasons("Dead letters: tried, and given up", summary["dead_lettered"], examples["dead_lettered"], "odd"),
            reasons("Warnings: perhaps not as it is meant", summary["warnings"], warned, "wait"),
            reasons("Skipped: not meant to be sent", summary["skipped"], {}, "mute"),
        ],
        otherwise="Nothing was skipped, rejected or given up, and there were no warnings.",
    )


def _history(runs: Sequence[Mapping[str, Any]], earlier: int) -> Section | None:
    if not runs:
        return None
    rows = [
        (
            moment(run["started"]),
            moment(run["ended"]),
            str(run["kind"]),
            f"{run['state']}: {run['reason']}" if run["reason"] else str(run["state"]),
            f"{run['user'] or '?'} on {run['host']}",
            f"{run['version']}",
        )
        for run in list(runs)[-100:]
    ]
    whole = len(runs) + earlier
    about = f"The last {len(rows)} of {whole:,}." if whole > len(rows) else ""
    table = Table("", ("Started", "Ended", "What", "How it ended", "Who", "Version"), rows, about)
    return Section("history", "Runs of this job", [table])


def _amendments(amendments: Sequence[Mapping[str, Any]]) -> Section | None:
    if not amendments:
        return None
    rows = [
        (
            moment(each["at"]),
            f"--{each['setting'].replace('_', '-')}",
            str(each["before"]),
            str(each["after"]),
            str(each["reason"]),
        )
        for each in amendments[-100:]
    ]
    table = Table("", ("At", "Setting", "Was", "Is", "Because"), rows)
    about = "Settings that were changed in mid-job, on purpose: records before that were sent by the old ones."
    return Section("amendments", "Amendments", [table], about)


def _made(document: Mapping[str, Any]) -> str:
    return f"Made by replay {document['version']} at {moment(document['at'])}. All times are UTC."

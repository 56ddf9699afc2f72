"""The page of a validation: what is in an archive, and what sending it would be like (pure)."""

from collections.abc import Mapping
from typing import Any

from replay_cli.report.page.blocks import Block, Fact, Facts, Headline, Page, Part, Section, Stack
from replay_cli.report.page.estimated import estimated
from replay_cli.report.page.numbers import count, duration, moment, percent, share, size
from replay_cli.report.page.parts import job_section, named, objects, ranked, reasons, section, sections
from replay_cli.report.page.validation_people import consent, hot_users, identity, names
from replay_cli.report.page.validation_times import times

_BOOK = (
    ("sendable", "would be sent", "accent", "become requests"),
    ("skipped", "would be skipped", "mute", "not meant to be sent"),
    ("rejected", "would be rejected", "bad", "cannot be sent as they are"),
)


def validation_page(document: Mapping[str, Any]) -> Page:
    """Return the page of a validation's document (`kind` validation), its texts tidied."""
    return Page(
        title=f"Validation: {document['reason']}",
        headline=_headline(document),
        sections=sections(
            estimated(document["estimate"]),
            _book(document),
            _problems(document),
            _composition(document),
            times(document["times"], document["by_received_day"], document["records"]["sendable"]),
            _people(document),
            names(document["names"]),
            consent(document["consent"]),
            _objects(document["objects"]),
            job_section(document["job"]),
        ),
        made=_made(document),
    )


def _headline(document: Mapping[str, Any]) -> Headline:
    sendable = document["sendable"]
    whole = not document["objects"]["damaged"]
    reason = str(document["reason"])
    if document["state"] == "interrupted":
        step = "Nothing has been sent. All of this is of what was read until then."
    elif not document["records"]["sendable"]:
        step = "Nothing has been sent, and of what was read nothing would be."
    elif sendable:
        step = "Nothing has been sent. When the estimate suits you, run the same with replay run."
    elif whole:
        step = "Nothing has been sent. See below what is wrong; replay run would send the rest and list these."
    else:
        step = "Nothing has been sent. See below what is wrong and which objects are not whole."
    job = document["job"]
    under = [each for each in (named(job["sources"]), _destination(job), f"As of {moment(document['at'])}") if each]
    state = reason[:1].upper() + reason[1:]
    tone = "accent" if sendable and document["state"] == "complete" else "bad"
    return Headline("Validation", state, tone, "", [(step, "")], under)


def _destination(job: Mapping[str, Any]) -> str:
    if not job.get("endpoint"):
        return ""
    workspace = f"Workspace {job['workspace_id']} at " if job.get("workspace_id") else "For "
    return f"{workspace}{job['endpoint']}"


def _book(document: Mapping[str, Any]) -> Section:
    records, found = document["records"], document["objects"]
    read = records["read"]
    parts = [
        Part(label, records[name], share(records[name], read), percent(records[name], read), tone, about)
        for name, label, tone, about in _BOOK
        if records[name] or name == "sendable"
    ]
    warnings = sum(document["warnings"].values())
    workers = count(document["workers"], "worker")
    empty = f", {found['empty']:,} of them empty" if found["empty"] else ""
    facts = [
        Fact("objects", found["total"], f"{size(found['bytes'])} as stored{empty}"),
        Fact("warnings", warnings, *(("worth a look before anything is sent", "wait") if warnings else ())),
        Fact("read in", duration(document["elapsed_seconds"]), f"by {workers}, engine {document['engine']}"),
    ]
    return Section(
        "book",
        "What would become of it",
        [Stack("records read", read, parts), Facts(facts)],
        "Every record is in exactly one part.",
    )


def _problems(document: Mapping[str, Any]) -> Section | None:
    examples = document["examples"]
    return section(
        "problems",
        "What would not be sent, and why",
        [
            reasons("Rejected: cannot be sent as they are", document["rejected"], examples["rejected"], "bad"),
            reasons("Warnings: worth a look before sending", document["warnings"], examples["warnings"], "wait"),
            reasons("Skipped: not meant to be sent", document["skipped"], examples["skipped"], "mute"),
        ],
        "With the first records found of each. Write keys are masked.",
        "Nothing would be skipped or rejected, and there are no warnings.",
    )


def _composition(document: Mapping[str, Any]) -> Section | None:
    blocks: list[Block | None] = [
        ranked("By type", document["by_type"]),
        ranked("By event", document["by_event"]),
        ranked("By source", document["by_source"], about="The source's id, as the path or the message tells it."),
        ranked("By library", document["by_library"], about="What the messages were sent with (context.library)."),
    ]
    return section("composition", "What is in it", blocks, "All messages read, also those that would not be sent.")


def _people(document: Mapping[str, Any]) -> Section | None:
    blocks: list[Block | None] = [*identity(document), *hot_users(document["hot_users"])]
    return section("people", "People", blocks)


def _objects(found: Mapping[str, Any]) -> Section | None:
    ignored = f"{count(found['ignored'], 'name')} ignored, for they look like no archive." if found["ignored"] else ""
    text = f"All that was read could be read to its end: {count(found['total'], 'object')}. {ignored}".strip()
    return section("objects", "Objects", objects(found), ignored, text)


def _made(document: Mapping[str, Any]) -> str:
    who = f" for {document['user']} on {document['host']}" if document.get("user") else f" on {document['host']}"
    return f"Made by replay {document['version']} at {moment(document['at'])}{who}. All times are UTC."

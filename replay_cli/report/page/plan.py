"""The page of a plan: what a listing and a few sampled objects tell of an archive (pure)."""

from collections.abc import Mapping, Sequence
from typing import Any

from replay_cli.report.page.blocks import Bar, Bars, Block, Cell, Fact, Facts, Figure, Headline, Page, Section, Table
from replay_cli.report.page.days import by_day
from replay_cli.report.page.estimated import estimated
from replay_cli.report.page.meanings import meaning
from replay_cli.report.page.numbers import count, duration, moment, percent, share, size
from replay_cli.report.page.parts import OTHERS, histogram, job_section, named, objects, section, sections

_ROWS = 300
_SOURCES = 12


def plan_page(document: Mapping[str, Any]) -> Page:
    """Return the page of a plan's document (`kind` plan), its texts tidied."""
    return Page(
        title=f"Plan: {document['reason']}",
        headline=_headline(document),
        sections=sections(
            estimated(document["estimate"]),
            _archive(document),
            _sample(document),
            job_section(document.get("job")),
        ),
        made=_made(document),
    )


def _headline(document: Mapping[str, Any]) -> Headline:
    step = "Nothing has been sent, and little was read. To know what of it can be sent, read all of it with"
    state = f"{count(document['objects'], 'object')}, {size(document['bytes'])}"
    job = document.get("job")
    under = [*([named(job["sources"])] if job else []), f"As of {moment(document['at'])}"]
    return Headline("Plan", state, "accent", document["reason"], [(step, "replay validate")], under)


def _archive(document: Mapping[str, Any]) -> Section | None:
    records, requests = document["records"], document["requests"]
    facts = [
        Fact("records", _about(records), _error(records)),
        Fact("requests", _about(requests), _error(requests)),
        Fact("objects", document["objects"], _ignored(document["ignored"])),
        Fact("stored", size(document["bytes"]), "as it lies there, compressed or not"),
    ]
    blocks: list[Block | None] = [Facts(facts), _days(document["days"]), _sources(document["by_source"])]
    return section("archive", "What is there", blocks)


def _about(found: Mapping[str, Any]) -> str | int:
    return f"≈ {found['estimate']:,.0f}" if found["error"] else int(found["estimate"])


def _error(found: Mapping[str, Any]) -> str:
    return f"± {found['error']:,.0f}" if found["error"] else "counted"


def _ignored(number: int) -> str:
    return f"{count(number, 'name')} ignored" if number else ""


def _days(days: Mapping[str, Mapping[str, int]]) -> Figure | None:
    drawn = by_day({"": {day: each["bytes"] for day, each in days.items()}})
    if drawn is None:
        return None
    rows: list[tuple[Cell, ...]] = [
        (day or "(the path tells none)", each["objects"], size(each["bytes"]))
        for day, each in list(days.items())[:_ROWS]
    ]
    rest = f"The first {_ROWS} of {len(days):,} days." if len(days) > _ROWS else ""
    numbers = Table("The numbers", ("Received", "Objects", "Stored"), rows, rest)
    about = f"By {drawn.unit} of receipt, as the paths tell it; UTC."
    return histogram("By received day, stored bytes", about, drawn, {"": "accent"}, (), numbers)


def _sources(found: Mapping[str, Mapping[str, int]]) -> Bars | None:
    if not found:
        return None
    whole, longest = sum(each["bytes"] for each in found.values()), max(each["bytes"] for each in found.values())
    bars = [
        Bar(
            name or "(the path tells none)",
            each["objects"],
            share(each["bytes"], longest),
            f"{size(each['bytes'])}, {percent(each['bytes'], whole)}",
            "mute" if name == OTHERS else "accent",
        )
        for name, each in list(found.items())[:_SOURCES]
    ]
    rows = [(name or "(none)", each["objects"], size(each["bytes"])) for name, each in list(found.items())[:200]]
    more = Table("More sources", ("Source", "Objects", "Stored"), rows) if len(found) > _SOURCES else None
    return Bars("By source", bars, more, "Objects; the length of a bar is their stored size.")


def _sample(document: Mapping[str, Any]) -> Section | None:
    sampled, sendable = document["sampled"], document["sendable"]
    facts = [
        Fact("objects read", sampled["objects"], f"{size(sampled['bytes'])} of them"),
        Fact("records read", sampled["records"]),
        Fact("could be sent", percent(sendable["share"], 1), f"{_about(sendable)} records, {_error(sendable)}"),
    ]
    blocks: list[Block | None] = [
        Facts(facts),
        _expected("Rejected: cannot be sent as they are", document["rejected"]),
        _expected("Skipped: not meant to be sent", document["skipped"]),
        *objects({"damage": sampled["damage"]}),
    ]
    about = f"Read in {duration(document['elapsed_seconds'])}." if document.get("elapsed_seconds") is not None else ""
    return section("sample", "What a sample tells", blocks, about + " Rare faults do not show in a sample.")


def _expected(title: str, counts: Mapping[str, int]) -> Table | None:
    if not counts:
        return None
    rows: Sequence[Sequence[Cell]] = [
        (reason, n, meaning(reason)) for reason, n in sorted(counts.items(), key=lambda each: -each[1])
    ]
    return Table(title, ("Reason", "Records, about", "What it means"), rows[:_ROWS])


def _made(document: Mapping[str, Any]) -> str:
    version = f" {document['version']}" if document.get("version") else ""
    return f"Made by replay{version} at {moment(document['at'])}. All times are UTC."

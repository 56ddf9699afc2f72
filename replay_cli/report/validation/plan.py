"""What `--plan` estimated from the listing and a few objects."""

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from replay_cli.report.terminal import count, printable, size
from replay_cli.report.validation.composition import print_tables, table
from replay_cli.report.validation.estimate import print_estimate
from replay_cli.report.validation.sheet import Sheet, about, one_line
from replay_cli.report.validation.times import sparkline

_MOST = 8
_NOWHERE = "(not told by the path)"


def print_plan_on(sheet: Sheet, document: Mapping[str, Any]) -> None:
    """Print a plan, the answer first."""
    sheet.line(_headline(document))
    if document["records"]["estimate"]:
        print_estimate(sheet, document["estimate"], document["requests"]["error"])
    _print_archive(sheet, document)
    if document["by_source"]:
        by_source = [(source or _NOWHERE, found["bytes"]) for source, found in document["by_source"].items()]
        print_tables(sheet, [table(sheet, "sources, by stored bytes", by_source, size)])
    _print_damage(sheet, document["sampled"]["damage"])
    sheet.gap()
    sheet.line(Text(_closing(document), style="dim"))


def _headline(document: Mapping[str, Any]) -> Text:
    if not document["records"]["estimate"]:
        return Text(printable(document["reason"]), style="bold yellow")
    return Text(f"{_records(document['records'])} in {_objects(document)}", style="bold cyan")


def _objects(document: Mapping[str, Any]) -> str:
    ignored = f"; {count(document['ignored'], 'name')} ignored" if document["ignored"] else ""
    return f"{count(document['objects'], 'object')} ({size(document['bytes'])}){ignored}"


def _records(number: Mapping[str, Any]) -> str:
    return about(number["estimate"], number["error"], "record")


def _print_archive(sheet: Sheet, document: Mapping[str, Any]) -> None:
    sheet.gap()
    sheet.fact("sendable", _sendable(document["sendable"]))
    sheet.fact("skipped", _reasons(document["skipped"]))
    sheet.fact("rejected", Text(_reasons(document["rejected"]), style="red"))
    days = {day: found["bytes"] for day, found in document["days"].items()}
    sheet.fact("received", *sparkline(sheet, days, "day", size))


def _sendable(sendable: Mapping[str, Any]) -> str:
    return f"{_records(sendable)} ({100 * sendable['share']:.1f} %)"


def _reasons(reasons: Mapping[str, int]) -> str:
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    said = [f"{one_line(reason)} {n:,}" for reason, n in ordered[:_MOST]]
    if rest := ordered[_MOST:]:
        said.append(f"others {sum(n for _, n in rest):,}")
    return ", ".join(said)


def _print_damage(sheet: Sheet, damage: Mapping[str, str]) -> None:
    if not damage:
        return
    sheet.gap()
    sheet.line(Text("damaged, of the few that were looked at", style="bold red"))
    for uri, cause in list(damage.items())[:_MOST]:
        sheet.line(Text(f"{one_line(uri)}: {one_line(cause)}"), indent=2)


def _closing(document: Mapping[str, Any]) -> str:
    sampled = document["sampled"]
    read = f"{count(sampled['records'], 'record')} of {count(sampled['objects'], 'object')}, {size(sampled['bytes'])}"
    more = "; replay validate without --plan reads them all" if sampled["objects"] < document["objects"] else ""
    return f"{one_line(document['reason'])} ({read} read){more}"

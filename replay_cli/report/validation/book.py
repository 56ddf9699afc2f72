"""What becomes of the records: sent, skipped or rejected, by reason, with the first records; damaged objects."""

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from replay_cli.report.terminal import count, size
from replay_cli.report.validation.sheet import BROAD, LABEL, Sheet, one_line, percent

_OUTCOMES = {"sendable": "green", "skipped": "", "rejected": "red"}
_TITLES = {
    "rejected": ("rejected: what MoEngage would not take, or what is no message", "red"),
    "warnings": ("warnings: worth a look before anything is sent", "yellow"),
    "skipped": ("skipped: not meant to be sent", ""),
}
_MOST = 12
"""Reasons and objects that are named."""
_MOST_PLACES = 3
"""Objects that are named for a reason why records would be rejected; of other reasons one."""
_REASON = 28
_NUMBER = 11
_BAR = 30


def print_book(sheet: Sheet, document: Mapping[str, Any]) -> None:
    """Print the book, and what stands behind its numbers."""
    sheet.gap()
    _print_totals(sheet, document)
    _print_reasons(sheet, document, "rejected")
    _print_damage(sheet, document["objects"]["damage"])
    _print_reasons(sheet, document, "warnings")
    _print_reasons(sheet, document, "skipped")


def _print_totals(sheet: Sheet, document: Mapping[str, Any]) -> None:
    records, objects = document["records"], document["objects"]
    empty = f"; {objects['empty']:,} of them empty" if objects["empty"] else ""
    ignored = f"; {count(objects['ignored'], 'name')} ignored" if objects["ignored"] else ""
    read = f"{count(records['read'], 'record')} in {count(objects['total'], 'object')} ({size(objects['bytes'])})"
    sheet.fact("read", read + empty + ignored)
    for outcome, style in _OUTCOMES.items():
        n = records[outcome]
        if records["read"]:
            line = Text(f"  {outcome:{LABEL - 2}}{n:{_NUMBER},}  {percent(n, records['read']):>7}  ")
            line.append(sheet.marks.bar(n / records["read"], min(_BAR, max(0, sheet.width - len(line)))), style=style)
            sheet.line(line)


def _print_reasons(sheet: Sheet, document: Mapping[str, Any], outcome: str) -> None:
    ordered = sorted(document[outcome].items(), key=lambda item: (-item[1], item[0]))
    if not ordered:
        return
    title, style = _TITLES[outcome]
    examples = document["examples"][outcome]
    most = _MOST_PLACES if outcome == "rejected" else 1
    sheet.gap()
    sheet.line(Text(title, style=f"bold {style}".strip()))
    for reason, n in ordered[:_MOST]:
        shown = _of_different_objects(examples.get(reason, []))[:most]
        _print_reason(sheet, reason, n, style, [sheet.example(example) for example in shown])
    if rest := ordered[_MOST:]:
        _print_reason(sheet, f"({count(len(rest), 'other reason')})", sum(n for _, n in rest), "", [])


def _of_different_objects(examples: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the first example of each object: what is wrong in two files has two causes, perhaps."""
    first: dict[str, Mapping[str, Any]] = {}
    for example in examples:
        first.setdefault(example["uri"], example)
    return list(first.values())


def _print_reason(sheet: Sheet, reason: str, n: int, style: str, examples: list[str]) -> None:
    """Print a reason's number with its example: beside it where there is room, else beneath it."""
    head = Text(f"  {sheet.name(reason, _REASON):{_REASON}}", style=style)
    head.append(f"{n:{_NUMBER},}", style="default")
    if sheet.width >= BROAD:
        sheet.beneath(head.append("  "), [Text(example, style="dim") for example in examples] or [Text()])
        return
    sheet.line(head)
    for example in examples:
        sheet.line(Text(example, style="dim"), indent=6)


def _print_damage(sheet: Sheet, damage: Mapping[str, str]) -> None:
    if not damage:
        return
    sheet.gap()
    sheet.line(Text("damaged: what stands before the damage was read", style="bold red"))
    named = list(damage.items())[:_MOST]
    for uri, cause in named:
        sheet.line(Text(f"{one_line(uri)}: {one_line(cause)}"), indent=2)
    if rest := len(damage) - len(named):
        sheet.line(Text(f"({count(rest, 'other object')}: --json names them all)"), indent=2)

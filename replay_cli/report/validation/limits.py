"""What comes near to MoEngage's limits or is over them: names, and users of many messages."""

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from replay_cli.report.terminal import count
from replay_cli.report.validation.sheet import Sheet, one_line

_NEAR = 0.8
"""The share of a limit from which on it is near."""
_NAMES = {"events": "event names", "user_attributes": "user attributes", "event_attributes": "on one event"}
_LABEL = 16
_NUMBER = 8
_BAR = 24
_BESIDE_EVENT = 62
"""Columns that a line takes without the event's name."""
_MOST_USERS = 8
_NAME = 40


def print_limits(sheet: Sheet, document: Mapping[str, Any]) -> None:
    """Print the names against their limits, and the users above the fair-usage limits."""
    _print_names(sheet, document["names"])
    _print_hot_users(sheet, document["hot_users"])


def _print_names(sheet: Sheet, names: Mapping[str, Any]) -> None:
    used = {key: names[key].get("distinct", names[key].get("most", 0)) for key in _NAMES}
    if not any(used.values()):
        return
    sheet.gap()
    sheet.line(Text("names, beside MoEngage's limits", style="bold"))
    for key, label in _NAMES.items():
        if used[key]:
            event = names[key].get("event") or ""
            event = sheet.name(event, min(_NAME, max(8, sheet.width - _BESIDE_EVENT)))
            sheet.line(_meter(sheet, label, used[key], names[key]["limit"], event))


def _meter(sheet: Sheet, label: str, used: int, limit: int, event: str) -> Text:
    style, verdict = _verdict(used, limit)
    line = Text(f"  {label:{_LABEL}}{used:{_NUMBER},} of {limit:,}  ")
    line.append(sheet.marks.bar(used / limit, _BAR), style=style or "cyan")
    if verdict:
        line.append(f"  {verdict}", style=style)
    return line.append(f"  {event}", style="dim") if event else line


def _verdict(used: int, limit: int) -> tuple[str, str]:
    if used > limit:
        return "red", "over the limit"
    return ("yellow", "near the limit") if used >= _NEAR * limit else ("", "")


def _print_hot_users(sheet: Sheet, users: list[Mapping[str, Any]]) -> None:
    if not users:
        return
    sheet.gap()
    title = "users with more than MoEngage takes of one at full speed: they are sent more slowly"
    sheet.line(Text(title, style="bold"))
    for user in users[:_MOST_USERS]:
        breaks = ", ".join(one_line(each) for each in user["breaks"])
        sheet.line(Text(f"{sheet.name(user['user'], _NAME)}: {count(user['requests'], 'request')}, {breaks}"), indent=2)
    if len(users) > _MOST_USERS:
        sheet.line(Text(f"({count(len(users) - _MOST_USERS, 'more user')})"), indent=2)

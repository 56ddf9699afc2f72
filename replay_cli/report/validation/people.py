"""Whom the records are of, and what sending them would mean for these people."""

from collections.abc import Mapping
from typing import Any

from replay_cli.report.terminal import count
from replay_cli.report.validation.sheet import Sheet, about, percent

_MOST = 8
_NAME = 40


def print_people(sheet: Sheet, document: Mapping[str, Any]) -> None:
    """Print identity, duplicates, and what may be doubled, refused or overwritten."""
    sheet.gap()
    sheet.fact("identity", *_identity(document["identity"]))
    sheet.fact("duplicates", *_duplicates(document["duplicates"]))
    sheet.fact("device mode", _device_mode(document["device_mode"]))
    sheet.fact("consent", *_consent(sheet, document["consent"]))
    sheet.fact("overwriting", _overwriting(document["overwriting"]))


def _identity(identity: Mapping[str, Any]) -> list[str]:
    kinds = {
        "known": "with a user id",
        "anonymous": "with an anonymous id only",
        "nobody": "with neither",
        "reserved": "with an id that MoEngage reserves",
    }
    said = ", ".join(f"{identity[key]:,} {words}" for key, words in kinds.items() if identity[key])
    if not said:
        return []
    error = identity["distinct_error"]
    about = f" (± {100 * error:.1f} %)" if error else ""
    things = {"distinct_user_ids": "user id", "distinct_anonymous_ids": "anonymous id"}
    distinct = " and ".join(count(identity[key], thing) for key, thing in things.items() if identity[key])
    return [said, f"{distinct} in all{about}" if distinct else ""]


def _duplicates(duplicates: Mapping[str, Any]) -> list[str]:
    lines = []
    if duplicates["messages"]:
        number = about(duplicates["messages"], duplicates["error"], "message")
        lines.append(f"{number} with the id of an earlier one: --dedupe leaves such out")
    if duplicates["without_id"]:
        lines.append(f"{count(duplicates['without_id'], 'message')} without an id: whether they repeat cannot be told")
    return lines


def _device_mode(device_mode: Mapping[str, Any]) -> str:
    if not device_mode["messages"]:
        return ""
    number = f"{count(device_mode['messages'], 'message')} ({percent(device_mode['share'], 1.0)})"
    why = "MoEngage's SDK may have sent them already"
    return f"{number} of apps and browsers, where {why}: --exclude-device-mode leaves such out"


def _consent(sheet: Sheet, consent: Mapping[str, Any]) -> list[str]:
    if not consent["asked"]:
        return []
    categories = sorted(consent["categories"].items(), key=lambda item: (-sum(item[1].values()), item[0]))
    lines = [f"asked in {count(consent['asked'], 'message')}: --require-consent leaves out what was refused"]
    for name, answers in categories[:_MOST]:
        lines.append(f"{sheet.name(name, _NAME)}: {answers['granted']:,} granted, {answers['refused']:,} refused")
    if len(categories) > _MOST:
        lines.append(f"({len(categories) - _MOST:,} more categories)")
    return lines


def _overwriting(overwriting: Mapping[str, Any]) -> str:
    if not overwriting["identifies"]:
        return ""
    return (
        f"{count(overwriting['identifies'], 'request')} would give about {count(overwriting['users'], 'user')} the "
        "attributes of their time, over newer ones: --identify none leaves them out"
    )

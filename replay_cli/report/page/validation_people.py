"""Whom an archive is about: identities, duplicates, busy users, consent, and names against MoEngage's limits (pure)."""

from collections.abc import Mapping, Sequence
from typing import Any

from replay_cli.report.page.blocks import (
    Block,
    Example,
    Fact,
    Facts,
    Meter,
    Meters,
    Note,
    Reason,
    Reasons,
    Section,
    Table,
)
from replay_cli.report.page.numbers import count, percent, share
from replay_cli.report.page.parts import examples_of, in_order, section

_IDENTITY = {
    "known": "with a user id",
    "anonymous": "with an anonymous id only",
    "reserved": "with an id that MoEngage does not take",
    "nobody": "with no id at all",
}
_CLOSE = 0.8
"""The share of a limit from which on it deserves a look."""


def identity(document: Mapping[str, Any]) -> list[Block]:
    """Show whose messages they are, what would overwrite users, what may be there twice, and device mode."""
    found, doubles = document["identity"], document["duplicates"]
    error = found["distinct_error"]
    about = _about_distinct(error)
    facts = [
        Fact("users", _about(found["distinct_user_ids"], error), f"distinct user ids{about}"),
        Fact(
            "anonymous",
            _about(found["distinct_anonymous_ids"], error),
            f"distinct anonymous ids{about}",
        ),
        _duplicates(doubles),
    ]
    blocks: list[Block] = [Facts(facts), in_order("Whose messages they are", found, _IDENTITY)]
    doubled = examples_of(document["examples"]["duplicates"])
    if doubled:
        blocks.append(_duplicate_examples(doubles["messages"], doubled))
    return blocks + [Note(text, "wait") for text in (_device(document), _overwriting(document)) if text]


def _duplicate_examples(number: int, examples: Sequence[Example]) -> Reasons:
    about = "MoEngage has no deduplication: --dedupe leaves them out"
    return Reasons("Duplicates", [Reason("a message id met before", number, "", examples, about, "wait")])


def _about_distinct(error: float) -> str:
    return f", ±\u00a0{100 * error:.1g}\u00a0%" if error else ""


def _about(number: int, error: float) -> str | int:
    return f"≈ {number:,}" if error else number


def _duplicates(found: Mapping[str, Any]) -> Fact:
    exactly = "by message id" if found["exact"] else f"by message id, ± {found['error']:,.0f}"
    without = f"; {found['without_id']:,} have none" if found["without_id"] else ""
    number = found["messages"]
    return Fact("duplicates", _about(number, found["error"]), exactly + without, "wait" if number else "")


def _device(document: Mapping[str, Any]) -> str:
    found = document["device_mode"]
    if not found["messages"]:
        return ""
    messages, part = count(found["messages"], "message"), percent(found["share"], 1)
    return (
        f"Device mode: {messages} ({part}) come from libraries that may have sent them to MoEngage by its own SDK; "
        "replaying doubles those. --exclude-device-mode leaves them out."
    )


def _overwriting(document: Mapping[str, Any]) -> str:
    found = document["overwriting"]
    if not found["identifies"]:
        return ""
    requests, users = count(found["identifies"], "request"), count(found["users"], "user")
    return (
        f"Overwriting: {requests} would set attributes of about {users} to what they were then. "
        "Assume that newer values are lost; --identify none leaves them out."
    )


def hot_users(users: Sequence[Mapping[str, Any]]) -> list[Block]:
    """Show users with more messages than MoEngage takes of one user; none where there are none."""
    if not users:
        return []
    rows = [(user["user"], user["requests"], ", ".join(user["breaks"])) for user in users]
    about = (
        "MoEngage blocks a user of whom it gets too much, and does not say so. At full speed these would break its "
        "fair usage; replay keeps each user below it, so they only take longer."
    )
    return [Table("Busy users", ("User", "Requests", "At full speed"), rows, about)]


def names(found: Mapping[str, Any]) -> Section:
    """Show the distinct names against MoEngage's limits."""
    most = found["event_attributes"]
    widest = f"at most, in {most['event']}" if most["event"] else ""
    meters = [
        _meter("event names", found["events"]["distinct"], found["events"]["limit"], "distinct, in a workspace"),
        _meter("user attributes", found["user_attributes"]["distinct"], found["user_attributes"]["limit"], "distinct"),
        _meter("attributes of one event", most["most"], most["limit"], widest),
    ]
    about = "Names as they would be sent, against MoEngage's limits. What the workspace already has is not known here."
    return Section("names", "Names against limits", [Meters(meters)], about)


def _meter(label: str, number: int, limit: int, note: str) -> Meter:
    used = share(number, limit)
    return Meter(label, number, limit, used, "bad" if number > limit else "wait" if used >= _CLOSE else "accent", note)


def consent(found: Mapping[str, Any]) -> Section | None:
    """Show what the messages say of consent; None where none says anything."""
    if not found["asked"] and not found["categories"]:
        return None
    rows = [(name, each["granted"], each["refused"]) for name, each in found["categories"].items()]
    said = count(found["asked"], "message")
    about = f"{said} say what was consented to. --require-consent sends only what has the consent of a category."
    table = Table("", ("Category", "Granted", "Refused"), rows[:200])
    return section("consent", "Consent", [table if rows else None], about, f"{said} say that nothing was consented to.")

"""Selections that surely mean no message in common, though they read the same objects (pure)."""

from replay_cli.segment.content import IDENTIFY, Content
from replay_cli.segment.selection import Selection


def are_apart(one: Selection, other: Selection) -> bool:
    """Tell whether two selections surely mean no message in common.

    By receipt, event time, source, type, user or sample; conditions and event patterns are not looked into.
    """
    return (
        not one.received.overlaps(other.received)
        or not one.event_time.overlaps(other.event_time)
        or _are_other(one.source_ids, other.source_ids)
        or _are_other(one.content.types, other.content.types)
        or _leaves_out(one.content, other.content)
        or _leaves_out(other.content, one.content)
        or _are_other(one.content.user_ids, other.content.user_ids)
        or max(one.content.sample.start, other.content.sample.start)
        >= min(one.content.sample.until, other.content.sample.until)
    )


def _are_other(one: frozenset[str], other: frozenset[str]) -> bool:
    """Tell whether two sets of names, of which none means all, have nothing in common."""
    return bool(one) and bool(other) and one.isdisjoint(other)


def _leaves_out(one: Content, other: Content) -> bool:
    """Tell whether one means no identifies, and the other one nothing else."""
    return one.without_identifies and other.types == {IDENTIFY}

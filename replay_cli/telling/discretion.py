"""Leaving people out of what is told: texts without addresses and bodies, summaries without examples (pure).

Who is meant by a record is known in the archive, the checkpoint and the dead letters; logs, metrics and messages to a
chat are read by others, and kept elsewhere.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

MOST_TEXT = 2_000
"""Characters of a text that are told."""
MOST_NAMED = 20
"""Damaged objects that are named in a summary."""
_BODY = re.compile(r"\bHTTP (\d{3}) .*", re.DOTALL)
"""What a reply said: it may repeat what was sent."""
_HEAD = re.compile(r"starts with .{1,40}?\): ")
"""The first bytes of a file that is nothing known."""
_SETTING = re.compile(r"(--[a-z-]+) was .*")
"""Settings that are not a job's any more: user ids, conditions; whatever follows may belong to them."""
_ANOTHER = r"\1 was another until now in this job: use the same again, or go on with the new one with --amend REASON"
_ADDRESS = re.compile(r"[^\s@<>\"'(),:;=/\[\]{}|]{1,128}@[^\s@<>\"'(),:;=/\[\]{}|]{1,128}")
_PLAIN = re.compile(r"[A-Za-z0-9_.$\[\]*-]{1,80}")
"""What the names of errors and rules are made of."""
_KEPT = ("state", "records", "parked", "in_doubt", "requests", "run", "elapsed_seconds", "checkpoint", "dead_letters")
_BY_REASON = ("skipped", "rejected", "dead_lettered", "warnings")
_COUNTED = ("changed", "continued")

Summary = Mapping[str, Any]


def discreet(text: str) -> str:
    """Return the first line of a text, without e-mail addresses, values of settings, and what a reply said."""
    shortened = text.strip().partition("\n")[0][:MOST_TEXT]
    if "HTTP " in shortened:
        shortened = _BODY.sub(r"HTTP \1", shortened)
    if "starts with" in shortened:
        shortened = _HEAD.sub("is in an unknown form): ", shortened)
    if " was " in shortened:
        shortened = _SETTING.sub(_ANOTHER, shortened)
    return _ADDRESS.sub("(an address)", shortened) if "@" in shortened else shortened


def plain_reason(reason: str) -> str:
    """Return a reason as far as it is a name of this program's or an error's, which says nothing of a person."""
    head, _, refinement = reason.partition(":")
    refinement = refinement.partition(":")[0]
    head = head if _PLAIN.fullmatch(head) else "other"
    return f"{head}:{refinement}" if _PLAIN.fullmatch(refinement) else head


def discreet_summary(summary: Summary) -> dict[str, Any]:
    """Return what of a summary may be told to anybody: numbers, states and names of objects."""
    told: dict[str, Any] = {name: summary[name] for name in _KEPT if name in summary}
    told["reason"] = discreet(str(summary.get("reason") or ""))
    for name in _BY_REASON:
        told[name] = _merged(summary.get(name) or {})
    told["objects"] = _objects(summary.get("objects") or {})
    told["amendments"] = len(summary.get("amendments") or ())
    return told


def _merged(reasons: Mapping[str, int]) -> dict[str, int]:
    merged: Counter[str] = Counter()
    for reason, n in reasons.items():
        merged[plain_reason(reason)] += n
    return dict(merged)


def _objects(objects: Mapping[str, Any]) -> dict[str, Any]:
    numbers = {name: objects[name] for name in ("total", "complete", "ignored", "listing") if name in objects}
    damaged = list(objects.get("damaged") or ())
    counts = {name: len(objects.get(name) or ()) for name in _COUNTED}
    named = [discreet(uri) for uri in damaged[:MOST_NAMED]]
    return {**numbers, **counts, "damaged": len(damaged), "damaged_uris": named}

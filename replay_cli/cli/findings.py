"""Puts together what a validation found: the document that the terminal, the page and machines are given."""

from typing import Any

from replay_cli.cli.inquiry import Inquiry
from replay_cli.profiling import document as profile_document
from replay_cli.profiling.estimate import Pace, estimate
from replay_cli.report.terminal import count
from replay_cli.validation.conductor import Findings

ALL_SENDABLE = "everything can be sent"
REST_SENDABLE = "everything that is not skipped can be sent"
NOTHING_FOUND = "nothing under the sources lies within the selection, as the paths tell it"
NO_RECORDS = "there are no records in what was read"
ALL_SKIPPED = "nothing would be sent: all that was read is skipped"


def validation_document(inquiry: Inquiry, findings: Findings, pace: Pace, limit: int | None) -> dict[str, Any]:
    """Return the document of a validation, in the form that the README gives.

    Args:
        inquiry: what was looked at.
        findings: what was found.
        pace: how fast a run would be.
        limit: after how many requests reading ended; None: at the end.
    """
    found = profile_document(findings.profile, inquiry.now)
    objects = _objects(findings)
    document = {
        "kind": "validation",
        "state": "interrupted" if findings.interrupted else "complete",
        "reason": _interrupted(findings, found["records"]) or _reason(found["records"], objects, limit),
        "sendable": not (found["records"]["rejected"] or findings.damage or findings.interrupted),
        "objects": objects,
        "estimate": estimate(findings.profile.workload(), pace, inquiry.now, findings.profile.in_bulk()),
        "elapsed_seconds": round(findings.elapsed, 3),
        "workers": findings.workers,
        "engine": findings.engine,
    }
    return inquiry.document() | document | found


def _objects(findings: Findings) -> dict[str, Any]:
    return {
        "total": findings.objects,
        "complete": findings.objects - len(findings.damage),
        "bytes": findings.bytes,
        "damaged": list(findings.damage),
        "damage": findings.damage,
        "empty": findings.empty,
        "ignored": findings.ignored,
    }


def _interrupted(findings: Findings, records: dict[str, int]) -> str:
    if not findings.interrupted:
        return ""
    return f"interrupted ({findings.interrupted}): {count(records['read'], 'record')} were looked at until then"


def _reason(records: dict[str, int], objects: dict[str, Any], limit: int | None) -> str:
    """Say in a sentence what was found; first what has to be looked at."""
    until = "" if limit is None else f", until --limit {limit} is reached"
    faults = []
    if records["rejected"]:
        faults.append(f"{records['rejected']:,} of {count(records['read'], 'record')} would be rejected")
    if objects["damaged"]:
        damaged = len(objects["damaged"])
        faults.append(f"{count(damaged, 'object')} {'is' if damaged == 1 else 'are'} damaged")
    if faults:
        return ", ".join(faults) + until
    if not records["read"]:
        return NO_RECORDS if objects["total"] else NOTHING_FOUND
    if not records["sendable"]:
        return ALL_SKIPPED + until
    return (REST_SENDABLE if records["skipped"] else ALL_SENDABLE) + until

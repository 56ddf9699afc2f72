"""What was rejected or given up, reason by reason, with a few records each: enough to see what is wrong with them."""

import sqlite3
from collections.abc import Mapping
from typing import Any

from replay_cli.ledger.texts import GONE, beginning

MOST_REASONS = 100
"""So many reasons are told, those of the most records: their texts come from MoEngage, and may be many."""
MOST_EXAMPLES = 3
MOST_EXCERPT = 300
"""Characters of a record that are shown."""
_MOST_BYTES = 4 * (MOST_EXCERPT + 1)
_KINDS = ("rejected", "dead_lettered")

_Reason = tuple[str, str]
"""(kind, reason)"""


def undelivered(db: sqlite3.Connection, book: Mapping[str, Mapping[str, int]]) -> list[dict[str, Any]]:
    """Return kind, reason, n and examples (uri, line or row from 1, detail, excerpt), those of the most records first.

    Args:
        db: the checkpoint.
        book: outcome → reason → records.
    """
    counts = {(kind, reason): n for kind in _KINDS for reason, n in book.get(kind, {}).items()}
    most = sorted(counts.items(), key=lambda item: -item[1])[:MOST_REASONS]
    numbers = _first_letters(db, dict(most))
    return [
        {
            "kind": kind,
            "reason": reason,
            "n": n,
            "examples": [_example(db, number) for number in numbers.get((kind, reason), ())],
        }
        for (kind, reason), n in most
    ]


def _first_letters(db: sqlite3.Connection, counts: Mapping[_Reason, int]) -> dict[_Reason, list[int]]:
    """Return the numbers of the first dead letters of each reason; ends as soon as it has them."""
    missing = {key: min(n, MOST_EXAMPLES) for key, n in counts.items()}
    found: dict[_Reason, list[int]] = {}
    for number, *key in db.execute("SELECT id, kind, reason FROM dead_letter ORDER BY id"):
        reason = (key[0], key[1])
        if reason not in missing:
            continue
        found.setdefault(reason, []).append(number)
        if len(found[reason]) == missing[reason]:
            del missing[reason]
            if not missing:
                break
    return found


def _example(db: sqlite3.Connection, number: int) -> dict[str, Any]:
    rows = db.execute(
        "SELECT o.uri, d.ordinal, d.unit, d.detail, d.form, d.record FROM dead_letter d "
        "JOIN object o ON o.id = d.object WHERE d.id = ?",
        (number,),
    )
    uri, ordinal, unit, detail, form, kept = rows.fetchone()
    excerpt = f"({GONE[form]})" if form in GONE else _excerpt(beginning(form, kept, _MOST_BYTES))
    return {"uri": uri, unit: ordinal + 1, "detail": detail, "excerpt": excerpt}


def _excerpt(begins: bytes) -> str:
    text = begins.decode(errors="replace")
    return text if len(text) <= MOST_EXCERPT else f"{text[: MOST_EXCERPT - 1]}…"

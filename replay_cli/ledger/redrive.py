"""Dead letters that go back into the book: from `dead_letter` and its tally to `parked`, in one transaction a block."""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from replay_cli.ledger.glimpse import note_taken_back
from replay_cli.ledger.group import Group, ParkedRequest, PartOutcome, apply_parked
from replay_cli.ledger.texts import Form, unpacked
from replay_cli.model import BATCH_RECORDS, Request

IN_DOUBT = "in_doubt"
"""The reason of what may have arrived: it is sent again only where that is said by name."""


class Which(NamedTuple):
    """Which dead letters to send again: all but those in doubt, or those with one of these reasons and statuses.

    What has expired or was erased cannot be sent any more.

    A reason may be a pattern (`http_4*`), and stands for those that refine it (`http_400` for `http_400:Type`).
    """

    reasons: tuple[str, ...] = ()
    statuses: tuple[int, ...] = ()

    def condition(self) -> tuple[str, list[str | int]]:
        """Return it for SQL: the text behind WHERE, and its parameters."""
        text, parameters = f"kind = 'dead_lettered' AND form IN ({Form.PLAIN}, {Form.PACKED})", list[str | int]()
        if not self.reasons:
            text += f" AND reason != '{IN_DOUBT}'"
        if self.reasons:
            text += f" AND ({' OR '.join(['reason = ? OR reason GLOB ? OR reason GLOB ?'] * len(self.reasons))})"
            for reason in self.reasons:
                parameters += [reason, reason, f"{reason}:*"]
        if self.statuses:
            text += f" AND status IN ({', '.join('?' * len(self.statuses))})"
            parameters += self.statuses
        return text, parameters


class Letter(NamedTuple):
    """A dead letter: what is needed to send its record again."""

    id: int
    object_id: int
    ordinal: int
    reason: str
    attempts: int
    unit: str
    record: bytes
    rank: int
    delivered_parts: frozenset[int]


class Block(NamedTuple):
    """Dead letters of one object that stand near each other: they become requests together, in the order of time."""

    uri: str
    etag: str
    first: int
    unit: str
    letters: list[Letter]


def count(db: sqlite3.Connection, which: Which) -> dict[str, int]:
    """Return how many dead letters there are, by reason."""
    text, parameters = which.condition()
    return dict(db.execute(f"SELECT reason, count(*) FROM dead_letter WHERE {text} GROUP BY 1", parameters))  # noqa: S608 # constants of ours


def blocks(db: sqlite3.Connection, which: Which) -> Iterator[Block]:
    """Give the dead letters in the archive's order, block by block; a block may be taken back as it comes."""
    text, parameters = which.condition()
    seen = (-1, -1)
    while True:
        row = db.execute(
            f"SELECT object, ordinal FROM dead_letter WHERE {text} AND (object, ordinal) > (?, ?) "  # noqa: S608 # constants of ours
            "ORDER BY object, ordinal LIMIT 1",
            [*parameters, *seen],
        ).fetchone()
        if row is None:
            return
        object_id, first = row[0], row[1] // BATCH_RECORDS * BATCH_RECORDS
        letters = _letters(db, which, object_id, range(row[1], first + BATCH_RECORDS))
        seen = object_id, letters[-1].ordinal
        uri, etag = db.execute("SELECT uri, etag FROM object WHERE id = ?", (object_id,)).fetchone()
        yield Block(uri, etag, first, letters[0].unit, letters)


def _letters(db: sqlite3.Connection, which: Which, object_id: int, ordinals: range) -> list[Letter]:
    text, parameters = which.condition()
    doubts = "SELECT coalesce(max(attempt), 0) FROM in_doubt d WHERE d.object = l.object AND d.ordinal = l.ordinal"
    rows = db.execute(
        f"SELECT delivered_parts, id, object, ordinal, reason, max(attempts, ({doubts})), unit, form, record, rank "  # noqa: S608 # constants of ours
        f"FROM dead_letter l WHERE {text} AND object = ? AND ordinal >= ? AND ordinal < ? ORDER BY ordinal",
        [*parameters, object_id, ordinals.start, ordinals.stop],
    )
    return [_letter(*row) for row in rows]


def _letter(delivered_parts: str, *fields: Any) -> Letter:
    *place, form, kept, rank = fields
    parts = frozenset(map(int, filter(None, delivered_parts.split(","))))
    return Letter._make([*place, unpacked(form, kept), rank, parts])


def take_back(
    db: sqlite3.Connection, letters: Sequence[Letter], requests: Sequence[Request], first_number: int
) -> None:
    """Make parked requests of dead letters; their records are pending again.

    Args:
        db: within a transaction.
        letters: the dead letters.
        requests: all that is left to send of them; each goes to the place that it had.
        first_number: the first free number of a parked request.
    """
    by_ordinal = {letter.ordinal: letter for letter in letters}
    group = Group()
    for number, request in enumerate(requests, first_number):
        letter = by_ordinal[request.ordinals[0]]
        group.parked.append(
            ParkedRequest(
                *(number, letter.rank, letter.object_id, request, letter.unit, letter.attempts), redriven=True
            )
        )
    apply_parked(db, group)
    delivered = PartOutcome(None)
    for letter in letters:
        parts = [(letter.object_id, letter.ordinal, part, *delivered) for part in letter.delivered_parts]
        db.executemany("INSERT OR IGNORE INTO settled_part VALUES (?, ?, ?, ?, ?, ?)", parts)
    tallies = Counter((letter.object_id, letter.reason) for letter in letters)
    db.executemany(
        "UPDATE tally SET n = n - ? WHERE object = ? AND outcome = 'dead_lettered' AND reason = ?",
        [(n, object_id, reason) for (object_id, reason), n in tallies.items()],
    )
    db.execute("DELETE FROM tally WHERE n = 0")
    note_taken_back(db, Counter(letter.reason for letter in letters))
    db.executemany("DELETE FROM dead_letter WHERE id = ?", [(letter.id,) for letter in letters])

"""Checkpoints of the formats before this one: brought up to date where they are written, and read as they are.

Format 5 added what a report tells (`chronicle.sql`), and who ran it. Format 6 adds what is to be looked at after the
loss of a machine (`losses.sql`), how the texts of dead letters are kept, and what each run has delivered. Nothing that
was there changes, but the file of the dead letters is written anew, compressed.
"""

import sqlite3
from importlib.resources import files

SCHEMA_VERSION = 6
UPGRADABLE = (4, 5)
"""The formats that can be brought up to date."""

_ALTERED = {
    4: "ALTER TABLE run ADD COLUMN user TEXT NOT NULL DEFAULT '';\n",
    5: (
        "ALTER TABLE run ADD COLUMN delivered INTEGER;\n"
        "ALTER TABLE dead_letter ADD COLUMN form INTEGER NOT NULL DEFAULT 0;\n"
        "INSERT INTO meta VALUES ('dead_letters_form', 'plain');\n"
        "DELETE FROM meta WHERE key IN ('dead_letters_written', 'dead_letters_length');\n"
    ),
}
"""Format → what the next one changes in its tables."""
_ADDED = {4: "chronicle.sql", 5: "losses.sql"}
"""Format → the tables that the next one adds."""
_LATER_COLUMNS = {
    4: {"run": "'' AS user, NULL AS delivered", "dead_letter": "0 AS form"},
    5: {"run": "NULL AS delivered", "dead_letter": "0 AS form"},
}
"""Format → table → the columns that it has by now, as they would be after an upgrade."""


def schema() -> str:
    """Return the statements that make all tables."""
    return "\n".join(map(_statements, ("schema.sql", *_ADDED.values())))


def _statements(name: str) -> str:
    return files(__package__).joinpath(name).read_text()


def upgrade(db: sqlite3.Connection, version: int) -> None:
    """Bring a checkpoint of an earlier format up to date, in one transaction."""
    steps = "\n".join(_statements(_ADDED[step]) + _ALTERED[step] for step in range(version, max(UPGRADABLE) + 1))
    db.executescript(f"BEGIN IMMEDIATE;\n{steps}\nPRAGMA user_version={SCHEMA_VERSION};\nCOMMIT;")


def stand_in(db: sqlite3.Connection, version: int) -> None:
    """Let a connection that may not write see a checkpoint of an earlier format as if it were up to date."""
    for step in range(version, max(UPGRADABLE) + 1):
        db.executescript(_statements(_ADDED[step]).replace("CREATE TABLE", "CREATE TEMP TABLE"))
    for table, columns in _LATER_COLUMNS[version].items():
        db.execute(f"CREATE TEMP VIEW {table} AS SELECT *, {columns} FROM main.{table}")  # noqa: S608 # constants

"""Checkpoints of the format before this one: brought up to date where they are written, and read as they are.

Format 5 adds what a report tells (`chronicle.sql`), and who ran it; nothing that was there changes.
"""

import sqlite3
from importlib.resources import files

SCHEMA_VERSION = 5
UPGRADABLE = 4
"""The format that can be brought up to date."""


def schema() -> str:
    """Return the statements that make all tables."""
    return f"{_statements('schema.sql')}\n{_statements('chronicle.sql')}"


def _statements(name: str) -> str:
    return files(__package__).joinpath(name).read_text()


def upgrade(db: sqlite3.Connection) -> None:
    """Bring a checkpoint of format 4 up to date, in one transaction."""
    db.executescript(
        f"BEGIN IMMEDIATE;\n{_statements('chronicle.sql')}\n"
        "ALTER TABLE run ADD COLUMN user TEXT NOT NULL DEFAULT '';\n"
        f"PRAGMA user_version={SCHEMA_VERSION};\nCOMMIT;"
    )


def stand_in(db: sqlite3.Connection) -> None:
    """Let a connection that may not write see a checkpoint of format 4 as if it were up to date."""
    db.executescript(_statements("chronicle.sql").replace("CREATE TABLE", "CREATE TEMP TABLE"))
    db.execute("CREATE TEMP VIEW run AS SELECT *, '' AS user FROM main.run")

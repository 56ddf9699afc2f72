"""`--counts`: the deliveries to expect, by event and day, as a table to compare with what MoEngage shows afterwards."""

import csv
from collections.abc import Mapping
from pathlib import Path

from replay_cli.errors import FatalError

USER_UPDATES = "(attributes of users)"
"""What stands for the event of deliveries that update a user."""
OTHERS = "(others)"
_HEADER = ("event", "day", "deliveries")
_FORMULA = tuple("=+-@\t\r\n")
"""What makes a spreadsheet take a cell for a formula, or look behind it for one."""


def write_counts(path: Path, deliveries: Mapping[tuple[str, str], int], others: int) -> None:
    """Write the table as RFC 4180 has it, in UTF-8, by event and day.

    Args:
        path: the file, which is replaced.
        deliveries: (event, day) → how often it would be delivered: the event's name as it is sent, "" for updates of
            users, and the day of the time that is sent, in UTC, as `2025-03-01`, "" where nothing tells it.
        others: the deliveries of all pairs beyond those.

    Raises:
        FatalError: it cannot be written.
    """
    try:
        with path.open("w", encoding="utf-8", errors="replace", newline="") as file:
            table = csv.writer(file)
            table.writerow(_HEADER)
            for (event, day), number in sorted(deliveries.items()):
                table.writerow((plain(event) if event else USER_UPDATES, day, number))
            if others:
                table.writerow((OTHERS, "", others))
    except OSError as error:
        raise FatalError(f"--counts {path} cannot be written: {error.strerror}") from None


def plain(name: str) -> str:
    """Return a name that a spreadsheet takes for a text: with an apostrophe before what begins like a formula."""
    return f"'{name}" if name.startswith(_FORMULA) else name

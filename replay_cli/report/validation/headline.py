"""The first line of a validation, and the last."""

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from replay_cli.report.terminal import count, duration, printable, size
from replay_cli.report.validation.sheet import Sheet


def headline(document: Mapping[str, Any]) -> Text:
    """Return the answer in one line: whether all can be sent, and what cannot."""
    sendable = "bold green" if document["records"]["sendable"] else "bold yellow"
    return Text(printable(document["reason"]), style=sendable if document["sendable"] else "bold red")


def print_reading(sheet: Sheet, document: Mapping[str, Any]) -> None:
    """Print how long the validation took, and how fast it was; the answer again where it is out of sight."""
    seconds, records, bytes_ = document["elapsed_seconds"], document["records"]["read"], document["objects"]["bytes"]
    workers = "on a cluster" if document["engine"] == "dask" else f"by {count(document['workers'], 'worker')}"
    speed = f" ({size(bytes_ / seconds)}/s as stored, {records / seconds:,.0f} records/s)" if seconds > 0 else ""
    sheet.gap()
    sheet.line(Text(f"read in {duration(seconds)} {workers}{speed}", style="dim"))
    if sheet.is_scrolled:
        sheet.line(headline(document))

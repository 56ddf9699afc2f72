"""How a glance at a job looks on a terminal, and in a line."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from replay_cli.report.glance import LAST_MINUTE, SILENT_AFTER, Glance
from replay_cli.report.summary import Summary
from replay_cli.report.terminal import Trimmed, duration, printable

_ENDED_WELL = ("complete", "running", "paused")


def print_glance(console: Console, glance: Glance, now: float) -> None:
    """Print what there is to say of a job besides its summary, as of now (POSIX seconds)."""
    for line in _lines(glance, now):
        console.print(line, soft_wrap=True, highlight=False)
    if glance["runs"]:
        console.print(Trimmed(_runs(glance["runs"])))


def one_line(summary: Summary, glance: Glance) -> str:
    """Say how a job is in one line, as `name=value`."""
    records = summary["records"]
    line = f"state={summary['state']} " + " ".join(f"{name}={n}" for name, n in records.items())
    if (rate := glance["rate"]) is not None:
        line += f" rate={rate['attempts_per_second']}/s cap={rate['cap']:g}/s"
    if glance["eta_seconds"] is not None:
        line += f" left={duration(glance['eta_seconds'])!r}"
    if (held := glance["held_back"]) is not None:
        line += f" held_back={held['paused_seconds']}s" + "".join(f" http_{k}={n}" for k, n in held["failing"].items())
    return printable(line + (f" reason={summary['reason']!r}" if summary["reason"] else ""))


def _lines(glance: Glance, now: float) -> Iterator[Text]:
    if (running := glance["running"]) is not None:
        yield _text(_who(running, now), "cyan")
    if (rate := glance["rate"]) is not None:
        yield _text(_pace(rate, glance["eta_seconds"]))
    if (held := glance["held_back"]) is not None:
        yield _text(_held_back(held), "yellow")
    for each in glance["last_errors"]:
        yield _text(f"failed in {each['seconds']} s from {_time(each['at'])}: {_counts(each['by_status'])}")
    for letter in glance["last_letters"]:
        place = f"{letter['uri']} {'line' if 'line' in letter else 'row'} {letter.get('line') or letter.get('row')}"
        kind = letter["kind"].replace("_", " ")
        yield _text(f"{kind} at {_time(letter['at'])}: {letter['reason']}: {place}")
    for lost in glance["lost"]:
        yield _text(_lost(lost), "yellow")
    if (remote := glance["remote"]) is not None:
        pushed = "never" if remote["pushed"] is None else f"at {_time(remote['pushed'])}"
        yield _text(f"stored {pushed}; {'held by' if running else 'last held by'} {remote['owner']}")


def _who(running: Mapping[str, Any], now: float) -> str:
    if running["pid"] is None:
        return "a run holds the checkpoint" + (f": {running['owner']}" if running["owner"] else "")
    who = f"pid {running['pid']} on {running['host']}" + (f" ({running['user']})" if running["user"] else "")
    text = f"{running['kind']} since {_time(running['started'])}: {who}, replay {running['version']}"
    silent = now - running["seen"]
    return text + (f"; it has said nothing for {duration(silent)}" if silent > SILENT_AFTER else "")


def _pace(rate: Mapping[str, float], eta: float | None) -> str:
    text = (
        f"about {rate['attempts_per_second']:g} attempts/s of {rate['cap']:g}/s, "
        f"{rate['delivered_per_second']:g} records/s delivered"
    )
    return text + ("" if eta is None else f", about {duration(eta)} left")


def _held_back(held: Mapping[str, Any]) -> str:
    paused = held["paused_seconds"]
    parts = [f"held back for {paused:g} s of the last {held['of_seconds']} s"] if paused else []
    parts += [f"in the last {LAST_MINUTE:g} s failed: {_counts(held['failing'])}"] if held["failing"] else []
    return "; ".join(parts)


def _lost(lost: Mapping[str, Any]) -> str:
    to = "its end" if lost["next"] is None else f"{lost['next']:,}"
    return f"a machine was lost: records {lost['first'] + 1:,} to {to} of {lost['uri']} may have been sent"


def _runs(runs: list[Mapping[str, Any]]) -> Table:
    """Show the last runs, the latest first."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("last runs", "took", "by", "version", "delivered", "state"):
        table.add_column(name, justify="right" if name == "delivered" else "left", no_wrap=name != "state")
    for run in reversed(runs):
        delivered = "–" if run["delivered"] is None else f"{run['delivered']:,}"
        who = "@".join(filter(None, (run["user"], run["host"])))
        kind = "" if run["kind"] == "run" else f"{run['kind']} "
        ending = kind + run["state"] + (f": {run['reason']}" if run["reason"] else "")
        table.add_row(
            _time(run["started"]),
            duration(max(0.0, run["ended"] - run["started"])),
            *(_text(text) for text in (who, run["version"], delivered)),
            _text(ending, "" if run["state"] in _ENDED_WELL else "red"),
        )
    return table


def _counts(by_status: Mapping[str, int]) -> str:
    return ", ".join(f"{label} × {n:,}" for label, n in sorted(by_status.items(), key=lambda item: -item[1]))


def _time(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _text(text: str, style: str = "") -> Text:
    """Return a text that is no markup and no command to the terminal: reasons and names are other people's."""
    return Text(printable(text), style=style)

"""Blocks that pages share: ranked names, reasons with examples, objects, settings (pure)."""

from collections.abc import Mapping, Sequence
from typing import Any

from replay_cli.report.page.blocks import (
    Bar,
    Bars,
    Block,
    Cell,
    Example,
    Figure,
    Key,
    Note,
    Pairs,
    Reason,
    Reasons,
    Section,
    Table,
)
from replay_cli.report.page.charts import Line, Plot, draw
from replay_cli.report.page.days import Histogram, bars
from replay_cli.report.page.meanings import meaning
from replay_cli.report.page.numbers import count, percent, place, share
from replay_cli.report.page.tidying import shortened

OTHERS = "(others)"
_SOURCES = 8
_BARS = 10
_REASONS = 40
_ROWS = 200
"""Rows of a table of names: more would make the page large, and `--json` has them all."""


def ranked(title: str, counts: Mapping[str, int], about: str = "") -> Bars | None:
    """Show names by how many there are of each, most first; None where there are none."""
    if not counts:
        return None
    known = sorted(((name, n) for name, n in counts.items() if name != OTHERS), key=lambda pair: -pair[1])
    rest = counts.get(OTHERS, 0)
    whole = sum(counts.values())
    longest = max(counts.values())
    shown = known[:_BARS]
    left = sum(n for _, n in known[_BARS:]) + rest
    drawn = [Bar(name or "(empty)", n, share(n, longest), percent(n, whole)) for name, n in shown]
    if left:
        named = count(len(known) - _BARS, "other") if len(known) > _BARS else "others"
        drawn.append(
            Bar(
                f"{named}{', and more' if rest and len(known) > _BARS else ''}",
                left,
                share(left, longest),
                percent(left, whole),
                "mute",
            )
        )
    return Bars(title, drawn, _all_names(known, rest), about)


def _all_names(known: Sequence[tuple[str, int]], rest: int) -> Table | None:
    if len(known) <= _BARS:
        return None
    rows: list[tuple[Cell, ...]] = [(name or "(empty)", n) for name, n in known[:_ROWS]]
    left = sum(n for _, n in known[_ROWS:]) + rest
    if left:
        rows.append(("all others (named by --json, where there are not too many)", left))
    return Table("More names", ("Name", "Records"), rows)


def in_order(title: str, counts: Mapping[str, int], names: Mapping[str, str], about: str = "") -> Bars:
    """Show counts in the order of `names`, which says what each is called."""
    shown = [counts.get(name, 0) for name in names]
    longest, whole = max(shown), sum(shown)
    drawn = [
        Bar(words, n, share(n, longest), percent(n, whole)) for n, words in zip(shown, names.values(), strict=True)
    ]
    return Bars(title, drawn, None, about)


def reasons(
    title: str, counts: Mapping[str, int], examples: Mapping[str, Sequence[Mapping[str, Any]]], tone: str
) -> Reasons | None:
    """Show reasons, most first, each with its examples; None where there are none."""
    if not counts:
        return None
    whole = sum(counts.values())
    ordered = sorted(counts.items(), key=lambda pair: -pair[1])
    rest = ordered[_REASONS:]
    found = [_reason(name, n, whole, examples.get(name, ()), tone) for name, n in ordered[:_REASONS]]
    if rest:
        found.append(_reason(f"{len(rest):,} other reasons", sum(n for _, n in rest), whole, (), tone))
    return Reasons(title, found)


def _reason(name: str, n: int, whole: int, examples: Sequence[Mapping[str, Any]], tone: str) -> Reason:
    return Reason(name, n, percent(n, whole), examples_of(examples), meaning(name), tone)


def examples_of(examples: Sequence[Mapping[str, Any]]) -> list[Example]:
    """Return examples as a reader sees them."""
    return [Example(place(each), str(each.get("detail") or ""), str(each.get("excerpt") or "")) for each in examples]


def histogram(
    title: str, about: str, drawn: Histogram, tones: Mapping[str, str], legend: Sequence[Key], numbers: Table
) -> Figure:
    """Draw a histogram, its series stacked in the order of `tones`; what lies too far out is named."""
    tops = stacked([drawn.counts[name] for name in tones])
    lines = [Line(bars(top), tone, "area") for top, tone in zip(tops, tones.values(), strict=True)]
    plot = Plot(title, about, lines[::-1], float(len(drawn.labels)), max(drawn.totals(), default=0), drawn.ticks)
    if drawn.early or drawn.late:
        far = [f"{n:,} {side}" for n, side in ((drawn.early, "before"), (drawn.late, "after")) if n]
        about += f" Far out, and not drawn: {' and '.join(far)}."
    return Figure(title, about, *draw(plot), legend, numbers)


def stacked(series: Sequence[Sequence[float]]) -> list[list[float]]:
    """Return how high each series reaches when it stands on those before it."""
    tops: list[list[float]] = []
    for values in series:
        below = tops[-1] if tops else [0.0] * len(values)
        tops.append([value + under for value, under in zip(values, below, strict=True)])
    return tops


def objects(found: Mapping[str, Any]) -> list[Block]:
    """Show what is to be said of the objects: those not whole, changed, or gone on with."""
    blocks: list[Block] = []
    damage = found.get("damage") or {}
    if damage:
        rows = [(uri, cause) for uri, cause in list(damage.items())[:_ROWS]]
        if len(damage) > _ROWS:
            rows.append((f"and {len(damage) - _ROWS:,} more", ""))
        blocks.append(
            Table(
                "Not whole",
                ("Object", "What is wrong with it"),
                rows,
                "What came before the damage was read; nothing after it was.",
            )
        )
    for name, title, about in _NOTED:
        uris = found.get(name) or []
        if uris:
            blocks.append(Table(title, ("Object",), [(uri,) for uri in uris[:_ROWS]], about))
    return blocks


_NOTED = (
    ("changed", "Changed after they were finished", "They were not sent again."),
    ("continued", "Changed in mid-job, gone on with", "What had been sent of them was left out by its message ids."),
)


_WHERE = {"endpoint": "endpoint", "workspace_id": "workspace"}


def job_section(job: Mapping[str, Any] | None) -> Section | None:
    """Show what a job sends, and where; None where there is no job."""
    if job is None:
        return None
    pairs = [("sources", named(job["sources"]))]
    pairs += [(words, str(job[name])) for name, words in _WHERE.items() if job[name]]
    pairs += [
        (name.replace("_", " "), shortened(setting(name, value))) for name, value in job["settings"].items() if value
    ]
    about = "What the job sends, and where. Its API key is kept nowhere."
    return Section("settings", "Settings", [Pairs(pairs)], about)


def named(sources: Sequence[str]) -> str:
    """Return the first sources, and that there are more."""
    return ", ".join(sources[:_SOURCES]) + (f" and {len(sources) - _SOURCES:,} more" if sources[_SOURCES:] else "")


def setting(name: str, value: Any) -> str:
    """Say what a setting is; of what came from a file, how much there is of it."""
    match name, value:
        case "mapping", {"subscriptions": subscriptions}:
            return count(len(subscriptions), "subscription")
        case (("filters" | "windows"), list()):
            return f"{len(value):,}"
        case (("only_ids" | "except_ids"), _):
            return "of a file"
        case _, dict():
            return ", ".join(f"{key} = {text}" for key, text in value.items())
        case _, list():
            return ", ".join(map(str, value))
    return "on" if value is True else str(value)


def section(
    name: str, title: str, blocks: Sequence[Block | None], about: str = "", otherwise: str = ""
) -> Section | None:
    """Return a section of the blocks that there are; where there are none, the sentence `otherwise`, or no section."""
    there = [block for block in blocks if block is not None]
    if there:
        return Section(name, title, there, about)
    return Section(name, title, [Note(otherwise)]) if otherwise else None


def sections(*made: Section | None) -> list[Section]:
    """Return the sections that there are."""
    return [each for each in made if each is not None]

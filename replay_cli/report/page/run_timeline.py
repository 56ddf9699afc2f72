"""What happened over time, drawn: throughput against the cap, replies, latency, retries and pauses (pure)."""

from collections.abc import Mapping, Sequence
from typing import Any

from replay_cli.report.page.blocks import Block, Cell, Fact, Facts, Figure, Key, Note, Section, Table
from replay_cli.report.page.charts import Line, Plot, draw
from replay_cli.report.page.meanings import answer_meaning
from replay_cli.report.page.numbers import duration, figures, moment, per_second, percent, share
from replay_cli.report.page.parts import stacked
from replay_cli.report.page.timeline import Interval, Timeline, read_timeline

_ACCEPTED = "accepted (2xx)"
_FEW = 0.2
_KINDS = (
    ("2", _ACCEPTED, "accent"),
    ("429", "too many requests (429)", "wait"),
    ("4", "refused (other 4xx)", "bad"),
    ("5", "MoEngage failed (5xx)", "odd"),
    ("", "no whole reply, or another", "mute"),
)
"""Beginning of a label of `by_status`, what its kind is called, tone; the first that fits."""
_PERCENTILES = (("p50", "half", "accent"), ("p90", "9 of 10", "s2"), ("p99", "99 of 100", "wait"))
_ROOM = 1.04
"""So much of the axis that the cap is not its upper edge."""

_OVERALL = {
    "p50": "half were faster",
    "p90": "9 of 10 were faster",
    "p99": "99 of 100 were faster",
    "max": "the slowest",
}


def over_time(document: Mapping[str, Any]) -> Section | None:
    """Show a chronicle's time line; None where nothing was sent."""
    timeline = read_timeline(document["timeline"])
    statuses = document["summary"]["requests"]["by_status"]
    if timeline is None and not statuses:
        return None
    blocks: list[Block] = []
    if timeline is not None:
        blocks += [_throughput(timeline, document["rps"], document["cap_note"] or ""), *_replies(timeline)]
    if statuses:
        blocks.append(_answers(statuses))
    blocks += _latency(timeline, document["latency_ms"])
    if timeline is not None:
        blocks += _trouble(timeline)
    return Section("time", "Over time", blocks, _about(timeline))


def _about(timeline: Timeline | None) -> str:
    if timeline is None:
        return ""
    words = "Times are UTC."
    if len(timeline.stretches) > 1:
        words += " Long times without a run are cut from the axis."
    if timeline.merged:
        words += " Neighbouring intervals were added up to be drawn."
    return words


def _throughput(timeline: Timeline, cap: float, note: str) -> Figure:
    rates = [per_second(each.attempts, each.seconds) for each in timeline.intervals]
    peaks = [float(each.peak) for each in timeline.intervals]
    lines = [
        Line(timeline.area(rates), "tint", "area"),
        Line(timeline.line(peaks), "ink", "line"),
        Line([(0.0, cap), (timeline.width, cap)], "bad", "dashed"),
    ]
    about = "Attempts, retries included: the average of each interval, and its busiest second, against the cap."
    plot = Plot(
        "Throughput, attempts a second", about, lines, timeline.width, _ROOM * max(cap, *rates, *peaks), timeline.ticks
    )
    legend = [
        Key("attempts a second", "tint"),
        Key("busiest second", "ink", "line"),
        Key(f"cap: {figures(cap)} a second", "bad", "dashed"),
    ]
    rows = [
        (*_when(each), each.attempts, each.delivered, round(rate, 1), each.peak)
        for each, rate in zip(timeline.intervals, rates, strict=True)
    ]
    head = ("From (UTC)", "Lasting", "Attempts", "Delivered", "A second", "Busiest second")
    return Figure(
        "Throughput, attempts a second", f"{about} {_cap(note)}".strip(), *draw(plot), legend, _numbers(head, rows)
    )


def _cap(note: str) -> str:
    return f"The cap is {note}." if note else ""


def _replies(timeline: Timeline) -> list[Block]:
    """Draw all replies, and those that were not accepted once more, where they are too few to be seen among all."""
    kinds = _kinds(timeline.intervals)
    drawn: list[Block] = [_replies_figure("Replies a second, by status", "What came back.", timeline, kinds)]
    others = [kind for kind in kinds if kind[0] != _ACCEPTED]
    few = sum(sum(ns) for _, _, ns in others) < _FEW * sum(each.attempts for each in timeline.intervals)
    if others and few:
        about = "The same without those that were accepted, on a scale of their own."
        drawn.append(_replies_figure("Other replies a second", about, timeline, others))
    return drawn


def _replies_figure(title: str, about: str, timeline: Timeline, kinds: Sequence[tuple[str, str, list[int]]]) -> Figure:
    seconds = [each.seconds for each in timeline.intervals]
    tops = stacked([[*map(per_second, ns, seconds)] for _, _, ns in kinds])
    lines = [Line(timeline.area(top), tone, "area") for top, (_, tone, _) in zip(tops, kinds, strict=True)]
    plot = Plot(title, about, lines[::-1], timeline.width, max(tops[-1], default=0.0), timeline.ticks)
    legend = [Key(name, tone) for name, tone, _ in kinds]
    names = {name for name, _, _ in kinds}
    labels = sorted({label for each in timeline.intervals for label in each.by_status if _kind(label) in names})
    rows: list[tuple[Cell, ...]] = [
        (*_when(each), *(each.by_status.get(label, 0) for label in labels)) for each in timeline.intervals
    ]
    return Figure(title, about, *draw(plot), legend, _numbers(("From (UTC)", "Lasting", *labels), rows))


def _kinds(intervals: Sequence[Interval]) -> list[tuple[str, str, list[int]]]:
    """Return the kinds of replies that there were: name, tone, and how many in each interval."""
    found: dict[str, list[int]] = {}
    for number, each in enumerate(intervals):
        for label, n in each.by_status.items():
            found.setdefault(_kind(label), [0] * len(intervals))[number] += n
    return [(name, tone, found[name]) for _, name, tone in _KINDS if name in found]


def _kind(label: str) -> str:
    return next(name for beginning, name, _ in _KINDS if label.startswith(beginning))


def _answers(statuses: Mapping[str, int]) -> Table:
    whole = sum(statuses.values())
    ordered = sorted(statuses.items(), key=lambda each: -each[1])
    rows = [(label, n, percent(n, whole), answer_meaning(label)) for label, n in ordered]
    return Table("", ("Reply", "Attempts", "Share", "What it means"), rows)


def _latency(timeline: Timeline | None, overall: Mapping[str, float] | None) -> list[Block]:
    if overall is None:
        return []
    facts = Facts(
        [
            Fact(f"latency, {name}", f"{overall[name]:,.0f} ms", note)
            for name, note in _OVERALL.items()
            if name in overall
        ]
    )
    if timeline is None or all(each.latency is None for each in timeline.intervals):
        return [facts]
    return [facts, _latency_figure(timeline)]


def _latency_figure(timeline: Timeline) -> Figure:
    series = {name: [_milliseconds(each, name) for each in timeline.intervals] for name, _, _ in _PERCENTILES}
    lines = [Line(timeline.line(series[name]), tone, "line") for name, _, tone in _PERCENTILES]
    top = max(value for values in series.values() for value in values if value is not None)
    about = "How long MoEngage took to answer, in milliseconds: the time within which so many of the replies came."
    plot = Plot("Latency, milliseconds", about, lines, timeline.width, top, timeline.ticks)
    if timeline.merged:
        about += " Of intervals that were added up, the slowest is drawn."
    legend = [Key(f"{name} ({words})", tone, "line") for name, words, tone in _PERCENTILES]
    numbers = [
        (*_when(each), *(_milliseconds(each, name) or "–" for name, _, _ in _PERCENTILES))
        for each in timeline.intervals
    ]
    head = ("From (UTC)", "Lasting", *(f"{name} ms" for name, _, _ in _PERCENTILES))
    return Figure("Latency, milliseconds", about, *draw(plot), legend, _numbers(head, numbers))


def _milliseconds(interval: Interval, name: str) -> float | None:
    return float(interval.latency[name]) if interval.latency else None


def _trouble(timeline: Timeline) -> list[Block]:
    retries = sum(each.retries for each in timeline.intervals)
    paused = sum(each.paused for each in timeline.intervals)
    if not retries and not paused:
        return [Note("No attempt had to be made again, and nothing had to wait for MoEngage.")]
    rows = [(*_when(each), each.retries, round(each.paused, 1)) for each in timeline.intervals]
    shares = [100 * share(each.paused, each.seconds) for each in timeline.intervals]
    rates = [100 * share(each.retries, each.attempts) for each in timeline.intervals]
    about = (
        f"{retries:,} of the attempts were retries; everybody waited for {duration(paused)}, "
        "because MoEngage asked for it or did not answer. Drawn in percent: of the attempts, and of the time."
    )
    lines = [Line(timeline.area(shares), "faint", "area"), Line(timeline.line(rates), "wait", "line")]
    plot = Plot("Retries and pauses, percent", about, lines, timeline.width, max(*shares, *rates), timeline.ticks)
    legend = [Key("time spent waiting, %", "faint"), Key("retries among the attempts, %", "wait", "line")]
    numbers = _numbers(("From (UTC)", "Lasting", "Retries", "Waited, s"), rows)
    return [Figure("Retries and pauses, percent", about, *draw(plot), legend, numbers)]


def _when(interval: Interval) -> tuple[str, str]:
    return moment(interval.begin).removesuffix(" UTC"), duration(interval.seconds)


def _numbers(head: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Table:
    return Table("The numbers", head, rows)

"""Charts as SVG. pygal draws; its styles, scripts, tooltips and ids are taken away, the page's style sheet colours.

Everything is drawn over numbers along x: lines, and areas that begin at zero. Each chart is drawn twice, wide and
narrow, so that its labels can be read on a phone too.
"""

import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from replay_cli.report.page.axes import Tick, number_ticks

Point = tuple[float, float | None]
"""(x, y); no y interrupts a line."""


class Line(NamedTuple):
    """Points in the order of x; its look is `area`, `line` or `dashed`."""

    points: Sequence[Point]
    tone: str
    look: str


class Plot(NamedTuple):
    """What a chart shows, without how large.

    `ticks` gives the labels of x for about so many places; `top` is the largest y, in the unit that the title names.
    """

    title: str
    about: str
    lines: Sequence[Line]
    width: float
    top: float
    ticks: Callable[[int], Sequence[Tick]]


class Drawing(NamedTuple):
    """An SVG that can be put into a page as it is."""

    svg: str


class _Format(NamedTuple):
    width: int
    height: int
    font: int
    x_labels: int
    y_labels: int


_WIDE = _Format(width=920, height=250, font=12, x_labels=8, y_labels=5)
_NARROW = _Format(width=340, height=210, font=11, x_labels=3, y_labels=4)
_LEFT_OUT = {"script", "style", "defs", "desc", "title"}
_EMPTY = {"titles", "tooltip-overlay", "text-overlay", "overlay", "background"}
_DECIMALS = re.compile(r"(\d+\.\d)\d+")
_NS = "{http://www.w3.org/2000/svg}"


def draw(plot: Plot) -> tuple[Drawing, Drawing]:
    """Draw a chart for a wide page, and for a narrow one."""
    return _draw(plot, _WIDE), _draw(plot, _NARROW)


def _draw(plot: Plot, look: _Format) -> Drawing:
    pygal = _pygal()
    y_ticks = number_ticks(plot.top, look.y_labels)
    chart = pygal.XY(
        style=pygal.style.Style(label_font_size=look.font, major_label_font_size=look.font),
        width=look.width,
        height=look.height,
        js=[],
        css=[],
        no_prefix=True,
        disable_xml_declaration=True,
        show_legend=False,
        show_dots=False,
        margin=0,
        margin_top=8,
        margin_right=28,
        margin_left=4,
        spacing=6,
        truncate_label=-1,
        range=(0, y_ticks[-1].at),
        xrange=(0, plot.width),
        x_labels=[{"value": tick.at, "label": tick.label} for tick in plot.ticks(look.x_labels)],
        y_labels=[{"value": tick.at, "label": tick.label} for tick in y_ticks],
    )
    for line in plot.lines:
        area = line.look == "area"
        # pygal pads short series with nothing, and an area that may be interrupted would not be closed behind that.
        chart.add("", list(line.points), fill=area, allow_interruptions=not area)
    chart.add_xml_filter(lambda root: _only_the_drawing(root, plot))
    return Drawing(chart.render(is_unicode=True))


def _pygal() -> Any:
    """Return pygal without what it puts in the way of all later imports, for maps: Python warns of such finders."""
    import pygal

    sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "pygal"]
    return pygal


def _only_the_drawing(root: Any, plot: Plot) -> Any:
    """Take away what is not drawn, name the lines by their tones, and say in words what is to be seen."""
    _take_away(root)
    for name in ("id", "class"):
        root.attrib.pop(name, None)
    root.set("role", "img")
    root.set("aria-label", f"{plot.title}. {plot.about}")
    for node in root.iter():
        if "d" in node.attrib:
            node.set("d", _DECIMALS.sub(r"\1", node.get("d")))
        if (found := re.match(r"series serie-(\d+)", node.get("class", ""))) is not None:
            line = plot.lines[int(found[1])]
            node.set("class", f"series {line.look} {line.tone}")
    for at, (tag, text) in enumerate((("title", plot.title), ("desc", plot.about))):
        words = root.makeelement(tag, {})
        words.text = text
        root.insert(at, words)
    return root


def _take_away(node: Any) -> None:
    for child in list(node):
        if _is_left_out(child):
            node.remove(child)
        else:
            _take_away(child)


def _is_left_out(node: Any) -> bool:
    if not isinstance(node.tag, str):  # a comment
        return True
    return node.tag.removeprefix(_NS) in _LEFT_OUT or node.get("class", "").split(" ")[-1] in _EMPTY

"""A page becomes HTML: everything is escaped but the drawings, which are this program's own."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from replay_cli.report.page.blocks import Cell, Page
from replay_cli.report.page.charts import Drawing
from replay_cli.report.page.numbers import figures
from replay_cli.report.page.plan import plan_page
from replay_cli.report.page.run import run_page
from replay_cli.report.page.tidying import tidied
from replay_cli.report.page.validation import validation_page

_PAGES: Mapping[str, Callable[[Mapping[str, Any]], Page]] = {
    "run": run_page,
    "validation": validation_page,
    "plan": plan_page,
}


def render(document: Mapping[str, Any]) -> str:
    """Return a document's page as HTML that loads nothing from anywhere."""
    page = _PAGES[document["kind"]](tidied(document))
    return _environment().get_template("page.html").render(page=page)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("replay_cli.report", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(cell=_cell, figures=figures, drawing=_drawing, width=_width)
    environment.tests["number"] = lambda value: isinstance(value, int | float)
    return environment


def _cell(value: Cell) -> Markup:
    """Set a number so that people read it with its thousands parted, and programs as it is."""
    if isinstance(value, str):
        return Markup("<bdi>{}</bdi>").format(value)
    return Markup('<data value="{}">{}</data>').format(value, figures(value))


def _drawing(drawing: Drawing) -> Markup:
    return Markup(drawing.svg)  # noqa: S704 - drawn by pygal of numbers and of this program's own words


def _width(share: float) -> str:
    """Return a length in percent; what is not nothing is seen."""
    return f"{max(100 * share, 0.4 if share else 0):.2f}%"

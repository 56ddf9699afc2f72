"""Other people's text, made harmless: names, reasons and excerpts come from archives and from replies.

Done once, to the whole document, so that no part of the page can forget it.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from replay_cli.report.terminal import printable

LONGEST = 400
"""Characters of one text; an example's excerpt has no more than 300."""
DEEPEST = 12
"""Levels; the document itself has five, what a job's settings hold may have more."""


def tidied(value: Any, levels: int = DEEPEST) -> Any:
    """Return plain JSON values with each text shortened and its control characters shown, names of keys too.

    No entry is lost: keys that are alike once shortened are numbered.
    """
    if isinstance(value, str):
        return shortened(value)
    if isinstance(value, Mapping):
        return _tidied_names(value, levels - 1) if levels else "…"
    if isinstance(value, list | tuple):
        return [tidied(each, levels - 1) for each in value] if levels else "…"
    return value


def shortened(text: str) -> str:
    """Return a text that is fit to be shown: cut where it is too long, which it says then."""
    if len(text) <= LONGEST:
        return printable(text)
    return f"{printable(text[:LONGEST])}… ({len(text):,} characters)"


def _tidied_names(values: Mapping[str, Any], levels: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    alike: Counter[str] = Counter()
    for name, value in values.items():
        fit = base = shortened(str(name))
        while fit in found:
            alike[base] += 1
            fit = f"{base} #{alike[base] + 1}"
        found[fit] = tidied(value, levels)
    return found

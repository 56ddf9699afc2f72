"""The page of `--report`: one HTML file that needs no network, of a run, a validation or a plan.

    tidying                 other people's text is made harmless, once, before anything else
    run, validation, plan   a document becomes a page, which is sections of `blocks` (pure, as their `parts` are)
    timeline, days, axes    what is drawn, and where (pure)
    charts                  pygal draws, and what it adds beyond the drawing is taken away
    rendering               jinja2 puts the page into HTML, and escapes everything but the drawings

The page has no script. All its times are UTC.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from replay_cli.report.page.writing import write_whole


def write_page(path: Path, document: Mapping[str, Any]) -> None:
    """Write the page of a document, whole or not at all; readable by its owner alone, since it holds excerpts.

    Args:
        path: the HTML file; one that is there is replaced.
        document: a run's, a validation's or a plan's, as its `kind` tells; plain JSON values.

    Raises:
        FatalError: the file cannot be written.
    """
    from replay_cli.report.page.rendering import render  # jinja2 and pygal: only where a page is asked for

    write_whole(path, render(document))

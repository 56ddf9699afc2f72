"""What `replay validate` found, for people: the answer first, then what it follows from.

`headline` and `estimate` are the answer, `book` says what happens to the records and where, `composition`, `times`,
`people` and `limits` what is in them; `plan` is the short form of it for `--plan`. Each writes on a `sheet`, and leaves
out what there is nothing to say about.
"""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from replay_cli.report.validation.book import print_book
from replay_cli.report.validation.composition import print_composition
from replay_cli.report.validation.estimate import print_estimate
from replay_cli.report.validation.headline import headline, print_reading
from replay_cli.report.validation.limits import print_limits
from replay_cli.report.validation.people import print_people
from replay_cli.report.validation.plan import print_plan_on
from replay_cli.report.validation.sheet import Sheet
from replay_cli.report.validation.times import print_times


def print_validation(console: Console, document: Mapping[str, Any]) -> None:
    """Print what a validation found.

    Args:
        console: a terminal, where lines are wrapped and names are cut to fit, or a log, where lines stay whole.
        document: as `replay validate --json` gives it.
    """
    sheet = Sheet(console)
    sheet.line(headline(document))
    print_estimate(sheet, document["estimate"])
    for part in (print_book, print_composition, print_times, print_people, print_limits, print_reading):
        part(sheet, document)


def print_plan(console: Console, document: Mapping[str, Any]) -> None:
    """Print what `--plan` estimated.

    Args:
        console: as for `print_validation`.
        document: as `replay validate --plan --json` gives it.
    """
    print_plan_on(Sheet(console), document)

"""A job file, one of its routes, and what a scheduler is told of the end."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from replay_cli.cli.options.grouped import ACCEPTED, PATH, ROUTE, SCHEDULED, option, together

JOB = frozenset({"job", "route"})
"""The keys that name a job: they cannot stand in its file."""
_MAY_BE_ACCEPTED = (3, 4)


class ExitCodes(click.ParamType[Sequence[int]]):
    """Exit codes that are taken for success: `3`, `3,4`. All others are failures, and stay what they are."""

    name = "codes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Sequence[int]:
        if not isinstance(value, str):
            return value  # type: ignore[no-any-return] # it was converted before
        codes = [text.strip() for text in value.split(",")]
        if not all(code in map(str, _MAY_BE_ACCEPTED) for code in codes):
            self.fail(
                f"{value!r}: use 3 (finished, with records rejected or dead-lettered), 4 (paused) or 3,4; every other "
                "code is a failure that somebody must see",
                param,
                ctx,
            )
        return [int(code) for code in codes]


def _take_job(context: click.Context, _: click.Parameter, path: Path | None) -> None:
    """Let a job file say what neither the command line nor the environment says."""
    if path is None or context.obj is not None or context.resilient_parsing:
        return
    from replay_cli.cli.job_file import take_job  # what other invocations do without

    take_job(context, path)


def _take_route(context: click.Context, _: click.Parameter, route: str | None) -> None:
    context.meta[ROUTE] = route


def _take_codes(context: click.Context, _: click.Parameter, codes: Sequence[int] | None) -> None:
    context.meta[ACCEPTED] = codes or ()


job_options = together(
    [
        option(
            SCHEDULED,
            "--job",
            type=PATH,
            metavar="FILE.toml",
            is_eager=True,
            expose_value=False,
            callback=_take_job,
            help="Options by name, for a job that is run again and again; the command line and the environment are "
            "over it.",
        ),
        option(
            SCHEDULED,
            "--route",
            metavar="NAME",
            expose_value=False,
            callback=_take_route,
            help="Only this [[route]] of the job file.  [default: all, one after the other]",
        ),
    ]
)

ok_exit_option = option(
    SCHEDULED,
    "--ok-exit",
    type=ExitCodes(),
    metavar="3,4",
    expose_value=False,
    callback=_take_codes,
    help="End with 0 instead of these: for schedulers that call everything else a failure.",
)

"""Options and commands that show their groups in `--help`, and the groups."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

WHAT = "What"
FROM_S3 = "Where from (S3)"
WHERE = "Where it goes (exactly one)"
AS_WHAT = "As what it goes"
DELIVERY = "Delivery"
MEMORY = "Memory"
OUTPUT = "Output"
CREDENTIALS = "Credentials"
SCHEDULED = "For schedulers"
SHOW = "What to show"

ARGUMENTS, ROUTE, ACCEPTED = "replay_cli.arguments", "replay_cli.route", "replay_cli.accepted"
"""Where a context's `meta` has what the command was called with, the route of a job file that was picked, and the exit
codes that are taken for 0.
"""

PATH = click.Path(path_type=Path)


class GroupedOption(click.Option):
    """An option that knows its group in `--help`."""

    def __init__(self, *arguments: Any, group: str = "Options", **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.group = group

    @property
    def long_name(self) -> str:
        """How the command line names it, without the dashes in front: that is its key in a job file."""
        return max(self.opts, key=len).lstrip("-")

    @property
    def variable(self) -> str:
        """How the environment names it, behind the command's prefix: as the command line does (`--from`: `FROM`)."""
        return self.long_name.replace("-", "_").upper()

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Return what the environment says, by the names of AWS and MoEngage first."""
        told = click.Parameter.resolve_envvar_value(self, ctx)
        if told is None and self.allow_from_autoenv and ctx.auto_envvar_prefix is not None:
            told = os.environ.get(f"{ctx.auto_envvar_prefix}_{self.variable}")
        return told or None


class GroupedCommand(click.Command):
    """A command whose `--help` shows its options by group, and examples at the end."""

    def __init__(self, *arguments: Any, examples: Sequence[str] = (), **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.examples = examples

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse variables of this command that it does not know: a misspelt one would be silently without effect."""
        if ctx.resilient_parsing:  # a shell asks what may come next, of a line that is not finished
            return super().parse_args(ctx, args)
        prefix = f"{ctx.auto_envvar_prefix}_" if ctx.auto_envvar_prefix else ""
        known = {
            f"{prefix}{parameter.variable}"
            for parameter in self.get_params(ctx)
            if isinstance(parameter, GroupedOption) and parameter.allow_from_autoenv
        }
        for name in sorted(os.environ):
            if prefix and name.startswith(prefix) and name not in known:
                raise click.UsageError(f"{name} in the environment is no option of `{ctx.command_path}`", ctx)
        self._refuse_repetitions(ctx, args)
        ctx.meta[ARGUMENTS] = tuple(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Do what the command does; where a job file was given, as it says."""
        if ctx.obj is None:
            if ctx.meta.get(ROUTE) is not None:
                raise click.UsageError("--route goes with --job: it is a table in a job file", ctx)
            return super().invoke(ctx)
        from replay_cli.cli.routes import invoke_job  # what other invocations do without

        return invoke_job(self, ctx, super().invoke)

    def _refuse_repetitions(self, ctx: click.Context, args: list[str]) -> None:
        """Refuse what says what is sent, as what, and for which job, if it is given twice: one of both would be lost.

        Of the others the last one counts, as everywhere: scripts add to a command to override what is in it.
        """
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        for parameter in given:
            if not isinstance(parameter, GroupedOption) or parameter.multiple or parameter.is_flag:
                continue
            if parameter.group in (WHAT, AS_WHAT, SCHEDULED) and given.count(parameter) > 1:
                raise click.UsageError(f"{max(parameter.opts, key=len)} is given twice, and takes one value", ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            row = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if row is not None:
                groups.setdefault(getattr(parameter, "group", "Other"), []).append(row)
        for name, rows in groups.items():
            with formatter.section(name):
                formatter.write_dl(rows)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(f"{'':>{formatter.current_indent}}{example}\n")


def option(group: str, *declarations: str, **keywords: Any) -> Callable[[F], F]:
    """Make an option of a group."""
    return click.option(*declarations, cls=GroupedOption, group=group, **keywords)


def together(options: Sequence[Callable[[F], F]]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for decorator in reversed(options):
            function = decorator(function)
        return function

    return decorate

"""The `replay` command: finds its subcommands when they are asked for, so that `--help` is instant."""

import os
import sys
from importlib import import_module
from typing import Any

import click

from replay_cli import __version__
from replay_cli.cli.json_log import prepare_stderr
from replay_cli.cli.options.grouped import ACCEPTED
from replay_cli.errors import ReplayError

_COMMANDS = {
    "validate": "Say what of an archive can be sent, and how long it would take.",
    "run": "Re-send an archive to MoEngage.",
    "resume": "Go on with a job from its checkpoint, with its stored settings.",
    "redrive": "Send the dead letters of a job again.",
    "status": "Show what a job did, does and has left.",
    "erase": "Erase people from the checkpoint of a job, and list what was sent of theirs.",
    "jobs": "List the jobs of a folder, with their state and last result.",
    "check": "Try the credentials and the sources without sending anything.",
    "sandbox": "Run a local MoEngage to try things against.",
    "completion": "Print what makes a shell complete these commands and their options.",
}
"""Command → its line in `--help`; each lives in the module of its name."""

_VERSION = f"replay %(version)s (Python {sys.version.split()[0]} on {sys.platform})"


class _LazyGroup(click.Group):
    """A group that imports a command when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command = import_module(f"replay_cli.cli.{cmd_name}").command
        assert isinstance(command, click.Command)  # noqa: S101 # a bug in this table, not an error of the user's
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error of ours becomes its sentence and its exit code, unless `--ok-exit` accepts that."""
        try:
            return super().invoke(ctx)
        except click.exceptions.Exit as end:
            raise click.exceptions.Exit(_accepted(ctx, end.exit_code)) from None
        except ReplayError as error:
            from replay_cli.report.terminal import printable  # what help does without

            click.echo(f"Error: {printable(str(error))}", err=True)
            ctx.exit(_accepted(ctx, error.exit_code))


def _accepted(ctx: click.Context, code: int) -> int:
    """Return 0 for an exit code that `--ok-exit` takes for success."""
    return 0 if code in ctx.meta.get(ACCEPTED, ()) else code


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "REPLAY"})
@click.version_option(__version__, message=_VERSION)
def group() -> None:
    """Re-send archived Twilio Segment events to MoEngage.

    Nothing lost, nothing sent twice unknowingly, never over the cap, every record accounted for.
    """


def main() -> None:
    """Run the command line; the process ends with its exit code."""
    prepare_stderr(sys.argv[1:], os.environ)
    try:
        code = group.main(prog_name="replay", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        sys.exit(130)
    except OSError as error:  # stdout: what writes files translates its own
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, sys.stdout.fileno())  # or Python complains once more when it flushes
        if not isinstance(error, BrokenPipeError):
            click.echo(f"Error: cannot write the output: {error.strerror}", err=True)
        sys.exit(1)

"""A command line as click reads it, without what it would do."""

import os
from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path
from unittest.mock import patch

import click

from replay_cli.cli.main import group
from tests.support.processes import environment


def parse(arguments: Sequence[str], cwd: Path) -> click.Context:
    """Parse the arguments of `replay`, in a folder; what click refuses is raised.

    Returns:
        The context of the command, with its parameters.
    """
    name, *rest = arguments
    if not rest and name in ("--help", "--version"):
        return click.Context(group)
    context = click.Context(group, info_name="replay")
    command = group.get_command(context, name)
    if command is None:
        raise click.UsageError(f"there is no command {name}")
    with patch.dict(os.environ, environment(), clear=True), chdir(cwd):
        return command.make_context(name, rest, parent=context)

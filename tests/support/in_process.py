"""The real command in this process: for what sends nothing, and is over in an instant."""

import os
from contextlib import chdir
from pathlib import Path

from click.testing import CliRunner

from replay_cli.cli.main import group
from tests.support.processes import Finished, environment


class Told(Finished):
    """What a command told that had no process of its own."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


def replay_here(cwd: Path, *arguments: str, **changes: str) -> Told:
    """Run `replay` in a folder to its end; an exception of its own is raised here."""
    wanted = environment(**changes)
    with chdir(cwd):
        done = CliRunner().invoke(
            group,
            arguments,
            prog_name="replay",
            env=dict.fromkeys(os.environ.keys() - wanted.keys()) | wanted,
            catch_exceptions=False,
        )
    return Told(done.exit_code, done.stdout, done.stderr)

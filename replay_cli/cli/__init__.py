"""The command line: one module a command, wiring, and errors as one sentence with their exit code."""

from replay_cli.cli.main import main

__all__ = ["main"]

"""`python -m replay_cli` is `replay`."""

from replay_cli.cli import main

main()

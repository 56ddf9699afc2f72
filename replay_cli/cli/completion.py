"""`replay completion`: what a shell needs to complete commands, options and values."""

import click

from replay_cli.cli.options import GroupedCommand

EXAMPLES = (
    "replay completion bash > ~/.local/share/bash-completion/completions/replay",
    'eval "$(replay completion zsh)"',
    "replay completion fish > ~/.config/fish/completions/replay.fish",
)
VARIABLE = "_REPLAY_COMPLETE"
"""What the script sets when it asks the program: click's name for it."""


@click.command("completion", cls=GroupedCommand, examples=EXAMPLES)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print what makes a shell complete the commands and options of `replay`.

    Write it where your shell looks for completions, or evaluate it in its start-up file.
    """
    from click.shell_completion import get_completion_class

    from replay_cli.cli.main import group

    completion = get_completion_class(shell)
    if completion is None:
        raise click.UsageError(f"this version of click knows no completion for {shell}")
    click.echo(completion(group, {}, "replay", VARIABLE).source())

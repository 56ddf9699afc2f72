"""Each command's help says what it is for, and has examples that can be given."""

import click
import pytest

from replay_cli.cli.main import group
from replay_cli.cli.options import GroupedCommand
from tests.support.parsing import parse
from tests.support.readme import arguments_of
from tests.support.reference import commands
from tests.support.workplace import CHECKOUT

COMMANDS = {str(command.name): command for command in commands()}


def examples(command: click.Command) -> list[str]:
    assert isinstance(command, GroupedCommand)
    return list(command.examples)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_shows_its_examples(name: str) -> None:
    command = COMMANDS[name]
    shown = command.get_help(click.Context(command, info_name=f"replay {name}", parent=None))
    assert examples(command)
    assert all(f"  {example}\n" in shown + "\n" for example in examples(command))
    assert any(f"replay {name}" in example for example in examples(command))


@pytest.mark.parametrize("example", [example for command in COMMANDS.values() for example in examples(command)])
def test_each_example_can_be_given(example: str) -> None:
    """In the folder of the examples, for job files that are named."""
    arguments = arguments_of(example)
    if arguments is None:
        assert example.startswith(("curl ", 'eval "$(replay completion '))
    else:
        parse(arguments, CHECKOUT / "examples")


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_says_what_it_is_for(name: str) -> None:
    for parameter in COMMANDS[name].params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert parameter.help
            assert parameter.help[-1] in '.]"', parameter.help


def test_the_program_lists_each_command_with_a_line() -> None:
    shown = group.get_help(click.Context(group, info_name="replay"))
    assert all(f"  {name} " in shown for name in COMMANDS)

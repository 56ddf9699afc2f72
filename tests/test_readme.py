"""The README says what there is: every option, reason, rule and field, and its examples can be used as they are."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

import replay_cli
from replay_cli.cli.main import group
from replay_cli.moengage.configuration import read_configuration
from replay_cli.moengage.limits import PROJECT_NAME, RESERVED_PREFIX, RULES
from replay_cli.report.summary import make_summary
from replay_cli.sandbox.programme import _VALID, parse_programme
from replay_cli.segment.fql import compile_condition
from replay_cli.segment.selection import LEFT_OUT
from replay_cli.segment.windows_csv import read_windows

ROOT = Path(replay_cli.__file__).parent
README = (ROOT.parent / "README.md").read_text()
NO_REASONS = {PROJECT_NAME, RESERVED_PREFIX, "identify", "none"}
"""Words of the protocol and of options, among the constants."""
REASON = re.compile(r"[a-z]+(?:_[a-z]+)*")
RAISING = {"MalformedError", "UnmappableError", "NotTakenError", "Unreadable"}


def rows(heading: str) -> list[list[str]]:
    """The cells of a table, by the beginning of its heading."""
    table = README[README.index(heading) :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table]


def blocks() -> list[str]:
    """The texts of all code blocks."""
    return [re.sub(r"^ {2}", "", block, flags=re.MULTILINE) for block in README.split("```\n")[1::2]]


def block(part: str) -> str:
    (found,) = (text for text in blocks() if part in text)
    return found


def commands() -> Iterator[click.Command]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield command


def options() -> set[str]:
    return {name for command in commands() for parameter in command.params for name in parameter.opts}


@cache
def reasons() -> frozenset[str]:
    """What is given as a reason or a rule: the public constants of the pure rooms, and what errors are raised with."""
    found = set[str]()
    for path in [*(ROOT / "segment").rglob("*.py"), *(ROOT / "moengage").rglob("*.py"), ROOT / "preparation.py"]:
        tree = ast.parse(path.read_text())
        for node in tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                name, value = node.targets[0].id, node.value
                if name.isupper() and name[0] != "_" and isinstance(value, ast.Constant) and is_word(value.value):
                    found.add(str(value.value))
    for path in (path for room in ("archive", "segment", "moengage") for path in (ROOT / room).rglob("*.py")):
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        raised = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id in RAISING and call.args]
        given = [call.args[0].value for call in raised if isinstance(call.args[0], ast.Constant)]
        found |= {str(value) for value in given if is_word(value)}
    return frozenset(found - NO_REASONS)


def is_word(value: object) -> bool:
    return isinstance(value, str) and REASON.fullmatch(value) is not None


@pytest.mark.parametrize("option", sorted(name for name in options() if name.startswith("--")))
def test_it_names_every_option(option: str) -> None:
    assert re.search(rf"{option}(?![\w-])", README)


@pytest.mark.parametrize("reason", sorted(reasons()))
def test_it_names_every_reason(reason: str) -> None:
    assert re.search(rf"`{reason}[:`]", README)


def test_the_reasons_that_are_looked_for_are_all_of_them() -> None:
    assert reasons() >= {*LEFT_OUT, *RULES, "suppressed", "duplicate", "anonymous", "malformed_json", "too_large"}


def test_the_options_stand_in_the_order_in_which_they_decide() -> None:
    text = " ".join(row[2] for row in rows("| option | what is meant |"))
    places = [text.index(f"`{reason}`") for reason in LEFT_OUT if reason not in ("other_source", "no_received_at")]
    assert places == sorted(places)


def test_the_table_of_limits_is_that_of_the_rules() -> None:
    words = {"rejected": "rejected", "concern": "warning"}
    documented = {
        rule: (segment, data) for names, _, segment, data in rows("| rule |") for rule in re.findall(r"`(\w+)`", names)
    }
    expected = {rule: (words[verdicts.segment.value], words[verdicts.data.value]) for rule, verdicts in RULES.items()}
    assert expected.items() <= documented.items()


def test_it_names_every_field_of_the_summary() -> None:
    summary = make_summary(
        state="",
        reason="",
        book={},
        totals=dict.fromkeys(("read", "pending", "in_doubt", "peak", "objects", "complete", "ignored"), 0),
        replies={},
        damage={},
        changed=[],
        run={},
        elapsed=0,
        checkpoint=None,
        dead_letters=None,
    )
    fields = [*summary, *summary["records"], *summary["requests"], *summary["objects"]]
    assert [field for field in fields if f'"{field}"' not in block('"state": ')] == []


@pytest.mark.parametrize("key", _VALID)
def test_it_names_every_key_of_a_fault(key: str) -> None:
    assert f"`{key}`" in README


def test_its_examples_can_be_used() -> None:
    assert len(read_configuration(block("[track]"), "wishes.toml").subscriptions) == 2
    assert len(read_configuration(block('"actionSlug"'), "subscriptions.json").subscriptions) == 1
    assert len(read_windows(block("received_from,received_until")).rows) == 2
    assert len(parse_programme(block('"refuse_users"'))) == 7
    (condition,) = re.findall(r'`"(type = .*)"`', README)
    assert compile_condition(condition)({"type": "track", "properties": {"total": 101}})

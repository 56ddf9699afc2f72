"""The README says what there is: every option, reason, rule and field, and its examples can be used as they are."""

import ast
import re
from functools import cache
from pathlib import Path
from shutil import copytree

import pytest
from prometheus_client.parser import text_string_to_metric_families

import replay_cli
from replay_cli.cli.options import GroupedOption
from replay_cli.delivery.fair_use import LIMITS
from replay_cli.moengage.configuration import read_configuration
from replay_cli.moengage.limits import PROJECT_NAME, RESERVED_PREFIX, RULES
from replay_cli.report.summary import make_summary
from replay_cli.sandbox.programme import _VALID, parse_programme
from replay_cli.segment.fql import compile_condition
from replay_cli.segment.selection import LEFT_OUT
from replay_cli.segment.windows_csv import read_windows
from replay_cli.telling.metrics import Booked, Standing, render
from tests.support.parsing import parse
from tests.support.readme import README, arguments_of, block, blocks, prose, rows, section, shell_lines, slugs
from tests.support.reference import commands, rows_of, written
from tests.support.workplace import CHECKOUT

ROOT = Path(replay_cli.__file__).parent
NO_REASONS = {PROJECT_NAME, RESERVED_PREFIX, "identify", "none"}
"""Words of the protocol and of options, among the constants."""
REASON = re.compile(r"[a-z]+(?:_[a-z]+)*")
RAISING = {"MalformedError", "UnmappableError", "NotTakenError", "Unreadable"}


OTHERS = {"--help", "--version", "--no-deps", "--tag", "--from-file"}
"""What every command takes, and options of other programs."""


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


def test_its_reference_is_that_of_the_program() -> None:
    """Every option of every command, and no other: `make reference` writes it anew."""
    assert written(README) == README


def test_it_names_no_option_that_there_is_not() -> None:
    known = {name for command in commands() for row in rows_of(command) for name in re.findall(r"--[\w-]+", row.names)}
    named = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", README))
    assert sorted(named - known - OTHERS) == []


def test_it_names_what_is_said_each_time() -> None:
    """What the environment and job files cannot say."""
    options = (parameter for command in commands() for parameter in command.params)
    each = {
        option.long_name for option in options if isinstance(option, GroupedOption) and not option.allow_from_autoenv
    }
    said = re.findall(r"except ([^.]*), which are said each time", " ".join(README.split()))[0]
    assert set(re.findall(r"`--(\w+)`", said)) == each
    assert set(re.findall(r"`(\w+)`", re.findall(r"([^.]*) are not for files", " ".join(README.split()))[0])) == each


def test_its_table_of_commands_has_them_all() -> None:
    named = [re.findall(r"`replay (\w+)", row[0])[0] for row in rows("| command | |")]
    assert named == [command.name for command in commands()]


@pytest.mark.parametrize("line", [line for line in shell_lines() if arguments_of(line) is not None])
def test_its_commands_can_be_given(line: str) -> None:
    arguments = arguments_of(line)
    assert arguments is not None
    parse(arguments, CHECKOUT / "examples")


def test_its_job_files_can_be_given(tmp_path: Path) -> None:
    copytree(CHECKOUT / "examples", tmp_path, dirs_exist_ok=True)
    files = [each.text for each in blocks() if each.language == "toml" and "[track]" not in each.text]
    assert len(files) == 2
    for number, text in enumerate(files):
        (tmp_path / f"readme-{number}.toml").write_text(text)
        parse(["run", "--job", f"readme-{number}.toml"], tmp_path)


def test_its_links_lead_somewhere() -> None:
    places = re.findall(r"\]\(([^)]+)\)", prose())
    assert {place for place in places if place[0] == "#"} <= {f"#{slug}" for slug in slugs()}
    files = [place for place in places if place[0] != "#" and "://" not in place]
    assert [file for file in files if not (CHECKOUT / file).exists()] == []


def test_it_names_every_example() -> None:
    files = {path.name for path in (CHECKOUT / "examples").iterdir()}
    assert files == set(re.findall(r"examples/([\w.-]+)", README))


def test_its_arithmetic_is_right() -> None:
    units = {"minutes": 60, "hours": 3600, "days": 86400}
    table = rows("| requests |")
    for millions, row in zip((1, 10, 100, 1000), table, strict=True):
        for rate, cell in zip((100, 250, 500), row[1:], strict=True):
            number, unit = cell.split()
            assert float(number) == pytest.approx(millions * 1e6 / rate / units[unit], rel=0.02)
    said = " ".join(section("## How long it takes").split())
    night = 5 * 3600 * 300
    assert f"Five hours a night at 300 a second are {night / 1e6:g} million requests" in said
    assert f"100 million take {round(100e6 / night)} nights" in said
    assert f"so a user with 20,000 of them takes {20_000 / 5 / 3600:.1f} hours" in said
    slowest = max((50_000 - limit.bucket) / limit.leak for limit in LIMITS)
    assert f"one with 50,000 takes {slowest / 3600:.1f}" in said
    assert f"replies that take 200 ms keeps {250 * 0.2:.0f} attempts under way" in said


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


def told_events() -> set[str]:
    """What is told as an event of its own: the first text that these functions are given."""
    telling = {"tell", "tell_of_people", "_tell_detail", "emit"}
    calls = [
        node
        for path in ROOT.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
    ]
    told = [call for call in calls if getattr(call.func, "id", getattr(call.func, "attr", "")) in telling]
    texts = [[arg.value for arg in call.args if isinstance(arg, ast.Constant)] for call in told]
    return {str(given[0]) for given in texts if given}


@pytest.mark.parametrize("event", sorted(told_events()))
def test_it_names_every_event(event: str) -> None:
    assert f"`{event}`" in "".join(map("".join, rows("| event | |")))


def test_the_events_that_are_looked_for_are_all_of_them() -> None:
    assert told_events() >= {"run_started", "held_back", "dead_letter", "progress", "note", "error", "share"}


def test_it_names_every_metric() -> None:
    families = text_string_to_metric_families(render({"nightly": Standing(booked=Booked(latencies=[(1, 1)]))}).decode())
    counted = {family.name + "_total" * (family.type == "counter") for family in families}
    assert counted == {re.findall(r"`(\w+)", row[0])[0] for row in rows("| metric | |")}


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

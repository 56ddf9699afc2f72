"""What the options of the group "What" mean, and what they refuse before anything is read."""

import re
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from replay_cli.cli.options import GroupedCommand, selection_options
from replay_cli.cli.selecting import selection_from
from replay_cli.errors import UsageError
from replay_cli.segment.content import Content
from replay_cli.segment.sampling import Sample
from replay_cli.segment.selection import EVERYTHING, Selection
from replay_cli.segment.windows import Window, Windows

HEADER = "received_from,received_until,source_id,event\n"


def parse(*arguments: str) -> Selection:
    """Read a command line as click does."""
    found: list[Selection] = []

    @click.command(cls=GroupedCommand, context_settings={"auto_envvar_prefix": "REPLAY_RUN"})
    @selection_options
    def command(**values: object) -> None:
        found.append(selection_from(values))

    command.main(list(arguments), standalone_mode=False)
    return found[0]


def refusal(*arguments: str) -> str:
    with pytest.raises(UsageError) as raised:
        parse(*arguments)
    return str(raised.value)


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "failures.csv"
    path.write_text(HEADER + "2025-03-01,2025-03-02,src1,Order *\n2025-03-05,2025-03-06,src1,Cart\n")
    return path


@pytest.mark.parametrize(
    ("arguments", "content"),
    [
        (["--type", "track", "--type", "page"], Content(types=frozenset({"track", "page"}))),
        (["--identify", "none"], Content(without_identifies=True)),
        (["--identify", "all"], Content()),
        (["--event", "Order *", "--event", " a, b "], Content(events=frozenset({"Order *", " a, b "}))),
        (["--user-id", "17", "--user-id", "17"], Content(user_ids=frozenset({"17"}))),
        (["--where", " type = 'track' "], Content(where="type = 'track'")),
        (["--sample", "0.50-1%"], Content(sample=Sample.read("0.5-1%"))),
        (["--sample", "0-100%"], Content()),
        (["--require-consent", "ads", "--require-consent", "x y"], Content(consent=frozenset({"ads", "x y"}))),
        (["--exclude-device-mode"], Content(without_device_mode=True)),
        (["--exclude-integrations"], Content(without_turned_off=True)),
        (["--type", "track", "--event", "a", "--identify", "none"], None),
    ],
)
def test_options_make_a_selection(arguments: list[str], content: Content | None) -> None:
    selection = parse(*arguments)
    assert content is None or selection == Selection(content=content)
    assert Selection.from_settings(selection.settings()) == selection


def test_in_the_environment_each_line_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names of events have spaces in them."""
    monkeypatch.setenv("REPLAY_RUN_EVENT", "Order Completed\nCart *")
    monkeypatch.setenv("REPLAY_RUN_TYPE", "track page")
    monkeypatch.setenv("REPLAY_RUN_EXCLUDE_DEVICE_MODE", "1")
    assert parse().content == Content(
        types=frozenset({"track", "page"}),
        events=frozenset({"Order Completed", "Cart *"}),
        without_device_mode=True,
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--event="], "--event is empty"),
        (["--event", "a", "--event", "  "], "--event is empty"),
        (["--event", "\udcff"], "is not UTF-8"),
        (["--event", "Order ["], "--event, character 7: this [ "),
        (["--user-id="], "--user-id is empty"),
        (["--require-consent="], "--require-consent is empty"),
        (["--where="], "--where is empty"),
        (["--where", "  "], "--where is empty"),
        (["--where", "type = 'track' and"], "--where, character 1"),
        (["--where", "nosuch(event)"], "--where, character 1"),
        (["--sample", "1%"], "--sample: '1%' is not a sample: use for example 0-1%"),
        (["--sample", "5-1%"], "nobody"),
        (["--type", "identify", "--event", "X"], "--event and --type identify: only tracks have an event"),
        (["--type", "page", "--type", "identify", "--event", "X"], "--type identify --type page"),
        (["--type", "identify", "--identify", "none"], "contradict each other"),
        (["--type", "identify", "--type", "track", "--identify", "none"], "contradict each other"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(arguments: list[str], sentence: str) -> None:
    assert sentence in refusal(*arguments)


def test_a_wrong_condition_is_shown_with_a_caret() -> None:
    assert re.search(r"\n  type = 'track' and.*\n +\^$", refusal("--where", "type = 'track' and )"))


@pytest.mark.parametrize("option", [["--type", "Track"], ["--identify", "some"]])
def test_other_words_are_refused_with_those_that_there_are(option: list[str]) -> None:
    @click.command(cls=GroupedCommand)
    @selection_options
    def command(**values: object) -> None:
        raise AssertionError(values)

    end = CliRunner().invoke(command, option)
    assert end.exit_code == 2
    assert re.search("'identify'|'all', 'none'", end.output)


# -- windows --------------------------------------------------------------------------------------------------


def test_windows_are_read_from_a_file(csv: Path) -> None:
    first, second, third, last = (datetime(2025, 3, day, tzinfo=UTC) for day in (1, 2, 5, 6))
    expected = Windows.of([Window(first, second, "src1", "Order *"), Window(third, last, "src1", "Cart")])
    assert parse("--windows", str(csv)).windows == expected
    csv.write_bytes(b"\xef\xbb\xbf" + csv.read_bytes().replace(b"\n", b"\r\n"))
    assert parse("--windows", str(csv)).windows == expected
    assert parse() == EVERYTHING


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "character 1: there is nothing in it"),
        (HEADER.encode(), "no window below the header"),
        (HEADER.encode() + b"2025-03-01,soon,,\n", "line 2, character 12: received_until: 'soon' is not a time"),
        (HEADER.encode() + b"2025-03-01,2025-03-02,,caf\xe9\n", "line 2: this is not UTF-8"),
        (HEADER.encode("utf-16"), "line 1: this is not UTF-8"),
    ],
)
def test_a_file_that_is_no_list_of_windows_is_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "w.csv").write_bytes(content)
    said = refusal("--windows", str(tmp_path / "w.csv"))
    assert said.startswith(f"--windows {tmp_path / 'w.csv'}")
    assert sentence in said


def test_a_file_that_cannot_be_read_is_refused_with_the_reason(tmp_path: Path) -> None:
    assert "No such file or directory" in refusal("--windows", str(tmp_path / "none.csv"))
    assert "Is a directory" in refusal("--windows", str(tmp_path))


def test_a_file_that_is_far_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "w.csv").open("wb") as file:
        file.truncate((32 << 20) + 1)
    assert "more than 32 MiB" in refusal("--windows", str(tmp_path / "w.csv"))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("--received-from 2025-04-01", "all windows lie outside of what was received from 2025-04-01"),
        ("--received-from 2025-03-02 --received-until 2025-03-05", "all windows lie outside of what was received"),
        ("--from 2025-05-01", "all windows lie outside of that"),
        ("--source-id src2", "all windows are of other sources than those of --source-id"),
        ("--type identify", "all windows name events, and --type does not"),
    ],
)
def test_windows_that_contradict_other_options_are_refused(csv: Path, options: str, sentence: str) -> None:
    assert sentence in refusal("--windows", str(csv), *options.split())


@pytest.mark.parametrize(
    "options",
    ["--received-from 2025-03-05T23:00", "--until 2025-03-01", "--source-id src1", "--type track", "--identify none"],
)
def test_windows_of_which_something_is_left_are_not(csv: Path, options: str) -> None:
    assert parse("--windows", str(csv), *options.split()).windows is not None

"""What the options for times, periods and sources understand, and what they refuse."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.cli.options import GroupedCommand, Instant, s3_options, selection_options
from replay_cli.cli.selecting import selection_from
from replay_cli.errors import UsageError
from replay_cli.segment.selection import EVERYTHING, Period, Selection
from tests.support.in_process import replay_here

MARCH = datetime(2025, 3, 1, tzinfo=UTC)


def parse(*arguments: str) -> Selection:
    """Read a command line as click does."""
    found: list[Selection] = []

    @click.command(cls=GroupedCommand)
    @selection_options
    def command(**values: object) -> None:
        found.append(selection_from(values))

    command.main(list(arguments), standalone_mode=False)
    return found[0]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-03-01", MARCH),
        ("2025-03-01T10:00", MARCH + timedelta(hours=10)),
        ("2025-03-01 10:00", MARCH + timedelta(hours=10)),
        ("2025-03-01T10:00:00Z", MARCH + timedelta(hours=10)),
        ("2025-03-01t10:00z", MARCH + timedelta(hours=10)),
        ("2025-03-01T10:00:00.250Z", MARCH + timedelta(hours=10, milliseconds=250)),
        ("2025-03-01T10:00:00+02:00", MARCH + timedelta(hours=8)),
        ("2025-03-01T10:00-0530", MARCH + timedelta(hours=15, minutes=30)),
        (" 2025-03-01 ", MARCH),
        ("1740787200000", MARCH),
        ("1740787200001", MARCH + timedelta(milliseconds=1)),
        ("999999999999", datetime(2001, 9, 9, 1, 46, 39, 999000, UTC)),
        ("9999999999999", datetime(2286, 11, 20, 17, 46, 39, 999000, UTC)),
    ],
)
def test_an_instant_has_many_forms(text: str, moment: datetime) -> None:
    converted = Instant().convert(text, None, None)
    assert (converted, converted.tzinfo) == (moment, UTC)
    assert Instant().convert(converted, None, None) is converted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2025-13-01",
        "2025-02-30",
        "2025",
        "2025-03",
        "20250301",
        "1740787200",
        "17407872000000",
        "2025-03-01T10",
        "2025-03-01T25:00",
        "2025-03-01T10:00:00+25:00",
        "2025-03-01x10:00",
        "0001-01-01T00:00+14:00",
        "٢٠٢٥-٠٣-٠١",
        "\udcff",
    ],
)
def test_what_is_no_instant_is_refused_with_examples(text: str) -> None:
    with pytest.raises(click.BadParameter, match="2025-03-01T10:00Z"):
        Instant().convert(text, None, None)


@given(st.text(max_size=30) | st.text("0123456789-:.TZ+ ", max_size=30))
def test_any_text_is_an_instant_or_refused(text: str) -> None:
    with suppress(click.BadParameter):
        assert Instant().convert(text, None, None).tzinfo is UTC


def test_nothing_given_means_everything() -> None:
    assert parse() == EVERYTHING


def test_options_make_a_selection() -> None:
    arguments = "--received-from 2025-03-01 --received-until 2025-03-02 --from 2025-02-27 --until 2025-02-28 --late 36h"
    assert parse(*arguments.split(), "--source-id", "b", "--source-id", " a ") == Selection(
        Period(MARCH, MARCH + timedelta(days=1)),
        Period(datetime(2025, 2, 27, tzinfo=UTC), datetime(2025, 2, 28, tzinfo=UTC)),
        timedelta(hours=36),
        frozenset({"a", "b"}),
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            "--received-from 2025-03-02 --received-until 2025-03-01",
            r"--received-until 2025-03-01.* --received-from 2025",
        ),
        ("--from 2025-03-01 --until 2025-03-01", r"--until 2025-03-01T00:00:00Z is not after --from 2025"),
        ("--from 2025-03-01T10:00 --until 2025-03-01T10:00+01:00", "--until .* --from"),
        ("--source-id=", "--source-id is empty"),
        ("--source-id a --source-id=", "--source-id is empty"),
        ("--from 2025-03-01 --late 9999999999d", "--late"),
    ],
)
def test_what_contradicts_itself_is_refused_by_name(arguments: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        parse(*arguments.split())


def test_the_options_for_s3_have_values_that_change_nothing() -> None:
    @click.command(cls=GroupedCommand)
    @s3_options
    def command(**values: object) -> None:
        click.echo(values)

    done = CliRunner().invoke(command, [])
    assert done.output.strip() == str(
        {
            "aws_profile": None,
            "s3_endpoint_url": None,
            "s3_region": None,
            "s3_requester_pays": False,
            "s3_addressing": "auto",
        }
    )
    shown = CliRunner().invoke(command, ["--help"]).output
    assert "Where from (S3)" in shown
    assert CliRunner().invoke(command, ["--s3-addressing", "other"]).exit_code == 2


@pytest.mark.parametrize(
    "options", [("--where", "type = 'a'", "--where", "type = 'b'"), ("--api", "bulk", "--api=bulk")]
)
def test_what_takes_one_value_is_not_given_two(options: tuple[str, ...], tmp_path: Path) -> None:
    """The first one would be lost, and with it what it leaves out."""
    end = replay_here(tmp_path, "run", "logs", "--sandbox", *options)
    assert end.code == 2
    assert f"{options[0]} is given twice" in end.err

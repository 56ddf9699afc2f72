"""What is shown while something runs, in a terminal and in a log."""

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from replay_cli.report.progress import Reading, State, make_reporter

HALF = Reading(
    consumed=500_000_000, total=1_000_000_000, objects=5, of_objects=10, records=1_000_000, rejected=7, damaged=1
)
RUN = State(
    read=100,
    delivered=40,
    undelivered=2,
    waiting=58,
    consumed=5_000,
    total=10_000,
    per_second=9,
    rps=10,
    in_flight=8,
    limited=1,
    trouble="[red]429[/red]\x1b[2J",
)
readings = st.builds(
    Reading, *[st.integers(0, 10**10)] * 5, st.integers(0, 9999), st.integers(0, 999), listing=st.booleans()
)


def plain(reading: Reading, elapsed: float, width: int) -> str:
    return Text.from_markup(reading.numbers(elapsed, width)).plain


def test_a_reading_says_how_much_how_fast_and_how_long_still() -> None:
    assert plain(HALF, 10, 200) == (
        "5 of 10 objects · 500.0 MB of 1.0 GB · 1,000,000 records · 50.0 MB/s · 100,000 records/s · 7 rejected · "
        "1 damaged · 10.0 s left"
    )
    assert plain(HALF._replace(rejected=0, damaged=0), 10, 80) == "1,000,000 records · 50.0 MB/s · 10.0 s left"


def test_a_log_has_all_numbers_of_a_reading() -> None:
    assert HALF._replace(listing=True).fields(10) == (
        "done=50.0% objects=5/10 bytes=500000000/1000000000 records=1000000 rejected=7 damaged=1 rate=50.0MB/s "
        "records_rate=100000/s left='–' listing=true"
    )


@pytest.mark.parametrize(
    ("reading", "elapsed"),
    [(HALF._replace(listing=True), 10.0), (HALF._replace(consumed=0), 10.0), (HALF, 0.5)],
    ids=["more may be listed", "nothing is read", "it has just begun"],
)
def test_no_time_left_is_guessed_from_nothing(reading: Reading, elapsed: float) -> None:
    assert plain(reading, elapsed, 80).endswith("– left")


@pytest.mark.parametrize("width", [80, 90, 140])
def test_a_reading_fits_beside_its_bar(width: int) -> None:
    """A terabyte of a day's reading, which tells nothing wrong so far."""
    reading = Reading(444_400_000_000, 999_900_000_000, 12_345, 50_000, 999_999_999)
    assert cell_len(plain(reading, 5000, width)) + len("━━━━━━━━━━  44% ") <= width


@given(readings)
def test_a_share_lies_between_nothing_and_all(reading: Reading) -> None:
    assert 0 <= reading.share <= 1


@given(readings, st.floats(0, 10**7))
def test_a_log_line_is_one_line(reading: Reading, elapsed: float) -> None:
    assert re.fullmatch(r"done=\S+% .*left='.+'( listing=true)?", reading.fields(elapsed))


@pytest.mark.parametrize("state", [RUN, HALF])
def test_a_log_has_a_line_with_its_time_for_each_state(state: State | Reading) -> None:
    out = io.StringIO()
    with make_reporter(Console(file=out, width=400)) as reporter:
        reporter.show(state)
        reporter.show(state)
    lines = out.getvalue().splitlines()
    assert len(lines) == 2
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ done=\d", line) for line in lines)
    assert "\x1b" not in out.getvalue()


def test_what_moengage_said_is_no_markup() -> None:
    for terminal in (True, False):
        out = io.StringIO()
        with make_reporter(
            Console(file=out, width=200, force_terminal=terminal, color_system=None, force_interactive=terminal)
        ) as reporter:
            reporter.show(RUN)
        assert "[red]429[/red]\\x1b[2J" in out.getvalue()


def test_a_terminal_has_a_bar() -> None:
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True, color_system=None, force_interactive=True)
    with make_reporter(console) as reporter:
        reporter.show(HALF)
    assert " 50% 1,000,000 records" in out.getvalue()

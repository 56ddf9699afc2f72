"""Numbers drawn with letters."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from replay_cli.report.marks import BLOCKS, PLAIN, Marks, marks_for

BOTH = st.sampled_from([BLOCKS, PLAIN])
WIDTHS = st.integers(1, 60)


@given(BOTH, st.floats(0, 1), WIDTHS)
def test_a_bar_is_empty_for_nothing_and_full_for_all_only(marks: Marks, share: float, width: int) -> None:
    bar = marks.bar(share, width)
    assert len(bar) <= width
    assert (bar == "") == (share == 0)
    if marks is BLOCKS:  # in ASCII the last letter is all or nothing
        assert (bar == "█" * width) == (share == 1)


@given(BOTH, st.floats(0, 1), st.floats(0, 1), WIDTHS)
def test_more_is_never_a_shorter_bar(marks: Marks, one: float, other: float, width: int) -> None:
    order = f" {marks.parts}{marks.full}"
    less, more = ([order.index(letter) for letter in marks.bar(share, width)] for share in sorted((one, other)))
    assert less <= more


def test_a_share_that_is_none_is_drawn_as_far_as_there_is_room() -> None:
    assert BLOCKS.bar(7.5, 4) == "████"
    assert BLOCKS.bar(-1, 4) == ""


@given(BOTH, st.lists(st.integers(0, 10**12), max_size=50))
def test_a_sparkline_has_a_mark_for_each_value_and_shows_what_is_not_nothing(marks: Marks, values: list[int]) -> None:
    line = marks.sparkline(values)
    assert len(line) == len(values)
    for value, mark in zip(values, line, strict=True):
        assert (mark == marks.none) == (value == 0)
        assert value == 0 or value < max(values) or mark == marks.levels[-1]


def test_a_sparkline_rises_with_its_values() -> None:
    assert BLOCKS.sparkline([1, 2, 3, 4, 5, 6, 7, 8, 0, 1]) == "▁▂▃▄▅▆▇█ ▁"
    assert BLOCKS.sparkline([1, 1_000_000]) == "▁█"


@given(BOTH, st.text() | st.text(alphabet="文e\u0301😀a"), WIDTHS)
def test_a_cut_text_fits_its_columns(marks: Marks, text: str, width: int) -> None:
    cut = marks.cut(text, width)
    assert cell_len(cut) <= width
    if cell_len(text) <= width and len(text) <= width:
        assert cut == text


def test_a_long_name_loses_its_middle() -> None:
    assert BLOCKS.cut("Order Completed In Store", 11) == "Order…Store"
    assert PLAIN.cut("Order Completed In Store", 11) == "Order~Store"
    assert BLOCKS.cut("订单已完成订单", 8) == "订单…单"
    assert BLOCKS.cut("a" * 1_000_000, 5) == "aa…aa"


@pytest.mark.parametrize(
    ("encoding", "term", "marks"),
    [("utf-8", "xterm-256color", BLOCKS), ("iso-8859-1", "xterm-256color", PLAIN), ("utf-8", "dumb", PLAIN)],
)
def test_blocks_are_drawn_only_where_they_can_be_shown(
    encoding: str, term: str, marks: Marks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", term)
    assert marks_for(Console(file=io.TextIOWrapper(io.BytesIO(), encoding=encoding))) is marks

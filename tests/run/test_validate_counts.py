"""`validate --counts FILE`: the deliveries to expect by event and day, for a spreadsheet."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay_cli.cli.counts import plain, write_counts
from replay_cli.errors import FatalError
from tests.support.archives import message, write_lines
from tests.support.in_process import replay_here


def rows(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_bytes().decode(), newline="")))


def test_it_has_a_line_for_each_event_and_day_of_what_would_be_delivered(tmp_path: Path) -> None:
    records: list[dict[str, Any] | bytes] = [
        *[message(n, timestamp="2025-03-02T00:30:00.000+01:00") for n in range(3)],
        *[message(n, event="A, b") for n in range(3, 5)],
        message(5, type="identify", traits={"a": 1}),
        message(6, type="page"),
        b"[]",
        message(7, timestamp="2025-03-02T10:00:00.000Z"),
    ]
    write_lines(tmp_path / "a.jsonl", records)
    end = replay_here(tmp_path, "validate", "a.jsonl", "--counts", "c.csv", "--workers", "1")
    assert end.code == 3, end.err
    assert rows(tmp_path / "c.csv") == [
        ["event", "day", "deliveries"],
        ["(attributes of users)", "2025-03-01", "1"],
        ["A, b", "2025-03-01", "2"],
        ["Tested", "2025-03-01", "3"],
        ["Tested", "2025-03-02", "1"],
    ]


def test_what_is_beyond_the_pairs_that_are_kept_has_a_line_of_its_own(tmp_path: Path) -> None:
    write_counts(tmp_path / "c.csv", {("A", "2025-03-01"): 2}, 7)
    assert rows(tmp_path / "c.csv")[1:] == [["A", "2025-03-01", "2"], ["(others)", "", "7"]]


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_a_name_that_a_spreadsheet_would_run_is_a_text(name: str) -> None:
    assert plain(name) == f"'{name}"
    assert plain(f"a{name}") == f"a{name}"


@settings(max_examples=30)
@given(names=st.sets(st.text(st.characters(codec="utf-8"), min_size=1), max_size=5))
def test_any_name_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, names: set[str]) -> None:
    path = tmp_path_factory.getbasetemp() / "names.csv"
    write_counts(path, {(name, "2025-03-01"): 1 for name in names}, 0)
    found = [row[0] for row in rows(path)[1:]]
    assert found == [plain(name) for name in sorted(names)]
    assert path.read_bytes().count(b"\r\n") >= 1 + len(names)


def test_a_file_that_cannot_be_written_in_the_end_is_an_error_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(FatalError, match=r"--counts .*c\.csv cannot be written: No such file"):
        write_counts(tmp_path / "gone" / "c.csv", {}, 0)

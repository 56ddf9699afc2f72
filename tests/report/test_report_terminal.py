"""The table for people."""

import io

import pytest
from rich.console import Console

from replay_cli.report.summary import make_summary
from replay_cli.report.terminal import count, duration, print_summary, printable, size


def printed(**book: dict[str, int]) -> str:
    summary = make_summary(
        state="complete",
        reason="",
        book=book,
        totals={"read": 1, "pending": 0, "in_doubt": 2, "objects": 1, "complete": 1, "ignored": 0, "peak": 9},
        replies={},
        damage={"/a[b].gz": "cut [off]"},
        changed=[],
        run={},
        elapsed=1,
        checkpoint=None,
        dead_letters=None,
    )
    console = Console(file=io.StringIO(), width=200, force_terminal=False)
    print_summary(console, summary)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("reason", ["http_400:InvalidParams:a[/b]", "items[red]", ":smile:", "[link=x]"])
def test_reasons_come_from_moengage_and_are_shown_as_they_are(reason: str) -> None:
    assert f"{reason} 1" in printed(dead_lettered={reason: 1})


def test_damage_is_shown_with_its_place() -> None:
    assert "not whole: /a[b].gz: cut [off]" in printed()


def test_lines_are_not_padded_to_the_longest_one() -> None:
    """One long note, and every line of a log would be as long."""
    lines = printed(skipped={f"reason_{number}": 1 for number in range(12)}).splitlines()
    assert any(len(line) > 120 for line in lines)
    assert [line for line in lines if line != line.rstrip()] == []


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.0 s"),
        (59.94, "59.9 s"),
        (60, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (7260, "2 h 1 min"),
        (200000, "2 d 7 h"),
    ],
)
def test_durations_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_sizes_and_counts_are_said_as_people_say_them() -> None:
    assert [size(n) for n in (0, 999, 1500, 2_000_000, 3e9, 4e12)] == [
        "0 B",
        "999 B",
        "1.5 kB",
        "2.0 MB",
        "3.0 GB",
        "4.0 TB",
    ]
    assert [count(n, "object") for n in (0, 1, 2000)] == ["0 objects", "1 object", "2,000 objects"]


def test_control_characters_in_names_are_shown_and_not_obeyed() -> None:
    """A key of a bucket is anybody's text; a terminal would take orders from it."""
    assert printable("s3://b/\x1b[2Jx\x07\u202ey\n") == "s3://b/\\x1b[2Jx\\x07\\u202ey\n"
    assert printable("s3://b/größe 文件") == "s3://b/größe 文件"

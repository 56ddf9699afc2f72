"""What people are told of a validation, in a terminal and in a log."""

import io
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from replay_cli.report.consoles import error_console
from replay_cli.report.validation import print_plan, print_validation
from tests.support.documents import HOSTILE, plan_document, validation_document

UNCOLOURED: dict[str, Any] = {"color_system": None}


@pytest.fixture(autouse=True, scope="module")
def _usual_terminal() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TERM", "xterm-256color")
        patch.delenv("NO_COLOR", raising=False)
        yield


def in_a_terminal(document: dict[str, Any], width: int = 80, height: int = 24, **options: Any) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=width, height=height, **(UNCOLOURED | options))
    (print_plan if document["kind"] == "plan" else print_validation)(console, document)
    return out.getvalue()


def in_a_log(document: dict[str, Any]) -> str:
    out = io.StringIO()
    (print_plan if document["kind"] == "plan" else print_validation)(Console(file=out, width=400), document)
    return out.getvalue()


def small() -> dict[str, Any]:
    """One record, as it should be."""
    document = validation_document()
    document |= {key: {} for key in ("skipped", "rejected", "warnings", "by_library", "by_received_day")}
    document |= {"sendable": True, "reason": "everything can be sent", "hot_users": [], "by_type": {"track": 1}}
    document["records"] = {"read": 1, "sendable": 1, "skipped": 0, "rejected": 0}
    document["objects"] |= {
        "total": 1,
        "complete": 1,
        "bytes": 1,
        "damage": {},
        "damaged": [],
        "empty": 0,
        "ignored": 0,
    }
    document["by_event"], document["by_source"] = {"Order Completed": 1}, {}
    for part in ("identity", "device_mode", "overwriting", "times"):
        document[part] = {key: 0 if isinstance(value, int | float) else {} for key, value in document[part].items()}
    document["times"]["lateness"] = dict.fromkeys(validation_document()["times"]["lateness"], 0)
    document["identity"] |= {"known": 1, "distinct_user_ids": 1}
    document["duplicates"] = {"messages": 0, "exact": True, "error": 0, "without_id": 0}
    document["consent"] = {"asked": 0, "categories": {}}
    document["names"]["user_attributes"]["distinct"] = 0
    document["names"]["event_attributes"] |= {"most": 1}
    document["estimate"] |= {"requests": 1, "records": 1, "bulk": None, "seconds": 0.4}
    return document


def hostile(names: tuple[str, ...]) -> dict[str, Any]:
    """A validation of an archive whose every name is somebody else's idea of fun."""
    document = validation_document()
    counted = {name: 1 + at for at, name in enumerate(names)}
    found = [{"uri": name[:300], "row": 1, "detail": name, "excerpt": name} for name in names]
    document |= dict.fromkeys(("by_type", "by_event", "by_source", "by_library", "by_received_day"), counted)
    document |= dict.fromkeys(("skipped", "rejected", "warnings"), counted)
    document["examples"] = {
        key: dict.fromkeys(names, found) if key != "duplicates" else found for key in document["examples"]
    }
    document["reason"] = names[0][:200]
    document["objects"]["damage"] = {name[:300]: name[:300] for name in names}
    document["consent"] = {"asked": 9, "categories": {name: {"granted": 1, "refused": 2} for name in names}}
    document["names"]["event_attributes"]["event"] = names[0]
    document["hot_users"] = [{"user": name, "requests": 9, "breaks": [name[:100]]} for name in names]
    document["estimate"]["longest_user"] = {"user": names[-1], "requests": 9, "seconds": 1.0}
    document["estimate"]["bound_by"] = "longest_user"
    return document


def test_the_answer_comes_first_and_then_the_estimate() -> None:
    lines = in_a_log(validation_document()).splitlines()
    document = validation_document()
    assert lines[0] == document["reason"]
    assert lines[2].startswith(f"estimate      {document['estimate']['requests']:,} requests, ")
    assert "bound by --rps 250" in lines[3]
    assert lines[4].strip().startswith("--api bulk: about 9,120 requests, ")
    assert "50 % less time; about 86,000 records would be left out" in lines[4]


@pytest.mark.parametrize("make", [validation_document, plan_document])
def test_a_run_that_hardly_ends_is_told(make: Any) -> None:
    document = make()
    document["estimate"] |= {"seconds": 1e13, "finishes_at": 1e13}
    assert "finished after the year 9999" in in_a_log(document)


def test_the_answer_is_repeated_where_it_has_left_the_screen() -> None:
    reason = validation_document()["reason"]
    assert in_a_terminal(validation_document(), height=24).splitlines()[-1] == reason
    assert in_a_terminal(validation_document(), height=500).count(reason) == 1
    assert in_a_log(validation_document()).count(reason) == 1


def test_every_reason_is_shown_with_the_place_of_its_first_record() -> None:
    said = in_a_log(validation_document())
    for reason, number, place in (
        ("future_date", "1,200", "archive/1740787200000/a.gz line 17: 2031-01-01T00:00:00Z"),
        ("malformed_json", "16", "archive/1740787200000/a.gz line 17: unexpected end"),
        ("value_cut", "9,120", "archive/1740787200000/a.gz line 17: the value of 'description' has 618 characters"),
        ("not_subscribed", "50,000", "archive/1740787200000/a.gz line 17: page"),
    ):
        assert re.search(rf"^  {reason} +{number}\n      {re.escape(place)}$", said, re.MULTILINE), reason
    assert re.search(r"^  reserved_id +12$", said, re.MULTILINE)
    assert "archive/1740787200000/b.gz: the gzip data ends early, after line 8,120" in said


def test_what_would_be_rejected_is_shown_for_each_object() -> None:
    document, examples = validation_document(), validation_document()["examples"]["rejected"]["future_date"]
    examples[1]["uri"] = "archive/other.gz"
    document["examples"]["rejected"]["future_date"] = document["examples"]["warnings"]["value_cut"] = examples
    said = in_a_log(document)
    assert said.count("archive/1740787200000/a.gz line 17: 2031-01-01T00:00:00Z") == 2
    assert said.count("archive/other.gz line 18: 2031-01-01T00:00:00Z") == 1


def test_what_nothing_tells_has_no_table() -> None:
    document = validation_document() | {"by_source": {"(unknown)": 5}, "by_library": {"(none)": 5}}
    assert not re.search(r"sources|libraries", in_a_log(document))


def test_a_short_time_is_drawn_by_the_hour() -> None:
    document = validation_document()
    document["times"]["by_hour"] = {"2025-03-01T22": 1, "2025-03-02T01": 8}
    said = in_a_log(document)
    assert "▁  █\n" in said
    assert "2025-03-01T22 to 2025-03-02T01, an hour each; most on 2025-03-02T01: 8\n" in said


def test_a_single_day_is_not_drawn() -> None:
    document = validation_document() | {"by_received_day": {"2025-03-01": 5}}
    assert "received      all on 2025-03-01\n" in in_a_log(document)


@pytest.mark.parametrize(
    ("older", "oldest", "words"),
    [
        (0, 0, ""),
        (73_558, 0, "10.0 % older than 60 days: "),
        (735_584, 73_558, "100.0 % older than 60 days, 10.0 % than 365: "),
        (735_583, 735_583, "99.9 % older than 365 days: "),
        (1, 1, "<0.1 % older than 365 days: "),
    ],
)
def test_ages_are_shares_of_what_would_be_sent(older: int, oldest: int, words: str) -> None:
    document = validation_document()
    document["times"] |= {"older_than_60_days": older, "older_than_365_days": oldest}
    found = re.search(r"^age +(.*: )MoEngage", in_a_log(document), re.MULTILINE)
    assert (found[1] if found else "") == words


def test_the_largest_are_named_and_the_rest_is_summed() -> None:
    document = validation_document()
    document["by_event"] = {f"Event {at:02}": 100 - at for at in range(20)}
    said = in_a_log(document)
    assert re.findall(r"Event \d\d", said) == [f"Event {at:02}" for at in range(8)]
    assert re.search(r"\(12 others\) +1,038", said)
    document["by_event"] |= {"(others)": 5}
    assert re.search(r"\(others\) +1,043", in_a_log(document))


def test_a_single_name_beyond_the_largest_is_no_rest() -> None:
    document = validation_document()
    document["by_event"] = {f"Event {at}": 9 - at for at in range(9)}
    assert "others" not in in_a_log(document)


@pytest.mark.parametrize("width", [40, 60, 80])
def test_the_bars_of_the_book_are_as_long_as_there_is_room(width: int) -> None:
    lines = in_a_terminal(validation_document(), width).splitlines()
    (at,) = [place for place, line in enumerate(lines) if line.startswith("  sendable")]
    assert [line.split()[0] for line in lines[at : at + 3]] == ["sendable", "skipped", "rejected"]


@pytest.mark.parametrize("width", [60, 80, 100, 116, 140, 200])
@pytest.mark.parametrize("make", [validation_document, plan_document, small, lambda: hostile(HOSTILE)])
def test_no_line_is_broader_than_the_terminal(make: Any, width: int) -> None:
    for line in in_a_terminal(make(), width).splitlines():
        assert cell_len(line) <= width


def test_a_broad_terminal_has_tables_side_by_side() -> None:
    assert re.search(r"^types +sources$", in_a_terminal(validation_document(), 140), re.MULTILINE)
    assert re.search(r"^types$", in_a_terminal(validation_document(), 80), re.MULTILINE)


@settings(max_examples=25)
@given(
    st.lists(st.text(min_size=1, max_size=400), min_size=1, max_size=20, unique=True).map(tuple),
    st.sampled_from([80, 140]),
)
def test_names_are_shown_and_not_obeyed(names: tuple[str, ...], width: int) -> None:
    """Neither a terminal's orders nor markup: other people chose these names."""
    said = in_a_terminal(hostile(names), width)
    assert said.replace("\n", "").isprintable()
    assert all(cell_len(line) <= width for line in said.split("\n"))


def test_markup_in_names_is_text() -> None:
    document = validation_document()
    document["by_event"] = {"[red]x[/red] :smile: [/]": 5}
    assert "[red]x[/red] :smile: [/]" in in_a_terminal(document)


def test_a_log_has_whole_lines_without_padding() -> None:
    """Logs are searched: a place of 200 characters stays on its line."""
    document, uri = validation_document(), f"s3://bucket/{'a/' * 100}b.gz"
    document["examples"]["rejected"]["future_date"][0]["uri"] = uri
    said = in_a_log(document)
    assert f"{uri} line 17: 2031-01-01T00:00:00Z\n" in said
    assert not re.search(r" $", said, re.MULTILINE)


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    coloured = re.compile(r"\x1b\[[0-9;]*3[0-9]")
    assert coloured.search(in_a_terminal(validation_document(), color_system="standard"))
    monkeypatch.setenv("NO_COLOR", "1")
    assert not coloured.search(in_a_terminal(validation_document(), color_system="standard"))
    assert "\x1b" not in in_a_log(validation_document())


def test_a_terminal_without_unicode_is_written_to_in_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    stream = io.TextIOWrapper(out, encoding="ascii", write_through=True)
    monkeypatch.setattr("sys.stderr", stream)
    document = validation_document()
    document["by_event"] = {"größe 文件": 5}
    print_validation(error_console(), document)
    print_plan(error_console(), plan_document())
    said = out.getvalue().decode("ascii")
    assert "gr\\xf6\\xdfe \\u6587\\u4ef6" in said
    assert "about 2,214 +/- 120 messages" in said
    assert "####" in said
    stream.detach()


def test_a_dumb_terminal_has_no_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert "####" in in_a_terminal(validation_document())
    assert "█" not in in_a_terminal(validation_document())


def test_objects_with_nothing_in_them_and_names_that_were_ignored_are_counted() -> None:
    (read,) = [line for line in in_a_log(validation_document()).splitlines() if line.startswith("read  ")]
    assert read.endswith("; 2 of them empty; 3 names ignored")


def test_what_there_is_nothing_to_say_of_is_left_out() -> None:
    said = in_a_log(small())
    for absent in ("skipped:", "rejected:", "warnings:", "damaged", "libraries", "sources", "happened", "received",
                   "lateness", "age ", "duplicates", "device mode", "consent", "overwriting", "user attributes",
                   "users with", "--api bulk"):  # fmt: skip
        assert absent not in said
    assert "\n\n\n" not in said
    assert said.startswith("everything can be sent\n")


@pytest.mark.parametrize("make", [small, validation_document, plan_document])
def test_one_is_said_in_the_singular(make: Any) -> None:
    document = make()
    if document["kind"] == "plan":
        document |= {"objects": 1, "records": {"estimate": 1, "error": 0}, "requests": {"estimate": 1, "error": 0}}
        document |= {"sendable": {"estimate": 1, "error": 0, "share": 1.0}, "ignored": 1}
        document["estimate"] |= {"requests": 1, "records": 1}
        document["sampled"] |= {"objects": 1, "records": 1}
    assert not re.search(r"(?<![\d.,])1 [a-z]+s\b", in_a_log(document))


@pytest.mark.parametrize(
    ("used", "words"),
    [(0, None), (1, ""), (409, ""), (410, "near the limit"), (512, "near the limit"), (513, "over the limit")],
)
def test_names_near_a_limit_are_warned_about(used: int, words: str | None) -> None:
    document = validation_document()
    document["names"]["events"]["distinct"] = used
    found = re.search(r"^  event names +(\d+) of 512  \S+ *(.*)$", in_a_log(document), re.MULTILINE)
    assert (found and found[2]) == words


@pytest.mark.parametrize(
    ("bound_by", "words"),
    [
        ("rps", "bound by --rps 250"),
        ("concurrency", "bound by --concurrency 512, where a reply takes 200 ms"),
        ("longest_user", "fair usage of a user: load-test@example.com with 61,002"),
        ("users_per_minute", "--users-per-minute"),
        ("events_per_minute", "--events-per-minute"),
        ("order", "waits for the reply to the one before"),
        ("reading", "bound by reading the archive"),
        ("some\x1bthing", "bound by some\\x1bthing"),
    ],
)
def test_what_bounds_a_run_is_said_with_the_option_that_changes_it(bound_by: str, words: str) -> None:
    document = validation_document()
    document["estimate"]["bound_by"] = bound_by
    assert words in in_a_log(document)


def test_nothing_to_send_has_no_estimate() -> None:
    document = validation_document()
    document["estimate"]["requests"] = 0
    assert "estimate" not in in_a_log(document)


def test_a_plan_says_how_sure_it_is() -> None:
    said = in_a_log(plan_document())
    assert said.startswith("about 645,700,000 ± 3,100,000 records in 50,000 objects (81.2 GB); 1 name ignored\n")
    assert "estimate      about 601,000,000 ± 2,900,000 requests, " in said
    assert "sendable      about 601,000,000 ± 2,900,000 records (93.1 %)" in said
    assert "(not told by the path)" in said
    assert "without --plan reads them all" in said


def test_a_plan_that_read_all_of_it_is_sure() -> None:
    document = plan_document() | {"objects": 24, "records": {"estimate": 5, "error": 0}, "reason": "all of it was read"}
    said = in_a_log(document)
    assert said.startswith("5 records in 24 objects")
    assert "without --plan" not in said


def test_a_plan_of_nothing_says_so() -> None:
    document = plan_document() | {"records": {"estimate": 0, "error": 0}, "reason": "there is nothing to read"}
    assert in_a_log(document).startswith("there is nothing to read\n")

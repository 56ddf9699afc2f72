"""The log as JSON: each line an event, whoever writes, and nobody in it who is in the archive."""

import io
import json
import threading
from datetime import UTC, datetime
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table

from replay_cli.cli.json_log import speak_json, wants_json
from replay_cli.errors import UsageError
from replay_cli.job import Difference, refuse
from replay_cli.report.consoles import error_console
from replay_cli.report.logs import events_of, tell, tell_of_people
from replay_cli.report.progress import Reading, State, make_reporter
from replay_cli.telling.discretion import MOST_TEXT, discreet, discreet_summary, plain_reason
from replay_cli.telling.events import EventStream

ADDRESS = "jane.doe+x@mail.example"
texts = st.text(st.characters(codec=None), max_size=300)


class Log:
    """What a stream of events has written."""

    def __init__(self) -> None:
        self.text = ""
        self.stream = EventStream(self._write, "r1")

    def _write(self, line: str) -> None:
        self.text += line

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    @property
    def told(self) -> list[Any]:
        return [event["text"] for event in self.events]


def listen(monkeypatch: pytest.MonkeyPatch) -> Log:
    """Let stderr be events from here to the end of the test."""
    log = Log()
    monkeypatch.setattr("sys.stderr", log.stream)
    return log


# -- what an event is -------------------------------------------------------------------------------------------


def test_an_event_says_when_how_grave_what_which_run_and_which_job() -> None:
    log = Log()
    log.stream.job = "nightly"
    before = datetime.now(UTC)
    log.stream.emit("window", "warning", closes=3)
    (event,) = log.events
    assert list(event) == ["at", "level", "event", "run", "job", "closes"]
    assert (event["level"], event["event"], event["run"], event["job"]) == ("warning", "window", "r1", "nightly")
    assert event["at"].endswith("Z")
    assert abs((datetime.fromisoformat(event["at"]) - before).total_seconds()) < 60


@given(st.lists(texts, max_size=5), st.lists(st.floats(), max_size=3), st.booleans())
def test_whatever_is_told_each_line_is_one_object_in_ascii(
    names: list[str], numbers: list[float], is_verbose: bool
) -> None:
    log = Log()
    log.stream.is_verbose = is_verbose
    log.stream.emit("any", names=names, numbers=numbers, text="".join(names), nested={"".join(names): numbers})
    assert log.text.isascii()
    assert log.text.count("\n") == 1

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    assert isinstance(json.loads(log.text, parse_constant=refuse), dict)


@given(st.lists(texts, max_size=8))
def test_whatever_is_written_in_whatever_pieces_comes_out_as_events(pieces: list[str]) -> None:
    log = Log()
    for piece in [*pieces, "\n"]:
        log.stream.write(piece)
    assert all(event["event"] in ("note", "error") for event in log.events)


def test_a_line_waits_for_its_end_and_one_without_an_end_not_for_ever() -> None:
    log = Log()
    log.stream.write("waiting for ")
    assert not log.events
    log.stream.write("the lease\nand")
    assert log.told == ["waiting for the lease"]
    log.stream.write("x" * (1 << 20))
    assert log.told[1].startswith("andxxx")
    assert len(log.told[1]) == MOST_TEXT


def test_a_question_is_told_before_it_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    log = listen(monkeypatch)
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert not click.confirm("Send this?", err=True)
    assert log.told[0].startswith("Send this?")


def test_lines_of_several_threads_do_not_mix() -> None:
    log = Log()

    def count() -> None:
        for n in range(200):
            log.stream.emit("e", n=n)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [event["n"] for event in log.events].count(7) == 4
    assert len(log.events) == 800


# -- what others write ------------------------------------------------------------------------------------------


def test_what_click_and_rich_print_are_notes_and_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    log = listen(monkeypatch)
    click.echo("Error: no such file\n  {bad\n   ^", err=True)
    click.echo("Interrupted.", err=True)
    console = error_console()
    console.print("[red]x[/red]" + "y" * 3000, markup=False, highlight=False)
    table = Table(box=None)
    table.add_column("a")
    table.add_row("1")
    console.print(table)
    console.print("warning: slow")
    assert [(event["event"], event["level"]) for event in log.events] == [
        ("error", "error"), *[("note", "info")] * 4, ("note", "warning"),
    ]  # fmt: skip
    assert log.told[:2] == ["no such file", "Interrupted."]
    assert log.told[2].startswith("[red]x[/red]yyy")
    assert log.told[3:] == ["a", "1", "warning: slow"]


def test_an_excerpt_below_an_error_is_told_only_where_that_is_wanted() -> None:
    log = Log()
    log.stream.write("Error: --filters f, line 1: no such key\n  jane\n  ^\n")
    log.stream.is_verbose = True
    log.stream.write("Error: --filters f, line 1: no such key\n  jane\n  ^\n")
    quiet, verbose = log.events
    assert "jane" not in str(quiet)
    assert verbose["excerpt"] == "  jane\n  ^"


def raised() -> Exception:
    try:
        raise KeyError(ADDRESS)
    except KeyError as error:
        return error


def test_a_bug_is_an_error_with_its_place_and_without_its_words() -> None:
    log, error = Log(), raised()
    log.stream.note_crash(type(error), error, error.__traceback__)
    (event,) = log.events
    assert event["level"] == "error"
    assert event["text"].startswith("KeyError: a bug in replay")
    assert any("raised" in frame for frame in event["traceback"])
    assert "jane" not in log.text


def test_a_traceback_that_is_written_as_text_is_one_error_without_its_words() -> None:
    log = Log()
    log.stream.write(f"Task failed\nTraceback (most recent call last):\n  File 'x'\nKeyError: '{ADDRESS}'\n")
    assert [event["event"] for event in log.events] == ["error"]
    assert "jane" not in log.text


def test_a_log_that_nobody_reads_any_more_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

        def fileno(self) -> int:
            raise OSError

    monkeypatch.setattr("sys.stderr", Gone())
    speak_json().emit("progress")


# -- how it is asked for ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "environment", "wanted"),
    [
        (["run", "--log-format", "json"], {}, True),
        (["run", "--log-format=json", "--bogus"], {}, True),
        (["run", "--log-format"], {}, False),
        (["run", "--log-format", "text"], {"REPLAY_RUN_LOG_FORMAT": "json"}, False),
        (["run"], {"REPLAY_RUN_LOG_FORMAT": "json"}, True),
        (["resume"], {"REPLAY_RUN_LOG_FORMAT": "json"}, False),
        ([], {"REPLAY_RUN_LOG_FORMAT": "json"}, False),
    ],
)
def test_the_command_line_is_asked_before_the_environment(
    arguments: list[str], environment: dict[str, str], wanted: bool
) -> None:
    assert wants_json(arguments, environment) is wanted


def test_the_log_is_begun_once(monkeypatch: pytest.MonkeyPatch) -> None:
    log = listen(monkeypatch)
    assert speak_json() is log.stream


# -- telling ----------------------------------------------------------------------------------------------------


def test_people_read_a_sentence_and_a_log_has_a_name_and_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    log = listen(monkeypatch)
    tell(error_console(), "share", "share of the quota: 100", rate=100)
    tell(error_console(), "pushed", bytes=7)
    assert [(event["event"], event.get("text")) for event in log.events] == [
        ("share", "share of the quota: 100"), ("pushed", None),
    ]  # fmt: skip
    assert log.events[0]["rate"] == 100
    out = io.StringIO()
    monkeypatch.setattr("sys.stderr", out)
    tell(error_console(), "share", "share \x1b[2J[red]of[/red]", rate=100)
    tell(error_console(), "pushed", bytes=7)
    assert out.getvalue() == "share \\x1b[2J[red]of[/red]\n"


def test_what_is_about_people_is_told_to_people(monkeypatch: pytest.MonkeyPatch) -> None:
    log = listen(monkeypatch)
    tell_of_people(error_console(), "selection", "user ids: jane")
    assert not log.events
    log.stream.is_verbose = True
    tell_of_people(error_console(), "selection", f"user ids: {ADDRESS}")
    assert log.told == [f"user ids: {ADDRESS}"]
    out = io.StringIO()
    monkeypatch.setattr("sys.stderr", out)
    tell_of_people(error_console(), "selection", "user ids: jane")
    assert out.getvalue() == "user ids: jane\n"


@pytest.mark.parametrize(
    ("state", "fields"),
    [
        (
            State(100, 40, 2, 58, 5_000, 10_000, 9, 10, 8, 1, "HTTP 500 jane", parked=3, held_by="everything fails"),
            {"done": 0.21, "rate": 9, "cap": 10, "in_flight": 8, "http_429": 1, "held_by": "everything fails"},
        ),
        (Reading(5, 10, 1, 2, 50, rejected=7), {"done": 0.5, "records": {"read": 50, "rejected": 7}}),
    ],
)
def test_progress_is_an_event_with_the_book_and_the_time_left(
    state: State | Reading, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = listen(monkeypatch)
    with make_reporter(error_console()) as reporter:
        assert reporter.every == 10
        reporter.show(state)
    (event,) = log.events
    assert event["event"] == "progress"
    assert event | fields == event
    assert event["eta_seconds"] is None
    assert state.document(100.0)["eta_seconds"] > 0
    assert "jane" not in log.text


def test_a_console_of_people_has_no_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", io.TextIOWrapper(io.BytesIO()))
    assert events_of(error_console()) is None


# -- discretion -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("stopped: HTTP 401 jane is unknown", "stopped: HTTP 401"),
        ("HTTP 302, a redirect: is the endpoint MoEngage's?", "HTTP 302, a redirect: is the endpoint MoEngage's?"),
        (f"s3://b/{ADDRESS}/x is gone", "s3://b/(an address)/x is gone"),
        ("unknown format (starts with {\\'j): neither", "unknown format (is in an unknown form): neither"),
        ("one\ntwo", "one"),
        ("a.jsonl line 812", "a.jsonl line 812"),
    ],
)
def test_a_text_says_nothing_of_people(text: str, told: str) -> None:
    assert discreet(text) == told


@pytest.mark.parametrize("text", ["@" * 100_000, "a" * 100_000 + "@", "a@" * 50_000, "HTTP " * 50_000])
def test_a_hostile_text_is_cut_before_it_is_looked_at(text: str) -> None:
    assert len(discreet(text)) <= MOST_TEXT * len("(an address)")


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("http_400", "http_400"),
        ("http_400:InvalidParams:attributes.jane", "http_400:InvalidParams"),
        (f"http_400:{ADDRESS}", "http_400"),
        ("jane doe", "other"),
    ],
)
def test_a_reason_is_told_as_far_as_it_is_a_name(reason: str, told: str) -> None:
    assert plain_reason(reason) == told


def test_a_summary_is_told_without_examples_settings_and_causes() -> None:
    summary = {
        "state": "failed",
        "reason": f"no other request would pass either: HTTP 401 {ADDRESS}",
        "job": {"settings": {"user_ids": ["jane"]}},
        "records": {"read": 3},
        "dead_lettered": {"http_400:A:jane": 1, "http_400:A:john": 2},
        "warning_examples": {"rule": [{"detail": "jane"}]},
        "objects": {"total": 30, "damaged": [f"b/{n}" for n in range(30)], "damage": {"b/1": "jane"}},
        "amendments": [{"before": "jane"}],
    }
    told = discreet_summary(summary)
    assert "jane" not in str(told)
    assert told["dead_lettered"] == {"http_400:A": 3}
    assert told["objects"]["damaged"] == 30
    assert len(told["objects"]["damaged_uris"]) == 20
    assert told["amendments"] == 1


def test_all_texts_among_the_fields_of_an_event_are_made_fit_for_others() -> None:
    log = Log()
    log.stream.emit("object_damaged", cause=f"cut at {ADDRESS}", why="S3 says HTTP 500 jane")
    assert "jane" not in log.text


@pytest.mark.parametrize("before", ["jane", "jane\nor john", "jane, " * MOST_TEXT])
def test_whom_a_job_means_is_not_told_where_its_settings_are_others(before: str) -> None:
    with pytest.raises(UsageError) as caught:
        refuse([Difference("user_id", before, "jane-2"), Difference("where", 'userId != "jane"', "none")])
    told = discreet(f"route shop: {caught.value}")
    assert told.startswith("route shop: --user-id was another until now in this job")
    assert "jane" not in told

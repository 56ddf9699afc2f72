"""A word at the end: what is posted, how often it is tried, and what nobody learns from it."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import click
import pytest

from replay_cli.cli.on_finish import VARIABLE, messenger_from
from replay_cli.cli.telling import Telling, telling_from
from replay_cli.errors import BusyError, FatalError, PausedError, UsageError
from replay_cli.report.terminal import error_console
from replay_cli.telling.messenger import TRIES, Messenger, message
from tests.report.test_report_metrics import options

SECRET = "T0KEN-of-the-hook"


class Hook:
    """Takes what is posted; answers with the given statuses, then with 200."""

    def __init__(self, statuses: Sequence[int]) -> None:
        self.statuses = list(statuses)
        self.posts: list[tuple[str, dict[str, Any]]] = []
        self.url = ""


@contextmanager
def hook(*statuses: int) -> Iterator[Hook]:
    taken = Hook(statuses)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.posts.append((self.path, json.loads(body)))
            self.send_response(taken.statuses.pop(0) if taken.statuses else 200)
            self.send_header("Location", f"{taken.url}-elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return None

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        taken.url = f"http://127.0.0.1:{server.server_port}/{SECRET}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield taken
        finally:
            server.shutdown()
            thread.join()


def messenger(url: str) -> Messenger:
    return Messenger(url, {}, pauses=(0.0, 0.0))


SUMMARY = {
    "state": "complete",
    "records": {"read": 10, "delivered": 1_234_567, "dead_lettered": 3, "rejected": 0, "pending": 0},
    "in_doubt": 2,
}


# -- what is posted ---------------------------------------------------------------------------------------------


def test_a_message_has_a_sentence_for_people_and_fields_for_programs() -> None:
    made = message("finished", "nightly", "r1", "a-host", 3, SUMMARY, "one <b> & two")
    assert made["text"] == (
        ":warning: replay job *nightly* finished on a-host (exit 3)\n"
        "1,234,567 delivered, 0 pending, 3 dead lettered, 2 in doubt\n"
        "one &lt;b&gt; &amp; two"
    )
    assert {**made, "text": ""} == {
        "text": "", "event": "finished", "job": "nightly", "run": "r1", "host": "a-host", "exit_code": 3,
        "reason": "one <b> & two", "summary": SUMMARY,
    }  # fmt: skip


def test_a_name_calls_nobody_in_the_channel() -> None:
    assert "<!channel>" not in message("failed", "<!channel>", "r", "<@U1>", 1, None, "<!here>")["text"]


def test_a_run_that_another_one_keeps_from_beginning_tells_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job is well: its metrics and messages are those of the run that is at work on it."""
    metrics = tmp_path / "j.prom"
    metrics.write_text("of the other run")
    with hook() as taken:
        monkeypatch.setenv(VARIABLE, taken.url)

        def end(error: FatalError) -> None:
            with telling_from(options(metrics_file=metrics)) as telling:
                telling.about("j", tmp_path / "j.ckpt", [])
                raise error

        with pytest.raises(BusyError):
            end(BusyError("another run (pid 7) is using it"))
        assert taken.posts == []
        assert metrics.read_text() == "of the other run"
        with pytest.raises(FatalError):
            end(FatalError("the disk is full"))
        assert [body["event"] for _, body in taken.posts] == ["failed"]
    assert metrics.read_text() != "of the other run"


# -- how it is posted -------------------------------------------------------------------------------------------


def test_a_message_is_posted_once_when_it_is_taken() -> None:
    with hook() as taken:
        assert messenger(taken.url).post({"text": "x"}) == ""
        assert taken.posts == [(f"/{SECRET}", {"text": "x"})]


@pytest.mark.parametrize(
    ("statuses", "problem"), [((500, 429), ""), ((500,) * 5, "HTTP 500"), ((404,) * 5, "HTTP 404")]
)
def test_a_message_is_tried_three_times(statuses: tuple[int, ...], problem: str) -> None:
    with hook(*statuses) as taken:
        assert messenger(taken.url).post({}) == problem
        assert len(taken.posts) == TRIES


def test_a_redirect_is_not_followed() -> None:
    with hook(*(307,) * TRIES) as taken:
        assert messenger(taken.url).post({}) == "HTTP 307"
        assert {path for path, _ in taken.posts} == {f"/{SECRET}"}


def test_what_failed_is_said_without_the_url() -> None:
    with hook() as taken:
        gone = taken.url
    assert messenger(gone).post({}) == "no connection"


# -- where to ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        f"http://hooks.example/{SECRET}",
        f"ftp://hooks.example/{SECRET}",
        f"https:///{SECRET}",
        SECRET,
        f"https://user:{SECRET}@hooks.example/",
        f"https://hooks.example/{SECRET}\nX: y",
        f"https://hooks.example:port/{SECRET}",
        "",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_being_said(text: str, tmp_path: Path) -> None:
    file = tmp_path / "hook"
    file.write_text(text)
    with pytest.raises(UsageError, match="--on-finish-file") as caught:
        messenger_from(file)
    assert SECRET not in str(caught.value)
    assert str(file) in str(caught.value)


def test_the_file_goes_before_the_environment_and_without_both_nobody_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert messenger_from(None) is None
    monkeypatch.setenv(VARIABLE, "nonsense")
    with pytest.raises(UsageError, match=VARIABLE):
        messenger_from(None)
    file = tmp_path / "hook"
    file.write_text(f" https://hooks.example/{SECRET}\n")
    assert messenger_from(file) is not None
    file.write_bytes(b"\xff")
    with pytest.raises(UsageError, match="not text"):
        messenger_from(file)
    with pytest.raises(UsageError, match="cannot be read"):
        messenger_from(tmp_path / "none")


# -- which endings ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "event", "code"),
    [
        (FatalError("the disk is full: HTTP 401 jane"), "failed", 1),
        (UsageError("--rps 9000 is too much"), "failed", 2),
        (PausedError("the window opens at 01:00"), "paused", 4),
        (click.UsageError("no"), "failed", 2),
        (click.exceptions.Exit(130), "interrupted", 130),
        (click.exceptions.Exit(0), "finished", 0),
        (KeyboardInterrupt(), "interrupted", 130),
        (RuntimeError("jane"), "failed", 1),
    ],
)
def test_every_ending_is_told_and_stays_what_it_is(
    error: BaseException, event: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with hook() as taken:
        file = tmp_path / "hook"
        file.write_text(taken.url)

        def end() -> None:
            with telling_from(options(on_finish_file=file)) as telling:
                telling.about("nightly", tmp_path / "nightly.ckpt", [])
                raise error

        with pytest.raises(type(error)) as caught:
            end()
        assert caught.value is error
    ((_, posted),) = taken.posts
    assert (posted["event"], posted["exit_code"], posted["job"]) == (event, code, "nightly")
    assert "jane" not in str(posted)
    assert SECRET not in capsys.readouterr().err


@pytest.mark.parametrize(("state", "event"), [("complete", "finished"), ("paused", "paused"), ("failed", "failed")])
def test_a_run_is_told_of_by_its_summary(state: str, event: str, tmp_path: Path) -> None:
    with hook() as taken:
        file = tmp_path / "hook"
        file.write_text(taken.url)

        def end() -> None:
            with telling_from(options(on_finish_file=file)) as telling:
                telling.note_summary({**SUMMARY, "state": state, "reason": "why", "job": {"settings": "jane"}})
                raise click.exceptions.Exit(3)

        with pytest.raises(click.exceptions.Exit):
            end()
    ((_, posted),) = taken.posts
    assert (posted["event"], posted["exit_code"], posted["reason"]) == (event, 3, "why")
    assert posted["summary"]["records"] == SUMMARY["records"]
    assert "jane" not in str(posted)


def test_a_message_that_nobody_takes_is_said_and_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with hook() as taken:
        gone = taken.url
    Telling(error_console(), messenger=messenger(gone)).end("complete", "", 0)
    assert capsys.readouterr().err == "warning: the finished message could not be delivered: no connection\n"

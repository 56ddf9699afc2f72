"""`replay status`: one glance at a job, also while it runs, killed or not, and until it ends."""

import json
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from replay_cli.cli import asking, glancing
from replay_cli.cli.remote_checkpoint import Seen
from replay_cli.cli.status import command
from replay_cli.errors import UsageError
from replay_cli.ledger.group import Group
from replay_cli.ledger.headway import Headway
from replay_cli.ledger.lock import checkpoint_lock
from replay_cli.ledger.store import Store
from replay_cli.ledger.timeline import Interval
from replay_cli.report.glance import make_glance
from replay_cli.report.glance_lines import one_line, print_glance
from tests.ledger.checkpoints import letter, new_store, rejecting
from tests.support.archives import message, write_lines
from tests.support.nursery import fork
from tests.support.processes import Finished, environment, wait_until
from tests.support.sandbox_process import SandboxProcess

NOW = 100_000.0
RUN = {
    **{"kind": "run", "started": NOW - 300, "seen": NOW - 1, "state": "running", "reason": "", "pid": 7},
    **{"host": "a", "version": "1.2", "user": "alice", "delivered": 100},
}
BOOK = {"read": 1000, "delivered": 600, "skipped": 200, "rejected": 0, "dead_lettered": 100, "pending": 100}


def interval(at: float, **changes: Any) -> dict[str, Any]:
    return {"at": at, "seconds": 10, "attempts": 0, "delivered": 0, "paused_seconds": 0, "by_status": {}} | changes


def glance(**changes: Any) -> dict[str, Any]:
    usual = {"now": NOW, "running": True, "records": BOOK, "runs": [RUN], "timeline": [], "letters": []}
    return make_glance(**{**usual, "unread": 0.0, "rps": 250.0, **changes})


def printed(document: dict[str, Any], now: float = NOW) -> str:
    console = Console(width=200, color_system=None)
    with console.capture() as captured:
        print_glance(console, document, now)
    return captured.get()


# -- one moment -----------------------------------------------------------------------------------------------


def test_the_rate_is_that_of_the_last_minute() -> None:
    busy = [interval(NOW - 10 * n, attempts=2000, delivered=1900) for n in range(30, 0, -1)]
    assert glance(timeline=busy)["rate"] == {
        "attempts_per_second": 200.0,
        "delivered_per_second": 190.0,
        "cap": 250.0,
    }


def test_a_run_that_just_began_is_not_slow() -> None:
    young = RUN | {"started": NOW - 5}
    rate = glance(runs=[young], timeline=[interval(NOW - 9, attempts=500, delivered=500)])["rate"]
    assert rate["attempts_per_second"] == 100.0


def test_the_time_left_counts_what_waits_and_of_what_is_unread_what_can_be_sent() -> None:
    """Of 1,000 records read, 800 could be sent; 100 of them wait, and 500 are not read yet."""
    busy = [interval(NOW - 60 + 10 * n, attempts=100, delivered=100) for n in range(6)]
    assert glance(timeline=busy, unread=500.0)["eta_seconds"] == (100 + 500 * 0.8) / 10


@pytest.mark.parametrize("changes", [{"unread": None}, {"timeline": []}, {"running": False}])
def test_where_nobody_can_tell_the_time_left_it_is_not_told(changes: dict[str, Any]) -> None:
    busy = [interval(NOW - 10, attempts=100, delivered=100)]
    assert glance(**{"timeline": busy, "unread": 1.0, **changes})["eta_seconds"] is None


def test_unread_records_are_estimated_by_those_of_finished_objects() -> None:
    assert Headway(1000, 500, 2000, [(400, 150), (100, 90)]).unread == 1000 + 50
    assert Headway(0, 0, 10, []).unread is None
    assert Headway(0, 0, 0, []).unread == 0.0


def test_what_holds_a_run_back_is_said() -> None:
    trouble = [interval(NOW - 200, paused_seconds=10, by_status={"500": 1})]
    trouble += [interval(NOW - 20, paused_seconds=9.5, by_status={"200": 5, "429": 12})]
    found = glance(timeline=trouble)
    assert found["held_back"] == {"paused_seconds": 9.5, "of_seconds": 10, "failing": {"429": 12}}
    assert [error["by_status"] for error in found["last_errors"]] == [{"500": 1}, {"429": 12}]
    assert "held back for 9.5 s of the last 10 s" in printed(found)
    assert "429 × 12" in printed(found)


def test_a_run_that_is_silent_is_noticed() -> None:
    assert "said nothing" not in printed(glance())
    assert "it has said nothing for 5 min 1 s" in printed(glance(), NOW + 300)


def test_the_last_runs_are_told_with_what_they_delivered_and_how_they_ended() -> None:
    died = RUN | {"delivered": None}
    failed = RUN | {"state": "failed", "reason": "HTTP 401 [bold]no[/bold]\x1b[31m", "user": "", "delivered": 1234}
    found = glance(runs=[RUN | {"version": "0.0"}] * 9 + [died, failed], running=False)
    assert [run["state"] for run in found["runs"]] == ["interrupted"] * 4 + ["failed"]
    assert [run["delivered"] for run in found["runs"]][-2:] == [None, 1234]
    text = printed(found)
    assert "interrupted: it died" in text
    assert "1,234" in text
    assert "[bold]no[/bold]" in text, "no markup"
    assert "\x1b" not in text, "no command to the terminal"


def test_a_lost_machine_and_a_checkpoint_on_s3_are_told() -> None:
    lost = [{"uri": "/logs/a", "first": 1000, "next": 2000}, {"uri": "/logs/b", "first": 0, "next": None}]
    text = printed(glance(lost=lost, owner="pid 7 on host b", pushed=NOW - 20))
    assert "records 1,001 to 2,000 of /logs/a may have been sent" in text
    assert "records 1 to its end of /logs/b" in text
    assert "stored at 1970-01-02T03:46:20Z; held by pid 7 on host b" in text


numbers = st.integers(0, 10**12)
names = st.text(max_size=20)


@settings(max_examples=30)
@given(
    st.lists(st.builds(interval, st.floats(0, 2 * NOW), attempts=numbers, delivered=numbers), max_size=5),
    st.lists(
        st.fixed_dictionaries({"at": st.floats(0, NOW), "kind": names, "reason": names, "uri": names}), max_size=3
    ),
    st.none() | st.floats(0, 1e15),
)
def test_whatever_a_checkpoint_tells_can_be_printed(
    timeline: list[dict[str, Any]], letters: list[dict[str, Any]], unread: float | None
) -> None:
    found = glance(timeline=timeline, letters=[each | {"line": 1} for each in letters], unread=unread)
    json.dumps(found)
    text = printed(found)
    assert all(letter.isprintable() or letter == "\n" for letter in text)
    assert "\n" not in one_line({"state": "running", "reason": "x", "records": BOOK}, found)


# -- a checkpoint ---------------------------------------------------------------------------------------------


def show(*arguments: str | Path) -> None:
    command.main(list(map(str, arguments)), standalone_mode=False)


@contextmanager
def running(folder: Path) -> Iterator[Path]:
    """A checkpoint whose run is on, with something that failed."""
    with closing(new_store(folder)) as store:
        store.apply(rejecting(letter(3, reason="bad[/red]\x1b[2J")))
        store.apply(Group(intervals=[Interval(1000, attempts=3, replies=Counter({"500": 3}))], seen=1001.0))
        with checkpoint_lock(store.path):
            yield store.path


def test_json_tells_who_runs_it_and_what_failed_last(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(tmp_path) as path:
        show(path, "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["state"] == "running"
    assert told["running"]["pid"] == told["runs"][0]["pid"]
    assert told["last_errors"] == [{"at": 1000, "seconds": 10, "by_status": {"500": 3}}]
    assert [each["line"] for each in told["last_letters"]] == [4]
    assert told["rate"].keys() == {"attempts_per_second", "delivered_per_second", "cap"}


def test_names_and_reasons_are_shown_and_not_obeyed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(tmp_path) as path:
        show(path)
    out = capsys.readouterr().out
    assert "bad[/red]\\x1b[2J" in out
    assert "\x1b" not in out


def test_a_folder_stands_for_the_checkpoint_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="there is no checkpoint"):
        show(tmp_path)
    with running(tmp_path):
        show(tmp_path, "--json")
        assert json.loads(capsys.readouterr().out)["checkpoint"] == str(tmp_path / "job.ckpt")
        (tmp_path / "other.ckpt").touch()
        with pytest.raises(UsageError, match=r"several checkpoints in this folder: name .*job.ckpt, .*other.ckpt"):
            show(tmp_path)


def test_looking_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(tmp_path) as path:
        before = path.read_bytes()
        show(path)
        assert path.read_bytes() == before


@pytest.mark.parametrize(
    "options", [("--watch", "1s", "--json"), ("--watch", "1s", "--in-doubt"), ("--in-doubt", "--report", "x.html")]
)
def test_ways_to_show_that_exclude_each_other_are_refused(tmp_path: Path, options: tuple[str, ...]) -> None:
    with pytest.raises(click.UsageError, match=r"not both|without it"):
        show(tmp_path, *options)


def test_a_checkpoint_on_s3_is_shown_with_its_owner(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def seen(*_: Any) -> Iterator[Seen]:
        with closing(Store.open(tmp_path / "job.ckpt", read_only=True)) as store:
            yield Seen(store, "s3://bucket/nightly.ckpt", True, "pid 7 on host b", 2000.0)

    monkeypatch.setattr(asking, "open_checkpoint", seen)
    with running(tmp_path):
        show("s3://bucket/nightly.ckpt")
    out = capsys.readouterr().out
    assert "stored at 1970-01-01T00:33:20Z; held by pid 7 on host b" in out
    assert "checkpoint: s3://bucket/nightly.ckpt" in out


# -- watching -------------------------------------------------------------------------------------------------


def test_watching_says_each_change_in_a_line_and_ends_with_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = new_store(tmp_path)
    lock = checkpoint_lock(store.path)
    lock.__enter__()
    looks = []

    def pause(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 2:
            store.apply(rejecting(letter(1)))
        if len(looks) == 3:
            store.end_run(1010.0, "complete", "")
            lock.__exit__()

    glancing.watch(store.path, {"watch": 3.0}, pause)
    store.close()
    lines = capsys.readouterr().out.splitlines()
    assert looks == [3.0, 3.0, 3.0]
    assert [line.split()[1] for line in lines] == ["state=running", "state=running", "state=complete"]
    assert "rejected=1" in lines[1]


def test_watching_on_a_terminal_draws_a_picture_and_ends_with_ctrl_c(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def terminal() -> Console:
        return Console(force_terminal=True, width=100, height=50, color_system=None)

    monkeypatch.setattr(glancing, "output_console", terminal)
    with running(tmp_path) as path:

        def pause(_: float) -> None:
            raise KeyboardInterrupt

        glancing.watch(path, {"watch": 3.0}, pause)
    out = capsys.readouterr().out
    assert "records read" in out
    assert "bad[/red]\\x1b[2J" in out


# -- a real run -----------------------------------------------------------------------------------------------


def test_a_run_is_seen_while_it_goes_and_after_it_was_killed(tmp_path: Path, sandbox: SandboxProcess) -> None:
    for name in "ab":
        write_lines(tmp_path / "logs" / f"{name}.jsonl", [message(n) for n in range(1000)])
    sandbox.faults([{"latency": 0.05}])
    command = ["run", "logs", "--endpoint", sandbox.url, "--name", "job", "--rps", "100"]
    process = fork(tmp_path, command, environment())
    wait_until(lambda: sandbox.stats()["recorded"] > 20, process)
    told = Finished(fork(tmp_path, ["status", ".replay", "--json"], environment())).summary
    assert told["state"] == "running"
    assert told["running"]["pid"] == process.pid
    assert 0 < told["rate"]["delivered_per_second"] <= 100
    process.kill()
    assert Finished(process).code == -signal.SIGKILL
    told = Finished(fork(tmp_path, ["status", ".replay", "--json"], environment())).summary
    assert (told["running"], told["rate"], told["eta_seconds"]) == (None, None, None)
    assert told["state"] == told["runs"][0]["state"] == "interrupted"
    assert f"pid {process.pid}" in told["reason"]
    assert told["runs"][0]["delivered"] == told["records"]["delivered"] > 0

"""Metrics: what Prometheus' own parser makes of them, how they grow, who gets them, and what they call a stall."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from replay_cli.cli.booking import booked
from replay_cli.cli.telling import telling_from
from replay_cli.cli.watching import Seen
from replay_cli.errors import UsageError
from replay_cli.report.progress import State
from replay_cli.telling.endpoint import Endpoint, Health
from replay_cli.telling.events import EventStream
from replay_cli.telling.headway import Headway, Sight
from replay_cli.telling.metrics import MOST_LABELS, OBJECT_STATES, STATES, Booked, Standing, bounded, render
from replay_cli.telling.textfile import replace_file

BOOKED = Booked(
    records={"delivered": 7, "skipped": 1, "rejected": 0, "dead_lettered": 3},
    dead_letters={"http_400:InvalidParams": 2, "http_400:Other": 1},
    attempts={"200": 7, "429": 2, "timeout": 1},
    objects={"complete": 1, "reading": 1},
    pending=4,
    in_doubt=1,
    bytes_read=100,
    bytes_listed=300,
    peak=9,
    latencies=[(2.0, 5), (90.5, 2)],
    last_success=1_700_000_000.0,
)


def samples(text: bytes) -> dict[tuple[str, tuple[str, ...]], float]:
    """Each sample by its name and the values of its labels, the job's first; read by Prometheus' own parser."""
    found: dict[tuple[str, tuple[str, ...]], float] = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            labels = dict(sample.labels)
            key = sample.name, (labels.pop("job"), *labels.values())
            assert key not in found
            found[key] = sample.value
    return found


# -- what they say ----------------------------------------------------------------------------------------------


def test_the_book_is_told_by_the_documented_names() -> None:
    found = samples(render({"nightly": Standing("running", BOOKED, 250.0, 12, bytes_now=50)}))
    told = {(name, *labels[1:]): value for (name, labels), value in found.items()}
    assert told == told | {
        ("replay_records_total", "delivered"): 7,
        ("replay_records_total", "dead_lettered"): 3,
        ("replay_dead_letters_total", "http_400"): 3,
        ("replay_attempts_total", "429"): 2,
        ("replay_objects", "complete"): 1,
        ("replay_objects", "damaged"): 0,
        ("replay_records_pending",): 4,
        ("replay_in_doubt",): 1,
        ("replay_rate_limit",): 250,
        ("replay_in_flight",): 12,
        ("replay_attempts_per_second_peak",): 9,
        ("replay_bytes_read",): 150,
        ("replay_bytes_listed",): 300,
        ("replay_last_success_timestamp_seconds",): 1_700_000_000,
        ("replay_run_state", "running"): 1,
        ("replay_run_state", "complete"): 0,
        ("replay_stalled",): 0,
    }
    assert "replay_exit_code" not in {name for name, _ in found}


def test_latencies_are_a_histogram_that_its_count_closes() -> None:
    found = samples(render({"j": Standing("running", BOOKED)}))
    buckets = {labels[1]: value for (name, labels), value in found.items() if name == "replay_latency_seconds_bucket"}
    assert (buckets["0.001"], buckets["0.002"], buckets["0.064"], buckets["0.128"], buckets["+Inf"]) == (0, 5, 5, 7, 7)
    assert list(buckets.values()) == sorted(buckets.values())
    assert found["replay_latency_seconds_count", ("j",)] == 7
    assert found["replay_latency_seconds_sum", ("j",)] == pytest.approx(0.191)


def test_a_run_that_has_ended_keeps_its_code_and_one_without_a_book_its_state() -> None:
    found = samples(render({"j": Standing("failed", None, exit_code=1)}))
    assert found["replay_exit_code", ("j",)] == 1
    assert found["replay_run_state", ("j", "failed")] == 1
    assert not any(name.startswith("replay_records") for name, _ in found)


@given(st.text(max_size=30), st.dictionaries(st.text(max_size=20), st.integers(1, 10**12), max_size=5))
def test_any_names_of_jobs_and_errors_can_be_read_back(job: str, counts: dict[str, int]) -> None:
    booked_ = BOOKED._replace(dead_letters=counts, attempts=counts)
    found = samples(render({job.encode(errors="replace").decode(): Standing("running", booked_)}))
    assert sum(value for (name, _), value in found.items() if name == "replay_dead_letters_total") == sum(
        counts.values()
    )


@given(st.dictionaries(st.text(max_size=30), st.integers(0, 1000), max_size=200))
def test_labels_are_bounded_and_lose_nothing(counts: dict[str, int]) -> None:
    merged = bounded(counts)
    assert len(merged) <= MOST_LABELS + 1
    assert sum(merged.values()) == sum(counts.values())
    assert all(name.isascii() and "@" not in name and ":" not in name for name in merged)


def test_states_are_those_of_the_checkpoint() -> None:
    assert {"complete", "paused", "interrupted", "failed", "running"} <= set(STATES)
    assert set(OBJECT_STATES) == {"waiting", "reading", "complete", "damaged"}


# -- where they are read ----------------------------------------------------------------------------------------


def test_a_file_is_replaced_at_once_readable_by_all_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "job.prom"
    replace_file(path, b"old\n")
    reader = path.open("rb")
    replace_file(path, b"new\n")
    with reader:
        assert reader.read() == b"old\n"
    assert path.read_bytes() == b"new\n"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_replaced_stays(tmp_path: Path) -> None:
    path = tmp_path / "job.prom"
    path.mkdir()
    with pytest.raises(OSError):  # noqa: PT011 # whatever the system calls it
        replace_file(path, b"new\n")
    assert list(tmp_path.iterdir()) == [path]


@contextmanager
def endpoint(health: Health) -> Iterator[str]:
    with Endpoint("127.0.0.1", 0, lambda: b"m 1\n", lambda: health) as listening:
        yield listening.url


def ask(url: str) -> tuple[int, str, bytes]:
    try:
        with build_opener(ProxyHandler({})).open(url, timeout=10) as reply:
            return reply.status, reply.headers["Content-Type"], reply.read()
    except HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read()


def test_metrics_and_health_are_answered_and_nothing_else() -> None:
    with endpoint(Health(True, {"status": "ok"})) as url:
        assert ask(f"{url}/metrics?x=1") == (200, "text/plain; version=0.0.4; charset=utf-8", b"m 1\n")
        status, kind, body = ask(f"{url}/healthz")
        assert (status, kind, json.loads(body)) == (200, "application/json", {"status": "ok"})
        assert ask(f"{url}/secrets")[0] == 404
    with endpoint(Health(False, {"status": "stalled", "why": "x"})) as url:
        status, _, body = ask(f"{url}/healthz")
        assert (status, json.loads(body)["why"]) == (503, "x")


def test_who_asks_and_says_no_more_keeps_nobody_else_from_an_answer() -> None:
    with endpoint(Health(True, {})) as url:
        port = int(url.rpartition(":")[2])
        with ExitStack() as silent:
            for _ in range(5):
                silent.enter_context(closing(socket.create_connection(("127.0.0.1", port)))).sendall(b"GET /met")
            assert ask(f"{url}/metrics")[0] == 200


def options(**given: Any) -> dict[str, Any]:
    return {
        "verbose": False,
        "metrics_file": None,
        "metrics_port": None,
        "metrics_host": "127.0.0.1",
        "on_finish_file": None,
        "stall_after": 900.0,
    } | given


def test_a_port_that_is_taken_is_a_usage_error() -> None:
    with endpoint(Health(True, {})) as url:
        port = int(url.rpartition(":")[2])
        with (
            pytest.raises(UsageError, match=f"--metrics-port {port}: cannot listen"),
            telling_from(options(metrics_port=port)),
        ):
            pass


@pytest.mark.parametrize(
    ("name", "problem"),
    [("job.txt", r"name it \*.prom"), ("source/job.prom", "what is read"), ("none/j.prom", "folder")],
)
def test_a_file_that_nobody_would_read_or_that_would_be_read_as_data_is_refused(
    tmp_path: Path, name: str, problem: str
) -> None:
    (tmp_path / "source").mkdir()
    for there in ("job.txt", "source/job.prom"):
        (tmp_path / there).write_text("what it held")
    with pytest.raises(UsageError, match=problem), telling_from(options(metrics_file=tmp_path / name)) as telling:
        telling.about("j", tmp_path / "j.ckpt", [str(tmp_path / "source")])
    for there in ("job.txt", "source/job.prom"):
        assert (tmp_path / there).read_text() == "what it held"


def test_what_fails_before_its_job_is_known_is_not_told_as_the_job_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One process does all routes of a job file, with one log."""
    lines = list[str]()
    monkeypatch.setattr("sys.stderr", EventStream(lines.append, "run"))
    with telling_from(options()) as telling:
        telling.about("first", tmp_path / "j.ckpt", [])
    with pytest.raises(UsageError), telling_from(options()):
        raise UsageError("no workspace")
    assert [json.loads(line)["job"] for line in lines if "run_ended" in line] == [None]


def test_no_file_is_written_before_it_is_known_what_is_read(tmp_path: Path) -> None:
    """Of a command line that contradicts itself nobody knows it: the file may be a part of the archive."""
    path = tmp_path / "a.prom"
    path.write_text("what it held")
    with pytest.raises(UsageError), telling_from(options(metrics_file=path)):
        raise UsageError("give exactly one of --region, --endpoint and --sandbox")
    assert path.read_text() == "what it held"


def test_a_file_that_cannot_be_written_any_more_is_said_once_and_stops_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "there" / "j.prom"
    path.parent.mkdir()
    with telling_from(options(metrics_file=path)) as telling:
        telling.about("j", tmp_path / "j.ckpt", [])
        path.parent.rmdir()
        telling.write_metrics()
        telling.write_metrics()
    assert capsys.readouterr().err.count("cannot be written") == 1


def test_without_a_checkpoint_there_is_no_book(tmp_path: Path) -> None:
    assert booked(None) is None
    assert booked(tmp_path / "none.ckpt") is None
    (tmp_path / "other.ckpt").write_text("no database")
    assert booked(tmp_path / "other.ckpt") is None


# -- headway ----------------------------------------------------------------------------------------------------


def test_a_run_is_stalled_when_nothing_changes_for_so_long_and_told_of_once() -> None:
    headway = Headway(900, now=0)
    sight = Sight(1, trouble="everything fails", rate=250)
    assert [headway.look(now, sight) for now in (1, 900, 901, 902)] == [False, False, True, False]
    assert headway.why == "nothing settled for 901 s: everything fails"
    assert headway.look(903, sight._replace(mark=2))
    assert not headway.is_stalled
    assert headway.why == ""


def test_a_run_that_waits_rightly_is_not_stalled_nor_right_after_it() -> None:
    headway = Headway(900, now=0)
    waiting = Sight(1, waits_for="after a 429", rate=250)
    assert not any(headway.look(now, waiting) for now in range(0, 10_000, 500))
    assert not headway.look(9_500 + 899, Sight(1, rate=250))
    assert headway.look(9_500 + 900, Sight(1, rate=250))


def test_a_rate_at_which_one_attempt_takes_longer_is_given_its_time() -> None:
    headway = Headway(900, now=0)
    slow = Sight(1, rate=0.001)
    headway.look(0, slow)
    assert not headway.look(2_999, slow)
    assert headway.look(3_000, slow)


STATE = State(5, 2, 1, 2, 10, 20, 9, 10, 8, 0, "", held_by="")


@pytest.mark.parametrize(
    ("waiting", "change", "moves"),
    [
        (2, {"delivered": 3}, True),
        (2, {"undelivered": 2}, True),
        (2, {"read": 6, "consumed": 12}, False),
        (0, {"read": 6}, True),
        (0, {"consumed": 12}, True),
        (0, {"total": 30}, True),
        (0, {"in_flight": 0, "per_second": 0}, False),
    ],
)
def test_while_requests_wait_only_what_is_settled_is_headway(waiting: int, change: dict[str, Any], moves: bool) -> None:
    before = STATE._replace(waiting=waiting)
    marks = [Seen(state, 10, "", True).sight.mark for state in (before, before._replace(**change))]
    assert (marks[0] != marks[1]) is moves

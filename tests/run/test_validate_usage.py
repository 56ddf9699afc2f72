"""What `replay validate` refuses before it reads anything, and what it never does: connect, ask, remember."""

import socket
from pathlib import Path

import pytest

from replay_cli.cli.elsewhere import require_elsewhere, require_writable
from replay_cli.errors import UsageError
from tests.support.archives import message, write_lines
from tests.support.in_process import replay_here


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--plan", "--show", "3"], "give --plan or --show, not both"),
        (["--plan", "--counts", "c.csv"], "give --plan or --counts, not both"),
        (["--plan", "--dedupe", "10"], "give --plan or --dedupe, not both"),
        (["--plan", "--limit", "10"], "give --plan or --limit, not both"),
        (["--plan", "--workers", "2"], "give --plan or --workers, not both"),
        (["--show", "3", "--counts", "c.csv"], "give --show or --counts, not both"),
        (["--show", "3", "--report", "r.html"], "give --show or --report, not both"),
        (["--show", "3", "--limit", "3"], "give --show or --limit, not both"),
        (["--scheduler", "tcp://127.0.0.1:1"], "--scheduler goes with --engine dask"),
        (["--engine", "dask"], "--engine dask needs --scheduler"),
        (["--engine", "dask", "--scheduler", "tcp://127.0.0.1:1", "--workers", "2"], "--scheduler or --workers"),
        (["--engine", "dask", "--plan"], "give --plan or --engine dask, not both"),
        (["--engine", "dask", "--scheduler", "tcp://127.0.0.1:1", "--limit", "2"], "--engine dask or --limit"),
        (["--engine", "dask", "--scheduler", "tcp://127.0.0.1:1", "--dedupe", "2"], "--engine dask or --dedupe"),
        (["--counts", "x", "--report", "x"], "name the same file"),
        (["--region", "DC_01", "--sandbox"], "exactly one of"),
        (["--rps", "501", "--region", "DC_01"], "at most 500 requests a second"),
        (["--latency", "0ms"], "use for example 200ms or 1s"),
        (["--latency", "xms"], "use for example 200ms or 1s"),
        (["--latency", "200"], "use for example 200ms or 1s"),
        (["--api", "bulk", "--project-name", "Shop"], "--project-name"),
        (["--report", "."], "lies in, what is read"),
        (["--report", "gone/r.html"], "there is no folder"),
        (["--counts", "logs/c.csv"], "lies in, what is read"),
        (["--counts", "s3://bucket/c.csv"], "a file on disk"),
    ],
)
def test_options_that_cannot_be_meant_are_refused_before_anything_is_read(
    tmp_path: Path, options: list[str], sentence: str
) -> None:
    source = "." if "." in options else "logs"
    write_lines(tmp_path / "logs" / "a.jsonl", [b"["])
    end = replay_here(tmp_path, "validate", source, *options)
    assert end.code == 2
    assert sentence in end.err


def test_a_variable_that_is_no_option_is_refused(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl", [message(1)])
    end = replay_here(tmp_path, "validate", "a.jsonl", REPLAY_VALIDATE_RSP="10")
    assert end.code == 2
    assert "REPLAY_VALIDATE_RSP in the environment is no option of `replay validate`" in end.err


@pytest.mark.parametrize("kind", [("--show", "1"), ("--plan",), ("--workers", "1")])
def test_it_opens_no_connection_asks_for_no_key_and_remembers_nothing(tmp_path: Path, kind: tuple[str, ...]) -> None:
    write_lines(tmp_path / "a.jsonl", [message(1)])
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
        end = replay_here(tmp_path, "validate", "a.jsonl", "--endpoint", endpoint, *kind, MOENGAGE_API_KEY="")
        assert end.code == 0, end.err
        with pytest.raises(BlockingIOError):
            server.accept()
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]


@pytest.mark.parametrize("kind", [("--show", "1"), ("--plan",), ("--workers", "1")])
def test_sources_that_are_missing_or_empty_are_told_as_for_a_dry_run(tmp_path: Path, kind: tuple[str, ...]) -> None:
    (tmp_path / "empty").mkdir()
    for source in ("none", "empty"):
        end = replay_here(tmp_path, "validate", source, *kind)
        dry = replay_here(tmp_path, "run", source, "--dry-run")
        assert (end.code, end.err) == (2, dry.err)


def test_options_come_from_the_environment_too(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl", [message(1), message(2, event="Other")])
    end = replay_here(tmp_path, "validate", "a.jsonl", REPLAY_VALIDATE_SHOW="5", REPLAY_VALIDATE_EVENT="Other")
    assert end.code == 0, end.err
    assert '"Other"' in end.out


@pytest.mark.parametrize(
    ("source", "path", "is_in"),
    [
        ("/logs", "/logs/x.html", True),
        ("/logs", "/logs-of-mine/x.html", False),
        ("/logs/a.gz", "/logs/a.gz", True),
        ("/logs/*.gz", "/logs/b.gz", True),
        ("/logs/*.gz", "/logs/b.html", False),
        ("/logs/**/2025", "/logs/a/b/2025/x.html", True),
        ("s3://bucket/logs", "/logs/x.html", False),
        ("s3://bucket/*.gz", "/logs/x.gz", False),
    ],
)
def test_what_lies_in_a_source_is_not_written(source: str, path: str, is_in: bool) -> None:
    if is_in:
        with pytest.raises(UsageError, match="lies in, what is read"):
            require_elsewhere("--report", Path(path), [source])
    else:
        require_elsewhere("--report", Path(path), [source])


def test_a_file_that_could_not_be_written_is_found_before_the_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_writable("--report", tmp_path / "new.html")
    require_writable("--report", None)
    with pytest.raises(UsageError, match="is a folder"):
        require_writable("--report", tmp_path)
    with pytest.raises(UsageError, match="there is no folder"):
        require_writable("--report", tmp_path / "gone" / "new.html")
    monkeypatch.setattr("os.access", lambda _path, _mode: False)
    with pytest.raises(UsageError, match="permission denied"):
        require_writable("--report", tmp_path / "new.html")

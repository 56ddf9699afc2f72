"""What cannot be meant is refused in one sentence, with exit code 2, before anything is read or sent."""

from pathlib import Path

import pytest

from tests.support.archives import message, write_lines
from tests.support.processes import replay
from tests.support.sandbox_process import SandboxProcess


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere", "--sandbox"], "nowhere: there is no such file or directory"),
        (["a.jsonl"], "exactly one of --region, --endpoint and --sandbox"),
        (["a.jsonl", "--sandbox", "--region", "DC_01"], "found: --region and --sandbox"),
        (["a.jsonl", "--region", "DC_99"], "DC_99"),
        (["a.jsonl", "--endpoint", "http://moengage.example"], "plain HTTP"),
        (["a.jsonl", "--endpoint", "http://127.0.0.1.example"], "plain HTTP"),
        (["a.jsonl", "--endpoint", "https://user:pass@x.example"], "credentials"),
        (["a.jsonl", "--endpoint", "https://x.example/v1"], "base URL only"),
        (["a.jsonl", "--endpoint", "x"], "not a URL"),
        (["a.jsonl", "--region", "DC_01", "--rps", "501"], "at most 500 requests a second"),
        (["a.jsonl", "--sandbox", "--rps", "0"], "--rps"),
        (["a.jsonl", "--sandbox", "--rps", "nan"], "not a rate"),
        (["a.jsonl", "--sandbox", "--rps", "inf"], "not a rate"),
        (["a.jsonl", "--sandbox", "--rps", "1e-300"], "not a rate"),
        (["a.jsonl", "--sandbox", "--name", "../evil"], "--name '../evil'"),
        (["a.jsonl", "--sandbox", "--name", ""], "--name ''"),
        (["a.jsonl", "--sandbox", "--checkpoint", "."], "is a directory"),
        (["", "--sandbox"], "a source is empty"),
        (["a.jsonl", "--endpoint", "http://127.0.0.1:9", "--ca-file", "none.pem"], "cannot read none.pem"),
        (["a.jsonl", "--sandbox", "--timeout", "soon"], "not a duration"),
        (["a.jsonl", "--sandbox", "--name", "n", "--checkpoint", "c"], "not both"),
        (["a.jsonl", "--sandbox", "--output", "o"], "--dry-run"),
        (["a.jsonl", "--region", "DC_01", "--api-key-file", "none", "--yes"], "none"),
        ([], "SOURCE"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_one_sentence(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    write_lines(tmp_path / "a.jsonl", [message(1)])
    end = replay(tmp_path, "run", *arguments)
    assert end.code == 2, end.err
    assert sentence in end.err
    assert "Traceback" not in end.err
    assert list(tmp_path.glob(".replay/*.ckpt")) == []


def test_without_a_workspace_or_a_key_nothing_begins(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl", [message(1)])
    no_workspace = replay(tmp_path, "run", "a.jsonl", "--region", "DC_01", "--yes", MOENGAGE_WORKSPACE_ID="")
    no_key = replay(tmp_path, "run", "a.jsonl", "--region", "DC_01", "--yes", MOENGAGE_API_KEY="")
    assert (no_workspace.code, no_key.code) == (2, 2)
    assert "MOENGAGE_WORKSPACE_ID" in no_workspace.err
    assert "MOENGAGE_API_KEY" in no_key.err
    assert list(tmp_path.glob(".replay/*.ckpt")) == []


def test_a_real_region_is_never_sent_to_without_a_yes(tmp_path: Path) -> None:
    """Where nobody can be asked, it says what it would do and that --yes is missing."""
    write_lines(tmp_path / "a.jsonl", [message(n) for n in range(2500)])
    end = replay(tmp_path, "run", "a.jsonl", "--region", "DC_03")
    assert end.code == 2
    assert "about 2,500 records, 2,500 requests" in end.err
    assert "at least 10.0 s" in end.err
    assert "no undo" in end.err
    assert "overwrite" in end.err
    assert "--yes" in end.err
    assert list(tmp_path.glob(".replay/*.ckpt")) == []


def test_options_come_from_the_environment_too(tmp_path: Path, sandbox: SandboxProcess) -> None:
    write_lines(tmp_path / "a.jsonl", [message(1)])
    end = replay(
        tmp_path, "run", "a.jsonl", REPLAY_RUN_ENDPOINT=sandbox.url, REPLAY_RUN_NAME="mine", REPLAY_RUN_RPS="77"
    )
    assert end.code == 0, end.err
    assert (tmp_path / ".replay" / "mine.ckpt").exists()


def test_an_unknown_option_is_a_usage_error(tmp_path: Path) -> None:
    end = replay(tmp_path, "run", "--no-such-option")
    assert end.code == 2
    assert "--no-such-option" in end.err


def test_status_of_no_checkpoint_is_a_usage_error(tmp_path: Path) -> None:
    end = replay(tmp_path, "status", "none.ckpt")
    assert end.code == 2
    assert "none.ckpt: there is no such checkpoint" in end.err


def test_a_variable_that_is_no_option_is_refused(tmp_path: Path) -> None:
    """Misspelt in a crontab, it would be without effect for months."""
    write_lines(tmp_path / "a.jsonl", [message(1)])
    end = replay(tmp_path, "run", "a.jsonl", "--dry-run", REPLAY_RUN_RECEIVED_FORM="2025-03-01")
    assert end.code == 2
    assert "REPLAY_RUN_RECEIVED_FORM in the environment is no option of `replay run`" in end.err


def test_options_are_called_in_the_environment_as_on_the_command_line(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl", [message(n, receivedAt="2025-03-01T10:00:00.000Z") for n in range(3)])
    settings = {"REPLAY_RUN_FROM": "2025-03-02", "REPLAY_RUN_JSON": "1", "REPLAY_RUN_SOURCE_ID": "a b"}
    end = replay(tmp_path, "run", "a.jsonl", "--dry-run", **settings)
    assert end.summary["skipped"] == {"unknown_source": 3}
    assert "sources: a, b" in end.err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--received-until", "2025-03-01", "--received-from", "2025-03-01"], "nothing lies between"),
        (["--from", "2025-03-01", "--until", "2025-04-01", "--received-from", "2025-05-01"], "nothing can lie in both"),
        (["--source-id", " "], "--source-id is empty"),
        (["--output", "s3://bucket/key"], "a file on disk"),
    ],
)
def test_a_selection_that_cannot_be_meant_is_refused(tmp_path: Path, options: list[str], sentence: str) -> None:
    write_lines(tmp_path / "a.jsonl", [message(1)])
    end = replay(tmp_path, "run", "a.jsonl", "--dry-run", *options)
    assert end.code == 2
    assert sentence in end.err


def test_a_job_for_which_nothing_is_meant_says_so(tmp_path: Path) -> None:
    write_lines(tmp_path / "logs" / "src1" / "1740787200000" / "a.gz", [message(1)])
    end = replay(tmp_path, "run", "logs", "--sandbox", "--source-id", "src2", "--json")
    assert (end.code, end.summary["objects"]["total"]) == (0, 0)
    assert "nothing under the sources lies within the selection" in end.summary["reason"]

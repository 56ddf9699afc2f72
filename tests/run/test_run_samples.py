"""The sample archives end to end: what `make demo` does, with its book checked."""

from pathlib import Path

from tests.support.processes import replay
from tests.support.sandbox_process import SandboxProcess

SAMPLES = Path(__file__).parents[2] / "sample_archives"
CLEAN = [str(SAMPLES / name) for name in ("segment-logs", "data-lake", "nested-parquet", "json-column-parquet")]


def test_the_clean_samples_are_delivered_whole(tmp_path: Path, sandbox: SandboxProcess) -> None:
    end = replay(tmp_path, "run", *CLEAN, "--endpoint", sandbox.url, "--rps", "5000", "--json")
    summary = end.require_closed_book()
    assert end.code == 0, end.err
    records = summary["records"]
    assert records["read"] >= 6000
    assert records["read"] == records["delivered"] + records["skipped"]
    assert summary["skipped"] == {"not_subscribed": records["skipped"]}
    assert summary["objects"]["damaged"] == []
    assert sandbox.stats()["recorded"] == records["delivered"]


def test_the_embedded_sandbox_needs_no_credentials_and_leaves_the_machine_alone(tmp_path: Path) -> None:
    end = replay(
        tmp_path,
        "run",
        CLEAN[-1],
        "--sandbox",
        "--rps",
        "500",
        "--json",
        MOENGAGE_WORKSPACE_ID="",
        MOENGAGE_API_KEY="",
    )
    assert end.code == 0, end.err
    assert end.require_closed_book()["requests"]["by_status"].keys() == {"200"}


def test_check_tells_what_works(tmp_path: Path, sandbox: SandboxProcess) -> None:
    good = replay(tmp_path, "check", CLEAN[0], "--endpoint", sandbox.url)
    wrong_key = replay(tmp_path, "check", "--endpoint", sandbox.url, MOENGAGE_API_KEY="wrong")
    nothing_there = replay(tmp_path, "check", "nowhere", "--endpoint", "http://127.0.0.1:9")
    assert (good.code, wrong_key.code, nothing_there.code) == (0, 1, 1)
    assert "the credentials are good" in good.out
    assert "401" in wrong_key.out
    assert nothing_there.out.count("FAILED") == 2
    assert sandbox.stats()["attempts"] == 0


def test_status_shows_the_book_of_a_finished_job(tmp_path: Path, sandbox: SandboxProcess) -> None:
    run = replay(tmp_path, "run", CLEAN[-1], "--endpoint", sandbox.url, "--rps", "5000", "--name", "job", "--json")
    status = replay(tmp_path, "status", ".replay/job.ckpt", "--json")
    assert status.code == 0
    assert status.summary["records"] == run.summary["records"]
    assert status.summary["state"] == "complete"
    assert "delivered" in replay(tmp_path, "status", ".replay/job.ckpt").out

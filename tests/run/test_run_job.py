"""`--job`: what a crontab line does, with one file for all commands, and with routes."""

import json
import signal
from pathlib import Path
from typing import Any

from tests.support.archives import message, write_lines
from tests.support.in_process import replay_here
from tests.support.processes import replay, start, wait_until
from tests.support.sandbox_process import SandboxProcess

COUNT = 20
DAY = "1740787200000"
REFUSE_ALL = [{"rate": 1, "status": 400}]
ROUTES = """
[[route]]
name = "shop"
sources = ["srcA", "srcB"]
project-name = "Shop"

[[route]]
sources = ["srcC"]
api = "classic"
"""


def archive(folder: Path, *sources: str) -> None:
    for place, source in enumerate(sources):
        path = folder / "logs" / "segment-logs" / source / DAY / "a.gz"
        write_lines(path, [message(n, messageId=f"{source}-{n}") for n in range(COUNT * place, COUNT * (place + 1))])


def job(folder: Path, sandbox: SandboxProcess, text: str = "", name: str = "nightly.toml") -> Path:
    path = folder / name
    path.write_text(f'sources = ["logs"]\nendpoint = "{sandbox.url}"\n{text}')
    return path


def arrived(sandbox: SandboxProcess) -> list[dict[str, Any]]:
    return [line["body"]["properties"] for line in sandbox.received(recorded=True)]


def test_a_job_file_is_all_that_is_needed_and_one_job_from_wherever_it_is_run(
    tmp_path: Path, sandbox: SandboxProcess
) -> None:
    """With every command that has to do with a job."""
    archive(tmp_path, "srcA")
    path = job(tmp_path, sandbox)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    sandbox.faults(REFUSE_ALL)
    first = replay(tmp_path, "run", "--job", "nightly.toml")
    assert first.code == 3, first.err
    sandbox.faults([])
    second = replay(elsewhere, "redrive", "--job", str(path), "--json")
    assert (second.code, second.summary["records"]["delivered"]) == (0, COUNT)
    third = replay(elsewhere, "run", "--job", str(path), "--json")
    assert (third.code, third.summary["reason"]) == (0, "already complete: nothing new under the sources, nothing sent")
    assert sorted(event["n"] for event in arrived(sandbox)) == list(range(COUNT))
    assert [entry.name for entry in (tmp_path / ".replay").glob("*.ckpt")] == ["nightly.ckpt"]
    assert not list(elsewhere.iterdir())
    checked = replay_here(elsewhere, "check", "--job", str(path))
    assert (checked.code, "the credentials are good" in checked.out) == (0, True)
    validated = replay_here(elsewhere, "validate", "--job", str(path), "--show", "1", "--json")
    assert validated.code == 0
    assert json.loads(validated.out)["job"]["sources"] == [str(tmp_path / "logs")]


def test_each_route_is_a_job_of_its_own(tmp_path: Path, sandbox: SandboxProcess) -> None:
    archive(tmp_path, "srcA", "srcB", "srcC")
    job(tmp_path, sandbox, 'report = "page.html"' + ROUTES)
    end = replay(tmp_path, "run", "--job", "nightly.toml", "--json")
    assert end.code == 0, end.err
    shop, other = end.summary["routes"].items()
    assert (shop[0], shop[1]["records"]["delivered"], shop[1]["checkpoint"]) == (
        "shop",
        2 * COUNT,
        ".replay/nightly.shop.ckpt",
    )
    assert (other[0], other[1]["records"]["delivered"], other[1]["job"]["settings"]["source_id"]) == (
        "srcC",
        COUNT,
        ["srcC"],
    )
    projects = {event["n"]: event.get("moe_project_name") for event in arrived(sandbox)}
    assert projects == {n: "Shop" if n < 2 * COUNT else None for n in range(3 * COUNT)}
    assert {page.name for page in tmp_path.glob("*.html")} == {"page.shop.html", "page.srcC.html"}
    again = replay(tmp_path, "run", "--job", "nightly.toml", "--route", "srcC", "--json")
    assert list(again.summary["routes"]) == ["srcC"]
    shown = replay_here(tmp_path, "status", "--job", "nightly.toml", "--json").summary["routes"]
    assert {name: each["records"]["delivered"] for name, each in shown.items()} == {"shop": 2 * COUNT, "srcC": COUNT}
    redriven = replay_here(tmp_path, "redrive", "--job", "nightly.toml", "--dry-run", "--json")
    assert {name: each["records"] for name, each in json.loads(redriven.out)["routes"].items()} == {
        "shop": 0,
        "srcC": 0,
    }
    assert len(arrived(sandbox)) == 3 * COUNT


def test_a_source_that_no_route_takes_is_an_error_before_anything_is_sent(
    tmp_path: Path, sandbox: SandboxProcess
) -> None:
    archive(tmp_path, "srcA", "srcC", "srcD")
    job(tmp_path, sandbox, ROUTES)
    for command in (["run"], ["run", "--route", "shop"], ["run", "--dry-run"], ["validate"]):
        end = replay_here(tmp_path, *command, "--job", "nightly.toml")
        assert end.code == 2
        assert "no route takes 1 source of those that are there: srcD" in end.err
    assert not arrived(sandbox)
    assert not (tmp_path / ".replay").exists()


def test_what_lies_in_no_sources_folder_has_no_route(tmp_path: Path, sandbox: SandboxProcess) -> None:
    write_lines(tmp_path / "logs" / "a.jsonl", [message(1)])
    job(tmp_path, sandbox, ROUTES)
    end = replay_here(tmp_path, "run", "--job", "nightly.toml")
    assert end.code == 2
    assert "is no folder of a source" in end.err


def test_a_file_of_one_route_that_cannot_be_understood_stops_all_before_anything_is_sent(
    tmp_path: Path, sandbox: SandboxProcess
) -> None:
    archive(tmp_path, "srcA", "srcC")
    job(tmp_path, sandbox, ROUTES + 'update-existing-only = true\n[[route]]\nsources = ["x"]\nfilters = "none.json"\n')
    end = replay_here(tmp_path, "run", "--job", "nightly.toml")
    assert end.code == 2
    assert "none.json cannot be read" in end.err
    assert not arrived(sandbox)


def test_a_route_that_fails_does_not_stop_the_others(tmp_path: Path, sandbox: SandboxProcess) -> None:
    """And the exit code of all is the worst one, also for a scheduler that takes a pause for success."""
    archive(tmp_path, "srcA", "srcB", "srcC")
    (tmp_path / "key").write_text("wrong")
    text = '[[route]]\nsources = ["srcA"]\napi-key-file = "key"\n'
    text += '[[route]]\nsources = ["srcB"]\n[[route]]\nsources = ["srcC"]\n'
    job(tmp_path, sandbox, f"limit = 5\nok-exit = [3, 4]\n{text}")
    end = replay(tmp_path, "run", "--job", "nightly.toml", "--json")
    routes = end.summary["routes"]
    assert (end.code, list(routes)) == (1, ["srcA", "srcB", "srcC"])
    assert [each["state"] for each in routes.values()] == ["failed", "paused", "paused"]
    assert len(arrived(sandbox)) == 10


def test_an_interruption_ends_all_routes(tmp_path: Path, sandbox: SandboxProcess) -> None:
    archive(tmp_path, "srcA", "srcC")
    job(tmp_path, sandbox, "rps = 2\n" + ROUTES)
    process = start(tmp_path, "run", "--job", "nightly.toml", "--json")
    wait_until(lambda: arrived(sandbox), process)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    assert {name: each["state"] for name, each in json.loads(out)["routes"].items()} == {"shop": "interrupted"}
    assert not (tmp_path / ".replay" / "nightly.srcC.ckpt").exists()


def test_exit_codes_that_a_scheduler_accepts_become_0_and_the_summary_says_what_happened(
    tmp_path: Path, sandbox: SandboxProcess
) -> None:
    archive(tmp_path, "srcA")
    job(tmp_path, sandbox, "limit = 5")
    paused = replay(tmp_path, "run", "--job", "nightly.toml", "--ok-exit", "3", "--json")
    assert (paused.code, paused.summary["state"]) == (4, "paused")
    accepted = replay(tmp_path, "run", "--job", "nightly.toml", "--json", REPLAY_RUN_OK_EXIT="4")
    assert (accepted.code, accepted.summary["state"]) == (0, "paused")
    sandbox.faults(REFUSE_ALL)
    refused = replay(tmp_path, "resume", ".replay/nightly.ckpt", "--ok-exit", "3,4", "--json")
    assert (refused.code, refused.summary["records"]["dead_lettered"]) == (0, COUNT - 10)


def test_a_failure_stays_one_whatever_a_scheduler_accepts(tmp_path: Path, sandbox: SandboxProcess) -> None:
    archive(tmp_path, "srcA")
    job(tmp_path, sandbox, 'ok-exit = "3,4"')
    end = replay(tmp_path, "run", "--job", "nightly.toml", MOENGAGE_API_KEY="wrong")
    assert end.code == 1, end.err

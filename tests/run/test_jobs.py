"""`replay jobs`: every job of a folder at a glance, broken ones too."""

import json
from pathlib import Path

from tests.support.archives import message, write_lines
from tests.support.in_process import replay_here
from tests.support.processes import replay

ROUTES = '[[route]]\nsources = ["srcA"]\n[[route]]\nname = "b"\nsources = ["srcB"]\n'


def test_each_job_of_a_folder_is_listed_with_its_state_and_last_result(tmp_path: Path) -> None:
    write_lines(tmp_path / "logs" / "a.jsonl", [message(n) for n in range(20)])
    write_lines(tmp_path / "bad" / "a.jsonl", [b"{"])
    (tmp_path / "mapping.toml").write_text("[track]\n")
    (tmp_path / "base.toml").write_text("sandbox = true\n")
    (tmp_path / "second.toml").write_text('extends = "base.toml"\n')
    (tmp_path / "done.toml").write_text('extends = "base.toml"\nsources = ["bad", "logs"]\n')
    (tmp_path / "begun.toml").write_text('extends = "base.toml"\nsources = ["logs"]\nlimit = 5\n')
    (tmp_path / "new.toml").write_text('extends = "base.toml"\nsources = ["logs"]\n' + ROUTES)
    (tmp_path / "wrong.toml").write_text('sources = ["logs"]\nrsp = 3\n')
    (tmp_path / "lost.toml").write_text('sources = ["logs"]\ncheckpoint = "logs/a.jsonl"\n')
    (tmp_path / "notes.txt").write_text("")
    for name, code in (("done", 3), ("begun", 4)):
        assert replay(tmp_path, "run", "--job", f"{name}.toml").code == code
    listed = replay_here(tmp_path.parent, "jobs", str(tmp_path), "--json")
    assert listed.code == 0
    rows = json.loads(listed.out)["jobs"]
    assert [(row["name"], row["route"], row["state"]) for row in rows] == [
        ("begun", None, "paused"),
        ("done", None, "complete"),
        ("lost", None, "unknown"),
        ("new", "srcA", "new"),
        ("new", "b", "new"),
        ("second", None, "base"),
        ("wrong", None, "broken"),
    ]
    by_name = {row["name"]: row for row in rows}
    assert by_name["begun"]["reason"] == "--limit 5 is reached"
    assert by_name["begun"]["records"]["delivered"] == 5
    assert by_name["done"]["records"].items() >= {("read", 21), ("delivered", 20), ("rejected", 1), ("pending", 0)}
    assert by_name["done"]["at"] > 0
    assert by_name["wrong"]["reason"].endswith("wrong.toml line 2: no command has an option rsp: did you mean rps?")
    shown = replay_here(tmp_path, "jobs", ".")
    assert shown.code == 0
    assert "new.srcA" in shown.out
    assert "begun: --limit 5 is reached" in shown.out


def test_a_checkpoint_whose_name_no_disk_takes_hides_no_other_job(tmp_path: Path) -> None:
    (tmp_path / "long.toml").write_text(f'sources = ["logs"]\ncheckpoint = "{"a" * 300}.ckpt"\n')
    (tmp_path / "new.toml").write_text('sources = ["logs"]\n')
    listed = replay_here(tmp_path, "jobs", ".", "--json")
    assert listed.code == 0
    assert [row["state"] for row in json.loads(listed.out)["jobs"]] == ["unknown", "new"]


def test_names_of_files_and_what_is_in_them_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "a\x1b[31m.toml").write_text('sources = ["[bold]x"]\n"\\u001b]0;x\\u0007" = 1\n')
    shown = replay_here(tmp_path, "jobs", ".")
    assert "\x1b" not in shown.out
    assert "broken" in shown.out


def test_a_folder_without_jobs_is_no_error_and_no_folder_is(tmp_path: Path) -> None:
    empty = replay_here(tmp_path, "jobs", ".")
    assert (empty.code, empty.out) == (0, ". has no job files (*.toml)\n")
    missing = replay_here(tmp_path, "jobs", "none")
    assert (missing.code, "none cannot be listed: No such file" in missing.err) == (2, True)

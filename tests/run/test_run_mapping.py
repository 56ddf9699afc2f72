"""Mappings of which a record becomes several requests, of different people: each goes out once."""

import json
from pathlib import Path

from tests.support.archives import message, write_lines
from tests.support.processes import Finished, replay
from tests.support.sandbox_process import SandboxProcess

MESSAGES = 100
SUBSCRIPTIONS = [
    {
        "actionSlug": "trackEvent",
        "trigger": 'type = "track"',
        "settings": {
            "type": {"@path": "$.type"},
            "event": {"@path": "$.event"},
            "userId": {"@path": user},
            "timestamp": {"@path": "$.timestamp"},
            "properties": {"@path": "$.properties"},
        },
    }
    for user in ("$.properties.shop", "$.userId")
]


def archive(folder: Path) -> None:
    made = [message(n, properties={"n": n, "shop": "shop-1"}) for n in range(MESSAGES)]
    write_lines(folder / "logs" / "a.jsonl", made)
    (folder / "mapping.json").write_text(json.dumps(SUBSCRIPTIONS))


def run(folder: Path, sandbox: SandboxProcess, *more: str, code: int = 0) -> Finished:
    command = ["run", "logs", "--endpoint", sandbox.url, "--mapping", "mapping.json", "--name", "job", "--json"]
    end = replay(folder, *command, *more)
    assert end.code == code, end.err
    return end


def test_a_records_requests_for_different_people_go_out_once_each(tmp_path: Path, sandbox: SandboxProcess) -> None:
    """One of them is so busy that the requests wait in the checkpoint, and come back together."""
    archive(tmp_path)
    run(tmp_path, sandbox, "--max-duration", "2s", code=4)
    book = run(tmp_path, sandbox).require_closed_book()
    arrived = [(line["body"]["user_id"], line["body"]["properties"]["n"]) for line in sandbox.received(recorded=True)]
    assert book["records"]["delivered"] == MESSAGES
    assert len(arrived) == len(set(arrived)) == 2 * MESSAGES


def test_what_a_record_becomes_is_not_amended_while_it_has_arrived_in_part(
    tmp_path: Path, sandbox: SandboxProcess
) -> None:
    archive(tmp_path)
    sandbox.faults([{"match": {"user_id": "user-0"}, "status": 400}])
    end = run(tmp_path, sandbox, "--limit", "3", code=4)
    assert sum(end.summary["dead_lettered"].values()) == 1
    (tmp_path / "mapping.json").write_text(json.dumps(SUBSCRIPTIONS[:1]))
    refused = run(tmp_path, sandbox, "--amend", "less", code=2)
    assert "1 record of this job became several requests" in refused.err

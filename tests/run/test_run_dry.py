"""A dry run is another sink: it opens no connection to the destination and writes no checkpoint (rule 7)."""

import json
import socket
from pathlib import Path
from typing import Any

from tests.support.archives import message, write_lines
from tests.support.processes import replay
from tests.support.sandbox_process import SandboxProcess


def test_a_dry_run_connects_to_nothing_and_writes_no_checkpoint(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl", [message(1)])
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
        end = replay(tmp_path, "run", "a.jsonl", "--endpoint", endpoint, "--dry-run", "--json")
        assert end.code == 0, end.err
        try:
            server.accept()
        except BlockingIOError:
            connected = False
        else:
            connected = True
    assert not connected
    assert not (tmp_path / ".replay").exists()
    assert end.require_closed_book()["records"] == {
        "read": 1,
        "delivered": 0,
        "skipped": 0,
        "rejected": 0,
        "dead_lettered": 0,
        "pending": 1,
    }


def test_it_needs_neither_a_destination_nor_credentials(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl", [message(1)])
    end = replay(tmp_path, "run", "a.jsonl", "--dry-run", MOENGAGE_WORKSPACE_ID="", MOENGAGE_API_KEY="")
    assert end.code == 0, end.err


def test_its_output_says_for_each_record_what_becomes_of_it(tmp_path: Path) -> None:
    records: list[dict[str, Any] | bytes] = [message(1), b"", message(2, type="page"), b"[1]", message(3)]
    path = write_lines(tmp_path / "a.jsonl", records)
    end = replay(tmp_path, "run", "a.jsonl", "--region", "DC_02", "--dry-run", "--output", "out.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert end.code == 3
    assert [(row["ordinal"], row["outcome"], row["reason"]) for row in rows] == [
        (0, "request", None),
        (2, "skipped", "not_subscribed"),
        (3, "rejected", "not_an_object"),
        (4, "request", None),
    ]
    assert {row["uri"] for row in rows} == {str(path)}
    (request,) = rows[0]["requests"]
    assert request["method"] == "POST"
    assert request["url"] == "https://api-02.moengage.com/v1/integrations/segment?appId=sandbox"
    assert request["body"]["properties"] == {"n": 1}


def test_what_a_dry_run_shows_is_what_a_run_sends(tmp_path: Path, sandbox: SandboxProcess) -> None:
    write_lines(tmp_path / "a.jsonl", [message(n) for n in range(50)])
    replay(tmp_path, "run", "a.jsonl", "--dry-run", "--output", "out.jsonl")
    assert replay(tmp_path, "run", "a.jsonl", "--endpoint", sandbox.url).code == 0
    shown = [json.loads(line)["requests"][0]["body"] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    received = sorted((line["body"] for line in sandbox.received()), key=lambda body: body["properties"]["n"])
    assert shown == received


def test_an_output_that_cannot_be_written_stops_it_in_one_sentence(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl", [message(1)])
    end = replay(tmp_path, "run", "a.jsonl", "--dry-run", "--output", "no/such/folder.jsonl")
    assert end.code == 1
    assert "no/such/folder.jsonl" in end.err
    assert "Traceback" not in end.err
    full = replay(tmp_path, "run", "a.jsonl", "--dry-run", "--output", "/dev/full")
    assert full.code == 1
    assert "No space left" in full.err


def test_a_limit_shows_the_requests_that_a_canary_would_send(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl", [message(n, type="page" if n % 3 == 0 else "track") for n in range(30)])
    end = replay(tmp_path, "run", "a.jsonl", "--dry-run", "--limit", "5", "--output", "out.jsonl", "--json")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["ordinal"] for row in rows] == [1, 2, 4, 5, 7]
    assert end.require_closed_book()["records"]["pending"] == 5
    assert "until --limit is reached" in end.summary["reason"]

"""The process that prepares beside this one: it gives what would be prepared here, and ends with this one."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import orjson
import pytest

from replay_cli.cli.preparing import preparation
from replay_cli.delivery.allowance import Allowance
from replay_cli.errors import DamagedObjectError, FatalError
from replay_cli.job import Job
from replay_cli.model import ArchiveObject, Record, RecordBatch, Unit, Unreadable
from replay_cli.segment.lists import NO_LISTS
from replay_cli.workshop import Workshop, one_by_one
from tests.support.archives import message

OBJECT = ArchiveObject("/logs/a.jsonl", 1, "e")
JOB = Job(("/logs",), "sandbox", "APP", {"api": "bulk"})
MAKE = partial(preparation, JOB, NO_LISTS, Allowance(0, 0))
ODD: list[Record] = [
    b"",
    b"[1]",
    b'{"type":"track","userId":"surrogate","event":"\\ud800"}',
    orjson.dumps({"kind": "rejected", "uri": "u", "ordinal": 3, "reason": "r", "record": message(7)}),
    orjson.dumps({"type": "page"}),
    {"type": "track", "userId": "of a table", "event": "E", "messageId": "m"},
    Unreadable("oversized", "too long", b"{"),
]


def batches(count: int = 8) -> list[RecordBatch]:
    made: list[RecordBatch] = []
    for n in range(count):
        records: list[Record] = [orjson.dumps(message(100 * n + k)) for k in range(50)]
        made.append(RecordBatch(OBJECT, 100 * n, records + ODD, Unit.LINE, n))
    return made


def test_it_gives_what_would_be_prepared_here() -> None:
    with Workshop(MAKE) as workshop:
        assert list(workshop.prepare_all(batches())) == list(one_by_one(MAKE())(batches()))
        assert list(workshop.prepare_all([])) == []
        assert len(list(workshop.prepare_all(batches(1)))) == 1


def test_what_reading_raises_comes_after_what_was_read_before_it() -> None:
    def damaged() -> Iterator[RecordBatch]:
        yield from batches(2)
        raise DamagedObjectError("/logs/a.jsonl", "cut off")

    with Workshop(MAKE) as workshop:
        ready = workshop.prepare_all(damaged())
        assert [next(ready)[0].batch.first, next(ready)[0].batch.first] == [0, 100]
        with pytest.raises(DamagedObjectError):
            next(ready)
        assert len(list(workshop.prepare_all(batches(3)))) == 3


def test_when_it_is_gone_the_run_ends_and_says_so() -> None:
    with Workshop(MAKE) as workshop:
        ready = workshop.prepare_all(batches())
        next(ready)
        assert workshop._process.pid is not None
        os.kill(workshop._process.pid, signal.SIGKILL)
        with pytest.raises(FatalError, match="run the same command again"):
            list(ready)


def test_it_ends_with_the_process_that_made_it(tmp_path: Path) -> None:
    """Killed, too: nothing is left behind."""
    script = tmp_path / "script.py"
    script.write_text(
        "import time\n"
        "from tests.test_workshop import MAKE, batches\n"
        "from replay_cli.workshop import Workshop\n"
        "if __name__ == '__main__':\n"
        "    workshop = Workshop(MAKE)\n"
        "    assert len(list(workshop.prepare_all(batches(1)))) == 1\n"
        "    print(workshop._process.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)}
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        worker = int(process.stdout.readline())
        process.kill()
    until = time.monotonic() + 30
    while _is_there(worker) and time.monotonic() < until:
        time.sleep(0.02)
    assert not _is_there(worker)


def _is_there(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"

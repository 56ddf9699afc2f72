"""`make soak`: a replay from a store that breaks connections, is busy and goes away, killed three times.

60,000 messages in 600 objects (3 sources, 10 days) behind a proxy that cuts and stalls replies at random bytes, answers
503 SlowDown in rows, and refuses connections for 20 seconds twice. What must hold holds, and the figures are printed.
"""

import gzip
import json
import random
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.support.archives import history
from tests.support.arrivals import bodies, lanes_in_order, times, twice
from tests.support.processes import Finished, start
from tests.support.s3_proxy import S3Proxy
from tests.support.s3_server import S3Server
from tests.support.sandbox_process import SandboxProcess

MESSAGES = 60_000
USERS = 5_000
SOURCES, DAYS, OBJECTS_A_FOLDER = 3, 10, 20
FIRST_DAY, DAY_MS = 1_740_787_200_000, 86_400_000
RPS = 1000
AWAY_SECONDS = 20.0
SECONDS_AT_MOST = 900.0
SIZE = MESSAGES // (SOURCES * DAYS * OBJECTS_A_FOLDER)


def archive() -> tuple[dict[str, bytes], set[int]]:
    """Key → object, in the order in which they are read the messages' own; and which messages can be sent."""
    messages = list(history(MESSAGES, USERS))
    objects = {}
    for number in range(MESSAGES // SIZE):
        folder, name = divmod(number, OBJECTS_A_FOLDER)
        day, source = divmod(folder, SOURCES)
        part = messages[number * SIZE : (number + 1) * SIZE]
        lines = b"".join(json.dumps(made).encode() + b"\n" for made in part)
        objects[f"segment-logs/src{source}/{FIRST_DAY + day * DAY_MS}/{name:02}.gz"] = gzip.compress(lines, 6)
    return objects, {made["properties"]["n"] for made in messages if made["type"] == "track"}


class Director:
    """Troubles the store without end, and kills the run or sends the store away once so much has arrived."""

    def __init__(self, proxy: S3Proxy, sandbox: SandboxProcess) -> None:
        self.kills = self.absences = 0
        self._proxy = proxy
        self._sandbox = sandbox
        self._process: subprocess.Popen[str] | None = None
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._trouble), threading.Thread(target=self._play)]

    def __enter__(self) -> "Director":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def run(self, cwd: Path, command: list[str], environment: dict[str, str]) -> Finished:
        """Run a command to its end, or until it is killed."""
        self._process = start(cwd, *command, **environment)
        return Finished(self._process, SECONDS_AT_MOST)

    def _trouble(self) -> None:
        dice = random.Random(4)
        while not self._over.wait(2.0):
            self._proxy.heal()  # or it would be ever more
            self._proxy.cut_after([dice.randrange(1, 3000)], clean=dice.random() < 0.5)
            self._proxy.throttle(dice.choice((0, 0, 0, 1, 3)))
            if dice.random() < 0.03:
                self._proxy.stall_after(dice.randrange(1, 3000))

    def _play(self) -> None:
        for share in range(1, 6):
            while self._sandbox.stats()["recorded"] < share * MESSAGES // 7:
                if self._over.wait(0.2):
                    return
            if share % 2:
                assert self._process is not None
                self._process.kill()
                self.kills += 1
            else:
                self._proxy.refuse()
                self._over.wait(AWAY_SECONDS)
                self._proxy.listen()
                self.absences += 1


def test_a_long_run_from_a_store_in_trouble(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    objects, sendable = archive()
    began = time.monotonic()
    with S3Server() as server, S3Proxy(server.url) as proxy, SandboxProcess(rps=1_000_000, latency=0.1) as sandbox:
        bucket = server.make_bucket()
        server.put(bucket, objects)
        command = ["run", f"s3://{bucket}/segment-logs/", "--s3-endpoint-url", proxy.url, "--checkpoint", "job.ckpt"]
        command += ["--endpoint", sandbox.url, "--rps", str(RPS), "--json"]
        with Director(proxy, sandbox) as director:
            end = director.run(tmp_path, command, server.environment())
            while end.code in (-signal.SIGKILL, 4):
                end = director.run(tmp_path, command, server.environment())
        seconds, arrivals = time.monotonic() - began, bodies(sandbox)
        peak, struck = sandbox.stats()["peak_per_second"], proxy.struck
    arrived = times(arrivals)
    with capsys.disabled():
        print(f"\nexit code {end.code} after {seconds:.0f} s; {director.kills} kills, {director.absences} absences, ")
        print(f"{struck} replies harmed; arrived {len(arrived):,} of {len(sendable):,}, twice {twice(arrived)}")
        print(end.err[-2000:])
        print(json.dumps({key: end.summary[key] for key in ("records", "in_doubt", "requests", "objects")}))
    summary = end.require_closed_book()
    assert (director.kills, director.absences) == (3, 2)
    assert struck > 50
    assert (end.code, summary["state"]) == (0, "complete"), end.err
    assert summary["records"]["read"] == MESSAGES
    assert set(arrived) == sendable, "lost"
    assert twice(arrived) <= summary["in_doubt"]
    assert summary["objects"]["damaged"] == []
    assert peak <= RPS
    lanes_in_order(arrivals)

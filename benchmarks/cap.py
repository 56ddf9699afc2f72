"""`--rps 450` when attempts could bunch: the highest count in any rolling second from then on, as the server counts."""

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.arriving import Running, received, running
from benchmarks.messages import write_archive
from tests.support.arrivals import most_in_any_second
from tests.support.processes import environment
from tests.support.sandbox_process import SandboxProcess
from tests.support.tcp_proxy import TcpProxy

RPS = 450
MOST = 500
CALM = 4.0
IDLE = 10.0
AFTER = 5.0
_STEP = 0.1

Situation = Callable[[Running, SandboxProcess, TcpProxy], float]


def idling(run: Running, sandbox: SandboxProcess, proxy: TcpProxy) -> float:
    """All that may be under way is, for ten seconds; then all replies come at once, over warm connections."""
    steps = int(IDLE / _STEP)
    rules = [
        {"between": [step * _STEP, (step + 1) * _STEP], "latency": IDLE - step * _STEP} for step in range(steps // 2)
    ]
    sandbox.faults(rules)
    time.sleep(IDLE)
    return time.time()


def retry_after(run: Running, sandbox: SandboxProcess, proxy: TcpProxy) -> float:
    sandbox.faults([{"times": 1, "status": 429, "retry_after": IDLE}])
    time.sleep(IDLE)
    return time.time()


def outage(run: Running, sandbox: SandboxProcess, proxy: TcpProxy) -> float:
    sandbox.faults([{"status": 503}])
    time.sleep(IDLE)
    sandbox.faults([])
    return time.time()


def cut(run: Running, sandbox: SandboxProcess, proxy: TcpProxy) -> float:
    sandbox.faults([{"latency": 0.5}])
    time.sleep(2)
    proxy.cut()
    return time.time()


def _archive(cwd: Path) -> Path:
    return write_archive(cwd / "archive.jsonl.gz", 40 * RPS, users=20 * RPS)


def _peak(cwd: Path, archive: Path, situation: Situation) -> tuple[float, int]:
    with SandboxProcess(rps=1_000_000, latency=0.05) as sandbox:
        host, port = sandbox.url.removeprefix("http://").split(":")
        with (
            TcpProxy(host, int(port)) as proxy,
            running(*(cwd, archive, proxy.url, "--rps", str(RPS)), checkpoint=f"{situation.__name__}.ckpt") as run,
        ):
            run.wait_until(lambda: sandbox.stats()["attempts"] > CALM * RPS)
            since = situation(run, sandbox, proxy)
            time.sleep(AFTER)
            instants = [line["at"] for line in received(sandbox)]
    first = min((at for at in instants if at >= since), default=since)
    return sum(first <= at < first + 1 for at in instants), most_in_any_second(at for at in instants if at >= since - 1)


_STALLING = """
import asyncio, random, sys
import aiohttp.connector, aiohttp.resolver

resolve = aiohttp.resolver.ThreadedResolver.resolve
dice = random.Random(int(sys.argv.pop(1)))

async def stall(*arguments, **keywords):
    await asyncio.sleep(dice.choice((0, 0, 0.5, 2.0)))
    return await resolve(*arguments, **keywords)

aiohttp.resolver.ThreadedResolver.resolve = stall
aiohttp.connector._DNSCacheTable.expired = lambda self, key: True

from replay_cli.cli import main
main()
"""


def _peak_with_dns_stalls(cwd: Path, archive: Path) -> tuple[float, int]:
    """Names are asked for with each connection, which takes up to two seconds; a tenth of the attempts needs one."""
    seed = str(random.Random(1).randrange(100))
    with SandboxProcess(rps=1_000_000, latency=0.05) as sandbox:
        sandbox.faults([{"rate": 0.1, "reset": "before"}])
        command = ["run", str(archive), "--endpoint", sandbox.url.replace("127.0.0.1", "localhost")]
        command += ["--rps", str(RPS), "--checkpoint", "dns.ckpt", "--max-duration", "15s"]
        subprocess.run(
            [sys.executable, "-c", _STALLING, seed, *command],
            cwd=cwd, env=environment(), capture_output=True, check=False,
        )  # fmt: skip
        instants = [line["at"] for line in received(sandbox)]
    if len(instants) < 5 * RPS:
        raise AssertionError(f"only {len(instants)} attempts arrived")
    return sum(at < instants[0] + 1 for at in instants), most_in_any_second(instants)


def main() -> list[tuple[str, str, str]]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        cwd = Path(folder)
        archive = _archive(cwd)
        for situation in (idling, retry_after, outage, cut):
            rows.append((f"after {situation.__name__}".replace("_", " "), *_peak(cwd, archive, situation)))
        rows.append(("with DNS stalls", *_peak_with_dns_stalls(cwd, archive)))
    return [(name, f"{first:.0f} in the first second, at most {most}", f"≤ {MOST}") for name, first, most in rows]

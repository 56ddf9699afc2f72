"""An outage of 30 seconds at 450 a second: what is spent on it, and how soon the run is back at its rate."""

import tempfile
import time
from pathlib import Path

from benchmarks.arriving import per_second, received, running
from benchmarks.messages import write_archive
from tests.support.arrivals import most_in_any_second
from tests.support.sandbox_process import SandboxProcess
from tests.support.tcp_proxy import TcpProxy

RPS = 450
CALM = 8.0
OUTAGE = 30.0
DETECTED = 2.0
BACK_WITHIN = 5.0
SHARE = 0.95


def _measure(cwd: Path, archive: Path, kind: str) -> list[tuple[str, str, str]]:
    with SandboxProcess(rps=1_000_000, latency=0.05) as sandbox:
        host, port = sandbox.url.removeprefix("http://").split(":")
        with (
            TcpProxy(host, int(port)) as proxy,
            running(cwd, archive, proxy.url, "--rps", str(RPS), checkpoint=f"{kind}.ckpt") as run,
        ):
            run.wait_until(lambda: sandbox.stats()["attempts"] > CALM * RPS)
            down = time.time()
            if kind == "503":
                sandbox.faults([{"status": 503}])
            else:
                proxy.refuse()
                proxy.cut()
            time.sleep(OUTAGE)
            back = time.time()
            if kind == "503":
                sandbox.faults([])
            else:
                proxy.listen()
            time.sleep(3 * BACK_WITHIN)
            lines = received(sandbox)
    before = per_second(lines, down - CALM / 2, down)
    seen = [line["at"] for line in lines if down + DETECTED <= line["at"] < back]
    steps = (step / 10 for step in range(int(20 * BACK_WITHIN)))
    soon = next((at for at in steps if per_second(lines, back + at, back + at + 1) >= SHARE * RPS), float("inf"))
    after = per_second(lines, back + BACK_WITHIN, back + 3 * BACK_WITHIN - 1)
    spent = f"{len(seen)} in {OUTAGE - DETECTED:.0f} s, at most {most_in_any_second(seen)} a second"
    return [
        (f"{kind}: rate before", f"{before:.0f} a second", ""),
        *([(f"{kind}: attempts during it, once detected", spent, "≤ 1 a second")] if kind == "503" else []),
        (f"{kind}: a second with ≥ 95 % of the rate begins after", f"{soon:.1f} s", f"≤ {BACK_WITHIN:.0f} s"),
        (f"{kind}: rate from {BACK_WITHIN:.0f} s after it / --rps", f"{after / RPS:.3f}", f"≥ {SHARE}"),
    ]


def main() -> list[tuple[str, str, str]]:
    with tempfile.TemporaryDirectory() as folder:
        cwd = Path(folder)
        archive = write_archive(cwd / "archive.jsonl.gz", 60 * RPS, users=20_000)
        return [row for kind in ("503", "refused") for row in _measure(cwd, archive, kind)]

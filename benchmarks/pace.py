"""`--rps 500` against a server in another process, 200 ms latency: the server counts."""

import tempfile
from pathlib import Path

from benchmarks.messages import write_archive
from tests.support.processes import replay
from tests.support.sandbox_process import SandboxProcess

SECONDS = 60
RPS = 500


def main() -> list[tuple[str, str, str]]:
    with tempfile.TemporaryDirectory() as folder, SandboxProcess(rps=1_000_000, latency=0.2) as sandbox:
        cwd = Path(folder)
        write_archive(cwd / "archive.jsonl.gz", SECONDS * RPS)
        end = replay(
            cwd, "run", "archive.jsonl.gz", "--endpoint", sandbox.url, "--rps", str(RPS), "--json", "--name", "pace"
        )
        if end.code != 0:
            raise AssertionError(end.err)
        stats = sandbox.stats()
        client_peak = end.summary["requests"]["peak_per_second"]
    average = (stats["attempts"] - 1) / (stats["last_at"] - stats["first_at"])
    return [
        ("attempts, counted by the server", f"{stats['attempts']:,}", ""),
        ("highest count in any rolling second", f"{stats['peak_per_second']}", f"≤ {RPS}"),
        ("the same, as the client counted", f"{client_peak}", ""),
        ("average a second", f"{average:.1f}", "≥ 485"),
        ("average / cap", f"{average / RPS:.3f}", "≥ 0.97"),
    ]

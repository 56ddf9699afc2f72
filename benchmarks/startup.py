"""`replay --help` against an empty Python."""

import statistics
import subprocess
import sys
import time

ROUNDS = 11


def _seconds(*command: str) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> list[tuple[str, str, str]]:
    bare = statistics.median(_seconds(sys.executable, "-c", "pass") for _ in range(ROUNDS))
    ours = statistics.median(_seconds(sys.executable, "-m", "replay_cli", "--help") for _ in range(ROUNDS))
    return [
        ("python -c pass", f"{1000 * bare:.0f} ms", ""),
        ("replay --help", f"{1000 * ours:.0f} ms", "< 200 ms"),
        ("ratio", f"{ours / bare:.1f}", ""),
    ]

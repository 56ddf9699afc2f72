"""Peak memory of replays of 30,000 and 300,000 messages, from JSON lines and from Parquet."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.messages import write_archive
from replay_cli.archive import open_source, read
from tests.support.processes import environment
from tests.support.sandbox_process import SandboxProcess

SMALL, LARGE = 30_000, 300_000
RPS = 5000


def _peak(cwd: Path, archive: Path, url: str) -> float:
    """Replay an archive in a process of its own; its peak memory in MB."""
    code = (
        "import resource, subprocess, sys;"
        "done = subprocess.run(sys.argv[1:]).returncode;"
        "print(done, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    command = [sys.executable, "-m", "replay_cli", "run", str(archive), "--endpoint", url, "--rps", str(RPS)]
    measured = subprocess.run(
        [sys.executable, "-c", code, *command, "--name", archive.name.replace(".", "-")],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    exit_code, peak = map(int, measured.stdout.split())
    if exit_code:
        raise AssertionError(measured.stderr)
    return peak * 1024 / 1e6


def write_parquet(source: Path, path: Path) -> Path:
    """Write an archive again as Parquet with one JSON string column, in row groups of 50,000 rows."""
    archive = open_source([str(source)])
    schema = pa.schema([("message", pa.string())])
    with pq.ParquetWriter(path, schema, compression="snappy") as writer:
        rows: list[str] = []
        for batch in read(archive, next(archive.pages())[0]):
            rows += [record.decode() for record in batch.records if isinstance(record, bytes)]
            if len(rows) >= 50_000:
                writer.write_table(pa.table({"message": rows}, schema=schema))
                rows = []
        if rows:
            writer.write_table(pa.table({"message": rows}, schema=schema))
    return path


def main() -> list[tuple[str, str, str]]:
    rows = []
    with tempfile.TemporaryDirectory() as folder, SandboxProcess(rps=1_000_000) as sandbox:
        cwd = Path(folder)
        for kind, limit in (("jsonl.gz", 200), ("parquet", 400)):
            peaks = []
            for count in (SMALL, LARGE):
                archive = write_archive(cwd / f"{count}.jsonl.gz", count, users=50_000)
                if kind == "parquet":
                    archive = write_parquet(archive, cwd / f"{count}.parquet")
                peaks.append(_peak(cwd, archive, sandbox.url))
                sandbox.reset()
                rows.append((f"{kind}, {count:,} messages", f"{peaks[-1]:.0f} MB", f"< {limit} MB"))
            rows.append((f"{kind}, large / small", f"{peaks[1] / peaks[0]:.2f}", "≤ 1.20"))
    return rows

"""`--api bulk`, cap and budgets off, into a server in another process that only counts and answers 200."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.messages import write_archive
from benchmarks.preparing import bare_loop
from tests.support.processes import replay

MESSAGES = 300_000
TARGET = 30_000

NULL_SERVER = """
import asyncio, sys

REPLY = b'{"status":"success","message":"accepted","request_id":"r"}'
HEAD = b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(REPLY)


class Null(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.left, self.head = transport, 0, b""

    def data_received(self, data):
        while data:
            if self.left:
                taken = min(self.left, len(data))
                self.left -= taken
                data = data[taken:]
            else:
                self.head += data
                head, end, data = self.head.partition(b"\\r\\n\\r\\n")
                if not end:
                    return
                self.head = b""
                lengths = [line for line in head.split(b"\\r\\n") if line.lower().startswith(b"content-length:")]
                self.left = int(lengths[0].split(b":")[1]) if lengths else 0
            if not self.left:
                self.transport.write(HEAD + REPLY)


async def main():
    server = await asyncio.get_running_loop().create_server(Null, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
"""


@contextmanager
def null_server() -> Iterator[str]:
    process = subprocess.Popen([sys.executable, "-c", NULL_SERVER], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.terminate()
        process.wait()


def main() -> list[tuple[str, str, str]]:
    with tempfile.TemporaryDirectory() as folder, null_server() as url:
        cwd = Path(folder)
        path = write_archive(cwd / "archive.jsonl.gz", MESSAGES)
        options = ("--api", "bulk", "--rps", "100000", "--users-per-minute", "0", "--events-per-minute", "0")
        began = time.monotonic()
        end = replay(cwd, "run", "archive.jsonl.gz", "--endpoint", url, *options, "--json", "--name", "bulk")
        seconds = time.monotonic() - began
        began = time.monotonic()
        bare_loop(path)
        bare = time.monotonic() - began
    if end.code != 0 or end.summary["records"]["delivered"] != MESSAGES:
        raise AssertionError(end.err)
    return [
        ("messages a second, start and end of the process included", f"{MESSAGES / seconds:,.0f}", f"≥ {TARGET:,}"),
        ("a bare loop that sends nothing, in the same minute", f"{MESSAGES / bare:,.0f}", ""),
        ("ratio", f"{bare / seconds:.2f}", ""),
        ("messages a request", f"{MESSAGES / end.summary['requests']['attempts']:.0f}", ""),
        ("cores of this machine", f"{os.cpu_count()}", ""),
    ]

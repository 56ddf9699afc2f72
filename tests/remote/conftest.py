"""Buckets of the real server, as the program opens them."""

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

from replay_cli.aws import S3Options
from replay_cli.remote import Bucket
from tests.support.s3_server import S3Server
from tests.support.tcp_proxy import TcpProxy


@pytest.fixture
def opened(s3_server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Bucket]:
    """Opens the test's bucket: at the server, or at a proxy's URL."""
    for name, value in (s3_server.environment() | {"NO_PROXY": "127.0.0.1"}).items():
        monkeypatch.setenv(name, value)

    def open_(url: str = s3_server.url, read_timeout: float = 12.0) -> Bucket:
        return Bucket.open(S3Options(endpoint_url=url), bucket, read_timeout=read_timeout)

    return open_


@pytest.fixture
def network(s3_server: S3Server) -> Iterator[TcpProxy]:
    """A way to the store on which replies can be lost."""
    parts = urlsplit(s3_server.url)
    assert parts.hostname is not None
    assert parts.port is not None
    with TcpProxy(parts.hostname, parts.port) as proxy:
        yield proxy

"""The S3 server, the proxy and the stub of the tests do what the tests of S3 rely on."""

import gzip
import hashlib
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from tests.support.s3_proxy import S3Proxy
from tests.support.s3_server import LIMITED_BUCKET, S3Server
from tests.support.s3_stub import ARCHIVED, EXPIRED_TOKEN, MOVED, WRONG_REGION, ListedObject, S3ErrorServer

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

PLAIN = b'{"userId": "ada"}\n' * 1000
NOISE = random.Random(1).randbytes(20_000_000)  # more than the buffers between server and client hold


@pytest.fixture
def proxy(s3_server: S3Server) -> Iterator[S3Proxy]:
    with S3Proxy(s3_server.url) as proxy:
        yield proxy


def read(client: "S3Client", bucket: str, key: str) -> bytes:
    with closing(client.get_object(Bucket=bucket, Key=key)["Body"]) as body:
        return body.read()


def read_until(error: type[Exception], client: "S3Client", bucket: str, key: str) -> int:
    """How many bytes of an object come before an error does."""
    count = 0
    with closing(client.get_object(Bucket=bucket, Key=key)["Body"]) as body:
        try:
            while data := body.read(1000):
                count += len(data)
        except error:
            return count
    raise AssertionError("the object came whole")


def code(act: Callable[[], object]) -> str:
    """That of the error that S3 answers with."""
    with pytest.raises(ClientError) as raised:
        act()
    return raised.value.response["Error"]["Code"]


@pytest.mark.parametrize("key", ["a", "a.gz", "a.json"])
@pytest.mark.parametrize("encoding", ["", "gzip"])
@pytest.mark.parametrize("content", [PLAIN, gzip.compress(PLAIN), b""], ids=["plain", "gzip", "empty"])
def test_bytes_come_back_as_they_were_put(
    s3_server: S3Server, bucket: str, key: str, encoding: str, content: bytes
) -> None:
    client = s3_server.client()
    client.put_object(Bucket=bucket, Key=key, Body=content, ContentEncoding=encoding)
    assert read(client, bucket, key) == content
    about = client.head_object(Bucket=bucket, Key=key)
    assert (about["ContentLength"], about["ETag"]) == (len(content), f'"{hashlib.md5(content).hexdigest()}"')
    if content:
        part = client.get_object(Bucket=bucket, Key=key, Range="bytes=3-9", IfMatch=about["ETag"])
        with closing(part["Body"]) as body:
            assert body.read() == content[3:10]


def test_many_objects_are_put_and_listed(s3_server: S3Server, bucket: str) -> None:
    objects = {f"day={i % 7}/ä +{i}": str(i).encode() for i in range(50)}
    s3_server.put(bucket, objects)
    assert s3_server.keys(bucket) == sorted(objects)


def test_an_object_that_changed_does_not_match(s3_server: S3Server, bucket: str) -> None:
    s3_server.put(bucket, {"a": b"1"})
    etag = s3_server.client().head_object(Bucket=bucket, Key="a")["ETag"]
    s3_server.put(bucket, {"a": b"2"})
    assert code(lambda: s3_server.client().get_object(Bucket=bucket, Key="a", IfMatch=etag)) == "PreconditionFailed"


def test_identities_may_do_what_they_are_for_and_no_more(s3_server: S3Server, bucket: str) -> None:
    s3_server.put(LIMITED_BUCKET, {"identities/a": b"1"})
    lister, reader = s3_server.client("lister"), s3_server.client("reader")
    assert lister.list_objects_v2(Bucket=LIMITED_BUCKET, Prefix="identities/")["KeyCount"] == 1
    assert read(reader, LIMITED_BUCKET, "identities/a") == b"1"
    assert code(lambda: lister.get_object(Bucket=LIMITED_BUCKET, Key="identities/a")) == "AccessDenied"
    assert code(lambda: reader.list_objects_v2(Bucket=LIMITED_BUCKET)) == "AccessDenied"
    assert code(lambda: reader.put_object(Bucket=LIMITED_BUCKET, Key="b")) == "AccessDenied"
    assert code(lambda: lister.list_objects_v2(Bucket=bucket)) == "AccessDenied"


def test_the_proxy_passes_all_and_says_what_was_asked(s3_server: S3Server, proxy: S3Proxy, bucket: str) -> None:
    client = s3_server.client(url=proxy.url)
    client.put_object(Bucket=bucket, Key="a b/ä", Body=PLAIN)
    client.list_objects_v2(Bucket=bucket, Prefix="a b/")
    etag = client.head_object(Bucket=bucket, Key="a b/ä")["ETag"]
    with closing(client.get_object(Bucket=bucket, Key="a b/ä", Range="bytes=5-8", IfMatch=etag)["Body"]) as body:
        assert body.read() == PLAIN[5:9]
    assert [request.method for request in proxy.requests] == ["PUT", "GET", "HEAD", "GET"]
    assert proxy.prefixes == ["a b/"]
    (get,) = proxy.gets
    assert (get.path, get.bucket, get.key) == (f"{bucket}/a b/ä", bucket, "a b/ä")
    assert (get.range, get.if_match) == ("bytes=5-8", etag)
    proxy.forget()
    assert not proxy.requests


@pytest.mark.parametrize(("clean", "error"), [(False, ResponseStreamingError), (True, IncompleteReadError)])
def test_the_proxy_cuts_a_body_where_told(
    s3_server: S3Server, proxy: S3Proxy, bucket: str, clean: bool, error: type[Exception]
) -> None:
    s3_server.put(bucket, {"a": NOISE, "b": PLAIN})
    proxy.cut_after([10_000_000, 5000], key="a", clean=clean)
    client = s3_server.client(url=proxy.url)
    assert read(client, bucket, "b") == PLAIN
    assert read_until(error, client, bucket, "a") == 10_000_000
    assert read_until(error, client, bucket, "a") == 5000
    assert read(client, bucket, "a") == NOISE
    assert proxy.struck == 2


def test_the_proxy_corrupts_a_body(s3_server: S3Server, proxy: S3Proxy, bucket: str) -> None:
    s3_server.put(bucket, {"a": PLAIN})
    s3_server.put(bucket, {"old": PLAIN}, checksums=False)
    client = s3_server.client(url=proxy.url)
    proxy.corrupt_at(5000, times=2)
    with pytest.raises(FlexibleChecksumError):
        read(client, bucket, "a")
    corrupt = read(client, bucket, "old")
    assert [i for i, byte in enumerate(corrupt) if byte != PLAIN[i]] == [5000]
    assert read(client, bucket, "old") == PLAIN


def test_the_proxy_stalls_a_body(s3_server: S3Server, proxy: S3Proxy, bucket: str) -> None:
    s3_server.put(bucket, {"a": PLAIN})
    client = s3_server.client(url=proxy.url)
    proxy.stall_after(3000)
    with closing(client.get_object(Bucket=bucket, Key="a")["Body"]) as body:
        assert body.read(3000) == PLAIN[:3000]
        body.set_socket_timeout(0.1)
        with pytest.raises(ReadTimeoutError):
            body.read(1)
    assert read(client, bucket, "a") == PLAIN


def test_the_proxy_throttles(s3_server: S3Server, proxy: S3Proxy, bucket: str) -> None:
    s3_server.put(bucket, {"a": PLAIN})
    client = s3_server.client(url=proxy.url)
    proxy.throttle(2)
    assert code(lambda: read(client, bucket, "a")) == "SlowDown"
    assert code(lambda: client.put_object(Bucket=bucket, Key="b", Body=b"1")) == "SlowDown"
    assert read(client, bucket, "a") == PLAIN
    proxy.throttle(4, only=lambda request: request.is_listing)
    assert read(s3_server.client(url=proxy.url, attempts=2), bucket, "a") == PLAIN
    assert code(lambda: client.list_objects_v2(Bucket=bucket)) == "SlowDown"
    proxy.heal()
    assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 1


def test_the_proxy_refuses_and_listens_again(s3_server: S3Server, proxy: S3Proxy, bucket: str) -> None:
    s3_server.put(bucket, {"a": PLAIN})
    client = s3_server.client(url=proxy.url)
    assert read(client, bucket, "a") == PLAIN
    proxy.refuse()
    with pytest.raises((EndpointConnectionError, HTTPClientError)):
        read(client, bucket, "a")
    proxy.listen()
    assert read(client, bucket, "a") == PLAIN


def test_latency_shows_what_goes_on_at_once(s3_server: S3Server, proxy: S3Proxy, bucket: str) -> None:
    s3_server.put(bucket, {"a": PLAIN})
    client = s3_server.client(url=proxy.url)
    proxy.latency = 0.2
    start = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: read(client, bucket, "a"), range(4)))
    assert time.monotonic() - start >= 0.2
    assert proxy.most_at_once == 4


def test_the_stub_gives_its_error(s3_server: S3Server) -> None:
    with S3ErrorServer(EXPIRED_TOKEN) as stub:
        client = s3_server.client(url=stub.url)
        assert code(lambda: client.list_objects_v2(Bucket="a")) == "ExpiredToken"
        assert code(lambda: client.put_object(Bucket="a", Key="b", Body=b"1")) == "ExpiredToken"
        assert code(lambda: client.head_object(Bucket="a", Key="b")) == "400"
        stub.error = WRONG_REGION
        with pytest.raises(ClientError) as raised:
            client.list_objects_v2(Bucket="a")
        assert raised.value.response["Error"].get("Region") == "eu-west-1"
        stub.error = MOVED
        assert code(lambda: client.get_object(Bucket="a", Key="b")) == "PermanentRedirect"


def test_the_stub_lists_what_cannot_be_read(s3_server: S3Server) -> None:
    objects = [ListedObject("c/2 ä", 7, storage_class="GLACIER"), ListedObject("c/1", 5, '"e"'), ListedObject("d", 1)]
    with S3ErrorServer(ARCHIVED, objects) as stub:
        client = s3_server.client(url=stub.url)
        page = client.list_objects_v2(Bucket="a", Prefix="c/")
        assert [(line["Key"], line["Size"]) for line in page["Contents"]] == [("c/1", 5), ("c/2 ä", 7)]
        assert page["Contents"][0]["ETag"] == '"e"'
        assert page["Contents"][1]["StorageClass"] == "GLACIER"
        with pytest.raises(ClientError) as raised:
            client.get_object(Bucket="a", Key="c/1")
        assert raised.value.response["Error"].get("StorageClass") == "GLACIER"
    with S3ErrorServer(ARCHIVED, objects, lambda request: request.key == "d") as stub:
        client = s3_server.client(url=stub.url)
        assert code(lambda: client.get_object(Bucket="a", Key="c/1")) == "NoSuchKey"
        assert code(lambda: client.get_object(Bucket="a", Key="d")) == "InvalidObjectState"

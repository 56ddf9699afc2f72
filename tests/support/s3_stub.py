"""An S3 that answers for itself: with errors that a real server cannot be brought to give."""

import asyncio
import re
import socket
import struct
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self, TypeVar
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from xml.sax.saxutils import escape

T = TypeVar("T")
_ANSWER_SECONDS = 30.0
_PIECE = 1 << 18


class S3Request(NamedTuple):
    """What a client asked for."""

    method: str
    path: str  # bucket/key, unquoted
    query: dict[str, str]
    range: str | None
    if_match: str | None

    @property
    def bucket(self) -> str:
        return self.path.partition("/")[0]

    @property
    def key(self) -> str:
        return self.path.partition("/")[2]

    @property
    def is_listing(self) -> bool:
        return self.method == "GET" and self.query.get("list-type") == "2"

    @property
    def is_get(self) -> bool:
        """Whether it asks for an object's bytes."""
        return self.method == "GET" and bool(self.key)


@dataclass(frozen=True)
class S3Error:
    """An error as S3 documents it.

    `elements` stand beside code and message in the XML, `headers` beside the reply's own.
    """

    status: int
    code: str
    message: str
    elements: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def reply(self, request: S3Request) -> bytes:
        elements = {"Code": self.code, "Message": self.message, **self.elements, "RequestId": "0A1B2C3D4E5F"}
        return _reply(request, self.status, f"<Error>{_xml(elements)}</Error>", self.headers)


# The messages are those that the service itself sends.
SLOW_DOWN = S3Error(503, "SlowDown", "Please reduce your request rate.")
EXPIRED_TOKEN = S3Error(400, "ExpiredToken", "The provided token has expired.")
ARCHIVED = S3Error(
    403,
    "InvalidObjectState",
    "The operation is not valid for the object's storage class",
    {"StorageClass": "GLACIER"},
)
KMS_DENIED = S3Error(
    403,
    "AccessDenied",
    "User: arn:aws:iam::111122223333:user/replay is not authorized to perform: kms:Decrypt on resource: "
    "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab "
    "because no identity-based policy allows the kms:Decrypt action",
)
MOVED = S3Error(
    301,
    "PermanentRedirect",
    "The bucket you are attempting to access must be addressed using the specified endpoint. "
    "Please send all future requests to this endpoint.",
    {"Endpoint": "s3.eu-west-1.amazonaws.com"},
    {"x-amz-bucket-region": "eu-west-1"},
)
WRONG_REGION = S3Error(
    400,
    "AuthorizationHeaderMalformed",
    "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'",
    {"Region": "eu-west-1"},
    {"x-amz-bucket-region": "eu-west-1"},
)
CLOCK_SKEWED = S3Error(
    403,
    "RequestTimeTooSkewed",
    "The difference between the request time and the current time is too large.",
    {"MaxAllowedSkewMilliseconds": "900000"},
)
_NO_SUCH_KEY = S3Error(404, "NoSuchKey", "The specified key does not exist.")


class ListedObject(NamedTuple):
    """A line of a listing."""

    key: str
    size: int
    etag: str = '"0123456789abcdef0123456789abcdef"'
    storage_class: str = "STANDARD"


_TURNS_TO_CLOSE = 5


class Side(NamedTuple):
    """One end of a connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def head(self) -> bytes:
        """Read a request's or a reply's head; b"" when the stream has ended."""
        try:
            return await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return b""

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def pass_on(self, length: int, to: "Side | None") -> None:
        """Read so many bytes and send them as they come; nowhere, if `to` is None."""
        while length:
            data = await self.reader.read(min(length, _PIECE))
            if not data:
                raise ConnectionResetError
            length -= len(data)
            if to:
                await to.send(data)

    def reset(self) -> None:
        if not self.writer.is_closing():
            sock = self.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.writer.transport.abort()


class S3Front(AbstractContextManager["S3Front"], ABC):
    """What listens where a client looks for S3, in a thread and on a loop of its own.

    `latency` (seconds before each reply) may be set at any time.
    """

    def __init__(self) -> None:
        self.port = 0
        self.latency = 0.0
        self._requests: list[S3Request] = []
        self._now = self._most = 0
        self._links: dict[asyncio.Task[None], Side] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def requests(self) -> list[S3Request]:
        """All that came, whatever became of them."""
        return list(self._requests)

    @property
    def listings(self) -> list[S3Request]:
        return [request for request in self.requests if request.is_listing]

    @property
    def prefixes(self) -> list[str]:
        """Those of the listings."""
        return [request.query.get("prefix", "") for request in self.listings]

    @property
    def gets(self) -> list[S3Request]:
        return [request for request in self.requests if request.is_get]

    @property
    def most_at_once(self) -> int:
        """How many requests were under way at the same time, at most."""
        return self._most

    def forget(self) -> None:
        """Begin `requests` and `most_at_once` anew."""
        self._do(self._forget())

    def refuse(self) -> None:
        """Stop listening, and reset all connections: clients keep some."""
        self._do(self._refuse())

    def listen(self) -> None:
        """Listen, again on the same port."""
        self._do(self._listen())

    def __enter__(self) -> Self:
        self._thread.start()
        self.listen()
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse()
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @abstractmethod
    async def _answer(self, request: S3Request, head: bytes, client: Side) -> bool:
        """Read the request's body and reply; whether the connection stays."""

    def _do(self, act: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(act, self._loop).result(_ANSWER_SECONDS)

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=1024, limit=_PIECE)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def _refuse(self) -> None:
        self._listener.close()
        await asyncio.sleep(0)  # those accepted just now get to `_links`
        for side in self._links.values():
            side.reset()

    async def _end(self) -> None:
        links, sides = list(self._links), list(self._links.values())
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)
        for side in sides:
            side.writer.transport.abort()
        for _ in range(_TURNS_TO_CLOSE):  # a transport is closed some turns of the loop after it was told to
            await asyncio.sleep(0)

    async def _forget(self) -> None:
        self._requests.clear()
        self._most = self._now

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        client = self._links[task] = Side(reader, writer)
        try:
            while (head := await client.head()) and await self._attend(head, client):
                pass
            writer.close()
        except (OSError, asyncio.CancelledError):  # a fault says so, one side is gone, or the test is over
            pass
        finally:
            client.reset()
            del self._links[task]

    async def _attend(self, head: bytes, client: Side) -> bool:
        request = _parsed(head)
        self._requests.append(request)
        self._now += 1
        self._most = max(self._most, self._now)
        try:
            await asyncio.sleep(self.latency)
            return await self._answer(request, head, client)
        finally:
            self._now -= 1


class S3ErrorServer(S3Front):
    """Answers with one error, for the causes that cannot be provoked on a real server here.

    Args:
        error: what to answer, as `EXPIRED_TOKEN`.
        objects: what a listing gives (on one page), if there are any: then only other requests fail.
        only: which requests fail, if not all of these. Of the others, listings give `objects`; the rest find nothing.
    """

    def __init__(
        self,
        error: S3Error,
        objects: Iterable[ListedObject] = (),
        only: Callable[[S3Request], bool] | None = None,
    ) -> None:
        super().__init__()
        self.error = error
        self._objects = sorted(objects)
        self._only = only or (lambda request: not (self._objects and request.is_listing))

    async def _answer(self, request: S3Request, head: bytes, client: Side) -> bool:
        return await answer(client, request, head, self._reply(request))

    def _reply(self, request: S3Request) -> bytes:
        if self._only(request):
            return self.error.reply(request)
        return self._page(request) if request.is_listing else _NO_SUCH_KEY.reply(request)

    def _page(self, request: S3Request) -> bytes:
        prefix = request.query.get("prefix", "")
        after = request.query.get("start-after", "")
        found = [obj for obj in self._objects if obj.key.startswith(prefix) and obj.key > after]
        quoted = "encoding-type" in request.query
        about = {"Name": request.bucket, "Prefix": quote(prefix) if quoted else prefix, "MaxKeys": "1000"}
        about |= {"EncodingType": "url"} if quoted else {}
        lines = (
            {
                "Key": quote(obj.key) if quoted else obj.key,
                "LastModified": "2024-01-01T00:00:00.000Z",
                "ETag": obj.etag,
                "Size": str(obj.size),
                "StorageClass": obj.storage_class,
            }
            for obj in found
        )
        about |= {"KeyCount": str(len(found)), "IsTruncated": "false"}
        contents = "".join(f"<Contents>{_xml(line)}</Contents>" for line in lines)
        page = f'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{_xml(about)}{contents}'
        return _reply(request, 200, page + "</ListBucketResult>")


async def answer(client: Side, request: S3Request, head: bytes, reply: bytes) -> bool:
    """Send a reply that needs no server; whether the connection stays."""
    waits = expects_continue(head)
    if not waits:
        await client.pass_on(body_length(head), to=None)
    # Whether the body comes then is the client's choice, so the connection is of no more use.
    await client.send(reply.replace(b"\r\n", b"\r\nConnection: close\r\n", 1) if waits else reply)
    return not waits


def header(head: bytes, name: str) -> str | None:
    found = re.search(rb"\r\n%s: *([^\r]*)" % name.encode(), head, re.IGNORECASE)
    return found[1].decode("latin-1").strip() if found else None


def body_length(head: bytes) -> int:
    """How long a request's body is."""
    assert header(head, "transfer-encoding") is None, "botocore gives the length of what it sends"
    return int(header(head, "content-length") or 0)


def expects_continue(head: bytes) -> bool:
    """Whether a request's body comes only when it is asked for."""
    return (header(head, "expect") or "").lower() == "100-continue"


def _parsed(head: bytes) -> S3Request:
    method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    parts = urlsplit(target)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    path = unquote(parts.path).removeprefix("/")
    return S3Request(method, path, query, header(head, "range"), header(head, "if-match"))


def _xml(elements: Mapping[str, str]) -> str:
    return "".join(f"<{name}>{escape(text)}</{name}>" for name, text in elements.items())


def _reply(request: S3Request, status: int, xml: str, headers: Mapping[str, str] | None = None) -> bytes:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{xml}'.encode()
    own = {"x-amz-request-id": "0A1B2C3D4E5F", "Content-Type": "application/xml", "Content-Length": str(len(body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in (own | dict(headers or {})).items())
    head = f"HTTP/1.1 {status} S3\r\n{lines}\r\n".encode()
    return head if request.method == "HEAD" else head + body

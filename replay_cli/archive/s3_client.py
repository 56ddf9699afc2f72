"""S3 as this program uses it: pages of a listing, one object's head, and ranges of one object's bytes.

boto3 finds the credentials, the region and the proxies, signs, and tries again what fails before a reply begins. The
rest is decided here: an object is read only while its etag is the one that was listed; what an older version held is
never asked for; and stored bytes are taken as they are stored, whatever their `Content-Encoding` says.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from botocore.exceptions import ClientError, IncompleteReadError

from replay_cli.archive.patience import Patience, Persistence, Setbacks
from replay_cli.aws import connecting
from replay_cli.aws.errors import FOREIGN, explain, is_missing, is_transient
from replay_cli.aws.options import S3Options
from replay_cli.errors import ChangedObjectError, FatalError, PausedError, ReplayError
from replay_cli.model import ArchiveObject

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3.client import S3Client as Boto
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef

__all__ = ["ListPage", "S3Client", "S3Options"]

T = TypeVar("T")

_WAITING = connecting.Waiting()
_AT_ONCE = 8

_LIST = "s3:ListBucket"
_GET = "s3:GetObject"  # a HEAD needs it too


class ListPage(NamedTuple):
    """One page of a listing: its objects, the prefixes of its folders, and what asks for the next page, if any."""

    objects: list[ArchiveObject]
    folders: list[str]
    token: str | None


class S3Client:
    """Talks to one store. All methods may be called from any thread.

    `calls` counts what was asked for: `list`, `head` and `get`, without what boto3 tried again; `trouble` says why what
    was asked for last has to be asked for again, if so.

    Args:
        options: which store, and as whom.
        attempts: how often boto3 tries one request.
        connect_timeout: seconds.
        read_timeout: seconds without a byte after which a connection is given up.
        persistence: for how long the same is asked for again, once the store has answered at all.
    """

    def __init__(
        self,
        options: S3Options,
        *,
        attempts: int = _WAITING.attempts,
        connect_timeout: float = _WAITING.connect_timeout,
        read_timeout: float = _WAITING.read_timeout,
        persistence: Persistence | None = None,
    ) -> None:
        self.calls: Counter[str] = Counter()
        self.trouble = ""
        self.patience = Patience()
        self._options = options
        self._waiting = connecting.Waiting(attempts, connect_timeout, read_timeout)
        self._persistence = persistence or Persistence()
        self._lock = threading.Lock()
        self._making = threading.Lock()
        self._boto: Boto | None = None
        self._has_answered = False

    def stop(self) -> None:
        """Let everything that waits for this store, or will, raise `ReadingStoppedError`."""
        self.patience.stop()

    def call_all(self, functions: Iterable[Callable[[], T]], at_once: int = _AT_ONCE) -> Iterator[T]:
        """Give what functions that use this client give, in their order; so many run at once.

        Raises:
            ReadingStoppedError: nobody wants to know any more.
        """
        return self.patience.call_all(functions, at_once)

    def page(self, bucket: str, prefix: str, *, folders: bool, token: str | None = None) -> ListPage:
        """List objects under a prefix, in the order of their keys, at most 1000 at once.

        Args:
            bucket: its name.
            prefix: how their keys begin.
            folders: give no objects further down than the next `/`, but the prefixes that lead there.
            token: that of the page before.

        Raises:
            UsageError: there is no such bucket, the credentials are missing, or it is in another region.
            FatalError: access is denied.
            PausedError: the store cannot be reached, or is busy.
            ReadingStoppedError: nobody wants to know any more.
        """
        request: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix, **self._payer()}
        if folders:
            request["Delimiter"] = "/"
        if token is not None:
            request["ContinuationToken"] = token
        answer = self._ask("list", _LIST, _uri(bucket, prefix), lambda boto: _listed(boto.list_objects_v2(**request)))
        found = [
            ArchiveObject(_uri(bucket, each["Key"]), each["Size"], _etag(each.get("ETag", "")))
            for each in answer.get("Contents", ())
            if not each["Key"].endswith("/")  # what consoles put there to show a folder
        ]
        below = [each["Prefix"] for each in answer.get("CommonPrefixes", ())]
        token_after = answer.get("NextContinuationToken") if answer.get("IsTruncated") else None
        if answer.get("IsTruncated") and not token_after:
            raise FatalError(f"{_uri(bucket, prefix)}: the store cut its listing off and does not say how it goes on")
        return ListPage(found, below, token_after)

    def find(self, bucket: str, key: str) -> ArchiveObject | None:
        """Return an object as it is now; None when there is none.

        Raises:
            As `page`.
        """
        return self._ask("head", _GET, _uri(bucket, key), lambda boto: self._found(boto, bucket, key))

    def get(self, obj: ArchiveObject, start: int = 0, stop: int | None = None) -> "StreamingBody":
        """Ask for an object's stored bytes, or a range of them; it must still be the one that was listed.

        This blocks until the reply begins: call it where nobody waits.

        Raises:
            ChangedObjectError: it changed, or is gone.
            As `page`, besides.
        """
        bucket, key = _bucket_and_key(obj)
        end = obj.size if stop is None else stop
        request: dict[str, Any] = {"Bucket": bucket, "Key": key, "IfMatch": f'"{obj.etag}"', **self._payer()}
        if (start, end) != (0, obj.size):
            request["Range"] = f"bytes={start}-{end - 1}"
        self._count("get")
        try:
            answer = self._client().get_object(**request)
        except FOREIGN as error:
            raise self.explained(error, obj.uri) from error
        if answer["ContentLength"] != end - start or _etag(answer.get("ETag", obj.etag)) != obj.etag:
            answer["Body"].close()  # a store that knows no conditions, or no ranges
            raise ChangedObjectError(obj.uri, "changed")
        self._has_answered = True
        return answer["Body"]

    def setbacks(self) -> Setbacks:
        """Begin to count failures."""
        return Setbacks(self._persistence)

    def explained(self, error: Exception, uri: str, action: str = _GET) -> ReplayError:
        """Say what an exception of boto3's, or of reading a reply's body, means to the operator."""
        return explain(error, action, uri, connecting.shown_endpoint(self._boto, self._options))

    def _ask(self, what: str, action: str, uri: str, request: Callable[["Boto"], T]) -> T:
        """Make a small request, again while the network fails.

        Not before the first answer, though: then more likely an address is wrong.
        """
        setbacks = self.setbacks()
        while True:
            self._count(what)
            try:
                answer = self.patience.call(lambda: request(self._client()))
            except FOREIGN as error:
                told = self.explained(error, uri, action)
                pause = setbacks.next_pause()
                self._has_answered = self._has_answered or isinstance(error, ClientError)
                if pause is None or not (self._has_answered and isinstance(told, PausedError)):
                    raise told from error
                self.trouble = str(told)
                self.patience.sleep(pause)
            else:
                self._has_answered, self.trouble = True, ""
                return answer

    def _found(self, boto: "Boto", bucket: str, key: str) -> ArchiveObject | None:
        asked: dict[str, Any] = {"Bucket": bucket, "Key": key, **self._payer()}
        try:
            head = boto.head_object(**asked)
        except FOREIGN as error:
            if is_transient(error):
                raise
            return self._reason(boto, bucket, asked)
        return ArchiveObject(_uri(bucket, key), head["ContentLength"], _etag(head["ETag"]))

    def _reason(self, boto: "Boto", bucket: str, asked: dict[str, Any]) -> ArchiveObject | None:
        """Find out why a HEAD failed: its reply has no body, so nothing in it says so."""
        self._count("get")
        try:
            answer = boto.get_object(**asked, Range="bytes=0-0")
        except FOREIGN as error:
            if is_missing(error):
                return None
            raise
        answer["Body"].close()
        size = int(answer["ContentRange"].rpartition("/")[2]) if "ContentRange" in answer else answer["ContentLength"]
        return ArchiveObject(_uri(bucket, asked["Key"]), size, _etag(answer["ETag"]))

    def _payer(self) -> dict[str, str]:
        return {"RequestPayer": "requester"} if self._options.requester_pays else {}

    def _count(self, what: str) -> None:
        with self._lock:
            self.calls[what] += 1

    def _client(self) -> "Boto":
        """Make the client when it is first needed: to find credentials may take a network."""
        with self._making:
            if self._boto is None:
                self._boto = connecting.connect(self._options, self._waiting)
            return self._boto


def _uri(bucket: str, key: str) -> str:
    return f"s3://{bucket}/{key}"


def _bucket_and_key(obj: ArchiveObject) -> tuple[str, str]:
    bucket, _, key = obj.uri.removeprefix("s3://").partition("/")
    return bucket, key


def _etag(quoted: str) -> str:
    return quoted.strip('"')


def _listed(answer: "ListObjectsV2OutputTypeDef") -> "ListObjectsV2OutputTypeDef":
    """Make sure that a reply is a listing: one that was cut off before its first byte looks like an empty one."""
    if "Name" not in answer and "KeyCount" not in answer:
        raise IncompleteReadError(actual_bytes=0, expected_bytes=1)
    return answer

"""A bucket as its checkpoints use it: small objects that are compared and replaced, large ones that never change.

A conditional put (`If-Match`, `If-None-Match: *`) is refused with 412 when the object is not what it was, and with 409
when another one is under way (S3 API reference, PutObject). Where the answer is lost, or botocore's second try meets
what its first one stored, nobody knows what happened: then the stored object is looked at.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from replay_cli.aws.options import S3Options
from replay_cli.errors import FatalError, PausedError, UsageError
from replay_cli.remote.client import Client
from replay_cli.remote.clocks import StoreClock

if TYPE_CHECKING:
    from boto3.s3.transfer import TransferConfig
    from botocore.response import StreamingBody
    from mypy_boto3_s3.client import S3Client as Boto
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef, ListObjectsV2OutputTypeDef

T = TypeVar("T")

_LIST, _GET, _PUT, _DELETE = "s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject"
_CONNECT_SECONDS, _READ_SECONDS = 5.0, 12.0
_REFUSED = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict", "OperationAborted", "409"})
_UNKNOWN = frozenset({"NotImplemented", "501"})
_PART_BYTES = 8 << 20


class ConflictError(FatalError):
    """Somebody else has put another object there since."""


class UnknownConditionError(UsageError):
    """The store does not know conditional puts."""


class Readable(Protocol):
    """Something to read bytes from."""

    def read(self, size: int = -1, /) -> bytes:
        """Give at most so many bytes, none at the end."""


class Stored(NamedTuple):
    """A small object as it is stored."""

    data: bytes
    etag: str


class Listed(NamedTuple):
    """An object of a listing; `modified` is in POSIX seconds of the store's clock."""

    key: str
    size: int
    modified: float


class Bucket:
    """One bucket of one store. All methods block, and may be called from any thread.

    All raise, besides what they say: `UsageError` where the command line is wrong (there is no such bucket, no
    credentials), `FatalError` where something must be done (access is denied), and `PausedError` where the store
    cannot be reached or is busy.

    Args:
        prompt: makes a client that gives up soon, for what is asked again here.
        patient: makes one that does not, for all else.
        options: the store.
        name: the bucket's.
    """

    def __init__(
        self, prompt: "Callable[[], Boto]", patient: "Callable[[], Boto]", options: S3Options, name: str
    ) -> None:
        self.name = name
        self.clock = StoreClock(f"s3://{name}")
        self._prompt = Client(prompt, self.clock)
        self._patient = Client(patient, self.clock)
        self._options = options

    @classmethod
    def open(cls, options: S3Options, name: str, *, read_timeout: float = _READ_SECONDS) -> "Bucket":
        """Open a bucket, which connects to nothing yet.

        Args:
            options: how to reach the store.
            name: the bucket's.
            read_timeout: seconds without an answer after which a lease's put is given up and looked after.
        """

        def prompt() -> "Boto":
            from replay_cli.aws.connecting import Waiting, connect  # botocore is heavy

            return connect(options, Waiting(1, min(_CONNECT_SECONDS, read_timeout), read_timeout))

        def patient() -> "Boto":
            from replay_cli.aws.connecting import Waiting, connect

            return connect(options, Waiting(6))

        return cls(prompt, patient, options, name)

    def get(self, key: str, most: int) -> Stored | None:
        """Return an object; None when there is none.

        Args:
            key: its name.
            most: the bytes that it may have.

        Raises:
            UsageError: it is larger.
        """
        return self._get(self._patient, key, most)

    def glance(self, key: str, most: int) -> Stored | None:
        """Return an object as `get` does, or give up soon."""
        return self._get(self._prompt, key, most)

    def replace(self, key: str, data: bytes, etag: str | None) -> str:
        """Put an object in the place of the one that was seen there; return its etag. This gives up soon.

        Args:
            key: its name.
            data: what no other put of anybody stores.
            etag: that of the one before; None when there was none.

        Raises:
            ConflictError: there is another one now.
            PausedError: nobody knows, or nothing was changed: the same may be done again.
        """
        try:
            return self.put_if(key, data, etag)
        except (ConflictError, PausedError) as error:
            stored = self.glance(key, len(data) + (1 << 20))
            if stored is not None and stored.data == data:
                return stored.etag
            if (stored and stored.etag) != etag:
                raise ConflictError(f"{self.uri(key)}: another run has changed it") from error
            if isinstance(error, PausedError):
                raise
            raise PausedError(f"{self.uri(key)}: a put is refused again and again though nobody else puts") from error

    def put_if(self, key: str, data: bytes, etag: str | None) -> str:
        """Try a conditional put once; return the etag.

        Raises:
            ConflictError: it was refused.
            UnknownConditionError: the store cannot do that.
        """
        condition: dict[str, Any] = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": f'"{etag}"'}
        answer = self._ask(
            self._prompt,
            *(_PUT, key),
            lambda boto: boto.put_object(
                Bucket=self.name, Key=key, Body=data, ContentType="application/json", **condition
            ),
        )
        return answer["ETag"].strip('"')

    def put(self, key: str, file: "Readable", content_type: str) -> None:
        """Store an object, whatever was there; the file is read a part at a time, and need not know its size."""
        kind = {"ContentType": content_type}
        upload: Any = file  # boto3 wants no more than `read`
        self._ask(
            self._patient,
            *(_PUT, key),
            lambda boto: boto.upload_fileobj(upload, self.name, key, ExtraArgs=kind, Config=_parts()),
        )

    def read(self, key: str, use: "Callable[[StreamingBody], T]") -> T | None:
        """Give an object's bytes to a function, as they come; None when there is none."""

        def run(boto: "Boto") -> T | None:
            answer = _found(boto, self.name, key)
            if answer is None:
                return None
            try:
                return use(answer["Body"])
            finally:
                answer["Body"].close()

        return self._ask(self._patient, _GET, key, run)

    def copy(self, key: str, to: str) -> None:
        """Copy an object, within the store."""
        source: Any = {"Bucket": self.name, "Key": key}
        self._ask(self._patient, _PUT, key, lambda boto: boto.copy(source, self.name, to, Config=_parts()))

    def delete(self, key: str) -> None:
        """Remove an object; it need not be there."""
        self._ask(self._patient, _DELETE, key, lambda boto: boto.delete_object(Bucket=self.name, Key=key))

    def list(self, prefix: str) -> Iterator[Listed]:
        """Give all objects whose keys begin so."""
        token: dict[str, Any] = {}
        while True:
            request: dict[str, Any] = {"Bucket": self.name, "Prefix": prefix, **token}
            page = self._ask(self._patient, _LIST, prefix, partial(_page, request=request))
            for each in page.get("Contents", ()):
                yield Listed(each["Key"], each["Size"], each["LastModified"].timestamp())
            if not page.get("NextContinuationToken"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def uri(self, key: str) -> str:
        return f"s3://{self.name}/{key}"

    def _get(self, client: "Client", key: str, most: int) -> Stored | None:
        def run(boto: "Boto") -> Stored | None:
            answer = _found(boto, self.name, key)
            if answer is None:
                return None
            try:
                if answer["ContentLength"] > most:
                    raise UsageError(f"{self.uri(key)} is far too large to be a part of a checkpoint: name another one")
                return Stored(answer["Body"].read(), answer["ETag"].strip('"'))
            finally:
                answer["Body"].close()

        return self._ask(client, _GET, key, run)

    def _ask(self, client: "Client", action: str, key: str, request: "Callable[[Boto], T]") -> T:
        """Make a request; note what time it is there, and make foreign errors ours."""
        from replay_cli.aws.errors import FOREIGN

        try:
            return request(client.get())
        except FOREIGN as error:
            raise self._explained(error, action, key) from error

    def _explained(self, error: Exception, action: str, key: str) -> Exception:
        from botocore.exceptions import ClientError

        from replay_cli.aws.connecting import shown_endpoint
        from replay_cli.aws.errors import explain, is_missing

        uri = self.uri(key)
        if isinstance(error, ClientError) and action == _PUT:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in _REFUSED or is_missing(error):
                return ConflictError(f"{uri}: another run has changed it")
            if code in _UNKNOWN:
                return UnknownConditionError(f"{uri}: the store answers {code}")
        return explain(error, action, uri, shown_endpoint(self._patient.made or self._prompt.made, self._options))


def _page(boto: "Boto", request: Mapping[str, Any]) -> "ListObjectsV2OutputTypeDef":
    return boto.list_objects_v2(**request)


def _found(boto: "Boto", bucket: str, key: str) -> "GetObjectOutputTypeDef | None":
    from botocore.exceptions import ClientError

    from replay_cli.aws.errors import is_missing

    try:
        return boto.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if is_missing(error):
            return None
        raise


def _parts() -> "TransferConfig":
    """Send large objects one part after the other, so that few are in memory."""
    from boto3.s3.transfer import TransferConfig

    return TransferConfig(multipart_threshold=_PART_BYTES, multipart_chunksize=_PART_BYTES, use_threads=False)

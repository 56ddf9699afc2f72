"""The one gate where botocore's exceptions become this program's (pure).

Codes are those of the S3 API reference ("Error responses"), besides those of STS, SSO and KMS, which reach whoever
uses S3, too. Texts name the object or the bucket, the cause and what to do; of what an exception holds, no more than
codes, names and the service's own sentence is repeated: no headers, no signatures, no output of programs.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError as Urllib3Error

from replay_cli.errors import ChangedObjectError, FatalError, PausedError, ReplayError, UsageError

_THROTTLED = frozenset(
    {
        *{"SlowDown", "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled"},
        *{"RequestThrottledException", "TooManyRequestsException", "RequestLimitExceeded", "BandwidthLimitExceeded"},
        *{"RequestTimeout", "RequestTimeoutException", "InternalError", "ServiceUnavailable"},
    }
)
_TRANSIENT_STATUS = frozenset({429, 500, 502, 503, 504})
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
_WRONG_SECRET = "SignatureDoesNotMatch"  # noqa: S105 # a code
_WRONG_REGION = frozenset(
    {
        *{"PermanentRedirect", "TemporaryRedirect", "Redirect", "301", "307"},
        *{"AuthorizationHeaderMalformed", "IllegalLocationConstraintException"},
    }
)
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "AllAccessDisabled", "403", "Forbidden"})
_GONE = frozenset({"NoSuchKey", "NoSuchVersion", "404", "NotFound"})
_OPERATIONS = frozenset(
    {
        *{"GetObject", "HeadObject", "ListObjectsV2", "HeadBucket", "PutObject", "CopyObject", "DeleteObject"},
        *{"CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "AbortMultipartUpload"},
    }
)
_DONE_BY = {"s3:PutObject": "written", "s3:DeleteObject": "removed"}
_KMS_DONE_BY = {"s3:PutObject": "kms:GenerateDataKey"}
_SENTENCE_LETTERS = 200

_LOST: tuple[type[Exception], ...] = (
    *(boto.ConnectionError, boto.HTTPClientError, boto.IncompleteReadError, boto.FlexibleChecksumError),
    *(ResponseParserError, Urllib3Error, OSError),
)
"""What a network does to requests and replies, and half a reply that cannot be parsed."""
FOREIGN: tuple[type[Exception], ...] = (boto.BotoCoreError, boto.ClientError, *_LOST)
"""What botocore raises, and reading the body of a reply: what `explain` is for."""
_LOGGED_OUT = (
    *(boto.UnauthorizedSSOTokenError, boto.SSOTokenLoadError, boto.TokenRetrievalError, boto.NoAuthTokenError),
    *(boto.LoginRefreshRequired, boto.LoginTokenLoadError, boto.RefreshWithMFAUnsupportedError),
)
_NO_CREDENTIALS = (boto.NoCredentialsError, boto.PartialCredentialsError)
_BAD_ADDRESS = (
    *(boto.NoRegionError, boto.UnknownEndpointError, boto.EndpointProviderError, boto.EndpointVariantError),
    *(boto.InvalidRegionError, boto.InvalidHostLabelError, boto.InvalidEndpointConfigurationError),
)

_GIVE_CREDENTIALS = "name a profile with --aws-profile, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_AGAIN = "run the same command again"


class _Attempt(NamedTuple):
    """What was tried: an IAM action on an object or bucket, at an endpoint."""

    action: str
    uri: str
    endpoint: str

    @property
    def bucket(self) -> str:
        return "/".join(self.uri.split("/", 3)[:3])

    @property
    def done(self) -> str:
        """What would have been done to the object."""
        return _DONE_BY.get(self.action, "read")


def explain(error: Exception, action: str, uri: str, endpoint: str) -> ReplayError:
    """Say what an exception of botocore means to the operator.

    It is a `PausedError` exactly when `is_transient`.

    Args:
        error: what botocore, or reading the body of a reply, raised.
        action: the IAM action that was needed: `s3:ListBucket`, `s3:GetObject`, `s3:PutObject`, `s3:DeleteObject`.
        uri: what was asked for: `s3://bucket/key`.
        endpoint: where, for a person.
    """
    attempt = _Attempt(action, uri, endpoint)
    if isinstance(error, boto.ClientError):
        return _refused(error, attempt)
    if isinstance(error, _LOGGED_OUT):
        return _logged_out(attempt)
    if isinstance(error, boto.ProfileNotFound):
        return UsageError(f"{uri}: AWS's configuration has no profile {error.kwargs.get('profile')}: see --aws-profile")
    if isinstance(error, _NO_CREDENTIALS):
        return UsageError(
            f"{uri} cannot be {attempt.done} without credentials ({_sentence(error)}): {_GIVE_CREDENTIALS}"
        )
    if isinstance(error, boto.CredentialRetrievalError):
        provider = error.kwargs.get("provider", "their source")
        return UsageError(f"{uri}: the credentials could not be had from {provider}: mend that, or {_GIVE_CREDENTIALS}")
    if isinstance(error, _LOST):
        return _unreachable(error, attempt)
    if isinstance(error, boto.ParamValidationError):
        return _misnamed(error, attempt)
    if isinstance(error, _BAD_ADDRESS):
        return UsageError(f"{uri}: {_sentence(error)}: check --s3-endpoint-url and --s3-region")
    return FatalError(f"{uri} cannot be {attempt.done} at {endpoint}: {_sentence(error) or type(error).__name__}")


def is_transient(error: Exception) -> bool:
    """Tell whether the same request may well succeed later: the network failed, or the store was busy."""
    if isinstance(error, boto.ClientError):
        return _code(error) in _THROTTLED or _status(error) in _TRANSIENT_STATUS
    return isinstance(error, _LOST) and not _is_distrust(error)


def is_missing(error: Exception) -> bool:
    """Tell whether a service answered that there is no such object, in a bucket that there is."""
    return isinstance(error, boto.ClientError) and _code(error) in _GONE


def _refused(error: boto.ClientError, attempt: _Attempt) -> ReplayError:
    """Explain what a service answered, which need not be S3: credentials may come from another one."""
    code = _code(error)
    if code in _EXPIRED:
        return _logged_out(attempt)
    if is_transient(error):
        status = _status(error) or ""
        named = f"{status} {code}".strip() if code != str(status) else code
        return PausedError(f"{attempt.uri}: {attempt.endpoint} keeps answering {named}: {_AGAIN} later")
    if error.operation_name not in _OPERATIONS:
        return FatalError(
            f"{attempt.uri}: the credentials could not be had, for {error.operation_name} was answered by {code}: "
            "mend the profile or the role"
        )
    for answers in (_missing, _forbidden, _misdirected):
        if (answer := answers(error, code, attempt)) is not None:
            return answer
    return FatalError(f"{attempt.uri} cannot be {attempt.done}: {attempt.endpoint} answers {code}: {_sentence(error)}")


def _missing(error: boto.ClientError, code: str, attempt: _Attempt) -> ReplayError | None:
    if code == "NoSuchBucket" or (code in _GONE and attempt.action == "s3:ListBucket"):
        return UsageError(f"{attempt.bucket}: there is no such bucket at {attempt.endpoint}")
    if code == "InvalidBucketName":
        return _misnamed(error, attempt)
    if code in _GONE:
        return ChangedObjectError(attempt.uri, "is gone")
    if code in ("PreconditionFailed", "412", "InvalidRange", "416"):  # a range beyond the end: it is shorter now
        return ChangedObjectError(attempt.uri, "changed")
    if code == "InvalidObjectState":
        kept = error.response["Error"].get("StorageClass") or error.response.get("StorageClass") or "an archive"
        return FatalError(f"{attempt.uri} is archived (storage class {kept}): restore it first, then {_AGAIN}")
    return None


def _forbidden(error: boto.ClientError, code: str, attempt: _Attempt) -> ReplayError | None:
    if code.startswith("KMS.") and "AccessDenied" not in code:
        return FatalError(f"{attempt.uri}: its KMS key cannot be used ({code}): enable the key, then {_AGAIN}")
    if (code in _DENIED or code.startswith("KMS.")) and "kms" in f"{code} {_sentence(error)}".lower():
        lacking = _KMS_DONE_BY.get(attempt.action, "kms:Decrypt")
        return FatalError(
            f"{attempt.uri}: access denied: the credentials lack {lacking} on the KMS key that it is encrypted with"
        )
    if code in _DENIED:
        on = attempt.bucket if attempt.action == "s3:ListBucket" else attempt.uri
        return FatalError(f"access denied: the credentials lack {attempt.action} on {on}")
    if code == "InvalidAccessKeyId":
        return FatalError(f"{attempt.uri}: {attempt.endpoint} does not know the access key id: {_GIVE_CREDENTIALS}")
    if code == _WRONG_SECRET:
        return FatalError(f"{attempt.uri}: the secret access key does not belong to the access key id: set both anew")
    if code == "InvalidToken":
        return FatalError(f"{attempt.uri}: the session token is not valid: log in again, then {_AGAIN}")
    if code == "RequestTimeTooSkewed":
        return FatalError(f"{attempt.uri}: the clock of this machine is wrong, so {attempt.endpoint} refuses: set it")
    return None


def _misdirected(error: boto.ClientError, code: str, attempt: _Attempt) -> ReplayError | None:
    if code not in _WRONG_REGION and _status(error) not in (301, 307):
        return None
    region = _region(error)
    remedy = f"use --s3-region {region}" if region else "name the region of the bucket with --s3-region"
    return UsageError(f"{attempt.bucket} is in another region than {attempt.endpoint}: {remedy}")


def _misnamed(error: Exception, attempt: _Attempt) -> ReplayError:
    """Explain what botocore, or S3, takes for no name."""
    if "bucket" in str(error).lower():
        return UsageError(f"{attempt.bucket}: that is no valid name of a bucket")
    return UsageError(f"{attempt.uri}: that is no valid name of an object")


def _region(error: boto.ClientError) -> str | None:
    """Find the right region in a reply that says the wrong one was asked."""
    headers: dict[str, str] = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    told = error.response.get("Error", {}).get("Region") or headers.get("x-amz-bucket-region")
    if told:
        return str(told)
    expected = re.search(r"expecting '([\w-]+)'", _sentence(error))
    return expected and expected[1]


def _logged_out(attempt: _Attempt) -> ReplayError:
    return FatalError(f"{attempt.uri}: the credentials have expired: log in again, then {_AGAIN}")


def _unreachable(error: Exception, attempt: _Attempt) -> ReplayError:
    if _is_distrust(error):
        return FatalError(
            f"{attempt.uri}: the certificate of {attempt.endpoint} is not trusted ({_cause(error)}): "
            "name its authority in AWS_CA_BUNDLE"
        )
    if isinstance(error, boto.ProxyConnectionError):
        return PausedError(
            f"{attempt.uri}: the proxy on the way to {attempt.endpoint} cannot be reached: "
            f"check HTTPS_PROXY and HTTP_PROXY, then {_AGAIN}"
        )
    return PausedError(
        f"{attempt.uri}: {attempt.endpoint} cannot be reached ({_cause(error)}): "
        f"check the network and the endpoint, then {_AGAIN}"
    )


def _is_distrust(error: Exception) -> bool:
    return isinstance(error, boto.SSLError) and "certificate" in str(error).lower()


def _cause(error: Exception) -> str:
    """Say what befell a connection, in the words of the operating system where it has any."""
    for inner in _chain(error):
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror
    for kinds, words in _WORDS:
        if isinstance(error, kinds):
            return words
    return "the connection was lost"


_WORDS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
    ((boto.ConnectTimeoutError, boto.ReadTimeoutError, TimeoutError), "it does not answer in time"),
    ((boto.IncompleteReadError, ResponseParserError), "its reply was cut short"),
    (boto.SSLError, "TLS fails"),
)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Give an exception and those that it wraps."""
    seen: set[int] = set()
    inner: Any = error
    while isinstance(inner, BaseException) and id(inner) not in seen:
        seen.add(id(inner))
        yield inner
        wrapped = inner.kwargs.get("error") if isinstance(inner, boto.BotoCoreError) else None
        inner = wrapped or inner.__cause__ or inner.__context__


def _code(error: boto.ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code") or _status(error) or "an error")


def _status(error: boto.ClientError) -> int | None:
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")


def _sentence(error: Exception) -> str:
    """Repeat what a service or botocore says, its first line at most."""
    text = error.response.get("Error", {}).get("Message", "") if isinstance(error, boto.ClientError) else str(error)
    return str(text or "").strip().partition("\n")[0][:_SENTENCE_LETTERS].rstrip(".:")

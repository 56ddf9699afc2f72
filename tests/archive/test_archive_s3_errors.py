"""Whatever botocore raises becomes one sentence that says what to do, of the right kind."""

import ssl
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from botocore import exceptions as boto
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import NewConnectionError, ProtocolError

from replay_cli.archive.patience import Persistence
from replay_cli.archive.s3_client import S3Client
from replay_cli.aws import S3Options
from replay_cli.aws.errors import explain, is_missing, is_transient
from replay_cli.errors import ChangedObjectError, FatalError, PausedError, ReplayError, UsageError
from tests.support.s3_server import LIMITED_BUCKET, S3Server
from tests.support.s3_stub import (
    ARCHIVED,
    CLOCK_SKEWED,
    EXPIRED_TOKEN,
    KMS_DENIED,
    MOVED,
    SLOW_DOWN,
    WRONG_REGION,
    S3Error,
    S3ErrorServer,
)

URI = "s3://logs/2025/a.gz"
ENDPOINT = "https://s3.us-east-1.amazonaws.com"
LIST, GET = "s3:ListBucket", "s3:GetObject"
QUICK = Persistence(failures=2, first_pause=0.01, longest_pause=0.01)


def refusal(
    status: int,
    code: str,
    message: str = "",
    operation: str = "GetObject",
    headers: Mapping[str, str] | None = None,
    **elements: str,
) -> ClientError:
    """What botocore makes of an error reply."""
    response: Any = {
        "Error": {"Code": code, "Message": message, **elements},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": dict(headers or {})},
    }
    return ClientError(response, operation)


def refused() -> OSError:
    return ConnectionRefusedError(111, "Connection refused")


ANSWERS: list[tuple[ClientError, str, type[ReplayError], str]] = [
    (refusal(404, "NoSuchBucket"), LIST, UsageError, f"s3://logs: there is no such bucket at {ENDPOINT}"),
    (refusal(404, "NoSuchBucket"), GET, UsageError, f"s3://logs: there is no such bucket at {ENDPOINT}"),
    (refusal(404, "NoSuchKey"), GET, ChangedObjectError, f"{URI} is gone since it was listed"),
    (refusal(404, "404", "Not Found", "HeadObject"), GET, ChangedObjectError, f"{URI} is gone since it was listed"),
    (refusal(412, "PreconditionFailed"), GET, ChangedObjectError, f"{URI} changed since it was listed"),
    (refusal(416, "InvalidRange"), GET, ChangedObjectError, f"{URI} changed since it was listed"),
    (refusal(403, "AccessDenied"), GET, FatalError, f"access denied: the credentials lack s3:GetObject on {URI}"),
    (refusal(403, "403", "Forbidden", "HeadObject"), GET, FatalError, f"lack s3:GetObject on {URI}"),
    (refusal(403, "AccessDenied"), LIST, FatalError, "the credentials lack s3:ListBucket on s3://logs"),
    (refusal(403, "AccessDenied", "not authorized to perform: kms:Decrypt"), GET, FatalError, "lack kms:Decrypt"),
    (refusal(400, "KMS.AccessDeniedException"), GET, FatalError, f"{URI}: access denied: .* lack kms:Decrypt"),
    (refusal(400, "KMS.DisabledException"), GET, FatalError, "KMS key cannot be used .KMS.DisabledException.: enable"),
    (refusal(403, "InvalidAccessKeyId"), GET, FatalError, "does not know the access key id"),
    (refusal(403, "SignatureDoesNotMatch"), GET, FatalError, "the secret access key does not belong to"),
    (refusal(400, "ExpiredToken"), GET, FatalError, "have expired: log in again, then run the same command again"),
    (refusal(403, "ExpiredTokenException", operation="AssumeRole"), GET, FatalError, "credentials have expired"),
    (refusal(403, "RequestExpired"), GET, FatalError, "the credentials have expired"),
    (refusal(400, "TokenRefreshRequired"), GET, FatalError, "the credentials have expired"),
    (refusal(400, "InvalidToken"), GET, FatalError, "the session token is not valid"),
    (refusal(403, "AccessDenied", operation="AssumeRole"), GET, FatalError, "AssumeRole was answered by AccessDenied"),
    (refusal(301, "PermanentRedirect"), LIST, UsageError, "name the region of the bucket with --s3-region"),
    (refusal(301, "301", operation="HeadObject"), GET, UsageError, "s3://logs is in another region than"),
    (
        refusal(301, "PermanentRedirect", headers={"x-amz-bucket-region": "eu-west-1"}),
        *(LIST, UsageError, "use --s3-region eu-west-1"),
    ),
    (
        refusal(400, "AuthorizationHeaderMalformed", Region="eu-west-1"),
        *(LIST, UsageError, "use --s3-region eu-west-1"),
    ),
    (
        refusal(400, "AuthorizationHeaderMalformed", "the region 'a' is wrong; expecting 'eu-west-1'"),
        *(LIST, UsageError, "use --s3-region eu-west-1"),
    ),
    (refusal(400, "IllegalLocationConstraintException"), LIST, UsageError, "in another region"),
    (
        refusal(403, "InvalidObjectState", StorageClass="GLACIER"),
        *(GET, FatalError, r"archived \(storage class GLACIER\): restore it first"),
    ),
    (refusal(403, "RequestTimeTooSkewed"), GET, FatalError, "the clock of this machine is wrong"),
    (
        refusal(400, "InvalidBucketName", "The specified bucket is not valid"),
        LIST,
        UsageError,
        "s3://logs: .* no valid",
    ),
    (refusal(400, "Odd", "Odder.\nx"), GET, FatalError, f"{URI} cannot be read: {ENDPOINT} answers Odd: Odder$"),
    (refusal(503, "SlowDown"), GET, PausedError, "keeps answering 503 SlowDown: run the same command again later"),
    (refusal(400, "RequestTimeout"), GET, PausedError, "keeps answering 400 RequestTimeout"),
    (refusal(429, "TooManyRequests"), GET, PausedError, "keeps answering 429 TooManyRequests"),
    (refusal(500, "InternalError"), LIST, PausedError, "keeps answering 500 InternalError"),
    (refusal(502, "502", "Bad Gateway"), LIST, PausedError, "keeps answering 502: run"),
    (refusal(400, "ThrottlingException", operation="AssumeRole"), GET, PausedError, "ThrottlingException"),
]


@pytest.mark.parametrize(
    ("error", "action", "kind", "text"),
    ANSWERS,
    ids=lambda it: it.response["Error"]["Code"] if hasattr(it, "response") else "",
)
def test_an_answer_is_explained(error: ClientError, action: str, kind: type[ReplayError], text: str) -> None:
    with pytest.raises(kind, match=text) as raised:
        raise explain(error, action, URI, ENDPOINT)
    assert type(raised.value) is kind
    assert is_transient(error) is (kind is PausedError)
    assert "s3://logs" in str(raised.value)


FAILURES: list[tuple[Exception, type[ReplayError], str]] = [
    (boto.NoCredentialsError(), UsageError, "without credentials .*: name a profile with --aws-profile, or set AWS_A"),
    (boto.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"), UsageError, "missing: AWS_SECRET"),
    (boto.ProfileNotFound(profile="nobody"), UsageError, "nobody"),
    (boto.CredentialRetrievalError(provider="custom-process", error_msg="hush"), UsageError, "from custom-process: "),
    (boto.UnauthorizedSSOTokenError(), FatalError, "the credentials have expired: log in again"),
    (boto.SSOTokenLoadError(error_msg="none"), FatalError, "the credentials have expired"),
    (boto.TokenRetrievalError(provider="sso", error_msg="none"), FatalError, "the credentials have expired"),
    (boto.LoginRefreshRequired(), FatalError, "the credentials have expired"),
    (boto.RefreshWithMFAUnsupportedError(), FatalError, "the credentials have expired"),
    (
        boto.EndpointConnectionError(endpoint_url=ENDPOINT, error=refused()),
        *(PausedError, rf"{ENDPOINT} cannot be reached \(Connection refused\): check the network"),
    ),
    (boto.ConnectTimeoutError(endpoint_url=ENDPOINT, error=None), PausedError, "does not answer in time"),
    (boto.ReadTimeoutError(endpoint_url=ENDPOINT, error=None), PausedError, "does not answer in time"),
    (boto.ConnectionClosedError(endpoint_url=ENDPOINT), PausedError, "the connection was lost"),
    (boto.ResponseStreamingError(error=ProtocolError("gone")), PausedError, "the connection was lost"),
    (boto.HTTPClientError(error=OSError(113, "No route to host")), PausedError, "No route to host"),
    (boto.IncompleteReadError(actual_bytes=1, expected_bytes=2), PausedError, "its reply was cut short"),
    (ResponseParserError("no XML"), PausedError, "its reply was cut short"),
    (ProtocolError("Connection broken"), PausedError, "the connection was lost"),
    (ConnectionResetError(104, "Connection reset by peer"), PausedError, "Connection reset by peer"),
    (boto.SSLError(endpoint_url=ENDPOINT, error=ssl.SSLError("EOF occurred")), PausedError, "TLS fails"),
    (
        boto.SSLError(endpoint_url=ENDPOINT, error=ssl.SSLError(1, "certificate verify failed")),
        *(FatalError, f"the certificate of {ENDPOINT} is not trusted .*AWS_CA_BUNDLE"),
    ),
    (
        boto.ProxyConnectionError(proxy_url="http://user:hush@proxy:3128", error=None),
        *(PausedError, "the proxy on the way to .* check HTTPS_PROXY"),
    ),
    (
        boto.ParamValidationError(report='Invalid bucket name "lo gs"'),
        UsageError,
        "s3://logs: .* valid name of a bucket",
    ),
    (boto.ParamValidationError(report="Invalid length for parameter Key"), UsageError, "valid name of an object"),
    (boto.NoRegionError(), UsageError, "check --s3-endpoint-url and --s3-region"),
    (boto.InvalidRegionError(region_name="no where"), UsageError, "no where.*--s3-region"),
    (boto.UnknownSignatureVersionError(signature_version="v9"), FatalError, "cannot be read at .*v9"),
]


@pytest.mark.parametrize(("error", "kind", "text"), FAILURES, ids=lambda it: type(it).__name__)
def test_a_failure_is_explained(error: Exception, kind: type[ReplayError], text: str) -> None:
    with pytest.raises(kind, match=text) as raised:
        raise explain(error, GET, URI, ENDPOINT)
    assert type(raised.value) is kind
    assert is_transient(error) is (kind is PausedError)
    assert "s3://logs" in str(raised.value)
    assert "hush" not in str(raised.value)


def test_the_words_of_the_system_are_found_wherever_they_are_wrapped() -> None:
    try:
        raise NewConnectionError(None, "failed") from refused()  # type: ignore[arg-type] # it is not looked at
    except NewConnectionError as inner:
        error = boto.EndpointConnectionError(endpoint_url=ENDPOINT, error=inner)
    assert "(Connection refused)" in str(explain(error, GET, URI, ENDPOINT))


def test_missing_is_an_object_in_a_bucket_that_there_is() -> None:
    assert is_missing(refusal(404, "NoSuchKey"))
    assert not is_missing(refusal(404, "NoSuchBucket"))
    assert not is_missing(boto.NoCredentialsError())


# -- as they come from a server ------------------------------------------------------------------------------


@pytest.fixture
def use(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes clients that are made from then on somebody else's."""

    def use(identity: str) -> None:
        for name, value in s3_server.environment(identity).items():
            monkeypatch.setenv(name, value)

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    use("admin")
    return use


def client(url: str, **options: Any) -> S3Client:
    return S3Client(S3Options(endpoint_url=url, **options), attempts=1, persistence=QUICK)


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (EXPIRED_TOKEN, FatalError, "have expired"),
        (ARCHIVED, FatalError, "GLACIER"),
        (KMS_DENIED, FatalError, "kms:Decrypt"),
        (MOVED, UsageError, "--s3-region eu-west-1"),
        (WRONG_REGION, UsageError, "--s3-region eu-west-1"),
        (CLOCK_SKEWED, FatalError, "clock"),
        (SLOW_DOWN, PausedError, "503"),
        (S3Error(400, "KMS.DisabledException", "arn is disabled."), FatalError, "KMS.DisabledException"),
    ],
    ids=lambda it: it.code if isinstance(it, S3Error) else "",
)
def test_the_reason_of_a_head_is_asked_for(
    use: Callable[[str], None], error: S3Error, kind: type[ReplayError], text: str
) -> None:
    """The reply to a HEAD has no body, which would say it."""
    with S3ErrorServer(error) as server, pytest.raises(kind, match=text):
        client(server.url).find("logs", "a.gz")


@pytest.mark.parametrize(
    ("identity", "text"),
    [
        ("lister", f"the credentials lack s3:GetObject on s3://{LIMITED_BUCKET}/a"),
        ("reader", f"the credentials lack s3:ListBucket on s3://{LIMITED_BUCKET}$"),
    ],
)
def test_what_may_not_be_done_is_named(
    s3_server: S3Server, use: Callable[[str], None], identity: str, text: str
) -> None:
    s3_server.put(LIMITED_BUCKET, {"a": b"x"})
    use(identity)
    theirs = client(s3_server.url)
    with pytest.raises(FatalError, match=text):
        _ = theirs.find(LIMITED_BUCKET, "a"), theirs.page(LIMITED_BUCKET, "", folders=False)


def test_a_wrong_secret_and_an_unknown_key_are_told_apart(
    s3_server: S3Server, use: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(FatalError, match="secret access key does not belong"):
        client(s3_server.url).page(LIMITED_BUCKET, "", folders=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "NOBODY")
    with pytest.raises(FatalError, match="does not know the access key id"):
        client(s3_server.url).page(LIMITED_BUCKET, "", folders=False)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(UsageError, match="--aws-profile"):
        client(s3_server.url).page(LIMITED_BUCKET, "", folders=False)


def test_a_missing_object_is_none_and_a_missing_bucket_an_error(
    s3_server: S3Server, use: Callable[[str], None], bucket: str
) -> None:
    assert client(s3_server.url).find(bucket, "nothing") is None
    with pytest.raises(UsageError, match="s3://no-such-bucket: there is no such bucket at http"):
        client(s3_server.url).find("no-such-bucket", "nothing")
    with pytest.raises(UsageError, match="no such bucket"):
        client(s3_server.url).page("no-such-bucket", "", folders=True)


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        ({"profile": "nobody"}, UsageError, "nobody.*--aws-profile"),
        ({"endpoint_url": "nonsense"}, UsageError, "nonsense: that is no URL"),
        ({"region": "no where"}, UsageError, "--s3-region"),
        ({"endpoint_url": "http://127.0.0.1:1"}, PausedError, "http://127.0.0.1:1 cannot be reached"),
    ],
)
def test_what_is_wrong_with_the_options_is_said(
    s3_server: S3Server, use: Callable[[str], None], options: dict[str, Any], kind: type[ReplayError], text: str
) -> None:
    wrong = S3Client(S3Options(**{"endpoint_url": s3_server.url, **options}), attempts=1, persistence=QUICK)
    with pytest.raises(kind, match=text):
        wrong.page("logs", "", folders=False)


def test_a_page_has_objects_and_folders_but_no_markers(
    s3_server: S3Server, use: Callable[[str], None], bucket: str
) -> None:
    keys = ["a/b/c.gz", "a/d é+%.gz", "a/e.gz"]
    s3_server.put(bucket, {key: key.encode() for key in [*keys, "a/", "a/f/"]})
    ours = client(s3_server.url)
    page = ours.page(bucket, "a/", folders=True)
    assert [obj.uri for obj in page.objects] == [f"s3://{bucket}/{key}" for key in keys[1:]]
    assert (page.folders, page.token) == (["a/b/", "a/f/"], None)
    assert page.objects[1] == ours.find(bucket, "a/e.gz")
    assert '"' not in page.objects[0].etag
    everything = ours.page(bucket, "", folders=False)
    assert [obj.uri for obj in everything.objects] == [f"s3://{bucket}/{key}" for key in keys]
    assert ours.calls == {"list": 2, "head": 1}


def test_an_endpoint_of_the_environment_is_taken_and_its_buckets_are_named_in_the_path(
    s3_server: S3Server, use: Callable[[str], None], bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_server.url.replace("127.0.0.1", "localhost"))
    monkeypatch.setenv("NO_PROXY", "localhost")
    assert S3Client(S3Options()).page(bucket, "", folders=False) == ([], [], None)

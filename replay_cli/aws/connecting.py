"""Making the client of a store: boto3 finds the credentials, the region and the proxies, signs, and tries again."""

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from replay_cli import __version__
from replay_cli.aws.errors import FOREIGN
from replay_cli.aws.options import S3Options
from replay_cli.errors import UsageError

if TYPE_CHECKING:
    from boto3.session import Session
    from mypy_boto3_s3.client import S3Client as Boto


class Waiting(NamedTuple):
    """How long one request may take: how often it is tried, seconds to connect, and seconds without a byte."""

    attempts: int = 8
    connect_timeout: float = 10.0
    read_timeout: float = 30.0
    connections: int = 32


def connect(options: S3Options, waiting: Waiting) -> "Boto":
    """Make a client, which may be used from any thread. To find credentials may take a network.

    Raises:
        UsageError: the endpoint is no URL.
        As `errors.FOREIGN`, besides.
    """
    from boto3.session import Session  # heavy, and only needed here

    session = Session(profile_name=options.profile)
    style = None if options.addressing == "auto" else options.addressing
    boto = _connected(session, options, waiting, style)
    told = (boto.meta.config.s3 or {}).get("addressing_style")  # type: ignore[attr-defined] # the stub lacks it
    # The profile may say it, too. Other stores than Amazon's seldom have a host name for each bucket.
    if told is None and not _is_amazon(boto.meta.endpoint_url):
        boto.close()
        boto = _connected(session, options, waiting, "path")
    return boto


def shown_endpoint(boto: "Boto | None", options: S3Options) -> str:
    """Name a store for a person, without the password that the environment may have given."""
    parts = urlsplit(boto.meta.endpoint_url if boto else options.endpoint_url or "S3")
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _connected(session: "Session", options: S3Options, waiting: Waiting, style: str | None) -> "Boto":
    from botocore.config import Config

    settings: dict[str, Any] = {"s3": {"addressing_style": style}} if style else {}
    config = Config(
        connect_timeout=waiting.connect_timeout,
        read_timeout=waiting.read_timeout,
        max_pool_connections=waiting.connections,
        retries={"mode": "standard", "total_max_attempts": waiting.attempts},
        user_agent_extra=f"replay-cli/{__version__}",
        # What is sent is signed; not every store knows the check sums that come after a body.
        request_checksum_calculation="when_required",
        # Whole objects could be checked, but not the rest of one after a cut.
        response_checksum_validation="when_required",
        **settings,
    )
    try:
        return session.client("s3", region_name=options.region, endpoint_url=options.endpoint_url, config=config)
    except ValueError as error:  # botocore raises no type of its own for it
        if isinstance(error, FOREIGN):
            raise
        raise UsageError(f"{options.endpoint_url}: that is no URL of a store") from error


def _is_amazon(endpoint: str) -> bool:
    host = urlsplit(endpoint).hostname or ""
    return host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".api.aws"))

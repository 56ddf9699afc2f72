"""What the operator says about an S3 store."""

from typing import NamedTuple


class S3Options(NamedTuple):
    """What the operator says about an S3 store; what is None, boto3 finds in the environment and in profiles.

    `addressing` puts a bucket's name into the path or the host of URLs: `path`, `virtual`, or `auto`: the path, unless
    the store is Amazon's.
    """

    profile: str | None = None
    endpoint_url: str | None = None
    region: str | None = None
    requester_pays: bool = False
    addressing: str = "auto"

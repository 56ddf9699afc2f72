"""What all tests share: the S3 server, and hypothesis, which tries the same examples unless told to explore."""

import os
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.support.s3_server import S3Server

settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


@pytest.fixture(scope="session")
def s3_server() -> "Iterator[S3Server]":
    from botocore.loaders import create_loader  # boto3 loads slowly: only tests that ask for S3 wait for it

    from tests.support.s3_server import S3Server

    with pytest.MonkeyPatch.context() as patch:
        # Each source has a session of its own, which would read what botocore knows of S3 from its files again.
        patch.setattr("botocore.session.create_loader", cache(create_loader))
        with S3Server() as server:
            yield server


@pytest.fixture
def bucket(s3_server: "S3Server") -> str:
    """The name of a bucket that no other test uses."""
    return s3_server.make_bucket()

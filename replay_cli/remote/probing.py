"""Finding out whether a store can do what everything here hangs on: refuse a put whose condition does not hold."""

from contextlib import suppress

from replay_cli.errors import ReplayError, UsageError
from replay_cli.remote.bucket import Bucket, ConflictError, UnknownConditionError


def require_conditions(bucket: Bucket, key: str) -> None:
    """Make sure that a store refuses a put when its condition does not hold: nothing else keeps two runs apart.

    Args:
        bucket: of that store.
        key: of an object that nobody else has; it is made, and removed.

    Raises:
        UsageError: it does not.
    """
    etag = _probed(bucket, key, b"1", None)
    refused = [_is_refused(bucket, key, None), _is_refused(bucket, key, etag[::-1] + "0")]
    with suppress(ReplayError):  # who may not remove anything is told so when it matters
        bucket.delete(key)
    if not all(refused):
        raise _unconditional(bucket)


def _probed(bucket: Bucket, key: str, data: bytes, etag: str | None) -> str:
    try:
        return bucket.replace(key, data, etag)
    except UnknownConditionError:
        raise _unconditional(bucket) from None


def _is_refused(bucket: Bucket, key: str, etag: str | None) -> bool:
    try:
        bucket.put_if(key, b"2", etag)
    except (ConflictError, UnknownConditionError) as error:
        return isinstance(error, ConflictError)
    return False


def _unconditional(bucket: Bucket) -> UsageError:
    return UsageError(
        f"s3://{bucket.name}: its store does not refuse a put whose condition (If-Match, If-None-Match) does not hold, "
        "so two runs could have one checkpoint: keep it in another store"
    )

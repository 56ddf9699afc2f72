"""Where something lies on S3."""

from typing import NamedTuple

from replay_cli.errors import UsageError

_SCHEME = "s3://"
_KEY_BYTES = 900
"""S3 takes names of 1024 bytes; a checkpoint's snapshots are named after it, and longer."""


class Place(NamedTuple):
    """One object's bucket and key."""

    bucket: str
    key: str

    @property
    def uri(self) -> str:
        return f"{_SCHEME}{self.bucket}/{self.key}"

    def beside(self, name: str) -> "Place":
        """Name another object in the same folder."""
        folder, slash, _ = self.key.rpartition("/")
        return Place(self.bucket, f"{folder}{slash}{name}")


def place_of(text: str) -> Place:
    """Read `s3://bucket/key`.

    Raises:
        UsageError: it names no object.
    """
    scheme, rest = text[: len(_SCHEME)], text[len(_SCHEME) :]
    bucket, _, key = rest.partition("/")
    if not text.isprintable():
        raise UsageError(f"{text!r} has signs in it that cannot be shown: name it otherwise")
    if scheme.lower() != _SCHEME or not bucket or any(sign in bucket for sign in "*?[@: "):
        raise UsageError(f"{text}: name an object on S3, as in s3://bucket/state/nightly.ckpt")
    if not key or key.endswith("/"):
        raise UsageError(f"{text} is a folder: name the checkpoint in it, as in s3://{bucket}/state/nightly.ckpt")
    if any(part in ("", ".", "..") for part in key.split("/")):
        raise UsageError(f"{text}: a key with an empty part, or with . or .. in it, is not the same everywhere")
    if len(key.encode()) > _KEY_BYTES:
        raise UsageError(f"{text}: that name is too long: use at most {_KEY_BYTES} bytes")
    return Place(bucket, key)

"""Checkpoints wherever they are, to be looked at: a file, or one on S3, of which a copy is fetched."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from replay_cli.archive import S3Options
from replay_cli.cli.home import Where
from replay_cli.cli.selecting import s3_options
from replay_cli.cli.state import USUAL, StateOptions
from replay_cli.errors import FatalError, UsageError
from replay_cli.ledger.lock import is_locked
from replay_cli.ledger.store import Store

if TYPE_CHECKING:
    from replay_cli.remote.manifest import Manifest

_SHORTEST, _LONGEST = 3.0, 3600.0
"""Seconds of a lease."""
_LOOKS = 3
"""A snapshot may be replaced by the next one while it is looked for."""


class Seen(NamedTuple):
    """A checkpoint as it was when it was looked at.

    `store` is read-only, `shown` is what people call the checkpoint (its path, or its `s3://` URI), `running` tells
    whether a run holds it now. Of one on S3, `owner` says who holds or held it last, and `pushed` when what is seen
    was stored there (POSIX seconds); of a file both are empty.
    """

    store: Store
    shown: str
    running: bool
    owner: str = ""
    pushed: float | None = None


@contextmanager
def open_checkpoint(location: str | Where, options: S3Options) -> Iterator[Seen]:
    """Open a checkpoint to read it, wherever it is; also while a run holds it, which notices nothing of that.

    Args:
        location: a path or a place, or either as a text.
        options: how to reach S3.

    Raises:
        UsageError: there is no such checkpoint, or it is something else.
        FatalError: the store cannot be reached, or refuses us.
    """
    if not isinstance(location, str | Path):
        location = location.uri
    if not str(location).startswith("s3://"):
        path = Path(location)
        with closing(Store.open(path, read_only=True)) as store:
            yield Seen(store, str(path), is_locked(path))
        return
    with tempfile.TemporaryDirectory(prefix="replay-") as folder:
        copy = Path(folder) / "job.ckpt"
        manifest, running = _fetch(str(location), options, copy)
        pushed = manifest.snapshot.at if manifest.snapshot else None
        with closing(Store.open(copy, read_only=True)) as store:
            yield Seen(store, str(location), running, manifest.owner.shown, pushed)


def _fetch(uri: str, options: S3Options, copy: Path) -> "tuple[Manifest, bool]":
    """Fetch the snapshot that counts; return its manifest, and whether its owner's lease goes on."""
    from replay_cli.remote.bucket import Bucket
    from replay_cli.remote.place import place_of
    from replay_cli.remote.reading import read_manifest
    from replay_cli.remote.snapshots import fetch_snapshot

    place = place_of(uri)
    bucket = Bucket.open(options, place.bucket)
    for _ in range(_LOOKS):
        found = read_manifest(bucket, place)
        if found is None:
            raise UsageError(f"{uri}: there is no such checkpoint")
        manifest, _ = found
        if manifest.snapshot is None:
            raise UsageError(f"{uri} holds nothing yet: its first run has not stored anything")
        if fetch_snapshot(bucket, manifest.snapshot, copy):
            over = manifest.released or manifest.renewed + manifest.ttl < bucket.clock.earliest()
            return manifest, not over
    raise FatalError(f"{uri} names a snapshot that is not there: bring it back, or begin anew with --restart")


def state_from(values: Mapping[str, Any]) -> StateOptions:
    """Make of the values of `state_options` how a checkpoint on S3 is reached and kept.

    Raises:
        UsageError: a URL is none, or has a secret in it, or a lease is too short to be renewed, or too long.
    """
    every, lease = values.get("push_every", USUAL.push_every), values.get("lease", USUAL.lease)
    if not _SHORTEST <= lease <= _LONGEST:
        raise UsageError(f"--lease {lease:g}s: use {_SHORTEST:g}s to {_LONGEST / 60:g}m")
    return StateOptions(state_s3(values), every, lease)


def state_s3(values: Mapping[str, Any]) -> S3Options:
    """Make of the values of `reach_options` how the store of a checkpoint is reached: as the sources', but for these.

    Raises:
        UsageError: a URL is none, or has a secret in it.
    """
    other = {"s3_endpoint_url": values.get("state_endpoint_url"), "aws_profile": values.get("state_profile")}
    return s3_options({**values, **{name: value for name, value in other.items() if value}})

"""Reading a checkpoint on S3 without having it, and saying who has it."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from replay_cli.errors import BusyError, FatalError
from replay_cli.remote.bucket import Bucket
from replay_cli.remote.manifest import LARGEST_BYTES, Manifest, Owner
from replay_cli.remote.place import Place
from replay_cli.remote.snapshots import fetch_snapshot

_READS = 5


def read_manifest(bucket: Bucket, place: Place) -> tuple[Manifest, str] | None:
    """Return a checkpoint's manifest and its etag; None when there is none.

    Raises:
        UsageError: it is something else.
        As `Bucket`.
    """
    stored = bucket.get(place.key, LARGEST_BYTES)
    return None if stored is None else (Manifest.from_bytes(stored.data, place), stored.etag)


def read_checkpoint(bucket: Bucket, place: Place, into: Path) -> Manifest | None:
    """Fetch a checkpoint to look at it, as it was pushed last, whoever has it; None when there is none.

    Args:
        bucket: where it is.
        place: its name there.
        into: a file that is written unless there is no snapshot yet; only its owner may read it.

    Raises:
        UsageError: it is something else.
        FatalError: its snapshot is gone or damaged, or the file cannot be written.
        As `Bucket`.
    """
    for _ in range(_READS):  # whoever has it may push another snapshot, and remove this one, at any moment
        found = read_manifest(bucket, place)
        if found is None:
            return None
        manifest, _etag = found
        if manifest.snapshot is None or fetch_snapshot(bucket, manifest.snapshot, into):
            return manifest
    raise FatalError(f"{place.uri}: the snapshot that it names is gone, and no other one came: look at it again later")


def in_use(owner: Owner, place: Place) -> BusyError:
    """Say who has a checkpoint."""
    return BusyError(
        f"another run ({owner.shown}, since {_shown(owner.since)}) is using {place.uri}; wait for it, or stop it"
    )


def taken_over(owner: Owner, place: Place) -> FatalError:
    """Say who has a checkpoint that was ours."""
    return FatalError(
        f"another run ({owner.shown}, since {_shown(owner.since)}) has taken {place.uri} over, for the lease of this "
        "one had run out; wait for it, then run the same command again"
    )


def _shown(instant: float) -> str:
    with suppress(ValueError, OverflowError, OSError):
        return f"{datetime.fromtimestamp(instant, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return "an unknown time"

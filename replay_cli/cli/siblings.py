"""The checkpoints in the same place as a job's: its folder on this machine, or on S3, from where copies are fetched."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from replay_cli.archive import S3Options
from replay_cli.cli.home import Where, name_of
from replay_cli.errors import FatalError, UsageError
from replay_cli.job import Job
from replay_cli.ledger.history import Sibling
from replay_cli.report.terminal import printable

if TYPE_CHECKING:
    from replay_cli.remote.bucket import Bucket
    from replay_cli.remote.place import Place

_ENDING = ".ckpt"


def siblings_of(where: Where, job: Job, options: S3Options, folder: Path, unreadable: list[str]) -> Iterator[Sibling]:
    """Give the other checkpoints in a checkpoint's place.

    Args:
        where: the checkpoint.
        job: whose it is; on S3, those of other workspaces are not fetched.
        options: how S3 is reached.
        folder: for copies of what is fetched.
        unreadable: is told which cannot be looked at, and why.

    Raises:
        FatalError: S3 cannot be reached.
    """
    if not isinstance(where, Path):
        yield from _on_s3(where, job, options, folder, unreadable)
        return
    own = where.resolve()
    for path in sorted(where.parent.glob(f"*{_ENDING}")):
        if path.is_file() and path.resolve() != own:
            yield Sibling(name_of(path), path)


def _on_s3(place: "Place", job: Job, options: S3Options, folder: Path, unreadable: list[str]) -> Iterator[Sibling]:
    from replay_cli.remote.bucket import Bucket

    bucket, prefix = Bucket.open(options, place.bucket), place.beside("").key
    keys = [listed.key for listed in bucket.list(prefix) if listed.key.endswith(_ENDING)]
    for number, key in enumerate(sorted(key for key in keys if "/" not in key[len(prefix) :])):
        if key == place.key:
            continue
        try:
            found = _fetched(bucket, place._replace(key=key), job, folder / f"{number}{_ENDING}")
        except (FatalError, UsageError) as error:
            unreadable.append(printable(str(error)))
        else:
            yield from found


def _fetched(bucket: "Bucket", place: "Place", job: Job, copy: Path) -> Iterator[Sibling]:
    """Fetch the snapshot of a job of the same workspace; what was announced since then may have been sent, too."""
    from replay_cli.remote.reading import read_checkpoint, read_manifest

    found = read_manifest(bucket, place)
    if found is None or (found[0].job.endpoint, found[0].job.workspace_id) != (job.endpoint, job.workspace_id):
        return iter(())
    manifest = read_checkpoint(bucket, place, copy)  # its run may replace the snapshot at any moment
    if manifest is None or manifest.snapshot is None:
        return iter(())  # nothing is sent before there is a snapshot
    announced = tuple({(batch.uri, batch.etag) for batch in manifest.announced})
    return iter((Sibling(name_of(place), copy, announced),))

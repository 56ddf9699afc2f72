"""Checkpoints on S3: one owner at a time, and nothing sent that its manifest has not announced.

A checkpoint there is a `manifest`, the only object that is overwritten, and the `snapshots` that it names. Everything
hangs on one compare-and-swap (`bucket`): `taking` waits for its turn and puts a manifest that says so, the `writer`
renews the `lease` and stores the `horizon`, and the `keeper` is what all that looks like to a run. `share` divides a
workspace's `quota` among jobs of several machines, by an object of its own. Time is the store's (`clocks`, `watch`).
"""

from replay_cli.aws import S3Options
from replay_cli.remote.bucket import Bucket, ConflictError
from replay_cli.remote.horizon import Announced
from replay_cli.remote.keeper import Keeper
from replay_cli.remote.manifest import JobIdentity, Manifest, Owner, Snapshot
from replay_cli.remote.place import Place, place_of
from replay_cli.remote.reading import read_checkpoint, read_manifest
from replay_cli.remote.share import Share

__all__ = [
    "Announced",
    "Bucket",
    "ConflictError",
    "JobIdentity",
    "Keeper",
    "Manifest",
    "Owner",
    "Place",
    "S3Options",
    "Share",
    "Snapshot",
    "place_of",
    "read_checkpoint",
    "read_manifest",
]

"""From what the operator typed to the source that has it."""

from collections.abc import Sequence

from replay_cli.archive.combined import CombinedSource
from replay_cli.archive.disk import DiskSource, canonical_path
from replay_cli.archive.selected import SelectedSource
from replay_cli.archive.source import Source
from replay_cli.aws import S3Options
from replay_cli.errors import UsageError
from replay_cli.segment.selection import EVERYTHING, Selection

S3 = "s3://"


def open_source(locations: Sequence[str], selection: Selection = EVERYTHING, s3: S3Options | None = None) -> Source:
    """Find the source of all these locations together.

    Args:
        locations: files, directories, globs; `s3://bucket/prefix`, `s3://bucket/key`, `s3://bucket/glob`.
        selection: what is wanted of them: what their paths tell to be something else is not listed, and of Parquet
            objects, row groups that their footers tell to be something else are not read.
        s3: how to reach S3.

    Raises:
        UsageError: there are none, or one is of a kind that is not known.
    """
    if not locations:
        raise UsageError("no source was given: name a file, a directory, a glob or s3://bucket/prefix")
    names = [canonical(location) for location in locations]
    parts: dict[str, Source] = {}
    if in_s3 := [name for name in names if name.startswith(S3)]:
        from replay_cli.archive.s3 import S3Source  # boto3 is heavy, and not always needed

        parts[S3] = S3Source(in_s3, selection, s3)
    if on_disk := [location for location, name in zip(locations, names, strict=True) if not name.startswith(S3)]:
        parts[""] = DiskSource(on_disk, selection)
    source = next(iter(parts.values())) if len(parts) == 1 else CombinedSource(parts)
    return source if selection.is_everything else SelectedSource(source, selection)


def canonical(location: str) -> str:
    """Name a location as jobs know it: absolute, links resolved, globs left as patterns.

    Raises:
        UsageError: it is of a kind that is not known.
    """
    if not location:
        raise UsageError("a source is empty: name a file, a directory or a glob")
    if not location.isprintable() and any("\udc80" <= letter <= "\udcff" for letter in location):
        raise UsageError(f"{location.encode(errors='surrogateescape')!r} has a name that is no UTF-8: rename it")
    if location.startswith(("arn:aws", "s3:")) and not location.startswith("s3://"):
        raise UsageError(f"{location}: write s3://bucket/prefix")
    scheme, separator, rest = location.partition("://")
    if not (separator and scheme.isalnum()):
        return canonical_path(location)
    if scheme.lower() != "s3":
        raise UsageError(f"{location}: archives are read from disk and from s3:// only")
    return _canonical_s3(location, rest)


def _canonical_s3(location: str, rest: str) -> str:
    """Leave out the last slash: a folder is the same without it, and must not make another job."""
    bucket, _, key = rest.partition("/")
    if not bucket or any(sign in bucket for sign in "*?[@: "):
        raise UsageError(f"{location}: name a bucket, as in s3://bucket/prefix")
    return f"{S3}{bucket}/{key.rstrip('/')}"

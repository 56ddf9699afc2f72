"""From what the operator typed to the source that has it."""

from collections.abc import Sequence

from replay_cli.archive.disk import DiskSource, canonical_path
from replay_cli.archive.source import Source
from replay_cli.errors import UsageError


def open_source(locations: Sequence[str]) -> Source:
    """Find the source of all these locations together.

    Raises:
        UsageError: there are none, or one is of a kind that is not known.
    """
    if not locations:
        raise UsageError("no source was given: name a file, a directory or a glob")
    for location in locations:
        _require_known(location)
    return DiskSource(locations)


def canonical(location: str) -> str:
    """Name a location as jobs know it: absolute, links resolved, globs left as patterns.

    Raises:
        UsageError: it is of a kind that is not known.
    """
    _require_known(location)
    return canonical_path(location)


def _require_known(location: str) -> None:
    if not location:
        raise UsageError("a source is empty: name a file, a directory or a glob")
    if not location.isprintable() and any("\udc80" <= letter <= "\udcff" for letter in location):
        raise UsageError(f"{location.encode(errors='surrogateescape')!r} has a name that is no UTF-8: rename it")
    scheme, separator, _ = location.partition("://")
    if separator and scheme.isalnum():
        raise UsageError(f"{location}: archives are read from disk only; name a file, a directory or a glob")

"""Files that a command writes at its end: refused at its beginning where they could not, or must not, be written."""

import os
from collections.abc import Sequence
from pathlib import Path

from replay_cli.archive.patterns import Match, is_glob, split
from replay_cli.errors import UsageError


def require_elsewhere(option: str, path: Path | None, sources: Sequence[str]) -> None:
    """Refuse to write where is read: an archive would be destroyed, or found anew as a part of itself.

    Args:
        option: how the command line names the file, for example `--report`.
        path: the file; None where the option is not given.
        sources: canonical locations.

    Raises:
        UsageError: it is on S3, or is a source or lies in one.
    """
    if path is None:
        return
    if str(path).startswith("s3:"):
        raise UsageError(f"{option} {path}: it is written to a file on disk")
    place = path.resolve()
    if any(_is_in(place, source) for source in sources):
        raise UsageError(f"{option} {path} is, or lies in, what is read: name a file elsewhere")


def require_writable(option: str, path: Path | None) -> None:
    """Refuse a file that cannot be written, before the hours whose result it is meant to hold.

    Args:
        option: how the command line names the file.
        path: the file; None where the option is not given.

    Raises:
        UsageError: its folder is missing, or one of both cannot be written.
    """
    if path is None:
        return
    folder = path.resolve().parent
    if not folder.is_dir():
        raise UsageError(f"{option} {path}: there is no folder {folder}: make it, or name a file elsewhere")
    if path.is_dir():
        raise UsageError(f"{option} {path} is a folder: name a file in it")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise UsageError(f"{option} {path} cannot be written: permission denied: name a file elsewhere")


def _is_in(place: Path, source: str) -> bool:
    if Path(source) in (place, *place.parents):
        return True
    base, pattern = split(source)
    if not is_glob(source) or not place.is_relative_to(base):
        return False
    return pattern.matches(place.relative_to(base).as_posix()) is not Match.NOTHING

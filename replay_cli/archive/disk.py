"""Archives on a local disk: files, directories and globs."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, BinaryIO, cast

from replay_cli.archive.source import PAGE_OBJECTS, ReadingStoppedError, is_archive_name
from replay_cli.errors import ChangedObjectError, DamagedObjectError, FatalError, UsageError
from replay_cli.model import ArchiveObject
from replay_cli.segment.layout import sort_key
from replay_cli.segment.selection import EVERYTHING, Selection


class DiskSource:
    """The objects under some paths, which may be files, directories or globs (`**` too).

    A directory is read recursively: files ending in `.gz .json .jsonl .ndjson .zst .parquet` (any case) or
    without suffix. Left alone, and counted as ignored, are names beginning with `.` or `_` (a folder counts
    once), other suffixes, links to folders, links that lead out of the directory or nowhere, and what is no
    regular file. A file that is named, by itself or by a glob, is always read.

    Args:
        locations: the paths.
        selection: what is wanted of them: other files and folders, as their paths tell, are passed over.
    """

    def __init__(self, locations: Sequence[str], selection: Selection = EVERYTHING) -> None:
        self._locations = locations
        self._selection = selection
        self._stopped = False
        self.ignored = 0
        self.trouble = ""

    def pages(self) -> Iterator[Sequence[ArchiveObject]]:
        """List all objects, each once, in reading order; see `Source`."""
        taken: dict[str, ArchiveObject] = {}
        ignored: set[str] = set()
        for location in self._locations:
            found = list(_find(location, ignored))
            if not found:
                raise UsageError(f"{location}: nothing to read in there")
            taken.update((obj.uri, obj) for obj in found)
        self.ignored = len(ignored - taken.keys())
        wanted = [obj for obj in taken.values() if self._selection.wants_object(obj.uri)]
        wanted.sort(key=lambda obj: sort_key(obj.uri))
        for first in range(0, len(wanted), PAGE_OBJECTS):
            yield wanted[first : first + PAGE_OBJECTS]

    def find(self, uri: str) -> ArchiveObject | None:
        """Return an object as it is now; see `Source`."""
        path = Path(uri)
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise FatalError(f"{uri} cannot be read: {error.strerror or error}") from error
        return _resolved(path, status) if stat.S_ISREG(status.st_mode) else None

    def expect(self, objects: Sequence[ArchiveObject]) -> None:
        """See `Source`: a disk reads ahead by itself."""

    @contextmanager
    def open(self, obj: ArchiveObject) -> Iterator[BinaryIO]:
        """Open one file for reading; see `Source`."""
        try:
            with Path(obj.uri).open("rb", buffering=0) as file:
                _require_unchanged(obj, os.fstat(file.fileno()))
                try:
                    yield cast("BinaryIO", _StoppableFile(file, lambda: self._stopped))
                except (DamagedObjectError, FatalError):
                    _require_unchanged(obj, Path(obj.uri).stat())  # a file being rewritten looks damaged, or unsteady
                    raise
                _require_unchanged(obj, Path(obj.uri).stat())
        except (FileNotFoundError, NotADirectoryError):
            raise ChangedObjectError(obj.uri, "is gone") from None
        except OSError as error:
            raise FatalError(f"{obj.uri} cannot be read: {error.strerror or error}") from error

    def stop(self) -> None:
        """End all reading; see `Source`."""
        self._stopped = True


class _StoppableFile:
    """A file that cannot be read any more once somebody says so, however far away the next record is."""

    def __init__(self, file: BinaryIO, is_stopped: Callable[[], bool]) -> None:
        self._file = file
        self._is_stopped = is_stopped

    def read(self, size: int = -1) -> bytes:
        if self._is_stopped():
            raise ReadingStoppedError
        return self._file.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def canonical_path(location: str) -> str:
    """Make a location absolute and without links; the pattern of a glob stays a pattern."""
    base, pattern = _split_glob(location)
    return os.path.join(os.path.realpath(base), *pattern)  # noqa: PTH118 # a pattern is no path


def _find(location: str, ignored: set[str]) -> Iterator[ArchiveObject]:
    base, pattern = _split_glob(location)
    if not pattern:
        yield from _take(base, location, ignored)
        return
    matches = sorted(set(_expand(base, pattern)))
    if not matches:
        raise UsageError(f"{location}: this pattern matches nothing")
    for match in matches:
        yield from _take(match, location, ignored)


def _take(path: Path, location: str, ignored: set[str]) -> Iterator[ArchiveObject]:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"{path}: there is no such file or directory") from None
    except OSError as error:
        raise FatalError(f"{path} cannot be read: {error.strerror or error}") from error
    if stat.S_ISDIR(status.st_mode):
        root = path.resolve()
        yield from _walk(root, root, ignored)
    elif stat.S_ISREG(status.st_mode):
        yield _resolved(path, status)
    else:
        raise UsageError(f"{path}: not a regular file, so a stopped run could not go on with it")


def _walk(folder: Path, root: Path, ignored: set[str]) -> Iterator[ArchiveObject]:
    folders = [folder]
    while folders:
        for entry in _entries(folders.pop()):
            if entry.name.startswith((".", "_")):
                ignored.add(entry.path)
            elif entry.is_dir(follow_symlinks=False):
                folders.append(Path(entry.path))
            elif not is_archive_name(entry.name):
                ignored.add(entry.path)
            elif entry.is_file(follow_symlinks=False):  # nearly all: there is no link to follow, from the root on
                yield _object(entry.path, _status(entry))
            elif _is_file_below(path := Path(entry.path), root):
                yield _resolved(path, _status(path))
            else:
                ignored.add(entry.path)


def _status(path: Path | os.DirEntry[str]) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise FatalError(f"{os.fspath(path)} cannot be read: {error.strerror}") from None


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise FatalError(f"{folder} cannot be listed: {error.strerror or error}") from error


def _is_file_below(path: Path, root: Path) -> bool:
    try:
        return path.is_file() and path.resolve(strict=True).is_relative_to(root)
    except (OSError, RuntimeError):  # a link in a circle
        return False


def _resolved(path: Path, status: os.stat_result) -> ArchiveObject:
    return _object(str(path.resolve()), status)


def _object(uri: str, status: os.stat_result) -> ArchiveObject:
    try:
        uri.encode()
    except UnicodeEncodeError:
        raise FatalError(f"{os.fsencode(uri)!r} has a name that is no UTF-8: rename it") from None
    if not os.access(uri, os.R_OK):  # said before the first record is sent, not hours into the run
        raise FatalError(f"{uri} cannot be read: permission denied")
    return ArchiveObject(uri, status.st_size, _etag(status))


def _etag(status: os.stat_result) -> str:
    return f"{status.st_size:x}-{status.st_mtime_ns:x}"


def _require_unchanged(obj: ArchiveObject, status: os.stat_result) -> None:
    if _etag(status) != obj.etag:
        raise ChangedObjectError(obj.uri, "changed")


def _is_pattern(part: str) -> bool:
    return any(sign in part for sign in "*?[")


def _split_glob(location: str) -> tuple[Path, list[str]]:
    """Split a glob into the folder that it begins in and its parts from there (none for a plain path)."""
    path = Path(location)
    if os.path.lexists(path):  # a name with a bracket in it
        return path, []
    parts = path.parts
    first = next((n for n, part in enumerate(parts) if _is_pattern(part)), len(parts))
    return Path(*parts[:first]), list(parts[first:])


def _expand(folder: Path, pattern: Sequence[str]) -> Iterator[Path]:
    """Find what a glob matches. Unlike `glob`'s, `**` follows no links, which may lead in a circle."""
    if not pattern:
        yield folder
        return
    head, rest = pattern[0], pattern[1:]
    if head == "**":
        yield from _expand(folder, rest)
        for child in _visible(folder, "*"):
            if child.is_dir() and not child.is_symlink():
                yield from _expand(child, pattern)
    elif _is_pattern(head):
        for child in _visible(folder, head):
            yield from _expand(child, rest)
    elif os.path.lexists(folder / head):
        yield from _expand(folder / head, rest)


def _visible(folder: Path, pattern: str) -> Iterable[Path]:
    """Find what a part of a glob matches in a folder; as in a shell, `*` does not match a leading dot."""
    if not folder.is_dir():
        return []
    names = (entry.name for entry in _entries(folder))
    dotted = pattern.startswith(".")
    return [folder / name for name in names if fnmatchcase(name, pattern) and (dotted or not name.startswith("."))]

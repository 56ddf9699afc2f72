"""What is where in a bucket: folders first, then their objects day by day.

A bucket has no folders, but listings with a delimiter make some of its keys. The tree is walked down to the folders
whose paths tell a day (`layout`); those of one day, of all sources, are listed when their turn comes, so that reading
begins long before everything is listed. What the selection leaves out by its path is never listed. Objects that no
folder dates come last, in the order of their keys; where nothing is dated, the listing is that of the keys.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from functools import partial
from heapq import merge
from typing import NamedTuple

from replay_cli.archive.patterns import Match, split
from replay_cli.archive.s3_client import ListPage, S3Client
from replay_cli.archive.source import is_archive_name, is_hidden
from replay_cli.errors import FatalError, UsageError
from replay_cli.model import ArchiveObject
from replay_cli.segment.layout import is_day, sort_key, span
from replay_cli.segment.selection import Selection

_MOST_UNDATED = 500
"""Where so many folders lead to no day, there is none to be found: the keys are listed as they are."""
_MOST_LOOSE = 10_000
"""The same for so many objects."""


class _Level(NamedTuple):
    """What is directly in a folder: its objects, the folders in it; `rest` is where the listing goes on, if it does."""

    prefix: str
    objects: list[ArchiveObject]
    folders: list[str]
    rest: str | None


class S3Listing:
    """Lists one location.

    Args:
        client: asks the store.
        location: `s3://bucket/prefix`, `s3://bucket/key`, or with a glob for the key.
        selection: what is wanted.
    """

    def __init__(self, client: S3Client, location: str, selection: Selection) -> None:
        self._client = client
        self._location = location
        self._selection = selection
        self._bucket, _, self._key = location.removeprefix("s3://").partition("/")
        self._base, self._pattern = split(self._key)
        self._ignored_objects = 0
        self._ignored_folders: set[str] = set()
        self._found = False

    @property
    def ignored(self) -> int:
        """How many names were left alone so far; a folder counts once."""
        return self._ignored_objects + len(self._ignored_folders)

    def objects(self) -> Iterator[ArchiveObject]:
        """Give the objects in reading order, listing what is needed for each day.

        Raises:
            UsageError: there is nothing here, or no such bucket.
            FatalError: it cannot be listed.
        """
        if self._key and not self._pattern.parts:
            named = self._named()
            if named is not None:
                yield from [named] if self._selection.wants_object(named.uri) else ()
                return
            self._base = f"{self._key}/"
        yield from self._tree(self._base)
        if not self._found:
            what = "this pattern matches nothing" if self._pattern.parts else "nothing to read in there"
            raise UsageError(f"{self._location}: {what}")

    def _named(self) -> ArchiveObject | None:
        """Return the object that the location names; None when it is a folder."""
        try:
            page = self._client.page(self._bucket, self._key, folders=True)
        except FatalError as error:  # who may not list may yet read what is named
            named = self._find()
            if named is None:
                raise error from None
            return named
        named = next((obj for obj in page.objects if obj.uri == self._location), None)
        if named is not None:
            below = self._client.page(self._bucket, f"{self._key}/", folders=True)
            if below.objects or below.folders:
                raise UsageError(
                    f"{self._location} is an object, and a folder too: for what is in the folder, write "
                    f"{self._location}/*, for the object {self._location[:-1]}[{self._location[-1]}]"
                )
        return named

    def _find(self) -> ArchiveObject | None:
        try:
            return self._client.find(self._bucket, self._key)
        except FatalError:
            return None

    # -- the tree ---------------------------------------------------------------------------------------------

    def _tree(self, root: str) -> Iterator[ArchiveObject]:
        """Give what is below a folder: day by day, then what has no day."""
        days: defaultdict[date, list[str]] = defaultdict(list)
        loose: list[_Level] = []
        folders = self._sort_out([root], days)
        while folders:
            if not days and _is_undated(folders, loose) and not self._leads_to_days(folders):
                # The stream meets what was left alone so far again, and counts it by name.
                self._ignored_folders = {folder for folder in self._ignored_folders if not folder.startswith(root)}
                yield from self._stream(_Level(root, [], [], ""))
                return
            calls = [partial(self._level, folder) for folder in folders]
            levels = list(self._client.call_all(calls))
            loose += [level for level in levels if level.objects or level.rest]
            folders = self._sort_out([folder for level in levels for folder in level.folders], days)
        for day in sorted(days):
            yield from self._day(days[day])
        complete = sorted(obj for level in loose if level.rest is None for obj in level.objects)
        rows = [self._stream(level) for level in loose if level.rest is not None]
        yield from merge(self._wanted(complete), *rows, key=lambda obj: obj.uri)

    def _leads_to_days(self, folders: Sequence[str]) -> bool:
        """Look into the first and the last of many folders: they may be those of sources, right above the days."""
        inner = [below for folder in {*folders[:1], *folders[-1:]} for below in self._level(folder).folders]
        return any(is_day(self._uri(folder)) for folder in inner)

    def _sort_out(self, folders: Sequence[str], days: defaultdict[date, list[str]]) -> list[str]:
        """Put the folders that tell a day under it, and return the others that are wanted."""
        others = []
        for folder in folders:
            known = span(self._uri(folder))
            if not self._leads(folder):
                continue
            if known is not None and is_day(self._uri(folder)):
                days[known.first.date()].append(folder)
            else:
                others.append(folder)
        return others

    def _level(self, folder: str) -> _Level:
        """List a folder, up to the first page without folders: what is behind it is a long row of objects."""
        level = _Level(folder, [], [], "")
        while level.rest is not None:
            page = self._page(folder, folders=True, token=level.rest)
            level.objects.extend(page.objects)
            level.folders.extend(page.folders)
            level = level._replace(rest=page.token)
            if not page.folders:
                break
        return level

    def _stream(self, level: _Level) -> Iterator[ArchiveObject]:
        """Give a long row of objects page by page; with those of the folders that turn up late, where it has any."""
        yield from self._wanted(level.objects)
        is_all = level.rest == ""  # from its beginning, whatever is below
        token = level.rest
        while token is not None:
            page = self._page(level.prefix, folders=not is_all, token=token)
            yield from self._wanted(page.objects)
            for folder in page.folders:
                yield from self._tree(folder)
            token = page.token

    def _day(self, folders: Sequence[str]) -> Iterator[ArchiveObject]:
        listings = self._client.call_all([partial(self._below, folder) for folder in folders])
        objects = [obj for listing in listings for obj in listing]
        objects.sort(key=lambda obj: sort_key(obj.uri))
        yield from self._wanted(objects)

    def _below(self, folder: str) -> list[ArchiveObject]:
        """List all that is below a folder; where the selection cuts its time, folder by folder, to leave some out."""
        objects: list[ArchiveObject] = []
        token: str | None = ""
        while token is not None:
            page = self._page(folder, folders=self._cuts(folder), token=token)
            objects += page.objects
            for inner in page.folders:
                if self._leads(inner):
                    objects += self._below(inner)
            token = page.token
        return objects

    def _page(self, folder: str, *, folders: bool, token: str) -> ListPage:
        head = self._pattern.literal_head(folder[len(self._base) :])
        return self._client.page(self._bucket, folder + head, folders=folders, token=token or None)

    # -- what is wanted ---------------------------------------------------------------------------------------

    def _leads(self, folder: str) -> bool:
        """Tell whether something below a folder may be wanted."""
        parts = folder[len(self._base) :].split("/")[:-1]
        if len(parts) > len(self._pattern.parts) and is_hidden(parts[-1]):
            self._ignored_folders.add(folder)
            return False
        if not self._pattern.leads(folder[len(self._base) :]):
            return False
        wanted = self._selection.wants_folder(self._uri(folder))
        self._found = self._found or not wanted  # there is something, though not for this job
        return wanted

    def _cuts(self, folder: str) -> bool:
        """Tell whether the selection may want a part of a dated folder only."""
        return self._selection.cuts_folder(self._uri(folder))

    def _wanted(self, objects: Sequence[ArchiveObject]) -> Iterator[ArchiveObject]:
        start = len(self._uri(self._base))
        for obj in objects:
            key = obj.uri[start:]
            match = self._pattern.matches(key)
            if match is Match.NOTHING:
                continue
            if match is Match.BELOW and not self._is_readable(key):
                self._ignored_objects += 1
                continue
            self._found = True
            if self._selection.wants_object(obj.uri):
                yield obj

    def _is_readable(self, key: str) -> bool:
        *folders, name = key.split("/")
        return is_archive_name(name) and not any(map(is_hidden, folders[len(self._pattern.parts) :]))

    def _uri(self, key: str) -> str:
        return f"s3://{self._bucket}/{key}"


def _is_undated(folders: Sequence[str], loose: Sequence[_Level]) -> bool:
    """Tell whether a walk should be given up: far down a tree, and no day in sight."""
    plain = sum("=" not in folder for folder in folders)
    return plain > _MOST_UNDATED or sum(len(level.objects) for level in loose) > _MOST_LOOSE

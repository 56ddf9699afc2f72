"""Archives in S3 buckets."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import BinaryIO, cast

from replay_cli.archive.combined import in_order
from replay_cli.archive.s3_client import S3Client
from replay_cli.archive.s3_listing import S3Listing
from replay_cli.archive.s3_reading import ReadAhead
from replay_cli.aws import S3Options
from replay_cli.model import ArchiveObject
from replay_cli.segment.selection import EVERYTHING, Selection


class S3Source:
    """The objects under some locations: `s3://bucket/prefix`, `s3://bucket/key`, or a glob for the key.

    A prefix is a folder, with or without its last slash, and is read as a directory is: keys ending in
    `.gz .json .jsonl .ndjson .zst .parquet` (any case) or without suffix. Left alone, and counted as ignored, are
    names beginning with `.` or `_` and other suffixes. An object that is named, by itself or by a glob, is always
    read.

    Args:
        locations: canonical ones.
        selection: what is wanted of them: other folders, as their paths tell, are not listed.
        options: how to reach the store.
    """

    def __init__(
        self, locations: Sequence[str], selection: Selection = EVERYTHING, options: S3Options | None = None
    ) -> None:
        self.client = S3Client(options or S3Options())
        self._listings = [S3Listing(self.client, location, selection) for location in locations]
        self._ahead = ReadAhead(self.client)

    @property
    def ignored(self) -> int:
        """See `Source`."""
        return sum(listing.ignored for listing in self._listings)

    @property
    def trouble(self) -> str:
        """See `Source`."""
        return self.client.trouble

    def pages(self) -> Iterator[Sequence[ArchiveObject]]:
        """List all objects, day by day; see `Source`."""
        return in_order([listing.objects() for listing in self._listings])

    def find(self, uri: str) -> ArchiveObject | None:
        """Return an object as it is now; see `Source`."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return self.client.find(bucket, key)

    def expect(self, objects: Sequence[ArchiveObject]) -> None:
        """Fetch the beginnings of the next objects; see `Source`."""
        self._ahead.expect(objects)

    def open(self, obj: ArchiveObject) -> AbstractContextManager[BinaryIO]:
        """Open an object for reading, pinned to its etag; see `Source`."""
        return cast("AbstractContextManager[BinaryIO]", self._ahead.open(obj))

    def stop(self) -> None:
        """End all reading and listing; see `Source`."""
        self.client.stop()

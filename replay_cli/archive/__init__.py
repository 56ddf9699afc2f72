"""The edge that reads: from a location that the operator names to the records in it, in batches.

A `Source` (`source`) lists the objects under some locations, page by page in reading order, and opens them: `disk` is
the one for files, directories and globs, `s3` the one for buckets (`s3_client` asks, `s3_listing` finds what is wanted
day by day, `s3_reading` streams ahead), `locations` picks the source for what was
typed, `combined` makes one of several, and `selected` tells of Parquet's row groups, by their `statistics`, which need
not be read. `portions` portions the objects out among several readers. `reader.read` takes one object to
`RecordBatch`es: it finds the format from the first bytes (`formats`), decompresses (`compression`), and takes
lines (`lines`) or rows (`parquet`, with `columns`) out of it. Everything is streamed, and damage is a
`DamagedObjectError` after all that was readable before it.
"""

from replay_cli.archive.locations import canonical, open_source
from replay_cli.archive.reader import read, warm_up
from replay_cli.archive.source import ReadingStoppedError, Source
from replay_cli.aws import S3Options

__all__ = [
    "ReadingStoppedError",
    "S3Options",
    "Source",
    "canonical",
    "open_source",
    "read",
    "warm_up",
]

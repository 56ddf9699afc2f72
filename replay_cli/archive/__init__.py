"""The edge that reads: from a location that the operator names to the records in it, in batches.

A `Source` (`source`) lists the objects under some locations and opens them: `disk` is the one for files,
directories and globs, and `locations` picks the source for what was typed. `layout` knows what a path tells
(day, source id, event type), and so in which order objects are read. `reader.read` takes one object to
`RecordBatch`es: it finds the format from the first bytes (`formats`), decompresses (`compression`), and takes
lines (`lines`) or rows (`parquet`, with `columns`) out of it. Everything is streamed, and damage is a
`DamagedObjectError` after all that was readable before it.
"""

from replay_cli.archive.locations import canonical, open_source
from replay_cli.archive.reader import read, warm_up
from replay_cli.archive.source import Listing, Source
from replay_cli.archive.stopping import ReadingStoppedError, StoppableSource

__all__ = [
    "Listing",
    "ReadingStoppedError",
    "Source",
    "StoppableSource",
    "canonical",
    "open_source",
    "read",
    "warm_up",
]

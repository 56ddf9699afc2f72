"""A stop is noticed in the middle of a record that does not end."""

import gzip
from pathlib import Path

import pytest

from replay_cli.archive import ReadingStoppedError, open_source, read
from tests.support.archives import objects


def test_reading_stops_at_the_next_stored_bytes(tmp_path: Path) -> None:
    """One line of 500 MB, which comes as no batch before its end."""
    line = gzip.compress(b"x" * 5_000_000)
    (tmp_path / "a.gz").write_bytes(b'{"a":1}\n' * 0 + line * 100)
    source = open_source([str(tmp_path / "a.gz")])
    (obj,) = objects(source)
    with source.open(obj) as file:
        file.read(1)
        source.stop()
        with pytest.raises(ReadingStoppedError):
            file.read(1)
    with pytest.raises(ReadingStoppedError):
        list(read(source, obj))

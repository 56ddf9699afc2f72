"""A stop is noticed in the middle of a record that does not end."""

import gzip
from pathlib import Path

import pytest

from replay_cli.archive import ReadingStoppedError, StoppableSource, open_source, read


@pytest.mark.parametrize("after", [0, 1, 5])
def test_reading_stops_at_the_next_stored_bytes(tmp_path: Path, after: int) -> None:
    """One line of 500 MB, which comes as no batch before its end."""
    line = gzip.compress(b"x" * 5_000_000)
    (tmp_path / "a.gz").write_bytes(line * 100)
    source = open_source([str(tmp_path / "a.gz")])
    asked: list[None] = []

    def stopped() -> bool:
        asked.append(None)
        return len(asked) > after

    with pytest.raises(ReadingStoppedError):
        list(read(StoppableSource(source, stopped), source.listing().objects[0]))
    assert len(asked) == after + 1


def test_what_is_not_stopped_is_read_as_ever(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"{}\n{}\n")
    source = open_source([str(tmp_path / "a.jsonl")])
    stoppable = StoppableSource(source, lambda: False)
    (batch,) = read(stoppable, stoppable.listing().objects[0])
    assert batch.records == [b"{}", b"{}"]

"""An archive of numbered files of the same size, and which of its messages `status` lists."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.archives import write_lines
from tests.support.processes import replay


def write_parts(folder: Path, messages: Sequence[Mapping[str, Any]], count: int) -> int:
    """Write messages as `00.jsonl.gz` and so on; return how many there are in each file."""
    size = len(messages) // count
    for part in range(count):
        write_lines(folder / f"{part:02}.jsonl.gz", messages[part * size : (part + 1) * size])
    return size


def number_in_archive(row: Mapping[str, Any], size: int) -> int:
    """Return which message a listed record is, where files hold `size` each."""
    return int(Path(row["uri"]).name[:2]) * size + int(row["ordinal"])


def doubted(cwd: Path, size: int) -> "Counter[int]":
    """The messages whose attempts `status --in-doubt` lists for `job.ckpt`, with how often."""
    listed = replay(cwd, "status", "job.ckpt", "--in-doubt").out.splitlines()
    return Counter(number_in_archive(json.loads(line), size) for line in listed)

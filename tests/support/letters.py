"""The dead-letter file of a checkpoint, as people read it."""

import gzip
import json
from pathlib import Path
from typing import Any


def read_letters(folder: Path, name: str = "job") -> list[dict[str, Any]]:
    """All lines of the dead-letter file beside a checkpoint; none where there is no file, for there are no letters."""
    path = folder / f"{name}.dead-letters.jsonl.gz"
    if not path.exists():
        return []
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]

"""Conditions (`--where`) and destination filters over messages, in CPU time a message."""

import gzip
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson

from benchmarks.messages import write_archive
from replay_cli.model import Message
from replay_cli.segment.filters import read_filters
from replay_cli.segment.fql import compile_condition

MESSAGES = 1000  # a batch: in a run, messages are judged right after they were parsed
ROUNDS = 99

CONDITIONS = {
    "one term": "type = 'track'",
    "four terms": (
        "type = 'track' and properties.total > 1 and context.os.name != 'web' and properties.currency = 'USD'"
    ),
    "four terms, with functions": (
        "type = 'track' and match(event, 'Order *') and !contains(context.library.name, 'react') "
        "and lowercase(properties.currency) in ['usd', 'eur']"
    ),
    "a pattern with several stars": "match(event, '*r*[c-d]?m*ted')",
}
TARGETS = {"four terms": "< 2 µs"}
FILTERS = [
    {"title": "tests", "if": "properties.gift = true", "actions": [{"type": "DROP"}]},
    {
        "title": "personal",
        "if": "all",
        "actions": [{"type": "DROP_PROPERTIES", "fields": {"properties": ["coupon"], "traits": ["email"]}}],
    },
]


def _microseconds(work: Callable[[Message], object], messages: list[Message]) -> float:
    """The median of a few rounds, less what the loop itself takes."""
    return statistics.median(_round(work, messages) - _round(bool, messages) for _ in range(ROUNDS))


def _round(work: Callable[[Any], object], messages: Iterable[Message]) -> float:
    began = time.process_time()
    for message in messages:
        work(message)
    return 1e6 * (time.process_time() - began) / MESSAGES


def main() -> list[tuple[str, str, str]]:
    with tempfile.TemporaryDirectory() as folder, gzip.open(write_archive(Path(folder) / "a.gz", MESSAGES)) as lines:
        messages = [orjson.loads(line) for line in lines]
    rows = [
        (name, f"{_microseconds(compile_condition(text), messages):.2f} µs a message", TARGETS.get(name, ""))
        for name, text in CONDITIONS.items()
    ]
    filters = read_filters(orjson.dumps(FILTERS).decode())
    return [*rows, ("two filters, one changes it", f"{_microseconds(filters, messages):.2f} µs a message", "")]

"""The default mapping as an interpreted configuration against the same in plain code, on one core, in CPU time."""

import gzip
import statistics
import tempfile
import time
from pathlib import Path

import orjson

from benchmarks.messages import write_archive
from replay_cli.model import Message
from replay_cli.moengage.actions import actions_mapping
from replay_cli.moengage.configuration import DEFAULT
from replay_cli.moengage.configured import configured_mapping
from replay_cli.moengage.mapping import Mapping

MESSAGES = 20_000
ROUNDS = 15
TARGET = 0.5


def _messages() -> list[Message]:
    with tempfile.TemporaryDirectory() as folder:
        path = write_archive(Path(folder) / "archive.jsonl.gz", MESSAGES)
        return [orjson.loads(line) for line in gzip.open(path)]


def _microseconds(mapping: Mapping, messages: list[Message]) -> float:
    began = time.process_time()
    for message in messages:
        mapping(message)
    return (time.process_time() - began) / len(messages) * 1e6


def main() -> list[tuple[str, str, str]]:
    messages = _messages()
    plain, configured = actions_mapping("APP"), configured_mapping(DEFAULT, "APP")
    if any(list(plain(message)) != list(configured(message)) for message in messages):
        raise AssertionError("the two mappings differ")
    pairs = [(_microseconds(plain, messages), _microseconds(configured, messages)) for _ in range(ROUNDS)]
    first, second = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(first / second for first, second in pairs)
    return [
        ("plain code", f"{first:.2f} µs a message", ""),
        ("configured, default settings", f"{second:.2f} µs a message", ""),
        ("ratio, median of pairs", f"{ratio:.2f}", f"≥ {TARGET}"),
    ]

"""Read + map + serialize against a bare loop over the same file, on one core, in CPU time."""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import orjson
from isal import isal_zlib

from benchmarks.messages import write_archive
from replay_cli.archive import open_source, read
from replay_cli.moengage.apis import make_api
from replay_cli.moengage.mapping import Api
from replay_cli.preparation import Preparation

MESSAGES = 100_000
ROUNDS = 9
TARGET = 0.6


def bare_loop(path: Path) -> int:
    """Decompress, parse, build a literal dictionary, serialize: nothing is checked, nothing is kept."""
    decoder, rest, count = isal_zlib.decompressobj(wbits=31), b"", 0
    with path.open("rb") as file:
        while chunk := file.read(1 << 18):
            lines = (rest + decoder.decompress(chunk)).split(b"\n")
            rest = lines.pop()
            for line in lines:
                message = orjson.loads(line)
                context = message["context"]
                orjson.dumps(
                    {
                        "type": message["type"],
                        "user_id": message["userId"],
                        "anonymous_id": message["anonymousId"],
                        "event": message.get("event"),
                        "context": {
                            "app": {"version": context["app"]["version"]},
                            "os": {"name": context["os"]["name"]},
                            "library": {"version": context["library"]["version"]},
                        },
                        "properties": message.get("properties"),
                        "traits": message.get("traits"),
                        "timestamp": message["timestamp"],
                        "update_existing_only": False,
                    }
                )
                count += 1
    return count


def product(path: Path) -> int:
    """The product's own way from the file to serialized requests, before MoEngage's limits are checked."""
    return _prepared(path, make_api({}, "APP")._replace(screen=lambda _body, _wire: True))


def checked(path: Path) -> int:
    """The same with the check of every name, value, list and object: what a run does."""
    return _prepared(path, make_api({}, "APP"))


def _prepared(path: Path, api: Api) -> int:
    source = open_source([str(path)])
    prepare = Preparation(api, strict=False, clock=time.time)
    return sum(len(prepare(batch).requests) for page in source.pages() for obj in page for batch in read(source, obj))


def _seconds(work: Callable[[Path], int], path: Path) -> float:
    began = time.process_time()
    if work(path) != MESSAGES:
        raise AssertionError(f"{work.__name__} did not give {MESSAGES} messages")
    return time.process_time() - began


def main() -> list[tuple[str, str, str]]:
    with tempfile.TemporaryDirectory() as folder:
        path = write_archive(Path(folder) / "archive.jsonl.gz", MESSAGES)
        rounds = [[_seconds(work, path) for work in (bare_loop, product, checked)] for _ in range(ROUNDS)]
    bare, ours, with_check = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratios = [statistics.median(seconds[0] / seconds[place] for seconds in rounds) for place in (1, 2)]
    return [
        ("bare loop", f"{MESSAGES / bare:,.0f} messages/s", ""),
        ("read + map + serialize", f"{MESSAGES / ours:,.0f} messages/s", ""),
        ("ratio, median of rounds", f"{ratios[0]:.2f}", f"≥ {TARGET}"),
        ("with MoEngage's limits checked", f"{MESSAGES / with_check:,.0f} messages/s", ""),
        ("ratio, median of rounds", f"{ratios[1]:.2f}", ""),
    ]

"""The sample archives: made by their script, clean where they say so, dirty where they say so."""

import importlib.util
import zlib
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow.parquet as pq
import pytest

from replay_cli.archive import open_source, read
from replay_cli.errors import DamagedObjectError
from replay_cli.model import Unreadable
from replay_cli.segment.message import MalformedError, parse
from tests.support.archives import objects

SAMPLES = Path(__file__).parents[2] / "sample_archives"
CLEAN = ["segment-logs", "data-lake", "nested-parquet", "json-column-parquet"]


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_samples", SAMPLES / "make_samples.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def content(path: Path) -> Any:
    """Give what a file holds: compressors of another version may write other bytes for it."""
    if path.suffix == ".parquet":
        return pq.ParquetFile(path).read().to_pylist()
    stored, text = path.read_bytes(), b""
    if not stored.startswith(b"\x1f\x8b") or path.name in ("truncated.jsonl.gz", "corrupt.jsonl.gz"):
        return stored
    while stored:
        decoder = zlib.decompressobj(wbits=31)
        text += decoder.decompress(stored)
        stored = decoder.unused_data
    return text


def files(root: Path) -> dict[str, Path]:
    found = (path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(root)): path for path in found if path.name not in ("make_samples.py", "README.md")}


def test_the_script_makes_the_samples_as_they_are(tmp_path: Path) -> None:
    script().main(tmp_path)
    made, kept = files(tmp_path), files(SAMPLES)
    assert made.keys() == kept.keys()
    for name, path in made.items():
        assert content(path) == content(kept[name]), name


def test_the_samples_are_small() -> None:
    assert sum(path.stat().st_size for path in files(SAMPLES).values()) <= 3_000_000


def messages(folder: str) -> list[dict[str, Any]]:
    source = open_source([str(SAMPLES / folder)])
    records = [record for obj in objects(source) for batch in read(source, obj) for record in batch.records]
    found = []
    for record in records:
        assert isinstance(record, bytes | dict)
        found.append(parse(record)[0] if isinstance(record, bytes) else record)
    return found


@pytest.mark.parametrize("folder", CLEAN)
def test_a_clean_folder_has_messages_that_can_be_sent(folder: str) -> None:
    found = messages(folder)
    assert {message["type"] for message in found} >= {"track", "identify", "alias", "group"}
    for message in found:
        assert all(isinstance(message.get(name, ""), str) for name in ("userId", "anonymousId"))
        assert "userId" in message or "anonymousId" in message
        assert "2025-03-01T00:00:00.000Z" <= message["timestamp"] < "2025-03-04"
        assert len(message["timestamp"]) == len("2025-03-01T00:00:00.000Z")
        assert isinstance(message["context"], dict)
        if message["type"] == "track":
            assert message["event"]
            assert isinstance(message["properties"], dict)
        if message["type"] == "identify":
            assert message["traits"]


def test_the_raw_logs_have_everything_that_happens_in_an_archive() -> None:
    found = messages("segment-logs")
    assert len(found) >= 6000
    assert {message["type"] for message in found} == {"track", "identify", "page", "screen", "group", "alias"}
    ids = Counter(message["messageId"] for message in found)
    assert max(ids.values()) == 2
    events = {message.get("event") for message in found}
    assert events >= {"Audience Entered", "Audience Exited", "Order Completed"}
    classes = {message["context"].get("personas", {}).get("computation_class") for message in found}
    assert classes == {None, "audience", "computed_trait"}
    libraries = {message["context"]["library"]["name"] for message in found}
    assert libraries >= {"analytics-ios", "analytics-android", "analytics-kotlin", "analytics.js"}
    assert libraries >= {"analytics-react-native", "analytics-node", "analytics-python", "analytics-go"}
    times = [message["timestamp"] for message in found]
    assert times != sorted(times)
    anonymous = {message["anonymousId"] for message in found if "userId" not in message}
    known = {message["anonymousId"] for message in found if "userId" in message}
    assert anonymous - known
    assert anonymous & known
    assert known - anonymous


def test_no_folder_repeats_the_messages_of_another() -> None:
    ids = [{message["messageId"] for message in messages(folder)} for folder in CLEAN]
    assert len(set.union(*ids)) == sum(map(len, ids))
    assert all(len(of_folder) >= 300 for of_folder in ids)


def findings(name: str) -> list[str]:
    """Tell what becomes of each record, and of the object if it is damaged."""
    source = open_source([str(SAMPLES / "dirty" / name)])
    (obj,) = objects(source)
    found = []
    try:
        for batch in read(source, obj):
            for record in batch.records:
                if isinstance(record, Unreadable):
                    found.append(record.reason)
                elif record == b"":
                    found.append("blank")
                else:
                    assert isinstance(record, bytes)
                    try:
                        found.append("replaced" if parse(record)[1] else "ok")
                    except MalformedError as error:
                        found.append(error.reason)
    except DamagedObjectError as error:
        found.append(error.cause)
    return found


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("malformed.jsonl", ["ok", *["malformed_json"] * 4, "ok"]),
        ("not-an-object.jsonl", ["ok", *["not_an_object"] * 5, "ok"]),
        ("blank-lines.jsonl", ["blank", "ok", *["blank"] * 3, "ok", "blank", "blank"]),
        ("crlf.jsonl", ["ok", "ok"]),
        ("byte-order-mark.jsonl", ["ok", "ok"]),
        ("no-last-newline.jsonl", ["ok", "ok"]),
        ("invalid-utf8.jsonl", ["ok", "invalid_utf8", "ok"]),
        ("lone-surrogates.jsonl", ["ok", "replaced", "ok"]),
        ("big-integers.jsonl", ["ok", "ok"]),
        ("nan.jsonl", ["ok", "malformed_json", "ok"]),
        ("future-date.jsonl", ["ok", "ok", "ok"]),
        ("bad-timestamp.jsonl", ["ok", "ok", "ok"]),
        ("missing-ids.jsonl", ["ok", "ok"]),
        ("large-record.jsonl.gz", ["ok", "ok", "ok"]),
        ("multi-member.jsonl.gz", ["ok", "ok", "ok"]),
    ],
)
def test_a_dirty_file_has_what_its_name_says(name: str, expected: list[str]) -> None:
    assert findings(name) == expected


def test_the_damaged_files_give_what_comes_before_their_damage() -> None:
    *lines, cut, damage = findings("truncated.jsonl.gz")
    assert (set(lines), cut) == ({"ok"}, "truncated")
    assert "cut off" in damage
    *lines, damage = findings("corrupt.jsonl.gz")
    assert lines == ["ok"] * 20
    assert "check sum" in damage
    assert "unknown format" in findings("unknown-format.json.gz")[0]


def test_the_deep_record_has_three_hundred_levels() -> None:
    assert b"[" * 300 in (SAMPLES / "dirty" / "deep-nesting.jsonl").read_bytes()


def test_the_large_record_is_two_hundred_kilobytes() -> None:
    source = open_source([str(SAMPLES / "dirty" / "large-record.jsonl.gz")])
    (batch,) = read(source, objects(source)[0])
    assert 200_000 < max(len(record) for record in batch.records) < 300_000


def test_the_dirty_folder_has_names_that_are_ignored() -> None:
    source = open_source([str(SAMPLES / "dirty")])
    assert objects(source)
    assert source.ignored == 3


def test_the_readme_lists_every_dirty_file() -> None:
    text = (SAMPLES / "README.md").read_text()
    assert all(f"`{path.name}`" in text for path in (SAMPLES / "dirty").iterdir())
    assert all(f"`{folder}/`" in text for folder in CLEAN)

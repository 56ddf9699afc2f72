"""Every fault of the samples that are dirty is found, with its place."""

from pathlib import Path

import pytest

from replay_cli.archive import open_source, read
from replay_cli.errors import DamagedObjectError
from replay_cli.moengage.apis import make_api
from replay_cli.preparation import Observer, Preparation
from replay_cli.profiling import Profiler, document

SAMPLES = Path(__file__).parent.parent.parent / "sample_archives"
NOW = 1_748_779_200.0

FAULTS = {
    "malformed_json": {("malformed.jsonl", 2), ("nan.jsonl", 2)},
    "not_an_object": {("not-an-object.jsonl", 2), ("not-an-object.jsonl", 3), ("not-an-object.jsonl", 4)},
    "invalid_utf8": {("invalid-utf8.jsonl", 2)},
    "too_deep": {("deep-nesting.jsonl", 2)},
    "future_date": {("future-date.jsonl", 2)},
    "invalid_timestamp": {("bad-timestamp.jsonl", 2)},
    "no_identity": {("missing-ids.jsonl", 2)},
    "too_large": {("large-record.jsonl.gz", 2)},
    "truncated": {("truncated.jsonl.gz", 11)},
}


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, list[dict[str, object]]]]:
    def preparation(observer: Observer) -> Preparation:
        return Preparation(make_api({}, "w"), strict=False, clock=lambda: NOW, observer=observer)

    profiler = Profiler(preparation, NOW)
    source = open_source([str(SAMPLES / "dirty")])
    for page in source.pages():
        for obj in page:
            try:
                for batch in read(source, obj):
                    profiler.take(batch)
            except DamagedObjectError:
                continue  # what was read before counts
    examples: dict[str, dict[str, list[dict[str, object]]]] = document(profiler.profile, NOW)["examples"]
    return examples


def places(examples: list[dict[str, object]]) -> set[tuple[str, object]]:
    return {(Path(str(one["uri"])).name, one["line"]) for one in examples}


def test_there_are_no_other_faults(found: dict[str, dict[str, list[dict[str, object]]]]) -> None:
    assert found["rejected"].keys() == FAULTS.keys()
    assert found["skipped"] == {}


@pytest.mark.parametrize("reason", FAULTS)
def test_each_fault_has_its_files_and_lines(found: dict[str, dict[str, list[dict[str, object]]]], reason: str) -> None:
    assert FAULTS[reason] <= places(found["rejected"][reason])
    assert all(one["detail"] and one["excerpt"] for one in found["rejected"][reason])


def test_what_would_be_sent_but_not_as_meant_is_found_too(
    found: dict[str, dict[str, list[dict[str, object]]]],
) -> None:
    assert places(found["warnings"]["lone_surrogate"]) == {("lone-surrogates.jsonl", 2)}

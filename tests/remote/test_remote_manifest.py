"""A manifest is read as it was written; nothing else is one."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.errors import UsageError
from replay_cli.remote import Announced, JobIdentity, Manifest, Owner, Place, Snapshot
from replay_cli.remote.horizon import joined
from replay_cli.remote.manifest import is_snapshot_of, printable

PLACE = Place("logs", "state/nightly.ckpt")
OWNER = Owner("0123456789abcdef" * 2, "host-a", 7, "ada", "0.1.0", 1_700_000_000.0)
JOB = JobIdentity("nightly", "https://api-01.moengage.com", "WORKSPACE")
SNAPSHOT = Snapshot(f"{PLACE.key}.{OWNER.id}-12.gz", 1_700_000_000.5, 1000, 4000)
MANIFEST = Manifest(JOB, OWNER, 30.0, 1_700_000_001.5, 3, False, SNAPSHOT, [Announced("s3://l/é", "e", 0, 5)], [(1, 4)])

texts = st.text(max_size=50)
numbers = st.integers(0, 1 << 40)
ranges = st.lists(st.tuples(st.integers(0, 10**5), st.integers(1, 50)), max_size=20)
announced = st.builds(
    lambda uri, first, count: Announced(uri, "e", first, first + count), texts, numbers, st.integers(1, 1 << 40)
)


@given(
    st.builds(JobIdentity, texts, texts, texts),
    st.builds(Owner, st.just(OWNER.id), texts, numbers, texts, texts, st.floats(0, 1e10)),
    st.lists(announced, max_size=5),
    ranges,
    st.booleans(),
    st.none() | st.dictionaries(texts, numbers | texts, max_size=3),
)
def test_a_manifest_is_read_as_it_was_written(
    job: JobIdentity,
    owner: Owner,
    batches: list[Announced],
    parked: list[tuple[int, int]],
    released: bool,
    summary: dict[str, Any] | None,
) -> None:
    parts = joined((first, first + count) for first, count in parked)
    written = Manifest(job, owner, 30.0, 1.5, 3, released, SNAPSHOT, batches, parts, summary)
    assert Manifest.from_bytes(written.to_bytes(), PLACE) == written


def test_it_is_the_json_that_is_documented() -> None:
    fields = json.loads(MANIFEST.to_bytes())
    assert (fields["format"], fields["job"], fields["workspace_id"]) == (1, "nightly", "WORKSPACE")
    assert fields["announced"] == [["s3://l/é", "e", 0, 5]]
    assert fields["parked"] == [[1, 3]], "both ends are in it"


def changed(**fields: Any) -> bytes:
    return json.dumps(json.loads(MANIFEST.to_bytes()) | fields).encode()


def other_owner(**fields: Any) -> dict[str, Any]:
    return OWNER._asdict() | fields


def other_snapshot(**fields: Any) -> dict[str, Any]:
    return SNAPSHOT._asdict() | fields


HOSTILE = {
    "nothing": b"",
    "a checkpoint": b"SQLite format 3\0",
    "no UTF-8": b"\xff\xfe{}",
    "a list": b"[]",
    "other JSON": b'{"a": 1}',
    "nested": b"[" * 100_000,
    "nested a little too deep": changed(summary={"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": {}}}}}}}}}),
    "nested in it": MANIFEST.to_bytes().replace(b'"summary":null', b'"summary":' + b'{"a":' * 50_000),
    "a huge number": MANIFEST.to_bytes().replace(b'"serial":3', b'"serial":' + b"9" * 10_000),
    "infinity": MANIFEST.to_bytes().replace(b'"ttl":30.0', b'"ttl":Infinity'),
    "a number that overflows": MANIFEST.to_bytes().replace(b'"ttl":30.0', b'"ttl":1e999'),
    "an endless lease": changed(ttl=1e9),
    "a lease without end": changed(ttl=None),
    "renewed in no time": changed(renewed=-1),
    "true for a number": changed(serial=True),
    "no truth": changed(released="yes"),
    "an owner of no kind": changed(owner=[]),
    "an owner's id that is a path": changed(owner=other_owner(id="../../x")),
    "an endless name": changed(owner=other_owner(host="x" * 100_000)),
    "a foreign object as snapshot": changed(snapshot=other_snapshot(key="archive/day.jsonl.gz")),
    "the manifest as snapshot": changed(snapshot=other_snapshot(key=PLACE.key)),
    "a snapshot of a folder up": changed(snapshot=other_snapshot(key=f"{PLACE.key}/../x.{OWNER.id}-1.gz")),
    "a size below zero": changed(snapshot=other_snapshot(bytes=-1)),
    "records backwards": changed(announced=[["s3://l/a", "e", 5, 5]]),
    "records of no object": changed(announced=[[1, "e", 0, 5]]),
    "records without end": changed(announced=[["s3://l/a", "e", 0]]),
    "parked backwards": changed(parked=[[5, 4]]),
    "more parked than there can be": changed(parked=[[0, 10**12]]),
    "parked too far": changed(parked=[[0, 1 << 80]]),
    "a summary of no kind": changed(summary=[1]),
    "no format": changed(format=None),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(UsageError, match=r"s3://logs/state/nightly\.ckpt is no checkpoint of replay"):
        Manifest.from_bytes(data, PLACE)


@given(st.recursive(st.none() | st.booleans() | st.floats() | texts | numbers, lambda it: st.lists(it, max_size=3)))
def test_no_field_of_any_kind_raises_anything_else(value: Any) -> None:
    for name in json.loads(MANIFEST.to_bytes()):
        with suppress(UsageError):
            Manifest.from_bytes(changed(**{name: value}), PLACE)


def test_one_of_another_version_is_told_as_such() -> None:
    with pytest.raises(UsageError, match="written by another version of replay"):
        Manifest.from_bytes(changed(format=2), PLACE)


def test_a_new_owner_knows_all_that_the_old_one_announced() -> None:
    taken = MANIFEST.renewed_by(OWNER._replace(id="f" * 32), 10.0, 5.0)
    assert (taken.snapshot, taken.announced, taken.parked) == (SNAPSHOT, MANIFEST.announced, MANIFEST.parked)
    assert (taken.owner.id, taken.ttl, taken.renewed, taken.released) == ("f" * 32, 10.0, 5.0, False)


def test_only_snapshots_of_the_same_checkpoint_are_its_own() -> None:
    assert is_snapshot_of(SNAPSHOT.key, PLACE)
    for key in (PLACE.key, f"{PLACE.key}.gz", f"other.{OWNER.id}-1.gz", f"{PLACE.key}.2025.{OWNER.id}-1.gz"):
        assert not is_snapshot_of(key, PLACE)


def test_names_that_others_wrote_cannot_reach_into_a_terminal() -> None:
    shown = OWNER._replace(host="\x1b]0;x\x07a\u202eb\n" + "c" * 1000).shown
    assert shown.isprintable()
    assert len(shown) < 250
    assert printable("é ok") == "é ok"

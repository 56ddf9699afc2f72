"""Duplicates are counted exactly while they are few, then in a sample that does not depend on how they came."""

import pickle
from collections import Counter
from itertools import count
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.model import ArchiveObject, RecordBatch, Unit
from replay_cli.profiling import repeats
from replay_cli.profiling.repeats import Repeats

IDS = st.lists(st.one_of(st.integers(0, 99).map(str), st.sampled_from([None, "", "7", 7])), max_size=150)


def batch(ids: list[object], first: int = 0, uri: str = "/a") -> RecordBatch:
    return RecordBatch(ArchiveObject(uri, 1, "e"), first, [f"<{id_}>".encode() for id_ in ids], Unit.LINE, 1)


def counted(ids: list[object], size: int = 10) -> Repeats:
    made = Repeats()
    for first in range(0, len(ids), size):
        part = ids[first : first + size]
        made.take(part, range(first, first + len(part)), batch(part, first))
    return made


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(repeats, "MOST_IDS", 50)
    return 50


@given(IDS, IDS)
def test_few_are_counted_exactly(one: list[object], other: list[object]) -> None:
    merged = counted(one)
    merged.merge(pickle.loads(pickle.dumps(counted(other))))
    ids = [str(id_) for id_ in one + other if id_ not in (None, "")]
    assert merged.messages == len(ids) - len(set(ids))
    assert merged.without_id == len(one) + len(other) - len(ids)
    assert merged.is_exact
    assert merged.error == 0


def test_a_sample_is_the_same_in_any_order_and_in_any_parts(few: int) -> None:
    ids: list[object] = [f"id-{n * n % 997}" for n in range(1_500)]
    found = set()
    for cut in (0, 1, 40, 700, 1_500):
        parts = [counted(ids[:cut], 7), counted(ids[cut:][::-1], 100)]
        for one, other in (parts, parts[::-1]):
            merged: Repeats = pickle.loads(pickle.dumps(one))
            merged.merge(other)
            found.add((merged.messages, merged.error, merged.is_exact))
            assert len(merged._numbers) <= few
    assert len(found) == 1


def test_an_estimate_is_within_a_few_of_its_errors(few: int) -> None:
    ids: list[object] = [f"id-{n % 3_000}" for n in range(7_000)]
    found = counted(ids, 500)
    assert not found.is_exact
    assert 0 < found.error < found.messages
    assert abs(found.messages - 4_000) < 3 * found.error


@pytest.mark.parametrize("copies", [2, 3])
def test_an_archive_that_is_there_several_times_is_told_exactly(few: int, copies: int) -> None:
    """For then the sample is as all the rest is."""
    found = counted([f"id-{n % 3_000}" for n in range(3_000 * copies)], 500)
    assert not found.is_exact
    assert (found.messages, found.error) == (3_000 * (copies - 1), 0)


def test_ids_that_are_made_to_fill_the_sample_do_not_fill_the_memory(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "_MOST_HALVINGS", 4)
    in_sample = (f"id-{n}" for n in count() if not crc32(f"id-{n}".encode()) & 15)
    made = counted([next(in_sample) for _ in range(300)])
    made.merge(counted([next(in_sample) for _ in range(300)]))
    assert len(made._numbers) == few


def test_long_ids_are_kept_short_and_apart() -> None:
    ids: list[object] = ["x" * 100_000 + "1", "x" * 100_000 + "2", "x" * 100_000 + "1"]
    made = counted(ids)
    assert made.messages == 1
    assert max(map(len, made._numbers)) <= 100


def test_examples_are_the_later_ones_with_their_places() -> None:
    made = Repeats()
    made.take(["a", "b", "a"], [5, 7, 8], batch(["a", "", "b", "a"], 5))
    made.take(["c", "b"], [0, 1], batch(["c", "b"], uri="/b"))
    examples = made.ones.document()["duplicate"]
    assert [(one["uri"], one["line"], one["excerpt"]) for one in examples] == [("/a", 9, "<a>"), ("/b", 2, "<b>")]
    assert "messageId a " in examples[0]["detail"]


@given(IDS)
def test_no_example_is_the_first_of_its_id(ids: list[object]) -> None:
    firsts: Counter[str] = Counter()
    first_places = set()
    for place, id_ in enumerate(ids):
        firsts[str(id_)] += 1
        if firsts[str(id_)] == 1:
            first_places.add(place + 1)
    examples = counted(ids).ones.document().get("duplicate", [])
    assert first_places.isdisjoint(one["line"] for one in examples)
    ids_only = [str(id_) for id_ in ids if id_ not in (None, "")]
    assert len(examples) == min(3, len(ids_only) - len(set(ids_only)))

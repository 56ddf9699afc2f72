"""What the records are that became requests: counted once, by names that nobody can make too many of."""

import random
import sqlite3
from collections import Counter
from collections.abc import Iterator
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay_cli.ledger import content as content_module
from replay_cli.ledger.content import (
    MOST_NAMES,
    MOST_PAIRS,
    OTHERS,
    Content,
    Pairs,
    apply_content,
    composition,
    read_content,
)
from replay_cli.ledger.upgrading import schema
from replay_cli.model import Request

DAY = "2025-03-01"


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    connection.executescript(schema())
    yield connection
    connection.close()


def request(ordinal: int, part: int = 0) -> Request:
    return Request((ordinal,), part, "POST", "/", b"{}", (), (b"{}",))


def sums(content: Content) -> list[int]:
    return [sum(counts.values()) for counts in content]


# -- counting -------------------------------------------------------------------------------------------------


def test_records_are_counted_by_event_and_day() -> None:
    times = ["2025-03-01T10:00:00.000Z", "2025-03-01T23:59:59.999Z", "2025-03-02T00:00:00.000Z", ""]
    found = composition([request(n) for n in range(4)], ["A", "A", "A", ""], times)
    assert found == {("A", "2025-03-01"): 2, ("A", "2025-03-02"): 1, ("", ""): 1}


def test_a_record_of_several_requests_counts_once_with_the_first() -> None:
    found = composition([request(0, 1), request(0), request(1)], ["B", "A", "A"], [DAY] * 3)
    assert found == {("A", DAY): 2}


def test_what_is_left_out_of_the_book_is_not_counted() -> None:
    assert composition([request(0), request(1)], ["A", "B"], [DAY] * 2, {1}) == {("B", DAY): 1}
    assert composition([], [], []) == {}


# -- keeping --------------------------------------------------------------------------------------------------


def test_counts_add_up_over_batches(db: sqlite3.Connection) -> None:
    for _ in range(3):
        apply_content(db, Counter({("A", DAY): 2, ("", DAY): 1, ("B", "2025-03-02"): 1}))
    found = read_content(db)
    assert list(found.by_event.items()) == [("A", 6), ("", 3), ("B", 3)]
    assert found.by_day == {DAY: 9, "2025-03-02": 3}
    assert found.by_event_and_day == {("A", DAY): 6, ("", DAY): 3, ("B", "2025-03-02"): 3}


NAMES = st.text(st.characters(codec="utf-8"), max_size=5) | st.sampled_from(["A", "B", OTHERS, "\0", "a\0b", "\ud800"])
DAYS = st.dates().map(str) | st.sampled_from([DAY, "", "9999-99-99", "١٢٣٤-٠١-٠١", "2025-03-0\n", "nonsense!!"])
BATCHES = st.lists(st.dictionaries(st.tuples(NAMES, DAYS), st.integers(1, 5), max_size=8), max_size=8)


@settings(max_examples=40)
@given(BATCHES)
def test_nothing_is_lost_and_nothing_grows_beyond_its_bound(batches: list[Pairs]) -> None:
    small = {"MOST_PAIRS": 6, "MOST_NAMES": 4}
    connection = sqlite3.connect(":memory:")
    connection.executescript(schema())
    statements = {
        name: getattr(content_module, name).replace(f"<= {MOST_PAIRS}", "<= 6").replace(f"<= {MOST_NAMES}", "<= 4")
        for name in ("_ADD_PAIRS", "_ADD_EVENTS", "_ADD_DAYS")
    }
    with patch.multiple(content_module, **statements):
        for pairs in batches:
            apply_content(connection, Counter(pairs))
    found, counted = read_content(connection), sum(sum(pairs.values()) for pairs in batches)
    connection.close()
    assert sums(found) == [counted] * 3
    assert len(found.by_event) <= small["MOST_NAMES"] + 1
    assert len(found.by_day) <= small["MOST_NAMES"] + 1
    days = small["MOST_NAMES"] + 1
    assert len(found.by_event_and_day) <= small["MOST_PAIRS"] + days, "the others are told apart by day"


def test_what_is_known_goes_on_being_counted_when_there_is_no_room(db: sqlite3.Connection) -> None:
    apply_content(db, Counter({("Known", DAY): 1}))
    for first in range(0, MOST_NAMES, 100):
        apply_content(db, Counter({(f"Made up {n}", DAY): 1 for n in range(first, first + 100)}))
    apply_content(db, Counter({(f"Made up too {n}", DAY): 1 for n in range(100)}))
    many = {(f"New {n}", DAY): 1 for n in range(100)}
    apply_content(db, Counter({("Known", DAY): 1} | many))
    found = read_content(db)
    assert found.by_event["Known"] == 2
    assert "New 1" not in found.by_event
    assert found.by_event[OTHERS] >= 100


def test_long_names_are_cut_and_no_name_is_more_than_text(db: sqlite3.Connection) -> None:
    generator = random.Random(1)
    name = "".join(generator.choice("'\"$[]{}\\;<>&\n\x1b") for _ in range(100_000))
    apply_content(db, Counter({(name, DAY): 1}))
    ((kept, _),) = read_content(db).by_event.items()
    assert kept == name[: len(kept)]
    assert len(kept) <= 200

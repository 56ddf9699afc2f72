"""Parked requests of suppressed people: taken out of the checkpoint, each record skipped once, the book closed."""

import json
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay_cli.ledger import suppressing
from replay_cli.ledger.group import Group, ParkedRequest, PartOutcome
from replay_cli.ledger.store import Store
from replay_cli.model import Request
from tests.ledger.checkpoints import new_store, rows

NOW = 5000.0


def parked(number: int, *ordinals: int, part: int = 0, due: float | None = NOW) -> ParkedRequest:
    """Request `number` of the records with these ordinals, each in a lane of its own."""
    records = tuple(b'{"n":%d}' % ordinal for ordinal in ordinals)
    users = tuple(f"u{ordinal}" for ordinal in ordinals)
    request = Request(ordinals, part, "POST", "/path", json.dumps(ordinals).encode(), users, records)
    return ParkedRequest(number, number, 1, request, "line", due=due)


def without(request: Request, dropped: Collection[int]) -> Request | None:
    """Requests as `parked` makes them, taken apart."""
    kept = [index for index in range(len(request.ordinals)) if index not in dropped]
    if not kept:
        return None
    ordinals = tuple(request.ordinals[index] for index in kept)
    return request._replace(
        ordinals=ordinals,
        body=json.dumps(ordinals).encode(),
        users=tuple(request.users[index] for index in kept),
        records=tuple(request.records[index] for index in kept),
    )


def suppress(store: Store, *ordinals: int, reason: str = "suppressed") -> int:
    listed = {b'{"n":%d}' % ordinal for ordinal in ordinals}
    return store.suppress_parked(lambda record: reason if record in listed else None, without)


def require_none_left(store: Store) -> None:
    for table in ("parked", "parked_lane", "parked_record"):
        assert rows(store.path, f"SELECT * FROM {table}") == []


def returning(store: Store) -> dict[int, Request]:
    store.begin_parking()
    return {back.parked.id: back.parked.request for back in store.load_parked([], NOW, 100).requests}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = new_store(tmp_path)
    yield made
    made.close()


def test_a_suppressed_record_is_skipped_and_its_request_is_gone(store: Store) -> None:
    store.apply(Group(opened=[(1, 2)], parked=[parked(1, 4), parked(2, 5)]))
    assert suppress(store, 4, 9, reason="suppressed_by_email") == 1
    store.verify_book()
    assert store.tallies() == {"skipped": {"suppressed_by_email": 1}}
    assert store.totals()["pending"] == 1
    assert returning(store) == {2: parked(2, 5).request}


def test_a_second_time_nothing_changes(store: Store) -> None:
    store.apply(Group(opened=[(1, 1)], parked=[parked(1, 4)]))
    assert [suppress(store, 4), suppress(store, 4)] == [1, 0]
    assert store.tallies() == {"skipped": {"suppressed": 1}}
    require_none_left(store)
    store.verify_book()


def test_a_record_of_several_requests_counts_once_and_what_arrived_stays_known(store: Store) -> None:
    store.apply(
        Group(
            opened=[(1, 1)],
            parts=[(1, 4, 0, *PartOutcome(None))],
            in_doubt=[(1, 4, 1, 1, 1.0, "timeout")],
            parked=[parked(1, 4, part=1), parked(2, 4, part=2, due=None)],
        )
    )
    assert suppress(store, 4) == 1
    require_none_left(store)
    store.verify_book(complete=True)
    assert store.tallies() == {"skipped": {"suppressed": 1}}
    assert store.settled_parts(1) == {(4, 0): PartOutcome(None)}
    assert store.totals()["in_doubt"] == 1


def test_the_other_records_of_a_request_go_on_without_it(store: Store) -> None:
    """In the order in which they stand in the body, which need not be that of the archive."""
    store.apply(Group(opened=[(1, 3)], parked=[parked(1, 6, 4, 5), parked(2, 5, part=1, due=None)]))
    assert suppress(store, 4) == 1
    store.verify_book()
    assert returning(store) == {1: parked(1, 6, 5).request}
    assert rows(store.path, "SELECT lane, rank, id FROM parked_lane ORDER BY lane, id") == [
        ("u5", 1, 1),
        ("u5", 2, 2),
        ("u6", 1, 1),
    ]
    assert suppress(store, 5, 6) == 2
    require_none_left(store)
    store.verify_book(complete=True)


def test_a_record_that_its_batch_still_waits_for_is_left_to_the_preparation(store: Store) -> None:
    """One of its requests was in memory when the run died: it is read again, and skipped then."""
    store.apply(Group(opened=[(1, 2)], batches=[(1, 0, 2, 1, b"\xfd")], parked=[parked(1, 0), parked(2, 1, part=1)]))
    assert suppress(store, 0, 1) == 2
    assert store.tallies() == {"skipped": {"suppressed": 1}}
    assert store.totals()["pending"] == 1
    store.verify_book()


def test_a_run_that_dies_in_between_leaves_a_closed_book(store: Store) -> None:
    store.apply(Group(opened=[(1, 5)], parked=[parked(n, n) for n in range(1, 6)]))
    asked = list[bytes]()

    def die_at_the_fourth(record: bytes) -> str:
        asked.append(record)
        if len(asked) == 4:
            raise KeyboardInterrupt
        return "suppressed"

    with patch.object(suppressing, "RECORDS_AT_ONCE", 2):
        with pytest.raises(KeyboardInterrupt):
            store.suppress_parked(die_at_the_fourth, without)
        store.verify_book()
        assert store.tallies() == {"skipped": {"suppressed": 2}}
        assert store.suppress_parked(lambda _: "suppressed", without) == 3
    store.verify_book(complete=True)


REQUESTS = st.lists(st.sets(st.integers(0, 8), min_size=1, max_size=4), max_size=6)


@settings(max_examples=30)
@given(REQUESTS, st.sets(st.integers(0, 8)), st.integers(1, 4))
def test_what_is_not_suppressed_stays_and_the_book_closes(
    tmp_path_factory: pytest.TempPathFactory, requests: list[set[int]], listed: set[int], at_once: int
) -> None:
    with patch.object(suppressing, "RECORDS_AT_ONCE", at_once):
        made = new_store(tmp_path_factory.mktemp("job"))
        records: Counter[Any] = Counter(ordinal for request in requests for ordinal in request)
        made.apply(
            Group(
                opened=[(1, len(records))],
                parked=[parked(number, *sorted(its), part=number) for number, its in enumerate(requests, 1)],
            )
        )
        assert suppress(made, *listed) == len(records.keys() & listed)
        made.verify_book()
        left = {number: tuple(sorted(its - listed)) for number, its in enumerate(requests, 1) if its - listed}
        assert {number: request.ordinals for number, request in returning(made).items()} == left
        assert made.totals()["pending"] == len(records.keys() - listed)
        made.close()

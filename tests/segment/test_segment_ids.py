"""A set of ids answers as a set of texts does, in a few bytes a member."""

import pickle
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay_cli.segment.ids import IdSet, portable

MANY = 40_000


@settings(max_examples=40)
@given(st.lists(st.text()), st.lists(st.text()))
def test_it_has_what_was_put_in_and_nothing_else(members: list[str], others: list[str]) -> None:
    """A false positive has odds of 2**-60 here."""
    ids, naive = IdSet(members), set(members)
    assert len(ids) == len(naive)
    for text in members + others:
        assert (text in ids) == ids.has(text) == (text in naive)


def test_many_members_are_all_found_and_no_others() -> None:
    """So many that its table is finer than the shelves; every other one comes twice."""
    ids = IdSet(f"user-{n // 2 if n % 4 == 1 else n}" for n in range(MANY))
    naive = {f"user-{n // 2 if n % 4 == 1 else n}" for n in range(MANY)}
    assert len(ids) == len(naive)
    assert all(ids.has(text) for text in naive)
    assert [text for text in (f"user-{n}" for n in range(2 * MANY)) if ids.has(text)] == [
        text for text in (f"user-{n}" for n in range(2 * MANY)) if text in naive
    ]


def test_what_is_no_text_is_no_member() -> None:
    ids = IdSet(["1", "None"])
    assert 1 not in ids
    assert None not in ids
    assert "1" in ids


def test_a_member_takes_few_bytes() -> None:
    tracemalloc.start()
    try:
        ids = IdSet(f"user-{n}" for n in range(MANY))
        steady, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(ids) == MANY
    assert steady < 12 * MANY


def test_a_portable_set_is_the_same_in_another_process() -> None:
    members = [f"user-{n}" for n in range(3000)] + ["é", "\ud800", ""]
    sent = pickle.loads(pickle.dumps(IdSet(members, portable)))
    assert len(sent) == len(members)
    assert all(member in sent for member in members)
    assert not any(f"other-{n}" in sent for n in range(3000))
    assert portable("user-1") == -8583321985082544998


def test_a_set_of_this_process_is_not_sent_to_another() -> None:
    with pytest.raises(TypeError, match="means nothing in another one"):
        pickle.dumps(IdSet(["a"]))

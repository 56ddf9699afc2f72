"""Estimates are exact for few, near for many, and the same however the texts were spread."""

import pickle
import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from replay_cli.profiling.sketches import Distinct, Frequent

TEXTS = st.lists(st.integers(0, 60).map(str), max_size=80)


def distinct(texts: list[str], waiting: int = 1 << 14) -> Distinct:
    made = Distinct(waiting=waiting)
    made.update(texts)
    return made


def frequent(texts: list[str], most: int) -> Frequent:
    made = Frequent(most)
    for text in texts:
        made.update([text])
    return made


@given(TEXTS, TEXTS)
def test_few_are_counted_exactly(one: list[str], other: list[str]) -> None:
    merged = distinct(one)
    merged.merge(pickle.loads(pickle.dumps(distinct(other))))
    assert merged.count == len({*one, *other})
    assert merged.error == 0.0


def test_up_to_the_bound_where_it_says_so_it_is_exact() -> None:
    made = Distinct()
    for first in range(0, 6_000, 50):
        made.update(f"user-{n}" for n in range(first, first + 50))
        if not made.error:
            assert made.count == first + 50
    assert made.error


def test_many_are_estimated_the_same_in_any_order_and_in_any_parts() -> None:
    texts = [f"user-{n}" for n in range(20_000)]
    estimates = {distinct(texts).count, distinct(texts[::-1], waiting=100).count}
    for cut in (1, 2_500, 10_000, 19_999):
        one, other = distinct(texts[:cut], waiting=10), distinct(texts[cut // 2 :])
        one.merge(pickle.loads(pickle.dumps(other)))
        other.merge(one)
        estimates |= {one.count, other.count, pickle.loads(pickle.dumps(one)).count}
    assert len(estimates) == 1
    error = distinct(texts).error
    assert 0 < error < 0.01
    assert abs(estimates.pop() - len(texts)) < 3 * error * len(texts)


def test_merging_leaves_the_other_one_as_it_is() -> None:
    one, other = Distinct(), distinct(["a"])
    one.merge(other)
    one.update(["b"])
    assert (one.count, other.count) == (2, 1)


def test_a_sketch_stays_small() -> None:
    made = distinct([f"user-{n}" for n in range(40_000)])
    assert len(pickle.dumps(made)) < 40_000


@given(TEXTS, TEXTS)
def test_as_long_as_there_are_few_all_are_counted(one: list[str], other: list[str]) -> None:
    merged = frequent(one, 61)
    merged.merge(frequent(other, 61))
    assert merged.counts == Counter(one + other)
    assert merged.lost == 0


@given(TEXTS, TEXTS, st.integers(2, 20))
def test_beyond_that_no_number_is_too_great_and_none_lacks_more_than_is_said(
    one: list[str], other: list[str], most: int
) -> None:
    merged, true = frequent(one, most), Counter(one + other)
    merged.merge(frequent(other, most))
    assert len(merged.counts) <= most
    assert all(true[text] - merged.lost <= merged[text] <= true[text] for text in true)
    assert merged.lost <= 2 * true.total() / most


def test_who_comes_often_is_not_lost_among_many() -> None:
    texts = ["hot"] * 3_000 + [f"user-{n}" for n in range(30_000)]
    random.Random(1).shuffle(texts)
    found = frequent(texts, 1_000)
    assert found.counts.most_common(1)[0][0] == "hot"
    assert 3_000 - found.lost <= found["hot"] <= 3_000

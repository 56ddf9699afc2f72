"""Counts in buckets tell percentiles nearly as well as the durations themselves, and add up."""

from collections import Counter
from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from replay_cli.ledger.latencies import A_DOUBLING, bucket, from_bytes, percentiles, to_bytes

DURATIONS = st.lists(st.floats(0.001, 900), min_size=1, max_size=200)
WIDTH = 2 ** (1 / A_DOUBLING)


@given(DURATIONS)
def test_a_percentile_is_that_of_the_durations_within_a_bucket(seconds: list[float]) -> None:
    found = percentiles(Counter(map(bucket, seconds)), max(seconds))
    assert found is not None
    for share, value in zip((0.5, 0.9, 0.99), found, strict=True):
        true = 1000 * sorted(seconds)[ceil(share * len(seconds)) - 1]
        assert true / WIDTH - 0.1 <= value <= true * WIDTH + 0.1
    assert found.p50 <= found.p90 <= found.p99 <= round(1000 * max(seconds), 1)


def test_without_replies_there_are_no_percentiles() -> None:
    assert percentiles(Counter(), 0.0) is None


def test_no_duration_is_without_a_bucket() -> None:
    assert [bucket(seconds) for seconds in (0.0, -1.0, 0.0009)] == [0, 0, 0]
    assert bucket(1e9) == bucket(1e6) < 256, "its number is a byte"


@given(st.dictionaries(st.integers(0, 120), st.integers(1, 2**40)))
def test_the_checkpoint_gives_back_what_it_keeps(counts: dict[int, int]) -> None:
    assert from_bytes(to_bytes(Counter(counts))) == counts


@given(DURATIONS, DURATIONS)
def test_counts_of_two_times_are_those_of_both_together(first: list[float], second: list[float]) -> None:
    added = Counter(map(bucket, first))
    added.update(Counter(map(bucket, second)))
    assert added == Counter(map(bucket, first + second))

import random

from hypothesis import given
from hypothesis import strategies as st

from replay_cli.delivery.backoff import FIRST, LONGEST, backoff


@given(st.integers(1, 10**6), st.randoms(use_true_random=False))
def test_a_wait_is_never_negative_nor_above_its_doubling_ceiling(failures: int, generator: random.Random) -> None:
    ceiling = FIRST
    for _ in range(min(failures, 30) - 1):
        ceiling = min(2 * ceiling, LONGEST)
    assert 0 <= backoff(failures, generator) <= ceiling


def test_jitter_is_full() -> None:
    """Waits spread over the whole range from zero, so that failures at one moment do not come back at one moment."""
    generator = random.Random(1)
    waits = [backoff(4, generator) for _ in range(1000)]
    assert min(waits) < 0.05 * 4
    assert max(waits) > 0.95 * 4
    assert 1.8 < sum(waits) / len(waits) < 2.2

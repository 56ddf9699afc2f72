"""When a run stops of its own accord, and when a message's budget is used up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.policy import DEFAULT_BEFORE_SUCCESS, JUDGED_FROM, DeadLetterLimit, Policy

COUNTS = st.integers(0, 10_000)


@pytest.mark.parametrize(
    ("limit", "dead", "delivered", "exceeded"),
    [
        (DeadLetterLimit(most=0), 0, 0, False),
        (DeadLetterLimit(most=0), 1, 10_000, True),
        (DeadLetterLimit(most=5), 5, 0, False),
        (DeadLetterLimit(most=5), 6, 0, True),
        (DeadLetterLimit(share=0.1), JUDGED_FROM - 1, 0, False),
        (DeadLetterLimit(share=0.1), JUDGED_FROM, 0, True),
        (DeadLetterLimit(share=0.1), 10, 90, False),
        (DeadLetterLimit(share=0.1), 11, 89, True),
        (DeadLetterLimit(share=0.0), 1, 98, False),
        (DeadLetterLimit(share=0.0), 1, 99, True),
        (DeadLetterLimit(share=1.0), 10_000, 0, False),
        (DeadLetterLimit(), DEFAULT_BEFORE_SUCCESS, 0, False),
        (DeadLetterLimit(), DEFAULT_BEFORE_SUCCESS + 1, 0, True),
        (DeadLetterLimit(), 10_000, 1, False),
    ],
)
def test_so_many_dead_letters_and_no_more(limit: DeadLetterLimit, dead: int, delivered: int, exceeded: bool) -> None:
    assert limit.is_exceeded(dead, delivered, delivered_before=False) is exceeded


def test_a_job_that_has_delivered_before_is_trusted_unless_a_limit_is_set() -> None:
    assert not DeadLetterLimit().is_exceeded(10_000, 0, delivered_before=True)
    assert DeadLetterLimit(most=100).is_exceeded(101, 0, delivered_before=True)
    assert DeadLetterLimit(share=0.5).is_exceeded(101, 0, delivered_before=True)


@given(st.builds(DeadLetterLimit, st.none() | COUNTS, st.none() | st.floats(0, 1)), COUNTS, COUNTS, st.booleans())
def test_another_dead_letter_never_makes_it_better(
    limit: DeadLetterLimit, dead: int, delivered: int, before: bool
) -> None:
    if limit.is_exceeded(dead, delivered, delivered_before=before):
        assert limit.is_exceeded(dead + 1, delivered, delivered_before=before)


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (DeadLetterLimit(most=0), "--max-dead-letters 0"),
        (DeadLetterLimit(share=0.025), "--max-dead-letters 2.5%"),
        (DeadLetterLimit(share=0.1), "--max-dead-letters 10%"),
        (DeadLetterLimit(), "100 dead letters before the first success"),
    ],
)
def test_a_limit_is_named_as_it_is_given(limit: DeadLetterLimit, text: str) -> None:
    assert str(limit) == text


@pytest.mark.parametrize(
    ("failures", "spent", "exhausted"),
    [(0, 0.0, False), (2, 59.9, False), (3, 0.0, True), (1, 60.0, True), (9, 600.0, True)],
)
def test_a_budget_is_attempts_or_seconds_whichever_is_used_up_first(
    failures: int, spent: float, exhausted: bool
) -> None:
    assert Policy(retry_for=60.0, max_attempts=3).is_exhausted(failures, spent) is exhausted


def test_without_a_number_of_attempts_only_the_time_counts() -> None:
    policy = Policy(retry_for=60.0, max_attempts=0)
    assert not policy.is_exhausted(1_000_000, 59.0)
    assert policy.is_exhausted(1, 60.0)

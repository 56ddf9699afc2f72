"""The window for duplicates gives what a naive one gives, whichever numbers share a slot."""

from collections import Counter, deque
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from replay_cli.segment.duplicates import LARGEST, Window, duplicates

NUMBERS = st.one_of(
    st.integers(0, 5),
    st.integers(0, 60),
    st.integers(0, 50).map(lambda n: n << 48),  # the same low bits
    st.integers(0, 50).map(lambda n: n * 2**4 * 3**2 * 5 * 7 * 11 * 13),  # the same slot, of most sizes
    st.integers(0, 2**64 - 1),
)


class NaiveWindow:
    """Says of each message whether it is among the last ones, by looking at them all."""

    def __init__(self, size: int) -> None:
        self._last: deque[int] = deque(maxlen=size)

    def take(self, number: int) -> bool:
        is_duplicate = number in self._last
        self._last.append(number)
        return is_duplicate


def takes(window: Window | NaiveWindow, numbers: Sequence[int]) -> list[bool]:
    return [window.take(number) for number in numbers]


@given(st.integers(1, 40), st.integers(0, 2**32), st.lists(NUMBERS, max_size=200))
@example(1, 0, [7, 7, 8, 7])
@example(2, 0, [0, 1, 2, 0, 0, 3, 0])
def test_a_duplicate_is_what_is_among_the_last_messages(size: int, salt: int, numbers: list[int]) -> None:
    assert takes(Window(size, salt), numbers) == takes(NaiveWindow(size), numbers)


@settings(max_examples=60)
@given(st.integers(1, 100), st.integers(1, 200), st.randoms(use_true_random=False))
def test_it_is_exact_over_many_rounds(size: int, different: int, dice: Random) -> None:
    numbers = [dice.randrange(different) << 40 for _ in range(5 * size)]
    assert takes(Window(size, 3), numbers) == takes(NaiveWindow(size), numbers)


@pytest.mark.parametrize("size", [1, 2, 3, 16, 1000])
@pytest.mark.parametrize("before", [0, 1, 500, 999, 1000, 1500])
def test_the_window_reaches_back_exactly_its_size(size: int, before: int) -> None:
    window = Window(size)
    others = iter(range(10_000, 20_000))
    for other, _ in zip(others, range(before), strict=False):
        assert not window.take(other)
    assert takes(window, [1, *(next(others) for _ in range(size - 1)), 1])[-1], "the oldest of them"
    assert not takes(window, [*(next(others) for _ in range(size)), 1])[-1], "one too old"


@given(st.integers(1, 30), st.lists(NUMBERS, max_size=80), st.lists(NUMBERS, max_size=40))
def test_a_window_that_is_filled_again_goes_on_as_it_was(size: int, before: list[int], after: list[int]) -> None:
    window, filled = Window(size, 1), Window(size, 2)
    takes(window, before)
    filled.fill(before[-size:])
    assert takes(filled, after) == takes(window, after)


def test_duplicates_are_told_by_their_ordinals() -> None:
    window = Window(10)
    assert duplicates({3: 7, 5: 8, 9: 7}, window) == {9}
    assert duplicates({0: 8, 1: 9, 2: 9}, window) == {0, 2}
    assert duplicates({}, window) == set()


def test_which_messages_share_a_slot_is_not_known_from_outside() -> None:
    """Or ids could be made up that all share one, and each would be compared with all others."""
    slots = Counter(Window(10_000, salt)._slots for salt in range(0, 10**6, 997))
    assert len(slots) > 300
    assert min(slots) > 10_000, "there is always a free one"


@pytest.mark.parametrize("size", [0, -1, LARGEST + 1])
def test_a_size_out_of_bounds_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="a window reaches back 1 to"):
        Window(size)

"""Duplicates by message id: exactly those within the last so many messages.

Messages are counted in rounds of the window's size. A table knows those of this round, a second one those of the round
before, of which as many have left the window as have come in this round. So nothing is ever taken out of a table.
"""

from array import array
from collections.abc import Iterable, Mapping

DUPLICATE = "duplicate"
"""The reason for which a duplicate is skipped."""
LARGEST = 200_000_000
"""Messages in the largest window (4.4 GB)."""
_VARIETY = 16
"""The number of slots varies by a sixteenth of the size, by the salt."""


class Window:
    """The last `size` messages; what is known of each is its number, and numbers of 64 bits are kept whole.

    It takes 22 bytes of memory a message, all at once.

    Args:
        size: how many messages it reaches back, at most `LARGEST`.
        salt: any number that those who make up message ids cannot know: it decides which messages share a slot.
    """

    def __init__(self, size: int, salt: int = 0) -> None:
        if not 0 < size <= LARGEST:
            raise ValueError(f"a window reaches back 1 to {LARGEST:,} messages, not {size:,}")
        self._size = size
        self._slots = size + 3 * size // 4 + 2 - salt % (size // _VARIETY + 1)
        self._place = 0
        # The numbers by their places in their round, from 1; and the tables, number → the last place where it stands
        # (0: a free slot), by open addressing.
        self._numbers = array("Q", [0]) * (size + 1)
        self._this_round = self._empty_table()
        self._round_before = self._empty_table()

    def _empty_table(self) -> "array[int]":
        return array("I", [0]) * self._slots

    def take(self, number: int) -> bool:
        """Take a message; True when it is a duplicate. In any case it is now the newest.

        Args:
            number: what its id becomes, of at most 64 bits.
        """
        # Every message may pass here, up to 30,000 a second: written out for speed.
        if self._place == self._size:
            self._begin_round()
        self._place = place = self._place + 1
        numbers, slots = self._numbers, self._slots
        home = slot = number % slots
        table = self._this_round
        while other := table[slot]:
            if numbers[other] == number:
                table[slot] = place
                numbers[place] = number
                return True
            slot += 1
            if slot == slots:
                slot = 0
        table[slot] = place
        table, is_duplicate = self._round_before, False
        while other := table[home]:
            if other >= place and numbers[other] == number:  # or it has left the window, and its place is taken
                is_duplicate = True
                break
            home += 1
            if home == slots:
                home = 0
        numbers[place] = number
        return is_duplicate

    def _begin_round(self) -> None:
        self._round_before = self._this_round  # before another is made: there are never three
        self._this_round = self._empty_table()
        self._place = 0

    def fill(self, numbers: Iterable[int]) -> None:
        """Take messages that an earlier run has taken, oldest first."""
        for number in numbers:
            self.take(number)


def duplicates(numbers: Mapping[int, int], window: Window) -> set[int]:
    """Take the messages of a batch into the window, and return the ordinals of those that are duplicates.

    Args:
        numbers: ordinal → number, in the order of the archive.
        window: those taken before.
    """
    take = window.take
    return {ordinal for ordinal, number in numbers.items() if take(number)}

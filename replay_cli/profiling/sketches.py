"""What cannot be counted exactly in bounded memory: how many different texts there are, and which come often (pure)."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from replay_cli.profiling.tally import add_up

_WAITING = 1 << 15
"""Texts that wait to be put into a sketch, which is a call for each: most of them come again meanwhile."""
_PLACES = 1 << 15
_EXACT_SHARE = 11
"""A sketch knows every text's hash as long as there are fewer than its places divided by this."""


class Distinct:
    """How many different texts there are: exactly while they are few, then estimated by a HyperLogLog sketch.

    The estimate depends on the texts alone, not on their order, nor on how they were spread over what was merged.

    Args:
        places: how many bytes the sketch takes at most, a power of 2. It is exact up to an eleventh of that; the
            standard error beyond is that of their square root.
        waiting: texts that it keeps until it takes them.
    """

    def __init__(self, places: int = _PLACES, waiting: int = _WAITING) -> None:
        self._places = places
        self._most_waiting = waiting
        self._waiting: set[str] = set()
        self._sketch: Any = None

    def update(self, texts: Iterable[str]) -> None:
        """Take texts; they are valid Unicode, and short."""
        self._waiting.update(texts)
        if len(self._waiting) > self._most_waiting:
            self._put_in()

    def merge(self, other: "Distinct") -> None:
        """Take what another one has taken."""
        other._put_in()
        self._put_in()
        if other._sketch is not None:
            self._sketch = self._united(other._sketch if self._sketch is None else self._sketch, other._sketch)

    @property
    def count(self) -> int:
        """How many there are, or about as many."""
        self._put_in()
        # Twice: united with itself, a sketch is judged by what is in it, and no more by the order in which it came.
        return 0 if self._sketch is None else round(self._united(self._sketch, self._sketch).get_estimate())

    @property
    def error(self) -> float:
        """The relative standard error of the number; 0 where it is exact."""
        return 0.0 if self.count < self._places // _EXACT_SHARE else 1.04 / self._places**0.5

    @property
    def _binary_logarithm(self) -> int:
        return self._places.bit_length() - 1

    def _put_in(self) -> None:
        if self._waiting:
            if self._sketch is None:
                from datasketches import hll_sketch, tgt_hll_type

                self._sketch = hll_sketch(self._binary_logarithm, tgt_hll_type.HLL_8)
            put = self._sketch.update
            for text in self._waiting:
                put(text)
            self._waiting.clear()

    def _united(self, one: Any, other: Any) -> Any:
        from datasketches import hll_union, tgt_hll_type

        union = hll_union(self._binary_logarithm)
        union.update(one)
        union.update(other)
        return union.get_result(tgt_hll_type.HLL_8)

    def __getstate__(self) -> tuple[int, int, bytes | None]:
        self._put_in()
        return self._places, self._most_waiting, None if self._sketch is None else self._sketch.serialize_compact()

    def __setstate__(self, state: tuple[int, int, bytes | None]) -> None:
        self._places, self._most_waiting, written = state
        self._waiting = set()
        self._sketch = None
        if written is not None:
            from datasketches import hll_sketch

            self._sketch = hll_sketch.deserialize(written)


class Frequent:
    """How often texts come: exactly while there are few, then of those that come often (Misra and Gries, mergeable).

    A number is too small by `lost` at most, which is less than twice what was counted, divided by `most`.

    Args:
        most: different texts that are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.counts: Counter[str] = Counter()
        self.lost = 0

    def update(self, texts: Iterable[str]) -> None:
        """Count texts, which are short."""
        self.counts.update(texts)
        self._shrink()

    def merge(self, other: "Frequent") -> None:
        """Count what another one has counted."""
        add_up(self.counts, other.counts)
        self.lost += other.lost
        self._shrink()

    def __getitem__(self, text: str) -> int:
        return self.counts[text]

    def _shrink(self) -> None:
        """Take as much from every number as leaves half of the texts at most."""
        if len(self.counts) > self._most:
            less = sorted(self.counts.values(), reverse=True)[self._most // 2]
            self.counts = Counter({text: number - less for text, number in self.counts.items() if number > less})
            self.lost += less

"""Messages that an archive has several times, told by their ids (pure)."""

from collections import Counter
from collections.abc import Collection, Sequence
from itertools import islice
from zlib import crc32

from replay_cli.model import RecordBatch
from replay_cli.profiling.excerpts import Excerpts
from replay_cli.profiling.tally import add_up
from replay_cli.profiling.texts import ids, valid

MOST_IDS = 1 << 16
_MOST_HALVINGS = 24
"""A sample of 2**-24 is filled by a billion ids; those who make up ids to fill it all the same are counted no more."""
DUPLICATE = "duplicate"


class Repeats:
    """Counts ids that come again, wherever: exactly while they are few, then in a sample of them, by their hash.

    The number depends on the ids alone, not on their order, nor on how they were spread over what was merged.
    """

    def __init__(self) -> None:
        self.with_id = self.without_id = 0
        self.ones = Excerpts()
        self._numbers: Counter[str] = Counter()
        self._halvings = 0

    def take(self, message_ids: Sequence[object], ordinals: Sequence[int], batch: RecordBatch) -> None:
        """Take a batch's messages.

        Args:
            message_ids: of all of them.
            ordinals: where they stand.
            batch: that they are of.
        """
        texts = ids(message_ids)
        known = list(filter(None, texts))
        self.with_id += len(known)
        self.without_id += len(texts) - len(known)
        if self._halvings:
            known = self._sampled(known)
        before = len(self._numbers)
        self._numbers.update(known)
        if len(self._numbers) - before < len(known) and self.ones.wants(DUPLICATE, valid(batch.object.uri)):
            self._keep(texts, ordinals, batch)
        self._shrink()

    def _sampled(self, texts: Collection[str]) -> list[str]:
        mask = (1 << self._halvings) - 1
        return [text for text, hash_ in zip(texts, map(crc32, map(str.encode, texts)), strict=True) if not hash_ & mask]

    def _keep(self, texts: Sequence[str], ordinals: Sequence[int], batch: RecordBatch) -> None:
        """Keep duplicates to look at: of a batch that is counted already."""
        here = Counter(texts)
        before = {text: self._numbers[text] - number for text, number in here.items() if text in self._numbers}
        for text, ordinal in zip(texts, ordinals, strict=True):
            if text in before:
                if before[text]:
                    self.ones.add(DUPLICATE, batch, ordinal, f"messageId {text} is there already")
                before[text] += 1

    def _shrink(self) -> None:
        while len(self._numbers) > MOST_IDS and self._halvings < _MOST_HALVINGS:
            self._halve()
        if len(self._numbers) > MOST_IDS:
            self._numbers = Counter(dict(islice(self._numbers.items(), MOST_IDS)))

    def _halve(self) -> None:
        self._halvings += 1
        self._numbers = Counter({text: self._numbers[text] for text in self._sampled(self._numbers)})

    def merge(self, other: "Repeats") -> None:
        """Count what another one has counted."""
        self.with_id += other.with_id
        self.without_id += other.without_id
        self.ones.merge(other.ones)
        while self._halvings < other._halvings:
            self._halve()
        theirs = other._numbers
        if other._halvings < self._halvings:
            theirs = Counter({text: theirs[text] for text in self._sampled(theirs)})
        add_up(self._numbers, theirs)
        self._shrink()

    @property
    def is_exact(self) -> bool:
        """Whether all ids were counted."""
        return not self._halvings

    @property
    def messages(self) -> int:
        """Messages whose id another one had before them, or about as many: as many of all as in the sample."""
        return round(self.with_id * self._share)

    @property
    def error(self) -> float:
        """One standard error of that number; 0 where it is exact."""
        if self.is_exact or not self._numbers:
            return 0.0
        total, repeated = self._numbers.total(), self._numbers.total() - len(self._numbers)
        # In whole numbers, and sorted: so it is the same however they came.
        alike = sorted(Counter(self._numbers.values()).items())
        squares = sum(ids * (number * (total - repeated) - total) ** 2 for number, ids in alike)
        return float((squares * (1 - 0.5**self._halvings)) ** 0.5 / total * self.with_id / total)

    @property
    def _share(self) -> float:
        """How many of the messages that are counted have an id that is there already."""
        total = self._numbers.total()
        return 1 - len(self._numbers) / total if total else 0.0

"""What would become of the records, with the reasons and examples (pure)."""

from collections import Counter
from operator import attrgetter

from replay_cli.preparation import Prepared
from replay_cli.profiling.excerpts import Excerpts
from replay_cli.profiling.onlooker import Warned
from replay_cli.profiling.tally import Tally
from replay_cli.profiling.texts import name, valid

_reason = attrgetter("reason")


class Book:
    """Counts records: `read = sendable + skipped + rejected`."""

    def __init__(self) -> None:
        self.read = 0
        self.skipped: Tally[str] = Tally()
        self.rejected: Tally[str] = Tally()
        self.warnings: Tally[str] = Tally()
        self.skipped_ones = Excerpts()
        self.rejected_ones = Excerpts()
        self.warned_ones = Excerpts()

    @property
    def sendable(self) -> int:
        """Records that become requests."""
        return self.read - self.skipped.total - self.rejected.total

    def take(self, prepared: Prepared, warned: Warned) -> None:
        """Take a batch."""
        self.read += prepared.records
        self.warnings.add(prepared.warnings)
        if prepared.skipped:
            self._take_skipped(prepared)
        if prepared.rejected:
            self.rejected.add(Counter([name(rejected.reason) for rejected in prepared.rejected]))
            for ordinal, reason, detail, _ in prepared.rejected:
                self.rejected_ones.add(name(reason), prepared.batch, ordinal, detail)
        for ordinal, details in warned:
            for rule, detail in details.items():
                self.warned_ones.add(rule, prepared.batch, ordinal, detail)

    def _take_skipped(self, prepared: Prepared) -> None:
        numbers = Counter(map(_reason, prepared.skipped))
        self.skipped.add(numbers)
        uri = valid(prepared.batch.object.uri)
        wanted = {reason for reason in numbers if self.skipped_ones.wants(reason, uri)}
        if wanted:
            for ordinal, reason in prepared.skipped:
                if reason in wanted:
                    self.skipped_ones.add(reason, prepared.batch, ordinal, "")

    def merge(self, other: "Book") -> None:
        """Take what another one has taken, of records behind these."""
        self.read += other.read
        self.skipped.merge(other.skipped)
        self.rejected.merge(other.rejected)
        self.warnings.merge(other.warnings)
        self.skipped_ones.merge(other.skipped_ones)
        self.rejected_ones.merge(other.rejected_ones)
        self.warned_ones.merge(other.warned_ones)

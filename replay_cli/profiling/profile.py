"""What is in an archive, or in a part of it: of bounded size, to be sent between processes and merged (pure)."""

from collections.abc import Mapping

from replay_cli.profiling.book import Book
from replay_cli.profiling.comparing import Comparison
from replay_cli.profiling.content import Content
from replay_cli.profiling.estimate import InBulk, Workload
from replay_cli.profiling.identity import Identity
from replay_cli.profiling.names import Names
from replay_cli.profiling.repeats import Repeats
from replay_cli.profiling.sending import Sending, longest_user
from replay_cli.profiling.times import Times


class Profile:
    """Everything that is counted; the parts are told about in their modules.

    What is counted depends on the archive alone. Beyond the bounds, which names are kept depends on the order in
    which they came, and so on how the archive was parted, but not on who has read which part.
    """

    def __init__(self) -> None:
        self.book = Book()
        self.content = Content()
        self.times = Times()
        self.identity = Identity()
        self.repeats = Repeats()
        self.names = Names()
        self.sending = Sending()
        self.comparison: Comparison | None = None
        """None where there is nothing to compare with: the job is one of the bulk API already."""

    def merge(self, other: "Profile") -> None:
        """Take the profile of the part that follows this one's."""
        self.book.merge(other.book)
        self.content.merge(other.content)
        self.times.merge(other.times)
        self.identity.merge(other.identity)
        self.repeats.merge(other.repeats)
        self.names.merge(other.names)
        self.sending.merge(other.sending)
        if other.comparison is not None:
            self.comparison = self.comparison or Comparison()
            self.comparison.merge(other.comparison)

    @property
    def deliveries(self) -> Mapping[tuple[str, str], int]:
        """Requests of one record each, by event ("" for what updates a user) and day ("" where there is no time)."""
        return self.sending.deliveries.counts

    @property
    def other_deliveries(self) -> int:
        """Those of all pairs beyond the bound."""
        return self.sending.deliveries.others

    def workload(self) -> Workload:
        """Return what a run would send."""
        sending = self.sending
        return Workload(
            requests=sending.requests,
            records=self.book.sendable,
            read=self.book.read,
            longest_user=longest_user(sending.lanes()),
            users=sending.users,
            events=sending.events,
            people=0 if sending.people.lost else len(sending.people.counts),
        )

    def in_bulk(self) -> InBulk | None:
        """Return what the bulk API would make of the same records; None where there is nothing to compare with."""
        compared = self.comparison
        if compared is None:
            return None
        sending, spent = self.sending, compared.spent
        updates = compared.updates.of(sending.updates - sending.anonymous_updates)
        events = compared.events.of(sending.requests - sending.updates - sending.anonymous_events)
        records = updates + events
        each = spent.users / compared.updates.in_bulk if compared.updates.in_bulk else 1.0
        workload = self.workload()._replace(
            requests=round(spent.requests * compared.batches / compared.compared) if compared.compared else 0,
            records=records,
            longest_user=longest_user(sending.lanes_in_bulk()) if records else None,
            users=round(updates * each),
            events=events,
        )
        return InBulk(workload, self.book.sendable - records)

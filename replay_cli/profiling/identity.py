"""Whose messages an archive has (pure)."""

from collections.abc import Sequence

from replay_cli.moengage.limits import RESERVED_IDS, is_reserved
from replay_cli.profiling.onlooker import Seen
from replay_cli.profiling.sketches import Distinct
from replay_cli.profiling.texts import ids


class Identity:
    """Counts messages by the ids that they have, whether they are sent or not."""

    def __init__(self) -> None:
        self.known = self.anonymous = self.nobody = self.reserved = 0
        self.user_ids = Distinct()
        self.anonymous_ids = Distinct()

    def take(self, seen: Seen) -> None:
        """Take a batch's messages."""
        users, anonymous = ids(seen.users), ids(seen.anonymous)
        known = list(filter(None, users))
        self.known += len(known)
        if len(known) < len(users):
            nobody = sum(not user and not other for user, other in zip(users, anonymous, strict=True))
            self.nobody += nobody
            self.anonymous += len(users) - len(known) - nobody
        if known:
            self.reserved += _count_reserved(known)
        self.user_ids.update(known)
        self.anonymous_ids.update(filter(None, anonymous))

    def merge(self, other: "Identity") -> None:
        """Count what another one has counted."""
        self.known += other.known
        self.anonymous += other.anonymous
        self.nobody += other.nobody
        self.reserved += other.reserved
        self.user_ids.merge(other.user_ids)
        self.anonymous_ids.merge(other.anonymous_ids)


def _count_reserved(users: Sequence[str]) -> int:
    # Nearly never one: that is told without a call for each.
    different = set(users)
    if min(map(len, different)) >= _SHORTEST and RESERVED_IDS.isdisjoint(map(str.lower, different)):
        return 0
    return sum(map(is_reserved, users))


_SHORTEST = 2

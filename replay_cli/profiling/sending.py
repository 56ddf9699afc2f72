"""What would be sent: requests, what they spend, the deliveries of every day, and whose they are (pure)."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from operator import itemgetter
from typing import NamedTuple

from replay_cli.bundling import bundle
from replay_cli.model import Request
from replay_cli.moengage.limits import MOST_NAME
from replay_cli.moengage.mapping import Api
from replay_cli.moengage.packing import weigh
from replay_cli.preparation import Prepared
from replay_cli.profiling.sketches import Distinct, Frequent
from replay_cli.profiling.tally import Tally
from replay_cli.profiling.texts import short

MOST_DELIVERIES = 200_000
"""Pairs of event and day that are counted by themselves."""
_MOST_PEOPLE, _MOST_COMPANIONS = 50_000, 25_000
_users = itemgetter(Request._fields.index("users"))
_day = itemgetter(slice(0, len("2025-03-01")))


class Cutoffs(NamedTuple):
    """Times (`2025-03-01T10:00:00.000Z`) before which messages are old, and older."""

    days_60: str
    days_365: str


class Spent(NamedTuple):
    """Requests as they go out, and what those in bulk spend of MoEngage's budgets of users and events."""

    requests: int
    users: int
    events: int


class Sending:
    """Counts what the records become."""

    def __init__(self) -> None:
        self.requests = self.users = self.events = 0
        self.deliveries: Tally[tuple[str, str]] = Tally(MOST_DELIVERIES)
        """By event as it is sent, "" for what updates a user, and by day, "" where there is no time."""
        self.updates = 0
        self.updated_users = Distinct()
        self.people = Frequent(_MOST_PEOPLE)
        """Requests of one record each, by whom they are for: by the first of their lanes."""
        self._companions = Frequent(_MOST_COMPANIONS)
        """The same by their other lanes."""
        self.anonymous_updates = self.anonymous_events = 0
        """Those of nobody known."""
        self.older_than_60_days = self.older_than_365_days = 0

    def take(self, prepared: Prepared, api: Api, cutoffs: Cutoffs) -> None:
        """Take a batch."""
        if not prepared.requests:
            return
        spent = spend(prepared, api)
        self.requests += spent.requests
        self.users += spent.users
        self.events += spent.events
        self._take_deliveries(prepared)
        self._take_people(prepared)
        self._take_ages(prepared, cutoffs)

    def _take_deliveries(self, prepared: Prepared) -> None:
        numbers = _deliveries(prepared.events, prepared.times)
        if max(map(len, prepared.events)) > MOST_NAME:
            long, numbers = numbers, Counter()
            for (event, day), number in long.items():
                numbers[event[:MOST_NAME], day] += number
        self.deliveries.add(numbers)

    def _take_people(self, prepared: Prepared) -> None:
        lanes = list(map(_users, prepared.requests))
        if set(map(len, lanes)) == {_USUAL}:  # as nearly all: then they are parted at the speed of C
            both = short(list(chain.from_iterable(lanes)))
            first, others = both[::_USUAL], both[1::_USUAL]
        else:
            first = short([users[0] for users in lanes])
            others = short([lane for users in lanes for lane in users[1:]])
            nobodys = [event for lane, event in zip(first, prepared.events, strict=True) if not lane.startswith(_USER)]
            self.anonymous_updates += nobodys.count("")
            self.anonymous_events += len(nobodys) - nobodys.count("")
        self.people.update(first)
        self._companions.update(others)
        updated = [user for user, event in zip(first, prepared.events, strict=True) if not event]
        self.updates += len(updated)
        self.updated_users.update(updated)

    def _take_ages(self, prepared: Prepared, cutoffs: Cutoffs) -> None:
        times: Sequence[str] = prepared.times  # they are in order
        if any(request.part for request in prepared.requests):
            times = [time for time, request in zip(times, prepared.requests, strict=True) if not request.part]
        without = bisect_right(times, "")
        self.older_than_60_days += bisect_left(times, cutoffs.days_60, without) - without
        self.older_than_365_days += bisect_left(times, cutoffs.days_365, without) - without

    def merge(self, other: "Sending") -> None:
        """Count what another one has counted."""
        self.requests += other.requests
        self.users += other.users
        self.events += other.events
        self.deliveries.merge(other.deliveries)
        self.updates += other.updates
        self.updated_users.merge(other.updated_users)
        self.people.merge(other.people)
        self._companions.merge(other._companions)
        self.anonymous_updates += other.anonymous_updates
        self.anonymous_events += other.anonymous_events
        self.older_than_60_days += other.older_than_60_days
        self.older_than_365_days += other.older_than_365_days

    def lanes(self) -> Counter[str]:
        """Return the requests of one record by lane, of those that have many."""
        return self.people.counts + self._companions.counts

    def lanes_in_bulk(self) -> Counter[str]:
        """Return the same for the records that the bulk API takes, too: those of known users."""
        known = {lane: number for lane, number in self.people.counts.items() if lane.startswith(_USER)}
        return Counter(known) + self._companions.counts


def is_known(request: Request) -> bool:
    """Tell whether a request is a known user's: then the lane of that one is its first."""
    return request.users[0].startswith(_USER)


def longest_user(lanes: Counter[str]) -> tuple[str, int] | None:
    """Return who has the longest lane, without the letter that tells whose id it is, and how long it is."""
    if not lanes:
        return None
    lane = min(lanes, key=lambda lane: (-lanes[lane], not lane.startswith(_USER), lane))
    return lane[1:], lanes[lane]


def _deliveries(events: Sequence[str], times: Sequence[str]) -> Counter[tuple[str, str]]:
    """Count pairs of event and day; the times are in order."""
    day = _day(times[0])
    if day == _day(times[-1]):
        return Counter({(event, day): number for event, number in Counter(events).items()})
    return Counter(zip(events, map(_day, times), strict=True))


def spend(prepared: Prepared, api: Api) -> Spent:
    """Return the requests that a batch goes out in, and what they spend; customers and devices are users."""
    requests = prepared.requests
    if api.pack is None:
        return Spent(len(requests), 0, 0)
    updates = [request for request, event in zip(requests, prepared.events, strict=True) if not event]
    users = sum(weigh(request.body).users for request in updates)
    return Spent(len(bundle(requests, api.pack, api.max_body_bytes)), users, len(requests) - len(updates))


_USER = "u"
"""What the lane of a user id begins with; that of an anonymous id has an "a"."""
_USUAL = 2
"""Lanes of a request: those of its user id and its anonymous id."""

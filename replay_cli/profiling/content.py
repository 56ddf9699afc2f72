"""What the messages of an archive are, where they come from, and what their users consented to (pure)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from replay_cli.moengage.limits import MOST_NAME
from replay_cli.preparation import iso_instant
from replay_cli.profiling.instants import UNREADABLE
from replay_cli.profiling.onlooker import Kind, Seen
from replay_cli.profiling.tally import Tally
from replay_cli.profiling.texts import name, valid
from replay_cli.segment.criteria import DEVICE_MODE_LIBRARIES
from replay_cli.segment.layout import Place

if TYPE_CHECKING:
    from replay_cli.profiling.instants import Instants

UNKNOWN = "(unknown)"
"""What stands for a source or a day of receipt that nothing tells."""
GRANTED, REFUSED = "granted", "refused"
_DAY = 86_400_000
_MOST_DAYS = 10_000
_MOST_CATEGORIES = 1_000


class Content:
    """Counts messages by what is in them, whether they are sent or not."""

    def __init__(self) -> None:
        self.messages = 0
        self.types: Tally[str] = Tally()
        self.events: Tally[str] = Tally()
        self.sources: Tally[str] = Tally()
        self.days: Tally[str] = Tally(_MOST_DAYS)
        self.libraries: Tally[str] = Tally()
        self.device_mode = 0
        self.asked = 0
        self.consents: Tally[tuple[str, str]] = Tally(2 * _MOST_CATEGORIES)

    def take(self, seen: Seen, received: "Instants", place: Place) -> None:
        """Take a batch's messages.

        Args:
            seen: the messages.
            received: the instants of their `receivedAt`.
            place: what their object's path tells.
        """
        number = len(seen.ordinals)
        self.messages += number
        self._take_kinds(seen.kinds)
        self.sources.add({valid(place.source_id or UNKNOWN)[:MOST_NAME]: number})
        if any(seen.consents):
            self._take_consents(seen.consents)
        if place.day is None:
            self.days.add(_days(received))
        else:
            # As a selection by receipt takes it: what a folder holds was received on its day.
            self.days.add({place.day.isoformat(): number})

    def _take_kinds(self, kinds: Mapping[Kind, int]) -> None:
        types, events, libraries = Counter[str](), Counter[str](), Counter[str]()
        for (type_, event, library, version), number in kinds.items():
            types[name(type_)] += number
            libraries[name(" ".join(filter(None, (library, version))))] += number
            if event:
                events[name(event)] += number
            if library and library.lower() in DEVICE_MODE_LIBRARIES:
                self.device_mode += number
        self.types.add(types)
        self.events.add(events)
        self.libraries.add(libraries)

    def _take_consents(self, consents: Sequence[Any]) -> None:
        numbers: Counter[tuple[str, str]] = Counter()
        for consent in consents:
            preferences = consent.get("categoryPreferences") if consent.__class__ is dict else consent
            self.asked += preferences is not None
            if preferences.__class__ is dict:
                for category, is_given in preferences.items():
                    numbers[category[:MOST_NAME], GRANTED if is_given is True else REFUSED] += 1
        self.consents.add(numbers)

    def merge(self, other: "Content") -> None:
        """Count what another one has counted."""
        self.messages += other.messages
        self.types.merge(other.types)
        self.events.merge(other.events)
        self.sources.merge(other.sources)
        self.days.merge(other.days)
        self.libraries.merge(other.libraries)
        self.device_mode += other.device_mode
        self.asked += other.asked
        self.consents.merge(other.consents)


def _days(received: "Instants") -> Counter[str]:
    import numpy as np

    days, numbers = np.unique(received // _DAY, return_counts=True)
    found: Counter[str] = Counter()
    for day, number in zip(days.tolist(), numbers.tolist(), strict=True):
        found[UNKNOWN if day == UNREADABLE // _DAY else iso_instant(day * _DAY / 1000)[:10]] += number
    return found

"""What the messages of an archive are, where they come from, and what their users consented to (pure)."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from replay_cli.moengage.limits import MOST_NAME
from replay_cli.preparation import iso_instant
from replay_cli.profiling.instants import UNREADABLE
from replay_cli.profiling.onlooker import Seen
from replay_cli.profiling.tally import Tally
from replay_cli.profiling.texts import NONE, counted, cut, valid
from replay_cli.segment.criteria import DEVICE_MODE_LIBRARIES
from replay_cli.segment.layout import Place
from replay_cli.segment.lists import text_of_id

if TYPE_CHECKING:
    from replay_cli.profiling.instants import Instants

UNKNOWN = "(unknown)"
"""What stands for a source or a day of receipt that nothing tells."""
GRANTED, REFUSED = "granted", "refused"
_DAY = 86_400_000
_MOST_DAYS = 10_000
_MOST_CATEGORIES = 1_000
_TEXTS = {str}


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
        self.types.add(counted(seen.types))
        events = counted(seen.events)
        events.pop(NONE, None)
        self.events.add(events)
        self.sources.add({valid(place.source_id or UNKNOWN)[:MOST_NAME]: number})
        self._take_libraries(seen)
        if any(seen.consents):
            self._take_consents(seen.consents)
        if place.day is None:
            self.days.add(_days(received))
        else:
            # As a selection by receipt takes it: what a folder holds was received on its day.
            self.days.add({place.day.isoformat(): number})

    def _take_libraries(self, seen: Seen) -> None:
        numbers = _pairs(seen.libraries, seen.versions)
        self.libraries.add(cut(Counter({" ".join(filter(None, pair)): n for pair, n in numbers.items()})))
        self.device_mode += sum(n for (name, _), n in numbers.items() if name.lower() in DEVICE_MODE_LIBRARIES)

    def _take_consents(self, consents: Sequence[Any]) -> None:
        numbers: Counter[tuple[str, str]] = Counter()
        for consent in consents:
            preferences = consent.get("categoryPreferences") if consent.__class__ is dict else consent
            self.asked += preferences is not None
            if preferences.__class__ is dict:
                for name, is_given in preferences.items():
                    numbers[name[:MOST_NAME], GRANTED if is_given is True else REFUSED] += 1
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


def _pairs(names: Sequence[Any], versions: Sequence[Any]) -> Counter[tuple[str, str]]:
    """Count pairs of name and version, as texts; "" for none."""
    try:
        numbers = Counter(zip(names, versions, strict=True))
        if all(_TEXTS.issuperset(map(type, pair)) for pair in numbers):
            return numbers
    except TypeError:  # lists and objects
        pass
    return Counter(zip(*([text_of_id(value) or "" for value in values] for values in (names, versions)), strict=True))


def _days(received: "Instants") -> Counter[str]:
    import numpy as np

    days, numbers = np.unique(received // _DAY, return_counts=True)
    found: Counter[str] = Counter()
    for day, number in zip(days.tolist(), numbers.tolist(), strict=True):
        found[UNKNOWN if day == UNREADABLE // _DAY else iso_instant(day * _DAY / 1000)[:10]] += number
    return found

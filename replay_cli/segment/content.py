"""Which messages are meant by what is in them: type, event, user, consent, … (pure)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from replay_cli.segment.criteria import (
    DEVICE_MODE_LIBRARIES,
    meeting,
    of_events,
    of_types,
    of_users,
    with_consent,
    without_device_mode,
    without_identifies,
    without_turned_off,
)
from replay_cli.segment.event_patterns import covers
from replay_cli.segment.fql import compile_condition
from replay_cli.segment.sampling import WHOLE, Sample
from replay_cli.segment.selector import Selector, all_of

IDENTIFY = "identify"
NONE = "none"
"""The value of `--identify` that leaves identifies out."""
_SHOWN = 5


@dataclass(frozen=True)
class Content:
    """The criteria by what is in a message; by default it means all. A message has to meet each one that is set.

    Args:
        types: of one of these types (`track`, `identify`, …); none are all.
        without_identifies: no identifies.
        events: with an event of one of these names or patterns (`event_patterns`); none are all.
        user_ids: with one of these user ids; none are all.
        without_device_mode: none of the libraries that may have reached MoEngage by its SDK.
        without_turned_off: none whose own `integrations` turned MoEngage off. By default these are ignored, as in
            Segment's own Replay (documented).
        consent: consented to all of these categories, where consent was asked at all.
        where: a condition in the FQL of destination filters; "" is none.
        sample: of the users in this sample.
    """

    types: frozenset[str] = frozenset()
    without_identifies: bool = False
    events: frozenset[str] = frozenset()
    user_ids: frozenset[str] = frozenset()
    without_device_mode: bool = False
    without_turned_off: bool = False
    consent: frozenset[str] = frozenset()
    where: str = ""
    sample: Sample = WHOLE

    @cached_property
    def selector(self) -> Selector | None:
        """What decides for each message, compiled once; None when all are meant.

        Raises:
            PointedError: the condition cannot be understood.
        """
        return all_of(
            [
                of_types(self.types) if self.types else None,
                without_identifies if self.without_identifies else None,
                of_events(self.events) if self.events else None,
                of_users(self.user_ids) if self.user_ids else None,
                without_device_mode if self.without_device_mode else None,
                without_turned_off if self.without_turned_off else None,
                with_consent(self.consent) if self.consent else None,
                meeting(compile_condition(self.where)) if self.where else None,
                self.sample.selector(),
            ]
        )

    def meets_types(self, types: frozenset[str] | None) -> bool:
        """Tell whether anything of one of these types can be meant; what is not known (None) could."""
        meant = self.types - {IDENTIFY} if self.without_identifies else self.types
        return not self.types or types is None or not meant.isdisjoint(types)

    @property
    def is_any(self) -> bool:
        """Whether it leaves nothing out."""
        return self == ANY

    def is_within(self, other: "Content") -> bool:
        """Tell whether another one surely means all that this one means."""
        return (
            _is_part(self.types, other.types)
            and self.without_identifies >= other.without_identifies
            and (not other.events or (bool(self.events) and all(covers(other.events, name) for name in self.events)))
            and _is_part(self.user_ids, other.user_ids)
            and self.without_device_mode >= other.without_device_mode
            and self.without_turned_off >= other.without_turned_off
            and self.consent >= other.consent
            and other.where in ("", self.where)
            and self.sample.is_within(other.sample)
        )

    def settings(self) -> dict[str, Any]:
        """Return what a checkpoint keeps of it: by option, what is set."""
        settings = {
            "type": sorted(self.types),
            "identify": NONE if self.without_identifies else "",
            "event": sorted(self.events),
            "user_id": sorted(self.user_ids),
            "exclude_device_mode": self.without_device_mode,
            "exclude_integrations": self.without_turned_off,
            "require_consent": sorted(self.consent),
            "where": self.where,
            "sample": "" if self.sample.is_whole else str(self.sample),
        }
        return {name: value for name, value in settings.items() if value}

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "Content":
        """Make it of what `settings` returned; other settings may be among them."""
        return cls(
            types=frozenset(settings.get("type") or ()),
            without_identifies=settings.get("identify") == NONE,
            events=frozenset(settings.get("event") or ()),
            user_ids=frozenset(settings.get("user_id") or ()),
            without_device_mode=bool(settings.get("exclude_device_mode")),
            without_turned_off=bool(settings.get("exclude_integrations")),
            consent=frozenset(settings.get("require_consent") or ()),
            where=settings.get("where") or "",
            sample=Sample.read(settings["sample"]) if settings.get("sample") else WHOLE,
        )

    def explain(self) -> list[str]:
        """Say what was understood, in lines for people."""
        lines = {
            f"types: {', '.join(sorted(self.types))}": self.types,
            "identifies are left out": self.without_identifies,
            f"events: {_listed(self.events)}; what has no event name is left out": self.events,
            f"user ids: {_listed(self.user_ids)}": self.user_ids,
            f"left out: what came from {', '.join(DEVICE_MODE_LIBRARIES)}": self.without_device_mode,
            "left out: what turned MoEngage off by its own integrations": self.without_turned_off,
            f"consent to {_listed(self.consent)} is needed, where consent was asked at all": self.consent,
            f"where {self.where}": self.where,
            f"sample: {self.sample} of the users, by user id, else anonymous id: what a user did before being "
            "identified may fall into another one": not self.sample.is_whole,
        }
        return [line for line, is_set in lines.items() if is_set]

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what was compiled: it cannot be pickled, and is made again where it is needed."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


ANY = Content()


def _is_part(one: frozenset[str], other: frozenset[str]) -> bool:
    return not other or (bool(one) and one <= other)


def _listed(names: Iterable[str]) -> str:
    """Write names for people: some of them, where there are many."""
    first, rest = sorted(names)[:_SHOWN], sorted(names)[_SHOWN:]
    return ", ".join(first) + (f" and {len(rest):,} more" if rest else "")

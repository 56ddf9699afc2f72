"""Which fault strikes an attempt: rules, their conditions and their effects, decided without any I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Any, NamedTuple

_ABSENT = object()


class Action(StrEnum):
    """What a fault does to an attempt's reply."""

    PASS = "pass"  # noqa: S105 (no password): the usual reply, perhaps late
    REPLY = "reply"
    RESET = "reset"
    HANG = "hang"
    TRUNCATE = "truncate"


class Effect(NamedTuple):
    """What happens to an attempt that a rule strikes.

    `latency` is a range of seconds to wait before anything is answered. `records` says whether a valid event
    is kept although its sender cannot know. A reply has `document` (JSON) or `text` (HTML) as its body; with
    neither, the documented one of its `status`.
    """

    action: Action
    latency: tuple[float, float] = (0.0, 0.0)
    records: bool = False
    status: int = 200
    headers: Mapping[str, str] = {}
    document: Any = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a fault programme: all its conditions must hold. None is a condition that is not asked.

    `on` is `events` (all but auth checks), `auth` or `all`; `between` is seconds since the programme was set,
    half-open; `match` has dotted paths into the body and the values that they must have. `every` and `first`
    count the attempts that meet these three; `rate` is drawn after them; `times` bounds how often it strikes.
    """

    name: str
    effect: Effect
    on: str = "events"
    between: tuple[float, float] | None = None
    match: Mapping[str, Any] = field(default_factory=dict)
    first: int | None = None
    every: int | None = None
    once_per_message: bool = False
    rate: float | None = None
    times: int | None = None
    seed: int = 0


class Fault(NamedTuple):
    """A rule that struck: its name, its effect, and the seconds drawn from its latency."""

    name: str
    effect: Effect
    latency: float


class Subject(NamedTuple):
    """What conditions look at: the attempt's kind, its body as sent, and the JSON in it (or None)."""

    is_auth_check: bool
    raw: bytes
    document: Any


class Programme:
    """Rules in order, with what they remember; the first that strikes an attempt is its fault."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = [_LiveRule(rule) for rule in rules]

    def decide(self, subject: Subject, elapsed: float) -> Fault | None:
        """Find the fault for an attempt `elapsed` seconds after the programme was set; None for none."""
        for rule in self._rules:
            fault = rule.strike(subject, elapsed)
            if fault is not None:
                return fault
        return None


class _LiveRule:
    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._random = Random(rule.seed)
        self._met = 0
        self._struck = 0
        self._messages: set[int] = set()

    def strike(self, subject: Subject, elapsed: float) -> Fault | None:
        rule = self._rule
        if not self._applies(subject, elapsed):
            return None
        self._met += 1
        if not self._is_turn(subject):
            return None
        self._struck += 1
        if rule.once_per_message:
            self._messages.add(hash(subject.raw))
        return Fault(rule.name, rule.effect, self._random.uniform(*rule.effect.latency))

    def _applies(self, subject: Subject, elapsed: float) -> bool:
        rule = self._rule
        if rule.on != "all" and (rule.on == "auth") != subject.is_auth_check:
            return False
        if rule.between is not None and not rule.between[0] <= elapsed < rule.between[1]:
            return False
        return all(_is_same(_look_up(subject.document, path), value) for path, value in rule.match.items())

    def _is_turn(self, subject: Subject) -> bool:
        rule = self._rule
        if rule.first is not None and self._met > rule.first:
            return False
        if rule.every is not None and self._met % rule.every:
            return False
        if rule.times is not None and self._struck >= rule.times:
            return False
        if rule.once_per_message and hash(subject.raw) in self._messages:
            return False
        return rule.rate is None or self._random.random() < rule.rate


def _look_up(document: Any, path: str) -> Any:
    for step in path.split("."):
        if not isinstance(document, dict) or step not in document:
            return _ABSENT
        document = document[step]
    return document


def _is_same(found: Any, wanted: Any) -> bool:
    """Equality as JSON has it: true is not 1."""
    return isinstance(found, bool) is isinstance(wanted, bool) and bool(found == wanted)

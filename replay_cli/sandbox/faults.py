"""Which fault strikes an attempt: rules, their conditions and their effects, decided without any I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Any, NamedTuple

from replay_cli.sandbox.verdicts import failure

_INDEX_DIGITS = 9
"""No list in a body is longer."""


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
    neither, the documented one of its `status`. `refuses` are customer ids: a bulk request with elements of theirs is
    answered by a failure that names these, and any other is not struck.
    """

    action: Action
    latency: tuple[float, float] = (0.0, 0.0)
    records: bool = False
    status: int = 200
    headers: Mapping[str, str] = {}
    document: Any = None
    text: str | None = None
    refuses: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a fault programme: all its conditions must hold. None is a condition that is not asked.

    `on` is `events` (all but auth checks), `auth` or `all`; `between` is seconds since the programme was set,
    half-open; `match` has dotted paths into the body and the values that they must have: a number is an index
    into a list, `*` any of its elements. `every` and `first` count the attempts that meet these three; `rate` is
    drawn after them; `times` bounds how often it strikes.
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
        self._match = [(path.split("."), value) for path, value in rule.match.items()]
        self._random = Random(rule.seed)
        self._met = 0
        self._struck = 0
        self._messages: set[int] = set()

    def strike(self, subject: Subject, elapsed: float) -> Fault | None:
        rule = self._rule
        if not self._applies(subject, elapsed):
            return None
        effect = rule.effect
        if effect.refuses:
            if not (named := _elements_of(subject.document, effect.refuses)):
                return None
            effect = effect._replace(document=_refusal(named))
        self._met += 1
        if not self._is_turn(subject):
            return None
        self._struck += 1
        if rule.once_per_message:
            self._messages.add(hash(subject.raw))
        return Fault(rule.name, effect, self._random.uniform(*effect.latency))

    def _applies(self, subject: Subject, elapsed: float) -> bool:
        rule = self._rule
        if rule.on != "all" and (rule.on == "auth") != subject.is_auth_check:
            return False
        if rule.between is not None and not rule.between[0] <= elapsed < rule.between[1]:
            return False
        return all(_has(subject.document, steps, value) for steps, value in self._match)

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


def _elements_of(document: Any, users: frozenset[str]) -> list[int]:
    """Find the elements of a bulk request that are some users'."""
    elements = document.get("elements") if isinstance(document, dict) else None
    if not isinstance(elements, list):
        return []
    ids = [element.get("customer_id") if isinstance(element, dict) else None for element in elements]
    return [index for index, customer in enumerate(ids) if isinstance(customer, str) and customer in users]


def _refusal(named: Sequence[int]) -> dict[str, Any]:
    places = [f"elements[{index}].customer_id" for index in named]
    message = "; ".join(f"{place}: is refused by the fault programme" for place in places)
    return failure(400, message, "InvalidParams", places[0]).document


def _has(document: Any, steps: Sequence[str], wanted: Any) -> bool:
    places = [document]
    for step in steps:
        places = [part for place in places for part in _step(place, step)]
    return any(_is_same(found, wanted) for found in places)


def _step(place: Any, step: str) -> Sequence[Any]:
    """Find what a step leads to: a member of an object; an element of a list, or any."""
    if isinstance(place, dict):
        return [place[step]] if step in place else []
    if not isinstance(place, list):
        return []
    if step == "*":
        return place
    index = int(step) if _is_index(step) else len(place)
    return place[index : index + 1]


def _is_index(step: str) -> bool:
    return step.isascii() and step.isdigit() and len(step) <= _INDEX_DIGITS


def _is_same(found: Any, wanted: Any) -> bool:
    """Equality as JSON has it: true is not 1."""
    return isinstance(found, bool) is isinstance(wanted, bool) and bool(found == wanted)

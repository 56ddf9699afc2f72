"""From the tokens of a trigger to the function that evaluates it.

The runtime takes the tokens one after the other without a grammar: a known field takes the two tokens after it for its
operator and its value, `contains` and `match` the five after them, whatever they are; all else is passed over.
"""

import re
from collections import deque
from collections.abc import Callable
from difflib import get_close_matches
from typing import NamedTuple

from replay_cli.model import Message
from replay_cli.segment.javascript import string_to_number
from replay_cli.segment.kit.paths import compile_steps
from replay_cli.segment.kit.values import UNDEFINED
from replay_cli.segment.pointed import PointedError
from replay_cli.segment.triggers.comparisons import Check, Expected, compile_check, text_of
from replay_cli.segment.triggers.tokens import Token, read_tokens

Trigger = Callable[[Message], bool]

_OWN = ("type", "event", "name", "userId")
_SECTIONS = ("properties", "traits", "context")
_FIELDS = _OWN + _SECTIONS
_STEP = re.compile(r"[^\[.\]]+")
_PRESENCE = {("!=", "null"): "exists", ("=", "null"): "not_exists"}
_TRUTH = {("=", "true"): "is_true", ("=", "false"): "is_false"}
_NUMBERS = {"=": "number_equals", "!=": "number_not_equals"}


def compile_trigger(text: str) -> Trigger:
    """Compile a trigger, as `type = "track" and event = "Order Completed"`.

    A group in which no field is known (`type = "track" or (messageId = "x")`) makes the runtime fail on the messages
    for which it comes to it: evaluating raises `PointedError` for those.

    Raises:
        PointedError: the runtime finds the trigger invalid, or fails on every message: it would never match.
    """
    trigger = _Parser(text).level(deque(read_tokens(text)))
    if isinstance(trigger, _EmptyGroup):
        raise trigger.error
    return trigger


class Mixed(NamedTuple):
    """A level of a trigger with `and` as well as `or` in it: the last one, `operator`, stands between all its terms."""

    operator: str
    terms: tuple[str, ...]

    def __str__(self) -> str:
        """Write the level as it is evaluated."""
        return f" {self.operator} ".join(self.terms)


def mixed_levels(text: str) -> tuple[Mixed, ...]:
    """Return the levels of a trigger that mix operators, the inner ones first: they hardly mean what they look like.

    Raises:
        PointedError: the trigger is invalid.
    """
    parser = _Parser(text)
    parser.level(deque(read_tokens(text)))
    return tuple(parser.mixed)


class _EmptyGroup:
    """A group, or a whole trigger, in which no known field is compared."""

    def __init__(self, error: PointedError) -> None:
        self.error = error

    def __call__(self, message: Message) -> bool:
        """Fail, as the runtime does; with a new error each time, because a raised one keeps its traceback."""
        raise self.error.named(self.error.name)


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.mixed: list[Mixed] = []

    def level(self, tokens: deque[Token]) -> Trigger:
        """Read one level; the last of `tokens` is the end."""
        start, end = tokens[0], tokens[-1]
        nodes: list[Trigger] = []
        terms: list[str] = []
        unknown: Token | None = None
        operator, operators = "and", set[str]()
        while tokens and (token := tokens.popleft()).kind != "end":
            if token.kind == "conditional":
                operator = token.value
                operators.add(operator)
            elif token.kind == "open":
                nodes.append(self.group(token, tokens))
            elif _is_function(token):
                nodes.extend(self.function(token, tokens, ""))
            elif token == ("operator", "!", token.position) and _is_function(tokens[0]):
                nodes.extend(self.function(tokens.popleft(), tokens, "not_"))
            elif token.kind == "name" and token.value.partition(".")[0] in _FIELDS:
                nodes.append(self.comparison(token, tokens))
            elif token.kind == "name":
                unknown = unknown or token
            if len(nodes) > len(terms):
                after = tokens[0] if tokens else end
                terms.append(self.text[token.position : after.position].rstrip())
        if len(operators) > 1 and len(terms) > 1:
            self.mixed.append(Mixed(operator, tuple(terms)))
        return _combined(nodes, operator) if nodes else _EmptyGroup(self.nothing_known(unknown, start))

    def group(self, opening: Token, tokens: deque[Token]) -> Trigger:
        """Read what stands before the next closing parenthesis, even if that one belongs to a function."""
        inside: deque[Token] = deque()
        while tokens:
            token = tokens.popleft()
            if token.kind == "close":
                inside.append(Token("end", "eos", token.position))
                return self.level(inside)
            inside.append(token)
        raise self.error("this ( is not closed: a group ends at the first ), so groups cannot stand in groups", opening)

    def comparison(self, field: Token, tokens: deque[Token]) -> Trigger:
        """Read the operator and the value of a field."""
        operator, value = self.take(tokens, field), self.take(tokens, field)
        section = field.value.partition(".")[0]
        expected: Expected = _value_of(value)
        if section in _OWN:
            expected = text_of(expected)
        return self.condition(field, section, compile_check(_operator(section, operator, value), expected))

    def function(self, name: Token, tokens: deque[Token], negation: str) -> list[Trigger]:
        """Read `contains(field, text)` or `match(field, pattern)`; about other fields it says nothing."""
        _drop(tokens)
        field = self.take(tokens, name)
        _drop(tokens)
        value = self.take(tokens, name)
        _drop(tokens)
        operator, text = "contains", text_of(_value_of(value))
        if name.value == "match":
            starts = value.value.endswith('*"')
            operator, text = ("starts_with", text[:-1]) if starts else ("ends_with", text[1:])
        check = compile_check(negation + operator, text)
        if field.value in ("event", "name", "userId"):
            return [self.condition(field, field.value, check)]
        return [self.condition(field, section, check) for section in _SECTIONS if field.value.startswith(section)]

    def condition(self, field: Token, section: str, check: Check) -> Trigger:
        """Make the function that checks a field."""
        if section in _OWN:
            return lambda message: check(message.get(section))
        path = field.value.removeprefix(section + ".")
        steps = _STEP.findall(path)
        if path and not steps:
            raise self.error("a field needs a name", field)
        if not path:
            return lambda message: check(UNDEFINED)
        read = compile_steps((section, *steps))
        return lambda message: check(read(message))

    def take(self, tokens: deque[Token], before: Token) -> Token:
        """Take the next token, whatever it is."""
        if not tokens:
            raise self.error(f"something is missing after {before.value}", before)
        return tokens.popleft()

    def nothing_known(self, unknown: Token | None, start: Token) -> PointedError:
        """Say that no known field is compared, and which one may be meant."""
        nearest = get_close_matches(unknown.value.partition(".")[0], _FIELDS, 1) if unknown else []
        instead = f"; is {nearest[0]} meant?" if nearest else ""
        known = ", ".join([*_OWN, *(f"{section}.…" for section in _SECTIONS)])
        return self.error(f"this compares no field that a trigger knows: {known}{instead}", unknown or start)

    def error(self, problem: str, token: Token) -> PointedError:
        """Make an error about a token."""
        return PointedError(problem, self.text, token.position)


def _combined(nodes: list[Trigger], operator: str) -> Trigger:
    """Make one condition of those of a level."""
    if len(nodes) == 1 or isinstance(nodes[0], _EmptyGroup):
        return nodes[0]
    if len(nodes) == 2:
        first, second = nodes
        if operator == "and":
            return lambda message: first(message) and second(message)
        return lambda message: first(message) or second(message)
    decide = all if operator == "and" else any
    return lambda message: decide(node(message) for node in nodes)


def _operator(section: str, operator: Token, value: Token) -> str:
    """Name the comparison that an operator means for a field and a value."""
    special = (operator.value, value.value)
    if special in _PRESENCE and section not in ("type", "event"):
        return _PRESENCE[special]
    if special in _TRUTH and section not in ("type", "event", "name"):
        return _TRUTH[special]
    if value.kind == "number" and section in _SECTIONS:
        return _NUMBERS.get(operator.value, operator.value)
    return operator.value


def _value_of(token: Token) -> Expected:
    if token.kind == "string":
        return token.value.removeprefix('"').removesuffix('"')
    if token.kind == "number":
        return string_to_number(token.value)
    if token.kind == "name" and token.value in ("true", "false"):
        return token.value == "true"
    return token.value


def _is_function(token: Token) -> bool:
    return token.kind == "name" and token.value in ("contains", "match")


def _drop(tokens: deque[Token]) -> None:
    if tokens:
        tokens.popleft()

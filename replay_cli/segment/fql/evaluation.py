"""From the tree of an expression to one function of a message.

Every node becomes a closure once, and knows by then all that does not depend on the message: this runs for each
message, tens of thousands of times a second.
"""

import operator
from collections.abc import Callable
from typing import Any

from replay_cli.model import Message
from replay_cli.segment.fql.fields import Reader, compile_path
from replay_cli.segment.fql.functions import compile_function
from replay_cli.segment.fql.glob import compile_glob
from replay_cli.segment.fql.parser import parse
from replay_cli.segment.fql.tree import Call, Comparison, Every, Field, Literal, Node, Not, Operand, Some
from replay_cli.segment.fql.values import NUMBERS, equal, have_an_order

Condition = Callable[[Message], bool]
"""Message → whether it is meant; never raises."""

_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


def compile_condition(text: str) -> Condition:
    r"""Return what tells for each message whether an expression is true of it.

    The dialect is that of Segment's destination filters (documented there). Types are strict: values of two kinds are
    never equal, and `<` means something between two numbers, or two texts (by code points), only. What is absent is
    null. What the documentation leaves open is decided so that a mistake is heard rather than matching nothing:

    - A field alone is no condition, as it is no boolean: `properties.vip = true`, or `bool(properties.vip)`.
    - `!` stands before a function, a parenthesis or another `!`: `!a = b` could mean two things.
    - To the right of a field, a single name that no message has at its top is refused: it is text without quotes, or
      it is a field and written with a backslash (`\name`).
    - `contains` looks into text only (a list is looked into by `in`); a pattern of `match` is written out.

    Raises:
        PointedError: the expression cannot be understood.
    """
    return _condition(parse(text))


def _condition(node: Node) -> Condition:
    match node:
        case Every():
            return _every([_condition(part) for part in node.conditions])
        case Some():
            return _some([_condition(part) for part in node.conditions])
        case Not():
            inner = _condition(node.condition)
            return lambda message: not inner(message)
        case Call():
            read = _call(node)
            return lambda message: read(message) is True
        case Comparison():
            return _comparison(node)


def _every(conditions: list[Condition]) -> Condition:
    if len(conditions) == 2:
        first, second = conditions
        return lambda message: first(message) and second(message)

    def every(message: Message) -> bool:
        for condition in conditions:  # noqa: SIM110 # all() takes twice the time
            if not condition(message):
                return False
        return True

    return every


def _some(conditions: list[Condition]) -> Condition:
    if len(conditions) == 2:
        first, second = conditions
        return lambda message: first(message) or second(message)

    def some(message: Message) -> bool:
        for condition in conditions:  # noqa: SIM110 # any() takes twice the time
            if condition(message):
                return True
        return False

    return some


# -- comparisons ----------------------------------------------------------------------------------------------

_MIRRORED = {"=": "=", "!=": "!=", ">": "<", ">=": "<=", "<": ">", "<=": ">="}


def _comparison(node: Comparison) -> Condition:
    left, right, sign = node.left, node.right, node.operator
    if sign == "in":
        return _membership(left, right)
    if isinstance(left, Literal) and not isinstance(right, Literal):
        left, right, sign = right, left, _MIRRORED[sign]
    if sign in _ORDERS:
        return _order(left, right, _ORDERS[sign])
    return _equality(left, right) if sign == "=" else _inequality(left, right)


def _equality(left: Operand, right: Operand) -> Condition:
    read = _operand(left)
    if not isinstance(right, Literal):
        other = _operand(right)
        return lambda message: equal(read(message), other(message))
    value = right.value
    if value is None or value is True or value is False:
        return lambda message: read(message) is value
    if _equals_only_its_kind(value):
        return lambda message: read(message) == value
    return lambda message: equal(read(message), value)


def _inequality(left: Operand, right: Operand) -> Condition:
    read = _operand(left)
    if isinstance(right, Literal) and _equals_only_its_kind(right.value):
        value = right.value
        return lambda message: read(message) != value
    equality = _equality(left, right)
    return lambda message: not equality(message)


def _equals_only_its_kind(value: Any) -> bool:
    """Tell whether Python's own `==` is strict about a value: it is of texts, and of numbers that are no boolean."""
    return value.__class__ is str or (value.__class__ in NUMBERS and value not in (0, 1))


def _order(left: Operand, right: Operand, compare: Callable[[Any, Any], bool]) -> Condition:
    read, other = _operand(left), _operand(right)
    if isinstance(right, Literal):
        return _order_to(read, right.value, compare)

    def ordered(message: Message) -> bool:
        one, two = read(message), other(message)
        return have_an_order(one, two) and compare(one, two)

    return ordered


def _order_to(read: Reader, value: Any, compare: Callable[[Any, Any], bool]) -> Condition:
    kinds = frozenset({str}) if value.__class__ is str else NUMBERS

    def ordered(message: Message) -> bool:
        one = read(message)
        return one.__class__ in kinds and compare(one, value)

    return ordered


def _membership(left: Operand, right: Operand) -> Condition:
    read = _operand(left)
    if isinstance(right, Literal):
        return _among(read, right.value)
    elements = _operand(right)
    if isinstance(left, Literal) and _equals_only_its_kind(left.value):
        value = left.value

        def holds(message: Message) -> bool:
            listed = elements(message)
            return listed.__class__ is list and value in listed

        return holds

    def is_in(message: Message) -> bool:
        value, listed = read(message), elements(message)
        return listed.__class__ is list and any(equal(value, element) for element in listed)

    return is_in


def _among(read: Reader, listed: Any) -> Condition:
    """Look a value up among written ones, by its class first: Python takes 1, 1.0 and True for the same."""
    texts = frozenset(element for element in listed if element.__class__ is str)
    others = [element for element in listed if element.__class__ is not str]

    def is_among(message: Message) -> bool:
        value = read(message)
        if value.__class__ is str:
            return value in texts
        return any(equal(value, element) for element in others)

    return is_among


# -- operands -------------------------------------------------------------------------------------------------


def _operand(operand: Operand) -> Reader:
    match operand:
        case Field():
            return compile_path(operand.steps)
        case Literal():
            value = operand.value
            return lambda _message: value
        case Call():
            return _call(operand)


def _call(call: Call) -> Reader:
    read = _operand(call.arguments[0])
    if call.function == "contains":
        return _contains(read, call.arguments[1])
    if call.function == "match":
        return _match(read, call.arguments[1])
    apply = compile_function(call.function)
    return lambda message: apply(read(message))


def _contains(read: Reader, part: Operand) -> Reader:
    if isinstance(part, Literal) and isinstance(part.value, str):
        wanted = part.value

        def contains(message: Message) -> bool:
            text = read(message)
            return text.__class__ is str and wanted in text

        return contains
    read_part = _operand(part)

    def contains_other(message: Message) -> bool:
        text, other = read(message), read_part(message)
        return text.__class__ is str and other.__class__ is str and other in text

    return contains_other


def _match(read: Reader, pattern: Operand) -> Reader:
    if not isinstance(pattern, Literal) or not isinstance(pattern.value, str):
        raise AssertionError("the parser takes written patterns only")
    matches = compile_glob(pattern.value)

    def match(message: Message) -> bool:
        text = read(message)
        return text.__class__ is str and matches(text)

    return match

"""What a condition of Liquid means: python-liquid's tree of it, evaluated by liquidjs's rules."""

from typing import Any

from liquid import RenderContext
from liquid.builtin.expressions import BooleanExpression, Nil
from liquid.builtin.expressions.logical import (
    ContainsExpression,
    EqExpression,
    GeExpression,
    GtExpression,
    LeExpression,
    LogicalAndExpression,
    LogicalOrExpression,
    LtExpression,
    NeExpression,
)
from liquid.builtin.expressions.primitive import Blank, Empty
from liquid.expression import Expression

from replay_cli.segment.kit.liquid.coercion import javascript_text, number, primitive
from replay_cli.segment.kit.liquid.scope import plain
from replay_cli.segment.kit.text import BLANK
from replay_cli.segment.kit.values import UNDEFINED, is_absent


class Condition(Expression):
    """A condition in `if`, `elsif` or `unless`."""

    __slots__ = ("expression",)

    def __init__(self, condition: Expression) -> None:
        super().__init__(condition.token)
        self.expression = condition.expression if isinstance(condition, BooleanExpression) else condition

    def evaluate(self, context: RenderContext) -> bool:
        """Tell whether it holds."""
        return _is_truthy(_value(self.expression, context))

    def children(self) -> list[Expression]:
        """Return the expressions inside."""
        return [self.expression]


def _value(expression: Expression, context: RenderContext) -> Any:
    if isinstance(expression, LogicalAndExpression):
        return _holds(expression.left, context) and _holds(expression.right, context)
    if isinstance(expression, LogicalOrExpression):
        return _holds(expression.left, context) or _holds(expression.right, context)
    if isinstance(expression, EqExpression | NeExpression):
        return _are_equal(expression.left, expression.right, context) is isinstance(expression, EqExpression)
    if isinstance(expression, LtExpression | LeExpression | GtExpression | GeExpression):
        return _is_ordered(expression, context)
    if isinstance(expression, ContainsExpression):
        return _contains(_value(expression.left, context), _value(expression.right, context))
    return plain(expression.evaluate(context))


def _holds(expression: Expression, context: RenderContext) -> bool:
    return _is_truthy(_value(expression, context))


def _is_truthy(value: Any) -> bool:
    return value is not False and not is_absent(value)


def _are_equal(left: Expression, right: Expression, context: RenderContext) -> bool:
    for drop, other in ((left, right), (right, left)):
        if isinstance(drop, Nil | Empty | Blank):
            return _is(drop, _value(other, context))
    return equals(_value(left, context), _value(right, context))


def _is(drop: Expression, value: Any) -> bool:
    """Tell whether a value is `nil`, `empty` or `blank`."""
    if isinstance(drop, Nil):
        return is_absent(value)
    if isinstance(drop, Blank) and (value is False or is_absent(value)):
        return True
    if isinstance(value, str):
        return not (value.strip(BLANK) if isinstance(drop, Blank) else value)
    return isinstance(value, list | dict) and not value


def equals(left: Any, right: Any) -> bool:
    """Compare as `===`, and arrays element by element; two objects are equal when they are the same one."""
    pairs = [(left, right)]
    while pairs:
        left, right = pairs.pop()
        if isinstance(left, list) and isinstance(right, list):
            if len(left) != len(right):
                return False
            pairs.extend(zip(left, right, strict=True))
        elif not _is_same(left, right):
            return False
    return True


def _is_same(left: Any, right: Any) -> bool:
    if isinstance(left, dict | list | bool) or isinstance(right, bool) or left is None or left is UNDEFINED:
        return left is right
    return bool(left == right)


def _is_ordered(expression: LtExpression | LeExpression | GtExpression | GeExpression, context: RenderContext) -> bool:
    left, right = expression.left, expression.right
    if isinstance(left, Nil | Empty | Blank) or isinstance(right, Nil | Empty | Blank):
        return False
    smaller, larger = primitive(_value(left, context)), primitive(_value(right, context))
    if isinstance(expression, GtExpression | GeExpression):
        smaller, larger = larger, smaller
    or_equal = isinstance(expression, LeExpression | GeExpression)
    if isinstance(smaller, str) and isinstance(larger, str):
        first, second = _units(smaller), _units(larger)
        return first < second or (or_equal and first == second)
    less, more = number(smaller), number(larger)
    return less < more or (or_equal and less == more)


def _units(text: str) -> bytes:
    """Give bytes that compare as JavaScript compares texts, by UTF-16 units."""
    return text.encode("utf-16-be", "surrogatepass")


def _contains(value: Any, part: Any) -> bool:
    if isinstance(value, list):
        return any(equals(item, part) for item in value)
    return isinstance(value, str) and javascript_text(part) in value

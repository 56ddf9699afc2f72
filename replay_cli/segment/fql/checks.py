"""What makes no sense although it is well formed: found before anything is read, and told with a way out.

A condition that can never be what its author meant would silently leave every message out.
"""

from difflib import get_close_matches

from replay_cli.segment.fql.functions import KIND_NAMES, SIGNATURES, Signature
from replay_cli.segment.fql.glob import GlobError, compile_glob
from replay_cli.segment.fql.lexer import Kind, Token
from replay_cli.segment.fql.tree import Call, Comparison, Field, Literal, Operand, Scalar
from replay_cli.segment.fql.values import kind
from replay_cli.segment.pointed import PointedError

TOP_LEVEL = frozenset(
    {
        *{"type", "event", "name", "userId", "anonymousId", "messageId", "projectId", "channel", "version"},
        *{"timestamp", "originalTimestamp", "sentAt", "receivedAt", "context", "integrations", "properties", "traits"},
        *{"_metadata", "writeKey"},
    }
)
"""Fields known at the top of messages (Segment's documentation)."""

_KIND_WORDS = {"number": "a number", "boolean": "a boolean", "list": "a list", "string": "text", "null": "null"}


def kind_of(operand: Operand) -> str | None:
    """Name the kind of what an operand gives; None when only the message knows."""
    if isinstance(operand, Literal):
        return kind(operand.value)
    return SIGNATURES[operand.function].result if isinstance(operand, Call) else None


def signature(name: Token, text: str) -> Signature:
    """Return how the function of a name is called.

    Raises:
        PointedError: there is no such function.
    """
    found = SIGNATURES.get(name.text)
    if found is None:
        close = get_close_matches(name.text.lower(), SIGNATURES, n=1)
        known = f"did you mean {close[0]}?" if close else f"there are {', '.join(SIGNATURES)}"
        problem = "not is written !" if name.text.lower() == "not" else f"there is no function {name.text}: {known}"
        raise PointedError(problem, text, name.position)
    return found


def check_arguments(function: Signature, arguments: list[tuple[Token, Operand]], closing: Token, text: str) -> None:
    """Check number and kinds of the arguments, each with its first token.

    Raises:
        PointedError: they are not what the function takes.
    """
    wanted = len(function.parameters)
    if len(arguments) != wanted:
        place = closing if len(arguments) < wanted else arguments[wanted][0]
        raise PointedError(f"{function.usage} takes {_counted(wanted)}", text, place.position)
    for kinds, (token, argument) in zip(function.parameters, arguments, strict=True):
        found = kind_of(argument)
        if found is not None and found not in kinds:
            hint = "; a list is looked into by in" if found == "list" else ""
            problem = f"{function.usage} does not take {_KIND_WORDS[found]}{hint}"
            raise PointedError(problem, text, token.position)
    for token, argument in arguments[1:]:
        check_quotes(token, argument, text)
    if wanted == 2 and "null" not in function.parameters[1]:
        _check_pattern(arguments[1][0], text)


def _counted(number: int) -> str:
    return "one value" if number == 1 else f"{number} values"


def _check_pattern(token: Token, text: str) -> None:
    if token.kind is not Kind.STRING:
        raise PointedError("the pattern is written out, in quotes", text, token.position)
    try:
        compile_glob(token.string)
    except GlobError as error:
        raise PointedError(str(error), text, token.place_in_string(error.index)) from None


def check_quotes(token: Token, operand: Operand, text: str) -> None:
    r"""Refuse text without quotes, taken for a field that no message has; `\name` is surely meant as a field.

    Raises:
        PointedError: it looks like that.
    """
    if not isinstance(operand, Field) or len(operand.steps) > 1 or operand.steps[0] in TOP_LEVEL or "\\" in token.text:
        return
    name = token.text
    problem = f"no field {name} is known: if it is text, put it in quotes; if it is a field, write \\{name}"
    raise PointedError(problem, text, token.position)


def check_comparison(sign: Token, comparison: Comparison, text: str) -> Comparison:
    """Return the comparison, with the names of kinds that `typeof` gives.

    Raises:
        PointedError: it can never be meant.
    """
    left, right = comparison.left, comparison.right
    if isinstance(left, Literal) and isinstance(left.value, str) and isinstance(right, Literal) and sign.text != "in":
        raise PointedError("two values are compared; a field is written without quotes", text, left.position)
    if sign.text == "in" and not isinstance(right, Field) and kind_of(right) != "list":
        raise PointedError("in is followed by a list, ['a', 'b'], or a field that holds one", text, right.position)
    if sign.text in (">", ">=", "<", "<="):
        for operand in (left, right):
            _check_order(sign, operand, text)
    if _is_typeof(left) and isinstance(right, Literal):
        return Comparison(comparison.operator, left, _with_kind_names(right, text))
    if _is_typeof(right) and isinstance(left, Literal):
        return Comparison(comparison.operator, _with_kind_names(left, text), right)
    return comparison


def _check_order(sign: Token, operand: Operand, text: str) -> None:
    found = kind_of(operand)
    if found not in (None, "number", "string"):
        problem = f"{sign.text} compares numbers, or texts; {_KIND_WORDS[found]} has no order"
        raise PointedError(problem, text, operand.position)


def _is_typeof(operand: Operand) -> bool:
    return isinstance(operand, Call) and operand.function == "typeof"


def _with_kind_names(literal: Literal, text: str) -> Literal:
    if isinstance(literal.value, list):
        return Literal([_kind_name(value, literal, text) for value in literal.value], literal.position)
    return Literal(_kind_name(literal.value, literal, text), literal.position)


def _kind_name(value: Scalar, literal: Literal, text: str) -> Scalar:
    if not isinstance(value, str):
        return value
    if value not in KIND_NAMES:
        close = get_close_matches(value.lower(), KIND_NAMES, n=1) or ["/".join(KIND_NAMES)]
        raise PointedError(f"typeof never gives {value!r}, but {close[0]}", text, literal.position)
    return KIND_NAMES[value]

"""From the text of an expression to its tree.

    condition   = conjunction { "or" conjunction }
    conjunction = negation { "and" negation }
    negation    = { "!" } ( "(" condition ")" | call ) | operand sign operand
    sign        = "=" | "!=" | ">" | ">=" | "<" | "<=" | "in"
    operand     = path | scalar | "[" [ scalar { "," scalar } ] "]" | call
    scalar      = string | number | "true" | "false" | "null"
    call        = name "(" operand { "," operand } ")"

Which operands make sense together is the subject of `checks`.
"""

from replay_cli.segment.fql.checks import check_arguments, check_comparison, check_quotes, kind_of, signature
from replay_cli.segment.fql.fields import check_steps
from replay_cli.segment.fql.lexer import Kind, Token, tokens
from replay_cli.segment.fql.tree import Call, Comparison, Every, Field, Literal, Node, Not, Operand, Scalar, Some
from replay_cli.segment.pointed import PointedError

MAX_NESTING = 100
"""Levels of parentheses and of functions in functions: Python's own stack would end at some hundreds."""

_SIGNS = ("=", "!=", ">", ">=", "<", "<=", "in")
_NOT = (("not",), ("NOT",), ("Not",))
_WORDS: dict[str, Scalar] = {"true": True, "false": False, "null": None}
_RIGHT_WORDS = {
    **{word: word.lower() for word in ("AND", "OR", "IN", "And", "Or", "In")},
    **{"not": "!", "NOT": "!", "is": "=", "IS": "=", "like": "match(field, 'pattern')", "contains": "contains(…, …)"},
}


def parse(text: str) -> Node:
    """Return the tree of an expression.

    Raises:
        PointedError: it is none.
    """
    return _Parser(text).whole()


class _Parser:
    """Reads one expression from left to right; each method takes what it is named after."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens(text)
        self._index = 0
        self._nesting = 0

    def whole(self) -> Node:
        if len(self._tokens) == 1:
            raise self._error("an expression is needed, for instance type = 'track'")
        condition = self._condition()
        if self._next.kind is not Kind.END:
            raise self._error(self._misplaced("and, or, or the end"))
        return condition

    def _condition(self) -> Node:
        parts = [self._conjunction()]
        while self._takes("or"):
            parts.append(self._conjunction())
        return Some(tuple(parts)) if len(parts) > 1 else parts[0]

    def _conjunction(self) -> Node:
        parts = [self._negation()]
        while self._takes("and"):
            parts.append(self._negation())
        return Every(tuple(parts)) if len(parts) > 1 else parts[0]

    def _negation(self) -> Node:
        negations = 0
        while self._takes("!"):
            negations += 1
        if self._next.text == "(":
            condition = self._group()
        else:
            condition = self._standing_alone(self._operand()) if negations else self._term()
        return Not(condition) if negations % 2 else condition

    def _group(self) -> Node:
        self._enter()
        condition = self._condition()
        if not self._takes(")"):
            raise self._error(self._misplaced("and, or, or )"))
        self._nesting -= 1
        if self._next.text in _SIGNS:
            raise self._error("parentheses hold a condition, which cannot be compared: compare inside of them")
        return condition

    def _term(self) -> Node:
        left = self._operand()
        if self._next.text not in _SIGNS:
            return self._standing_alone(left)
        sign, first = self._take(), self._next
        right = self._operand()
        if not isinstance(left, Literal):
            check_quotes(first, right, self._text)
        return check_comparison(sign, Comparison(sign.text, left, right), self._text)

    def _standing_alone(self, operand: Operand) -> Node:
        """Take an operand for a condition, which a function can be that gives a boolean."""
        if self._next.text in _SIGNS:
            raise self._error("a comparison after ! stands in parentheses: !(… = …)")
        if isinstance(operand, Field) and operand.steps in _NOT:
            raise PointedError("not is written !", self._text, operand.position)
        if self._next.kind is not Kind.END and self._next.text not in ("and", "or", ")"):
            raise self._error(self._misplaced(f"one of {' '.join(_SIGNS)}"))
        if isinstance(operand, Call):
            if kind_of(operand) == "boolean":
                return operand
            problem = f"{operand.function} gives no boolean: compare it"
        elif isinstance(operand, Field):
            written = self._text[operand.position : self._tokens[self._index - 1].end]
            problem = f"a field alone is no condition: {written} = true, for instance"
        else:
            problem = "a value alone is no condition: compare a field with it"
        raise PointedError(problem, self._text, operand.position)

    # -- operands ---------------------------------------------------------------------------------------------

    def _operand(self) -> Operand:
        token = self._next
        if token.text == "[":
            return self._list()
        if token.kind is Kind.NAME and self._tokens[self._index + 1].text == "(" and token.text not in _KEYWORDS:
            return self._call()
        if token.kind is Kind.NAME and token.text not in _KEYWORDS:
            return Field(check_steps(self._take().steps, self._text, token.position), token.position)
        return Literal(self._scalar(), token.position)

    def _call(self) -> Call:
        name = self._take()
        function = signature(name, self._text)
        self._enter()
        arguments = [] if self._next.text == ")" else [(self._next, self._operand())]
        while self._takes(","):
            arguments.append((self._next, self._operand()))
        closing = self._next
        if not self._takes(")"):
            raise self._error(self._misplaced(", or )"))
        self._nesting -= 1
        check_arguments(function, arguments, closing, self._text)
        return Call(name.text, tuple(argument for _, argument in arguments), name.position)

    def _list(self) -> Literal:
        opening = self._take()
        values = [] if self._next.text == "]" else [self._scalar()]
        while self._takes(","):
            values.append(self._scalar())
        if not self._takes("]"):
            raise self._error(self._misplaced(", or ]"))
        return Literal(values, opening.position)

    def _scalar(self) -> Scalar:
        token = self._next
        if token.kind is Kind.STRING:
            return self._take().string
        if token.kind is Kind.NUMBER:
            return self._take().number
        if token.text in _WORDS:
            return _WORDS[self._take().text]
        raise self._error(self._no_value())

    # -- tokens -----------------------------------------------------------------------------------------------

    @property
    def _next(self) -> Token:
        return self._tokens[self._index]

    def _take(self) -> Token:
        self._index += 1
        return self._tokens[self._index - 1]

    def _takes(self, text: str) -> bool:
        found = self._next.text == text
        self._index += found
        return found

    def _enter(self) -> None:
        """Take an opening parenthesis, and count it."""
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            raise self._error(f"parentheses nest {MAX_NESTING} levels deep at most")
        self._index += 1

    def _error(self, problem: str) -> PointedError:
        return PointedError(problem, self._text, self._next.position)

    def _misplaced(self, expected: str) -> str:
        """Say what is wrong with the next token, where something else is expected."""
        text = self._next.text
        if text == ")" and not self._nesting:
            return "there is no ( that this ) could close"
        if text in _RIGHT_WORDS:
            return f"{text} is written {_RIGHT_WORDS[text]}"
        if text == "[":
            return "the elements of a list have no paths; in looks into a list"
        return f"{expected} is expected here"

    def _no_value(self) -> str:
        """Say what is wrong with the next token, where a value is expected."""
        token = self._next
        if token.text == "(":
            return "a list stands in brackets, ['a', 'b'], and parentheses hold conditions only"
        if token.text in _KEYWORDS:
            return f"a value is expected before {token.text}; a field of this name is written \\{token.text}"
        if token.kind is Kind.NAME:
            return f"a list holds values, not fields; text stands in quotes: '{token.text}'"
        return "a value is expected here: a field, text in quotes, a number, a list"


_KEYWORDS = {"and", "or", "in", *_WORDS}

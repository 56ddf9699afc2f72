"""What an expression is made of, as the parser hands it to the evaluation.

Positions are those in the text (0-based, in characters).
"""

from dataclasses import dataclass

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that is written out: a string, a number, `true`, `false`, `null`, or a list of these."""

    value: Scalar | list[Scalar]
    position: int


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the message, by its steps from the top."""

    steps: tuple[str, ...]
    position: int


@dataclass(frozen=True, slots=True)
class Call:
    """A function and its arguments; number and kinds of them are right."""

    function: str
    arguments: "tuple[Operand, ...]"
    position: int


Operand = Literal | Field | Call


@dataclass(frozen=True, slots=True)
class Comparison:
    """`=`, `!=`, `>`, `>=`, `<`, `<=` or `in` between two operands."""

    operator: str
    left: Operand
    right: Operand


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition."""

    condition: "Node"


@dataclass(frozen=True, slots=True)
class Every:
    """Conditions joined by `and`: two at least."""

    conditions: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Some:
    """Conditions joined by `or`: two at least."""

    conditions: "tuple[Node, ...]"


Node = Call | Comparison | Not | Every | Some
"""A condition; a call only of a function that gives a boolean."""

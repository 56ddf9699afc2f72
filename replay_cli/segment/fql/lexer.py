r"""From the text of an expression to its tokens.

Strings stand in `"` or `'`. In them `\"`, `\'` and `\\` are the second character; a backslash before any other one
stays, so that a glob's own escapes (`'50\*'`) need no doubling. Names are the steps of a path joined by dots; a step is
made of letters, digits, `_`, `-`, `$` and `@`, and of anything after a backslash, and begins with no digit or hyphen.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import NoReturn

from replay_cli.segment.pointed import PointedError

_INSIDE = r"[\w$@-]"
_STEP = rf"(?:{_INSIDE}|\\.)++"
_NAME = rf"(?![-0-9]){_STEP}(?:\.{_STEP})*+"
_TOKEN = re.compile(
    rf"""(?P<space>\s++)
    | (?P<string>"(?:[^"\\]|\\.)*+" | '(?:[^'\\]|\\.)*+')
    | (?P<number>[-+]?[0-9]++(?:\.[0-9]++)?+(?:[eE][-+]?[0-9]++)?+)(?!{_INSIDE}|[.\\])
    | (?P<name>{_NAME})(?!\.)
    | (?P<wrong>==+|=>|=<|<>|!==|&&|\|\|)
    | (?P<mark>!=|>=|<=|[=<>!()\[\],])""",
    re.VERBOSE | re.DOTALL,
)
_STEPS = re.compile(_STEP, re.DOTALL)
_DANGLING = re.compile(_NAME, re.DOTALL)
_STRING_PART = re.compile(r"""\\["'\\]|.""", re.DOTALL)
_ESCAPED = re.compile(r"""\\(["'\\])""")
_INTEGER_DIGITS = 20

_RIGHT_WORDS = {"==": "=", "=>": ">=", "=<": "<=", "<>": "!=", "!==": "!=", "&&": "and", "||": "or"}


class Kind(Enum):
    """What a token is."""

    STRING = "string"
    NUMBER = "number"
    NAME = "name"
    MARK = "mark"
    END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    """One token: its kind, its text as written (quotes and backslashes included), and where it begins."""

    kind: Kind
    text: str
    position: int

    @property
    def end(self) -> int:
        """The position after it."""
        return self.position + len(self.text)

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps of a name, without the backslashes."""
        return tuple(re.sub(r"(?s)\\(.)", r"\1", step) for step in _STEPS.findall(self.text))

    @property
    def string(self) -> str:
        """What a string says."""
        return _ESCAPED.sub(r"\1", self.text[1:-1])

    @property
    def number(self) -> int | float:
        """The number that is meant; whole ones of many digits are floats, as in messages."""
        if self.text.lstrip("+-").isdecimal() and len(self.text) <= _INTEGER_DIGITS:
            return int(self.text)
        return float(self.text)

    def place_in_string(self, index: int) -> int:
        """Return the position of a string's character of this index."""
        starts = [part.start() for part in _STRING_PART.finditer(self.text, 1)]
        return self.position + starts[index]


def tokens(text: str) -> list[Token]:
    """Return the tokens of a text, the end as the last of them.

    Raises:
        PointedError: something in it is no token.
    """
    return list(_tokens(text))


def _tokens(text: str) -> Iterator[Token]:
    position = 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            _refuse(text, position)
        elif found.lastgroup == "wrong":
            raise PointedError(f"{found[0]} is written {_RIGHT_WORDS.get(found[0], '=')} here", text, position)
        elif found.lastgroup != "space":
            yield Token(Kind(found.lastgroup), found[0], position)
        position = found.end()
    yield Token(Kind.END, "", len(text))


def _refuse(text: str, position: int) -> NoReturn:
    """Say why there is no token."""
    letter, following = text[position], text[position + 1 : position + 2]
    if letter in "\"'":
        problem = f"the string that begins here has no closing {letter}"
    elif letter in "“”„‘’`":
        problem = "strings stand in straight quotes, \" or '"
    elif letter.isdigit() or (letter in "+-." and following.isdigit()):
        problem = "this is no number; a field whose name begins with a digit is written with a \\ before it"
    elif letter == ".":
        problem = "a name is expected before the dot; the elements of a list have no paths"
    elif letter == "\\":
        problem = "a character is expected after the \\"
    elif name := _DANGLING.match(text, position):
        position = name.end() + 1
        problem = "a name is expected after the dot"
    else:
        problem = f"{letter} has no meaning here; in the name of a field it is written \\{letter}"
    raise PointedError(problem, text, position)

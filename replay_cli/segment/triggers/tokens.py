"""From the text of a trigger to its tokens, as the lexer of npm `@segment/fql-ts` finds them."""

import re
from typing import NamedTuple

from replay_cli.segment.pointed import PointedError

_LONGEST = 100_000
_END = r"(?=[ \t\n,\])]|\Z)"
"""What has to come after a word of the language, an operator of two characters and a closing quote."""
_SPACE = re.compile(r"[ \t\n]*")
_NOT = re.compile(r"!(?=[A-Za-z(])")
_OPERATOR = re.compile(rf"=|[!<>]={_END}|[<>]")
_AFTER_STRING = re.compile(_END)
_WORD = re.compile(rf"(?:(and|or)|null){_END}")
_NAME = re.compile(r"(?:\\[\0-\uffff]|[A-Za-z0-9_-])+", re.DOTALL)
_NAME_END = re.compile(r"(?=[ \t\n,\])]|\Z|[.(=!])")
_NUMBER = re.compile(rf"[-+0-9](?P<digits>[0-9]*+(?:\.(?!{_END})[0-9]*+)?+)(?!\.)")
_MARKS = {".": "dot", "[": "bracket", "]": "bracket", ",": "comma", "(": "open", ")": "close"}
_EATEN = {"a": 2, "o": 1, "n": 3}
"""First letter → how many more the lexer reads to find `and`, `or` or `null`; at the end of the text they are lost."""


class Token(NamedTuple):
    """One token: its kind, its value (a string's with its quotes, a name's without its escapes), where it begins."""

    kind: str
    value: str
    position: int


def read_tokens(text: str) -> list[Token]:
    """Read all tokens; the last one is the end.

    Raises:
        PointedError: the runtime's lexer does not understand the text, so the trigger would never match.
    """
    return _with_paths(_read(text))


def _read(text: str) -> list[Token]:
    tokens: list[Token] = []
    position = 0
    while True:
        found = _SPACE.match(text, position)
        position = found.end() if found else position
        if position == len(text):
            return [*tokens, Token("end", "eos", position)]
        token, position = _next(text, position)
        tokens.append(token)


def _next(text: str, position: int) -> tuple[Token, int]:
    first = text[position]
    if _NOT.match(text, position):
        return Token("operator", "!", position), position + 1
    if first in "!=<>":
        return _operator(text, position)
    if (first.isascii() and first.isalpha()) or first in "\\_":
        return _word_or_name(text, position)
    if first in "0123456789+-":
        return _number(text, position)
    if first in "\"'":
        return _string(text, position)
    if first in _MARKS:
        return Token(_MARKS[first], first, position), position + 1
    raise PointedError(
        f"{first!r} means nothing here: write fields, = != < > <= >=, and, or, contains, match", text, position
    )


def _operator(text: str, position: int) -> tuple[Token, int]:
    found = _OPERATOR.match(text, position)
    if not found:
        raise PointedError("! stands before contains( or match(, and in != with a space after it", text, position)
    return Token("operator", found[0], position), found.end()


def _word_or_name(text: str, position: int) -> tuple[Token, int]:
    if word := _WORD.match(text, position):
        return Token("conditional" if word[1] else "null", word[0], position), word.end()
    eaten = _EATEN.get(text[position], 0)
    rest = text[position + 1 : position + 1 + eaten]
    if len(rest) < eaten and not re.search(r"[ \t\n,\])]", rest):
        return Token("name", text[position], position), len(text)
    found = _NAME.match(text, position)
    if not found:
        raise PointedError("a backslash needs a character after it", text, position)
    if len(found[0]) >= _LONGEST:
        raise PointedError(f"a name of {_LONGEST:,} characters and more is not read", text, position)
    if not _NAME_END.match(text, found.end()):
        raise PointedError("a space belongs between a field and what comes after it", text, found.end())
    return Token("name", re.sub(r"\\(.)", r"\1", found[0], flags=re.DOTALL), position), found.end()


def _number(text: str, position: int) -> tuple[Token, int]:
    found = _NUMBER.match(text, position)
    if not found or len(found["digits"]) >= _LONGEST:
        raise PointedError("this is no number: one has digits after its one decimal point, as 1.5", text, position)
    return Token("number", found[0], position), found.end()


def _string(text: str, position: int) -> tuple[Token, int]:
    quote = text[position]
    end = text.find(quote, position + 1)
    if end < 0:
        raise PointedError(f"this text does not end: there is no second {quote}", text, position)
    if end - position > _LONGEST:
        raise PointedError(f"a text of {_LONGEST:,} characters and more is not read", text, position)
    token = Token("string", text[position : end + 1], position)
    # A closing quote with no space after it is read again, as the opening one of another text.
    return token, end + 1 if _AFTER_STRING.match(text, end + 1) else end


def _with_paths(tokens: list[Token]) -> list[Token]:
    """Join names that have dots between them."""
    joined: list[Token] = []
    index = 0
    while index < len(tokens):
        token, names = tokens[index], [tokens[index].value]
        index += 1
        while token.kind == "name" and [part.kind for part in tokens[index : index + 2]] == ["dot", "name"]:
            names.append(tokens[index + 1].value)
            index += 2
        joined.append(token._replace(value=".".join(names)))
    return joined

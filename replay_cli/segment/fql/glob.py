r"""Patterns of `match`: `*` any text, `?` any one character, `[abc]` and `[a-z]` one of these, `\x` the character x.

A pattern is for the whole text, which may have several lines. A negated class is not documented, so `[!…]` and `[^…]`
are refused rather than guessed; `[\!…]` is the character itself. The work grows with the text's length times the
pattern's, whatever they are: between two `*` the first place that fits is taken and never given up.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

Matcher = Callable[[str], bool]
"""Text → whether the pattern is for it."""

MAX_LENGTH = 1000
"""Characters that a pattern may have."""


class GlobError(ValueError):
    """A pattern that cannot be understood; `index` is the character in it that is wrong."""

    def __init__(self, problem: str, index: int) -> None:
        super().__init__(problem)
        self.index = index


class _Piece(NamedTuple):
    """What matches one character: a regular expression, and the character when there is only one."""

    regex: str
    letter: str | None


_ANY = _Piece(".", None)


def compile_glob(pattern: str) -> Matcher:
    """Return what tells whether a text is of a pattern.

    Raises:
        GlobError: a class or an escape does not end, a range runs backwards, or the pattern is too long.
    """
    if len(pattern) > MAX_LENGTH:
        raise GlobError(f"a pattern may have {MAX_LENGTH} characters", MAX_LENGTH)
    runs = _runs(pattern)
    plain = _plain(runs)
    return _by_text(plain) if plain is not None else _by_regex(runs)


def _runs(pattern: str) -> list[list[_Piece]]:
    """Return the pieces between the stars; stars that follow one another are one."""
    runs: list[list[_Piece]] = [[]]
    index = 0
    while index < len(pattern):
        if pattern[index] == "*":
            if index == 0 or runs[-1]:
                runs.append([])
            index += 1
        else:
            piece, index = _piece(pattern, index)
            runs[-1].append(piece)
    return runs


def _piece(pattern: str, index: int) -> tuple[_Piece, int]:
    """Return the piece that begins at an index, and the index after it."""
    if pattern[index] == "?":
        return _ANY, index + 1
    if pattern[index] == "[":
        return _class(pattern, index)
    letter, after = _letter(pattern, index)
    return _Piece(re.escape(letter), letter), after


def _letter(pattern: str, index: int) -> tuple[str, int]:
    if pattern[index] != "\\":
        return pattern[index], index + 1
    if index + 1 == len(pattern):
        raise GlobError("a character is expected after the \\ of the pattern", index)
    return pattern[index + 1], index + 2


def _class(pattern: str, start: int) -> tuple[_Piece, int]:
    if pattern[start + 1 : start + 2] in ("!", "^"):
        letter = pattern[start + 1]
        raise GlobError(f"there are no negated classes; the character itself is written [\\{letter}]", start + 1)
    members, index = "", start + 1
    while index < len(pattern) and pattern[index] != "]":
        first, after = _letter(pattern, index)
        last = first
        if pattern[after : after + 1] == "-" and pattern[after + 1 : after + 2] not in ("", "]"):
            last, after = _letter(pattern, after + 1)
        if last < first:
            raise GlobError(f"the range {first}-{last} runs backwards", index)
        members += f"{re.escape(first)}-{re.escape(last)}"
        index = after
    if index >= len(pattern):
        raise GlobError("this [ of the pattern has no closing ]; the character itself is written \\[", start)
    if not members:
        raise GlobError("[] stands for no character", start)
    return _Piece(f"[{members}]", None), index + 1


def _plain(runs: list[list[_Piece]]) -> list[str] | None:
    """Return the runs as texts; None when that would not do."""
    texts = ["".join(piece.letter or "" for piece in run) for run in runs]
    whole = all(piece.letter is not None for run in runs for piece in run)
    return texts if whole and len([text for text in texts if text]) <= 1 else None


def _by_text(texts: list[str]) -> Matcher:
    """Match what has one run of characters at most: no regular expression is needed, and none is as fast."""
    wanted = "".join(texts)
    if len(texts) == 1:
        return lambda text: text == wanted
    if texts[0]:
        return lambda text: text.startswith(wanted)
    if texts[-1]:
        return lambda text: text.endswith(wanted)
    return lambda text: wanted in text


def _by_regex(runs: list[list[_Piece]]) -> Matcher:
    first, *rest = ("".join(piece.regex for piece in run) for run in runs)
    between = "".join(f"(?>.*?{run})" for run in rest[:-1])
    last = f".*{rest[-1]}" if rest else ""
    fullmatch = re.compile(first + between + last, re.DOTALL).fullmatch
    return lambda text: fullmatch(text) is not None

"""`@case` and `@replace`: texts changed as JavaScript's own methods change them."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from replay_cli.segment.kit.shapes import at_most, fields_of, is_set, mapping_or_text, one_of, optional_flag, text
from replay_cli.segment.kit.text import scalar_text
from replay_cli.segment.kit.values import LARGEST, UNDEFINED, Compile, Evaluate, MappingError, Where

_LONGEST = 10
"""A pattern and a replacement have at most so many characters."""
_SPECIAL = re.compile(r"\$[$&`']")


def compile_case(argument: Any, where: Where, compile_value: Compile) -> Evaluate:
    """`@case` {operator: lower | upper, value}: what is no text passes as it is."""
    fields = fields_of(argument, where, required=("operator",), optional=("value",))
    operator = one_of(("lower", "upper"), fields, "operator", where)
    if not is_set(fields, "value"):
        return lambda payload: UNDEFINED
    evaluate = compile_value(mapping_or_text(fields, "value", where), (*where, "value"))
    change = str.lower if operator == "lower" else str.upper

    def evaluate_case(payload: Any) -> Any:
        value = evaluate(payload)
        return change(value) if value.__class__ is str else value

    return evaluate_case


def compile_replace(argument: Any, where: Where, compile_value: Compile) -> Evaluate:
    """`@replace` {pattern, replacement, pattern2, replacement2, ignorecase, global, value}; other types become ""."""
    optional = ("replacement", "pattern2", "replacement2", "ignorecase", "global")
    fields = fields_of(argument, where, required=("pattern", "value"), optional=optional)
    value = mapping_or_text(fields, "value", where)
    replace = _replacer(fields, "pattern", "replacement", where)
    then = _replacer(fields, "pattern2", "replacement2", where) if is_set(fields, "pattern2") else None
    if not value:
        return lambda payload: UNDEFINED
    evaluate = compile_value(value, (*where, "value"))

    def evaluate_replace(payload: Any) -> str:
        value = evaluate(payload)
        kind = value.__class__
        if kind is bool or kind is int or kind is float:
            value = scalar_text(value)
        elif kind is not str:
            return ""
        return replace(value) if then is None else then(replace(value))

    return evaluate_replace


_Replace = Callable[[str], str]


def _replacer(fields: dict[str, Any], pattern_key: str, replacement_key: str, where: Where) -> _Replace:
    pattern = at_most(_LONGEST, text(fields, pattern_key, where), (*where, pattern_key))
    if not pattern:
        raise MappingError("the pattern is empty: it needs 1 to 10 characters", (*where, pattern_key))
    replacement = ""
    if fields.get(replacement_key) is not None:
        replacement = at_most(_LONGEST, text(fields, replacement_key, where), (*where, replacement_key))
    ignorecase = optional_flag(fields, "ignorecase", where, default=False)
    count = -1 if optional_flag(fields, "global", where, default=True) else 1
    if not ignorecase and not _SPECIAL.search(replacement):
        return lambda value: value.replace(pattern, replacement, count)
    found = re.compile("".join(map(_either_case, pattern)) if ignorecase else re.escape(pattern))
    return lambda value: _substitute(found, replacement, value, max(count, 0), where)


def _substitute(pattern: re.Pattern[str], replacement: str, value: str, count: int, where: Where) -> str:
    """Replace with the meanings JavaScript gives to `$$`, `$&`, `` $` `` and `$'` in a replacement."""
    if not _SPECIAL.search(replacement):
        return pattern.sub(lambda _: replacement, value, count)
    size = 0

    def replace(found: re.Match[str]) -> str:
        nonlocal size
        piece = _SPECIAL.sub(lambda special: _meaning(special[0][1], found, LARGEST - size), replacement)
        size += len(piece)
        if size > LARGEST:
            raise MappingError("the replacement makes a text that is too long of this message", where)
        return piece

    return pattern.sub(replace, value, count)


def _meaning(special: str, found: re.Match[str], room: int) -> str:
    """Give what a `$` and this character stand for, cut where it is longer than there is room for."""
    if special == "`":
        return found.string[: min(found.start(), room + 1)]
    if special == "'":
        return found.string[found.end() : found.end() + room + 1]
    return "$" if special == "$" else found[0]


def _either_case(letter: str) -> str:
    """Match a letter in any case, as JavaScript's flag `i` without `u` has it."""
    return "[" + "".join(map(re.escape, _cases(letter))) + "]"


def _cases(letter: str) -> Iterator[str]:
    wanted = _canonical(letter)
    if letter.isascii():
        yield from {wanted, wanted.lower()}
    elif wanted == letter == letter.lower() == letter.upper():
        yield letter
    else:
        yield from (other for other in map(chr, range(0x80, 0x10000)) if _canonical(other) == wanted)


def _canonical(letter: str) -> str:
    """Give the letter that stands for all its cases (ECMA-262, Canonicalize)."""
    upper = letter.upper()
    return letter if len(upper) != 1 or (upper.isascii() and not letter.isascii()) else upper

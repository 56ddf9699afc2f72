"""Filters that change a text, as liquidjs does: anything becomes a text first, nothing an empty one."""

import re
from collections.abc import Callable
from typing import Any

from replay_cli.segment.kit.liquid.coercion import begun, bounded, number, output
from replay_cli.segment.kit.text import BLANK, units
from replay_cli.segment.kit.values import UNDEFINED

_SPACES = re.compile(f"[{re.escape(BLANK)}]+")
_WORD_SEPARATOR = _SPACES
_CJK = "\u4e00-\u9fff\uf900-\ufaff\u3400-\u4dbf\u3040-\u309f\u30a0-\u30ff\uac00-\ud7af"
_CJK_LETTER = re.compile(f"[{_CJK}]")
_OTHER_WORD = re.compile(f"[^{_CJK}{re.escape(BLANK)}]+")


def _append(value: Any, addition: Any) -> str:
    return _joined(output(value), output(addition))


def _prepend(value: Any, addition: Any) -> str:
    return _joined(output(addition), output(value))


def _joined(first: str, second: str) -> str:
    bounded(len(first) + len(second))
    return first + second


def _capitalize(value: Any) -> str:
    text = output(value)
    # By UTF-16 units: a letter beyond them is two, and neither half has a case.
    return (text[:1].upper() if text[:1] <= "\uffff" else text[:1]) + text[1:].lower()


def _strip(value: Any, letters: Any = None) -> str:
    return output(value).strip(_stripped(letters))


def _lstrip(value: Any, letters: Any = None) -> str:
    return output(value).lstrip(_stripped(letters))


def _rstrip(value: Any, letters: Any = None) -> str:
    return output(value).rstrip(_stripped(letters))


def _stripped(letters: Any) -> str:
    return output(letters) if letters or isinstance(letters, list | dict) else BLANK


def _replace(value: Any, pattern: Any = None, replacement: Any = None) -> str:
    text, old, new = output(value), output(pattern), output(replacement)
    if not old:
        bounded(len(text) * (len(new) + 1))
        return new.join(text)
    bounded(len(text) + text.count(old) * len(new))
    return text.replace(old, new)


def _replace_first(value: Any, pattern: Any = None, replacement: Any = None) -> str:
    text, new = output(value), output(replacement)
    bounded(len(text) + len(new))
    return text.replace(output(pattern), new, 1)


def _replace_last(value: Any, pattern: Any = None, replacement: Any = None) -> str:
    text, old, new = output(value), output(pattern), output(replacement)
    bounded(len(text) + len(new))
    before, found, after = text.rpartition(old) if old else (text, "", "")
    return before + new + after if found or not old else text


def _split(value: Any, separator: Any = None) -> list[str]:
    text, mark = output(value), output(separator)
    parts = text.split(mark) if mark else list(text)
    while parts and not parts[-1]:
        parts.pop()
    return parts


def _squish(value: Any) -> str:
    return _SPACES.sub(" ", output(value)).strip(BLANK)


def _normalize_whitespace(value: Any) -> str:
    return _SPACES.sub(" ", output(value))


def _strip_newlines(value: Any) -> str:
    return output(value).replace("\r\n", "").replace("\n", "")


def _truncate(value: Any, length: Any = 50, ellipsis: Any = "...") -> Any:
    text = output(value)
    mark, longest = output("..." if ellipsis is UNDEFINED else ellipsis), number(50 if length is UNDEFINED else length)
    if units(text) <= longest or begun(longest) >= len(text):
        return value
    return text[: begun(longest - len(mark))] + mark


def _truncatewords(value: Any, words: Any = 15, ellipsis: Any = "...") -> str:
    mark, most = output("..." if ellipsis is UNDEFINED else ellipsis), number(15 if words is UNDEFINED else words)
    most = 1 if most <= 0 else most
    parts = _WORD_SEPARATOR.split(output(value).lstrip(BLANK))
    return " ".join(parts[: int(most) if most == most else 0]) + (mark if len(parts) >= most else "")


def _number_of_words(value: Any, mode: Any = None) -> int:
    text = output(value).strip(BLANK)
    letters = len(_CJK_LETTER.findall(text))
    if not text:
        return 0
    if mode == "cjk" or (mode == "auto" and letters):
        return letters + len(_OTHER_WORD.findall(text))
    return len(_WORD_SEPARATOR.split(text))


FILTERS: dict[str, Callable[..., Any]] = {
    "append": _append,
    "capitalize": _capitalize,
    "downcase": lambda value: output(value).lower(),
    "lstrip": _lstrip,
    "normalize_whitespace": _normalize_whitespace,
    "number_of_words": _number_of_words,
    "prepend": _prepend,
    "remove": lambda value, pattern=None: _replace(value, pattern, ""),
    "remove_first": lambda value, pattern=None: _replace_first(value, pattern, ""),
    "remove_last": lambda value, pattern=None: _replace_last(value, pattern, ""),
    "replace": _replace,
    "replace_first": _replace_first,
    "replace_last": _replace_last,
    "rstrip": _rstrip,
    "split": _split,
    "squish": _squish,
    "strip": _strip,
    "strip_newlines": _strip_newlines,
    "truncate": _truncate,
    "truncatewords": _truncatewords,
    "upcase": lambda value: output(value).upper(),
}

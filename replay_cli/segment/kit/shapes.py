"""What the arguments of directives must look like; each function raises `MappingError` where they do not."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from replay_cli.segment.kit.text import units
from replay_cli.segment.kit.values import MappingError, Where, is_falsy, kind_of


def fields_of(argument: Any, where: Where, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, Any]:
    """Return the argument, which must be an object with the required fields; fields of other names mean nothing."""
    if not isinstance(argument, dict) or is_directive(argument):
        kind = "a directive" if isinstance(argument, dict) else kind_of(argument)
        raise MappingError(f"{where[-1]} takes an object with {_listed(required)}, not {kind}", where)
    for field in required:
        if field not in argument:
            found = get_close_matches(field, [key for key in argument if key not in (*required, *optional)], 1)
            instead = f" (is {found[0]!r} meant to be it?)" if found else ""
            raise MappingError(
                f"{where[-1]} lacks {field!r}{instead}: it takes {_listed((*required, *optional))}", where
            )
    return argument


def is_directive(value: Any) -> bool:
    """Tell whether a value is an object with a key that begins with `@`."""
    return isinstance(value, dict) and any(key.startswith("@") for key in value)


def is_set(fields: dict[str, Any], key: str) -> bool:
    """Tell whether a field is there, and nothing that JavaScript takes for false."""
    return not is_falsy(fields.get(key))


def text(fields: dict[str, Any], key: str, where: Where) -> str:
    """Return a field that must be a text."""
    value = fields[key]
    if not isinstance(value, str):
        raise MappingError(f"{key} is a text, not {kind_of(value)}", (*where, key))
    return value


def at_most(longest: int, value: str, where: Where) -> str:
    """Return a text that has at most so many characters, counted as JavaScript counts them."""
    if units(value) > longest:
        raise MappingError(f"this has {units(value)} characters: at most {longest} are allowed", where)
    return value


def one_of(valid: Sequence[str], fields: dict[str, Any], key: str, where: Where) -> str:
    """Return a field that must be one of these words."""
    value = fields[key]
    if value not in valid:
        nearest = get_close_matches(str(value).lower(), valid, 1)
        words = " or ".join(dict.fromkeys([*nearest, *valid]))
        found = repr(value) if isinstance(value, str) else kind_of(value)
        raise MappingError(f"{key} is {words}, not {found}", (*where, key))
    return str(value)


def optional_flag(fields: dict[str, Any], key: str, where: Where, *, default: bool) -> bool:
    """Return a field that is true or false, if it is there."""
    value = fields.get(key, default)
    if not isinstance(value, bool):
        raise MappingError(f"{key} is true or false, not {kind_of(value)}", (*where, key))
    return value


def mapping_or_text(fields: dict[str, Any], key: str, where: Where) -> Any:
    """Return a field that must be a directive or a text."""
    return directive_or_text(fields[key], (*where, key))


def directive_or_text(value: Any, where: Where) -> Any:
    """Return a value that must be a directive or a text."""
    if not isinstance(value, str) and not is_directive(value):
        raise MappingError(f"a directive or a text belongs here, not {kind_of(value)}", where)
    return value


def directive_or_object(value: Any, where: Where) -> Any:
    """Return a value that must be a directive or an object of mappings."""
    if not isinstance(value, dict):
        raise MappingError(f"a directive or an object belongs here, not {kind_of(value)}", where)
    return value


def _listed(fields: Sequence[str]) -> str:
    return ", ".join(fields)

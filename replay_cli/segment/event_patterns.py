r"""The events that an operator means, by name or by pattern: `Order Completed`, `Order *` (pure).

A pattern is one of FQL's `match` (`fql.glob`): `*` any text, `?` any one character, `[abc]` and `[a-z]` one of these, a
backslash for the next character as it is (`\*`, `\[`). Without such signs it is one name. Case counts.
"""

import re
from collections.abc import Callable, Collection, Iterable

from replay_cli.segment.event_names import remembered
from replay_cli.segment.fql.glob import GlobError, compile_glob
from replay_cli.segment.pointed import PointedError

Matcher = Callable[[str], bool]
"""Name → whether it is meant."""

_EXACT = re.compile(r"(?:[^*?\[\\]|\\.)*+", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def require_pattern(pattern: str) -> None:
    """Check that a pattern can be understood.

    Raises:
        PointedError: it cannot.
    """
    try:
        compile_glob(pattern)
    except GlobError as error:
        raise PointedError(str(error), pattern, error.index) from None


def exact_name(pattern: str) -> str | None:
    """Return the one name that a pattern means; None when it may mean several."""
    return _ESCAPED.sub(r"\1", pattern) if _EXACT.fullmatch(pattern) else None


def compile_names(patterns: Iterable[str]) -> Matcher:
    """Make of patterns that can be understood what tells whether a name matches any of them."""
    names, globs = set(), []
    for pattern in patterns:
        name = exact_name(pattern)
        if name is None:
            globs.append(compile_glob(pattern))
        else:
            names.add(name)
    if not globs:
        return frozenset(names).__contains__
    return remembered(lambda name: name in names or any(matches(name) for matches in globs))


def covers(patterns: Collection[str], pattern: str) -> bool:
    """Tell whether patterns surely mean all names that another pattern means."""
    name = exact_name(pattern)
    return pattern in patterns or (name is not None and compile_names(patterns)(name))

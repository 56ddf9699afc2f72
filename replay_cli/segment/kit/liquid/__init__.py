"""`@liquid`: Liquid as Segment's runtime renders it (npm `liquidjs` 10.30), on the parser of python-liquid.

    text → engine (tags, paths, output) → conditions, filters (texts, numbers, lists, dates) → text

The runtime has no loops, no partial templates and no filters that work through lists; texts are bounded. What differs
from Ruby's Liquid is JavaScript: how values become texts and numbers, and how they compare. `engine` is imported when
a mapping has Liquid in it.
"""

from typing import Any

from replay_cli.segment.kit.shapes import at_most
from replay_cli.segment.kit.values import Compile, Evaluate, MappingError, Where, kind_of

_LONGEST = 1000


def compile_liquid(argument: Any, where: Where, compile_value: Compile) -> Evaluate:
    """`@liquid`: a text of at most 1000 characters; the message's fields are its variables."""
    if not isinstance(argument, str):
        raise MappingError(f"@liquid takes a text, not {kind_of(argument)}", where)
    if not at_most(_LONGEST, argument, where):
        return lambda payload: ""
    from replay_cli.segment.kit.liquid.engine import compile_text

    return compile_text(argument, where)

"""Paths into a payload: `$.properties.products[0].id`, `$.traits['first name']`.

A path means what Segment's runtime (npm `@segment/actions-core`, `get`) makes of it: `.`, `[` before a quote or a
digit, and `]` after one part it, quotes are dropped. A parent that JavaScript takes for false ends the walk and is the
result.
"""

import re
from typing import Any

from replay_cli.segment.kit.text import unit_at, units
from replay_cli.segment.kit.values import UNDEFINED, Evaluate, is_falsy, is_index

_BETWEEN = re.compile(r"""\[(?=["'0-9])|\.|(?<=["'0-9])\]+""")


def steps_of(path: str) -> tuple[str, ...]:
    """Part a path into its steps; none of them means the payload itself."""
    return tuple(part.replace("'", "").replace('"', "") for part in _BETWEEN.split(path) if part)


def steps_of_directive(path: str) -> tuple[str, ...]:
    """Part the path of a directive: its first `$.` is dropped, wherever it stands."""
    return steps_of(path.replace("$.", "", 1))


def step(value: Any, key: str) -> Any:
    """Take one step, as JavaScript's `value && value[key]`; never raises.

    What every JavaScript object inherits (`constructor`, `toString`) is not there: it would never reach the wire.
    """
    if isinstance(value, dict):
        return value.get(key, UNDEFINED)
    if is_falsy(value):
        return value
    if isinstance(value, list):
        if is_index(key):
            return value[int(key)] if int(key) < len(value) else UNDEFINED
        return len(value) if key == "length" else UNDEFINED
    if isinstance(value, str):
        if is_index(key):
            unit = unit_at(value, int(key))
            return UNDEFINED if unit is None else unit
        return units(value) if key == "length" else UNDEFINED
    return UNDEFINED


def walk(value: Any, steps: tuple[str, ...]) -> Any:
    """Take all steps."""
    for key in steps:
        value = step(value, key)
    return value


def compile_steps(steps: tuple[str, ...]) -> Evaluate:
    """Make the function that walks from any payload; one, two and three steps are nearly all there are."""
    if len(steps) == 1:
        return _one(*steps)
    if len(steps) == 2:
        return _two(*steps)
    if len(steps) == 3:
        return _three(*steps)
    return lambda payload: walk(payload, steps)


def _one(first: str) -> Evaluate:
    def read(payload: Any) -> Any:
        return payload.get(first, UNDEFINED) if payload.__class__ is dict else step(payload, first)

    return read


def _two(first: str, second: str) -> Evaluate:
    def read(payload: Any) -> Any:
        value = payload.get(first, UNDEFINED) if payload.__class__ is dict else step(payload, first)
        return value.get(second, UNDEFINED) if value.__class__ is dict else step(value, second)

    return read


def _three(first: str, second: str, third: str) -> Evaluate:
    def read(payload: Any) -> Any:
        value = payload.get(first, UNDEFINED) if payload.__class__ is dict else step(payload, first)
        value = value.get(second, UNDEFINED) if value.__class__ is dict else step(value, second)
        return value.get(third, UNDEFINED) if value.__class__ is dict else step(value, third)

    return read

"""From Arrow's columns to plain Python values that JSON can hold.

Decimals become integers when integral, else floats, as do integers beyond 64 bits; timestamps ISO 8601 in UTC
and milliseconds with `Z`; dates `YYYY-MM-DD`; bytes their UTF-8 text, or base64 when they are none. Null, NaN
and infinity are `None`, which stays out of rows and structs. The work is done by the column: a call for each
cell would take longer than all the rest of reading.
"""

import base64
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds

from replay_cli.segment.lake import combine

_MIN_INTEGER, _MAX_INTEGER = -(2**63), 2**64 - 1


def plain_values(column: pa.Array) -> list[Any]:
    """Convert a column to a list, `None` where it has no value."""
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    for is_kind, convert in _CONVERSIONS:
        if is_kind(column.type):
            return convert(column)
    return _as_text(column)


def raw_texts(column: pa.Array) -> list[bytes]:
    """Convert a column of text to its bytes, empty where it has no value."""
    if kinds.is_dictionary(column.type):
        column = column.dictionary_decode()
    return [value or b"" for value in pc.cast(column, pa.large_binary()).to_pylist()]


def is_text(kind: pa.DataType) -> bool:
    """Tell whether a column holds text or bytes."""
    if kinds.is_dictionary(kind):
        kind = kind.value_type
    return _is_string(kind) or _is_binary(kind)


def _is_any(*checks: Callable[[pa.DataType], bool]) -> Callable[[pa.DataType], bool]:
    return lambda kind: any(check(kind) for check in checks)


_is_string = _is_any(kinds.is_string, kinds.is_large_string, kinds.is_string_view)
_is_binary = _is_any(kinds.is_binary, kinds.is_large_binary, kinds.is_fixed_size_binary, kinds.is_binary_view)
_is_list = _is_any(kinds.is_list, kinds.is_large_list, kinds.is_fixed_size_list)
_is_ready = _is_any(kinds.is_integer, kinds.is_boolean, kinds.is_null)


def _ready(column: pa.Array) -> list[Any]:
    values: list[Any] = column.to_pylist()
    return values


def _floats(column: pa.Array) -> list[Any]:
    wide = pc.cast(column, pa.float64())
    return _ready(pc.if_else(pc.is_finite(wide), wide, None))


def _decimals(column: pa.Array) -> list[Any]:
    # Not cast by Arrow: 0.07 would come out as 0.07000000000000001.
    return [None if value is None else _number(value) for value in column.to_pylist()]


def _number(value: Decimal) -> int | float:
    is_integer = value == value.to_integral_value() and _MIN_INTEGER <= value <= _MAX_INTEGER
    return int(value) if is_integer else float(value)


def _timestamps(column: pa.Array) -> list[Any]:
    if column.type.tz is not None:
        column = pc.cast(column, pa.timestamp(column.type.unit, tz="UTC"))
    instants = pc.cast(column, pa.timestamp("ms"), safe=False)
    texts = pc.replace_substring(pc.cast(instants, pa.string()), " ", "T")
    return _ready(pc.binary_join_element_wise(texts, "Z", ""))


def _strings(column: pa.Array) -> list[Any]:
    try:
        return _ready(column)
    except UnicodeDecodeError:  # writers need not check what they call text
        texts = pc.cast(column, pa.large_binary()).to_pylist()
        return [None if text is None else text.decode(errors="replace") for text in texts]


def _binaries(column: pa.Array) -> list[Any]:
    return [None if value is None else _text(value) for value in column.to_pylist()]


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()


def _structs(column: pa.Array) -> list[Any]:
    names = [field.name for field in column.type]
    objects = combine(names, [plain_values(child) for child in column.flatten()], len(column))
    return [value if valid else None for value, valid in zip(objects, _valid(column), strict=True)]


def _lists(column: pa.Array) -> list[Any]:
    elements = iter(plain_values(column.flatten()))
    lengths = pc.list_value_length(column).to_pylist()
    return [None if length is None else [next(elements) for _ in range(length)] for length in lengths]


def _maps(column: pa.Array) -> list[Any]:
    entry = pa.struct([("key", column.type.key_type), ("value", column.type.item_type)])
    pairs = _lists(pc.cast(column, pa.list_(entry)))
    return [None if entries is None else _mapping(entries) for entries in pairs]


def _mapping(entries: list[dict[str, Any]]) -> dict[str, Any]:
    return {str(entry["key"]): entry["value"] for entry in entries if "value" in entry}


def _as_text(column: pa.Array) -> list[Any]:
    return _ready(pc.cast(column, pa.string()))


def _valid(column: pa.Array) -> list[Any]:
    return _ready(column.is_valid())


_CONVERSIONS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.Array], list[Any]]], ...] = (
    (_is_string, _strings),
    (_is_ready, _ready),
    (kinds.is_floating, _floats),
    (kinds.is_decimal, _decimals),
    (kinds.is_timestamp, _timestamps),
    (kinds.is_dictionary, lambda column: plain_values(column.dictionary_decode())),
    (kinds.is_struct, _structs),
    (kinds.is_map, _maps),
    (_is_list, _lists),
    (_is_binary, _binaries),
)
"""Dates, times and durations are left: their text is what Arrow casts them to."""

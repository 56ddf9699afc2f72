"""Untrusted messages: whatever they hold, a mapping gives a value or a `MappingError`, in bounded time and memory."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay_cli.segment.kit import UNDEFINED, MappingError, compile_mapping
from tests.segment.kit_cases import strict

PATH = {"@path": "$.a"}
DIRECTIVES: list[Any] = [
    PATH,
    {"@path": "$.a.b[0].c"},
    {"@path": PATH},
    {"@template": "{{a}} {{{a}}}"},
    {"@template": PATH},
    {"@case": {"operator": "upper", "value": PATH}},
    {"@replace": {"pattern": "a", "replacement": "$`$'", "ignorecase": True, "value": PATH}},
    {"@arrayPath": ["$.a", {"x": {"@path": "$.b"}, "y": {"@transform": {"apply": {"z": PATH}, "mapping": PATH}}}]},
    {"@flatten": {"separator": ".", "value": PATH}},
    {"@json": {"mode": "encode", "value": PATH}},
    {"@json": {"mode": "decode", "value": PATH}},
    {"@merge": {"direction": "right", "objects": [PATH, {"x": PATH}]}},
    {"@excludeWhenNull": PATH},
    {"@if": {"blank": PATH, "then": PATH, "else": {"@literal": [PATH]}}},
    {"@liquid": "{{ a | append: a }}{% if a contains 'b' or a > 3 %}{{ a.b | date: '%Y' | truncate: a }}{% endif %}"},
    {"@liquid": "{{ a | times: a | round: a | divided_by: a | split: a | slice: a, a | replace: a, a | json }}"},
]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["{{a}}", "$.a", "[1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "0", "length"]), inner),
    max_leaves=10,
)


def evaluate(mapping: Any, value: Any) -> Any:
    try:
        return compile_mapping(mapping)({"a": value})
    except MappingError as error:
        return error


@pytest.mark.parametrize("mapping", DIRECTIVES, ids=str)
@settings(max_examples=50)
@given(value=VALUES)
def test_any_message_gives_json_or_a_mapping_error(mapping: Any, value: Any) -> None:
    before = repr(value)
    result = evaluate({"f": mapping}, value)
    assert isinstance(result, MappingError) or strict(result)
    assert repr(value) == before


@pytest.mark.parametrize("mapping", DIRECTIVES, ids=str)
@pytest.mark.parametrize("box", [lambda inner: [inner], lambda inner: {"a": inner}], ids=["lists", "objects"])
def test_a_message_of_any_depth_gives_an_answer(mapping: Any, box: Any) -> None:
    deep: Any = "x"
    for _ in range(20_000):
        deep = box(deep)
    assert evaluate(mapping, deep) is not None


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[" * 240 + "]" * 240])
def test_json_that_is_too_deep_is_undecodable(text: str) -> None:
    assert evaluate({"@json": {"mode": "decode", "value": PATH}}, text) is text


@pytest.mark.parametrize(
    ("mapping", "value"),
    [
        ({"@template": "{{{a}}}"}, "{{a}}" * 20_000),
        ({"@replace": {"pattern": "x", "replacement": "$`$'$`$'$`", "value": PATH}}, "x" * 100_000),
        ({"@flatten": {"separator": ".", "value": PATH}}, {"k" * 100_000: dict.fromkeys(map(str, range(1000)))}),
        ({"@merge": {"direction": "left", "objects": [PATH]}}, "x" * 100_000),
        ({"@liquid": "{{ a | replace: '', a }}"}, "x" * 10_000),
        ({"@liquid": "{% assign b = a | append: a | append: a | append: a %}{{ b | append: b }}"}, "x" * 1_000_000),
        ({"@liquid": "{{ a }}{{ a }}{{ a }}"}, "x" * 1_000_000),
        ({"@liquid": "{{ 0 | date: a }}"}, "%99999999d"),
        ({"@liquid": "{{ (1..a) | join }}"}, 10**9),
        ({"@liquid": "{{ a | url_decode }}"}, "%zz"),
        ({"@liquid": "{{ a | date: '%Y' }}"}, "now"),
    ],
    ids=str,
)
def test_a_message_that_would_become_too_much_or_fails_at_segment_is_a_mapping_error(mapping: Any, value: Any) -> None:
    assert isinstance(evaluate(mapping, value), MappingError)


@pytest.mark.parametrize("piece", ["{", "{{", "{{a", "}", "{{}}", "]", "['", ".", "x", "€"])
def test_a_very_long_text_is_read_in_one_pass(piece: str) -> None:
    # Quadratic work on texts of this length would outlast any test run.
    text = piece * 100_000
    for mapping in ({"@template": "{{{a}}}"}, {"@template": PATH}, {"@path": PATH}):
        assert evaluate(mapping, text) is not None
    assert evaluate({"@path": "$.a.length"}, text) == len(text)


@pytest.mark.parametrize("piece", ["<", "<!--", "<script", "&amp", " ", "-", "%", "x ", "é"])
def test_liquid_reads_a_very_long_text_in_one_pass(piece: str) -> None:
    text = piece * 50_000
    mapping = {"@liquid": "{{ a | strip_html | squish | escape_once | truncatewords: 3 | number_of_words }}"}
    assert isinstance(evaluate(mapping, text), str)


def test_a_mapping_of_nothing_is_undefined_for_every_message() -> None:
    assert evaluate({"@literal": {"@path": "$.nothing"}}, 1) is UNDEFINED

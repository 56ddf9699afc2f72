"""What an operator is told about a mapping that means nothing: what is wrong, what would be valid, and where."""

from typing import Any

import pytest

from replay_cli.segment.kit import MappingError, compile_mapping

PATH = {"@path": "$.event"}


def refusal(mapping: Any) -> MappingError:
    with pytest.raises(MappingError) as caught:
        compile_mapping(mapping, ("settings",))
    assert caught.value.where[0] == "settings"
    return caught.value


@pytest.mark.parametrize(
    ("mapping", "where", "words"),
    [
        ({"@pth": "$.a"}, ("@pth",), "there is no directive @pth: there are @path, "),
        ({"a": [{"@if": {"exists": {"@nope": 1}}}]}, ("a", 0, "@if", "exists", "@nope"), "there is no directive"),
        ({"@path": "$.a", "@literal": 1}, ("@literal",), "stands alone"),
        ({"@path": "$.a", "x": 1}, ("x",), "here are @path, x"),
        ({"@path": 5}, ("@path",), "a directive or a text belongs here, not a number"),
        ({"@template": None}, ("@template",), "not null"),
        ({"@if": "x"}, ("@if",), "not a string"),
        ({"@if": {"then": 1}}, ("@if",), "exists or blank"),
        ({"@if": {"exists": "", "then": 1}}, ("@if",), "exists or blank"),
        ({"@case": {"value": PATH}}, ("@case",), "lacks 'operator'"),
        ({"@case": {"operator": "title", "value": PATH}}, ("@case", "operator"), "lower or upper, not 'title'"),
        ({"@case": {"operator": "Upper", "value": PATH}}, ("@case", "operator"), "upper or lower, not 'Upper'"),
        ({"@case": {"operator": ["lower"], "value": PATH}}, ("@case", "operator"), "not an array"),
        ({"@case": {"operator": "lower", "value": [1]}}, ("@case", "value"), "not an array"),
        ({"@replace": {"patern": "x", "value": PATH}}, ("@replace",), "is 'patern' meant"),
        ({"@replace": {"pattern": "", "value": PATH}}, ("@replace", "pattern"), "1 to 10"),
        ({"@replace": {"pattern": "12345678901", "value": PATH}}, ("@replace", "pattern"), "11 characters"),
        ({"@replace": {"pattern": "😀😀😀😀😀😀", "value": PATH}}, ("@replace", "pattern"), "12 characters"),
        ({"@replace": {"pattern": "a", "replacement": 5, "value": PATH}}, ("@replace", "replacement"), "not a number"),
        (
            {"@replace": {"pattern": "a", "replacement": "x" * 11, "value": PATH}},
            ("@replace", "replacement"),
            "most 10",
        ),
        ({"@replace": {"pattern": "a", "pattern2": "x" * 11, "value": PATH}}, ("@replace", "pattern2"), "at most 10"),
        ({"@replace": {"pattern": "a", "global": "yes", "value": PATH}}, ("@replace", "global"), "true or false"),
        ({"@arrayPath": "$.a"}, ("@arrayPath",), "a list of a path and a shape"),
        ({"@arrayPath": []}, ("@arrayPath",), "a list of a path and a shape"),
        ({"@arrayPath": [5, {}]}, ("@arrayPath", 0), "not a number"),
        ({"@arrayPath": ["$.a", {"b": {"@x": 1}}]}, ("@arrayPath", 1, "b", "@x"), "no directive"),
        ({"@flatten": {"value": PATH}}, ("@flatten",), "lacks 'separator'"),
        ({"@flatten": {"separator": "", "value": PATH}}, ("@flatten", "separator"), "empty"),
        ({"@flatten": {"separator": PATH, "value": PATH}}, ("@flatten", "separator"), "a text, not an object"),
        ({"@json": {"mode": "decoed", "value": PATH}}, ("@json", "mode"), "decode or encode, not 'decoed'"),
        ({"@json": {"mode": "encode", "value": ""}}, ("@json", "value"), "needs a value"),
        ({"@json": {"@path": "$.a"}}, ("@json",), "not a directive"),
        ({"@merge": {"objects": []}}, ("@merge",), "lacks 'direction'"),
        ({"@merge": {"direction": "up", "objects": []}}, ("@merge", "direction"), "right or left"),
        ({"@merge": {"direction": "left", "objects": PATH}}, ("@merge", "objects"), "a list of objects"),
        ({"@merge": {"direction": "left", "objects": [PATH, "x"]}}, ("@merge", "objects", 1), "not a string"),
        ({"@transform": {"mapping": {}}}, ("@transform",), "lacks 'apply'"),
        ({"@transform": {"apply": [], "mapping": {}}}, ("@transform", "apply"), "not an array"),
        ({"@liquid": PATH}, ("@liquid",), "takes a text, not an object"),
        ({"@liquid": "x" * 1001}, ("@liquid",), "1001 characters: at most 1000"),
        ({"@liquid": "{{ a "}, ("@liquid",), "no Liquid"),
        ({"@liquid": "{% if a %}x"}, ("@liquid",), "no Liquid"),
        ({"@liquid": "{% for a in b %}{% endfor %}"}, ("@liquid",), "unexpected tag 'for'"),
        ({"@liquid": "{% include 'x' %}"}, ("@liquid",), "unexpected tag 'include'"),
        ({"@liquid": "{{ a | map: 'x' }}"}, ("@liquid",), "Segment has disabled the filter map"),
        ({"@liquid": "{{ a | upcsae }}"}, ("@liquid",), "upcsae is no filter that works here: there are upcase, "),
        ({"@liquid": "{{ 'now' | date: '%s' }}"}, ("@liquid",), "the time of the replay"),
    ],
)
def test_a_wrong_mapping_is_named_with_its_place_and_what_would_be_valid(
    mapping: Any, where: tuple[str | int, ...], words: str
) -> None:
    error = refusal(mapping)
    assert words in error.problem
    assert error.where == ("settings", *where)


def test_a_note_beside_a_directive_is_ignored() -> None:
    assert compile_mapping({"a": {"@path": "$.b", "_metadata": {"x": 1}}})({"b": 2}) == {"a": 2}
    assert compile_mapping({"a": {"@literal": 5, "_metadata": {}}})({}) == {"a": 5}


def test_a_mapping_nested_beyond_reason_is_refused() -> None:
    mapping: Any = "x"
    for _ in range(5000):
        mapping = [mapping]
    assert "too deeply" in refusal(mapping).problem

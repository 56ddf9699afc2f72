"""The mapping kit against what Segment's own runtime did."""

import json
from typing import Any

import pytest

from replay_cli.moengage.subscriptions import DEFAULT_IDENTIFY, DEFAULT_TRACK
from replay_cli.segment.kit import UNDEFINED, MappingError, compile_mapping
from tests.segment.kit_cases import read_cases, strict

CASES = read_cases("mapping_cases.jsonl")
MORE = read_cases("mapping_more_cases.jsonl")
MESSAGE: dict[str, Any] = {
    "type": "track",
    "userId": "User-1",
    "properties": {"list": [1, None, {"id": "p"}], "zero": 0, "no": False, "name": "Łódź 😀", "deep": {"a": None}},
}


def evaluate(mapping: Any, message: Any = MESSAGE) -> Any:
    return compile_mapping(mapping)(message)


def test_all_cases_are_there() -> None:
    assert (len(CASES), len(MORE)) == (400, 263)


@pytest.mark.parametrize("cases", [CASES, MORE], ids=["conformance", "more"])
def test_a_mapping_makes_what_segments_runtime_makes(cases: list[dict[str, Any]]) -> None:
    wrong = [case for case in cases if strict(evaluate(case["mapping"], case["event"])) != strict(case["output"])]
    assert wrong == []


def test_a_message_is_never_changed() -> None:
    for case in [*CASES, *MORE]:
        before = strict(case["event"])
        evaluate(case["mapping"], case["event"])
        assert strict(case["event"]) == before


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$.userId", "User-1"),
        ("userId", "User-1"),
        ("$.properties.list[2].id", "p"),
        ("$.properties.list.2.id", "p"),
        ("$.properties['zero']", 0),
        ('$.properties["list"][0]', 1),
        ("$.properties.zero.more", 0),  # a falsy parent is the result
        ("$.properties.deep.a.b", None),
        ("$.properties.list.length", 3),
        ("$.properties.name.length", 7),  # UTF-16 units
        ("$.properties.name[1]", "ó"),
        ("$.properties.name[5]", "\ufffd"),  # half of a pair
        ("$.properties.name[7]", UNDEFINED),
        ("$.properties.list.00", UNDEFINED),
        ("$.properties.list[9]", UNDEFINED),
        ("$.properties.constructor", UNDEFINED),
        ("$.type.x", UNDEFINED),
        ("$.missing.x", UNDEFINED),
    ],
)
def test_a_path_ends_where_javascript_ends(path: str, value: Any) -> None:
    assert strict(evaluate([{"@path": path}])) == strict([None if value is UNDEFINED else value])
    assert evaluate({"@path": path}) is value or evaluate({"@path": path}) == value


def test_the_empty_path_is_the_message() -> None:
    assert evaluate({"@path": "$."}) is MESSAGE


def test_undefined_is_nowhere_in_a_result_and_alone_it_is_undefined() -> None:
    missing = {"@path": "$.missing"}
    assert evaluate(missing) is UNDEFINED
    assert evaluate({"a": missing, "b": {"c": missing, "d": [missing]}}) == {"b": {"d": [None]}}
    assert not UNDEFINED


def test_keys_keep_their_order() -> None:
    mapping = {"z": {"@path": "$.type"}, "c": 1, "m": {"@path": "$.missing"}, "a": {"@path": "$.properties.zero"}}
    assert list(evaluate(mapping)) == ["z", "c", "a"]


def test_a_key_that_is_undefined_wins_a_merge_and_is_absent() -> None:
    mapping = {"@merge": {"direction": "right", "objects": [{"a": 1, "b": 2}, {"a": {"@path": "$.missing"}}]}}
    assert evaluate(mapping) == {"b": 2}


def test_a_key_that_is_undefined_in_a_merge_of_a_merge_wins_too() -> None:
    inner = {"@merge": {"direction": "left", "objects": [{"a": {"@path": "$.missing"}}, {"b": 3}]}}
    assert evaluate({"@merge": {"direction": "right", "objects": [{"a": 1, "b": 2}, inner]}}) == {"b": 3}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"pattern": "o", "replacement": "$$"}, "Order f$$"),
        ({"pattern": "o", "replacement": "[$&]", "ignorecase": True}, "[O]rder f[o][o]"),
        ({"pattern": "r", "replacement": "$`$'", "global": False}, "OOder fooder foo"),
        ({"pattern": ".", "replacement": "x"}, "Order foo"),
        ({"pattern": "O", "pattern2": "oo", "replacement2": "!"}, "rder f!"),
        ({"pattern": "zz", "replacement": "\\1"}, "Order foo"),
    ],
)
def test_a_replacement_has_javascripts_meanings(fields: dict[str, Any], expected: str) -> None:
    result = evaluate({"@replace": {"value": {"@path": "$.event"}, **fields}}, {"event": "Order foo"})
    assert result == expected


def test_case_is_ignored_as_javascript_ignores_it() -> None:
    replaced = {"@replace": {"pattern": "s", "replacement": "-", "ignorecase": True, "value": {"@path": "$.event"}}}
    assert evaluate(replaced, {"event": "Ssſß"}) == "--ſß"
    greek = {"@replace": {"pattern": "µ", "replacement": "-", "ignorecase": True, "value": {"@path": "$.event"}}}
    assert evaluate(greek, {"event": "µμΜm"}) == "---m"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[1, 1.0, 1e400, 12345678901234567890]", [1, 1, None, 12345678901234567890.0]),
        ('"\\ud800"', "\ufffd"),
        ("NaN", "NaN"),
        ("[1", "[1"),
        ("\ufeff1", "\ufeff1"),
        ("9" * 5000, None),
        (" true ", True),
    ],
)
def test_decoding_reads_what_javascript_reads(text: str, value: Any) -> None:
    mapping = {"@json": {"mode": "decode", "value": {"@path": "$.event"}}}
    assert strict(evaluate(mapping, {"event": text})) == strict(value)


def test_encoding_writes_what_javascript_writes() -> None:
    mapping = {"@json": {"mode": "encode", "value": {"@path": "$.a"}}}
    message = {"a": {"b": 1.0, "10": 1e21, "2": ["é\n\u2028", None, True], "c": float("inf"), "": {}, "d": []}}
    expected = '{"2":["é\\n\u2028",null,true],"10":1e+21,"b":1,"c":null,"":{},"d":[]}'
    assert evaluate(mapping, message) == expected


def test_a_placeholder_put_in_by_a_triple_one_is_replaced_too() -> None:
    assert evaluate({"@template": "{{{event}}}!"}, {"event": "{{userId}}", "userId": "u"}) == "u!"
    assert evaluate({"@template": "{{event}}!"}, {"event": "{{userId}}", "userId": "u"}) == "{{userId}}!"


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1"), (True, "true"), (None, ""), ([1, [None, [2]], []], "1,,2,"), ({"a": 1}, "[object Object]")],
)
def test_a_template_makes_texts_as_javascript_does(value: Any, text: str) -> None:
    assert evaluate({"@template": "<{{ event }}>"}, {"event": value}) == f"<{text}>"


@pytest.mark.parametrize(
    ("value", "filled"),
    [("", False), (0, False), (False, False), ([], False), ([[None]], False), ([0], True), ({}, True), (" ", True)],
)
def test_blank_compares_loosely(value: Any, filled: bool) -> None:
    mapping = {"@if": {"blank": {"@path": "$.event"}, "then": True, "else": False}}
    assert evaluate(mapping, {"event": value}) is (True if filled else UNDEFINED)


@pytest.mark.parametrize("subscription", [DEFAULT_TRACK, DEFAULT_IDENTIFY], ids=["track", "identify"])
def test_the_published_settings_map_a_plain_message(subscription: Any) -> None:
    message = {"type": "track", "event": "E", "userId": "u", "context": {"os": {"name": "iOS"}, "app": None}}
    result = compile_mapping(subscription.settings)(message)
    assert (result["os_name"], result["userId"], result["update_existing_only"]) == ("iOS", "u", False)
    assert result["app_version"] is None
    assert not {"library_version", "anonymousId", "properties", "traits"} & result.keys()


def test_a_transform_of_nothing_begins_with_nothing_and_one_of_a_text_fails() -> None:
    inner = {"@transform": {"apply": {"a": {"@path": "$.b"}, "c": 1}, "mapping": {"@path": "$."}}}
    mapping = {"@transform": {"apply": {"@path": "$.event"}, "mapping": {"d": inner}}}
    assert evaluate(mapping, {}) == {"d": {"c": 1}}
    with pytest.raises(MappingError, match="@transform is given a string by this message"):
        evaluate(mapping, {"event": "x"})


def test_a_path_computed_from_a_message_must_be_a_text() -> None:
    mapping = {"f": {"@path": {"@path": "$.event"}}}
    assert evaluate(mapping, {"event": "$.userId", "userId": 7}) == {"f": 7}
    with pytest.raises(MappingError, match="given an array by this message") as caught:
        evaluate(mapping, {"event": []})
    assert caught.value.where == ("f", "@path")


def test_a_mapping_is_json_and_its_result_too() -> None:
    assert json.loads(json.dumps(evaluate(json.loads('{"a": [null, 1.5, {"@literal": {"b": "c"}}]}')))) == {
        "a": [None, 1.5, {"b": "c"}]
    }

"""Carets under values of a JSON text."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.segment.json_places import place_of, place_of_key, place_within

TEXT = """
{"data": {"subscriptions": [
  {"name": "a", "settings": {"event": {"@path": "$.event"}}},
  {"name": "b{[\\"", "settings": {"a\\u0062": [1, {"c": null}], "big": 1000000000000000000000000}}
]}}
"""


@pytest.mark.parametrize(
    ("path", "begins"),
    [
        ((), '{"data"'),
        (("data",), '{"subscriptions"'),
        (("data", "subscriptions", 1), '{"name": "b{'),
        (("data", "subscriptions", 0, "settings", "event", "@path"), '"$.event"'),
        (("data", "subscriptions", 1, "settings", "ab", 1, "c"), "null"),
        (("data", "subscriptions", 1, "settings", "big"), "1000"),
        (("data", "subscriptions", 9), '[\n  {"name": "a"'),
        (("data", "subscriptions", 0, "name", "deeper"), '"a"'),
        (("data", "subscriptions", "0"), '[\n  {"name": "a"'),
    ],
)
def test_a_path_leads_to_its_value_or_as_far_as_there_is_one(path: tuple[str | int, ...], begins: str) -> None:
    assert TEXT[place_of(TEXT, path) :].startswith(begins)


def test_of_equal_keys_the_last_one_is_meant_as_in_reading() -> None:
    text = '{"a": {"b": 1}, "a": {"b": 2}}'
    assert text[place_of(text, ("a", "b"))] == "2"


def test_a_key_has_a_place_of_its_own() -> None:
    assert TEXT[place_of_key(TEXT, ("data", "subscriptions", 1, "settings", "ab")) :].startswith('"a\\u0062"')
    assert TEXT[place_of_key(TEXT, ("data", "missing")) :].startswith('{"subscriptions"')


@given(st.text(), st.data(), st.booleans())
def test_a_character_of_a_string_is_found_behind_its_escapes(
    string: str, data: st.DataObject, ascii_only: bool
) -> None:
    text = "[" + json.dumps(string, ensure_ascii=ascii_only) + ", 1]"
    offset = data.draw(st.integers(0, len(string)))
    place = place_within(text, 1, offset)
    assert json.loads(text[1:place] + '"') == string[:offset]


def test_outside_of_strings_there_is_nothing_to_look_into() -> None:
    assert place_within("[12]", 1, 1) == 1
    assert place_within('["ab", 1]', 1, 99) == 4


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(json_values, st.data(), st.sampled_from([None, 2]), st.booleans())
def test_what_stands_at_the_place_is_the_value(
    value: Any, data: st.DataObject, indent: int | None, ascii_only: bool
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    path: list[str | int] = []
    while isinstance(value, dict | list) and value and data.draw(st.booleans()):
        step = data.draw(st.sampled_from(list(value) if isinstance(value, dict) else range(len(value))))
        path.append(step)
        value = value[step]
    found, _ = json.JSONDecoder().raw_decode(text, place_of(text, path))
    assert found == value

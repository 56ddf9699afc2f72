"""Slips in a `--mapping` file: what Segment takes without a word, and would send everybody's events to one user."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.moengage.configuration import Configuration, read_configuration
from replay_cli.moengage.slips import find_slip
from replay_cli.moengage.subscriptions import DEFAULT_IDENTIFY, DEFAULT_TRACK
from replay_cli.segment.kit import compile_mapping
from replay_cli.segment.pointed import PointedError

USER = {"@path": "$.userId"}


def text(**settings: Any) -> str:
    """A subscription that is as it should be, but for these settings."""
    return json.dumps([{**DEFAULT_TRACK.document, "settings": {**DEFAULT_TRACK.settings, **settings}}])


def refusal(written: str) -> tuple[str, str]:
    """Return the problem, and the text from the place on at which it is pointed."""
    with pytest.raises(PointedError) as caught:
        read_configuration(written, "mapping.json")
    return caught.value.problem, written[caught.value.position :]


@pytest.mark.parametrize(
    "mapping",
    [
        "$.userId",
        {"deep": [{"er": "$.userId"}]},
        {"@case": {"operator": "lower", "value": "$.userId"}},
        {"@replace": {"pattern": "x", "replacement": "$.y", "value": "$.userId"}},
        {"@if": {"exists": "$.userId", "then": USER}},
        {"@if": {"blank": USER, "then": "$.userId"}},
        {"@if": {"exists": USER, "else": "$.userId"}},
        {"@json": {"mode": "encode", "value": "$.userId"}},
        {"@flatten": {"separator": ".", "value": "$.userId"}},
        {"@merge": {"direction": "left", "objects": [{"a": "$.userId"}]}},
        {"@transform": {"apply": {"a": "$.userId"}, "mapping": {"b": {"@path": "$.a"}}}},
        {"@transform": {"apply": {"a": USER}, "mapping": {"b": "$.userId"}}},
        {"@excludeWhenNull": "$.userId"},
        {"@excludeWhenNull": {"a": "$.userId"}},
        {"@arrayPath": ["$.properties.products", {"id": "$.userId"}]},
        {"@path": {"@case": {"operator": "lower", "value": "$.userId"}}},
    ],
    ids=json.dumps,
)
def test_a_path_without_its_directive_is_refused_wherever_it_stands(mapping: Any) -> None:
    said, there = refusal(text(properties=mapping))
    assert 'write {"@path": "$.userId"}, or {"@literal": "$.userId"} if it is meant as it is' in said
    assert there.startswith('"$.userId"')


def test_a_template_without_its_directive_is_refused() -> None:
    said, there = refusal(text(event="Joined {{properties.key}}"))
    assert 'write {"@template": "Joined {{properties.key}}"}, or {"@literal": ' in said
    assert there.startswith('"Joined ')


@pytest.mark.parametrize(
    "template",
    [
        "x {{properties.key}",
        "x {{properties.key",
        "{{a} {{b}}",
        "{{a}} {{b}",
        "{{a} and {{b}}",
        "{{a}b}}",
        "{{{a}",
        "{{}}",
        "{{{ }}}",
    ],
)
def test_an_unclosed_placeholder_is_refused(template: str) -> None:
    said, there = refusal(text(event={"@template": template}))
    assert said.startswith("a {{ of this template has no }} behind it")
    assert there.startswith(json.dumps(template))


@pytest.mark.parametrize(
    "mapping",
    [
        "plain",
        "$",
        "costs $.5",
        "{one}",
        {"@literal": "$.userId"},
        {"@literal": {"a": "{{x}}"}},
        {"@path": "$.userId"},
        {"@template": "{{a}}, {{{b}}} {c} $.d"},
        {"@template": '{"a":{"b":{{c}}}}'},
        {"@liquid": "{{ properties.a }} {% if x %}$.a{% endif %}"},
        {"@arrayPath": ["$.properties.products", {"id": {"@path": "$.id"}}]},
        {"@arrayPath": ["$.properties.products"]},
        {"@replace": {"pattern": "{{", "replacement": "$.", "value": USER}},
        {"@flatten": {"separator": "$.", "value": USER}},
        {"@path": "$.userId", "_metadata": {"label": "$.userId {{x}}"}},
    ],
    ids=json.dumps,
)
def test_what_is_written_as_it_is_meant_passes(mapping: Any) -> None:
    assert read_configuration(text(properties=mapping), "m.json").subscriptions[0].settings["properties"] == mapping


@pytest.mark.parametrize("field", ["userId", "anonymousId"])
@pytest.mark.parametrize(
    "mapping",
    [
        "somebody",
        "userId",
        7,
        0,
        True,
        ["somebody"],
        {"@literal": "somebody"},
        {"@literal": 7},
        {"@template": "somebody"},
        {"@template": "{properties.key}}"},
        {"@liquid": "somebody"},
        {"@case": {"operator": "lower", "value": "Somebody"}},
        {"@replace": {"pattern": "a", "replacement": "b", "value": "somebody"}},
        {"@json": {"mode": "encode", "value": "somebody"}},
        {"@excludeWhenNull": "somebody"},
        {"@if": {"exists": USER, "then": "known", "else": "unknown"}},
        {"@if": {"exists": USER, "then": {"@literal": "known"}}},
    ],
    ids=json.dumps,
)
def test_one_user_for_every_message_is_refused(field: str, mapping: Any) -> None:
    said, there = refusal(text(**{field: mapping}))
    assert said.startswith(f"every message would go to one user, for this {field} is always the same: ")
    assert said.endswith(f'write {{"@path": "$.{field}"}}')
    assert there.startswith(json.dumps(mapping))


@pytest.mark.parametrize(
    "mapping",
    [
        None,
        "",
        {"@literal": ""},
        {"@literal": None},
        {"@template": "shop-{{userId}}"},
        {"@liquid": "shop-{{ userId }}"},
        {"@liquid": "{% assign x = userId %}"},
        {"@case": {"operator": "lower", "value": USER}},
        {"@replace": {"pattern": "a", "replacement": "b", "value": USER}},
        {"@if": {"exists": USER, "then": USER, "else": "unknown"}},
    ],
    ids=json.dumps,
)
def test_an_id_that_the_message_has_a_say_in_passes(mapping: Any) -> None:
    assert read_configuration(text(anonymousId=mapping), "m.json").subscriptions[0].settings["anonymousId"] == mapping


def test_settings_as_a_text_are_looked_through_too() -> None:
    settings = json.dumps({**DEFAULT_TRACK.settings, "userId": "$.userId"})
    _, there = refusal(json.dumps({**DEFAULT_TRACK.document, "settings": settings}))
    assert there.startswith('\\"$.userId\\"')


def test_what_a_checkpoint_holds_is_taken_as_it_is() -> None:
    """A job that began is not refused for what its file would be refused for now."""
    document = {"subscriptions": [{**DEFAULT_TRACK.document, "settings": {"userId": "$.userId"}}]}
    assert Configuration.from_document(document).document == document


def test_the_published_mappings_have_no_slip() -> None:
    assert find_slip(DEFAULT_TRACK.settings) is find_slip(DEFAULT_IDENTIFY.settings) is None


@given(st.text("{}a$. ", max_size=12))
def test_a_template_passes_when_its_placeholders_are_all_its_double_openings(template: str) -> None:
    """Rendered over a message that has none of it, a whole template has no `{{` left."""
    if find_slip({"event": {"@template": template}}) is None:
        assert "{{" not in compile_mapping({"event": {"@template": template}})({})["event"]

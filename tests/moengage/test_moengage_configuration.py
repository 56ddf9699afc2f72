"""Reading `--mapping` files in Segment's JSON: what is taken, and what is refused where."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.moengage.configuration import DEFAULT, Configuration, read_configuration
from replay_cli.moengage.subscriptions import DEFAULT_IDENTIFY, DEFAULT_TRACK
from replay_cli.segment.pointed import PointedError

TRACK: dict[str, Any] = {
    "id": "7",
    "name": "Orders",
    "actionSlug": "trackEvent",
    "enabled": True,
    "trigger": 'type = "track"',
    "settings": dict(DEFAULT_TRACK.settings),
}
IDENTIFY: dict[str, Any] = {
    **TRACK,
    "name": "People",
    "actionSlug": "identifyUser",
    "trigger": 'type = "identify"',
    "settings": dict(DEFAULT_IDENTIFY.settings),
}


def refusal(text: str, name: str = "mapping.json") -> tuple[str, str]:
    """Return the problem, and the text from the place on at which it is pointed."""
    with pytest.raises(PointedError) as caught:
        read_configuration(text, name)
    assert caught.value.name == name
    return caught.value.problem, text[caught.value.position :]


@pytest.mark.parametrize(
    "document",
    [{"data": {"subscriptions": [TRACK, IDENTIFY]}}, {"subscriptions": [TRACK, IDENTIFY]}, [TRACK, IDENTIFY]],
    ids=["as the API gives it", "subscriptions", "a bare list"],
)
def test_subscriptions_are_found_in_every_form_of_the_file(document: Any) -> None:
    assert read_configuration(json.dumps(document), "mapping.json") == DEFAULT


def test_one_subscription_is_a_configuration() -> None:
    assert read_configuration(json.dumps(TRACK), "one.json") == Configuration((DEFAULT_TRACK,))


def test_settings_may_be_the_text_of_json_and_the_trigger_the_runtimes_own_key() -> None:
    other = {key: value for key, value in TRACK.items() if key != "trigger"}
    other |= {"settings": json.dumps(TRACK["settings"]), "subscribe": TRACK["trigger"]}
    assert read_configuration(json.dumps(other), "one.json") == Configuration((DEFAULT_TRACK,))


@pytest.mark.parametrize("form", [dict, json.dumps], ids=["an object", "its text"])
def test_terraforms_name_of_the_action_is_understood(form: Any) -> None:
    other = {key: value for key, value in TRACK.items() if key != "actionSlug"}
    text = json.dumps([{**other, "action_slug": "trackEvent", "settings": form(TRACK["settings"])}])
    read = read_configuration(text, "terraform.json")
    assert read == Configuration((DEFAULT_TRACK,))
    assert read.document["subscriptions"][0]["actionSlug"] == "trackEvent"


def test_a_wrong_action_is_pointed_at_by_terraforms_name_too() -> None:
    other = {key: value for key, value in TRACK.items() if key != "actionSlug"}
    said, there = refusal(json.dumps([{**other, "action_slug": "track_event"}]))
    assert said.startswith("there is no such action; there are trackEvent")
    assert there.startswith('"track_event"')


TERRAFORM = 'resource "a_subscription" "orders" {\n  action_slug = "trackEvent"\n}\n'


@pytest.mark.parametrize("name", ["orders.tf", "mapping"])
def test_a_file_of_neither_form_is_told_of_both(name: str) -> None:
    said, there = refusal(TERRAFORM, name)
    assert said.startswith("this is neither JSON, ")
    assert "nor TOML (wishes: a [track] or an [identify] table)" in said
    assert there.startswith('"a_subscription"')


def test_a_file_that_says_what_it_is_is_told_of_that_form() -> None:
    assert refusal(TERRAFORM, "orders.json")[0].startswith("this is not JSON")
    assert refusal(TERRAFORM, "orders.toml")[0].startswith("this is not TOML")


def test_disabled_subscriptions_do_nothing_and_are_not_looked_at() -> None:
    disabled = {"enabled": False, "actionSlug": "somethingElse"}
    assert read_configuration(json.dumps([disabled, IDENTIFY]), "some.json") == Configuration((DEFAULT_IDENTIFY,))


@pytest.mark.parametrize("name", ["mapping", "mapping.json", "MAPPING.JSON", "mapping.txt"])
def test_json_is_known_by_its_beginning_whatever_the_name(name: str) -> None:
    assert read_configuration("\ufeff \n" + json.dumps([TRACK, IDENTIFY], indent=2), name) == DEFAULT


def test_a_document_gives_the_configuration_back_after_a_checkpoint() -> None:
    settings = {**TRACK["settings"], "event": {"@template": "replayed {{event}}", "_metadata": {"label": "x"}}}
    configuration = read_configuration(json.dumps([{**TRACK, "settings": settings}, IDENTIFY]), "mapping.json")
    stored = json.loads(json.dumps(configuration.document))
    assert Configuration.from_document(stored) == configuration
    assert stored == configuration.document


def test_a_document_does_not_change_with_names_and_disabled_subscriptions() -> None:
    renamed = {**TRACK, "name": "Renamed", "id": "8"}
    first = read_configuration(json.dumps([TRACK]), "a.json")
    second = read_configuration(json.dumps([renamed, {**IDENTIFY, "enabled": False}]), "b.json")
    assert first.document == second.document


def test_the_document_of_subscriptions_is_in_segments_own_form() -> None:
    assert read_configuration(json.dumps(DEFAULT.document), "document.json") == DEFAULT


@pytest.mark.parametrize(
    ("change", "problem", "place"),
    [
        ({"actionSlug": "trackEvents"}, "there is no such action; there are trackEvent, identifyUser", '"trackEvents"'),
        ({"actionSlug": ["trackEvent"]}, "there is no such action", '["trackEvent"]'),
        ({"actionSlug": None}, "this has no actionSlug, which is trackEvent or identifyUser", '{"id"'),
        ({"enabled": "yes"}, "enabled is true or false", '"yes"'),
        ({"trigger": ["track"]}, "the trigger is a text", '["track"]'),
        ({"trigger": ""}, "", '"'),
        ({"settings": None}, "settings belong here", "null"),
        ({"settings": "{"}, "this is not JSON", '"}'),
        ({"settings": "[1]"}, "the text of the settings is the JSON of an object", '"[1]"'),
        ({"settings": {}}, "the settings have no type, which trackEvent needs", "{}}"),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
def test_what_is_wrong_with_a_subscription_is_pointed_at(change: dict[str, Any], problem: str, place: str) -> None:
    said, there = refusal(json.dumps({"data": {"subscriptions": [IDENTIFY, {**TRACK, **change}]}}))
    assert said.startswith(problem)
    assert there.startswith(place)


@pytest.mark.parametrize("form", [dict, json.dumps], ids=["an object", "its text"])
@pytest.mark.parametrize(
    ("settings", "problem", "place"),
    [
        ({"evnt": "x"}, "trackEvent has no field 'evnt': event, type, userId", "evnt"),
        ({"traits": {"@path": "$.traits"}}, "trackEvent has no field 'traits'", "traits"),
        ({"event": None}, "the settings have no event, which trackEvent needs", "null"),
        ({"type": ""}, "the settings have no type", ""),
        ({"userId": None, "anonymousId": ""}, "the settings have neither userId nor anonymousId", "{"),
        ({"userId": {"@paht": "$.userId"}}, "there is no directive @paht: there are @path, ", "@paht"),
        ({"userId": {"@path": "$.userId", "or": 1}}, "a directive stands alone in its object", "or"),
        ({"properties": {"a": [{"@if": {"exists": 1}}, {"@case": '$é"\\'}]}}, "", None),
    ],
)
def test_what_is_wrong_with_settings_is_pointed_at_in_both_their_forms(
    form: Any, settings: dict[str, Any], problem: str, place: str | None
) -> None:
    said, there = refusal(json.dumps([{**TRACK, "settings": form({**TRACK["settings"], **settings})}]))
    assert said.startswith(problem)
    assert there.lstrip('\\"').startswith(place if place is not None else tuple("{$@"))


@pytest.mark.parametrize(
    ("text", "problem", "place"),
    [
        ("[]", "no subscription in here is enabled", "[]"),
        ('{"data": {"subscriptions": []}}', "no subscription in here is enabled", "[]"),
        ('[{"enabled": false}]', "no subscription in here is enabled", "[{"),
        ("{}", "this has no actionSlug", "{}"),
        ('{"subscriptions": 5}', "a subscription belongs here", "5"),
        ('[{"enabled": false}, 7]', "a subscription belongs here", "7"),
        ('{"actionSlug": "trackEvent"}', "this has no trigger", "{"),
        ('{"a": 1,, "b": 2}', "this is not JSON", ', "b"'),
        ('{"a": NaN}', "NaN is not JSON", "NaN"),
    ],
)
def test_a_file_that_sends_nothing_or_is_no_json_is_refused(text: str, problem: str, place: str) -> None:
    said, there = refusal(text)
    assert said.startswith(problem)
    assert there.startswith(place)


def test_a_caret_stands_in_the_trigger_behind_its_escapes() -> None:
    plain = 'event = "é" and type ~ "x"'
    _, there = refusal(json.dumps([{**TRACK, "trigger": plain}]))
    assert there.startswith('~ \\"x\\""')


@pytest.mark.parametrize("text", ['"\\ud800"', "1e999"], ids=["a lone surrogate", "an endless number"])
def test_what_no_request_could_carry_is_refused_before_anything_is_sent(text: str) -> None:
    given = json.dumps(TRACK).replace('{"@path": "$.context.os.name"}', text)
    said, _ = refusal(given)
    assert "which JSON cannot carry" in said


def test_whole_numbers_beyond_64_bits_are_doubles_as_in_javascript() -> None:
    given = json.dumps(TRACK).replace('{"@path": "$.context.os.name"}', "1" + "0" * 5000)
    (said, _), huge = refusal(given), json.dumps(TRACK).replace('{"@path": "$.context.os.name"}', "1" + "0" * 25)
    assert "which JSON cannot carry" in said
    (subscription,) = read_configuration(huge, "mapping.json").subscriptions
    assert json.dumps(subscription.settings["os_name"]) == "1e+25"


@pytest.mark.parametrize("name", ["deep.json", "deep.toml"])
@pytest.mark.parametrize("text", ['{"a":' * 100_000, "[" * 100_000, "a = " + "[" * 100_000])
def test_a_file_nested_without_end_is_refused(text: str, name: str) -> None:
    refusal(text, name)


@given(st.text() | st.text(alphabet='{}[]",:\\ue \n=.#abdtrackpiny0'), st.sampled_from(["m.json", "m.toml", "m"]))
def test_any_text_is_read_or_refused(text: str, name: str) -> None:
    with suppress(PointedError):
        read_configuration(text, name)

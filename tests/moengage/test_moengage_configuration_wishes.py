"""The small TOML form of `--mapping`: what its wishes make of messages, and what is refused where."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.moengage.actions import actions_mapping
from replay_cli.moengage.configuration import Configuration, read_configuration
from replay_cli.moengage.configured import configured_mapping
from replay_cli.moengage.rewriting import compile_wishes
from replay_cli.segment.pointed import PointedError

EXAMPLE = r"""
[track]
rename = { orderId = "order_id" }
drop = ["email", "internal.debug"]
lowercase = ["userId", "coupon"]
add = { source = "replay" }
project_name = "Shop"

[identify]
drop = ["ssn"]
update_existing_only = true
"""
TRACK: dict[str, Any] = {
    "type": "track",
    "userId": "User-1",
    "event": "Order Completed",
    "timestamp": "2025-03-01T10:00:00.000Z",
    "properties": {
        "orderId": "o-1",
        "email": "a@example.com",
        "coupon": "SPRING",
        "internal": {"debug": True, "shard": 3},
        "source": "web",
    },
}
IDENTIFY: dict[str, Any] = {**TRACK, "type": "identify", "traits": {"ssn": "x", "plan": "pro"}}


def bodies(text: str, message: dict[str, Any]) -> list[dict[str, Any]]:
    mapping = configured_mapping(read_configuration(text, "wishes.toml"), "APP")
    return [body for _, body, _ in mapping(message)]


def properties(wishes: str, given: Any) -> Any:
    (body,) = bodies(f"[track]\n{wishes}", {**TRACK, "properties": given})
    return body.get("properties")


def refusal(text: str) -> tuple[str, str]:
    """Return the problem, and the text from the place on at which it is pointed."""
    with pytest.raises(PointedError) as caught:
        read_configuration(text, "wishes.toml")
    assert caught.value.name == "wishes.toml"
    return caught.value.problem, text[caught.value.position :]


def test_the_wishes_of_the_example_come_true() -> None:
    (track,), (identify,) = bodies(EXAMPLE, TRACK), bodies(EXAMPLE, IDENTIFY)
    assert track["user_id"] == "user-1"
    assert track["properties"] == {
        "coupon": "spring",
        "internal": {"shard": 3},
        "source": "replay",
        "order_id": "o-1",
        "moe_project_name": "Shop",
    }
    assert identify["traits"] == {"plan": "pro"}
    assert identify["user_id"] == "User-1"
    assert (track["update_existing_only"], identify["update_existing_only"]) == (False, True)


@pytest.mark.parametrize("message", [TRACK, IDENTIFY, {**TRACK, "type": "page"}], ids=["track", "identify", "page"])
def test_what_no_wish_names_stays_as_it_is(message: dict[str, Any]) -> None:
    text = '[track]\ndrop = ["nothing"]'
    expected = [body for _, body, _ in actions_mapping("APP")(message)]
    assert json.dumps(bodies(text, message)) == json.dumps(expected)


def test_the_form_is_known_without_the_suffix() -> None:
    assert read_configuration(EXAMPLE, "wishes") == read_configuration(EXAMPLE, "wishes.toml")


def test_a_document_gives_the_wishes_back_after_a_checkpoint() -> None:
    configuration = read_configuration(EXAMPLE, "wishes.toml")
    stored = json.loads(json.dumps(configuration.document))
    assert Configuration.from_document(stored) == configuration
    assert stored == configuration.document


@pytest.mark.parametrize(
    ("wishes", "given", "expected"),
    [
        ('drop = ["a"]', {"a": 1, "b": 2}, {"b": 2}),
        ('drop = ["items.price"]', {"items": [{"price": 1, "id": 2}, 3, {"price": 4}]}, {"items": [{"id": 2}, 3, {}]}),
        ('drop = ["a.b"]', {"a.b": 1, "a": "text"}, {"a.b": 1, "a": "text"}),
        (r"drop = ['a\.b']", {"a.b": 1, "a": {"b": 2}}, {"a": {"b": 2}}),
        ('rename = { a = "b" }', {"a": None, "b": 2}, {"b": None}),
        ('rename = { a = "b" }', {"b": 2}, {"b": 2}),
        ('rename = { a = "b", b = "a" }', {"a": 1, "b": 2}, {"a": 2, "b": 1}),
        ('rename = { "deep.a" = "b" }', {"deep": {"a": 1}}, {"deep": {"b": 1}}),
        (r"""rename = { a = 'b\.c' }""", {"a": 1}, {"b.c": 1}),
        ('rename = { a = "b" }\ndrop = ["b"]', {"a": 1, "b": 2}, {"b": 1}),
        ('rename = { a = "b" }\nlowercase = ["a"]', {"a": "X"}, {"b": "x"}),
        ('rename = { deep = "flat" }\ndrop = ["deep.a"]', {"deep": {"a": 1, "b": 2}}, {"flat": {"b": 2}}),
        ('lowercase = ["a", "b"]', {"a": "ÄB", "b": ["X"], "c": "C"}, {"a": "äb", "b": ["X"], "c": "C"}),
        ("add = { a = 1, b = { c = [true] } }", {"a": 0, "z": 0}, {"a": 1, "z": 0, "b": {"c": [True]}}),
        ("add = { a = 1 }", None, {"a": 1}),
        ("add = { a = 1 }", "", {"a": 1}),
        ('drop = ["a"]', None, None),
    ],
)
def test_wishes_name_what_the_archived_message_holds(wishes: str, given: Any, expected: Any) -> None:
    assert properties(wishes, given) == expected


@pytest.mark.parametrize(
    ("text", "problem", "place"),
    [
        ("", "there is nothing in here", ""),
        ("[tracks]\n", "there is no table 'tracks'; there are track, identify", "[tracks]"),
        ("[track]\na = 1\n[page]\n", "there is no table 'page'; there are track, identify", "[page]"),
        ("track = 1", "track is a table", "track = 1"),
        ("[track]\ndrop = ['a']\nrenames = {}", "there is no 'renames' in [track]: rename, ", "renames"),
        ("[track]\ndrop = []\n[identify]\nproject_name = 'x'", "there is no 'project_name' in [identify]", "project_"),
        ("[track]\ndrop = 'a'", "drop: this is a list of names", "drop"),
        ("[track]\ndrop = [1]", "drop: this is a list of names", "drop"),
        ("[track]\ndrop = ['a..b']", "drop: 'a..b' has an empty name in it", "drop"),
        ("[track]\nlowercase = ['']", "lowercase: '' has an empty name in it", "lowercase"),
        ("[track]\nrename = ['a']", "rename: this is a table of old and new names", "rename"),
        ("[track]\nrename = { a = 1 }", "rename: this is a table of old and new names", "rename"),
        ("[track]\nrename = { a = '' }", "rename: '' has an empty name in it", "rename"),
        ("[track]\nrename = { a = 'b.c' }", "rename: 'b.c' is no name", "rename"),
        ("[track]\nrename = { a = 'b' }\ndrop = ['a']", "'a' is both renamed and dropped", "drop"),
        ("[track.rename]\na = 5", "rename: this is a table of old and new names", "rename"),
        ("[track]\nadd = 5", "add: this is a table of names and values", "add"),
        ("[track]\nadd = { at = 2025-03-01 }", "add: JSON cannot carry one of these values", "add"),
        ("[track]\nadd = { at = [inf] }", "add: JSON cannot carry one of these values", "add"),
        ("[track]\nadd = { at = 1_000_000_000_000_000_000_000 }", "add: JSON cannot carry one of these values", "add"),
        ("[track]\nproject_name = ''", "project_name: this is the name of a project", "project_name"),
        (
            "[identify]\nupdate_existing_only = 'yes'",
            "update_existing_only: this is true or false",
            "update_existing_only",
        ),
        ("[track]\r\n\r\ndrop = [,]", "this is not TOML", ",]"),
        ("[track]\ndrop = [", "this is not TOML", ""),
    ],
)
def test_what_means_nothing_is_refused_where_it_stands(text: str, problem: str, place: str) -> None:
    said, there = refusal(text)
    assert said.startswith(problem)
    assert there.startswith(place)
    assert place or not there


names = st.sampled_from(["a", "b", "c", "a.b", "b.a", "c.a.b", r"a\.b", "userId"])
wishes = st.fixed_dictionaries(
    {},
    optional={
        "drop": st.lists(names),
        "rename": st.dictionaries(names, st.sampled_from(["a", "b", "new", r"a\.b"])),
        "lowercase": st.lists(names),
        "add": st.dictionaries(st.sampled_from(["a", "new"]), st.integers()),
    },
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c", "a.b"]), inner),
    max_leaves=10,
)


@given(wishes, values, values)
def test_no_wish_changes_the_given_message_or_fails_on_it(wished: Any, given_properties: Any, user: Any) -> None:
    message = {"type": "track", "userId": user, "properties": given_properties}
    before = json.dumps(message)
    changed = compile_wishes(wished, "properties")(message)
    assert json.dumps(message) == before
    assert changed.keys() == message.keys()
    if isinstance(given_properties, dict):
        assert changed["properties"].items() >= wished.get("add", {}).items()

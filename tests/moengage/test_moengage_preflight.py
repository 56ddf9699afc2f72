"""Preflight: each documented limit, on both sides of it, at both endpoints; and that no screen hides anything."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.moengage.actions import actions_mapping
from replay_cli.moengage.bulk import bulk_mapping
from replay_cli.moengage.classic import classic_mapping
from replay_cli.moengage.limits import RULES, Verdict
from replay_cli.moengage.mapping import Check, Concern, Mapping, NotTakenError, UnmappableError
from replay_cli.moengage.preflight import (
    MAX_BODY_BYTES,
    RESERVED_IDS,
    is_reserved,
    make_check,
    make_screen,
    refuse_future,
    refuse_size,
)

MAPPINGS: dict[str, Mapping] = {
    "actions": actions_mapping("APP"),
    "classic": classic_mapping("APP"),
    "bulk": bulk_mapping("APP"),
}
APIS = sorted(MAPPINGS)
Judge = Callable[[dict[str, Any]], tuple[str, ...]]


LARGE = b" " * 26_000
"""Behind a body it makes every screen let the check look."""


def screened(api: str) -> Check:
    """An API's check behind its screen, as messages are prepared."""
    is_ordinary, check = make_screen(api), make_check(api)
    return lambda body, wire: () if is_ordinary(body, wire) else check(body, wire)


def judging(api: str, padding: bytes = b"") -> Judge:
    """A message → the rules it breaks; `!rule` when it is rejected."""
    check, mapping = screened(api), MAPPINGS[api]

    def judge(message: dict[str, Any]) -> tuple[str, ...]:
        try:
            ((_, body, _),) = mapping(message)
            return tuple(concern.rule for concern in check(body, orjson.dumps(body) + padding))
        except UnmappableError as error:
            return ("!" + error.reason,)

    return judge


def track(properties: dict[str, Any], /, **more: Any) -> dict[str, Any]:
    return {"type": "track", "userId": "user-7", "event": "Order Completed", "properties": properties, **more}


def identify(traits: dict[str, Any], /, **more: Any) -> dict[str, Any]:
    return {"type": "identify", "userId": "user-7", "traits": traits, **more}


# -- ids, dates, sizes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("user", sorted(RESERVED_IDS))
def test_reserved_ids_are_known_in_any_case(user: str) -> None:
    assert is_reserved(user)
    assert is_reserved(user.upper())
    assert is_reserved(user.title())


@pytest.mark.parametrize("user", ["", "x", "7", "é"])
def test_an_id_has_two_characters_at_least(user: str) -> None:
    assert is_reserved(user)


@pytest.mark.parametrize("user", ["10", "-3", "guest1", "nulls", "a" * 500, "user_attribute_unique_ids", " null"])
def test_other_ids_are_free(user: str) -> None:
    assert not is_reserved(user)


def test_the_reserved_ids_are_the_documented_ones() -> None:
    documented = (
        "unknown, guest, null, 0, 1, 2, -1, -2, true, false, na, n/a, none, user_attribute_unique_id, "
        "dummy_seller_code, user_id, id, customer_id, uid, userid"
    )
    assert set(documented.split(", ")) == RESERVED_IDS


def test_refusals_are_named() -> None:
    with pytest.raises(UnmappableError, match="2099-01-01, which is in the future") as future:
        refuse_future("2099-01-01")
    with pytest.raises(UnmappableError, match=f"128,001 bytes; MoEngage takes {MAX_BODY_BYTES:,}") as size:
        refuse_size(b"x" * 128_001)
    with pytest.raises(UnmappableError, match="100,001 bytes; MoEngage takes 100,000"):
        refuse_size(b"x" * 100_001, 100_000)
    assert (future.value.reason, size.value.reason) == ("future_date", "too_large")


@pytest.mark.parametrize("message", [track({}), identify({})])
@pytest.mark.parametrize("user", ["Guest", "x", "USER_ATTRIBUTE_UNIQUE_ID"])
def test_a_reserved_id_is_a_concern_at_the_segment_endpoint_and_refused_by_the_data_api(
    message: dict[str, Any], user: str
) -> None:
    message = message | {"userId": user}
    assert judging("actions")(message) == judging("classic")(message) == ("reserved_id",)
    assert judging("bulk")(message) == ("!reserved_id",)


def test_who_is_anonymous_has_no_reserved_id() -> None:
    message = track({}, userId=None, anonymousId="guest")
    assert judging("actions")(message) == ()


def test_there_is_no_other_api() -> None:
    for make in (make_check, make_screen):
        with pytest.raises(ValueError, match="'rest' is no API"):
            make("rest")


# -- names and values -----------------------------------------------------------------------------------------

URL = "https://example.com/?q="
BOTH = [
    ({"n" * 200: 1}, ()),
    ({"n" * 201: 1}, ("name_cut",)),
    ({"é" * 200: 1}, ()),
    ({"a": "v" * 512}, ()),
    ({"a": "v" * 513}, ("value_cut",)),
    ({"a": "日" * 512}, ()),
    ({"a": '"' * 513}, ("value_cut",)),
    ({"a": URL.ljust(512, "x")}, ()),
    ({"a": URL.ljust(513, "x")}, ("!url_too_long",)),
    ({"a": URL.ljust(513, "x").upper()}, ("!url_too_long",)),
    ({"a": URL.ljust(513, "x") + " is long"}, ("value_cut",)),
    ({"moe_source": 1}, ("reserved_name",)),
    ({"a_moe_b": "moe_x"}, ()),
    ({"moe_project_name": "shop"}, ()),
    ({f"n{n}": n for n in range(100)}, ()),
    ({"o": {f"n{n}": n for n in range(100)}}, ()),
    ({"o": {f"n{n}": n for n in range(101)}}, ("object_too_many_keys",)),
    ({"o": [{f"n{n}": n for n in range(101)}]}, ("object_too_many_keys",)),
    ({"o": {"a": {"b": 1}}}, ()),
    ({"o": {"a": {"b": {}}}}, ("object_too_deep",)),
    ({"o": {"a": {"b": [{}]}}}, ("object_too_deep",)),
    ({"o": [{"a": {"b": 1}}]}, ()),
    ({"o": [{"a": {"b": {"c": {}}}}]}, ("object_too_deep",)),
    ({"o": {"a": {"b": [1, 2, [3]]}}}, ("nested_list",)),
    ({"o": {"a.b": 1}}, ("object_key",)),
    ({"o": {"a": {"b%": 1}}}, ("object_key",)),
    ({"o": [{"$a": 1}]}, ("object_key",)),
    ({"o": {"#": 1}}, ("object_key",)),
    ({"a.b": 1, "$c": 2, "d%": 3, "#": 4}, ()),
    ({"o": {"n" * 201: 1}}, ("name_cut",)),
    ({"o": {"a": "v" * 513}}, ("value_cut",)),
    ({"o": {"a": URL.ljust(513, "x")}}, ("nested_url",)),
    ({"o": {"a": [1, "x"]}}, ("nested_list",)),
    ({"o": [{"a": list(range(51))}]}, ("nested_list",)),
    ({"o": {f"n{n}": "v" * 490 for n in range(50)}}, ()),
    ({"o": {f"n{n}": "v" * 500 for n in range(50)}}, ("object_too_large",)),
    ({"l": [{f"n{n}": "v" * 500 for n in range(50)}]}, ("object_too_large",)),
    ({"a": 10**15, "b": 1.5, "c": None, "d": True, "e": "", "f": {}, "g": []}, ()),
]


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("make", [track, identify])
@pytest.mark.parametrize(("attributes", "rules"), BOTH)
def test_names_and_values_have_their_limits(
    attributes: dict[str, Any], rules: tuple[str, ...], make: Callable[..., dict[str, Any]], api: str
) -> None:
    judge = judging(api)
    message = make(attributes)
    assert judge(message) == rules
    assert judge(message) == rules  # what was remembered of it changes nothing
    assert judging(api, LARGE)(message) == rules


@pytest.mark.parametrize("api", APIS)
def test_a_long_text_is_found_in_the_shortest_body(api: str) -> None:
    check = screened(api)
    for message in (track({"": "v" * 513}, event="E", userId="uu"), identify({"a": "v" * 513}, userId="uu")):
        ((_, body, _),) = MAPPINGS[api](message)
        assert [concern.rule for concern in check(body, orjson.dumps(body))] == ["value_cut"]


LISTS = [
    ([*range(50)], True),
    ([*range(51)], False),
    (["x" * 512], True),
    (["x" * 513], False),
    ([URL.ljust(513, "x")], False),
    ([1, 2.5, -3], True),
    ([1, "1"], False),
    ([True, 1], False),
    ([None, "a"], False),
    ([{"a": 1}, {"b": "c"}], True),
    ([{"a": 1}, 2], False),
    ([[1], ["a"]], True),
    ([], True),
]


@pytest.mark.parametrize("make", [track, identify])
@pytest.mark.parametrize(("elements", "is_valid"), LISTS)
def test_a_list_has_fifty_elements_of_one_type_and_of_512_characters(
    elements: list[Any], is_valid: bool, make: Callable[..., dict[str, Any]]
) -> None:
    message = make({"l": elements})
    assert judging("actions")(message) == judging("classic")(message) == (() if is_valid else ("invalid_list",))
    assert judging("bulk")(message) == (() if is_valid else ("!invalid_list",))


@pytest.mark.parametrize("name", ["id", "_id", ""])
def test_three_names_are_not_for_user_attributes(name: str) -> None:
    assert judging("actions")(identify({name: "7"})) == ("reserved_attribute",)
    assert judging("bulk")(identify({name: "7"})) == ("!reserved_attribute",)
    assert judging("actions")(track({name: "7"})) == judging("bulk")(track({name: "7"})) == ()


@pytest.mark.parametrize("api", APIS)
def test_an_event_has_100_attributes_and_a_user_256(api: str) -> None:
    judge = judging(api)
    for make, most in ((track, 100), (identify, 256)):
        assert judge(make({f"n{n}": n for n in range(most)})) == ()
        assert judge(make({f"n{n}": n for n in range(most + 1)})) == ("too_many_attributes",)


@pytest.mark.parametrize("api", APIS)
def test_an_events_name_has_200_characters(api: str) -> None:
    judge = judging(api)
    assert judge(track({}, event="e" * 200)) == ()
    assert judge(track({}, event="e" * 201)) == ("name_cut",)


def test_one_rule_is_told_once_and_each_of_several() -> None:
    names = {"a" * 201: 1, "b" * 201: 2, "moe_x": 3, "v": "v" * 513}
    assert judging("actions")(track(names, userId="guest")) == ("reserved_id", "name_cut", "reserved_name", "value_cut")


@pytest.mark.parametrize(
    ("properties", "detail"),
    [
        ({"n" * 201: 1}, f"the name '{'n' * 40}…' has 201 characters; MoEngage takes 200"),
        ({"plan": "v" * 1200}, "the value of 'plan' has 1,200 characters; MoEngage takes 512"),
        ({"tags": list(range(51))}, "the list 'tags' has 51 elements; MoEngage takes 50"),
        ({"tags": [1, None]}, "the list 'tags' is of nulls and numbers; MoEngage takes one type"),
        ({"cart": {"note": "v" * 513}}, "the value of 'cart.note' has 513 characters; MoEngage takes 512"),
        ({"cart": {"a.b": 1}}, "the key 'a.b' of an object in 'cart' has one of $ . % #"),
    ],
)
def test_a_concern_names_the_attribute_and_how_large_it_is(properties: dict[str, Any], detail: str) -> None:
    ((_, body, _),) = MAPPINGS["actions"](track(properties))
    assert [concern.detail for concern in screened("actions")(body, orjson.dumps(body))] == [detail]


def test_a_refusal_names_the_attribute_and_how_large_it_is() -> None:
    ((_, body, _),) = MAPPINGS["actions"](track({"link": URL.ljust(600, "x")}))
    with pytest.raises(UnmappableError, match="the URL 'link' has 600 characters; MoEngage takes 512"):
        screened("actions")(body, orjson.dumps(body))


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_of_a_bulk_body_every_element_is_looked_at(place: int) -> None:
    event: dict[str, Any] = {"type": "event", "customer_id": "user-7", "actions": [{"action": "E"}]}
    customer = {"type": "customer", "customer_id": "user-7"}
    device = {"type": "device", "customer_id": "user-7", "device_id": "d", "attributes": {"platform": "iOS"}}
    elements: list[dict[str, Any]] = [customer, device, event, event | {"actions": [{"action": "E"}, {"action": "F"}]}]
    body = {"type": "transition", "elements": elements}
    assert list(screened("bulk")(body, orjson.dumps(body))) == []
    elements[place] = elements[place] | {"customer_id": "none"}
    with pytest.raises(UnmappableError) as refused:
        screened("bulk")(body, orjson.dumps(body))
    assert refused.value.reason == "reserved_id"


def test_of_a_bulk_event_every_action_is_looked_at() -> None:
    actions = [{"action": "E"}, {"action": "F", "attributes": {"moe_x": 1}}]
    body = {"type": "transition", "elements": [{"type": "event", "customer_id": "user-7", "actions": actions}]}
    assert [concern.rule for concern in screened("bulk")(body, orjson.dumps(body))] == ["reserved_name"]


# -- screens --------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b.c", "id", "_id", "", "moe_x", "moe_project_name", "n" * 200, "n" * 201, "[{"])
SCALARS = st.sampled_from(
    [None, True, 0, 1.5, "", "text", '"', "\\", "{[", "v" * 512, "v" * 513, URL.ljust(513, "x"), 'q"' * 300]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(NAMES, inner, max_size=3)
        | st.integers(49, 52).map(lambda count: [0] * count)
        | st.integers(99, 102).map(lambda count: {str(n): 0 for n in range(count)})
    ),
    max_leaves=8,
)
ATTRIBUTES = st.dictionaries(NAMES, VALUES, max_size=4) | st.integers(99, 102).map(
    lambda count: {str(n): "x" for n in range(count)}
)
MESSAGES = st.builds(
    lambda is_track, attributes, user, event: (track if is_track else identify)(attributes, userId=user, event=event),
    st.booleans(),
    ATTRIBUTES,
    st.sampled_from(["user-7", "guest", "x", "{[", "u" * 600]),
    st.sampled_from(["E", "e" * 201, "{"]),
)


@pytest.mark.parametrize("api", APIS)
@given(st.lists(MESSAGES, max_size=4))
def test_no_screen_hides_what_the_exact_rules_find(api: str, messages: list[dict[str, Any]]) -> None:
    """A check that has seen other messages says what a new one says that must look at everything."""
    check, mapping = screened(api), MAPPINGS[api]
    for message in messages:
        try:
            ((_, body, _),) = mapping(message)
        except UnmappableError:
            continue
        wire = orjson.dumps(body)
        assert result(check, body, wire) == result(make_check(api), body, wire), message


def result(check: Check, body: dict[str, Any], wire: bytes) -> object:
    """What a check says: its concerns, or its refusal."""
    try:
        return list(check(body, wire))
    except UnmappableError as error:
        return (error.reason, str(error))


@pytest.mark.parametrize("api", APIS)
def test_published_cases_can_all_be_looked_at(api: str) -> None:
    path = Path(__file__).parents[1] / "conformance" / "actions_cases.jsonl"
    judge, looked_at = judging(api), 0
    for line in path.read_text("utf-8").splitlines():
        try:
            rules = judge(json.loads(line)["event"])
        except (NotTakenError, ValueError):
            continue  # skipped, or the mapping takes nothing of it
        looked_at += 1
        assert all(rule in RULES for rule in rules if not rule.startswith("!"))
    assert looked_at > 50


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ("userId", "anonymousId", "event", "properties", "traits", "context", "timestamp")
ANY_MESSAGES = st.fixed_dictionaries(
    {"type": st.sampled_from(["track", "identify"]) | ANYTHING},
    optional=dict.fromkeys(FIELDS, ANYTHING)
    | {
        "userId": st.just("user-7") | ANYTHING,
        "event": st.just("E") | ANYTHING,
        "traits": st.dictionaries(st.sampled_from(["id", "address", "phone", "mobile"]), ANYTHING) | ANYTHING,
        "context": st.dictionaries(st.sampled_from(["device", "os", "app", "library"]), ANYTHING) | ANYTHING,
    },
)


@pytest.mark.parametrize("api", APIS)
@given(ANY_MESSAGES)
def test_any_message_is_taken_left_out_or_refused(api: str, message: dict[str, Any]) -> None:
    try:
        drafts = MAPPINGS[api](message)
    except (UnmappableError, NotTakenError):
        return
    for _, body, lanes in drafts:
        assert lanes
        assert isinstance(result(screened(api), body, orjson.dumps(body)), list | tuple)


def test_hostile_attributes_are_read_once() -> None:
    deep: Any = 1
    for _ in range(200):
        deep = [deep]
    for value in (deep, {"a": deep}, [{"a": deep}] * 40, "h" * 500_000, {"k" * 100_000: 1}):
        assert all(rule in RULES for rule in judging("actions")(track({"a": value})))
    many = {f"name {n}": {"k": n} for n in range(20_000)}
    assert judging("actions")(track(many)) == ("too_many_attributes",)


def test_only_so_many_names_are_remembered() -> None:
    """Beyond them messages are looked at exactly, and judged the same."""
    judge = judging("actions")
    for n in range(50):
        assert judge(track({f"name {n} {m}": {f"key {n} {m}": 1} for m in range(100)})) == ()
    assert judge(track({"new": {"key": "v"}})) == ()
    assert judge(track({"new": {"k.": "v"}, "moe_": 1})) == ("object_key", "reserved_name")


def test_keys_that_are_remembered_are_counted_all_the_same() -> None:
    judge = judging("actions")
    keys = [f"k{n}" for n in range(101)]
    assert judge(track({"o": [dict.fromkeys(keys[:60], 1), dict.fromkeys(keys[60:], 1)]})) == ()
    assert judge(track({"o": [dict.fromkeys(keys, 1)]})) == ("object_too_many_keys",)


def test_every_rule_has_a_verdict_for_both_endpoints() -> None:
    rejected = {name for name, rule in RULES.items() if rule.data is Verdict.REJECTED}
    assert rejected == {"reserved_id", "url_too_long", "invalid_list", "reserved_attribute"}
    assert {name for name, rule in RULES.items() if rule.segment is Verdict.REJECTED} == {"url_too_long"}
    assert Concern("a", "b") == ("a", "b")

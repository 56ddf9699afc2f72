"""The mapping to the Data API: elements with the documented fields, and nothing beside them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.moengage.actions import actions_mapping
from replay_cli.moengage.attributes import user_attributes
from replay_cli.moengage.bulk import bulk_mapping, utc_time
from replay_cli.moengage.mapping import Draft, Mapping, NotTakenError, UnmappableError
from replay_cli.segment.javascript import instant

CASES = [
    json.loads(line)["event"]
    for line in (Path(__file__).parents[1] / "conformance" / "actions_cases.jsonl").read_text("utf-8").splitlines()
]
TIME = "2025-03-01T10:00:00.000Z"
TRACK = {"type": "track", "userId": "u-1", "event": "Order Completed", "timestamp": TIME}
IDENTIFY = {"type": "identify", "userId": "u-1", "timestamp": TIME}
DEVICE = {
    "device": {"id": "d-1", "token": "push-1", "type": "ios", "model": "iPhone14,2"},
    "app": {"version": "5.4.0"},
    "os": {"name": "iPadOS", "version": "17.1"},
}


def elements_of(message: dict[str, Any], **settings: Any) -> list[dict[str, Any]]:
    ((path, body, _),) = bulk_mapping("A/B", **settings)(message)
    assert path == "/v1/transition/A%2FB"
    assert list(body) == ["type", "elements"]
    assert body["type"] == "transition"
    elements: list[dict[str, Any]] = body["elements"]
    return elements


def event_of(message: dict[str, Any], **settings: Any) -> dict[str, Any]:
    (element,) = elements_of(message, **settings)
    return element


def action_of(message: dict[str, Any], **settings: Any) -> dict[str, Any]:
    (action,) = event_of(message, **settings)["actions"]
    assert isinstance(action, dict)
    return action


def reason_against(message: dict[str, Any]) -> str:
    with pytest.raises((UnmappableError, NotTakenError)) as refused:
        bulk_mapping("APP")(message)
    assert isinstance(refused.value, UnmappableError | NotTakenError)
    return f"{type(refused.value).__name__} {refused.value.reason}"


# -- events ---------------------------------------------------------------------------------------------------


def test_a_track_becomes_an_event_with_one_action() -> None:
    message = TRACK | {"properties": {"orderId": "o-1", "total": 9.5}, "context": DEVICE, "anonymousId": "a-1"}
    assert event_of(message) == {
        "type": "event",
        "customer_id": "u-1",
        "device_id": "d-1",
        "actions": [
            {
                "action": "Order Completed",
                "attributes": {"orderId": "o-1", "total": 9.5},
                "platform": "iOS",
                "app_version": "5.4.0",
                "user_time": TIME,
            }
        ],
    }


def test_what_is_not_known_is_left_out() -> None:
    bare = {"type": "track", "userId": "u-1", "event": "E"}
    assert event_of(bare) == {"type": "event", "customer_id": "u-1", "actions": [{"action": "E"}]}
    odd = {"context": {"device": {"id": 7, "type": None}, "app": "5", "os": {"name": "Windows"}}, "timestamp": ""}
    assert event_of(bare | odd) == event_of(bare | {"context": "x", "properties": None}) == event_of(bare)


def test_history_starts_no_campaign() -> None:
    message = TRACK | {"properties": {"real_time_action": "true"}, "real_time_action": "true"}
    assert "real_time_action" not in event_of(message) | action_of(message)


def test_a_stamp_is_on_every_event_and_on_no_user() -> None:
    stamp = {"resent": "yes"}
    assert action_of(TRACK | {"properties": {"a": 1, "resent": "no"}}, stamp=stamp)["attributes"] == {"a": 1} | stamp
    assert action_of(TRACK, stamp=stamp)["attributes"] == stamp
    assert elements_of(IDENTIFY, stamp=stamp) == [{"type": "customer", "customer_id": "u-1"}]


@pytest.mark.parametrize(
    ("context", "platform"),
    [
        ({"device": {"type": "android"}}, "ANDROID"),
        ({"device": {"type": "Android"}, "os": {"name": "iOS"}}, "ANDROID"),
        ({"os": {"name": "Android"}}, "ANDROID"),
        ({"os": {"name": "iOS"}}, "iOS"),
        ({"os": {"name": "iPadOS"}}, "iOS"),
        ({"device": {"type": "tvos"}}, "iOS"),
        ({"device": {"type": "mobile"}, "os": {"name": "watchOS"}}, "iOS"),
        ({"library": {"name": "analytics.js"}}, "web"),
        ({"library": {"name": "analytics.js"}, "os": {"name": "iOS"}}, "web"),
        ({"os": {"name": "Mac OS X"}}, None),
        ({"library": {"name": "analytics-python"}}, None),
        ({}, None),
    ],
)
def test_a_platform_is_one_of_moengages_or_none(context: dict[str, Any], platform: str | None) -> None:
    assert action_of(TRACK | {"context": context}).get("platform") == platform


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        (TIME, TIME),
        ("2025-03-01T12:00:00.000+02:00", TIME),
        ("2025-03-01 10:00:00", TIME),
        ("2025-03-01T10:00:00.123456Z", "2025-03-01T10:00:00.123Z"),
        (1740823200, TIME),
        (1740823200123, "2025-03-01T10:00:00.123Z"),
        ("1740823200", TIME),
        ("2025-02-30T10:00:00.000Z", "2025-03-02T10:00:00.000Z"),
        ("2025-01-31T10:00:00.000Z", "2025-01-31T10:00:00.000Z"),
        ("1965-03-01T10:00:00.000Z", "1965-03-01T10:00:00.000Z"),
    ],
)
def test_times_are_iso_8601_in_utc(timestamp: object, expected: str) -> None:
    assert action_of(TRACK | {"timestamp": timestamp})["user_time"] == expected


@given(st.datetimes().map(lambda moment: moment.isoformat(timespec="milliseconds")), st.sampled_from(["Z", "+05:30"]))
def test_a_time_means_the_same_instant_in_utc(moment: str, offset: str) -> None:
    seconds = instant(moment + offset)
    assert seconds is not None
    try:
        assert instant(utc_time(moment + offset)) == seconds
    except UnmappableError:
        assert moment[:4] == "0001"  # in UTC it is the year 0


@pytest.mark.parametrize(
    "timestamp",
    ["soon", "2025-13-45", "0000-01-01T00:00:00.000Z", "+010000-01-01T00:00:00Z", 1e300, True, [TIME], {"a": []}],
)
def test_a_time_that_cannot_be_read_is_refused(timestamp: object) -> None:
    assert reason_against(TRACK | {"timestamp": timestamp}) == "UnmappableError invalid_timestamp"


# -- users and devices ----------------------------------------------------------------------------------------


def test_an_identify_becomes_a_customer() -> None:
    traits = {"email": "a@example.com", "firstName": "Ada", "planName": "pro"}
    assert elements_of(IDENTIFY | {"traits": traits}) == [
        {
            "type": "customer",
            "customer_id": "u-1",
            "attributes": {"email": "a@example.com", "first_name": "Ada", "planName": "pro"},
        }
    ]
    assert elements_of(IDENTIFY) == [{"type": "customer", "customer_id": "u-1"}]


def test_existing_users_only_is_said_only_when_it_is_wished() -> None:
    (customer,) = elements_of(IDENTIFY, update_existing_only=True)
    assert customer["update_existing_only"] is True


def test_standard_attributes_have_the_data_apis_names() -> None:
    traits = {
        **{"email": 1, "phone": 2, "name": 3, "firstName": 4, "lastName": 5, "gender": 6, "birthday": 7},
        **{"createdAt": 8, "address": {"city": 9, "state": 10, "country": 11}},
    }
    assert user_attributes(traits, "u-1") == {
        **{"email": 1, "mobile": 2, "name": 3, "first_name": 4, "last_name": 5, "gender": 6, "birthday": 7},
        **{"created_time": 8, "city": 9, "state": 10, "country": 11},
    }


def test_what_has_the_name_already_goes_before_what_would_get_it() -> None:
    traits = {"phone": 1, "mobile": 2, "address": {"city": 3, "street": 4}, "city": 5}
    assert user_attributes(traits, "u-1") == {"mobile": 2, "city": 5, "address": {"city": 3, "street": 4}}


def test_what_else_is_in_an_address_stays_there() -> None:
    assert user_attributes({"address": {"city": 1, "street": 2}}, "u-1") == {"city": 1, "address": {"street": 2}}
    assert user_attributes({"address": {}}, "u-1") == {"address": {}}
    assert user_attributes({"address": "Main St"}, "u-1") == {"address": "Main St"}


def test_an_id_that_says_the_customer_id_again_is_left_out() -> None:
    """Any other stays, for the check to refuse."""
    assert user_attributes({"id": "7"}, "7") == user_attributes({"id": 7.0}, "7") == {}
    assert user_attributes({"id": "8"}, "7") == {"id": "8"}


@given(st.dictionaries(st.sampled_from(["phone", "mobile", "address", "city", "id", "x", "createdAt"]), st.integers()))
def test_every_trait_that_is_not_in_anothers_way_is_there(traits: dict[str, int]) -> None:
    before = dict(traits)
    values = set(user_attributes(traits, "no").values())
    assert traits == before
    hidden = {traits["phone"]} if "phone" in traits and "mobile" in traits else set()
    assert set(traits.values()) - values <= hidden
    assert values <= set(traits.values())


def test_a_push_token_makes_a_device_behind_its_customer() -> None:
    _, device = elements_of(IDENTIFY | {"context": DEVICE})
    assert device == {
        "type": "device",
        "customer_id": "u-1",
        "device_id": "d-1",
        "attributes": {"platform": "iOS", "push_id": "push-1"},
        "model": "iPhone14,2",
        "app_version": "5.4.0",
        "os_version": "17.1",
    }


@pytest.mark.parametrize("missing", ["id", "token", "type"])
def test_a_device_needs_its_id_its_token_and_its_platform(missing: str) -> None:
    device = {name: value for name, value in DEVICE["device"].items() if name != missing}
    assert len(elements_of(IDENTIFY | {"context": {"device": device}})) == 1
    assert len(elements_of(IDENTIFY | {"context": {"device": DEVICE["device"]}})) == 2


def test_an_event_makes_no_device() -> None:
    assert len(elements_of(TRACK | {"context": DEVICE})) == 1


# -- all ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("message", [TRACK, IDENTIFY])
@pytest.mark.parametrize("user", [None, "", ...])
def test_who_has_no_user_id_is_not_taken(message: dict[str, Any], user: object) -> None:
    anonymous = {name: value for name, value in (message | {"userId": user}).items() if value is not ...}
    assert reason_against(anonymous | {"anonymousId": "a-1"}) == "NotTakenError anonymous"
    assert reason_against(anonymous) == "UnmappableError no_identity"


@pytest.mark.parametrize("message", [TRACK, IDENTIFY])
def test_both_ids_keep_the_order(message: dict[str, Any]) -> None:
    ((_, body, lanes),) = bulk_mapping("APP")(message | {"anonymousId": "a-1"})
    assert lanes == ("uu-1", "aa-1")
    assert "a-1" not in json.dumps(body)
    ((_, _, lanes),) = bulk_mapping("APP")(message | {"anonymousId": []})
    assert lanes == ("uu-1",)


@pytest.mark.parametrize("kind", ["page", "alias", None, ["track"], {}])
def test_other_types_are_nothing_to_the_data_api(kind: object) -> None:
    assert bulk_mapping("APP")(TRACK | {"type": kind}) == ()


@pytest.mark.parametrize("case", CASES, ids=lambda event: event["messageId"])
def test_ids_names_and_objects_are_coerced_as_the_actions_destination_does(case: dict[str, Any]) -> None:
    names = ("type", "event", "properties", "traits")
    kept: dict[str, Any] = {name: case[name] for name in names if name in case}
    kept["userId"] = case.get("userId") or "u-1"
    drafts, problems = answer(actions_mapping("APP"), kept)
    bulk_drafts, problem = answer(bulk_mapping("APP"), kept)
    assert len(bulk_drafts) == len(drafts)
    assert bool(problem) == bool(problems)
    assert problem in problems
    for _, sent, _ in drafts:
        element = bulk_drafts[0][1]["elements"][0]
        assert element["customer_id"] == sent["user_id"]
        if sent["type"] == "track":
            action = element["actions"][0]
            assert (action["action"], action.get("attributes")) == (sent["event"], sent.get("properties"))
        else:
            assert ("attributes" in element) == ("traits" in sent)


def answer(mapping: Mapping, message: dict[str, Any]) -> tuple[Sequence[Draft], str]:
    """What a mapping gives, or what it says is wrong."""
    try:
        return mapping(message), ""
    except UnmappableError as error:
        return (), str(error)

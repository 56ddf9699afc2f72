"""The classic mapping: the documented rules, and where the Actions mapping stands in for what is not documented."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.moengage.actions import actions_mapping
from replay_cli.moengage.classic import classic_mapping, snake_names
from replay_cli.moengage.mapping import Draft, Mapping, NotTakenError, UnmappableError
from replay_cli.segment.snake_case import snake_case

CASES = [
    json.loads(line)["event"]
    for line in (Path(__file__).parents[1] / "conformance" / "actions_cases.jsonl").read_text("utf-8").splitlines()
]
TRACK = {"type": "track", "userId": "u-1", "event": "Order Completed", "timestamp": "2025-03-01T10:00:00.000Z"}
IDENTIFY = {"type": "identify", "userId": "u-1", "timestamp": "2025-03-01T10:00:00.000Z"}


def body_of(message: dict[str, Any], **settings: Any) -> dict[str, Any]:
    ((path, body, _),) = classic_mapping("A/B", **settings)(message)
    assert path == "/v1/integrations/segment?appId=A%2FB"
    return body


def lanes_of(message: dict[str, Any]) -> tuple[str, ...]:
    ((_, _, lanes),) = classic_mapping("APP")(message)
    return lanes


def reason_against(message: dict[str, Any]) -> str:
    with pytest.raises((UnmappableError, NotTakenError)) as refused:
        classic_mapping("APP")(message)
    assert isinstance(refused.value, UnmappableError | NotTakenError)
    return f"{type(refused.value).__name__} {refused.value.reason}"


def test_names_of_properties_and_traits_go_to_snake_case() -> None:
    properties = {"orderId": "o-1", "HTMLPage": 2, "userID": None, "total": 3.5, "Coupon Code": "x"}
    named = {"order_id": "o-1", "html_page": 2, "user_id": None, "total": 3.5, "coupon_code": "x"}
    assert body_of(TRACK | {"properties": properties})["properties"] == named
    assert body_of(IDENTIFY | {"traits": properties})["traits"] == named


def test_the_events_name_and_values_stay_as_they_are() -> None:
    properties = {"cartItems": [{"itemId": 1}], "shipTo": {"zipCode": "1"}, "say": "orderId"}
    body = body_of(TRACK | {"event": "orderCompleted", "properties": properties})
    assert body["event"] == "orderCompleted"
    assert body["properties"] == {"cart_items": [{"itemId": 1}], "ship_to": {"zipCode": "1"}, "say": "orderId"}


def test_of_two_with_one_name_that_which_has_it_already_stays() -> None:
    assert snake_names({"orderId": 1, "order_id": 2}) == {"order_id": 2}
    assert snake_names({"order_id": 2, "orderId": 1}) == {"order_id": 2}


def test_of_two_that_would_be_renamed_alike_the_first_one_stays() -> None:
    assert snake_names({"orderID": 1, "orderId": 2, "OrderId": 3}) == {"order_id": 1}


@given(st.dictionaries(st.text("aAbB_ 1", max_size=6), st.integers(), max_size=8))
def test_every_name_is_there_once_in_snake_case_with_a_value_of_its_own(attributes: dict[str, int]) -> None:
    named = snake_names(attributes)
    assert set(named) == {snake_case(name) for name in attributes}
    for name, value in named.items():
        assert value in [old for other, old in attributes.items() if snake_case(other) == name]
        assert value == attributes.get(name, value)
    assert snake_names(named) == named


@pytest.mark.parametrize("case", CASES, ids=lambda event: event["messageId"])
def test_everything_else_is_what_the_actions_destination_sends(case: dict[str, Any]) -> None:
    """The same body for a known user, but for the anonymous id and what is documented of the classic one."""
    known = {name: value for name, value in case.items() if name != "anonymousId"}
    known["userId"] = case.get("userId") or "u-1"
    if isinstance(case.get("traits"), dict):
        known["traits"] = {name: value for name, value in case["traits"].items() if name != "id"}
    drafts, problems = answer(actions_mapping("APP"), known)
    classic_drafts, problem = answer(classic_mapping("APP"), known | {"anonymousId": case.get("anonymousId")})
    for _, body, _ in drafts:
        for field in {"properties", "traits"} & body.keys():
            body[field] = snake_names(body[field])
    assert [draft[:2] for draft in classic_drafts] == [draft[:2] for draft in drafts]
    assert [list(body) for _, body, _ in classic_drafts] == [list(body) for _, body, _ in drafts]
    assert bool(problem) == bool(problems)
    assert problem in problems


def answer(mapping: Mapping, message: dict[str, Any]) -> tuple[Sequence[Draft], str]:
    """What a mapping gives, or what it says is wrong."""
    try:
        return mapping(message), ""
    except UnmappableError as error:
        return (), str(error)


@pytest.mark.parametrize("message", [TRACK, IDENTIFY])
@pytest.mark.parametrize("user", [None, "", ...])
def test_who_has_no_user_id_is_not_taken(message: dict[str, Any], user: object) -> None:
    anonymous = {name: value for name, value in (message | {"userId": user}).items() if value is not ...}
    assert reason_against(anonymous | {"anonymousId": "a-1"}) == "NotTakenError anonymous"
    assert reason_against(anonymous | {"anonymousId": 7}) == "NotTakenError anonymous"
    assert reason_against(anonymous) == "UnmappableError no_identity"


def test_the_anonymous_id_is_not_sent_but_keeps_the_order() -> None:
    assert "anonymous_id" not in body_of(TRACK | {"anonymousId": "a-1"})
    assert lanes_of(TRACK | {"anonymousId": "a-1"}) == ("uu-1", "aa-1")
    assert lanes_of(TRACK | {"anonymousId": 7}) == ("uu-1", "a7")
    assert lanes_of(TRACK) == lanes_of(TRACK | {"anonymousId": ""}) == ("uu-1",)


def test_an_anonymous_id_that_can_be_none_is_no_problem() -> None:
    assert lanes_of(TRACK | {"anonymousId": {"odd": 1}}) == ("uu-1",)


@pytest.mark.parametrize(("own", "user"), [("c-9", "c-9"), (9.0, "9"), (True, "true")])
def test_the_id_among_the_traits_is_the_users_unique_id(own: object, user: str) -> None:
    message = IDENTIFY | {"traits": {"id": own, "planName": "pro"}}
    for sender in (message, message | {"userId": None}):
        body = body_of(sender)
        assert (body["user_id"], body["traits"]) == (user, {"plan_name": "pro"})
        assert lanes_of(sender) == ("u" + user,)
    assert message["traits"] == {"id": own, "planName": "pro"}


@pytest.mark.parametrize("own", [None, ""])
def test_an_empty_id_among_the_traits_is_none(own: object) -> None:
    body = body_of(IDENTIFY | {"traits": {"id": own}})
    assert (body["user_id"], body["traits"]) == ("u-1", {"id": own})


def test_an_id_among_the_traits_that_can_be_none_is_refused() -> None:
    assert reason_against(IDENTIFY | {"traits": {"id": {"a": 1}}}) == "UnmappableError invalid_user_id"


def test_an_id_among_the_properties_is_a_property() -> None:
    body = body_of(TRACK | {"properties": {"id": "p-1"}})
    assert (body["user_id"], body["properties"]) == ("u-1", {"id": "p-1"})


def test_project_name_stamp_and_switch_are_as_the_operator_wishes() -> None:
    settings = {"project_name": "shop", "update_existing_only": True, "stamp": {"reSent": "yes"}}
    body = body_of(TRACK | {"properties": {"re_sent": "no", "reSent": "no"}}, **settings)
    assert body["properties"] == {"re_sent": "no", "moe_project_name": "shop", "reSent": "yes"}
    assert body["update_existing_only"] is True
    assert body_of(TRACK, **settings)["properties"] == {"moe_project_name": "shop", "reSent": "yes"}
    assert "properties" not in body_of(IDENTIFY, **settings)


def test_the_message_stays_as_it_was() -> None:
    message = TRACK | {"anonymousId": "a-1", "properties": {"orderId": 1}}
    before = json.dumps(message)
    body_of(message, stamp={"resent": "yes"})
    assert json.dumps(message) == before


def test_names_too_long_to_be_remembered_are_renamed_too() -> None:
    assert body_of(TRACK | {"properties": {"aB" * 101: 1}})["properties"] == {snake_case("aB" * 101): 1}


@pytest.mark.parametrize("kind", ["page", "alias", None, ["track"], {}])
def test_other_types_have_no_subscription(kind: object) -> None:
    assert classic_mapping("APP")(TRACK | {"type": kind}) == ()

"""Configured subscriptions against what Segment's own runtime did with them, and against the default mapping.

`tests/conformance/configured_cases.jsonl` holds `{"subscriptions", "event", "outcome": "sent"|"rejected"|
"not_subscribed", "bodies"|"error"}`: made mappings over made messages, asked of the published runtime.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from replay_cli.moengage.actions import actions_mapping
from replay_cli.moengage.configuration import DEFAULT, Configuration
from replay_cli.moengage.configured import configured_mapping
from replay_cli.moengage.mapping import Mapping, UnmappableError
from replay_cli.moengage.subscriptions import DEFAULT_IDENTIFY, DEFAULT_TRACK, Subscription

CONFORMANCE = Path(__file__).parents[1] / "conformance"
CASES = [json.loads(line) for line in (CONFORMANCE / "configured_cases.jsonl").read_text().splitlines()]
MESSAGES = [json.loads(line)["event"] for line in (CONFORMANCE / "actions_cases.jsonl").read_text().splitlines()]
MESSAGE = {
    "type": "track",
    "userId": "u-1",
    "anonymousId": "a-1",
    "event": "Order Completed",
    "timestamp": "2025-03-01T10:00:00.000Z",
    "properties": {"total": 5},
    "traits": {"plan": "pro"},
    "context": {"app": {"version": "5.4.0"}, "os": {"name": "iOS"}, "library": {"version": "4.1"}},
}


def outcome(mapping: Mapping, message: dict[str, Any]) -> Any:
    """What a mapping does, written so that 1, 1.0 and true differ, and so does the order of keys."""
    try:
        return [json.dumps(draft) for draft in mapping(message)]
    except UnmappableError as error:
        return error.reason


def changed(subscription: Subscription, **settings: Any) -> Subscription:
    return subscription._replace(settings={**subscription.settings, **settings})


def configured(*subscriptions: Subscription) -> Mapping:
    return configured_mapping(Configuration(subscriptions), "APP")


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message["messageId"])
def test_the_published_configuration_does_what_the_default_mapping_does(message: dict[str, Any]) -> None:
    assert outcome(configured_mapping(DEFAULT, "APP"), message) == outcome(actions_mapping("APP"), message)


def document(given: dict[str, Any]) -> dict[str, Any]:
    """A subscription as it is stored: some cases have one user for everybody, which is not read from a file."""
    settings = given["settings"]
    return {
        "actionSlug": given["actionSlug"],
        "trigger": given["trigger"] if "trigger" in given else given["subscribe"],
        "settings": json.loads(settings) if isinstance(settings, str) else settings,
    }


def names_nobody(body: dict[str, Any]) -> bool:
    return not (body.get("user_id") or body.get("anonymous_id"))


@pytest.mark.parametrize("case", CASES, ids=map(str, range(len(CASES))))
def test_a_message_becomes_what_segments_runtime_makes_of_it(case: dict[str, Any]) -> None:
    """Same requests in the same order; one without any id is rejected, and the message with it."""
    enabled = [given for given in case["subscriptions"] if given["enabled"]]
    mapping = configured_mapping(Configuration.from_document({"subscriptions": map(document, enabled)}), "APP")
    if case["outcome"] == "sent" and any(map(names_nobody, case["bodies"])):
        assert outcome(mapping, case["event"]) == "no_identity"
    elif case["outcome"] == "rejected":
        with pytest.raises(UnmappableError):
            mapping(case["event"])
    else:
        bodies = [body for _, body, _ in mapping(case["event"])]
        assert bodies == case.get("bodies", [])
        assert [list(body) for body in bodies] == [list(body) for body in case.get("bodies", [])]


def test_the_cases_hold_every_outcome_and_several_requests_of_one_message() -> None:
    assert {case["outcome"] for case in CASES} == {"sent", "rejected", "not_subscribed"}
    assert any(len(case.get("bodies", ())) > 1 for case in CASES)
    assert any(names_nobody(body) for case in CASES for body in case.get("bodies", ()))


def test_each_subscription_that_takes_a_message_makes_a_request_in_their_order() -> None:
    first = changed(DEFAULT_TRACK, event="First")
    second = changed(DEFAULT_IDENTIFY, userId="someone")._replace(trigger='type = "track"')
    drafts = configured(first, DEFAULT_IDENTIFY, second)(MESSAGE)
    assert [(path, body["user_id"], lanes) for path, body, lanes in drafts] == [
        ("/v1/integrations/segment?appId=APP", "u-1", ("uu-1", "aa-1")),
        ("/v1/integrations/segment?appId=APP", "someone", ("usomeone", "aa-1")),
    ]
    assert drafts[0][1]["event"] == "First"
    assert drafts[1][1]["traits"] == {"plan": "pro"}


def test_a_message_that_one_of_several_subscriptions_refuses_is_refused_whole() -> None:
    mapping = configured(DEFAULT_TRACK, changed(DEFAULT_TRACK, event={"@path": "$.properties.name"}))
    assert outcome(mapping, MESSAGE) == "missing_event"
    assert len(mapping({**MESSAGE, "properties": {"name": "Named"}})) == 2


def test_a_message_that_no_subscription_takes_becomes_nothing() -> None:
    assert list(configured(DEFAULT_IDENTIFY)(MESSAGE)) == []


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"type": {"@path": "$.missing"}}, "missing_type"),
        ({"type": {"a": 1}}, "invalid_type"),
        ({"type": 7}, {"type": "7"}),
        ({"userId": {"@path": "$.missing"}, "anonymousId": None}, "no_identity"),
        ({"userId": ["x"]}, {"user_id": "x"}),
        ({"userId": [None]}, {"user_id": ""}),
        ({"userId": [{"@path": "$.missing"}]}, "invalid_user_id"),
        ({"event": {"@path": {"@path": "$.properties"}}}, "invalid_event"),
        ({"userId": {"@path": "$.context"}}, "invalid_user_id"),
        ({"os_name": [1, 2]}, "invalid_os_name"),
        ({"app_version": {}}, "invalid_app_version"),
        ({"library_version": {}}, "invalid_library_version"),
        ({"properties": "x"}, "invalid_properties"),
        ({"project_name": "Shop"}, {"properties": {"total": 5, "moe_project_name": "Shop"}}),
        ({"project_name": 5, "properties": None}, {"properties": {"moe_project_name": "5"}}),
        ({"project_name": {}}, "invalid_project_name"),
        ({"update_existing_only": "true"}, {"update_existing_only": True}),
        ({"update_existing_only": [1.0]}, {"update_existing_only": True}),
        ({"update_existing_only": [None]}, {"update_existing_only": False}),
        ({"update_existing_only": 0}, {"update_existing_only": False}),
        ({"update_existing_only": "yes"}, "invalid_update_existing_only"),
        ({"update_existing_only": [""]}, "invalid_update_existing_only"),
        ({"timestamp": "soon"}, "invalid_timestamp"),
        ({"timestamp": ["1740823200"]}, {"timestamp": 1740823200}),
    ],
)
def test_what_settings_give_is_coerced_and_validated_as_a_message_is(
    settings: dict[str, Any], expected: dict[str, Any] | str
) -> None:
    mapping = configured(changed(DEFAULT_TRACK, **settings))
    if isinstance(expected, str):
        assert outcome(mapping, MESSAGE) == expected
    else:
        ((_, body, _),) = mapping(MESSAGE)
        assert body.items() >= expected.items()


def test_a_field_that_the_settings_do_not_name_is_absent() -> None:
    settings = {"type": {"@path": "$.type"}, "event": {"@path": "$.event"}, "userId": {"@path": "$.userId"}}
    ((_, body, _),) = configured(DEFAULT_TRACK._replace(settings=settings))(MESSAGE)
    assert json.dumps(body) == json.dumps(
        {
            "type": "track",
            "user_id": "u-1",
            "event": "Order Completed",
            "context": {"app": {}, "os": {}, "library": {}},
            "update_existing_only": False,
        }
    )


def test_an_identify_may_send_null_for_an_id() -> None:
    ((_, body, lanes),) = configured(changed(DEFAULT_IDENTIFY, userId=None))({**MESSAGE, "type": "identify"})
    assert body["user_id"] is None
    assert lanes == ("aa-1",)


def test_a_message_is_not_changed_by_what_is_made_of_it() -> None:
    before = json.dumps(MESSAGE)
    merged = {"@merge": {"direction": "right", "objects": [{"@path": "$.properties"}, {"added": 1}]}}
    ((_, body, _),) = configured(changed(DEFAULT_TRACK, properties=merged, project_name="Shop"))(MESSAGE)
    assert body["properties"] == {"total": 5, "added": 1, "moe_project_name": "Shop"}
    assert json.dumps(MESSAGE) == before


def test_a_trigger_that_fails_for_a_message_rejects_it() -> None:
    """As the runtime does: a group that names no known field fails once it is reached."""
    trigger = 'userId != "x" or (messageId = "y")'
    mapping = configured_mapping(Configuration((Subscription("trackEvent", trigger, DEFAULT_TRACK.settings),)), "APP")
    with pytest.raises(UnmappableError) as refused:
        mapping({"type": "track", "event": "E", "userId": "x"})
    assert refused.value.reason == "invalid_trigger"

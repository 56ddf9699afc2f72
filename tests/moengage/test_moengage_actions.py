"""The Actions mapping against what Segment's own runtime did (`tests/conformance/actions_cases.jsonl`)."""

import json
from pathlib import Path
from typing import Any

import pytest

from replay_cli.moengage.actions import actions_mapping
from replay_cli.moengage.mapping import UnmappableError

CASES = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "conformance" / "actions_cases.jsonl").read_text().splitlines()
]
MESSAGE = {"type": "track", "userId": "u-1", "event": "E", "timestamp": "2025-03-01T10:00:00.000Z"}


def outcome(message: dict[str, Any]) -> dict[str, Any]:
    try:
        drafts = actions_mapping("APP")(message)
    except UnmappableError as error:
        return {"outcome": "rejected", "reason": error.reason}
    if not drafts:
        return {"outcome": "not_subscribed"}
    ((path, body, _),) = drafts
    assert path == "/v1/integrations/segment?appId=APP"
    return {"outcome": "sent", "body": body}


def test_there_are_395_cases() -> None:
    assert len(CASES) == 395


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["event"]["messageId"])
def test_a_message_becomes_what_segments_runtime_makes_of_it(case: dict[str, Any]) -> None:
    """Same outcome, same body, its own keys in the same order; only a body without any id is rejected.

    Inside `traits` and `properties` JavaScript moves keys that look like integers to the front, which means
    nothing in JSON and is not imitated.
    """
    result = outcome(case["event"])
    if case["outcome"] == "sent" and not (case["body"].get("user_id") or case["body"].get("anonymous_id")):
        assert result == {"outcome": "rejected", "reason": "no_identity"}
        return
    assert result["outcome"] == case["outcome"]
    if case["outcome"] == "sent":
        assert result["body"] == case["body"]
        assert list(result["body"]) == list(case["body"])
        assert list(result["body"]["context"]) == list(case["body"]["context"])


def test_the_exception_no_identity_is_exercised() -> None:
    bodies = [case["body"] for case in CASES if case["outcome"] == "sent"]
    assert any(not (body.get("user_id") or body.get("anonymous_id")) for body in bodies)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"userId": [None]}, {"user_id": ""}),
        ({"userId": [["a"]]}, "invalid_user_id"),
        ({"userId": [True]}, {"user_id": "true"}),
        ({"userId": ["", "b"]}, "invalid_user_id"),
        ({"event": [None]}, {"event": ""}),
        ({"event": False}, {"event": "false"}),
        ({"userId": -0.0}, {"user_id": "0"}),
        ({"userId": 123456789012345678901}, {"user_id": "123456789012345680000"}),
        ({"timestamp": [1]}, {"timestamp": "1"}),
        ({"timestamp": ["1740823200"]}, {"timestamp": 1740823200}),
        ({"timestamp": ["2025-03-01"]}, "invalid_timestamp"),
        ({"timestamp": True}, "invalid_timestamp"),
        ({"timestamp": 1e300}, {"timestamp": 1e300}),
        ({"properties": False}, "invalid_properties"),
        ({"context": {"app": [{"version": "1"}]}}, {"context": {"app": {}, "os": {}, "library": {}}}),
        (
            {"context": {"app": {"version": [None]}}},
            {"context": {"app": {"version": ""}, "os": {}, "library": {}}},
        ),
        ({"context": {"app": {"version": {}}}}, "invalid_app_version"),
        (
            {"context": False},
            {"context": {"app": {"version": "false"}, "os": {"name": "false"}, "library": {"version": "false"}}},
        ),
        (
            {"context": {"app": 0, "os": "", "library": 1}},
            {"context": {"app": {"version": "0"}, "os": {}, "library": {}}},
        ),
        ({"type": "identify", "userId": ["a"]}, "invalid_user_id"),
        ({"type": "identify", "userId": [""], "anonymousId": "a"}, {"user_id": None}),
        ({"type": "identify", "userId": [None], "anonymousId": "a"}, {"user_id": ""}),
        ({"type": "identify", "userId": None, "anonymousId": "a"}, {"user_id": None}),
        ({"type": "identify", "userId": [0]}, {"user_id": "0"}),
    ],
)
def test_coercions_of_the_runtime_beyond_the_cases(changes: dict[str, Any], expected: dict[str, Any] | str) -> None:
    """Asked of the runtime one by one: the quirks of its validator that the made cases do not reach."""
    result = outcome({**MESSAGE, "anonymousId": "anon", **changes})
    if isinstance(expected, str):
        assert result == {"outcome": "rejected", "reason": expected}
    else:
        assert result["body"].items() >= expected.items()


def test_a_project_name_is_added_to_every_track_and_to_no_identify() -> None:
    mapping = actions_mapping("APP", "Shop")
    ((_, track, _),) = mapping({**MESSAGE, "properties": {"a": 1}})
    ((_, bare, _),) = mapping(MESSAGE)
    ((_, identify, _),) = mapping({**MESSAGE, "type": "identify"})
    assert track["properties"] == {"a": 1, "moe_project_name": "Shop"}
    assert bare["properties"] == {"moe_project_name": "Shop"}
    assert "properties" not in identify


def test_update_existing_only_goes_out_as_given() -> None:
    ((_, body, _),) = actions_mapping("APP", update_existing_only=True)(MESSAGE)
    assert body["update_existing_only"] is True


def test_a_workspace_id_is_quoted_in_the_path() -> None:
    ((path, _, _),) = actions_mapping("A&B/C")(MESSAGE)
    assert path == "/v1/integrations/segment?appId=A%26B%2FC"


def test_the_lanes_are_the_ids_of_the_body() -> None:
    ((_, _, users),) = actions_mapping("APP")({**MESSAGE, "userId": 7, "anonymousId": "x"})
    assert users == ("u7", "ax")

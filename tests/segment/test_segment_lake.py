"""Columns of Parquet archives, back to messages."""

from typing import Any

import pytest

from replay_cli.segment import lake


def one(row: dict[str, Any], segment_type: str | None = None) -> dict[str, Any]:
    (message,) = lake.messages(lake.paths(list(row)), [[value] for value in row.values()], 1, segment_type)
    return message


@pytest.mark.parametrize("name", ["userId", "user_id", "userid", "USER_ID"])
def test_a_column_is_known_in_any_spelling(name: str) -> None:
    assert one({name: "u1"}) == {"userId": "u1"}


@pytest.mark.parametrize(
    ("column", "path"),
    [
        ("anonymous_id", ("anonymousId",)),
        ("originaltimestamp", ("originalTimestamp",)),
        ("sent_at", ("sentAt",)),
        ("received_at", ("receivedAt",)),
        ("project_id", ("projectId",)),
        ("write_key", ("writeKey",)),
        ("previous_id", ("previousId",)),
        ("_metadata", ("_metadata",)),
        ("properties_a_b", ("properties", "a_b")),
        ("properties_total", ("properties", "total")),
        ("traits_first_name", ("traits", "first_name")),
        ("context_app_version", ("context", "app", "version")),
        ("context_os_name", ("context", "os", "name")),
        ("context_device_advertising_id", ("context", "device", "advertisingId")),
        ("context_device_advertisingId", ("context", "device", "advertisingId")),
        ("context_useragent", ("context", "userAgent")),
        ("context_user_agent", ("context", "userAgent")),
        ("context_user_agent_data_mobile", ("context", "userAgentData", "mobile")),
        ("context_group_id", ("context", "groupId")),
        ("context_page_url", ("context", "page", "url")),
        ("context_campaign_utm_custom", ("context", "campaign", "utm_custom")),
        ("context_traits_email", ("context", "traits", "email")),
        ("context_personas_computation_class", ("context", "personas", "computation_class")),
        ("context_consent_category_preferences_ads", ("context", "consent", "categoryPreferences", "ads")),
        ("context.app.version", ("context", "app", "version")),
        ("context_something_else", ("context", "something_else")),
        ("properties", ("properties",)),
        ("loaded_by", ("loaded_by",)),
    ],
)
def test_a_column_has_its_place_in_the_message(column: str, path: lake.Path) -> None:
    assert lake.paths([column]) == [path]


def test_absent_values_stay_out_and_leave_no_empty_objects() -> None:
    row = {"user_id": "u", "context_app_version": None, "context_ip": None, "properties_x": None}
    assert one(row) == {"userId": "u"}


def test_of_two_columns_for_one_field_the_one_with_a_value_counts() -> None:
    assert one({"userId": "u", "user_id": None}) == {"userId": "u"}
    assert one({"userId": None, "user_id": "u"}) == {"userId": "u"}


def test_json_text_is_read_where_a_message_has_an_object() -> None:
    row = {"userId": "u", "integrations": '{"All":false}', "properties": '{"a":{"b":1}}', "properties_x": '{"c":1}'}
    expected = {"a": {"b": 1}, "x": '{"c":1}'}
    assert one(row) == {"userId": "u", "integrations": {"All": False}, "properties": expected}


def test_text_that_is_no_object_stays_for_validation_to_refuse() -> None:
    assert one({"userId": "u", "traits": "[1]"}) == {"userId": "u", "traits": "[1]"}


def test_an_object_and_its_flattened_fields_are_one() -> None:
    row = {"context": {"ip": "192.0.2.1", "app": {"name": "Shop"}}, "context_locale": "de"}
    assert one(row) == {"context": {"ip": "192.0.2.1", "app": {"name": "Shop"}, "locale": "de"}}
    assert one({**row, "context": None}) == {"context": {"locale": "de"}}
    assert one({**row, "context_locale": None}) == {"context": row["context"]}


@pytest.mark.parametrize(
    ("segment_type", "own", "expected"),
    [
        ("identify", None, "identify"),
        ("identify", "track", "track"),
        ("order_completed", None, None),
        ("order_completed", "track", "track"),
        (None, None, None),
    ],
)
def test_the_partition_gives_the_type_where_rows_have_none(
    segment_type: str | None, own: str | None, expected: str | None
) -> None:
    assert one({"user_id": "u", "type": own}, segment_type).get("type") == expected


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"anything": True}, 0),
        ({"anything": False}, None),
        ({"key": True, "timestamp": False, "value": True}, 2),
        ({"source": True, "received_at": True, "RAW": True}, 2),
        ({"data": True, "message": True}, 1),
        ({"id": False, "blob": True}, 1),
        ({"a": True, "b": True}, None),
        ({"user_id": True, "message": True}, None),
        ({"properties_message": True, "message": True}, None),
        ({"type": True, "event": True, "message_id": True}, None),
    ],
)
def test_a_column_of_whole_messages_is_found_by_its_name(columns: dict[str, bool], expected: int | None) -> None:
    """Unless the columns are a message's own fields."""
    assert lake.json_column(list(columns.items())) == expected


def test_columns_without_any_id_or_object_are_no_messages() -> None:
    assert not lake.has_messages(["price", "size", "type"])
    assert lake.has_messages(["price", "anonymous_id"])
    assert lake.has_messages(["context_ip"])

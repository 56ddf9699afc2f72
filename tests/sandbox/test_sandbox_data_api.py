"""What the public Data API documents, rule by rule, without a server."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from replay_cli.sandbox.endpoints import MAX_BODY_BYTES, MAX_TRANSITION_BYTES, Account, Attempt, Body, judge, read_body
from replay_cli.sandbox.endpoints import max_body_bytes as most_bytes
from replay_cli.sandbox.verdicts import Verdict

NOW = 1_700_000_000.0  # 2023-11-14T22:13:20Z
ACCOUNT = Account.of("shop", "key")
KINDS = ("customer", "event", "device", "transition")

CUSTOMER = {"type": "customer", "customer_id": "u-1"}
ACTION = {"action": "Order"}
EVENT = {"type": "event", "customer_id": "u-1", "actions": [ACTION]}
PUSH = {"platform": "ANDROID", "push_id": "p"}
DEVICE = {"type": "device", "customer_id": "u-1", "device_id": "d-1", "attributes": PUSH}
TRANSITION = {"type": "transition", "elements": [CUSTOMER, EVENT, DEVICE]}
VALID: dict[str, dict[str, Any]] = {"customer": CUSTOMER, "event": EVENT, "device": DEVICE, "transition": TRANSITION}
URL = "https://shop.example/"


def attempt(kind: str, document: Any, **changes: Any) -> Attempt:
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    path = f"/v1/{kind}/shop"
    usual = Attempt("POST", path, None, ACCOUNT.authorization, "application/json", read_body(raw), "shop")
    return usual._replace(**changes)


def ask(document: dict[str, Any], **changes: Any) -> Verdict:
    """The verdict on a document sent to the endpoint of its type."""
    return judge(attempt(document["type"], document, **changes), ACCOUNT, NOW)


def refusal(verdict: Verdict) -> tuple[int, str, str | None]:
    assert verdict.document["status"] == "fail"
    assert not verdict.recorded
    error = verdict.document["error"]
    return verdict.status, error["type"], error.get("attribute")


def is_accepted(verdict: Verdict) -> bool:
    return (verdict.status, verdict.recorded, verdict.document["status"]) == (200, True, "success")


def act(**fields: Any) -> dict[str, Any]:
    return EVENT | {"actions": [ACTION | fields]}


def with_active(active: Any) -> dict[str, Any]:
    return CUSTOMER | {"platforms": [{"platform": "web", "active": active}]}


def user(**attributes: Any) -> dict[str, Any]:
    return CUSTOMER | {"attributes": attributes}


@pytest.mark.parametrize("kind", KINDS)
def test_what_has_the_required_fields_is_accepted_and_recorded(kind: str) -> None:
    assert is_accepted(ask(VALID[kind]))


@pytest.mark.parametrize("kind", KINDS)
def test_the_id_of_the_url_is_the_workspace(kind: str) -> None:
    assert refusal(ask(VALID[kind], path=f"/v1/{kind}/other")) == (409, "Conflict", None)
    assert refusal(ask(VALID[kind], path=f"/v1/{kind}/shop/more")) == (409, "Conflict", None)
    assert refusal(ask(VALID[kind], path=f"/v1/{kind}/shop\n")) == (409, "Conflict", None)


def test_the_app_key_is_the_workspace_when_it_is_there() -> None:
    assert is_accepted(ask(CUSTOMER, app_key=None))
    assert refusal(ask(CUSTOMER, app_key="other")) == (409, "Conflict", None)
    assert refusal(ask(CUSTOMER, app_key="")) == (409, "Conflict", None)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("authorization", [None, "", "Basic", Account.of("shop", "wrong").authorization])
def test_wrong_credentials_are_refused_with_401(kind: str, authorization: str | None) -> None:
    verdict = ask(VALID[kind], authorization=authorization)
    assert refusal(verdict) == (401, "Authentication required", None)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("GET", f"/v1/{kind}/shop") for kind in KINDS),
        ("POST", "/v1/customer"),
        ("POST", "/v1/customer/"),
        ("POST", "/v1/customer/merge"),
        ("POST", "/v1/customers/shop"),
        ("POST", "/v2/customer/shop"),
    ],
)
def test_other_resources_do_not_exist(method: str, path: str) -> None:
    assert refusal(ask(CUSTOMER, method=method, path=path)) == (404, "Not Found", None)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_json_object_is_refused(kind: str) -> None:
    assert refusal(ask(VALID[kind], content_type="text/plain"))[0] == 415
    assert refusal(ask(VALID[kind], body=Body(b"", too_large=True))) == (413, "Payload Too Large", None)
    for raw in (b"", b"{", b"[]", b"null", b'{"a": NaN}'):
        assert refusal(judge(attempt(kind, raw), ACCOUNT, NOW)) == (400, "Bad Request", None)


def test_a_bulk_request_has_100_kilobytes_and_the_others_128() -> None:
    assert (MAX_TRANSITION_BYTES, MAX_BODY_BYTES) == (100_000, 128_000)
    assert [most_bytes(f"/v1/{kind}/shop") for kind in KINDS] == [*[MAX_BODY_BYTES] * 3, MAX_TRANSITION_BYTES]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("other", KINDS)
def test_the_type_is_the_endpoints(kind: str, other: str) -> None:
    verdict = ask(VALID[kind] | {"type": other}, path=f"/v1/{kind}/shop")
    assert is_accepted(verdict) if kind == other else refusal(verdict) == (400, "InvalidParams", "type")


def required(kind: str) -> list[tuple[str, str]]:
    return [(kind, name) for name in VALID[kind]]


@pytest.mark.parametrize(("kind", "name"), [place for kind in KINDS for place in required(kind)])
def test_a_required_field_is_there_and_of_its_type(kind: str, name: str) -> None:
    def wrong(**changes: Any) -> tuple[int, str, str | None]:
        return refusal(judge(attempt(kind, rest | changes), ACCOUNT, NOW))

    rest = {other: value for other, value in VALID[kind].items() if other != name}
    assert wrong() == wrong(**{name: None}) == (400, "MissingAttributeError", name)
    assert wrong(**{name: 77}) == wrong(**{name: True}) == (400, "InvalidParams", name)
    empty = type(VALID[kind][name])()
    assert wrong(**{name: empty})[:2] == (400, "MissingAttributeError")


@pytest.mark.parametrize(
    ("document", "error_type", "attribute"),
    [
        (DEVICE | {"attributes": {"push_id": "p"}}, "MissingAttributeError", "attributes.platform"),
        (DEVICE | {"attributes": {"platform": "web"}}, "MissingAttributeError", "attributes.push_id"),
        (DEVICE | {"attributes": PUSH | {"push_id": 7}}, "InvalidParams", "attributes.push_id"),
        (EVENT | {"actions": [{}]}, "MissingAttributeError", "actions[0].action"),
        (EVENT | {"actions": [ACTION, {"action": ""}]}, "MissingAttributeError", "actions[1].action"),
        (EVENT | {"actions": [ACTION, "Order"]}, "InvalidParams", "actions[1]"),
        (act(action=7), "InvalidParams", "actions[0].action"),
    ],
)
def test_what_is_required_further_in_is_named_by_its_place(document: Any, error_type: str, attribute: str) -> None:
    assert refusal(ask(document)) == (400, error_type, attribute)


@pytest.mark.parametrize(
    ("valid", "invalid", "attribute"),
    [
        (user(), CUSTOMER | {"attributes": []}, "attributes"),
        (user(), CUSTOMER | {"attributes": None}, "attributes"),
        (CUSTOMER | {"update_existing_only": True}, CUSTOMER | {"update_existing_only": 1}, "update_existing_only"),
        (CUSTOMER | {"platforms": []}, CUSTOMER | {"platforms": {}}, "platforms"),
        (CUSTOMER | {"platforms": []}, CUSTOMER | {"platforms": ["web"]}, "platforms[0]"),
        (with_active(False), with_active(0), "platforms[0].active"),
        (with_active("true"), with_active("yes"), "platforms[0].active"),
        (EVENT | {"device_id": "d"}, EVENT | {"device_id": 7}, "device_id"),
        (EVENT | {"user_identifiers": {}}, EVENT | {"user_identifiers": []}, "user_identifiers"),
        (act(attributes={}), act(attributes="x"), "actions[0].attributes"),
        (act(app_version="1"), act(app_version=1), "actions[0].app_version"),
        (act(current_time="x"), act(current_time=[]), "actions[0].current_time"),
        (act(user_time=7.5), act(user_time=True), "actions[0].user_time"),
        (act(user_timezone_offset=-3600), act(user_timezone_offset="3600"), "actions[0].user_timezone_offset"),
        (DEVICE | {"model": "m"}, DEVICE | {"model": 7}, "model"),
        (DEVICE | {"app_version": "1"}, DEVICE | {"app_version": 1}, "app_version"),
        (DEVICE | {"os_version": "1"}, DEVICE | {"os_version": None}, "os_version"),
    ],
)
def test_an_optional_field_is_of_its_type(valid: Any, invalid: Any, attribute: str) -> None:
    assert is_accepted(ask(valid))
    assert refusal(ask(invalid)) == (400, "InvalidParams", attribute)


RESERVED = (
    "unknown guest null 0 1 2 -1 -2 true false na n/a none user_attribute_unique_id dummy_seller_code "
    "user_id id customer_id uid userid Guest NULL N/A UserId x"
)


@pytest.mark.parametrize("document", [CUSTOMER, EVENT, DEVICE], ids=lambda document: document["type"])
@pytest.mark.parametrize("customer_id", [*RESERVED.split(" "), "\u00e9"])
def test_a_reserved_or_too_short_id_is_no_user(document: dict[str, Any], customer_id: str) -> None:
    assert refusal(ask(document | {"customer_id": customer_id})) == (400, "InvalidParams", "customer_id")


@pytest.mark.parametrize("customer_id", ["11", "guest1", "xy", "\u00e9\u00e9", "user id"])
def test_any_other_id_is_a_user(customer_id: str) -> None:
    assert is_accepted(ask(CUSTOMER | {"customer_id": customer_id}))


@pytest.mark.parametrize("platform", ["ANDROID", "iOS", "web"])
def test_a_platform_that_moengage_has_is_taken(platform: str) -> None:
    for document in with_platform(platform):
        assert is_accepted(ask(document))


@pytest.mark.parametrize("platform", ["android", "ios", "Web", "tvOS", "", None, 7, ["web"]])
def test_another_platform_is_refused_where_it_stands(platform: Any) -> None:
    places = [refusal(ask(document))[2] for document in with_platform(platform)]
    assert places == ["platforms[0].platform", "actions[0].platform", "attributes.platform"]


def with_platform(platform: Any) -> list[dict[str, Any]]:
    platforms = [{"platform": platform, "active": "true"}]
    return [
        CUSTOMER | {"platforms": platforms},
        act(platform=platform),
        DEVICE | {"attributes": {"platform": platform, "push_id": "p"}},
    ]


@pytest.mark.parametrize(
    "user_time",
    ["2023-11-14T22:13:20.001Z", "2023-11-14T22:13:21", "2023-11-14T23:13:21+01:00", NOW + 1, NOW * 1000 + 1, 2**64],
)
def test_a_future_user_time_is_refused(user_time: Any) -> None:
    assert refusal(ask(act(user_time=user_time))) == (400, "InvalidParams", "actions[0].user_time")


@pytest.mark.parametrize(
    "user_time",
    ["2023-11-14T22:13:20.000Z", "2023-11-14T23:13:20+01:00", "2023-11-14", NOW, NOW * 1000, "not a date", -1],
)
def test_a_past_user_time_is_taken(user_time: Any) -> None:
    assert is_accepted(ask(act(user_time=user_time, current_time="2099-01-01")))


@pytest.mark.parametrize("name", ["id", "_id", ""])
def test_reserved_names_are_no_user_attributes(name: str) -> None:
    assert refusal(ask(user(**{name: "x"}))) == (400, "InvalidParams", f"attributes.{name}")
    assert is_accepted(ask(act(attributes={name: "x"})))
    assert is_accepted(ask(user(address={name: "x"})))


@pytest.mark.parametrize(
    "value",
    [
        [],
        [1] * 50,
        [1, 2.5, -3],
        ["x" * 512],
        [True, False],
        [None, None],
        [{"a": 1}, {"b": "x" * 513}],
        [[1], ["a"]],
        "x" * 513,
        "https://" + "x" * 504,
        {"a": {"b": {"c": [1, "deeper than two levels"], "d": "https://" + "x" * 505}}},
        None,
    ],
)
def test_values_within_the_limits_are_taken(value: Any) -> None:
    assert is_accepted(ask(user(tags=value)))
    assert is_accepted(ask(act(attributes={"tags": value})))
    assert is_accepted(ask(DEVICE | {"attributes": PUSH | {"tags": value}}))


@pytest.mark.parametrize(
    ("value", "error_type", "place"),
    [
        ([1] * 51, "ArrayFieldError", "tags"),
        ([1, "2"], "ArrayFieldError", "tags"),
        ([1, True], "ArrayFieldError", "tags"),
        (["a", None], "ArrayFieldError", "tags"),
        (["a", "x" * 513], "ArrayFieldError", "tags"),
        ({"a": [1] * 51}, "ArrayFieldError", "tags.a"),
        ({"x": 1, "a": {"b": [1, "2"]}}, "ArrayFieldError", "tags.a.b"),
        ("https://" + "x" * 505, "InvalidParams", "tags"),
        ("HTTP://" + "x" * 506, "InvalidParams", "tags"),
        ({"a": {"b": "http://" + "x" * 506}}, "InvalidParams", "tags.a.b"),
    ],
)
def test_values_beyond_the_limits_are_refused_by_name(value: Any, error_type: str, place: str) -> None:
    expected = (400, error_type, f"attributes.{place}")
    assert refusal(ask(user(fine=1, tags=value))) == expected
    assert refusal(ask(DEVICE | {"attributes": PUSH | {"tags": value}})) == expected
    in_action = refusal(ask(act(attributes={"tags": value})))
    assert in_action == (400, error_type, f"actions[0].attributes.{place}")


def test_a_place_has_the_name_as_moengage_cuts_it() -> None:
    assert refusal(ask(user(**{"n" * 300: [1, "2"]})))[2] == "attributes." + "n" * 200


FAULTY = [
    (CUSTOMER | {"customer_id": "guest"}, "elements[1].customer_id"),
    (act(user_time="2099-01-01"), "elements[1].actions[0].user_time"),
    (user(tags=[1, "2"]), "elements[1].attributes.tags"),
    (DEVICE | {"attributes": {}}, "elements[1].attributes.platform"),
    ({"customer_id": "u-1"}, "elements[1].type"),
    (TRANSITION, "elements[1].type"),
    ({"type": ["event"]}, "elements[1].type"),
    ("event", "elements[1]"),
    (None, "elements[1]"),
]


@pytest.mark.parametrize(("element", "attribute"), FAULTY)
def test_a_faulty_element_has_all_of_a_bulk_request_refused_by_name(element: Any, attribute: str) -> None:
    verdict = ask({"type": "transition", "elements": [CUSTOMER, element, EVENT]})
    assert refusal(verdict)[::2] == (400, attribute)
    assert verdict.document["error"]["message"].startswith(f"{attribute}: ")


@given(st.lists(st.booleans(), min_size=1, max_size=60))
@example([True] * 20)
@example([False, *[True] * 21])
def test_a_failure_names_the_faulty_elements_up_to_twenty(faults: list[bool]) -> None:
    elements = [{"type": "customer"} if is_faulty else EVENT for is_faulty in faults]
    verdict = ask({"type": "transition", "elements": elements})
    faulty = [f"elements[{index}].customer_id" for index, is_faulty in enumerate(faults) if is_faulty]
    if not faulty:
        assert is_accepted(verdict)
        return
    assert refusal(verdict) == (400, "MissingAttributeError", faulty[0])
    named = [f"{place}: is required" for place in faulty[:20]] + ["and more"] * (len(faulty) > 20)
    assert verdict.document["error"]["message"] == "; ".join(named)


NAMES = st.sampled_from(
    [
        *("type", "customer_id", "device_id", "elements", "actions", "action", "attributes", "platforms", "platform"),
        *("push_id", "user_time", "current_time", "user_timezone_offset", "update_existing_only", "user_identifiers"),
        *("app_version", "event", "user_id", "properties", "timestamp", "id"),
    ]
)
TEXTS = st.one_of(st.text(max_size=5), st.sampled_from([*KINDS, "iOS", "track", "u-1", "9999-12-31T23:59:59-23:59"]))
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXTS)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.one_of(NAMES, TEXTS), inner, max_size=6),
    max_leaves=30,
)
PATHS = st.sampled_from([*(f"/v1/{kind}/shop" for kind in KINDS), "/v1/integrations/segment"])


def altered(document: Any, replacement: Any, choose: st.DataObject) -> Any:
    """A document with one value, somewhere in it, replaced."""
    if isinstance(document, dict | list) and document and choose.draw(st.integers(0, 4)):
        keys = list(document) if isinstance(document, dict) else list(range(len(document)))
        key = choose.draw(st.sampled_from(keys))
        part = altered(document[key], replacement, choose)
        if isinstance(document, dict):
            return document | {key: part}
        return [part if index == key else other for index, other in enumerate(document)]
    return replacement


@given(PATHS, ANYTHING)
def test_any_json_is_judged(path: str, document: Any) -> None:
    asked = attempt("event", b"", path=path, app_id="shop", body=Body(b"x", document))
    assert judge(asked, ACCOUNT, NOW).status in (200, 400)
    assert min(asked.elements) >= 0


@given(st.sampled_from(KINDS), ANYTHING, st.data())
def test_anything_inside_a_valid_body_is_judged(kind: str, replacement: Any, choose: st.DataObject) -> None:
    asked = attempt(kind, b"", body=Body(b"x", altered(VALID[kind], replacement, choose)))
    verdict = judge(asked, ACCOUNT, NOW)
    assert verdict.recorded is (verdict.status == 200)
    assert verdict.status == 200 or verdict.document["error"]["message"]
    assert min(asked.elements) >= 0


@pytest.mark.parametrize("depth", [100, 900, 100_000])
def test_a_body_of_any_depth_is_judged(depth: int) -> None:
    raw = b'{"type":"customer","customer_id":"u-1","attributes":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"
    assert judge(attempt("customer", raw), ACCOUNT, NOW).status in (200, 400)

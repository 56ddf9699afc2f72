"""Destination filters: what they leave out, what they take away, and that they never touch the message itself."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.segment.filters import Filters, read_filters
from replay_cli.segment.sampling import point_of

Action = dict[str, Any]
DROP = {"type": "DROP"}
TRACK = "type = 'track'"


def one(action: Action | list[Action], condition: str = "all", **more: Any) -> dict[str, Any]:
    actions = action if isinstance(action, list) else [action]
    return {"title": "T", "if": condition, "enabled": True, "actions": actions} | more


def filters(*written: dict[str, Any]) -> Filters:
    return read_filters(json.dumps(written))


def sample(percent: float, path: str | None = "userId") -> Action:
    return {"type": "SAMPLE", "percent": percent, "path": path}


def drop(**fields: list[str]) -> Action:
    return {"type": "DROP_PROPERTIES", "fields": _sections(fields)}


def allow(**fields: list[str]) -> Action:
    return {"type": "ALLOW_PROPERTIES", "fields": _sections(fields)}


def _sections(fields: dict[str, list[str]]) -> dict[str, list[str]]:
    return {"" if section == "top" else section: names for section, names in fields.items()}


MESSAGE: dict[str, Any] = {
    "type": "track",
    "event": "Order Completed",
    "messageId": "m-1",
    "userId": "u-1",
    "properties": {
        "email": "a@example.com",
        "total": 3,
        "products": [{"id": 1, "price": 2}, {"id": 2, "price": 3, "tags": ["x"]}, 7, [{"price": 4}]],
        "plan": {"name": "pro", "owner": {"email": "b@example.com"}},
        "a.b": 1,
        "a": {"b": 2},
    },
    "traits": {"email": "c@example.com"},
    "context": {"ip": "192.0.2.7", "app": {"version": "1"}},
}


def goes_on(*written: dict[str, Any], message: dict[str, Any] = MESSAGE) -> Any:
    before = copy.deepcopy(message)
    result = filters(*written)(message)
    assert message == before
    return result


# -- the forms ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "document",
    [
        one(DROP, TRACK),
        [one(DROP, TRACK)],
        {"data": {"filters": [one(DROP, TRACK)]}},
        {
            "data": {
                "filters": [one(DROP, TRACK, id="f", sourceId="s", createdAt="…")],
                "pagination": {"current": "MA=="},
            }
        },
    ],
    ids=["one", "list", "api", "with Segment's own keys"],
)
def test_each_form_of_the_api_says_the_same(document: Any) -> None:
    read = read_filters(json.dumps(document))
    assert read(MESSAGE) == "filtered:T"
    assert read({"type": "identify"}) == {"type": "identify"}
    assert read.document == [{"title": "T", "if": TRACK, "actions": [DROP]}]


def test_no_filters_leave_everything_as_it_is() -> None:
    assert read_filters("[]")(MESSAGE) is MESSAGE
    assert goes_on(one([])) is MESSAGE


def test_disabled_filters_do_nothing_whatever_they_say() -> None:
    assert filters(one(DROP, "nonsense ((", enabled=False)).document == []
    assert goes_on(one(DROP, enabled=False)) is MESSAGE
    assert goes_on({"if": "all", "actions": [DROP]}) == "filtered"


def test_the_document_is_all_that_counts() -> None:
    written = [
        one(sample(1, None), title=None),
        one([drop(properties=["email"], top=["userId"]), DROP], TRACK, description="not kept"),
        one({"type": "ALLOW_PROPERTIES", "fields": {"traits": ["email"], "context": None}}),
    ]
    read = filters(*written)
    document = json.loads(json.dumps(read.document))
    assert Filters.from_document(document).document == read.document
    assert document == [
        {"title": "", "if": "all", "actions": [{"type": "SAMPLE", "percent": 1.0}]},
        {"title": "T", "if": TRACK, "actions": [drop(properties=["email"], top=["userId"]), DROP]},
        {"title": "T", "if": "all", "actions": [allow(traits=["email"])]},
    ]


# -- what is left out -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "reason"),
    [
        ("No test users", "filtered:No test users"),
        ("", "filtered"),
        (None, "filtered"),
        (" \n\t\u202e", "filtered"),
        ("a\nb\x1b[31m", "filtered:ab[31m"),
        ("x" * 61, "filtered:" + "x" * 60),
        ("x" * 59 + " y", "filtered:" + "x" * 59),
    ],
)
def test_the_reason_has_the_title_as_far_as_it_can_be_shown(title: str | None, reason: str) -> None:
    assert goes_on(one(DROP, title=title)) == reason
    assert goes_on(one(sample(0), title=title)) == reason.replace("filtered", "filter_sampled")


def test_a_condition_that_is_not_met_leaves_the_message_alone() -> None:
    page = "type = 'page'"
    assert goes_on(*(one(action, page) for action in (DROP, sample(0), drop(traits=["email"])))) is MESSAGE
    assert goes_on(one(DROP, " all ")) == "filtered:T"


def test_sampling_comes_before_dropping_and_both_before_all_else() -> None:
    takes_away = one(drop(top=["userId"], properties=["email"]))
    assert goes_on(takes_away, one(DROP, title="D"), one(sample(0), title="S")) == "filter_sampled:S"
    assert goes_on(takes_away, one(DROP, title="D"), one(sample(1), title="S")) == "filtered:D"


def test_conditions_are_asked_of_the_message_as_it_came() -> None:
    dropping = one(drop(properties=["email"]))
    allowing = one(allow(properties=["total", "email"]), "properties.email != null")
    for order in ([dropping, allowing], [allowing, dropping]):
        assert goes_on(*order)["properties"] == {"total": 3}


# -- samples --------------------------------------------------------------------------------------------------


def kept(percent: float, messages: list[dict[str, Any]], path: str | None = "userId") -> list[int]:
    keep = filters(one(sample(percent, path)))
    return [index for index, message in enumerate(messages) if keep(message) is message]


USERS = [{"type": "track", "userId": f"user-{n}", "messageId": f"m-{n}"} for n in range(2000)]


def test_a_sample_keeps_its_part_and_a_larger_one_keeps_that_too() -> None:
    tenth, half = kept(0.1, USERS), kept(0.5, USERS)
    assert 160 < len(tenth) < 240
    assert 930 < len(half) < 1070
    assert set(tenth) < set(half)
    assert kept(0, USERS) == []
    assert kept(1, USERS) == list(range(2000))


def test_a_sample_is_the_same_in_each_version() -> None:
    assert kept(0.5, USERS[:16]) == [1, 2, 4, 9, 12, 13]


def test_a_value_has_one_fate() -> None:
    messages = [{"userId": user, "messageId": str(n)} for n in range(50) for user in ("a", "b", 7, "7")]
    by_user = {str(message["userId"]): index % 4 for index, message in enumerate(messages[:4])}
    fates = {user: [index for index in kept(0.5, messages) if index % 4 == place] for user, place in by_user.items()}
    assert {len(indexes) for indexes in fates.values()} <= {0, 50}
    assert (2 in kept(0.5, messages)) == (3 in kept(0.5, messages))


@pytest.mark.parametrize("message", [{}, {"userId": None}, {"userId": ""}, {"userId": ["a"]}, {"userId": {"a": 1}}])
def test_without_a_value_the_message_id_decides(message: dict[str, Any]) -> None:
    messages = [message | {"messageId": f"m-{n}"} for n in range(200)]
    assert kept(0.5, messages) == kept(0.5, messages, path=None) == kept(0.5, messages, path="messageId")
    assert 70 < len(kept(0.5, messages)) < 130


def test_without_a_message_id_who_did_what_and_when_decides() -> None:
    messages = [{"type": "track", "userId": "u", "timestamp": f"2025-03-01T10:00:00.{n:03}Z"} for n in range(200)]
    assert 70 < len(kept(0.5, messages, path=None)) < 130
    assert kept(0.5, messages, path=None) == kept(0.5, [message | {"context": {}} for message in messages], path=None)
    assert kept(1, [{}, {"messageId": {}}], path="properties.x") == [0, 1]


def test_a_sample_of_a_filter_has_nothing_to_do_with_that_of_the_command_line() -> None:
    chosen = [message for message in USERS if point_of(message["userId"]) < 2**64 // 10]
    assert 0 < len(kept(0.1, chosen)) < len(chosen) // 2


# -- fields ---------------------------------------------------------------------------------------------------


def without(*path: str | int) -> dict[str, Any]:
    """The message without what is at a path."""
    changed = copy.deepcopy(MESSAGE)
    *way, last = path
    parent: Any = changed
    for step in way:
        parent = parent[step]
    del parent[last]
    return changed


@pytest.mark.parametrize(
    ("fields", "left"),
    [
        ({"properties": ["email"]}, without("properties", "email")),
        ({"properties": ["plan.owner.email"]}, without("properties", "plan", "owner", "email")),
        ({"traits": ["email"]}, without("traits", "email")),
        ({"context": ["app.version", "missing", "ip.x"]}, without("context", "app", "version")),
        ({"top": ["userId"]}, without("userId")),
        ({"top": ["context.ip"]}, without("context", "ip")),
        ({"top": ["context"], "context": ["ip"]}, without("context")),
        ({"properties": ["plan", "plan.name"]}, without("properties", "plan")),
        ({"properties": ["plan.name", "plan"]}, without("properties", "plan")),
        ({"properties": [r"a\.b"]}, without("properties", "a.b")),
    ],
)
def test_what_is_named_is_dropped(fields: dict[str, list[str]], left: dict[str, Any]) -> None:
    assert goes_on(one(drop(**fields))) == left


def test_a_name_with_a_dot_is_a_path_and_a_key() -> None:
    properties = goes_on(one(drop(properties=["a.b"])))["properties"]
    assert "a.b" not in properties
    assert properties["a"] == {}


def test_inside_arrays_a_name_applies_to_each_object() -> None:
    dropped = goes_on(one(drop(properties=["products.price"])))
    assert dropped["properties"]["products"] == [{"id": 1}, {"id": 2, "tags": ["x"]}, 7, [{"price": 4}]]
    allowed = goes_on(one(allow(properties=["products.price", "total"])))
    assert allowed["properties"] == {"total": 3, "products": [{"price": 2}, {"price": 3}]}


@pytest.mark.parametrize(
    "fields",
    [
        {"properties": ["missing", "total.x", "products.missing", "products.tags.x"]},
        {"properties": [], "traits": []},
        {},
    ],
)
def test_where_nothing_is_dropped_the_message_is_the_same(fields: dict[str, list[str]]) -> None:
    assert goes_on(one(drop(**fields))) is MESSAGE


def test_only_what_is_allowed_stays_in_the_sections_that_are_listed() -> None:
    left = goes_on(one(allow(properties=["total", "plan.name", "email.x"], traits=["missing"])))
    assert left == MESSAGE | {"properties": {"total": 3, "plan": {"name": "pro"}}, "traits": {}}
    assert list(left) == list(MESSAGE)


def test_what_is_allowed_at_the_top_takes_no_section_away() -> None:
    sections = {name: MESSAGE[name] for name in ("properties", "traits", "context")}
    assert goes_on(one(allow(top=["type", "userId"]))) == {"type": "track", "userId": "u-1"} | sections
    assert goes_on(one(allow(top=["type", "context"], context=["ip"]))) == {"type": "track"} | sections | {
        "context": {"ip": "192.0.2.7"}
    }
    assert goes_on(one(allow(top=["type", "context.ip"])))["context"] == {"ip": "192.0.2.7"}


@pytest.mark.parametrize("properties", ["text", 3, None])
def test_a_section_that_is_no_object_has_nothing_that_is_allowed(properties: Any) -> None:
    message = {"type": "track", "properties": properties}
    assert goes_on(one(allow(properties=["a"])), message=message) == {"type": "track"}


def test_all_that_is_not_changed_is_shared() -> None:
    left = goes_on(one(drop(properties=["plan.owner.email"])))
    assert left is not MESSAGE
    assert left["properties"]["plan"]["owner"] == {}
    assert left["context"] is MESSAGE["context"]
    assert left["properties"]["products"] is MESSAGE["properties"]["products"]
    assert goes_on(one(allow(properties=list("ab")), "type = 'page'"), one(allow(traits=["email"]))) is MESSAGE


NAMES = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(tuple)
VALUES = st.recursive(
    st.integers() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c", "a.b"]), inner, max_size=3)
    ),
    max_leaves=12,
)


def naive_without(value: Any, path: tuple[str, ...]) -> None:
    if isinstance(value, list):
        for item in value:
            if isinstance(item, dict):
                naive_without(item, path)
    elif isinstance(value, dict) and len(path) == 1:
        value.pop(path[0], None)
    elif isinstance(value, dict):
        naive_without(value.get(path[0]), path[1:])


def naive_only(value: Any, paths: list[tuple[str, ...]]) -> Any:
    if isinstance(value, list):
        return [naive_only(item, paths) for item in value if isinstance(item, dict)]
    left = {}
    for name, item in value.items():
        below = [path[1:] for path in paths if path[0] == name]
        if () in below:
            left[name] = item
        elif below and isinstance(item, dict | list):
            left[name] = naive_only(item, below)
    return left


@given(VALUES, st.lists(NAMES, min_size=1, max_size=3))
def test_dropping_and_allowing_do_as_naive_readings(properties: Any, paths: list[tuple[str, ...]]) -> None:
    message = {"type": "track", "properties": properties}
    names, keys = [".".join(path) for path in paths], [(".".join(path),) for path in paths]
    dropped = copy.deepcopy(message)
    for path in paths + keys:
        naive_without(dropped, ("properties", *path))
    assert goes_on(one(drop(properties=names)), message=message) == dropped
    everything = [("type",), *(("properties", *path) for path in paths + keys)]
    assert goes_on(one(allow(properties=names)), message=message) == naive_only(message, everything)

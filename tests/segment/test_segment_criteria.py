"""What is meant by what is in a message, and that no message is too odd to be judged."""

import json
import pickle
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.model import Message
from replay_cli.segment.content import ANY, Content
from replay_cli.segment.criteria import (
    DEVICE_MODE,
    DEVICE_MODE_LIBRARIES,
    IDENTIFY_LEFT_OUT,
    INTEGRATION_OFF,
    NO_CONSENT,
    NOT_WHERE,
    OTHER_EVENT,
    OTHER_TYPE,
    OTHER_USER,
)
from replay_cli.segment.javascript import number_to_string
from replay_cli.segment.pointed import PointedError
from replay_cli.segment.sampling import Sample
from replay_cli.segment.selection import LEFT_OUT

CONSENT = Content(consent=frozenset({"ads", "sales"}))
TURNED_OFF = Content(without_turned_off=True)
DEVICES = Content(without_device_mode=True)


def judge(content: Content, message: Message) -> str | None:
    selector = content.selector
    return None if selector is None else selector(message)


def consent(preferences: object) -> Message:
    return {"context": {"consent": {"categoryPreferences": preferences}}}


# -- one criterion after the other ----------------------------------------------------------------------------


def test_nothing_is_looked_at_where_all_is_meant() -> None:
    assert ANY.selector is None
    assert ANY.is_any
    assert Content(sample=Sample.read("0-100%")).selector is None


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"type": "track"}, None),
        ({"type": "page"}, None),
        ({"type": "identify"}, OTHER_TYPE),
        ({"type": "Track"}, OTHER_TYPE),
        ({"type": ["track"]}, OTHER_TYPE),
        ({"type": None}, OTHER_TYPE),
        ({}, OTHER_TYPE),
    ],
)
def test_types_are_names_of_types(message: Message, reason: str | None) -> None:
    assert judge(Content(types=frozenset({"track", "page"})), message) == reason


@pytest.mark.parametrize(("kind", "reason"), [("identify", IDENTIFY_LEFT_OUT), ("track", None), (["identify"], None)])
def test_identifies_can_be_left_out(kind: object, reason: str | None) -> None:
    assert judge(Content(without_identifies=True), {"type": kind}) == reason


@pytest.mark.parametrize(
    ("user", "reason"),
    [
        ("17", None),
        (17, None),
        (17.0, None),
        ("1e+21", None),
        (1e21, None),
        (10**21, None),
        ("true", None),
        (True, None),
        ("017", OTHER_USER),
        (" 17", OTHER_USER),
        (1, OTHER_USER),
        (False, OTHER_USER),
        ("", OTHER_USER),
        (None, OTHER_USER),
        ([17], OTHER_USER),
        ({"id": "17"}, OTHER_USER),
    ],
)
def test_a_user_id_is_compared_as_the_text_that_is_sent(user: object, reason: str | None) -> None:
    content = Content(user_ids=frozenset({"17", "1e+21", "true"}))
    assert judge(content, {"userId": user, "anonymousId": "17"}) == reason


def test_who_has_no_user_id_is_another_user() -> None:
    assert judge(Content(user_ids=frozenset({"17"})), {"anonymousId": "17"}) == OTHER_USER


@pytest.mark.parametrize("library", [*DEVICE_MODE_LIBRARIES, "Analytics.JS", "ANALYTICS-IOS"])
def test_libraries_that_may_have_bundled_the_sdk_can_be_left_out(library: str) -> None:
    assert judge(DEVICES, {"context": {"library": {"name": library, "version": "1"}}}) == DEVICE_MODE


@pytest.mark.parametrize(
    "context",
    [
        {"library": {"name": "analytics-node"}},
        {"library": {"name": "analytics.js-integration"}},
        {"library": {"name": ["analytics.js"]}},
        {"library": {"version": "analytics.js"}},
        {"library": "analytics.js"},
        {"library": None},
        {},
        [],
        None,
    ],
)
def test_what_is_of_no_such_library_stays_in(context: object) -> None:
    assert judge(DEVICES, {"context": context}) is None
    assert judge(DEVICES, {}) is None


@pytest.mark.parametrize(
    "integrations",
    [
        {"MoEngage": False},
        {"MoEngage (Actions)": False},
        {"All": True, "MoEngage": False},
        {"moengage": None},
        {"mo_engage_actions": 0},
        {"MoEngage": ""},
        {"All": False},
        {"all": False},
        {"All": None, "Amplitude": True},
        {"All": False, "MoEngage": False},
        {"MoEngage": True, "MoEngage (Actions)": False},
        {"MoEngage (Actions)": False, "MoEngage": True},
        {"All": False, "all": True},
    ],
)
def test_what_turned_moengage_off_can_be_left_out(integrations: object) -> None:
    assert judge(TURNED_OFF, {"integrations": integrations}) == INTEGRATION_OFF


@pytest.mark.parametrize(
    "integrations",
    [
        {},
        {"All": True},
        {"MoEngage": True},
        {"All": False, "MoEngage": True},
        {"All": False, "MoEngage (Actions)": {}},
        {"MoEngage": True, "All": False},
        {"MoEngage": {"appId": 1}},
        {"MoEngage": []},
        {"MoEngage": "no"},
        {"Amplitude": False},
        {"MoEngage Classic": False},
        {"MoEngage 2": False},
        {"Allies": False},
        {"a" * 100: False},
        {"": False},
        [],
        ["All", False],
        "All",
        None,
        False,
    ],
)
def test_what_did_not_turn_moengage_off_stays_in(integrations: object) -> None:
    assert judge(TURNED_OFF, {"integrations": integrations}) is None
    assert judge(TURNED_OFF, {}) is None


def test_by_default_integrations_are_ignored() -> None:
    """As Segment's own Replay does."""
    assert judge(Content(types=frozenset({"track"})), {"type": "track", "integrations": {"MoEngage": False}}) is None


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (consent({"ads": True, "sales": True}), None),
        (consent({"ads": True, "sales": True, "other": False}), None),
        (consent({"ads": True, "sales": False}), NO_CONSENT),
        (consent({"ads": True}), NO_CONSENT),
        (consent({"Ads": True, "sales": True}), NO_CONSENT),
        (consent({"ads": "true", "sales": 1}), NO_CONSENT),
        (consent({}), NO_CONSENT),
        (consent(None), NO_CONSENT),
        (consent(True), NO_CONSENT),
        (consent(["ads", "sales"]), NO_CONSENT),
        ({"context": {"consent": "ads, sales"}}, NO_CONSENT),
        ({"context": {"consent": []}}, NO_CONSENT),
        ({"context": {"consent": {}}}, None),
        ({"context": {"consent": {"provider": "x"}}}, None),
        ({"context": {"consent": None}}, None),
        ({"context": {}}, None),
        ({"context": "consent"}, None),
        ({}, None),
    ],
)
def test_all_categories_are_needed_where_consent_was_asked(message: Message, reason: str | None) -> None:
    """Documented: absent, nothing is enforced; empty, all are false."""
    assert judge(CONSENT, message) == reason


def test_where_is_the_language_of_destination_filters() -> None:
    content = Content(where="type = 'track' and properties.total > 100")
    assert judge(content, {"type": "track", "properties": {"total": 101}}) is None
    assert judge(content, {"type": "track", "properties": {"total": 100}}) == NOT_WHERE
    assert judge(content, {"type": "identify"}) == NOT_WHERE


def test_a_condition_is_compiled_once_and_where_it_is_wrong_it_says_where() -> None:
    content = Content(where="type = 'track'")
    assert content.selector is content.selector
    with pytest.raises(PointedError):
        _ = Content(where="type = ").selector


# -- together -------------------------------------------------------------------------------------------------

EACH: dict[str, tuple[Content, Message]] = {
    OTHER_TYPE: (Content(types=frozenset({"track"})), {"type": "identify"}),
    IDENTIFY_LEFT_OUT: (Content(without_identifies=True), {"type": "identify"}),
    OTHER_EVENT: (Content(events=frozenset({"a"})), {"event": "b"}),
    OTHER_USER: (Content(user_ids=frozenset({"a"})), {"userId": "b"}),
    DEVICE_MODE: (DEVICES, {"context": {"library": {"name": "analytics.js"}}}),
    INTEGRATION_OFF: (TURNED_OFF, {"integrations": {"All": False}}),
    NO_CONSENT: (CONSENT, {"context": {"library": {"name": "analytics.js"}, "consent": {"categoryPreferences": {}}}}),
    NOT_WHERE: (Content(where="messageId = 'm'"), {"messageId": "n"}),
}
"""Reason → what leaves a message out for it, in the order in which they are looked for."""
FIELDS = [field.name for field in fields(Content)]


def test_the_order_of_the_reasons_is_the_documented_one() -> None:
    assert list(EACH) == [reason for reason in LEFT_OUT if reason in EACH]


@given(st.sets(st.sampled_from(sorted(EACH)), min_size=1), st.sets(st.sampled_from(sorted(EACH))))
def test_the_first_reason_that_applies_is_given(set_: set[str], met: set[str]) -> None:
    set_fields: dict[str, Any] = {}
    message: Message = {"type": "track", "event": "a", "userId": "a", "messageId": "m"}
    for reason, (content, wrong) in EACH.items():
        if reason in set_:
            set_fields |= {
                name: getattr(content, name) for name in FIELDS if getattr(content, name) != getattr(ANY, name)
            }
        if reason in met:
            message |= wrong
    content = Content(**set_fields)
    applying = [reason for reason in EACH if reason in set_ and judge(EACH[reason][0], message) == reason]
    assert judge(content, message) == (applying[0] if applying else None)


NAMES = st.sampled_from(
    ["type", "event", "userId", "anonymousId", "context", "library", "name", "consent", "categoryPreferences", "ads"]
) | st.sampled_from(["integrations", "All", "MoEngage", "properties", "messageId"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["track", "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=8,
)
MESSAGES = st.dictionaries(NAMES, VALUES, max_size=8)
SAMPLES = st.sampled_from(["0-100%", "0-50%", "10-40%", "50-100%", "0-0.5%"]).map(Sample.read)
SETS = st.frozensets(st.sampled_from(["a", "b", "1"]))
CONTENTS = st.builds(
    Content,
    types=st.frozensets(st.sampled_from(["track", "identify", "page"])),
    without_identifies=st.booleans(),
    events=st.frozensets(st.sampled_from(["a", "ab", "a*", "?", "[ab]*", r"a\*", "*"])),
    user_ids=SETS,
    without_device_mode=st.booleans(),
    without_turned_off=st.booleans(),
    consent=st.frozensets(st.sampled_from(["ads", "sales"])),
    where=st.sampled_from(["", "type = 'track'", "contains(userId, 'a')"]),
    sample=SAMPLES,
)


@given(CONTENTS, MESSAGES)
def test_any_message_is_judged_by_each_criterion_for_itself(content: Content, message: Message) -> None:
    """The selection of all of them means just what each one alone means."""
    alone = [judge(replace(ANY, **{name: getattr(content, name)}), message) for name in FIELDS]
    assert (judge(content, message) is None) is (alone == [None] * len(alone))
    assert judge(content, message) in [*alone, None]


TYPICAL = st.fixed_dictionaries(
    {"type": st.sampled_from(["track", "identify", "page"]), "userId": st.sampled_from(["a", "b", 1, None, "xay"])},
    optional={
        "event": st.sampled_from(["a", "ab", "b", "a*", "", 5]),
        "context": st.sampled_from(
            [
                *({"library": {"name": name}} for name in ("analytics.js", "x")),
                *(consent(given)["context"] for given in ({"ads": True}, {"ads": True, "sales": True}, {})),
            ]
        ),
        "integrations": st.sampled_from([{}, {"All": False}, {"All": False, "MoEngage": True}]),
    },
)


@given(CONTENTS, CONTENTS, st.lists(TYPICAL, max_size=20))
def test_what_is_within_means_nothing_that_the_other_does_not(
    one: Content, other: Content, messages: list[Message]
) -> None:
    assert one.is_within(one)
    assert one.is_within(ANY)
    if one.is_within(other):
        meant = [message for message in messages if judge(one, message) is None]
        assert [judge(other, message) for message in meant] == [None] * len(meant)


NARROWER: list[Callable[[Content], Content]] = [
    lambda content: replace(content, types=content.types & {"track"} or frozenset({"track"})),
    lambda content: replace(content, without_identifies=True, without_device_mode=True, without_turned_off=True),
    lambda content: replace(content, consent=content.consent | {"sales"}),
    lambda content: replace(content, where=content.where or "type = 'track'"),
]


@given(CONTENTS.filter(lambda content: not content.types or "track" in content.types), st.sampled_from(NARROWER))
def test_what_was_narrowed_is_within(content: Content, narrower: Callable[[Content], Content]) -> None:
    assert narrower(content).is_within(content)


def test_events_are_within_a_pattern_that_is_for_them() -> None:
    orders = Content(events=frozenset({"Order *"}))
    assert Content(events=frozenset({"Order Completed", "Order *"})).is_within(orders)
    assert not Content(events=frozenset({"Order*"})).is_within(orders)
    assert not orders.is_within(Content(events=frozenset({"Order Completed"})))
    assert not ANY.is_within(orders)


@given(CONTENTS)
def test_settings_keep_what_is_set(content: Content) -> None:
    stored = json.loads(json.dumps(content.settings() | {"api": "actions"}))
    assert Content.from_settings(stored) == content
    assert (content.settings() == {}) is content.is_any
    assert bool(content.explain()) is not content.is_any


@given(CONTENTS, st.lists(TYPICAL, max_size=5))
def test_it_can_be_a_key_and_travel_after_it_was_used(content: Content, messages: list[Message]) -> None:
    judged = [judge(content, message) for message in messages]
    again = pickle.loads(pickle.dumps(content))
    assert (again, hash(again)) == (content, hash(content))
    assert [judge(again, message) for message in messages] == judged


def test_settings_are_read_by_people() -> None:
    content = Content(
        types=frozenset({"track", "page"}),
        without_identifies=True,
        events=frozenset({"b", "a*"}),
        user_ids=frozenset({"2", "1"}),
        without_device_mode=True,
        without_turned_off=True,
        consent=frozenset({"ads"}),
        where="type = 'track'",
        sample=Sample.read("0-0.5%"),
    )
    assert content.settings() == {
        "type": ["page", "track"],
        "identify": "none",
        "event": ["a*", "b"],
        "user_id": ["1", "2"],
        "exclude_device_mode": True,
        "exclude_integrations": True,
        "require_consent": ["ads"],
        "where": "type = 'track'",
        "sample": "0-0.5%",
    }


def test_it_says_what_was_understood() -> None:
    content = Content(
        types=frozenset({"track", "page"}),
        without_identifies=True,
        events=frozenset({"b", "a*"}),
        user_ids=frozenset(map(str, range(1000, 3000))),
        without_device_mode=True,
        without_turned_off=True,
        consent=frozenset({"ads"}),
        where="type = 'track'",
        sample=Sample.read("0-0.5%"),
    )
    assert content.explain() == [
        "types: page, track",
        "identifies are left out",
        "events: a*, b; what has no event name is left out",
        "user ids: 1000, 1001, 1002, 1003, 1004 and 1,995 more",
        "left out: what came from analytics-ios, analytics-swift, analytics-android, analytics-kotlin, analytics.js, "
        "analytics-react-native",
        "left out: what turned MoEngage off by its own integrations",
        "consent to ads is needed, where consent was asked at all",
        "where type = 'track'",
        "sample: 0-0.5% of the users, by user id, else anonymous id: what a user did before being identified may fall "
        "into another one",
    ]


@given(st.integers() | st.floats(allow_nan=False))
def test_a_number_is_the_user_of_its_javascript_text(number: int | float) -> None:
    content = Content(user_ids=frozenset({number_to_string(number)}))
    assert judge(content, {"userId": number}) is None
    assert judge(content, {"userId": number_to_string(number)}) is None

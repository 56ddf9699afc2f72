"""What validation lets through is taken: the sandbox, which checks what is documented on its own, refuses nothing."""

import json
import random
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.bundling import bundle
from replay_cli.model import ArchiveObject, RecordBatch, Request, Unit
from replay_cli.moengage.apis import APIS, make_api
from replay_cli.moengage.configuration import read_configuration
from replay_cli.preparation import Preparation
from replay_cli.sandbox.endpoints import Account, Attempt, judge, max_body_bytes, read_body
from tests.support.archives import message, write_lines
from tests.support.in_process import replay_here
from tests.support.processes import replay

WORKSPACE = "ws"
NOW = 1_800_000_000.0
ACCOUNT = Account.of(WORKSPACE, "key")

TEXTS = st.one_of(
    st.text(max_size=8),
    st.just("\ud800"),
    st.sampled_from(["", "null", "Guest", "0", "-1", "x", "n/a", "https://a.example/" + "a" * 600, "y" * 600]),
)
NAMES = st.one_of(st.text(max_size=6), st.sampled_from(["id", "_id", "", "moe_x", "a.b", "$set", "n" * 201, "email"]))
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False), TEXTS
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=8,
)
ATTRIBUTES = st.one_of(
    st.dictionaries(NAMES, VALUES, max_size=6),
    st.just({f"n{number}": number for number in range(300)}),
    st.just({"list": list(range(60))}),
    st.just({"mixed": [1, "a", None]}),
    st.just({f"t{number}": "z" * 500 for number in range(280)}),
    VALUES,
)
TIMES = st.one_of(
    st.sampled_from(
        ["2025-03-01T10:00:00.000Z", "2025-03-01", "2099-01-01T00:00:00Z", "not a date", "", "0", "2025-13-45"]
    ),
    st.integers(0, 2 * 10**13),
    VALUES,
)
MESSAGES = st.fixed_dictionaries(
    {"type": st.one_of(st.sampled_from(["track", "identify"]), SCALARS)},
    optional={
        "event": VALUES,
        "userId": VALUES,
        "anonymousId": VALUES,
        "messageId": SCALARS,
        "timestamp": TIMES,
        "properties": ATTRIBUTES,
        "traits": ATTRIBUTES,
        "context": st.one_of(
            VALUES,
            st.fixed_dictionaries(
                {"device": st.dictionaries(st.sampled_from(["id", "token", "type", "model"]), VALUES, max_size=4)},
                optional={"app": VALUES, "os": VALUES, "library": VALUES, "traits": ATTRIBUTES},
            ),
        ),
    },
)
ORDINARY = st.builds(
    lambda base, changes: {**base, **changes},
    st.sampled_from([message(1), {**message(2), "type": "identify", "traits": {"email": "a@example.com"}}]),
    MESSAGES.map(lambda made: {name: made[name] for name in list(made)[1:3]}),
)
"""Messages with one or two odd things, which come further than those with many."""


def refusals(requests: list[Request]) -> list[Any]:
    """What the sandbox answers to requests, other than that it takes them."""
    refused = []
    for request in requests:
        parts = urlsplit(request.path)
        app_id = parse_qs(parts.query).get("appId", [None])[0]
        body = read_body(request.body)._replace(too_large=len(request.body) > max_body_bytes(parts.path))
        attempt = Attempt(
            request.method, parts.path, app_id, ACCOUNT.authorization, "application/json", body, WORKSPACE
        )
        verdict = judge(attempt, ACCOUNT, NOW)
        if verdict.status != 200 or not verdict.recorded:
            refused.append((verdict, request))
    return refused


def line(made: dict[str, Any]) -> bytes:
    """A record as an archive may have it: surrogates as escapes, numbers of any size."""
    return json.dumps(made).encode()


def short_line(made: dict[str, Any]) -> bytes:
    """The same as short as it can be, with nothing escaped but lone surrogates."""
    text = json.dumps(made, ensure_ascii=False, separators=(",", ":")).replace("1000000000000000.0", "1e15")
    return text.encode("utf-8", "backslashreplace")


@pytest.mark.parametrize("name", APIS)
@given(made=st.lists(st.one_of(ORDINARY, MESSAGES), min_size=1, max_size=6))
def test_the_sandbox_refuses_nothing_that_validation_lets_through(name: str, made: list[dict[str, Any]]) -> None:
    api = make_api({"api": name}, WORKSPACE)
    prepare = Preparation(api, strict=False, clock=lambda: NOW)
    records = [line(one) for one in made]
    prepared = prepare(RecordBatch(ArchiveObject("a.jsonl", 1, "e"), 0, records, Unit.LINE, 1))
    requests = bundle(prepared.requests, api.pack, api.max_body_bytes) if api.pack else prepared.requests
    assert refusals(requests) == []


PADDED = st.builds(
    lambda made, padding: {**made, "sentAt": ["p" * 500] * padding}, st.one_of(ORDINARY, MESSAGES), st.integers(0, 12)
)
"""Messages as long as archives have them."""
SETTINGS: list[dict[str, Any]] = [
    *({"api": name} for name in APIS),
    {"project_name": "p" * 600},
    {"stamp": {"source": "s" * 600}},
    {"mapping": read_configuration(f"[track]\nadd = {{ source = '{'s' * 600}' }}", "wishes.toml").document},
]


def found(settings: dict[str, Any], records: list[bytes], *, strict: bool = False, without_bodies: bool) -> Any:
    """What is found in records, in whatever bodies their requests have."""
    api = make_api(settings, WORKSPACE)
    prepare = Preparation(api, strict=strict, clock=lambda: NOW, without_bodies=without_bodies)
    batch = RecordBatch(ArchiveObject("a.jsonl", 1, "e"), 0, records, Unit.LINE, 1)
    for _ in range(2):  # what the first time has taught changes nothing
        prepared = prepare(batch)
    return prepared._replace(requests=[request._replace(body=b"") for request in prepared.requests])


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: "-".join(map(str, settings))[:20])
@given(made=st.lists(PADDED, min_size=1, max_size=6), strict=st.booleans())
def test_who_sends_nothing_finds_the_same_without_bodies(
    settings: dict[str, Any], made: list[dict[str, Any]], strict: bool
) -> None:
    for spelled in (line, short_line):
        records = [spelled(one) for one in made]
        assert found(settings, records, strict=strict, without_bodies=True) == found(
            settings, records, strict=strict, without_bodies=False
        )


DEEP: Any = 1
"""One level more than can be written of a body that it is in, in fewer characters than a text may have."""
for _ in range(253):
    DEEP = [DEEP]


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: "-".join(map(str, settings))[:20])
@pytest.mark.parametrize(
    ("attributes", "padding"),
    [
        ({"a": DEEP}, 1000),
        ({"a": [DEEP]}, 1000),
        ({"a": "t" * 513}, 0),
        ({"a": "t" * 513}, 3000),
        ({"a": "https://a.example/" + "a" * 500}, 0),
        ({"a": "https://a.example/" + "a" * 500}, 3000),
        ({"a": {"b": [{"c": "t" * 513}]}}, 3000),
        ({"a": [1, "b"]}, 1000),
        ({"o": {f"k{number}": "t" * 500 for number in range(60)}}, 0),
        ({f"a{number}": "t" * 500 for number in range(300)}, 0),
        ({"a": {"b": {"c": {"d": 1}}}}, 1000),
        ({"$a": 1, "moe_b": 2, "c": {"d.e": 1}}, 1000),
        ({"n" * 201: 1}, 1000),
        ({"o": {f"k{number}": [1e15] * 50 for number in range(30)}}, 0),
    ],
    ids=range(14),
)
@pytest.mark.parametrize("kind", ["track", "identify"])
def test_what_is_found_in_a_body_is_found_without_it(
    kind: str, attributes: dict[str, Any], padding: int, settings: dict[str, Any]
) -> None:
    short = {"type": kind, "userId": "uu", "event": "E"}
    made = {**short, "traits" if kind == "identify" else "properties": attributes, "timestamp": 1}
    if padding:
        made["sentAt"] = [500 * "p"] * (padding // 500)
    result = found(settings, [short_line(made)], without_bodies=True)
    assert result == found(settings, [short_line(made)], without_bodies=False)
    assert result.rejected or result.warnings


def test_bodies_are_not_made_where_a_glance_shows_that_they_are_within_all_limits() -> None:
    prepare = Preparation(make_api({}, WORKSPACE), strict=False, clock=lambda: NOW, without_bodies=True)
    usual = {**message(1), "sentAt": ["p" * 500] * 2}
    odd = {**usual, "properties": {"a": "t" * 513}}
    batch = RecordBatch(ArchiveObject("a.jsonl", 1, "e"), 0, [line(usual), line(odd)], Unit.LINE, 1)
    assert [bool(request.body) for request in prepare(batch).requests] == [False, True]


@pytest.mark.parametrize("name", APIS)
def test_the_judge_of_this_test_does_refuse(name: str) -> None:
    prepare = Preparation(make_api({"api": name}, WORKSPACE), strict=False, clock=lambda: NOW)
    batch = RecordBatch(ArchiveObject("a.jsonl", 1, "e"), 0, [line(message(1))], Unit.LINE, 1)
    (request,) = prepare(batch).requests
    spoilt = request._replace(body=request.body.replace(b"user-1", b""))
    assert refusals([request]) == []
    assert len(refusals([spoilt])) == 1


ODD: dict[str, tuple[Any, ...]] = {
    "userId": ("null", "x", "", 7, True, None, "ü" * 300, ["one"], {"a": 1}),
    "event": ("", 5, None, "n" * 300, ["E"], {}),
    "timestamp": ("2099-01-01T00:00:00Z", "not a date", None, 0, "2025-03-01", [1], ""),
    "properties": (
        *({}, [], "text", {"id": 1, "": 2, "moe_x": 3}, {"l": [1, "a"]}, {"u": [0] * 60}),
        *({"url": "https://a.example/" + "b" * 600}, {"big": "c" * 130_000}),
    ),
    "traits": ({"_id": 1}, {"phone": "1", "address": {"city": "X"}}, 3, {"k": {"a.b": {"c": {}}}}),
    "type": ("identify", "page", "alias", "", 1),
    "anonymousId": ("a-1", "", 3, {}),
    "context": ({"device": {"id": "d", "token": "t", "type": "ios"}, "app": {"version": 2}, "os": "Linux"},),
}


def odd_messages(count: int) -> list[dict[str, Any]]:
    """Ordinary messages with something odd in each, the same ones each time."""
    dice = random.Random(6)
    odd = [(name, value) for name, values in ODD.items() for value in values]
    return [message(n) | dict(dice.choices(odd, k=dice.randint(1, 2))) for n in range(count)]


@pytest.mark.parametrize("name", APIS)
def test_an_archive_in_which_validation_finds_nothing_wrong_is_delivered_whole(tmp_path: Path, name: str) -> None:
    lines = [line(one) for one in odd_messages(300)]
    options = ["--api", name, "--sandbox", "--rps", "500", "--json"]
    write_lines(tmp_path / "odd.jsonl", lines)
    replay_here(tmp_path, "run", "odd.jsonl", *options, "--dry-run", "--output", "prepared.jsonl")
    prepared = [json.loads(row) for row in (tmp_path / "prepared.jsonl").read_bytes().splitlines()]
    write_lines(tmp_path / "sound.jsonl", [lines[row["ordinal"]] for row in prepared if row["outcome"] != "rejected"])

    found = replay_here(tmp_path, "validate", "odd.jsonl", *options, "--workers", "1")
    assert (found.code, found.summary["sendable"]) == (3, False)
    assert found.summary["records"]["rejected"] == sum(row["outcome"] == "rejected" for row in prepared) > 25

    sound = replay_here(tmp_path, "validate", "sound.jsonl", *options, "--workers", "1")
    assert (sound.code, sound.summary["sendable"]) == (0, True)
    assert sound.summary["records"]["sendable"] > 50
    done = replay(tmp_path, "run", "sound.jsonl", *options)
    assert done.code == 0, done.err
    assert done.summary["records"]["delivered"] == sound.summary["records"]["sendable"]
    assert done.summary["skipped"] == sound.summary["skipped"]
    assert done.summary["requests"]["by_status"].keys() == {"200"}
    assert done.summary["requests"]["attempts"] == sound.summary["estimate"]["requests"]

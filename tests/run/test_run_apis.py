"""An Engage audience through every API: the bodies as they go out, what is warned about, and what `--strict` rejects.

`python -m tests.run.test_run_apis` prints what one person's messages become.
"""

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.support.archives import message, write_lines
from tests.support.in_process import replay_here
from tests.support.processes import Finished, replay
from tests.support.sandbox_process import SandboxProcess

ENGAGE = Path(__file__).parents[2] / "sample_archives" / "engage"
PERSON = "cust-00006"
"""Joins the audience on the first day, and leaves it on the second."""
ANONYMOUS = "4ff1a001-4494-4663-a9a9-67c19bb38b9c"
STAMP = ("--stamp", "replayed=2025-03")
SEGMENT, TRANSITION = "/v1/integrations/segment?appId=sandbox", "/v1/transition/sandbox"

SUBSCRIPTIONS = {
    "data": {
        "subscriptions": [
            {
                "name": "Joined or left",
                "actionSlug": "trackEvent",
                "enabled": True,
                "trigger": 'event = "Audience Entered" or event = "Audience Exited"',
                "settings": {
                    "type": {"@path": "$.type"},
                    "event": {"@template": "{{event}}: {{properties.audience_key}}"},
                    "userId": {"@path": "$.userId"},
                    "timestamp": {"@path": "$.timestamp"},
                    "properties": {
                        "audience": {"@path": "$.context.personas.computation_key"},
                        "space": {"@case": {"operator": "upper", "value": {"@path": "$.context.personas.space_id"}}},
                        "member": {"@path": "$.properties.recent_buyers"},
                    },
                    "update_existing_only": True,
                },
            },
            {
                "name": "Traits of people who are known",
                "actionSlug": "identifyUser",
                "enabled": True,
                "trigger": 'type = "identify" and userId != null',
                "settings": {
                    "type": {"@path": "$.type"},
                    "userId": {"@path": "$.userId"},
                    "timestamp": {"@path": "$.timestamp"},
                    "traits": {
                        "@merge": {"direction": "right", "objects": [{"@path": "$.traits"}, {"from": "engage"}]}
                    },
                },
            },
            {"actionSlug": "trackEvent", "enabled": False, "trigger": 'type = "track"', "settings": {}},
        ]
    }
}
WISHES = """
[track]
rename = { audience_key = "audience" }
add = { from = "engage" }
update_existing_only = true

[identify]
drop = ["orders_90_days"]
"""
FILES = {"subscriptions.json": json.dumps(SUBSCRIPTIONS), "wishes.toml": WISHES}
OPTIONS = {
    "actions": (),
    "classic": ("--api", "classic"),
    "bulk": ("--api", "bulk"),
    "subscriptions": ("--mapping", "subscriptions.json"),
    "wishes": ("--mapping", "wishes.toml"),
}
CONTEXT = {"app": {}, "os": {}, "library": {"version": "unknown"}}
NO_CONTEXT: dict[str, Any] = {"app": {}, "os": {}, "library": {}}
EXPECTED: dict[str, list[dict[str, Any]]] = {
    "actions": [
        {
            "type": "identify",
            "user_id": PERSON,
            "traits": {"recent_buyers": True},
            "context": CONTEXT,
            "anonymous_id": ANONYMOUS,
            "timestamp": "2025-03-01T00:30:01.210Z",
            "update_existing_only": False,
        },
        {
            "type": "track",
            "user_id": PERSON,
            "anonymous_id": ANONYMOUS,
            "event": "Audience Entered",
            "context": CONTEXT,
            "properties": {"audience_key": "recent_buyers", "recent_buyers": True, "replayed": "2025-03"},
            "timestamp": "2025-03-01T00:30:02.417Z",
            "update_existing_only": False,
        },
        {
            "type": "identify",
            "user_id": PERSON,
            "traits": {"orders_90_days": 3},
            "context": CONTEXT,
            "anonymous_id": ANONYMOUS,
            "timestamp": "2025-03-01T00:30:03.727Z",
            "update_existing_only": False,
        },
        {
            "type": "track",
            "user_id": PERSON,
            "anonymous_id": ANONYMOUS,
            "event": "Audience Exited",
            "context": CONTEXT,
            "properties": {"audience_key": "recent_buyers", "recent_buyers": False, "replayed": "2025-03"},
            "timestamp": "2025-03-02T00:30:02.148Z",
            "update_existing_only": False,
        },
    ],
    "classic": [
        {
            "type": "identify",
            "user_id": PERSON,
            "traits": {"recent_buyers": True},
            "context": CONTEXT,
            "timestamp": "2025-03-01T00:30:01.210Z",
            "update_existing_only": False,
        },
        {
            "type": "track",
            "user_id": PERSON,
            "event": "Audience Entered",
            "context": CONTEXT,
            "properties": {"audience_key": "recent_buyers", "recent_buyers": True, "replayed": "2025-03"},
            "timestamp": "2025-03-01T00:30:02.417Z",
            "update_existing_only": False,
        },
        {
            "type": "identify",
            "user_id": PERSON,
            "traits": {"orders_90_days": 3},
            "context": CONTEXT,
            "timestamp": "2025-03-01T00:30:03.727Z",
            "update_existing_only": False,
        },
        {
            "type": "track",
            "user_id": PERSON,
            "event": "Audience Exited",
            "context": CONTEXT,
            "properties": {"audience_key": "recent_buyers", "recent_buyers": False, "replayed": "2025-03"},
            "timestamp": "2025-03-02T00:30:02.148Z",
            "update_existing_only": False,
        },
    ],
    "bulk": [
        {
            "type": "transition",
            "elements": [{"type": "customer", "customer_id": PERSON, "attributes": {"recent_buyers": True}}],
        },
        {
            "type": "transition",
            "elements": [
                {
                    "type": "event",
                    "customer_id": PERSON,
                    "actions": [
                        {
                            "action": "Audience Entered",
                            "attributes": {
                                "audience_key": "recent_buyers",
                                "recent_buyers": True,
                                "replayed": "2025-03",
                            },
                            "user_time": "2025-03-01T00:30:02.417Z",
                        }
                    ],
                }
            ],
        },
        {
            "type": "transition",
            "elements": [{"type": "customer", "customer_id": PERSON, "attributes": {"orders_90_days": 3}}],
        },
        {
            "type": "transition",
            "elements": [
                {
                    "type": "event",
                    "customer_id": PERSON,
                    "actions": [
                        {
                            "action": "Audience Exited",
                            "attributes": {
                                "audience_key": "recent_buyers",
                                "recent_buyers": False,
                                "replayed": "2025-03",
                            },
                            "user_time": "2025-03-02T00:30:02.148Z",
                        }
                    ],
                }
            ],
        },
    ],
    "subscriptions": [
        {
            "type": "identify",
            "user_id": PERSON,
            "traits": {"recent_buyers": True, "from": "engage"},
            "context": NO_CONTEXT,
            "timestamp": "2025-03-01T00:30:01.210Z",
            "update_existing_only": False,
        },
        {
            "type": "track",
            "user_id": PERSON,
            "event": "Audience Entered: recent_buyers",
            "context": NO_CONTEXT,
            "properties": {
                "audience": "recent_buyers",
                "space": "SPA_2YXSAMPLE",
                "member": True,
                "replayed": "2025-03",
            },
            "timestamp": "2025-03-01T00:30:02.417Z",
            "update_existing_only": True,
        },
        {
            "type": "identify",
            "user_id": PERSON,
            "traits": {"orders_90_days": 3, "from": "engage"},
            "context": NO_CONTEXT,
            "timestamp": "2025-03-01T00:30:03.727Z",
            "update_existing_only": False,
        },
        {
            "type": "track",
            "user_id": PERSON,
            "event": "Audience Exited: recent_buyers",
            "context": NO_CONTEXT,
            "properties": {
                "audience": "recent_buyers",
                "space": "SPA_2YXSAMPLE",
                "member": False,
                "replayed": "2025-03",
            },
            "timestamp": "2025-03-02T00:30:02.148Z",
            "update_existing_only": True,
        },
    ],
    "wishes": [
        {
            "type": "identify",
            "user_id": PERSON,
            "traits": {"recent_buyers": True},
            "context": CONTEXT,
            "anonymous_id": ANONYMOUS,
            "timestamp": "2025-03-01T00:30:01.210Z",
            "update_existing_only": False,
        },
        {
            "type": "track",
            "user_id": PERSON,
            "anonymous_id": ANONYMOUS,
            "event": "Audience Entered",
            "context": CONTEXT,
            "properties": {
                "recent_buyers": True,
                "audience": "recent_buyers",
                "from": "engage",
                "replayed": "2025-03",
            },
            "timestamp": "2025-03-01T00:30:02.417Z",
            "update_existing_only": True,
        },
        {
            "type": "identify",
            "user_id": PERSON,
            "traits": {},
            "context": CONTEXT,
            "anonymous_id": ANONYMOUS,
            "timestamp": "2025-03-01T00:30:03.727Z",
            "update_existing_only": False,
        },
        {
            "type": "track",
            "user_id": PERSON,
            "anonymous_id": ANONYMOUS,
            "event": "Audience Exited",
            "context": CONTEXT,
            "properties": {
                "recent_buyers": False,
                "audience": "recent_buyers",
                "from": "engage",
                "replayed": "2025-03",
            },
            "timestamp": "2025-03-02T00:30:02.148Z",
            "update_existing_only": True,
        },
    ],
}
SKIPPED = {
    "actions": {},
    "classic": {"anonymous": 18},
    "bulk": {"anonymous": 18},
    "subscriptions": {"not_subscribed": 12},
    "wishes": {},
}
"""Six people are anonymous; one message in three of theirs is a track, which the subscriptions would take …"""
REJECTED = {"subscriptions": {"no_identity": 6}}
"""… but they send no anonymous id."""
WHO = ("user_id", "anonymous_id")


@pytest.fixture(scope="module")
def cwd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the operator's files."""
    folder = tmp_path_factory.mktemp("apis")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return folder


def shown(cwd: Path, api: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The summary of a dry run, and the requests that it shows."""
    output = ("--output", f"{api}.jsonl", "--json")
    end = replay_here(cwd, "run", str(ENGAGE), "--dry-run", *OPTIONS[api], *STAMP, *output)
    assert end.code in (0, 3), end.err
    rows = [json.loads(line) for line in (cwd / f"{api}.jsonl").read_text().splitlines()]
    return end.require_closed_book(), [request for row in rows for request in row["requests"]]


def of_person(requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The bodies of one person, but for the two identifies of the second day."""
    bodies = [request["body"] for request in requests if PERSON in json.dumps(request["body"])]
    return [body for index, body in enumerate(bodies) if index not in (3, 5)]


# -- bodies ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("api", OPTIONS)
def test_the_bodies_are_these_to_the_letter(cwd: Path, api: str) -> None:
    summary, requests = shown(cwd, api)
    bodies = of_person(requests)
    assert [json.dumps(body) for body in bodies] == [json.dumps(body) for body in EXPECTED[api]]
    assert {request["url"] for request in requests} == {TRANSITION if api == "bulk" else SEGMENT}
    assert summary["skipped"] == SKIPPED[api]
    assert summary["rejected"] == REJECTED.get(api, {})
    assert summary["records"]["pending"] == len(requests)


def is_stamped(element: dict[str, Any]) -> bool:
    """Tell whether a body, or an element of a bulk request, has the stamp anywhere."""
    return '"replayed": "2025-03"' in json.dumps(element)


@pytest.mark.parametrize("api", OPTIONS)
def test_the_stamp_is_on_every_track_and_on_nothing_else(cwd: Path, api: str) -> None:
    _, requests = shown(cwd, api)
    elements = [one for request in requests for one in request["body"].get("elements", [request["body"]])]
    tracks = [one for one in elements if one["type"] in ("track", "event")]
    assert 0 < len(tracks) < len(elements)
    assert all(is_stamped(one) == (one in tracks) for one in elements)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess(rps=1_000_000) as process:
        yield process


def test_what_arrives_in_bulk_is_what_the_dry_run_shows(cwd: Path, sandbox: SandboxProcess) -> None:
    """In few requests; what is in them is the same."""
    sandbox.reset()
    to = ("--endpoint", sandbox.url, "--checkpoint", "bulk.ckpt", "--json")
    book = replay(cwd, "run", str(ENGAGE), *OPTIONS["bulk"], *STAMP, *to).require_closed_book()
    summary, requests = shown(cwd, "bulk")
    arrived = [line["body"] for line in sandbox.received(recorded=True)]
    assert (book["skipped"], book["rejected"]) == (summary["skipped"], summary["rejected"])
    assert book["records"]["delivered"] == summary["records"]["pending"] == len(requests)
    assert Counter(elements(arrived)) == Counter(elements([request["body"] for request in requests]))
    assert len(arrived) == book["requests"]["attempts"] <= 4


def elements(bodies: list[dict[str, Any]]) -> list[str]:
    return [json.dumps(one) for body in bodies for one in body.get("elements", [body])]


# -- warnings -------------------------------------------------------------------------------------------------

TOLD: dict[str, dict[str, Any]] = {
    "missing_time": {"timestamp": None},
    "lone_surrogate": {"event": "half \ud83d"},
    "unknown_type": {"type": "trak"},
    "name_cut": {"event": "x" * 201},
    "value_cut": {"properties": {"text": "x" * 513}},
    "reserved_name": {"properties": {"moe_own": 1}},
    "too_many_attributes": {"properties": {f"p{n}": n for n in range(101)}},
    "object_too_large": {"properties": {"object": {f"k{n}": "x" * 500 for n in range(60)}}},
    "object_too_many_keys": {"properties": {"object": {f"k{n}": n for n in range(101)}}},
    "object_too_deep": {"properties": {"object": {"a": {"b": {"c": 1}}}}},
    "object_key": {"properties": {"object": {"a.b": 1}}},
    "nested_list": {"properties": {"object": {"list": [1, "one"]}}},
    "nested_url": {"properties": {"object": {"url": "https://example.com/" + "x" * 512}}},
}
"""Rule → a message that is warned about in every API."""
ONLY_DATA: dict[str, dict[str, Any]] = {
    "reserved_id": {"userId": "guest"},
    "invalid_list": {"properties": {"list": list(range(51))}},
    "reserved_attribute": {"type": "identify", "traits": {"_id": "x"}},
}
"""The Segment endpoint takes these, the Data API does not."""
REFUSED: dict[str, dict[str, Any]] = {
    "url_too_long": {"properties": {"url": "https://example.com/" + "x" * 512}},
    "future_date": {"timestamp": "2099-01-01T00:00:00.000Z"},
}
"""No API takes these."""
PLAIN = 3


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an archive of a message for each rule, and some to which none applies."""
    folder = tmp_path_factory.mktemp("odd")
    changes = [*TOLD.values(), *ONLY_DATA.values(), *REFUSED.values(), *({},) * PLAIN]
    write_lines(folder / "odd.jsonl", [message(n, **change) for n, change in enumerate(changes)])
    return folder


@pytest.mark.parametrize("api", ["actions", "classic", "bulk"])
def test_each_rule_warns_or_rejects_as_documented(odd: Path, api: str) -> None:
    summary = replay_here(odd, "run", "odd.jsonl", "--dry-run", "--json", "--api", api).require_closed_book()
    rejected, warned = {*REFUSED}, {*TOLD, *ONLY_DATA}
    if api == "bulk":
        rejected, warned = rejected | {*ONLY_DATA}, {*TOLD}
    assert summary["warnings"] == dict.fromkeys(warned, 1)
    assert summary["rejected"] == dict.fromkeys(rejected, 1)
    assert summary["records"]["pending"] == PLAIN + len(warned - {"unknown_type"})


@pytest.mark.parametrize("api", ["actions", "classic", "bulk"])
def test_strict_rejects_what_was_warned_about(odd: Path, api: str) -> None:
    end = replay_here(odd, "run", "odd.jsonl", "--dry-run", "--json", "--api", api, "--strict")
    summary = end.require_closed_book()
    assert end.code == 3
    assert summary["rejected"] == dict.fromkeys([*TOLD, *ONLY_DATA, *REFUSED], 1)
    assert (summary["warnings"], summary["records"]["pending"]) == ({}, PLAIN)


def require_examples(end: Finished, odd: Path) -> None:
    """Each rule with one record that it is about, in the summary and on the terminal."""
    summary = end.summary
    uri, rules = str(odd / "odd.jsonl"), [*TOLD, *ONLY_DATA]
    assert summary["warning_examples"].keys() == set(rules)
    for line, rule in enumerate(rules, start=1):
        (example,) = summary["warning_examples"][rule]
        assert (example["uri"], example["line"]) == (uri, line)
        assert f"{rule}, for example {uri} line {line}: {example['detail']}\n" in end.err + end.out


def test_warnings_have_examples_in_a_dry_run(odd: Path) -> None:
    require_examples(replay_here(odd, "run", "odd.jsonl", "--dry-run", "--json"), odd)


def test_warnings_have_examples_in_a_run_and_in_its_status(odd: Path, sandbox: SandboxProcess) -> None:
    run = replay(odd, "run", "odd.jsonl", "--endpoint", sandbox.url, "--checkpoint", "odd.ckpt", "--json")
    assert run.code == 3
    require_examples(run, odd)
    status = replay_here(odd, "status", "odd.ckpt", "--json")
    assert status.summary["warning_examples"] == run.summary["warning_examples"]
    assert "reserved_id, for example " in replay_here(odd, "status", "odd.ckpt").out


def main() -> None:
    """Print what one person's messages become."""
    console = Console(width=150)
    with tempfile.TemporaryDirectory() as folder:
        for name, text in FILES.items():
            (Path(folder) / name).write_text(text)
        for api, options in OPTIONS.items():
            summary, requests = shown(Path(folder), api)
            console.rule(f"{api}: {' '.join((*options, *STAMP))}")
            console.print(f"{len(requests)} requests; skipped {summary['skipped']}, rejected {summary['rejected']}")
            for body in of_person(requests):
                console.print_json(json.dumps(body), indent=None, highlight=False)


if __name__ == "__main__":
    main()

"""Documents as the commands give them to a page: of a job with everything in it, and of a validation and a plan."""

from math import sin
from typing import Any

BEGAN = 1741000000.0
"""POSIX seconds: 2025-03-03T11:06:40Z."""
EVENTS = ("Order Completed", "Product Viewed", "Cart Updated", "Signed Up", "Search Performed", "(attributes of users)")
DAYS = [f"2025-02-{day:02}" for day in range(1, 29)]


def run_document(intervals: int = 240) -> dict[str, Any]:
    """A job of two runs with a night between them: outages, refusals, rejections, amendments."""
    timeline = [_interval(number, intervals) for number in range(intervals)]
    statuses: dict[str, int] = {}
    for each in timeline:
        for label, n in each["by_status"].items():
            statuses[label] = statuses.get(label, 0) + n
    content = _content()
    return {
        "kind": "run",
        "at": BEGAN + 60_000,
        "version": "0.1.0",
        "summary": _summary(statuses),
        "rps": 250,
        "cap_note": "--rps 250 of the last run; earlier ones may have had another",
        "timeline": timeline,
        "latency_ms": {"p50": 181.0, "p90": 260.5, "p99": 910.0, "max": 12004.0},
        "content": content,
        "rejections": [
            {"kind": "rejected", "reason": "future_date", "n": 812, "examples": examples("future_date")},
            {"kind": "rejected", "reason": "no_identity", "n": 45, "examples": examples("no_identity")[:1]},
            {
                "kind": "dead_lettered",
                "reason": "http_400:MissingAttributeError",
                "n": 120,
                "examples": examples("MoEngage: attribute missing"),
            },
            {"kind": "dead_lettered", "reason": "exhausted:http_500", "n": 14, "examples": []},
        ],
        "earlier_runs": 0,
        "history": [
            _run(BEGAN, BEGAN + 1200, "run", "interrupted", "SIGTERM"),
            _run(BEGAN + 50_000, BEGAN + 51_200, "resume", "complete", ""),
        ],
    }


def _interval(number: int, intervals: int) -> dict[str, Any]:
    first = number < intervals // 2
    at = BEGAN + 10 * number if first else BEGAN + 50_000 + 10 * (number - intervals // 2)
    held = 60 <= number < 68
    ok = 0 if held else int(2380 + 90 * sin(number / 5))
    failed = 40 if held else (60 if number % 23 == 0 else 0)
    by_status = {
        "200": ok,
        "500": failed,
        "429": 25 if number % 40 == 7 else 0,
        "timeout": 3 if number % 61 == 9 else 0,
    }
    by_status["400"] = 1 if number % 2 else 0
    return {
        "at": at,
        "seconds": 10,
        "attempts": sum(by_status.values()),
        "by_status": {label: n for label, n in by_status.items() if n},
        "delivered": ok,
        "retries": failed + by_status["429"],
        "paused_seconds": 9.5 if held else 0.0,
        "peak_per_second": 41 if held else 247,
        "latency_ms": None if held else {"p50": 180 + 12 * sin(number / 9), "p90": 262.0, "p99": 640.0 + 3 * number},
    }


def _content() -> dict[str, Any]:
    triples: list[tuple[str, str, int]] = [
        (event, day, 900 * (7 - at) + 37 * number)
        for at, event in enumerate(EVENTS)
        for number, day in enumerate(DAYS)
        if not (event == "Signed Up" and number < 9)
    ]
    by_day: dict[str, int] = {}
    by_event: dict[str, int] = {}
    for event, day, n in triples:
        by_day[day] = by_day.get(day, 0) + n
        by_event[event] = by_event.get(event, 0) + n
    return {"by_day": by_day, "by_event": by_event, "by_event_and_day": triples}


def _summary(statuses: dict[str, int]) -> dict[str, Any]:
    records = {
        "read": 612_345,
        "delivered": 560_004,
        "skipped": 51_000,
        "rejected": 857,
        "dead_lettered": 134,
        "pending": 350,
    }
    requests = {"attempts": sum(statuses.values()), "by_status": statuses, "peak_per_second": 247}
    return {
        "state": "paused",
        "reason": "--max-duration 20m has passed",
        "job": job(),
        "records": records,
        "skipped": {"not_subscribed": 40_000, "device_mode": 11_000},
        "rejected": {"future_date": 812, "no_identity": 45},
        "dead_lettered": {"http_400:MissingAttributeError": 120, "exhausted:http_500": 14},
        "warnings": {"value_cut": 9_120, "reserved_id": 12},
        "warning_examples": {"value_cut": examples("the value of 'description' has 618 characters")},
        "parked": 300,
        "in_doubt": 12,
        "requests": requests,
        "objects": {
            "total": 420,
            "listing": True,
            "complete": 397,
            "damaged": ["archive/1740787200000/b.gz"],
            "damage": {"archive/1740787200000/b.gz": "the gzip data ends early, after line 8,120"},
            "changed": ["archive/1740873600000/c.gz"],
            "continued": [],
            "ignored": 2,
        },
        "amendments": [
            {
                "at": BEGAN + 49_000,
                "reason": "no identifies after all",
                "setting": "identify",
                "before": "all",
                "after": "none",
            }
        ],
        "run": {},
        "elapsed_seconds": 2400.0,
        "checkpoint": ".replay/archive-3f2a9c81.ckpt",
        "dead_letters": ".replay/archive-3f2a9c81.dead-letters.jsonl.gz",
    }


def _run(started: float, ended: float, kind: str, state: str, reason: str) -> dict[str, Any]:
    where = {"user": "ada", "host": "batch-7", "pid": 4711, "version": "0.1.0"}
    return {"started": started, "ended": ended, "kind": kind, "state": state, "reason": reason} | where


def job() -> dict[str, Any]:
    """What a job sends, and where."""
    return {
        "sources": ["/archive/segment-logs"],
        "endpoint": "https://api-01.moengage.com",
        "workspace_id": "WORKSPACE",
        "settings": {
            "api": "actions",
            "identify": "none",
            "types": ["track", "identify"],
            "stamp": {"replayed": "2025-03"},
            "mapping": {"subscriptions": [{}, {}]},
            "strict": False,
        },
    }


def examples(detail: str) -> list[dict[str, Any]]:
    """Three records that something is said of."""
    excerpt = '{"type":"track","event":"Order Completed","userId":"u-17","writeKey":"…","properties":{"total":12.5}}'
    return [
        {"uri": "archive/1740787200000/a.gz", "line": 17 + number, "detail": detail, "excerpt": excerpt}
        for number in range(3)
    ]


def validation_document() -> dict[str, Any]:
    """A month of an archive in which nearly all is as it should be."""
    by_day = {day: 20_000 + 600 * number for number, day in enumerate(DAYS)}
    read = sum(by_day.values())
    return {
        "kind": "validation",
        "state": "complete",
        "reason": "1,216 records would be rejected",
        "sendable": False,
        "at": BEGAN,
        "version": "0.1.0",
        "host": "batch-7",
        "user": "ada",
        "job": job(),
        "objects": {
            "total": 420,
            "complete": 419,
            "bytes": 812_345_678,
            "damaged": ["archive/1740787200000/b.gz"],
            "damage": {"archive/1740787200000/b.gz": "the gzip data ends early, after line 8,120"},
            "empty": 2,
            "ignored": 3,
        },
        "records": {"read": read, "sendable": read - 51_216, "skipped": 50_000, "rejected": 1_216},
        "skipped": {"not_subscribed": 50_000},
        "rejected": {"future_date": 1_200, "malformed_json": 16},
        "warnings": {"value_cut": 9_120, "reserved_id": 12},
        "examples": {
            "skipped": {"not_subscribed": examples("page")[:1]},
            "rejected": {"future_date": examples("2031-01-01T00:00:00Z"), "malformed_json": examples("unexpected end")},
            "warnings": {"value_cut": examples("the value of 'description' has 618 characters")},
            "duplicates": examples("the message id m-1 was met before"),
        },
        "by_type": {"track": read - 90_000, "identify": 40_000, "page": 50_000},
        "by_event": {name: 90_000 - 4_000 * at for at, name in enumerate([*EVENTS, *_more_events()])}
        | {"(others)": 1_234},
        "by_source": {"kQ8vTz3nWbYp5RdXmLs2Ha": read - 100_000, "aB3dEf6hIjKlMn9pQrStUv": 100_000},
        "by_received_day": by_day,
        "by_library": {
            "analytics-node 2.1.0": read - 70_000,
            "analytics.js 1.55.0": 40_000,
            "analytics-ios 4.1.8": 30_000,
        },
        "names": {
            "events": {"distinct": 431, "limit": 512},
            "user_attributes": {"distinct": 261, "limit": 256},
            "event_attributes": {"most": 38, "event": "Order Completed", "limit": 100},
        },
        "times": {
            "first": "2025-01-29T22:10:04.120Z",
            "last": "2025-03-01T00:00:00.000Z",
            "by_day": {"2025-01-29": 31, "2025-01-30": 400} | by_day | {"2031-01-01": 1_200},
            "by_hour": {},
            "future": 1_200,
            "missing": 17,
            "unreadable": 3,
            "out_of_order": 84_211,
            "lateness": {
                "early": 310,
                "under_1_minute": 700_000,
                "under_1_hour": 60_000,
                "under_1_day": 20_000,
                "under_7_days": 2_000,
                "later": 41,
            },
            "older_than_60_days": 0,
            "older_than_365_days": 0,
        },
        "identity": {
            "known": 700_000,
            "anonymous": 86_000,
            "nobody": 0,
            "reserved": 12,
            "distinct_user_ids": 48_112,
            "distinct_anonymous_ids": 91_004,
            "distinct_error": 0.016,
        },
        "duplicates": {"messages": 2_214, "exact": False, "error": 120.0, "without_id": 3},
        "device_mode": {"messages": 70_000, "share": 0.0891},
        "consent": {"asked": 1_200, "categories": {"advertising": {"granted": 800, "refused": 400}}},
        "overwriting": {"identifies": 40_000, "users": 31_870},
        "hot_users": [{"user": "load-test@example.com", "requests": 61_002, "breaks": ["more than 5,000 a minute"]}],
        "estimate": estimate(read - 51_216),
        "elapsed_seconds": 11.4,
        "workers": 2,
        "engine": "local",
    }


def _more_events() -> list[str]:
    return [f"Checkout Step {number}" for number in range(1, 14)]


def estimate(requests: int) -> dict[str, Any]:
    """What sending takes at 250 a second."""
    return {
        "requests": requests,
        "records": requests,
        "rps": 250,
        "concurrency": 512,
        "latency_seconds": 0.2,
        "seconds": requests / 247.5,
        "finishes_at": BEGAN + requests / 247.5,
        "bound_by": "rps",
        "longest_user": {"user": "load-test@example.com", "requests": 61_002, "seconds": 2440.0},
        "bulk": {"requests": 9_120, "seconds": requests / 500, "left_out": 86_000, "saves": 0.505},
    }


def plan_document() -> dict[str, Any]:
    """A large archive of which a little was read."""
    return {
        "kind": "plan",
        "at": BEGAN,
        "version": "0.1.0",
        "host": "batch-7",
        "user": "ada",
        "job": job(),
        "reason": "estimated from 24 of 50,000 objects",
        "objects": 50_000,
        "bytes": 81_234_567_890,
        "ignored": 1,
        "days": {day: {"objects": 1_780, "bytes": 2_900_000_000 + 9_000_000 * at} for at, day in enumerate(DAYS)}
        | {"": {"objects": 160, "bytes": 12_345}},
        "by_source": {
            "kQ8vTz3nWbYp5RdXmLs2Ha": {"objects": 48_000, "bytes": 80_000_000_000},
            "": {"objects": 2_000, "bytes": 1_234_567_890},
        },
        "sampled": {"objects": 24, "bytes": 39_000_000, "records": 310_000, "damage": {}},
        "records": {"estimate": 645_700_000, "error": 3_100_000},
        "sendable": {"estimate": 601_000_000, "error": 2_900_000, "share": 0.931},
        "skipped": {"not_subscribed": 44_000_000},
        "rejected": {"future_date": 700_000},
        "requests": {"estimate": 601_000_000, "error": 2_900_000},
        "estimate": estimate(601_000_000),
        "elapsed_seconds": 4.2,
    }


HOSTILE = (
    "<script>fetch('http://127.0.0.1:9/')</script>",
    "]]><img src=x onerror=alert(1)>",
    "\u202egnp.exe \u2066 and \x00\x1b[31m control \ud800 half",
    "{{ 7 * 7 }}{% raw %}",
    '" onmouseover="alert(1)" x="',
    "</style><style>body{display:none}</style>",
    "a" * 10_000,
    "a" * 10_000 + "b",
)
"""Texts that must stay texts."""


def hostile_run_document() -> dict[str, Any]:
    """A run of an archive whose every name is an attack."""
    document = run_document(30)
    hostile = {name: 10 + at for at, name in enumerate(HOSTILE)}
    found = [
        {"uri": name, "row": 1 + at, "detail": HOSTILE[-1 - at], "excerpt": name} for at, name in enumerate(HOSTILE)
    ]
    document["content"] = {
        "by_day": {"2025-02-01": sum(hostile.values())} | dict.fromkeys(HOSTILE, 1),
        "by_event": hostile,
        "by_event_and_day": [[name, "2025-02-01", n] for name, n in hostile.items()],
    }
    document["rejections"] = [
        {"kind": "rejected", "reason": name, "n": n, "examples": found} for name, n in hostile.items()
    ]
    summary = document["summary"]
    summary["reason"] = HOSTILE[0]
    summary["rejected"] = hostile
    summary["objects"]["damage"] = dict.fromkeys(HOSTILE, HOSTILE[1])
    summary["job"]["sources"] = list(HOSTILE)
    summary["job"]["settings"] = {"where": HOSTILE[4], "deep": _deep(500)}
    return document


def _deep(levels: int) -> Any:
    value: Any = "bottom"
    for _ in range(levels):
        value = {"a": [value]}
    return value

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.report.summary import Summary, exit_code, make_summary, run_numbers, run_state

TOTALS = {"read": 10, "pending": 0, "in_doubt": 0, "objects": 1, "complete": 1, "ignored": 0, "peak": 0}


def summary(state: str = "complete", reason: str = "", **changes: Any) -> Summary:
    values: dict[str, Any] = {
        "book": {"delivered": {"": 10}},
        "totals": TOTALS,
        "replies": {},
        "damage": {},
        "changed": [],
        "run": {},
        "elapsed": 1.0,
        "checkpoint": None,
        "dead_letters": None,
    }
    return make_summary(state=state, reason=reason, **(values | changes))


REJECTED = {"book": {"delivered": {"": 9}, "rejected": {"too_deep": 1}}}
GIVEN_UP = {"book": {"delivered": {"": 9}, "dead_lettered": {"http_400": 1}}}
SKIPPED = {"book": {"delivered": {"": 1}, "skipped": {"not_subscribed": 9}, "warning": {"missing_time": 3}}}
DAMAGED = {"damage": {"/a.gz": "cut off"}}


@pytest.mark.parametrize(
    ("state", "reason", "changes", "code"),
    [
        ("complete", "", {}, 0),
        ("complete", "", SKIPPED, 0),
        ("complete", "", {"changed": ["/a.gz"]}, 0),
        ("complete", "", {"totals": TOTALS | {"in_doubt": 3}}, 0),
        ("complete", "", REJECTED, 3),
        ("complete", "", GIVEN_UP, 3),
        ("complete", "", DAMAGED, 3),
        ("paused", "", {}, 4),
        ("paused", "", REJECTED, 4),
        ("failed", "401", {}, 1),
        ("failed", "401", REJECTED, 1),
        ("interrupted", "SIGINT", {}, 130),
        ("interrupted", "SIGINT", GIVEN_UP, 130),
        ("interrupted", "SIGTERM", DAMAGED, 143),
        ("interrupted", "the last run (pid 1 on h) died", {}, 1),
    ],
)
def test_the_exit_code_follows_from_the_summary(state: str, reason: str, changes: dict[str, Any], code: int) -> None:
    """Where several apply: 130 or 143, 1, 4, 3."""
    assert exit_code(summary(state, reason, **changes)) == code


def test_the_summary_has_the_documented_form() -> None:
    made = summary(
        "paused",
        "enough",
        book={
            "delivered": {"": 4},
            "skipped": {"not_subscribed": 3},
            "rejected": {"too_deep": 1, "future_date": 1},
            "dead_lettered": {"http_400": 1},
            "warning": {"missing_time": 2},
        },
        totals={
            "read": 12,
            "pending": 2,
            "parked": 1,
            "in_doubt": 5,
            "objects": 4,
            "complete": 3,
            "ignored": 6,
            "listing": 1,
            "peak": 99,
        },
        replies={"500": 1, "200": 4, "timeout": 2},
        damage={"/b": "cut"},
        changed=["/c"],
        continued=["/d"],
        job={"sources": ["/"]},
        amendments=[{"setting": "strict"}],
        run={"elapsed_seconds": 1},
        elapsed=2.34567,
        checkpoint=Path("/x/job.ckpt"),
        dead_letters=Path("/x/job.dead-letters.jsonl"),
    )
    assert json.loads(json.dumps(made)) == {
        "state": "paused",
        "reason": "enough",
        "job": {"sources": ["/"]},
        "records": {"read": 12, "delivered": 4, "skipped": 3, "rejected": 2, "dead_lettered": 1, "pending": 2},
        "skipped": {"not_subscribed": 3},
        "rejected": {"too_deep": 1, "future_date": 1},
        "dead_lettered": {"http_400": 1},
        "warnings": {"missing_time": 2},
        "warning_examples": {},
        "parked": 1,
        "in_doubt": 5,
        "requests": {"attempts": 7, "by_status": {"200": 4, "500": 1, "timeout": 2}, "peak_per_second": 99},
        "objects": {
            "total": 4,
            "listing": True,
            "complete": 3,
            "damaged": ["/b"],
            "damage": {"/b": "cut"},
            "changed": ["/c"],
            "continued": ["/d"],
            "ignored": 6,
        },
        "overlap": None,
        "amendments": [{"setting": "strict"}],
        "run": {"elapsed_seconds": 1},
        "elapsed_seconds": 2.346,
        "checkpoint": "/x/job.ckpt",
        "dead_letters": "/x/job.dead-letters.jsonl",
    }


@given(
    st.dictionaries(
        st.tuples(
            st.sampled_from(["delivered", "skipped", "rejected", "dead_lettered", "warning"]), st.text(max_size=2)
        ),
        st.integers(1, 1000),
    )
)
def test_a_runs_numbers_add_up_warnings_aside(records: dict[tuple[str, str], int]) -> None:
    settled = sum(n for (outcome, _), n in records.items() if outcome != "warning")
    numbers = run_numbers(settled, Counter(records), {"200": 3}, 7, 1, 0.5)
    counted = numbers["records"]
    assert counted.pop("read") == sum(counted.values())
    assert numbers["requests"] == {"attempts": 3, "by_status": {"200": 3}, "peak_per_second": 7}


RUN = {"kind": "run", "state": "complete", "reason": "", "pid": 7, "host": "h"}
REDRIVE = RUN | {"kind": "redrive"}


@pytest.mark.parametrize(
    ("runs", "running", "expected"),
    [
        ([], False, ("paused", "nothing was sent yet")),
        ([], True, ("running", "")),
        ([RUN], False, ("complete", "")),
        ([RUN, RUN | {"state": "failed", "reason": "401"}], False, ("failed", "401")),
        ([RUN | {"state": "paused", "reason": "later"}, REDRIVE], False, ("paused", "later")),
        ([RUN, REDRIVE | {"state": "paused", "reason": "later"}], False, ("paused", "later")),
        ([RUN | {"state": "running"}], True, ("running", "")),
        ([RUN | {"state": "running"}], False, ("interrupted", "the last run (pid 7 on h) died")),
    ],
)
def test_a_jobs_state_is_that_of_its_last_run(runs: list[Any], running: bool, expected: tuple[str, str]) -> None:
    assert run_state(runs, running=running) == expected

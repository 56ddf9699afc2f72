"""What a page of a run is drawn from: the checkpoint's numbers, told so that they can be read at a glance."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.report.chronicle import MOST_RUNS, Chronicle, make_chronicle

AT = 1_750_000_000


def run(started: float, seen: float, state: str = "complete", **changes: Any) -> dict[str, Any]:
    who = {"user": "ops", "host": "h", "pid": 7, "version": "1"}
    return {"id": 1, "kind": "run", "started": started, "seen": seen, "state": state, "reason": "why"} | who | changes


def interval(at: int, seconds: int = 10, **changes: Any) -> dict[str, Any]:
    return {"at": at, "seconds": seconds, "attempts": 5, "paused_seconds": 0.0} | changes


def chronicle(state: str = "complete", **changes: Any) -> Chronicle:
    values: dict[str, Any] = {
        "at": AT + 100.0,
        "version": "1",
        "summary": {"state": state},
        "rps": 250.0,
        "timeline": [],
        "latency": None,
        "by_event": {},
        "by_day": {},
        "by_event_and_day": {},
        "rejections": [],
        "runs": [run(AT, AT + 60)],
    }
    return make_chronicle(**(values | changes))


def test_what_has_no_name_is_given_one() -> None:
    content = chronicle(
        by_event={"A": 1, "": 5},
        by_day={"2025-03-02": 4, "": 1, "2025-03-01": 1},
        by_event_and_day={("", "2025-03-02"): 4, ("A", ""): 1, ("", "2025-03-01"): 1},
    )["content"]
    assert list(content["by_event"].items()) == [("(attributes of users)", 5), ("A", 1)]
    assert content["by_day"] == {"(no time)": 1, "2025-03-01": 1, "2025-03-02": 4}
    assert content["by_event_and_day"] == [
        ["A", "(no time)", 1],
        ["(attributes of users)", "2025-03-01", 1],
        ["(attributes of users)", "2025-03-02", 4],
    ]


@pytest.mark.parametrize(("rps", "shown"), [(250.0, 250), (0.5, 0.5)])
def test_the_cap_is_a_plain_number_and_said_to_be_the_last_runs(rps: float, shown: float) -> None:
    assert repr(chronicle(rps=rps)["rps"]) == repr(shown)
    assert chronicle(rps=rps)["cap_note"] == f"--rps {shown}"
    assert "last run" in chronicle(rps=rps, runs=[run(AT, AT + 1), run(AT + 2, AT + 3)])["cap_note"]


# -- runs -----------------------------------------------------------------------------------------------------


def test_the_history_says_who_when_and_how_it_ended() -> None:
    (told,) = chronicle()["history"]
    assert told == {
        "started": AT,
        "ended": AT + 60,
        "kind": "run",
        "state": "complete",
        "reason": "why",
        "user": "ops",
        "host": "h",
        "pid": 7,
        "version": "1",
    }


def test_a_run_without_an_end_died_unless_it_is_the_one_that_goes_on() -> None:
    runs = [run(AT, AT + 1, "running", id=1), run(AT + 5, AT + 6, "running", id=2)]
    assert [told["state"] for told in chronicle("interrupted", runs=runs)["history"]] == ["interrupted"] * 2
    going = chronicle("running", runs=runs)["history"]
    assert [(told["state"], told["reason"]) for told in going] == [("interrupted", "it died"), ("running", "")]


def test_of_thousands_of_runs_the_last_ones_are_told() -> None:
    runs = [run(AT + n, AT + n + 0.5) for n in range(MOST_RUNS + 20)]
    found = chronicle(runs=runs)
    assert len(found["history"]) == MOST_RUNS
    assert found["history"][-1]["started"] == AT + MOST_RUNS + 19
    assert found["earlier_runs"] == 20


# -- times in which nothing ran ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([run(AT + 3.5, AT + 5.2)], (3, 6)),
        ([run(AT + 3.5, AT + 3.6)], (3, 4)),
        ([run(AT - 100, AT + 100)], (0, 10)),
        ([run(AT - 100, AT - 50), run(AT + 2, AT + 4), run(AT + 6, AT + 7), run(AT + 20, AT + 30)], (2, 7)),
        ([run(AT + 2, AT + 3.1, "running")], (2, 6)),
        ([run(AT - 100, AT - 50)], (0, 10)),
        ([], (0, 10)),
    ],
    ids=["within", "an instant", "around", "two", "died", "none there", "none"],
)
def test_an_interval_is_as_long_as_it_was_run(runs: list[dict[str, Any]], expected: tuple[int, int]) -> None:
    """Or the throughput of a run of three seconds would seem to be a third of what it was."""
    (found,) = chronicle(timeline=[interval(AT)], runs=runs)["timeline"]
    assert (found["at"] - AT, found["at"] + found["seconds"] - AT) == expected


@given(
    st.lists(st.tuples(st.floats(0, 100), st.floats(0, 30)), max_size=5),
    st.lists(st.integers(0, 12), unique=True, max_size=6),
)
def test_intervals_only_become_shorter_and_nothing_else_of_them_changes(
    spans: list[tuple[float, float]], tens: list[int]
) -> None:
    runs = sorted((run(AT + start, AT + start + length) for start, length in spans), key=lambda each: each["started"])
    before = [interval(AT + 10 * ten, attempts=ten, paused_seconds=9.0) for ten in sorted(tens)]
    after = chronicle(timeline=before, runs=runs)["timeline"]
    assert [entry["attempts"] for entry in after] == [entry["attempts"] for entry in before]
    for old, new in zip(before, after, strict=True):
        assert old["at"] <= new["at"] < new["at"] + new["seconds"] <= old["at"] + 10
        assert new["paused_seconds"] <= new["seconds"]

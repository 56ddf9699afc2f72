"""What a run tells falls into ten seconds of the clock, nothing twice and nothing nowhere."""

from collections.abc import Sequence
from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.ledger.intervals import total
from replay_cli.ledger.timeline import Interval, Timeline

AT = 1_750_000_000


def rows(takes: Sequence[list[Interval]]) -> dict[int, dict[str, object]]:
    """What is kept in the end, when each interval that is taken replaces the one before it."""
    return {interval.at: interval.document() for taken in takes for interval in taken}


def test_what_is_told_belongs_to_the_interval_in_which_it_is_taken() -> None:
    timeline = Timeline()
    timeline.note_departure(3)
    timeline.note_latency(0.2)
    timeline.note_reply("200")
    timeline.note_delivered(40)
    (first,) = timeline.take(AT + 9.9)
    assert first.document() == {
        "at": AT,
        "seconds": 10,
        "attempts": 1,
        "by_status": {"200": 1},
        "delivered": 40,
        "retries": 0,
        "paused_seconds": 0.0,
        "peak_per_second": 3,
        "latency_ms": {"p50": 192.1, "p90": 200.0, "p99": 200.0},
    }
    timeline.note_unsent()
    timeline.note_retry()
    timeline.note_reply("not_sent")
    (second,) = timeline.take(AT + 10)
    assert (second.at, second.attempts, second.retries, second.replies) == (AT + 10, 1, 1, {"not_sent": 1})
    assert second.document()["latency_ms"] is None


def test_an_interval_that_goes_on_is_taken_whole_again() -> None:
    timeline = Timeline()
    for moment in (1, 2, 3):
        timeline.note_departure(moment)
        (interval,) = timeline.take(AT + moment)
        assert (interval.attempts, interval.peak) == (moment, moment)


def test_where_nothing_happened_nothing_is_taken() -> None:
    timeline = Timeline()
    assert timeline.take(AT) == []
    timeline.note_departure(1)
    assert len(timeline.take(AT + 20)) == 1
    assert timeline.take(AT + 25) == timeline.take(AT + 1000) == []


def test_a_pause_is_counted_where_it_lies() -> None:
    timeline = Timeline()
    timeline.begin_pause(AT + 4.0)
    timeline.begin_pause(AT + 5.0)
    takes = [timeline.take(AT + moment) for moment in (6.0, 10.0, 20.0)]
    timeline.end_pause(AT + 23.0)
    takes.append(timeline.take(AT + 24.0))
    paused = {at - AT: row["paused_seconds"] for at, row in rows(takes).items()}
    assert paused == {0: 6.0, 10: 10.0, 20: 3.0}


@pytest.mark.parametrize("back", [5, 100_000])
def test_a_clock_that_is_set_back_loses_nothing(back: int) -> None:
    timeline = Timeline()
    timeline.note_departure(1)
    takes = [timeline.take(AT + 20)]
    timeline.begin_pause(AT + 20)
    timeline.note_departure(1)
    takes += [timeline.take(AT + 20 - back)]
    timeline.end_pause(AT + 18 - back)
    takes += [timeline.take(AT + 18 - back)]
    (row,) = rows(takes).values()
    assert (row["at"], row["attempts"]) == (AT + 20, 2)
    assert row["paused_seconds"] == 0.0


@given(st.lists(st.tuples(st.floats(0, 40), st.sampled_from(["depart", "reply", "pause", "go on", "take"]))))
def test_all_that_is_told_is_taken_once(steps: list[tuple[float, str]]) -> None:
    """And no interval is paused for longer than it lasts, whatever the gaps between two looks at it."""
    timeline, now, takes, told = Timeline(), float(AT), [], {"depart": 0, "reply": 0}
    for seconds, step in steps:
        now += seconds
        match step:
            case "depart":
                timeline.note_departure(1)
            case "reply":
                timeline.note_reply("200")
            case "pause":
                timeline.begin_pause(now)
            case "go on":
                timeline.end_pause(now)
            case _:
                takes.append([deepcopy(interval) for interval in timeline.take(now)])
        if step in told:
            told[step] += 1
    timeline.end_pause(now)
    takes.append(timeline.take(now))
    assert not timeline.has_news
    kept = {interval.at: interval for taken in takes for interval in taken}
    whole = total(kept.values())
    assert (whole.attempts, whole.replies.total()) == (told["depart"], told["reply"])
    assert all(interval.document()["paused_seconds"] <= 10 for interval in kept.values())

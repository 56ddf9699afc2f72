"""A message that fails and a destination that is down look different: who fails, whether others pass meanwhile."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.delivery.outage import MANY, BudgetClock, OutageWatch, Probe, Prober


def watch(failures: dict[str, int], *, at_fault: bool = False, connected: bool = True) -> OutageWatch[str]:
    """A watch that has seen these items fail so often since the last pass."""
    made: OutageWatch[str] = OutageWatch()
    for item, count in failures.items():
        for _ in range(count):
            made.note_failure(item, 7.0, at_fault=at_fault, connected=connected)
    return made


# -- is it an outage? -----------------------------------------------------------------------------------------


def test_many_that_fail_with_none_passing_are_an_outage() -> None:
    nearly = {f"m{n}": 1 for n in range(MANY - 1)}
    assert not watch(nearly).is_outage(500)
    assert watch(nearly | {"one more": 1}).is_outage(500)


def test_one_pass_proves_that_it_is_none() -> None:
    made = watch({f"m{n}": 3 for n in range(MANY)})
    made.note_pass()
    assert not made.is_outage(500)
    assert (made.since, made.failures()) == (inf, {})


def test_few_that_fail_again_and_again_are_an_outage_only_if_nobody_else_could_pass() -> None:
    two = {"m1": MANY, "m2": MANY}
    assert watch(two).is_outage(2)
    assert not watch(two).is_outage(3)
    assert not watch({"m1": 1, "m2": 1}).is_outage(2), "so few attempts prove nothing"


def test_one_message_alone_is_no_outage() -> None:
    """However often it fails: that is for its budget to end."""
    assert not watch({"m1": 100}).is_outage(1)


def test_messages_that_fail_while_others_pass_are_not_suspicious_however_many() -> None:
    assert not watch({f"m{n}": 3 for n in range(100)}, at_fault=True).is_outage(100)


def test_three_without_a_connection_are_enough() -> None:
    """No message can be blamed for that, so not even those at fault are."""
    assert watch({"m1": 1, "m2": 1, "m3": 1}, connected=False, at_fault=True).is_outage(500)
    assert not watch({"m1": 1, "m2": 1}, connected=False).is_outage(500)
    assert watch({"m1": 3}, connected=False).is_outage(1), "when it is the only one"
    assert not watch({"m1": 3}, connected=False).is_outage(500), "others may find the way"


def test_since_is_the_first_failure_of_those_that_none_has_passed_since() -> None:
    made: OutageWatch[str] = OutageWatch()
    assert made.since == inf
    for at in (5.0, 6.0):
        made.note_failure("m", at, at_fault=False, connected=True)
    assert made.since == 5.0
    made.note_pass()
    made.note_failure("m", 9.0, at_fault=False, connected=True)
    assert made.since == 9.0


def test_failures_are_counted_by_item_to_be_given_back() -> None:
    made = watch({"m1": 3, "m2": 1})
    counted = made.failures()
    made.note_pass()
    assert counted == {"m1": 3, "m2": 1}, "a copy"


# -- what to probe with ---------------------------------------------------------------------------------------


def test_a_request_is_probed_with_and_one_at_a_time() -> None:
    prober = Prober()
    assert prober.choose(0.0) is Probe.REQUEST
    prober.note_sent(0.0)
    assert prober.choose(1.0) is None
    prober.note_end()
    assert prober.choose(1.0) is Probe.REQUEST


def test_a_probe_without_an_answer_does_not_hold_up_the_next_for_long() -> None:
    prober = Prober()
    prober.note_sent(0.0)
    assert [prober.choose(float(second)) for second in range(7)] == [None] * 5 + [Probe.REQUEST] * 2
    prober.note_sent(5.0)
    prober.note_end()
    assert prober.choose(6.0) is None, "the second one is still on its way"


def test_after_a_doubt_no_request_is_risked_before_the_check_has_passed() -> None:
    prober = Prober()
    prober.note_failure(doubtful=True)
    assert prober.choose(0.0) is Probe.CHECK
    prober.note_check(passed=False)
    assert prober.choose(1.0) is Probe.CHECK
    prober.note_check(passed=True)
    assert prober.choose(2.0) is Probe.REQUEST
    prober.note_failure(doubtful=True)
    assert prober.choose(3.0) is Probe.CHECK, "one pass is good for one request"


def test_after_a_certain_failure_a_request_costs_nothing() -> None:
    prober = Prober()
    prober.note_failure(doubtful=True)
    prober.note_failure(doubtful=False)
    assert prober.choose(0.0) is Probe.REQUEST


# -- the clock of the budgets ---------------------------------------------------------------------------------


def test_the_budget_clock_stands_still_from_when_the_outage_began() -> None:
    clock = BudgetClock()
    assert clock.now(10.0) == 10.0
    clock.freeze(8.0)
    assert clock.now(10.0) == clock.now(500.0) == 8.0
    clock.go_on(500.0)
    assert clock.now(501.0) == 9.0


def test_to_freeze_it_twice_is_to_freeze_it_once() -> None:
    clock = BudgetClock()
    clock.freeze(5.0)
    clock.freeze(7.0)
    assert clock.now(9.0) == 5.0
    clock.go_on(10.0)
    clock.go_on(20.0)
    assert clock.now(20.0) == 15.0


@given(st.lists(st.tuples(st.floats(0, 1000), st.booleans()), max_size=30))
def test_it_counts_the_seconds_in_which_it_ran(steps: list[tuple[float, bool]]) -> None:
    clock, now, ran, running = BudgetClock(), 100.0, 100.0, True
    for seconds, runs in steps:
        now, ran = now + seconds, ran + seconds * running
        if runs:
            clock.go_on(now)
        else:
            clock.freeze(now)
        running = runs
        assert clock.now(now) == pytest.approx(ran)

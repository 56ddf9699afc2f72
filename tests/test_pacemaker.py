"""A run keeps to its hours: its rate follows the clock, it ends when its window closes, and a rest costs nobody."""

import asyncio
import random
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay_cli.delivery.cap import Cap
from replay_cli.errors import PausedError
from replay_cli.pacemaker import ALWAYS, Hours, Pacemaker
from replay_cli.policy import Policy
from replay_cli.schedule import Rates, Windows, read_rates, read_windows
from tests.delivery.clock import run
from tests.support import simulation
from tests.support.simulation import Destination, Simulation, copies, small_house

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


def hours(window: str | None = None, rates: str | None = None) -> Hours:
    return Hours(
        None if window is None else Windows(read_windows(window), BERLIN),
        None if rates is None else Rates(read_rates(rates), BERLIN),
    )


def kept(wanted: Hours, begin: str, seconds: float, slept: float = 0.0) -> tuple[list[tuple[float, float]], list[str]]:
    """Keep to some hours for so many seconds: (seconds after the beginning, ceiling) as it changed, and what ended it.

    Args:
        wanted: the hours.
        begin: what the clock shows then.
        seconds: how long.
        slept: seconds by which the clock jumps after a second, as if the machine had slept.
    """

    async def scenario() -> tuple[list[tuple[float, float]], list[str]]:
        loop = asyncio.get_running_loop()
        began, cap, ceilings, endings = loop.time(), Cap(500.0), list[tuple[float, float]](), list[str]()
        cap.follow(lambda: ceilings.append((round(loop.time() - began, 2), cap.ceiling)))

        def now() -> float:
            passed = loop.time() - began
            return at(begin) + passed + (slept if passed > 1 else 0.0)

        with Pacemaker(wanted, cap, endings.append, now):
            await asyncio.sleep(seconds)
        return ceilings, endings

    return run(scenario())


def test_the_ceiling_follows_the_time_of_day() -> None:
    ceilings, endings = kept(hours(rates="01:00=400,06:00=100"), "2025-03-01T05:59:50", 3600)
    assert ceilings == [(0.0, 500.0), (0.0, 400.0), (10.0, 100.0)]
    assert not endings


def test_the_run_ends_when_its_window_closes_and_only_once() -> None:
    _, endings = kept(hours("01:00-06:00"), "2025-03-01T05:59:50", 3600)
    assert endings == [
        "the window closed at 2025-03-01 06:00 CET (05:00 UTC); it opens at 2025-03-02 01:00 CET (00:00 UTC)"
    ]


def test_a_machine_that_slept_beyond_the_closing_time_sends_for_a_moment_at_most() -> None:
    _, endings = kept(hours("01:00-06:00"), "2025-03-01T02:00:00", 5, slept=5 * 3600)
    assert len(endings) == 1
    assert "closed at 2025-03-01 06:00 CET" in endings[0]


def test_a_window_that_closed_while_somebody_was_asked_ends_the_run_at_its_beginning() -> None:
    _, endings = kept(hours("01:00-06:00"), "2025-03-01T06:10:00", 5)
    assert endings == ["the window is closed; it opens at 2025-03-02 01:00 CET (00:00 UTC)"]


def test_a_run_without_hours_looks_at_no_clock() -> None:
    def now() -> float:
        raise AssertionError

    async def scenario() -> None:
        with Pacemaker(ALWAYS, Cap(1.0), pytest.fail, now):
            await asyncio.sleep(100)

    run(scenario())


def test_a_closed_window_is_refused_with_when_it_opens() -> None:
    with pytest.raises(PausedError, match=r"is closed now .*it opens at 2025-03-02 01:00 CET \(00:00 UTC\)"):
        hours("01:00-06:00").require_open(at("2025-03-01T06:00"))
    hours("01:00-06:00").require_open(at("2025-03-01T05:59"))
    ALWAYS.require_open(0.0)


@pytest.mark.parametrize(
    ("wanted", "lines"),
    [
        (
            hours("mon-sat 1:00-6:00"),
            ["window mon-sat 01:00-06:00 Europe/Berlin: open until 2025-03-01 06:00 CET (05:00 UTC)"],
        ),
        (hours("00:00-24:00"), ["window 00:00-24:00 Europe/Berlin: open at all times"]),
        (
            hours(rates="01:00=400,06:00=0"),
            [
                "rates by the clock of Europe/Berlin: 400/s from 01:00, nothing from 06:00; now 400/s, "
                "until 2025-03-01 06:00 CET (05:00 UTC)",
                "warning: --rps 250 stays the most, also where --rps-schedule says more",
            ],
        ),
        (ALWAYS, []),
    ],
)
def test_what_was_understood_is_said_by_both_clocks(wanted: Hours, lines: list[str]) -> None:
    assert wanted.explain(at("2025-03-01T05:00"), 250.0) == lines


# -- rests ----------------------------------------------------------------------------------------------------


class Watched(Destination):
    """Notes when attempts arrive."""

    def __init__(self, script: dict[tuple[int, int], list[str]], generator: random.Random) -> None:
        super().__init__(script, generator)
        self.times: list[float] = []

    def _decide(self, n: int, part: int) -> str:
        self.times.append(asyncio.get_running_loop().time())
        return super()._decide(n, part)


def resting(begin: float, length: float, rests: list[float]) -> Callable[[float], Cap]:
    """Make caps that let nothing leave for a while."""

    def make(rps: float) -> Cap:
        cap, loop = Cap(rps), asyncio.get_running_loop()

        def limit(ceiling: float) -> None:
            rests.append(loop.time())
            cap.limit("share", ceiling)

        loop.call_later(begin, limit, 0.0)
        loop.call_later(begin + length, limit, float("inf"))
        return cap

    return make


FAULTS = st.lists(st.sampled_from(["500", "500", "429", "502", "reset", "refused"]), max_size=4)


@settings(max_examples=25)
@given(
    scripts=st.lists(FAULTS, min_size=1, max_size=40),
    begin=st.sampled_from([0.0, 0.05, 0.4, 3.0]),
    length=st.sampled_from([0.5, 90.0, 1500.0]),
    down=st.sampled_from(["", "", "500", "refused"]),
    seed=st.integers(0, 2**16),
)
def test_while_a_ceiling_is_0_nothing_leaves_and_it_costs_no_message_its_budget(
    scripts: list[list[str]], begin: float, length: float, down: str, seed: int
) -> None:
    """Whatever else happens: the budget of 60 s is over long before the rest is, and still all arrive."""
    generator, rests = random.Random(seed), list[float]()
    made: list[dict[str, Any]] = [
        {"n": n, "user": f"u{n % 7}", "anonymous": "", "timestamp": "2025-03-01T10:00:00.000Z", "parts": 1}
        for n in range(len(scripts))
    ]
    with TemporaryDirectory() as folder, small_house(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulation, "Cap", resting(begin, length, rests))
        destination = Watched({(n, 0): [*script, "200"] for n, script in enumerate(scripts)}, generator)
        destination.down = down
        job = Simulation(Path(folder), {"/a.jsonl": made}, destination, generator)
        ending = job.run(Policy(retry_for=60.0), rps=20.0)
        if ending.state == "paused" and down:
            destination.down = ""
            ending = job.run(Policy(retry_for=60.0), rps=20.0)
    assert ending.state == "complete", ending
    assert set(copies(destination.arrivals)) == {(n, 0) for n in range(len(scripts))}
    for begun, ended in zip(rests[::2], rests[1::2], strict=False):
        assert not [time for time in destination.times if begun < time < ended]

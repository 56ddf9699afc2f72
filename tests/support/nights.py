"""A job that runs night after night with its checkpoint on S3, while its archive grows and its machines die."""

import random
import re
import signal
from collections.abc import Callable
from typing import Any

from tests.support.archives import message
from tests.support.arrivals import bodies, times, twice
from tests.support.machines import SHORT, Doubt, Machine, Plant
from tests.support.processes import Finished, wait_until
from tests.support.sandbox_process import SandboxProcess

RPS, SLOW = 400, 30
NEVER_SENT = 1_000_000
"""Messages from this number on stand in objects that were sent before they were changed."""


class Nights:
    """Runs one job, and knows what must have arrived.

    Args:
        plant: where everything is.
        sandbox: the destination.
        each: messages in an object.
        seed: of what is left to chance.
    """

    def __init__(self, plant: Plant, sandbox: SandboxProcess, each: int, seed: int = 8) -> None:
        self.kills = self.losses = self.refusals = 0
        self._plant = plant
        self._sandbox = sandbox
        self._each = each
        self._dice = random.Random(seed)
        self._objects: dict[str, range] = {}
        self._night = 0
        self._machines = 0
        self._machine = self._new_machine()

    def programme(self) -> list[Callable[[], None]]:
        """What happens, one night each: three nights have a kill, a lost machine, an overlap and what is late."""
        quiet = self.sent_in_one_go
        return [
            self.killed_twice,
            self.lost_after_something_came_late,
            self.overlapping_after_something_changed,
            self.changed_while_paused,
            quiet,
            self.lost_after_something_came_late,
            self.killed_twice,
        ]

    # -- nights -----------------------------------------------------------------------------------------------

    def sent_in_one_go(self) -> None:
        self._grow()
        self._finish()

    def killed_twice(self) -> None:
        """The copy on the machine goes on: nothing is in doubt but what was on its way."""
        self._grow()
        before = set(self._plant.doubts()) if self.kills else set[Doubt]()
        for _ in range(2):
            self._kill()
        self._finish()
        assert {doubt.cause for doubt in set(self._plant.doubts()) - before} <= {"interrupted"}

    def lost_after_something_came_late(self) -> None:
        """An object comes whose name stands before those that were sent; then the machine dies for good."""
        self._put(f"{self._night:02}-late")
        self._grow()
        self._kill()
        self._machine.lose()
        self.losses += 1
        self._machine = self._new_machine()
        self._finish()

    def overlapping_after_something_changed(self) -> None:
        """An object that was sent is overwritten; then two machines run the job at once."""
        first = min(self._objects)
        self._plant.put(first, (message(NEVER_SENT + n) for n in range(self._each)))
        self._grow()
        with self._machine.running(self._plant.run(rps=SLOW)) as one:
            self._wait_for_attempts(5, one)
            refused = self._new_machine().run(self._plant.run(), code=1)
            assert "another run" in refused.err, refused.err
            self.refusals += 1
            one.send_signal(signal.SIGTERM)
            assert Finished(one).code == 143
        summary = self._finish()
        assert [uri for uri in summary["objects"]["changed"] if f"/{first}." in uri]

    def changed_while_paused(self) -> None:
        """A canary pauses the job, and an object that it has not begun is replaced."""
        self._grow()
        self._machine.run(self._plant.run("--limit", "10", rps=RPS), code=4)
        self._put(max(self._objects))
        self._finish()

    # -- what they are made of --------------------------------------------------------------------------------

    def _new_machine(self) -> Machine:
        self._machines += 1
        return self._plant.machine(f"machine-{self._machines}")

    def _put(self, key: str) -> None:
        """Store an object of messages that no other one has."""
        start = max((numbers.stop for numbers in self._objects.values()), default=0)
        self._objects[key] = range(start, start + self._each)
        self._plant.put(key, map(message, self._objects[key]))

    def _grow(self) -> None:
        self._night += 1
        for part in range(2):
            self._put(f"{self._night:02}-{part}")

    def _wait_for_attempts(self, more: int, process: Any) -> None:
        most = self._sandbox.stats()["attempts"] + more
        wait_until(lambda: self._sandbox.stats()["attempts"] >= most, process)

    def _kill(self) -> None:
        """Kill a run after some attempts."""
        with self._machine.running(self._plant.run(rps=RPS, lease=SHORT)) as process:
            self._wait_for_attempts(self._dice.randrange(1, self._each // 2), process)
            process.kill()
            assert Finished(process).code == -signal.SIGKILL
        self.kills += 1

    def _finish(self) -> dict[str, Any]:
        """Run the job to its end; in the morning everything has arrived, once but for the doubtful."""
        summary = self._machine.run(self._plant.run()).require_closed_book()
        assert summary["state"] == "complete"
        assert summary["records"]["pending"] == 0
        arrived = times(bodies(self._sandbox))
        assert set(arrived) == {n for numbers in self._objects.values() for n in numbers}
        doubtful = {self._numbers(doubt.uri)[doubt.ordinal] for doubt in self._plant.doubts()}
        assert {n for n, count in arrived.items() if count > 1} <= doubtful
        assert twice(arrived) <= summary["in_doubt"]
        return summary

    def _numbers(self, uri: str) -> range:
        return self._objects[uri.rpartition("/")[2].partition(".")[0]]


def race(plant: Plant, sandbox: SandboxProcess, runners: tuple[Machine, Machine], key: str, numbers: range) -> None:
    """Let two machines begin the same work at once: one of them does it."""
    plant.put(key, map(message, numbers))
    processes = [runner.start(plant.run(rps=RPS)) for runner in runners]
    ends = [Finished(process) for process in processes]
    assert {end.code for end in ends} in ({0}, {0, 1}), [end.err for end in ends]
    for end in ends:
        assert "Traceback" not in end.err
        assert end.code == 0 or "another run" in end.err, end.err
    _require_once(sandbox, numbers)


def race_of_a_sleeper(
    plant: Plant, sandbox: SandboxProcess, runners: tuple[Machine, Machine], key: str, numbers: range
) -> None:
    """Stop one of two beyond its lease, in mid-run: the other one goes on, and the one that wakes sends nothing."""
    plant.put(key, map(message, numbers))
    sleepy, other = runners
    before = sandbox.stats()["attempts"]
    with sleepy.running(plant.run(rps=100, lease=SHORT)) as sleeper:
        wait_until(lambda: sandbox.stats()["attempts"] > before, sleeper)
        sleeper.send_signal(signal.SIGSTOP)
        asleep = at_rest(sandbox)
        with other.running(plant.run(rps=100)) as successor:
            wait_until(lambda: sandbox.stats()["attempts"] > asleep, successor)
            sleeper.send_signal(signal.SIGCONT)
            woken, end = Finished(sleeper), Finished(successor)
    assert (woken.code, end.code) == (1, 0), woken.err + end.err
    assert woken.summary["state"] == "failed"
    assert re.search("the lease of .* run the same command again|has taken .* over", woken.summary["reason"])
    # One attempt may have passed the gate when its process was stopped; it goes out when that wakes.
    assert woken.summary["run"]["requests"]["attempts"] <= asleep - before + 1
    arrived = times(bodies(sandbox))
    assert set(numbers) <= set(arrived)
    assert sum(arrived[n] - 1 for n in numbers) <= end.summary["in_doubt"]


def at_rest(sandbox: SandboxProcess) -> int:
    """How many attempts there were, once no more come."""
    seen = -1
    while (now := int(sandbox.stats()["attempts"])) != seen:
        seen = now
    return now


def _require_once(sandbox: SandboxProcess, numbers: range) -> None:
    arrived = times(bodies(sandbox))
    assert {arrived[n] for n in numbers} == {1}

"""What happens during a soak: outages and kills, once so much has arrived."""

import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.processes import Finished, start
from tests.support.sandbox_process import SandboxProcess

OUTAGE_SECONDS = 20.0
SECONDS_AT_MOST = 3600.0

Programme = Sequence[Mapping[str, Any]]


class Act(NamedTuple):
    """What happens once so many messages have arrived: an outage that looks like `fault`, or (None) a SIGKILL."""

    after: int
    fault: dict[str, Any] | None = None


def three_kills_and_two_outages(messages: int) -> tuple[Act, ...]:
    """The acts of a soak of so many messages."""
    return (
        Act(messages // 10),
        Act(2 * messages // 10, {"status": 503}),
        Act(4 * messages // 10),
        Act(6 * messages // 10, {"reset": "before"}),
        Act(8 * messages // 10),
    )


class Director:
    """Plays acts, in a thread, against the process that runs at the time.

    Args:
        sandbox: the destination.
        usual: its faults outside outages.
        acts: what happens, in this order.
        arrived: the destination's figures → how many messages have arrived.
    """

    def __init__(
        self,
        sandbox: SandboxProcess,
        usual: Programme,
        acts: Sequence[Act],
        arrived: Callable[[Mapping[str, Any]], int],
    ) -> None:
        self.kills = self.outages = 0
        self._sandbox = sandbox
        self._usual = usual
        self._acts = acts
        self._arrived = arrived
        self._process: subprocess.Popen[str] | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._play)

    def __enter__(self) -> "Director":
        self._sandbox.faults(self._usual)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def run(self, cwd: Path, command: list[str]) -> Finished:
        """Run a command to its end, or until it is killed."""
        self._process = start(cwd, *command)
        return Finished(self._process, SECONDS_AT_MOST)

    def _play(self) -> None:
        for act in self._acts:
            while self._arrived(self._sandbox.stats()) < act.after:
                if self._over.wait(0.2):
                    return
            if act.fault is None:
                assert self._process is not None
                self._process.kill()
                self.kills += 1
            else:
                self._sandbox.faults([act.fault])
                self._over.wait(OUTAGE_SECONDS)
                self._sandbox.faults(self._usual)
                self.outages += 1

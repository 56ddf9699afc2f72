"""What arrived at a server, told by each message's `properties.n`."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from tests.support.sandbox_process import SandboxProcess

LANES = ("user_id", "anonymous_id")


def bodies(sandbox: SandboxProcess) -> list[dict[str, Any]]:
    """The messages that a server kept, in the order of their arrival."""
    return [line["body"] for line in sandbox.received(recorded=True)]


def times(arrivals: Iterable[Mapping[str, Any]]) -> "Counter[int]":
    """How often each message arrived."""
    return Counter(body["properties"]["n"] for body in arrivals)


def twice(arrived: "Counter[int]") -> int:
    """How many arrivals there were too many."""
    return arrived.total() - len(arrived)


def lanes_in_order(arrivals: Iterable[Mapping[str, Any]]) -> None:
    """In each lane messages arrive in the archive's order; one sent again comes before those after it."""
    latest: dict[tuple[str, Any], int] = {}
    for body in arrivals:
        for key in LANES:
            if key in body:
                lane = (key, body[key])
                assert latest.get(lane, -1) <= body["properties"]["n"], lane
                latest[lane] = body["properties"]["n"]


def most_in_any_second(instants: Iterable[float]) -> int:
    """The highest count of arrivals in any rolling second."""
    ordered = sorted(instants)
    first = most = 0
    for last, at in enumerate(ordered):
        while ordered[first] <= at - 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most

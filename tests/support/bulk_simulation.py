"""Simulated runs in bulk: requests of many records, refused, failing and in doubt record by record."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest

from replay_cli.delivery.transport import Gate
from replay_cli.model import Message, Request
from replay_cli.moengage.mapping import Api, Draft
from replay_cli.moengage.packing import packer
from replay_cli.moengage.replies import Reply
from tests.support.simulation import ARRIVED, CHECK, REPLIES, Arrival, Destination


def map_in_bulk(message: Message) -> Sequence[Draft]:
    """A bulk request of one record, in the lanes of both its ids."""
    element = {"type": "event", "customer_id": message["user"], "n": message["n"]}
    lanes = (f"u{message['user']}", *([f"a{message['anonymous']}"] if message["anonymous"] else ()))
    return [("/transition", {"type": "transition", "elements": [element]}, lanes)]


def bulk_api(max_bytes: int, most_events: int = 0) -> Api:
    """An API that packs so much into a request."""
    return Api("bulk", map_in_bulk, lambda _body, _wire: (), max_bytes, packer(0, most_events, max_bytes))


@contextmanager
def small_bulk(max_bytes: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("replay_cli.intake.MAX_BULK_BYTES", max_bytes)
        yield


class BulkArrival(NamedTuple):
    """A request that arrived: its records, their lanes in a row, what became of it, and when (seconds)."""

    ns: tuple[int, ...]
    users: tuple[str, ...]
    decision: str
    at: float = 0.0


class BulkDestination(Destination):
    """Answers by each record's script: the first that does not say 200 speaks for its request.

    `400` stays: such a record is refused each time. Others are said once, and `500` for ever where it comes last.

    Args:
        script: n → what becomes of the attempts at its requests.
        generator: how long everything takes.
        names: a refusal names its elements.
    """

    def __init__(self, script: Mapping[int, Sequence[str]], generator: random.Random, *, names: bool = True) -> None:
        super().__init__({(n, 0): decisions for n, decisions in script.items()}, generator)
        self.requests: list[BulkArrival] = []
        self.names = names

    async def attempt(self, request: Request, gate: Gate) -> Reply:
        if request is CHECK:
            return await super().attempt(request, gate)
        if self._generator.random() < 0.3:
            await asyncio.sleep(self._generator.random() * 0.2)
        if self.down == "refused" and not self.is_healed:
            return REPLIES["refused"]
        await gate()
        ns = [element["n"] for element in json.loads(request.body)["elements"]]
        said = [self._decide(n, 0) for n in ns]
        decision = next((each for each in said if each not in ("200", "400")), "400" if "400" in said else "200")
        if decision == "refused":
            return REPLIES[decision]
        if not self.is_dead:
            self.requests.append(BulkArrival(tuple(ns), request.users, decision, asyncio.get_running_loop().time()))
            self.arrivals.append(Arrival(ns[0], 0, request.users, decision))
            self.on_arrival(len(self.arrivals))
        await asyncio.sleep(self._generator.choice((0.0, 0.01, 0.1, 1.0)) * self._generator.random())
        return self._refuse(said) if decision == "400" else REPLIES[decision]

    def _decide(self, n: int, part: int) -> str:
        if not self.is_healed and not self.down and self._script.get((n, part), [])[:1] == ["400"]:
            return "400"
        return super()._decide(n, part)

    def _refuse(self, said: Sequence[str]) -> Reply:
        if not self.names:
            return REPLIES["400"]
        places = [f"elements[{index}].customer_id" for index, each in enumerate(said) if each == "400"]
        error: dict[str, Any] = {"type": "InvalidParams", "attribute": places[0], "message": "; ".join(places)}
        return Reply(400, json.dumps({"status": "fail", "error": error}).encode())


def bulk_copies(requests: Sequence[BulkArrival]) -> "Counter[int]":
    """How often each record arrived for good."""
    return Counter(n for arrival in requests if arrival.decision in ARRIVED for n in arrival.ns)


def require_bulk_order(
    requests: Sequence[BulkArrival], lanes: Mapping[int, Sequence[str]], order: Sequence[int]
) -> None:
    """In each lane, records arrive first in the archive's order, and none again after a later one's request.

    Args:
        requests: what arrived, refused requests too.
        lanes: record → its lanes.
        order: all records in the archive's order.
    """
    places = {n: place for place, n in enumerate(order)}
    seen = set[int]()
    first: dict[str, int] = {}
    begun: dict[str, int] = {}
    for arrival in requests:
        if arrival.decision not in ARRIVED:
            continue
        lowest: dict[str, int] = {}
        for n in arrival.ns:
            for lane in lanes[n]:
                if n not in seen:
                    assert first.get(lane, -1) < places[n], f"{lane}: {n} of {arrival} came too late"
                    first[lane] = places[n]
                assert begun.get(lane, -1) <= places[n], f"{lane}: {n} of {arrival} came again too late"
                lowest.setdefault(lane, places[n])
            seen.add(n)
        begun |= lowest

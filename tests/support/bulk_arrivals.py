"""What arrived at a server in bulk, record by record; each says which it is, as `n` in its attributes."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.archives import message
from tests.support.bulk_simulation import BulkArrival, require_bulk_order
from tests.support.sandbox_process import SandboxProcess


def people(count: int, users: int, seed: int = 1) -> list[dict[str, Any]]:
    """Tracks and identifies of known users, some of them with an anonymous id, some with a device's push token."""
    generator = random.Random(seed)
    made = []
    for n in range(count):
        person = generator.randrange(users)
        one = message(n, userId=f"user-{person}")
        if generator.random() < 0.1:
            one["anonymousId"] = f"anon-{generator.choice([person, generator.randrange(users)])}"
        if generator.random() < 0.2:
            del one["event"], one["properties"]
            one |= {"type": "identify", "traits": {"n": n}}
            if generator.random() < 0.2:
                one["context"] = {"device": {"id": f"d-{person}", "token": "push", "type": "ios"}}
        made.append(one)
    return made


def number(element: Mapping[str, Any]) -> int | None:
    """Which record an element is of; None for a device, which comes behind its customer."""
    if element["type"] == "device":
        return None
    n = (element if element["type"] == "customer" else element["actions"][0])["attributes"]["n"]
    assert isinstance(n, int)
    return n


def requests(sandbox: SandboxProcess) -> list[list[int]]:
    """The bulk requests that a server kept, in the order of their arrival, as the records that they hold."""
    bodies = [line["body"] for line in sandbox.received(recorded=True)]
    return [[n for element in body["elements"] if (n := number(element)) is not None] for body in bodies]


def times(arrived: Sequence[Sequence[int]]) -> "Counter[int]":
    """How often each record arrived."""
    return Counter(n for request in arrived for n in request)


def require_users_in_order(arrived: Sequence[Sequence[int]], messages: Sequence[Mapping[str, Any]]) -> None:
    """In each lane records arrive in the order of their numbers, and none again after a later one."""
    lanes = {}
    for made in messages:
        anonymous = made.get("anonymousId")
        lanes[(made.get("properties") or made["traits"])["n"]] = [
            f"u{made['userId']}",
            *([f"a{anonymous}"] if anonymous else []),
        ]
    require_bulk_order([BulkArrival(tuple(ns), (), "200") for ns in arrived], lanes, sorted(lanes))

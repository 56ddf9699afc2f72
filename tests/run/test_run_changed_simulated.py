"""A file rewritten again and again while runs stop, die, park and retry: exactly once, in order, the book closed."""

import hashlib
import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from replay_cli.cli.opening import find_begun
from replay_cli.ledger.changes import Changed
from replay_cli.ledger.texts import unpacked
from replay_cli.model import ArchiveObject
from replay_cli.policy import DeadLetterLimit, InDoubt, OnExhausted, Policy
from tests.ledger.checkpoints import rows
from tests.support import simulation
from tests.support.simulation import Destination, MemorySource, Simulation, Stop, copies, small_house

Version = list[dict[str, Any]]
TROUBLE = (["500"] * 9 + ["200"], ["500", "200"], ["reset_after"], ["reset", "200"], ["400"], ["502", "200"], ["429"])


class ChangingSource(MemorySource):
    """Objects whose etags change with what is in them."""

    def _object(self, uri: str) -> ArchiveObject:
        return super()._object(uri)._replace(etag=hashlib.md5(self._objects[uri]).hexdigest())


def first_version(dice: random.Random) -> Version:
    users, count = dice.choice((3, 20, 200)), dice.choice((20, 200, 400))
    version = []
    for n in range(count):
        user = f"u{dice.randrange(users)}" if dice.random() < 0.8 else ""
        anonymous = f"a{dice.randrange(users)}" if not user or dice.random() < 0.4 else ""
        made = {"n": n, "user": user, "anonymous": anonymous, "parts": dice.choice((0, 1, 1, 1)), "type": "track"}
        version.append(made | ({"messageId": f"m{n}"} if dice.random() < 0.8 else {}))
    return version


def next_version(version: Version, number: int, dice: random.Random, *, shuffled: bool) -> Version:
    """The version without a tenth of its messages; or also with new ones, with some twice, in another order."""
    kept = [made for made in version if dice.random() < 0.9]
    if shuffled:
        new = [made | {"n": 10_000 * number + made["n"], "messageId": f"{number}:{made['n']}"} for made in kept[::10]]
        kept += [*new, *dice.sample(kept, len(kept) // 10)]
        dice.shuffle(kept)
    return kept


def requests(version: Sequence[Mapping[str, Any]]) -> "Counter[int]":
    return Counter(made["n"] for made in version if made["parts"])


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("seed", range(25))
def test_each_version_is_sent_less_what_was_sent_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, shuffled: bool
) -> None:
    dice = random.Random(seed)
    monkeypatch.setattr(simulation, "MOST_LOADS", 10**6)  # how often it looks for parked requests is no matter here
    monkeypatch.setattr(simulation, "find_begun", lambda store, source, _: find_begun(store, source, Changed.CONTINUE))
    versions = [first_version(dice)]
    for number in range(1, dice.choice((2, 2, 3, 4))):
        versions.append(next_version(versions[-1], number, dice, shuffled=shuffled))
    script = {(made["n"], 0): dice.choice(TROUBLE) for made in versions[0] if dice.random() < 0.05}
    in_doubt = dice.choice(list(InDoubt))
    policy = Policy(in_doubt=in_doubt, max_dead_letters=DeadLetterLimit(most=10**6))
    destination = Destination(script, dice)
    seen: list[Version] = []
    with small_house(batch_records=dice.choice((10, 64, 1000))):
        job = Simulation(tmp_path, {}, destination, dice)
        for version in versions:
            if seen and rows(job.path, "SELECT 1 FROM object WHERE state = 'complete'"):
                break  # what changes now is only noted
            seen.append(version)
            job.source = ChangingSource({"/a": version})
            for _ in range(dice.randrange(1, 4)):
                stop = Stop(dice.choice(("kill", "stop", "abort")), dice.randrange(len(version) // 3), dice.random())
                paced = policy._replace(concurrency=dice.choice((1, 4, 50)), retry_for=dice.choice((20.0, 120.0)))
                job.run(paced._replace(on_exhausted=dice.choice(list(OnExhausted))), stop, window=100)
        destination.is_healed = True
        assert job.run(policy).state == "complete"

    arrived = Counter(n for n, _ in copies(destination.arrivals).elements())
    kept = rows(job.path, "SELECT form, record FROM dead_letter")
    letters = Counter(json.loads(unpacked(form, record) or b"{}")["n"] for form, record in kept)
    most = Counter[int]()
    for version in seen:
        most |= requests(version)
    twice = arrived - most
    ((doubts,),) = rows(job.path, "SELECT count(*) FROM in_doubt")
    assert twice.total() <= (doubts if in_doubt is InDoubt.RESEND else 0)
    assert not requests(seen[-1]) - arrived - letters, "nothing lost"
    for table in ("message_id", "carried", "parked", "intent", "settled_part"):
        assert rows(job.path, f"SELECT * FROM {table}") == []
    if not shuffled:
        reached: dict[str, int] = {}
        for arrival in destination.arrivals:
            assert all(reached.get(user, -1) <= arrival.n for user in arrival.users), f"{arrival} came too late"
            reached.update(dict.fromkeys(arrival.users, arrival.n))

"""Whoever comes, goes or dies: the shares of a workspace's quota are never more than the highest rate of any."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from replay_cli.errors import UsageError
from replay_cli.remote import Place
from replay_cli.remote.quota import Entry, Quota, rate_for, share_of
from replay_cli.remote.share import place_of_quota

RATES = st.sampled_from([0.5, 1.0, 3.0, 100.0, 250.0, 333.3, 500.0])


def entry(owner: str, rps: float, rate: float) -> Entry:
    return Entry(owner, "nightly", "host-a", 7, rps, rate, 1.0, 30.0)


class Sharing(RuleBasedStateMachine):
    """Jobs that store what `rate_for` lets them have, in any order, and go without a word."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[str, Entry] = {}
        self.joined = 0

    @precondition(lambda self: len(self.entries) < 5)
    @rule(rps=RATES)
    def join(self, rps: float) -> None:
        self.joined += 1
        self._store(str(self.joined), rps)

    @precondition(lambda self: self.entries)
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        own = self.entries[data.draw(st.sampled_from(sorted(self.entries)))]
        self._store(own.owner, own.rps)

    @precondition(lambda self: self.entries)
    @rule(data=st.data())
    def go(self, data: st.DataObject) -> None:
        del self.entries[data.draw(st.sampled_from(sorted(self.entries)))]

    @rule()
    def settle(self) -> None:
        """All renew twice: first those that have too much, then those that wait for it."""
        for own in [*self.entries.values(), *self.entries.values()]:
            self._store(own.owner, own.rps)
        count = len(self.entries)
        assert all(own.rate == int(own.rps / count * 1000) / 1000 for own in self.entries.values())

    def _store(self, owner: str, rps: float) -> None:
        others = [other for other in self.entries.values() if other.owner != owner]
        self.entries[owner] = entry(owner, rps, rate_for(rps, others))

    @invariant()
    def no_more_than_the_quota(self) -> None:
        assert sum(own.rate for own in self.entries.values()) <= max(
            (own.rps for own in self.entries.values()), default=0
        )
        assert all(0 <= own.rate <= own.rps for own in self.entries.values())


TestSharing = Sharing.TestCase
TestSharing.settings = settings(max_examples=60, stateful_step_count=25)


def test_who_is_alone_has_all() -> None:
    assert (rate_for(250.0, []), share_of(250.0, [])) == (250.0, 250.0)


def test_who_joins_waits_until_others_have_left_something() -> None:
    assert rate_for(500.0, [entry("a", 500.0, 500.0)]) == 0.0
    assert rate_for(500.0, [entry("a", 500.0, 250.0)]) == 250.0
    assert rate_for(500.0, [entry("a", 500.0, 400.0), entry("b", 500.0, 0.0)]) == 100.0


def test_who_has_the_highest_rate_may_leave_at_any_moment() -> None:
    """What the fast one leaves room for would be too much among the slow ones."""
    assert rate_for(100.0, [entry("fast", 500.0, 250.0), entry("slow", 100.0, 100.0)]) == 0.0


@given(st.lists(st.builds(entry, st.text(max_size=9), RATES, RATES), max_size=4), st.integers(0, 1 << 40))
def test_shares_are_read_as_they_were_written(entries: list[Entry], serial: int) -> None:
    assert Quota.from_bytes(Quota(entries, serial).to_bytes(), "s3://logs/q") == Quota(entries, serial)


def test_no_two_puts_are_the_same() -> None:
    quota = Quota([entry("a", 1.0, 1.0)])
    assert quota.replaced(quota.entries).to_bytes() != quota.to_bytes()


GOOD: dict[str, Any] = json.loads(Quota([entry("a", 5.0, 5.0)]).to_bytes())


def changed(**fields: Any) -> bytes:
    return json.dumps(GOOD | {"entries": [GOOD["entries"][0] | fields]}).encode()


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"\xff", b"[]", b"1", b"{}", b"[" * 100_000, json.dumps(GOOD | {"format": 2}).encode()),
        *(json.dumps(GOOD | {"entries": 1}).encode(), json.dumps(GOOD | {"entries": [1]}).encode()),
        *(json.dumps(GOOD | {"serial": -1}).encode(), changed(rate=-500.0), changed(rate=1e30), changed(rate="1")),
        *(changed(rps=True), changed(ttl=1e9), changed(owner=None), changed(host="x" * 10_000), changed(pid=[])),
        *(changed().replace(b"30.0", b"NaN"), changed().replace(b"7", b"9" * 9999)),
    ],
)
def test_what_is_something_else_is_refused(data: bytes) -> None:
    with pytest.raises(UsageError, match="s3://logs/q is not what replay keeps there"):
        Quota.from_bytes(data, "s3://logs/q")


def test_jobs_of_one_workspace_share_one_object() -> None:
    nightly, weekly = Place("logs", "state/nightly.ckpt"), Place("logs", "state/weekly.ckpt")
    one = place_of_quota(nightly, "https://api-01.moengage.com", "W")
    assert one == place_of_quota(weekly, "https://api-01.moengage.com", "W")
    assert one.key.startswith("state/workspace-")
    assert one != place_of_quota(nightly, "https://api-02.moengage.com", "W")
    assert one != place_of_quota(nightly, "https://api-01.moengage.com", "V")

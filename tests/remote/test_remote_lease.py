"""A lease is over for its holder before it is for anybody else, and its end is final."""

from email.utils import formatdate

import pytest

from replay_cli.errors import FatalError, UsageError
from replay_cli.remote.clocks import StoreClock, boot_time
from replay_cli.remote.lease import Lease
from replay_cli.remote.watch import UNCHANGED, Watch

NOON = 1_700_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lease(clock: Clock) -> Lease:
    return Lease("s3://logs/a", ttl=30.0, margin=5.0, sent=100.0, clock=clock)


def test_it_is_over_a_margin_before_others_may_take_it(lease: Lease, clock: Clock) -> None:
    clock.now = 124.9
    assert lease.holds()
    clock.now = 125.0
    assert not lease.holds()


def test_it_is_renewed_from_when_the_put_was_sent_not_from_when_it_was_answered(lease: Lease, clock: Clock) -> None:
    clock.now = 120.0
    assert lease.renew(sent=110.0)
    clock.now = 134.9
    assert lease.holds()
    clock.now = 135.0
    assert not lease.holds()


def test_an_answer_that_comes_too_late_renews_nothing(lease: Lease, clock: Clock) -> None:
    clock.now = 125.0
    assert not lease.renew(sent=124.0)
    assert not lease.holds()


def test_who_was_told_once_that_it_is_over_is_not_told_otherwise_later(lease: Lease, clock: Clock) -> None:
    clock.now = 125.0
    assert not lease.holds()
    clock.now = 124.0
    assert not lease.holds()
    assert not lease.renew(sent=124.0)


def test_an_older_put_does_not_shorten_it(lease: Lease, clock: Clock) -> None:
    clock.now = 112.0
    assert lease.renew(sent=111.0)
    assert lease.renew(sent=105.0)
    assert lease.left() == 24.0


def test_a_failure_ends_it_and_is_told_once_to_all(lease: Lease) -> None:
    told: list[tuple[str, FatalError]] = []
    lease.on_failure(lambda error: told.append(("early", error)))
    first, second = FatalError("first"), FatalError("second")
    lease.fail(first)
    lease.fail(second)
    lease.on_failure(lambda error: told.append(("late", error)))
    assert told == [("early", first), ("late", first)]
    assert not lease.holds()


def test_what_its_thread_raises_is_a_failure(lease: Lease) -> None:
    def work() -> None:
        raise UsageError("the store is another one")

    lease.keep(work, "test").join()
    assert str(lease.failure) == (
        "cannot renew the lease of s3://logs/a: the store is another one; run the same command again"
    )


def test_a_released_lease_is_no_failure(lease: Lease) -> None:
    lease.release()
    assert not lease.holds()
    assert lease.failure is None


# -- the store's clock ---------------------------------------------------------------------------------------


def test_the_stores_clock_is_known_to_lie_between_two_instants() -> None:
    clock = StoreClock("s3://logs")
    now = boot_time()
    clock.hear(formatdate(NOON, usegmt=True), sent=now - 3.0, received=now - 1.0)
    since = boot_time() - now
    assert NOON + 1.0 <= clock.earliest() <= NOON + 1.1 + since
    assert NOON + 4.0 <= clock.latest() <= NOON + 4.1 + since


@pytest.mark.parametrize("date", [None, "", "yesterday", "Thu, 99 Nov 2023 22:13:20 GMT"])
def test_a_store_that_does_not_say_what_time_it_is_is_refused(date: str | None) -> None:
    clock = StoreClock("s3://logs")
    clock.hear(date, 0.0, 0.0)
    with pytest.raises(UsageError, match="s3://logs: the store does not say what time it is"):
        clock.earliest()


class Store(StoreClock):
    """A store whose clock stands where the test puts it."""

    now = NOON

    def earliest(self) -> float:
        return self.now


def test_a_lease_of_another_is_over_when_the_stores_clock_is_past_it(clock: Clock) -> None:
    watch = Watch(Store(""), clock)
    assert watch.left("a", "etag", renewed=NOON - 10.0, ttl=30.0) == 20.0
    clock.now += 20.0
    assert watch.left("a", "etag", renewed=NOON - 40.0, ttl=30.0) == -8.0


def test_a_clock_that_jumps_takes_no_lease_from_who_renews_it(clock: Clock) -> None:
    """Of whoever is at work a renewal is seen before the others believe that it is gone."""
    watch, ttl = Watch(Store(""), clock), 30.0
    for renewal in range(5):
        assert watch.left("a", f"etag {renewal}", renewed=NOON - 3600.0, ttl=ttl) == UNCHANGED * ttl
        clock.now += ttl / 3
        assert watch.left("a", f"etag {renewal}", renewed=NOON - 3600.0, ttl=ttl) > 0


def test_a_lease_is_over_when_it_was_seen_unchanged_for_as_long_as_it_lasts(clock: Clock) -> None:
    watch = Watch(Store(""), clock)
    assert watch.left("a", "etag", renewed=NOON + 1e6, ttl=30.0) == 30.0
    clock.now += 29.0
    assert watch.left("a", "etag", renewed=NOON + 1e6, ttl=30.0) == 1.0
    assert watch.left("a", "other", renewed=NOON + 1e6, ttl=30.0) == 30.0, "it was renewed"
    watch.keep_only({"b"})
    clock.now += 31.0
    assert watch.left("a", "other", renewed=NOON + 1e6, ttl=30.0) == 30.0, "it is seen for the first time"

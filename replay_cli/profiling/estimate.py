"""How long a run will take, from what it has to send and from what holds it back (pure).

A run is as slow as the slowest of several things, and `bound_by` names it: the cap (`rps`), the requests that may be
under way at once (`concurrency`), one user whose requests go one after the other (`longest_user`), the budgets of bulk
requests (`users_per_minute`, `events_per_minute`), their users' order from batch to batch (`order`), and the archive
itself (`reading`), where nearly all of it is skipped.

It is taken that nothing fails, and that a user's messages are spread over the archive.
"""

from typing import Any, NamedTuple

from replay_cli.model import BATCH_RECORDS

START_SECONDS = 0.2
"""What a run takes before its first request leaves."""
READ_PER_SECOND = 40_000
"""Records that a run reads and maps a second on one core, beside sending."""
_AS_LONG = 0.9
"""What takes nearly as long as the longest is named instead, where it comes first: the cap before one user."""
_COMMIT_SECONDS = 0.003
"""What one commit of the checkpoint takes."""


class Bucket(NamedTuple):
    """A leaky bucket: `most` at once, `leak` a second."""

    most: float
    leak: float

    def seconds(self, n: float) -> float:
        """Return when the last of so many has passed, the bucket being empty at first."""
        return max(0.0, n - self.most) / self.leak


class Pace(NamedTuple):
    """What holds a run back; times are in seconds.

    `cap` is for requests, `users` and `events` for what bulk requests spend besides (None: as much as there is),
    `per_user` for what one user is sent. `boarding` requests at most stand in line for the cap, `latency` is what a
    reply takes, and a commit of the checkpoint, which every request waits for, is made every `commit_every`.
    """

    rps: float
    concurrency: int
    latency: float
    cap: Bucket
    users: Bucket | None
    events: Bucket | None
    per_user: tuple[Bucket, ...]
    boarding: int
    commit_every: float

    @property
    def hold(self) -> float:
        """How long a request is under way, from the cap's point of view: half a commit and a reply."""
        return max(self.latency + self.commit_every / 2 + _COMMIT_SECONDS, self.commit_every)

    @property
    def turn(self) -> float:
        """How long after a user's request the next one of theirs leaves: a reply, then a commit."""
        return self.latency + self.commit_every + _COMMIT_SECONDS


class Workload(NamedTuple):
    """What a run would send.

    Args:
        requests: as they go out; of bulk, put together.
        records: that become requests.
        read: records read, those that are skipped or rejected included.
        longest_user: the lane with the most requests, and how many; of bulk, its records.
        users: what bulk requests spend of the users a minute; nothing else does.
        events: what they spend of the events a minute.
        people: distinct users, about; 0: unknown, and taken to be many.
    """

    requests: int
    records: int
    read: int
    longest_user: tuple[str, int] | None = None
    users: int = 0
    events: int = 0
    people: int = 0

    @property
    def is_bulk(self) -> bool:
        return bool(self.users or self.events)


class InBulk(NamedTuple):
    """What the bulk API would make of the same records, and how many of them it would have no place for."""

    workload: Workload
    left_out: int


def estimate(workload: Workload, pace: Pace, now: float, in_bulk: InBulk | None = None) -> dict[str, Any]:
    """Return the estimate of a run that begins now, as plain values.

    Args:
        workload: what it would send.
        pace: what holds it back.
        now: POSIX seconds.
        in_bulk: for comparison; None: there is none.
    """
    seconds, bound_by = duration(workload, pace)
    return {
        "requests": workload.requests,
        "records": workload.records,
        "rps": pace.rps,
        "concurrency": pace.concurrency,
        "latency_seconds": pace.latency,
        "seconds": round(seconds, 1),
        "finishes_at": round(now + seconds, 1),
        "bound_by": bound_by,
        "longest_user": workload.longest_user and _told_of_longest_user(workload, *workload.longest_user, pace),
        "bulk": in_bulk and _compared(in_bulk, pace, seconds),
    }


def _told_of_longest_user(workload: Workload, user: str, n: int, pace: Pace) -> dict[str, Any]:
    """Say how long their requests take at least, if there were no others."""
    return {"user": user, "requests": n, "seconds": round(_alone(n, workload, pace), 1)}


def _compared(in_bulk: InBulk, pace: Pace, seconds: float) -> dict[str, Any]:
    """Say how long bulk takes; it `saves` this share of the other way's time."""
    bulk_seconds, _ = duration(in_bulk.workload, pace)
    return {
        "requests": in_bulk.workload.requests,
        "seconds": round(bulk_seconds, 1),
        "left_out": in_bulk.left_out,
        "saves": round(max(0.0, 1 - bulk_seconds / seconds), 4),
    }


def duration(workload: Workload, pace: Pace) -> tuple[float, str]:
    """Return how many seconds a run takes, and what bounds it."""
    bounds = {
        "rps": pace.cap.seconds(workload.requests),
        "concurrency": max(0, workload.requests - pace.concurrency) * pace.hold / pace.concurrency,
        "longest_user": _longest_user(workload, pace),
        "reading": workload.read / READ_PER_SECOND,
        **(_bulk_bounds(workload, pace) if workload.is_bulk else {}),
    }
    longest = max(bounds.values())
    bound_by = next(name for name, seconds in bounds.items() if seconds >= _AS_LONG * longest)
    return START_SECONDS + longest + (pace.latency if workload.requests else 0.0), bound_by


def _bulk_bounds(workload: Workload, pace: Pace) -> dict[str, float]:
    """Return what else bounds bulk: budgets that begin with nothing saved up, and batches that wait for one another.

    A batch's requests share users with the batch before, so one leaves when the reply to one of those has come.
    """
    batches = -(-workload.read // BATCH_RECORDS)
    return {
        "users_per_minute": workload.users / pace.users.leak if pace.users else 0.0,
        "events_per_minute": workload.events / pace.events.leak if pace.events else 0.0,
        "order": max(0, batches - 1) * pace.turn,
    }


def _longest_user(workload: Workload, pace: Pace) -> float:
    """Return when the last request of the user with the most has left.

    While others use the cap up, each of a user's requests stands in line for it; when those are through, the rest
    goes as fast as replies come and as fair use allows.
    """
    if workload.longest_user is None:
        return 0.0
    n = workload.longest_user[1]
    if workload.is_bulk:
        return _alone(n, workload, pace)
    turn = pace.turn + _line(workload, pace)
    rate = max(pace.cap.leak - 1 / turn, pace.cap.leak / 2)
    busy = max(0.0, workload.requests - n - pace.cap.most) / rate
    left = n - busy / turn
    if left <= 0:
        return max((n - 1) * turn, _alone(n, workload, pace))
    return max(busy + _alone(left, workload, pace), _alone(n, workload, pace))


def _alone(n: float, workload: Workload, pace: Pace) -> float:
    """Return when the last of so many requests of one user has left where nobody else's do."""
    fair = max(bucket.seconds(n) for bucket in pace.per_user)
    # Records in bulk share requests, so replies are few.
    return fair if workload.is_bulk else max((n - 1) * pace.turn, fair)


def _line(workload: Workload, pace: Pace) -> float:
    """Return how long a request stands in line for the cap: there is a line where there are more of them than it takes.

    A user has one at a time.
    """
    at_once = min(pace.concurrency, workload.people or pace.concurrency)
    return min(max(at_once - pace.cap.leak * pace.hold, 0.0), pace.boarding) / pace.cap.leak

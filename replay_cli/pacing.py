"""What holds a run back, in delivery's own numbers: what estimates are made of."""

from replay_cli.delivery.allowance import Allowance, bucket, refill
from replay_cli.delivery.cap import BOARDING_SECONDS, bucket_and_refill
from replay_cli.delivery.fair_use import LIMITS
from replay_cli.ledger.ledger import COMMIT_EVERY
from replay_cli.profiling.estimate import Bucket, Pace


def make_pace(rps: float, concurrency: int, latency: float, allowance: Allowance) -> Pace:
    """Return the pace of a run.

    Args:
        rps: attempts a second, more than 0.
        concurrency: requests under way at once.
        latency: seconds that a reply takes.
        allowance: what bulk requests may spend in a minute.
    """
    return Pace(
        rps=rps,
        concurrency=concurrency,
        latency=latency,
        cap=Bucket(0.0, bucket_and_refill(rps)[1]),  # it begins full
        users=_budget(allowance.users),
        events=_budget(allowance.events),
        per_user=tuple(Bucket(*limit) for limit in LIMITS),
        boarding=2 + int(rps * BOARDING_SECONDS),
        commit_every=COMMIT_EVERY,
    )


def _budget(per_minute: int) -> Bucket | None:
    return Bucket(bucket(per_minute), refill(per_minute)) if per_minute else None

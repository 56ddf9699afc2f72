"""Runs of other machines that hold a checkpoint on S3, or share a quota: each is a process of its own.

    python -m tests.support.keepers hold URL BUCKET TTL MARGIN    holds a checkpoint until it may not any more
    python -m tests.support.keepers race URL BUCKET TTL ROUNDS    takes and gives back, again and again
    python -m tests.support.keepers share URL BUCKET RPS          has a share until its standard input ends

What they print are JSON lines.
"""

import json
import sys
import threading
import time
from typing import Any

from replay_cli.aws import S3Options
from replay_cli.errors import FatalError, ReplayError
from replay_cli.remote import Announced, Bucket, JobIdentity, Keeper, Owner, Place, Share
from replay_cli.remote.clocks import boot_time

KEY = "state/nightly.ckpt"
JOB = JobIdentity("nightly", "https://api-01.moengage.com", "WORKSPACE")
_GLANCE_SECONDS = 0.005
_PRINTING = threading.Lock()


def say(**fields: Any) -> None:
    with _PRINTING:
        sys.stdout.write(json.dumps(fields) + "\n")
        sys.stdout.flush()


def hold(bucket: Bucket, ttl: float, margin: float) -> None:
    """Say when sending was allowed first and last, and why it is not any more."""
    keeper = Keeper.take(bucket, Place(bucket.name, KEY), JOB, say=lambda _: None, ttl=ttl, margin=margin)
    failed = threading.Event()
    keeper.begin(lambda _: failed.set())
    keeper.announce([Announced("s3://logs/a", "e", 0, 10)]).result()
    say(id=keeper.owner_id)
    last = 0.0
    while keeper.may_send():
        last = boot_time()
        time.sleep(_GLANCE_SECONDS)
    refused = boot_time()
    failed.wait()
    try:
        keeper.announce([Announced("s3://logs/a", "e", 10, 20)]).result()
        announced = True
    except FatalError:
        announced = False
    keeper.release()
    say(last=last, refused=refused, failure=str(keeper.failure), announced=announced)


def race(bucket: Bucket, ttl: float, rounds: int) -> None:
    """Take the checkpoint so often; each time announce one more record than was."""
    for _ in range(rounds):
        keeper = _taken(bucket, ttl)
        began = boot_time()
        before = keeper.announced()[0]
        first = before[0].next if before else 0
        keeper.announce([Announced("s3://logs/a", "e", first, first + 1)]).result()
        could = keeper.may_send()
        ended = boot_time()
        keeper.release()
        say(began=began, ended=ended, could=could, first=first, failure=keeper.failure and str(keeper.failure))


def _taken(bucket: Bucket, ttl: float) -> Keeper:
    while True:
        try:
            return Keeper.take(bucket, Place(bucket.name, KEY), JOB, say=lambda _: None, ttl=ttl, margin=ttl / 4)
        except FatalError:  # another one was faster
            time.sleep(_GLANCE_SECONDS)


class Noting(Bucket):
    """Says what is stored."""

    def replace(self, key: str, data: bytes, etag: str | None) -> str:
        stored = super().replace(key, data, etag)
        say(stored=json.loads(data))
        return stored


def share(bucket: Bucket, rps: float) -> None:
    owner = Owner(f"{time.time_ns():032x}", "host", 7, "ada", "0.1.0", 0.0)
    place = Place(bucket.name, KEY)
    part = Share.join(bucket, place, JOB.endpoint, JOB.workspace_id, owner, "job", rps, ttl=20.0, margin=5.0, every=0.3)
    part.begin(lambda rate: say(rate=rate, at=boot_time()), lambda error: say(failure=str(error)))
    sys.stdin.read()
    part.may_send()
    say(rate=0.0, at=boot_time())  # what was sent last counts for another second
    part.leave()


def main() -> None:
    what, url, bucket, *numbers = sys.argv[1:]
    kind = Noting if what == "share" else Bucket
    opened = kind.open(S3Options(endpoint_url=url), bucket)
    try:
        if what == "hold":
            hold(opened, float(numbers[0]), float(numbers[1]))
        elif what == "race":
            race(opened, float(numbers[0]), int(numbers[1]))
        else:
            share(opened, float(numbers[0]))
    except ReplayError as error:
        say(error=str(error))


if __name__ == "__main__":
    main()

"""How hard a run tries, and when it stops of its own accord (pure)."""

from enum import StrEnum
from typing import NamedTuple


class InDoubt(StrEnum):
    """What to do with a record when nobody knows whether MoEngage has it."""

    RESEND = "resend"
    DEAD_LETTER = "dead-letter"


class OnExhausted(StrEnum):
    """What to do with a record whose budget is used up while others pass."""

    DEAD_LETTER = "dead-letter"
    PAUSE = "pause"


class BulkRefused(StrEnum):
    """What to do with a refused request of many records whose reply does not say which of them it is about."""

    DEAD_LETTER = "dead-letter"
    SPLIT = "split"


class DeadLetterLimit(NamedTuple):
    """How many records of a run may become dead letters before it stops, because something is wrong.

    More than `most`, or a bigger share than `share` of those settled once there are `JUDGED_FROM`; None: no limit.
    With neither, more than `DEFAULT_BEFORE_SUCCESS` before anything of the job was delivered.
    """

    most: int | None = None
    share: float | None = None

    def is_exceeded(self, dead_lettered: int, delivered: int, *, delivered_before: bool) -> bool:
        """Tell whether a run has to stop.

        Args:
            dead_lettered: records given up by this run.
            delivered: records that it has delivered.
            delivered_before: earlier runs of the job have delivered some.
        """
        if self.most is not None:
            return dead_lettered > self.most
        if self.share is not None:
            settled = dead_lettered + delivered
            return settled >= JUDGED_FROM and dead_lettered > self.share * settled
        return dead_lettered > DEFAULT_BEFORE_SUCCESS and not delivered and not delivered_before

    def __str__(self) -> str:
        if self.most is not None:
            return f"--max-dead-letters {self.most}"
        if self.share is not None:
            return f"--max-dead-letters {100 * self.share:g}%"
        return f"{DEFAULT_BEFORE_SUCCESS} dead letters before the first success"


JUDGED_FROM = 100
DEFAULT_BEFORE_SUCCESS = 100


class Policy(NamedTuple):
    """How hard a run tries. Times are in seconds; `limit` is a number of requests, None for all."""

    concurrency: int = 512
    retry_for: float = 4 * 3600.0
    max_attempts: int = 0
    in_doubt: InDoubt = InDoubt.RESEND
    on_exhausted: OnExhausted = OnExhausted.DEAD_LETTER
    max_dead_letters: DeadLetterLimit = DeadLetterLimit()
    bulk_refused: BulkRefused = BulkRefused.DEAD_LETTER
    limit: int | None = None
    max_duration: float | None = None

    def is_exhausted(self, failures: int, spent: float) -> bool:
        """Tell whether a message has used up its budget: so many failures over so many seconds."""
        return spent >= self.retry_for or bool(self.max_attempts and failures >= self.max_attempts)

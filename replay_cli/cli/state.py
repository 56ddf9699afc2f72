"""How the checkpoint of an invocation is reached and kept where it is on S3."""

from typing import NamedTuple, Protocol

from replay_cli.archive import S3Options


class StateOptions(NamedTuple):
    """How a checkpoint on S3 is reached and kept: seconds between two pushes, and seconds that a lease lasts."""

    s3: S3Options = S3Options()
    push_every: float = 30.0
    lease: float = 30.0


USUAL = StateOptions()


class Keeping(Protocol):
    """What there is to know to take a checkpoint: how it is reached, and whether it is to begin anew."""

    @property
    def state(self) -> StateOptions:
        """How it is reached and kept."""

    @property
    def restart(self) -> bool:
        """Whether what is there is moved aside."""

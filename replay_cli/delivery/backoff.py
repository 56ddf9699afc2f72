"""How long to wait before the next attempt: exponential back-off with full jitter."""

import random

FIRST = 0.5
LONGEST = 60.0


def backoff(failures: int, generator: random.Random) -> float:
    """Return seconds to wait after so many failures: from 0 to 0.5 s * 2^(failures - 1), at most 60."""
    ceiling = min(LONGEST, FIRST * 2 ** min(failures - 1, 20))
    return generator.uniform(0.0, ceiling)

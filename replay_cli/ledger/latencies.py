"""How long replies took, as counts in buckets that grow with the time: mergeable, and small on disk (pure)."""

from collections import Counter
from collections.abc import Iterable
from math import log2
from typing import NamedTuple

A_DOUBLING = 6
"""Buckets from one duration to its double: each is 12 % wider than the one before it."""
_MOST = 20 * A_DOUBLING
"""The last bucket: what takes longer than 17 minutes is in it, too."""

Latencies = Counter[int]
"""Bucket → replies. Bucket 0 is for less than a millisecond, bucket `b` ends at 2 ** (b / A_DOUBLING) ms."""


class Percentiles(NamedTuple):
    """Milliseconds within which half, nine tenths and 99 hundredths of the replies came."""

    p50: float
    p90: float
    p99: float


def bucket(seconds: float) -> int:
    """Return the bucket of a duration."""
    milliseconds = seconds * 1000
    return 0 if milliseconds < 1 else min(_MOST, 1 + int(log2(milliseconds) * A_DOUBLING))


def percentiles(counts: Latencies, slowest: float) -> Percentiles | None:
    """Return the percentiles of what was counted, none more than the slowest reply (seconds); None without replies."""
    if not counts:
        return None
    most = slowest * 1000
    return Percentiles(*(round(min(most, _at(counts, share)), 1) for share in (0.5, 0.9, 0.99)))


def _at(counts: Latencies, share: float) -> float:
    """Return the milliseconds that this share of the replies do not exceed, as if a bucket's were evenly spread."""
    left = share * counts.total()
    for index, count in sorted(counts.items()):
        if left <= count:
            low, high = (_end(index - 1) if index else 0.0), _end(index)
            return low + (high - low) * left / count
        left -= count
    return _end(max(counts))


def _end(index: int) -> float:
    return float(2 ** (index / A_DOUBLING))


def to_bytes(counts: Latencies) -> bytes:
    """Return counts for the checkpoint: the first bucket, then a number for each up to the last, seven bits a byte."""
    if not counts:
        return b""
    first = min(counts)
    text = bytearray([first])
    for index in range(first, max(counts) + 1):
        _append(text, counts[index])
    return bytes(text)


def _append(text: bytearray, number: int) -> None:
    while number > 0x7F:
        text.append(number & 0x7F | 0x80)
        number >>= 7
    text.append(number)


def from_bytes(text: bytes) -> Latencies:
    """Return what `to_bytes` has made a text of."""
    counts: Latencies = Counter()
    if not text:
        return counts
    for index, number in enumerate(_numbers(text[1:]), text[0]):
        if number:
            counts[index] = number
    return counts


def _numbers(text: bytes) -> Iterable[int]:
    number = shift = 0
    for byte in text:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield number
            number = shift = 0

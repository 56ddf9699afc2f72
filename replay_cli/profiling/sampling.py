"""A few objects that speak for a whole listing, and what is found in them scaled up, with its error (pure).

Objects are drawn with a chance that grows with their size, apart for every kind of them: those of one source and one
format are alike. Of each kind those with the highest priority are taken, which is the size divided by a random number
between 0 and 1 (priority sampling); that number is a hash of the uri, so that the same listing gives the same sample.
An object that is larger than the threshold, the priority of the best one that is left out, was certain to be taken and
stands for its own bytes; the others share those that are left, in equal parts.
"""

from collections.abc import Sequence
from hashlib import blake2b
from heapq import heappush, heappushpop, nlargest
from math import sqrt
from typing import NamedTuple

from replay_cli.model import ArchiveObject

SAMPLED = 32
"""Objects in a sample, if there are so many; more only where there are many kinds."""
_LEAST = 2
"""Objects of each kind: fewer tell nothing of how much they differ."""
_MOST_KINDS = 24
"""Kinds that are told apart; the objects of all others are one kind."""
_USUAL = 4
"""How many objects count as much as what is usual among all kinds, to tell how much those of one kind differ."""
_OTHERS = "(others)"
_COMPRESSED = (".gz", ".zst")
_BEGINNINGS = 0.02
"""By how much all beginnings of compressed objects together may be denser or less dense than the rest of them."""


class Chosen(NamedTuple):
    """An object of a sample: its kind, and how many stored bytes of that it stands for, its own included."""

    object: ArchiveObject
    kind: str
    weight: float

    @property
    def unseen(self) -> float:
        """The share of these bytes that are other objects'."""
        return max(0.0, 1 - self.object.size / self.weight)


class Measured(NamedTuple):
    """Something counted in a chosen object: `n` of it in the first `consumed` stored bytes.

    `variance` is that of `n`, had as many bytes been read elsewhere in the object; 0 where it was read whole.
    """

    chosen: Chosen
    consumed: int
    n: float
    variance: float

    @property
    def is_beginning(self) -> bool:
        """Whether the rest of the object may be compressed better or worse."""
        return self.consumed < self.chosen.object.size and self.chosen.object.uri.endswith(_COMPRESSED)

    @property
    def scale(self) -> float:
        """How many times as much there is in the bytes that the object stands for."""
        return self.chosen.weight / max(self.consumed, 1)


class Total(NamedTuple):
    """An estimated number and its standard error, which is 0 where everything was counted."""

    estimate: float
    error: float


class _Candidate(NamedTuple):
    priority: float
    object: ArchiveObject


class Sampler:
    """Draws from a listing that is offered object by object; memory does not grow with it."""

    def __init__(self) -> None:
        self._kinds: dict[str, list[_Candidate]] = {}
        self._bytes: dict[str, int] = {}

    def offer(self, obj: ArchiveObject, kind: str) -> None:
        """Take an object into account; one without bytes has nothing to tell."""
        if not obj.size:
            return
        if kind not in self._kinds and len(self._kinds) >= _MOST_KINDS:
            kind = _OTHERS
        kept = self._kinds.setdefault(kind, [])
        self._bytes[kind] = self._bytes.get(kind, 0) + obj.size
        candidate = _Candidate(obj.size / _number(obj.uri), obj)
        if len(kept) <= SAMPLED:  # one more than can be drawn: the threshold
            heappush(kept, candidate)
        else:
            heappushpop(kept, candidate)

    def draw(self) -> list[Chosen]:
        """Return the sample, kind by kind."""
        shares = _shares(self._bytes, {kind: len(kept) for kind, kept in self._kinds.items()})
        return [chosen for kind, kept in self._kinds.items() for chosen in self._drawn(kind, kept, shares[kind])]

    def _drawn(self, kind: str, kept: Sequence[_Candidate], most: int) -> list[Chosen]:
        best = nlargest(most + 1, kept)
        threshold = best[most].priority if len(best) > most else 0.0
        drawn = [candidate.object for candidate in best[:most]]
        own = sum(obj.size for obj in drawn if obj.size >= threshold)
        left, others = self._bytes[kind] - own, [obj for obj in drawn if obj.size < threshold]
        if not others:  # nobody else speaks for those that are left out
            return [Chosen(obj, kind, obj.size * self._bytes[kind] / own) for obj in drawn]
        return [Chosen(obj, kind, left / len(others) if obj.size < threshold else obj.size) for obj in drawn]


def _number(uri: str) -> float:
    """Return a number above 0, at most 1, that looks random and is always the same."""
    digest = blake2b(uri.encode(errors="surrogatepass"), digest_size=8).digest()
    return (int.from_bytes(digest) + 1) / (1 << 64)


def _shares(sizes: dict[str, int], counts: dict[str, int]) -> dict[str, int]:
    """Share a sample out by bytes; each kind has a few at least, and none more than it has objects."""
    total = sum(sizes.values())
    return {
        kind: min(counts[kind], SAMPLED, max(_LEAST, round(SAMPLED * size / total))) for kind, size in sizes.items()
    }


def variance_within(parts: Sequence[tuple[int, int]], size: int) -> float:
    """Return the variance of what was counted in the beginning of an object, from how its parts differ.

    Args:
        parts: (stored bytes, number counted) of each batch read.
        size: the object's.
    """
    consumed, n = sum(part[0] for part in parts), sum(part[1] for part in parts)
    if consumed >= size:
        return 0.0
    if len(parts) < 2:
        return float(n)
    density = n / max(consumed, 1)
    squares = sum((number - density * stored) ** 2 for stored, number in parts)
    return squares * len(parts) / (len(parts) - 1) * (1 - consumed / size)


def total(sample: Sequence[Measured]) -> Total:
    """Scale up what was counted in every object of a sample.

    The error is made of how much the objects of a kind differ, as far as they stand for others, and of how much each
    may differ further on.
    """
    kinds = [_Kind.of(members) for members in _by_kind(sample)]
    degrees = sum(len(kind.members) - 1 for kind in kinds)
    usual = sum(kind.spread for kind in kinds) / max(degrees, 1)
    by_beginnings = sum(measured.n * measured.scale for measured in sample if measured.is_beginning)
    variance = sum(kind.variance(usual) for kind in kinds) + (_BEGINNINGS * by_beginnings) ** 2
    return Total(sum(kind.found for kind in kinds), sqrt(variance))


class _Kind(NamedTuple):
    """What was counted in objects of one kind: `found` scaled up, and its `density`, the number in a stored byte.

    `spread` sums the squares of how far the objects' densities are off, as shares of it.
    """

    members: list[Measured]
    found: float
    density: float
    spread: float

    @classmethod
    def of(cls, members: list[Measured]) -> "_Kind":
        found = sum(measured.scale * measured.n for measured in members)
        density = found / sum(measured.chosen.weight for measured in members)
        off = [measured.n / max(measured.consumed, 1) - density for measured in members]
        return cls(members, found, density, sum((each / density) ** 2 for each in off) if density else 0.0)

    def variance(self, usual: float) -> float:
        """Return the variance of `found`; where there are few objects, what is usual elsewhere counts as well."""
        relative = (self.spread + _USUAL * usual) / (len(self.members) - 1 + _USUAL)
        between = sum(measured.chosen.unseen * measured.chosen.weight**2 for measured in self.members)
        within = sum((1 - measured.chosen.unseen) * measured.scale**2 * measured.variance for measured in self.members)
        return between * relative * self.density**2 + within


def _by_kind(sample: Sequence[Measured]) -> list[list[Measured]]:
    kinds: dict[str, list[Measured]] = {}
    for measured in sample:
        kinds.setdefault(measured.chosen.kind, []).append(measured)
    return list(kinds.values())

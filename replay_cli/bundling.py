"""Requests of many records: put together before they go out, taken apart when one is refused (pure)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple
from zlib import crc32

from replay_cli.model import Request
from replay_cli.moengage.mapping import Pack
from replay_cli.moengage.packing import halves, named_elements, records_of, weigh, without
from replay_cli.moengage.replies import Reply
from replay_cli.policy import BulkRefused

_NAMING = (400, 413)
"""Statuses whose error may name elements of a bulk request."""


def bundle(
    requests: Sequence[Request], pack: Pack, max_bytes: int, holds_back: Callable[[Sequence[str]], bool] | None
) -> list[Request]:
    """Put requests of one record each together.

    Those of one user, and of all who share an id with them, keep their order and go into one request where they fit.
    Users keep their places among the requests of every batch, so that those of the next batch wait for few of this
    one's, instead of one after the other.

    Args:
        requests: in the order of sending.
        pack: makes fewer ones of them.
        max_bytes: what a request's body holds.
        holds_back: tells whether one with these lanes cannot go now. It, and all that have to wait for it, are put
            together apart from the others, or those would wait with them. None: each of them can.
    """
    free, held = _apart(requests, holds_back)
    return [bundled for part in (free, held) for bin_ in _bins(_families(part), max_bytes) for bundled in pack(bin_)]


def _apart(
    requests: Sequence[Request], holds_back: Callable[[Sequence[str]], bool] | None
) -> tuple[Sequence[Request], Sequence[Request]]:
    if holds_back is None:
        return requests, ()
    free, held, held_lanes = [], [], set[str]()
    for request in requests:
        if holds_back(request.users) or not held_lanes.isdisjoint(request.users):
            held.append(request)
            held_lanes.update(request.users)
        else:
            free.append(request)
    return free, held


class _Family(NamedTuple):
    """Requests that share lanes, directly or by way of others: their indexes, and the lanes."""

    members: list[int]
    lanes: list[str]


def _families(requests: Sequence[Request]) -> list[list[Request]]:
    """Return the families in an order that is the same in every batch: by a hash of their first lane."""
    by_lane: dict[str, _Family] = {}
    families: dict[int, _Family] = {}
    merged = False
    # Every record of a bulk job passes here.
    for index, request in enumerate(requests):
        users = request.users
        family = by_lane.get(users[0])
        if family is None:
            family = by_lane[users[0]] = _Family([], [users[0]])
            families[id(family)] = family
        family.members.append(index)
        for lane in users[1:]:
            known = by_lane.get(lane)
            if known is None:
                by_lane[lane] = family
                family.lanes.append(lane)
            elif known is not family:
                family, gone = _merge(family, known, by_lane)
                del families[id(gone)]
                merged = True
    if merged:
        for family in families.values():
            family.members.sort()
    in_order = sorted(families.values(), key=lambda family: crc32(family.lanes[0].encode(errors="surrogatepass")))
    return [[requests[index] for index in family.members] for family in in_order]


def _merge(one: _Family, other: _Family, by_lane: dict[str, _Family]) -> tuple[_Family, _Family]:
    """Move the smaller family into the bigger one; return both, the bigger one first."""
    small, big = sorted((one, other), key=lambda family: len(family.lanes))
    big.members.extend(small.members)
    big.lanes.extend(small.lanes)
    for lane in small.lanes:
        by_lane[lane] = big
    return big, small


def _bins(families: Iterable[list[Request]], max_bytes: int) -> Iterator[list[Request]]:
    """Fill bins with whole families; one that is too large by itself has a bin for itself."""
    bin_: list[Request] = []
    size = 0
    for family in families:
        added = 0
        for request in family:
            added += len(request.body)
        if bin_ and size + added > max_bytes:
            yield bin_
            bin_, size = [], 0
        bin_ += family
        size += added
    if bin_:
        yield bin_


class Remains(NamedTuple):
    """What is left of a refused request: the records that are given up, and requests of the others, to be sent."""

    given_up: Request | None
    to_send: list[Request]


def after_refusal(request: Request, reply: Reply, refused: BulkRefused) -> Remains:
    """Decide what becomes of a refused request.

    Whether MoEngage refuses a bulk request as a whole is not documented. Where its error names elements, their records
    are given up and the others sent again, for then nothing else can have been wrong with it; elsewhere `refused`
    decides between two halves and giving all of it up.
    """
    if len(request.ordinals) < 2:
        return Remains(request, [])
    if reply.status in _NAMING and (named := _named_records(request, reply)):
        rest = without(request, named)
        return Remains(without(request, set(range(len(request.ordinals))) - named), [rest] if rest else [])
    if refused is BulkRefused.SPLIT and (both := halves(request)):
        return Remains(None, list(both))
    return Remains(request, [])


def _named_records(request: Request, reply: Reply) -> frozenset[int]:
    return records_of(request, named_elements(reply.body, sum(weigh(request.body))))

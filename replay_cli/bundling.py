"""Requests of many records: put together before they go out, taken apart when one is refused (pure)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple
from zlib import crc32

from replay_cli.model import Request
from replay_cli.moengage.mapping import Pack
from replay_cli.moengage.packing import halves, named_elements, records_of, weigh, without
from replay_cli.moengage.replies import Reply
from replay_cli.policy import BulkRefused

_NAMING = (400, 413)
"""Statuses whose error may name elements of a bulk request."""


def bundle(requests: Sequence[Request], pack: Pack, max_bytes: int) -> list[Request]:
    """Put requests of one record each together.

    Those of one user, and of all who share an id with them, are a family: they keep their order and go into one
    request where they fit. Where they do not, their requests carry nobody else's records. So of two requests that
    share a lane, the one that begins earlier among the records goes first.

    Users keep their places among the requests of every batch, so that those of the next batch wait for few of this
    one's, instead of one after the other.

    Args:
        requests: in the order of sending; each has a lane.
        pack: makes fewer ones of them.
        max_bytes: what a request's body holds.
    """
    return _put_together(_families(requests), pack, max_bytes)


def bundle_behind(held: Sequence[Request], free: Sequence[Request], pack: Pack, max_bytes: int) -> list[Request]:
    """Put requests together that have to wait, so that those that share a lane with `free` ones begin behind these.

    Args:
        held: in the order of sending, as `apart` gives them.
        free: the others, which go before them.
        pack: makes fewer ones of them.
        max_bytes: what a request's body holds.
    """
    shared = {lane for request in free for lane in request.users}
    bundled, alone = list[Request](), list[list[Request]]()
    for family in _families(held):
        starts = [index for index, request in enumerate(family) if not shared.isdisjoint(request.users)]
        if starts:  # each of these comes behind one that is none of its family, and may come before others of it
            for first, last in pairwise(sorted({0, *starts, len(family)})):
                bundled += _put_together([family[first:last]], pack, max_bytes)
        else:
            alone.append(family)
    return bundled + _put_together(alone, pack, max_bytes)


def apart(
    requests: Sequence[Request], holds_back: Callable[[Sequence[str]], bool]
) -> tuple[list[Request], list[Request]]:
    """Tell those that can go from those that cannot: put together, the former would have to wait with the latter.

    Args:
        requests: in the order of sending.
        holds_back: tells whether one with these lanes has to wait; then so do those that come behind it in them.
    """
    free, held, held_lanes = list[Request](), list[Request](), set[str]()
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
    by_user: dict[str, list[Request]] = {}
    users: dict[str, str] = {}  # by their other lanes
    # Every record of a bulk job passes here.
    for request in requests:
        user, *others = request.users
        if user in by_user:
            by_user[user].append(request)
        else:
            by_user[user] = [request]
        for lane in others:
            if users.setdefault(lane, user) != user:  # a device that several people use, which few are
                return _linked_families(requests)
    return sorted(by_user.values(), key=_place_of)


def _place_of(family: list[Request]) -> int:
    return crc32(family[0].users[0].encode(errors="surrogatepass"))


def _linked_families(requests: Sequence[Request]) -> list[list[Request]]:
    """Return the families where users share other lanes."""
    by_lane: dict[str, _Family] = {}
    families: dict[int, _Family] = {}
    merged = False
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
    return sorted(([requests[index] for index in family.members] for family in families.values()), key=_place_of)


def _merge(one: _Family, other: _Family, by_lane: dict[str, _Family]) -> tuple[_Family, _Family]:
    """Move the smaller family into the bigger one; return both, the bigger one first."""
    small, big = sorted((one, other), key=lambda family: len(family.lanes))
    big.members.extend(small.members)
    big.lanes.extend(small.lanes)
    for lane in small.lanes:
        by_lane[lane] = big
    return big, small


def _put_together(families: list[list[Request]], pack: Pack, max_bytes: int) -> list[Request]:
    return [request for bin_ in _bins(families, max_bytes) for request in _packed(bin_, pack)]


def _packed(families: list[list[Request]], pack: Pack) -> list[Request]:
    """Pack families; where they take more than one request, no family shares one that it does not fit into."""
    packed = pack([request for family in families for request in family])
    if len(packed) == 1 or len(families) == 1:
        return packed
    middle = len(families) // 2
    return _packed(families[:middle], pack) + _packed(families[middle:], pack)


def _bins(families: Iterable[list[Request]], max_bytes: int) -> Iterator[list[list[Request]]]:
    """Fill bins with whole families; one that is too large by itself has a bin for itself."""
    bin_: list[list[Request]] = []
    size = 0
    for family in families:
        added = 0
        for request in family:
            added += len(request.body)
        if bin_ and size + added > max_bytes:
            yield bin_
            bin_, size = [], 0
        bin_.append(family)
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

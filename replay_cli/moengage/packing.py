"""Bulk requests put together and taken apart, record by record.

A record owns one `event` element, or one `customer` element and the `device` elements behind it. So where one ends
and the next begins is seen from the elements, in a request of this run as in one that comes back from a checkpoint;
and whose lanes are whose from the user id's, which every record has, as its first. Everything here is pure and takes
linear time.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import orjson

from replay_cli.model import Request
from replay_cli.moengage.mapping import Pack

BEFORE, BETWEEN, AFTER = b'{"type":"transition","elements":[', b",", b"]}"
"""What is around elements in the body that `bulk` makes."""
_ONE_EVENT, _ONE_CUSTOMER, _DEVICE = BEFORE + b'{"type":"event",', BEFORE + b'{"type":"customer",', b'{"type":"device",'
_INNER = slice(len(BEFORE), -len(AFTER))
_USER_LANE = "u"

_ELEMENT = re.compile(r"(?:^|(?<=[^\w.])|(?<=\$\.))elements(?:\[([0-9]++)\]|\.([0-9]++)(?!\w))")
_MOST_DIGITS = 9


class Weight(NamedTuple):
    """What a request takes of MoEngage's two budgets; customers and devices both count as users."""

    users: int
    events: int


class _Part(NamedTuple):
    """One record's share of a request."""

    ordinal: int
    record: bytes
    lanes: tuple[str, ...]
    elements: list[Any]


def packer(most_users: int = 0, most_events: int = 0, max_bytes: int = 100_000) -> Pack:
    """Make what joins consecutive requests into as few as there can be; a record is never split.

    Args:
        most_users: users that a request may carry (customers and devices); 0: any number.
        most_events: events that it may carry; 0: any number.
        max_bytes: of a request's body. One that is beyond a limit by itself stays alone, as it is.
    """
    most = Weight(most_users or 1 << 62, most_events or 1 << 62)

    def pack(requests: Sequence[Request]) -> list[Request]:
        packed: list[Request] = []
        group: list[Request] = []
        users = events = size = 0
        for request in requests:
            more_users, more_events = _weigh_one(request.body) if len(request.ordinals) == 1 else weigh(request.body)
            grown = size + len(request.body) - _AROUND
            if group and (
                grown > max_bytes
                or users + more_users > most.users
                or events + more_events > most.events
                or request.path != group[0].path
            ):
                packed.append(join(group))
                group, users, events = [], 0, 0
            size = grown if group else len(request.body)
            group.append(request)
            users += more_users
            events += more_events
        if group:
            packed.append(join(group))
        return packed

    return pack


def weigh(body: bytes) -> Weight:
    """Weigh a request's body; one of another API, parked before a job was amended, takes nothing of them."""
    elements = orjson.loads(body).get("elements", ())
    events = sum(element["type"] == "event" for element in elements)
    return Weight(len(elements) - events, events)


def without(request: Request, dropped: Collection[int]) -> Request | None:
    """Return a request without some of its records; None when none is left.

    Args:
        request: a bulk request, or any other of one record.
        dropped: indexes into `request.ordinals`.
    """
    kept = sorted(set(range(len(request.ordinals))) - set(dropped))
    if len(kept) == len(request.ordinals):
        return request
    if not kept:
        return None
    parts = _parts(request)
    return _request(request, [parts[index] for index in kept])


def halves(request: Request) -> tuple[Request, Request] | None:
    """Return two requests with half of the records each, the earlier ones first; None when there is only one."""
    count = len(request.ordinals)
    if count < 2:
        return None
    parts = _parts(request)
    return _request(request, parts[: count // 2]), _request(request, parts[count // 2 :])


def named_elements(reply_body: bytes, count: int) -> tuple[int, ...]:
    """Return which elements a failure names in its `error.attribute` or `error.message`, each once, in order.

    Args:
        reply_body: of the failure; `elements[3].customer_id` and `elements.3.customer_id` both name the fourth.
        count: of elements in the request. A reply that names one beyond them means something else, and so none.
    """
    try:
        document = orjson.loads(reply_body)
    except orjson.JSONDecodeError:
        return ()
    error = document.get("error") if isinstance(document, dict) else None
    if not isinstance(error, dict):
        return ()
    digits = [
        found[1] or found[2]
        for text in (error.get("attribute"), error.get("message"))
        if isinstance(text, str)
        for found in _ELEMENT.finditer(text)
    ]
    if any(len(text) > _MOST_DIGITS or int(text) >= count for text in digits):
        return ()
    return tuple(sorted(set(map(int, digits))))


def records_of(request: Request, elements: Iterable[int]) -> frozenset[int]:
    """Return the records (indexes into `request.ordinals`) that some of the elements belong to."""
    wanted = frozenset(elements)
    if not wanted:
        return frozenset()
    owners = [index for index, part in enumerate(_parts(request)) for _ in part.elements]
    return frozenset(owners[element] for element in wanted)


def join(group: Sequence[Request]) -> Request:
    """Make one bulk request of several, which go to the same path."""
    if len(group) == 1:
        return group[0]
    return group[0]._replace(
        ordinals=tuple([ordinal for request in group for ordinal in request.ordinals]),
        body=BEFORE + BETWEEN.join([request.body[_INNER] for request in group]) + AFTER,
        users=tuple([lane for request in group for lane in request.users]),
        records=tuple([record for request in group for record in request.records]),
    )


def _weigh_one(body: bytes) -> Weight:
    """Weigh the body of one record, nearly always without reading it."""
    if body.startswith(_ONE_EVENT):
        return _EVENT
    return _CUSTOMER if body.startswith(_ONE_CUSTOMER) and _DEVICE not in body else weigh(body)


def _request(request: Request, parts: Sequence[_Part]) -> Request:
    elements = [orjson.dumps(element) for part in parts for element in part.elements]
    return request._replace(
        ordinals=tuple(part.ordinal for part in parts),
        body=BEFORE + BETWEEN.join(elements) + AFTER,
        users=tuple(lane for part in parts for lane in part.lanes),
        records=tuple(part.record for part in parts),
    )


def _parts(request: Request) -> list[_Part]:
    lanes, elements = _lanes_by_record(request.users), _elements_by_record(request.body)
    shares = zip(request.ordinals, request.records, lanes, elements, strict=True)
    return [_Part(*share) for share in shares]


def _lanes_by_record(users: Iterable[str]) -> list[tuple[str, ...]]:
    found: list[list[str]] = []
    for lane in users:
        if lane.startswith(_USER_LANE):
            found.append([lane])
        else:
            found[-1].append(lane)
    return list(map(tuple, found))


def _elements_by_record(body: bytes) -> list[list[Any]]:
    found: list[list[Any]] = []
    for element in orjson.loads(body)["elements"]:
        if element["type"] == "device":
            found[-1].append(element)
        else:
            found.append([element])
    return found


_CUSTOMER, _EVENT = Weight(1, 0), Weight(0, 1)
_AROUND = len(BEFORE) + len(AFTER) - len(BETWEEN)
"""Bytes that one body less costs when two are joined."""

"""An archive for selections, and a naive reading of it: for each option, what it leaves out and why."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from replay_cli.segment.selection import LEFT_OUT

FIRST_DAY = datetime(2025, 3, 1, tzinfo=UTC)
SOURCES, DAYS, A_FOLDER = ("app", "web"), (1, 2, 3), 110
TYPES = (*("track",) * 6, *("identify",) * 2, "page", "screen", "group", "alias")
EVENTS = ("Order Completed", "Order Refunded", "Cart Viewed", "Signed Up")
BUNDLED = ("analytics-ios", "analytics-swift", "analytics-android", "analytics-kotlin", "analytics-react-native")
LIBRARIES = (*BUNDLED, "analytics.js", "analytics-node", *("analytics-python", None) * 5)
CONSENTS: tuple[dict[str, bool] | None, ...] = (
    None,
    None,
    {"ads": True, "stats": True},
    {"ads": True, "stats": False},
    {},
)
INTEGRATIONS: tuple[dict[str, bool], ...] = (
    *({}, {}, {}, {}, {"Mixpanel": False}, {"All": False}, {"MoEngage": False}),
    {"All": False, "MoEngage (Actions)": True},
)


class Row(NamedTuple):
    """A record of the archive: the source and the day (1 to 3) of its folder, None outside of all; and its message."""

    source: str | None
    day: int | None
    message: dict[str, Any]


Applies = Callable[[Row], bool]


class Case(NamedTuple):
    """Options, and what they mean to a naive reader.

    `rules` are (reason, what it applies to), in the order in which they are asked; `listed` tells the records whose
    folders are read at all; `files` are the operator's, by name.
    """

    options: tuple[str, ...]
    rules: tuple[tuple[str, Applies], ...] = ()
    listed: Applies = lambda _row: True
    files: Mapping[str, str] = MappingProxyType({})

    def __str__(self) -> str:
        return " ".join(self.options) or "nothing"


# -- the archive ----------------------------------------------------------------------------------------------


def iso(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03}Z"


def made(generator: random.Random, n: int, day: int) -> dict[str, Any]:
    """A message as Segment archives it, received on a day."""
    pick = generator.choice
    received = FIRST_DAY + timedelta(days=day - 1, milliseconds=generator.randrange(86_400_000))
    kind, person, library, consent = pick(TYPES), generator.randrange(40), pick(LIBRARIES), pick(CONSENTS)
    about = {"n": n, **({"email": f"u{person}@example.com"} if n % 3 == 0 else {})}
    return {
        "type": kind,
        "messageId": f"m-{n}",
        "receivedAt": iso(received),
        "timestamp": iso(received - timedelta(milliseconds=generator.randrange(6 * 3_600_000))),
        "integrations": pick(INTEGRATIONS),
        "context": {
            **({} if library is None else {"library": {"name": library, "version": "1.0"}}),
            **({} if consent is None else {"consent": {"categoryPreferences": consent}}),
        },
        **({"userId": f"user-{person}"} if generator.random() < 0.8 else {"anonymousId": f"anon-{person}"}),
        **({"event": pick(EVENTS)} if kind == "track" else {}),
        **({"traits": about} if kind == "identify" else {"properties": about | {"total": generator.randrange(200)}}),
    }


def archive() -> list[Row]:
    """Two sources, three days, a file outside of all folders, a tenth of the messages twice."""
    generator = random.Random(8)
    places = [(source, day) for source in SOURCES for day in DAYS]
    rows = [Row(*place, made(generator, n, place[1])) for n, place in enumerate(places * A_FOLDER)]
    rows += generator.sample(rows, len(rows) // 10)
    loose = [made(generator, len(rows) + n, 2) for n in range(24)]
    for index, missing in enumerate(("receivedAt", "timestamp", "messageId")):
        del loose[2 * index][missing], loose[2 * index + 1][missing]
    nobody = made(generator, 5000, 1) | {"type": "track", "event": EVENTS[0]}
    loose.append({name: value for name, value in nobody.items() if name not in ("userId", "anonymousId")})
    return rows + [Row(None, None, message) for message in loose]


ROWS = archive()


def folder_time(day: int) -> int:
    return int((FIRST_DAY + timedelta(days=day - 1)).timestamp() * 1000)


# -- a naive reading ------------------------------------------------------------------------------------------


def received_in(start: str, until: str) -> Applies:
    return lambda row: start <= row.message.get("receivedAt", start) < until


def happened_in(start: str, until: str) -> Applies:
    return lambda row: start <= row.message.get("timestamp", start) < until


def has(field: str) -> Applies:
    return lambda row: field in row.message


def no(applies: Applies) -> Applies:
    return lambda row: not applies(row)


def in_folder(source: str, day: int) -> Applies:
    return lambda row: (row.source, row.day) == (source, day)


def is_event(*names: str) -> Applies:
    return lambda row: row.message.get("event") in names


def is_type(*names: str) -> Applies:
    return lambda row: row.message["type"] in names


def is_user(*names: str) -> Applies:
    return lambda row: row.message.get("userId") in names


def is_in_window(row: Row) -> bool:
    first = in_folder("web", 1)(row) and received_in("2025-03-01T06", "2025-03-01T18")(row)
    return (first and is_event(*EVENTS[:2])(row)) or in_folder("app", 2)(row)


def is_bundled(row: Row) -> bool:
    return row.message["context"].get("library", {}).get("name") in (*BUNDLED, "analytics.js")


def is_turned_off(row: Row) -> bool:
    return row.message["integrations"] in ({"All": False}, {"MoEngage": False})


def consents(row: Row) -> bool:
    consent = row.message["context"].get("consent")
    return consent is None or consent["categoryPreferences"] == {"ads": True, "stats": True}


def is_large_order(row: Row) -> bool:
    return is_type("track")(row) and row.message["properties"]["total"] > 100


def email(row: Row) -> str | None:
    found: str | None = (row.message.get("traits") or row.message["properties"]).get("email")
    return found


def has_id(ids: Iterable[int]) -> Applies:
    names = {f"m-{n}" for n in ids}
    return lambda row: row.message.get("messageId") in names


def sent(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if is_type("track", "identify")(row) and not is_nobody(row)]


def is_nobody(row: Row) -> bool:
    return "userId" not in row.message and "anonymousId" not in row.message


def naive(case: Case) -> tuple[Counter[str], list[Row]]:
    """The reasons of what a case leaves out, and what it leaves in."""
    reasons, left = Counter[str](), []
    for row in filter(case.listed, ROWS):
        reason = next((reason for reason, applies in case.rules if applies(row)), None)
        reasons.update([reason] if reason else [])
        left += [] if reason else [row]
    reasons["not_subscribed"] = len(left) - len(sent(left)) - sum(map(is_nobody, left))
    return +reasons, left


def together(cases: Iterable[Case]) -> Case:
    """All options at once; a record is left out for the first reason that applies, in the documented order."""
    cases = list(cases)
    rules = [rule for case in cases for rule in case.rules]
    order = {reason: rank for rank, reason in enumerate(LEFT_OUT)}
    rules.sort(key=lambda rule: order.get(rule[0], len(order)))
    options = tuple(option for case in cases for option in case.options)
    return Case(options, tuple(rules), lambda row: all(case.listed(row) for case in cases))


HEADER = "received_from,received_until,source_id,event\n"
WINDOWS = HEADER + "2025-03-01T06:00,2025-03-01T18:00,web,Order *\n1740873600000,2025-03-03T00:00+00:00,app,\n"
FILTERS = json.dumps(
    {
        "data": {
            "filters": [
                {"title": "No refunds", "if": "event = 'Order Refunded'", "actions": [{"type": "DROP"}]},
                {"title": "Off", "if": "all", "enabled": False, "actions": [{"type": "DROP"}]},
                {"if": 'context.library.name = "analytics-node"', "actions": [{"type": "DROP"}]},
                {"if": "all", "actions": [{"type": "DROP_PROPERTIES", "fields": {"properties": ["total"]}}]},
            ]
        }
    }
)


def is_node(row: Row) -> bool:
    return bool(row.message["context"].get("library", {}).get("name") == "analytics-node")


RECEIVED = Case(
    ("--received-from", "2025-03-01T12:00", "--received-until", "2025-03-03"),
    (
        ("no_received_at", no(has("receivedAt"))),
        ("outside_received_range", no(received_in("2025-03-01T12", "2025-03-03"))),
    ),
    lambda row: row.day != 3,
)
HAPPENED = Case(
    ("--from", "2025-03-01T08:00+02:00", "--until", "2025-03-02", "--late", "12h"),
    (("no_timestamp", no(has("timestamp"))), ("outside_event_time", no(happened_in("2025-03-01T06", "2025-03-02")))),
    lambda row: row.day != 3,  # what happened until then is looked for in what was received until noon of day 2
)
SOURCE = Case(
    ("--source-id", "web"), (("unknown_source", lambda row: not row.source),), lambda row: row.source != "app"
)
IN_WINDOWS = Case(
    ("--windows", "windows.csv"),
    (("unknown_source", lambda row: not row.source), ("outside_windows", no(is_in_window))),
    lambda row: (row.source, row.day) in {("web", 1), ("app", 2), (None, None)},
    {"windows.csv": WINDOWS},
)
TYPE = Case(("--type", "track", "--type", "page"), (("other_type", no(is_type("track", "page"))),))
NO_IDENTIFY = Case(("--identify", "none"), (("identify_left_out", is_type("identify")),))
EVENT = Case(
    ("--event", "Order *", "--event", "Cart Viewed"), (("other_event", no(is_event(*EVENTS[:2], "Cart Viewed"))),)
)
USER = Case(("--user-id", "user-1", "--user-id", "user-2"), (("other_user", no(is_user("user-1", "user-2"))),))
DEVICE_MODE = Case(("--exclude-device-mode",), (("device_mode", is_bundled),))
TURNED_OFF = Case(("--exclude-integrations",), (("integration_off", is_turned_off),))
CONSENT = Case(("--require-consent", "ads", "--require-consent", "stats"), (("no_consent", no(consents)),))
WHERE = Case(("--where", "type = 'track' and properties.total > 100"), (("not_where", no(is_large_order)),))
ONLY = Case(
    ("--only-ids", "only.txt"),
    (("not_in_only_ids", no(has_id(range(300)))),),
    files={"only.txt": "".join(f"m-{n}\n" for n in range(300))},
)
EXCEPT = Case(
    ("--except-ids", "except.csv"),
    (("in_except_ids", has_id(range(0, 600, 2))),),
    files={"except.csv": "Message ID;why\n" + "".join(f"m-{n};sent by hand\n" for n in range(0, 600, 2))},
)
SUPPRESS = Case(
    ("--suppress", "people.csv"),
    (
        ("suppressed", lambda row: is_user("user-3")(row) or row.message.get("anonymousId") == "anon-4"),
        ("suppressed_by_email", lambda row: email(row) in ("u5@example.com", "u4@example.com")),
    ),
    files={"people.csv": "user_id,email,anonymous_id\nuser-3,,\n,U5@Example.com,\n,u4@example.com,anon-4\n"},
)
FILTER = Case(
    ("--filters", "filters.json"),
    (("filtered:No refunds", is_event("Order Refunded")), ("filtered", is_node)),
    files={"filters.json": FILTERS},
)
CASES = [
    *(Case(()), RECEIVED, HAPPENED, SOURCE, IN_WINDOWS, TYPE, NO_IDENTIFY, EVENT, USER),
    *(DEVICE_MODE, TURNED_OFF, CONSENT, WHERE, ONLY, EXCEPT, SUPPRESS, FILTER),
]

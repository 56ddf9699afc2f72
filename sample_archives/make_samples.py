"""Make the sample archives again: `python sample_archives/make_samples.py [DIRECTORY]`.

Everything is drawn from seeded random numbers, so the files come out the same each time. All people are
invented; addresses are from the ranges reserved for documentation.
"""

import gzip
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq

Message = dict[str, Any]

DAYS = [datetime(2025, 3, day, tzinfo=UTC) for day in (1, 2, 3)]
WEBSITE, APP, SPACE = "kQ8vTz3nWbYp5RdXmLs2Ha", "f4Jc9GxUeMt7ZqNr1VwKoB", "s9Dn2HyPtWc6LfEj4QbMvR"
SITE_LIBRARIES = {
    "analytics.js": "2.11.1",
    "analytics-node": "2.1.0",
    "analytics-python": "2.3.2",
    "analytics-go": "3.3.0",
}
APP_LIBRARIES = {
    "analytics-ios": "4.1.8",
    "analytics-android": "4.11.3",
    "analytics-kotlin": "1.16.3",
    "analytics-react-native": "2.19.1",
}
MESSAGE_IDS = {"analytics.js": "ajs-next-", "analytics-node": "node-next-"}
PRODUCTS = [
    *(("Trail Shoe", 89.9), ("Rain Jacket", 129), ("Wool Socks", 12.5), ("Head Lamp", 34.95)),
    *(("Tent, 2 persons", 249), ("Camping Stove", 59.99), ("Water Bottle", 18), ("Map & Compass", 27.4)),
]
CITIES = [
    *(("Lisbon", "PT", "Europe/Lisbon", "pt-PT"), ("Mumbai", "IN", "Asia/Kolkata", "en-IN")),
    *(("Berlin", "DE", "Europe/Berlin", "de-DE"), ("Austin", "US", "America/Chicago", "en-US")),
]
NAMES = ["Asha", "Björn", "Chloé", "Dev", "Elif", "Farah", "Goran", "Hana", "Íris", "João"]
ENGAGE = {"namespace": "spa_2YxSample", "space_id": "spa_2YxSample", "computation_id": "aud_2YxSample"}


class Person(NamedTuple):
    """Somebody who visits the shop; `known_from` is the day on which they log in, if ever."""

    number: int
    user_id: str
    anonymous_id: str
    library: str
    ip: str
    device_id: str
    city: tuple[str, str, str, str]
    known_from: int | None

    @property
    def traits(self) -> Message:
        name = NAMES[self.number % len(NAMES)]
        return {
            "email": f"user{self.number}@example.com",
            "firstName": name,
            "name": f"{name} {self.number}",
            "plan": ("free", "plus", "pro")[self.number % 3],
            "age": 18 + self.number % 50,
            "address": {"city": self.city[0], "country": self.city[1]},
            "createdAt": f"2024-{self.number % 12 + 1:02}-15T09:30:00.000Z",
        }


def people(random: Random, count: int, libraries: Mapping[str, str], prefix: str) -> list[Person]:
    return [
        Person(
            number=number,
            user_id=f"{prefix}-{number:05}",
            anonymous_id=uuid(random),
            library=random.choice(list(libraries)),
            ip=f"{random.choice(['192.0.2', '198.51.100'])}.{random.randrange(1, 255)}",
            device_id=uuid(random),
            city=random.choice(CITIES),
            known_from=random.choice([0, 0, 0, 1, 2, None]),
        )
        for number in range(count)
    ]


def uuid(random: Random) -> str:
    return str(UUID(int=random.getrandbits(128), version=4))


def iso(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03}Z"


def context(random: Random, person: Person) -> Message:
    library = {"name": person.library, "version": (SITE_LIBRARIES | APP_LIBRARIES)[person.library]}
    _, _, timezone, locale = person.city
    shared = {"ip": person.ip, "library": library, "locale": locale, "timezone": timezone}
    if person.library in APP_LIBRARIES:
        is_apple = person.library == "analytics-ios" or person.number % 2 == 0
        return {**shared, **app_context(random, person, is_apple)}
    if person.library == "analytics.js":
        page = random.choice(["/", "/shoes", "/tents", "/checkout"])
        agent = "Mozilla/5.0 (X11; Linux x86_64; rv:135.0) Gecko/20100101 Firefox/135.0"
        where = {
            "path": page,
            "url": f"https://shop.example.com{page}",
            "title": "Shop",
            "referrer": "",
            "search": "",
        }
        campaign = {"name": "spring", "source": "newsletter", "medium": "email"}
        return {
            **shared,
            "page": where,
            "userAgent": agent,
            **({"campaign": campaign} if page == "/tents" else {}),
        }
    return shared


def app_context(random: Random, person: Person, is_apple: bool) -> Message:
    maker, model = ("Apple", "iPhone15,2") if is_apple else ("Google", "Pixel 8")
    return {
        "app": {
            "name": "Shop",
            "version": f"5.{person.number % 4}.0",
            "build": "5120",
            "namespace": "com.example.shop",
        },
        "device": {
            "id": person.device_id,
            "manufacturer": maker,
            "model": model,
            "name": "phone",
            "type": "ios" if is_apple else "android",
        },
        "network": {"cellular": random.random() < 0.5, "wifi": True, "carrier": "Example Mobile"},
        "os": {"name": "iOS" if is_apple else "Android", "version": "18.3" if is_apple else "15"},
        "screen": {"width": 1170, "height": 2532},
    }


def envelope(random: Random, person: Person, kind: str, time: datetime, is_known: bool) -> Message:
    """Make what all messages have. A device may be offline for hours, and its clock may be wrong."""
    latest = DAYS[-1] + timedelta(hours=23, minutes=59)
    offline = timedelta(hours=random.uniform(1, 30)) if random.random() < 0.04 else timedelta()
    sent = min(time + offline, latest) + timedelta(seconds=random.uniform(0.1, 20))
    skew = timedelta(seconds=random.uniform(-400, 400) if random.random() < 0.1 else 0)
    received = sent + timedelta(milliseconds=random.randrange(20, 900))
    is_server = person.library in SITE_LIBRARIES and person.library != "analytics.js"
    return {
        "anonymousId": person.anonymous_id,
        "channel": "server" if is_server else "client",
        "context": context(random, person),
        "integrations": {},
        "messageId": f"{MESSAGE_IDS.get(person.library, '')}{uuid(random)}",
        "originalTimestamp": iso(time + skew),
        "projectId": "pRjSample3xAmpLe",
        "receivedAt": iso(received),
        "sentAt": iso(sent + skew),
        "timestamp": iso(received - (sent - time)),
        "type": kind,
        "userId": person.user_id if is_known else None,
        "version": 2,
    }


def visit(random: Random, person: Person, day: int) -> Iterator[Message]:
    """Make the messages of one person's visit, in the order in which things happened."""
    time = DAYS[day] + timedelta(minutes=random.uniform(1, 1380))
    is_known = person.known_from is not None and person.known_from < day
    is_app = person.library in APP_LIBRARIES

    def message(kind: str, **fields: Any) -> Message:
        nonlocal time
        time += timedelta(seconds=random.uniform(2, 90))
        made = {**envelope(random, person, kind, time, is_known), **fields}
        return {name: value for name, value in made.items() if value is not None}

    yield message("screen" if is_app else "page", name="Home", properties={"title": "Home", "path": "/"})
    chosen = random.sample(PRODUCTS, random.randrange(1, 4))
    for name, price in chosen:
        yield message("track", event="Product Viewed", properties=product(name, price))
    if person.known_from == day:
        is_known = True
        if random.random() < 0.5:
            yield message("alias", previousId=person.anonymous_id)
        yield message("identify", traits=person.traits)
        if person.number % 4 == 0:
            company = {"name": f"Company {person.number % 9}", "employees": 10 + person.number % 90}
            yield message("group", groupId=f"company-{person.number % 9}", traits=company)
    if is_known and random.random() < 0.6:
        yield message("track", event="Order Completed", properties=order(random, person, chosen))
        if person.library in ("analytics.js", "analytics-ios"):
            yield from engage(message, has_entered=day < 2)


def product(name: str, price: float) -> Message:
    sku = f"SKU-{sum(name.encode()) % 1000:03}"
    return {"product_id": sku, "sku": sku, "name": name, "price": price, "currency": "EUR", "in_stock": True}


def order(random: Random, person: Person, chosen: Sequence[tuple[str, float]]) -> Message:
    lines = [{**product(name, price), "quantity": random.randrange(1, 4)} for name, price in chosen]
    return {
        "order_id": f"order-{person.number}-{random.randrange(10**6):06}",
        "total": round(sum(line["price"] * line["quantity"] for line in lines), 2),
        "currency": "EUR",
        "coupon": "SPRING" if random.random() < 0.2 else "",
        "products": lines,
    }


def engage(message: Callable[..., Message], has_entered: bool) -> Iterator[Message]:
    """Make what Engage sends when somebody joins or leaves an audience, and when a computed trait changes."""
    audience = {**ENGAGE, "computation_class": "audience", "computation_key": "recent_buyers"}
    trait = {**ENGAGE, "computation_class": "computed_trait", "computation_key": "orders_90_days"}
    library = {"name": "unknown", "version": "unknown"}
    as_audience = {"context": {"library": library, "personas": audience}}
    as_trait = {"context": {"library": library, "personas": trait}}
    membership = {"audience_key": "recent_buyers", "recent_buyers": has_entered}
    event = "Audience Entered" if has_entered else "Audience Exited"
    yield message("identify", traits={"recent_buyers": has_entered}, **as_audience)
    yield message("track", event=event, properties=membership, **as_audience)
    yield message("identify", traits={"orders_90_days": 3}, **as_trait)


def history(seed: int, count: int, libraries: Mapping[str, str], prefix: str) -> list[Message]:
    """Make what a number of people did in three days, in the order in which it was received."""
    random = Random(seed)
    everybody = people(random, count, libraries, prefix)
    made = [
        message
        for day in range(len(DAYS))
        for person in everybody
        if random.random() < 0.8
        for message in visit(random, person, day)
    ]
    return sorted(made, key=lambda message: str(message["receivedAt"]))


def line(message: object) -> bytes:
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def packed(content: bytes, level: int = 9) -> bytes:
    return gzip.compress(content, level, mtime=0)


# -- raw logs -----------------------------------------------------------------------------------------


def write_raw_logs(root: Path) -> None:
    """Write two sources, three days, a few files a day; some messages were archived twice."""
    for seed, source, libraries, prefix in (
        (1, WEBSITE, SITE_LIBRARIES, "cust"),
        (2, APP, APP_LIBRARIES, "cust"),
    ):
        random = Random(seed)
        messages = history(seed, 330, libraries, prefix)
        messages += random.sample(messages, len(messages) // 100)
        for day in DAYS:
            todays = [message for message in messages if message["receivedAt"].startswith(f"{day:%Y-%m-%d}")]
            # Neither inside of a file nor across files is the order guaranteed.
            todays.sort(key=lambda message: message["receivedAt"][11:13] + str(random.random()))
            folder = root / "segment-logs" / source / str(int(day.timestamp() * 1000))
            for number in range(3):
                part = todays[number * len(todays) // 3 : (number + 1) * len(todays) // 3]
                name = f"{int(day.timestamp()) + number * 28_800}.{uuid(random)[:8]}.gz"
                write(folder / name, packed(b"".join(map(line, part))))


# -- Engage -----------------------------------------------------------------------------------------


def write_engage(root: Path) -> None:
    """Write what Engage sent for an audience and a computed trait: who joined on one day, and who left on the next."""
    random = Random(6)
    everybody = people(random, 12, {"analytics-node": SITE_LIBRARIES["analytics-node"]}, "cust")
    for day, has_entered in enumerate((True, False)):
        messages = [
            message
            for person in everybody
            if has_entered or person.number % 3 == 0
            for message in changes(random, person, DAYS[day] + timedelta(minutes=5 * person.number), has_entered)
        ]
        folder = root / "engage" / "segment-logs" / SPACE / str(int(DAYS[day].timestamp() * 1000))
        write(folder / f"{int(DAYS[day].timestamp())}.{uuid(random)[:8]}.gz", packed(b"".join(map(line, messages))))


def changes(random: Random, person: Person, time: datetime, has_entered: bool) -> Iterator[Message]:
    """Make what Engage sends of one person, seconds apart; who was never known has an anonymous id only."""
    moments = (time + timedelta(seconds=second) for second in range(1, 4))

    def message(kind: str, **fields: Any) -> Message:
        made = {**envelope(random, person, kind, next(moments), person.known_from is not None), **fields}
        return {name: value for name, value in made.items() if value is not None}

    return engage(message, has_entered)


# -- Parquet -----------------------------------------------------------------------------------------

TIMES = ("originalTimestamp", "receivedAt", "sentAt", "timestamp")


def instants(message: Message) -> Message:
    return {**message, **{name: datetime.fromisoformat(message[name]) for name in TIMES}}


def flat(message: Message) -> Message:
    """Flatten a message as Data Lakes do: `_` between levels, snake case, arrays as JSON text."""
    row: Message = {}
    for name, value in instants(message).items():
        if name == "integrations":
            row[name] = json.dumps(value)
        elif isinstance(value, dict):
            row.update((f"{snake(name)}_{inner}", item) for inner, item in flat_object(value))
        else:
            row[snake(name)] = value
    return row


def flat_object(value: Message) -> Iterator[tuple[str, Any]]:
    for name, item in value.items():
        if isinstance(item, dict):
            yield from ((f"{snake(name)}_{inner}", leaf) for inner, leaf in flat_object(item))
        elif isinstance(item, list):
            yield snake(name), json.dumps(item)
        else:
            yield snake(name), Decimal(str(item)) if isinstance(item, float) else item


def snake(name: str) -> str:
    return "".join(f"_{sign.lower()}" if sign.isupper() else sign for sign in name)


def lake_type(values: Sequence[Any]) -> pa.DataType:
    kinds = {type(value) for value in values if value is not None}
    if Decimal in kinds:
        return pa.decimal128(38, 6)
    known = {bool: pa.bool_(), int: pa.int64(), datetime: pa.timestamp("ms", tz="UTC")}
    return known.get(kinds.pop(), pa.string())


def write_table(path: Path, table: pa.Table, rows_a_group: int = 100) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=rows_a_group, compression="zstd")


def write_data_lake(root: Path) -> None:
    """Write one table for each type of event, partitioned by day."""
    tables: dict[str, list[Message]] = {}
    for message in history(3, 40, SITE_LIBRARIES, "lake"):
        table = str(message.get("event", message["type"])).lower().replace(" ", "_")
        received = message["receivedAt"]
        day = f"segment_type={table}/day={received[:10]}"
        tables.setdefault(day, []).append(flat(message))
    for day, rows in tables.items():
        names = list(dict.fromkeys(name for row in rows for name in row))
        columns = {name: [row.get(name) for row in rows] for name in names}
        arrays = {name: pa.array(values, lake_type(values)) for name, values in columns.items()}
        write_table(root / "data-lake" / "data" / WEBSITE / day / "part-00000.parquet", pa.table(arrays))


def write_nested(root: Path) -> None:
    rows = [instants(message) for message in history(4, 40, APP_LIBRARIES, "nest")]
    # Parquet cannot hold a struct without fields.
    rows = [{name: value for name, value in row.items() if value != {}} for row in rows]
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    write_table(root / "nested-parquet" / "messages.parquet", pa.table(columns))


def write_json_column(root: Path) -> None:
    messages = history(5, 40, SITE_LIBRARIES, "json")
    columns = {
        "source_id": [WEBSITE] * len(messages),
        "received_at": [message["receivedAt"] for message in messages],
        "message": [line(message).decode().rstrip() for message in messages],
    }
    write_table(root / "json-column-parquet" / "messages.parquet", pa.table(columns))


# -- dirt -----------------------------------------------------------------------------------------


def good(number: int, **fields: Any) -> Message:
    return {
        "type": "track",
        "event": "Dirt Tested",
        "userId": f"dirty-{number}",
        "messageId": f"dirt-{number}",
        "timestamp": f"2025-03-01T10:00:{number % 60:02}.000Z",
        "properties": {"number": number},
        **fields,
    }


def good_lines(first: int, count: int) -> bytes:
    return b"".join(line(good(number)) for number in range(first, first + count))


def dirt() -> Iterator[tuple[str, bytes]]:
    """Make each file of the dirty folder: its name and its content."""
    one, two = line(good(1)), line(good(2))
    yield (
        "malformed.jsonl",
        one + b'{"type":"track","userId":\n' + two.strip() + two + b'{"a":1,}\nno json\n' + two,
    )
    yield "not-an-object.jsonl", one + b'[1,2]\n42\n"text"\nnull\ntrue\n' + two
    yield "blank-lines.jsonl", b"\n" + one + b"\n   \t\n\r\n" + two + b"\n\n"
    yield "crlf.jsonl", (one + two).replace(b"\n", b"\r\n")
    yield "byte-order-mark.jsonl", b"\xef\xbb\xbf" + one + two
    yield "no-last-newline.jsonl", one + two.strip()
    yield "invalid-utf8.jsonl", one + two.replace(b"Dirt", b"D\xe9rt") + line(good(3))
    yield "lone-surrogates.jsonl", one + two.replace(b"Dirt", b"\\ud83d Dirt") + line(good(3))
    yield "big-integers.jsonl", one + line(good(2, properties={"over_64_bits": 2**64, "far_over": 10**40}))
    yield "nan.jsonl", one + line(good(2, properties={"rate": float("nan")})) + line(good(3))
    yield (
        "deep-nesting.jsonl",
        one + two.replace(b'"number":2', b'"deep":' + b"[" * 300 + b"]" * 300) + line(good(3)),
    )
    yield "future-date.jsonl", one + line(good(2, timestamp="2099-01-01T00:00:00.000Z")) + line(good(3))
    yield "bad-timestamp.jsonl", one + line(good(2, timestamp="not a date")) + line(good(3))
    yield (
        "missing-ids.jsonl",
        one + line({name: value for name, value in good(2).items() if name != "userId"}),
    )
    yield (
        "large-record.jsonl.gz",
        packed(one + line(good(2, properties={"text": "large " * 34_000})) + line(good(3))),
    )
    yield "multi-member.jsonl.gz", packed(one) + packed(two) + packed(b"") + packed(line(good(3)))
    # Stored, not compressed, so that the place of the damage is the same with every zlib.
    stored = packed(good_lines(1, 20), level=0)
    yield "truncated.jsonl.gz", stored[: len(stored) // 2]
    yield "corrupt.jsonl.gz", stored.replace(b"dirt-15", b"DIRT-15")
    yield "unknown-format.json.gz", b"PK\x03\x04 this is how a zip begins, whatever its name says"
    yield "_SUCCESS", b""
    yield ".hidden", one
    yield "notes.txt", b"Neither this file nor _SUCCESS nor .hidden is read from a directory.\n"


def write_dirt(root: Path) -> None:
    for name, content in dirt():
        write(root / "dirty" / name, content)


def main(root: Path) -> None:
    write_raw_logs(root)
    write_data_lake(root)
    write_nested(root)
    write_json_column(root)
    write_engage(root)
    write_dirt(root)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)

"""The benchmarks' archive: gzipped JSON lines of realistic messages, 1.2 KB each."""

import gzip
import random
from pathlib import Path
from typing import Any

import orjson

_WORDS = ["alpha", "beta", "gamma", "delta", "order", "cart", "view", "page", "zed"]


def write_archive(path: Path, count: int, users: int = 5000, seed: int = 2) -> Path:
    """Write an archive of `count` messages, 85 % tracks and 15 % identifies, all sendable."""
    generator = random.Random(seed)
    with gzip.open(path, "wb", compresslevel=6) as file:
        for n in range(count):
            file.write(orjson.dumps(_message(generator, n, users), option=orjson.OPT_APPEND_NEWLINE))
    return path


def _message(generator: random.Random, n: int, users: int) -> dict[str, Any]:
    second, milli = divmod(n * 7, 1000)
    minute, second = divmod(second, 60)
    hour, minute = divmod(minute, 60)
    time = f"2025-03-{1 + hour // 24 % 28:02}T{hour % 24:02}:{minute:02}:{second:02}.{milli:03}Z"
    person = generator.randrange(users)
    details = {
        "order_id": f"o-{n}",
        "total": round(generator.random() * 100, 2),
        "currency": "USD",
        "products": [
            {
                "id": f"p{generator.randrange(99)}",
                "price": round(generator.random() * 10, 2),
                "quantity": generator.randrange(5),
                "name": " ".join(generator.choices(_WORDS, k=5)),
            }
            for _ in range(3)
        ],
        "coupon": None,
        "gift": False,
    }
    made = {
        "messageId": f"{generator.getrandbits(128):032x}",
        "userId": f"user-{person}",
        "anonymousId": f"{person:032x}",
        "timestamp": time,
        "originalTimestamp": time,
        "sentAt": time,
        "receivedAt": time,
        "context": {
            "app": {"name": "Shop", "version": "5.4.0", "build": "123"},
            "os": {"name": "iOS", "version": "17.1"},
            "library": {"name": "analytics-ios", "version": "4.1"},
            "device": {"id": f"{person:032x}", "manufacturer": "Apple", "model": "iPhone14,2", "type": "ios"},
            "ip": "192.0.2.7",
            "locale": "en-US",
            "network": {"carrier": "Carrier", "cellular": True, "wifi": False},
            "timezone": "Europe/Berlin",
            "screen": {"width": 390, "height": 844, "density": 3},
            "userAgent": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X)",
        },
        "integrations": {"All": True},
    }
    if generator.random() < 0.85:
        return made | {"type": "track", "event": "Order Completed", "properties": details}
    return made | {"type": "identify", "traits": {"email": f"user-{person}@example.com", "last_order": details}}

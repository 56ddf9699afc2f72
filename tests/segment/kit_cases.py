"""What Segment's own runtime did with mappings and triggers, and how JSON compares strictly."""

import json
from pathlib import Path
from typing import Any

CONFORMANCE = Path(__file__).parents[1] / "conformance"


def read_cases(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (CONFORMANCE / name).read_text("utf-8").splitlines()]


def strict(value: Any) -> str:
    """Give a text that differs where JSON does: `1`, `1.0` and `true` are three values, the order of keys is none."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)

"""Reading fault programmes: a JSON list of rules, refused by name when one cannot be meant.

    [{"name": "poison", "match": {"event": "Poison"}, "status": 500},
     {"rate": 0.05, "status": 429, "retry_after": 2},
     {"between": [10, 30], "status": 503},
     {"match": {"elements.*.customer_id": "u-7"}, "status": 400},
     {"every": 100, "reset": "after", "times": 3}]

The first rule whose conditions all hold strikes. Conditions: `on` (`events` unless `auth` or `all`), `rate`,
`every`, `first`, `match`, `between`, `times`, `once_per_message`; `seed` draws another series of `rate` and
`latency`. `match` has dotted paths into the body and their values; in a list, a number is an index and `*` any
element. Effects, one at most, with or without a `latency`: `status` (and `retry_after`, `body`, `headers`),
`reset`, `hang`, `truncate`, `html`, `fail_body`, `redirect`, `refuse_users` (customer ids: a 400 that names their
elements of a bulk request). `record: true` keeps a valid event although a
`status`, `hang` or `html` hides that from its sender. `name` is what counts and spool call it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from math import inf, isfinite
from typing import Any

from replay_cli.errors import UsageError
from replay_cli.sandbox.faults import Action, Effect, Rule

RawProgramme = str | bytes | Sequence[Mapping[str, Any]]
"""A programme as JSON text, or as the list that such a text holds."""

DEFAULT_REDIRECT = "/redirected"
_DEFAULT_HTML = "<!doctype html><title>Sign in</title><p>Please sign in to the network.</p>"
_DEFAULT_ERROR = {"type": "InvalidParams", "message": "the event was refused"}


def parse_programme(raw: RawProgramme) -> tuple[Rule, ...]:
    """Read the rules of a programme.

    Raises:
        UsageError: the programme is not a list of valid rules; it names the rule, and what would be valid.
    """
    rules = _load(raw) if isinstance(raw, str | bytes) else raw
    if not isinstance(rules, Sequence):
        raise UsageError("the fault programme is not a JSON list of rules")
    return tuple(_parse_rule(index, rule) for index, rule in enumerate(rules))


def parse_latency(value: Any) -> tuple[float, float]:
    """Read a latency in seconds, or a `[min, max]` of seconds, as a range.

    Raises:
        UsageError: it is neither.
    """
    if not _is_latency(value):
        raise UsageError(f"latency is {_VALID['latency'][1]}, not {value!r}")
    low, high = (value, value) if _is_seconds(value) else value
    return float(low), float(high)


def _load(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(f"the fault programme is not JSON: {error}") from None


def _parse_rule(index: int, raw: Any) -> Rule:
    place = f"fault rule {index + 1}"
    if not isinstance(raw, Mapping):
        raise UsageError(f'{place} is not an object, like {{"rate": 0.05, "status": 500}}')
    if isinstance(raw.get("name"), str):
        place += f" ({raw['name']})"
    for key, value in raw.items():
        _check(place, key, value)
    effects = [key for key in _EFFECTS if key in raw]
    if len(effects) > 1 or not (effects or "latency" in raw):
        raise UsageError(f"{place} needs one effect of {', '.join(_EFFECTS)}, or a latency alone")
    for key, owners in _BELONGS.items():
        if key in raw and not set(owners) & set(effects):
            raise UsageError(f"{place}: {key} goes with {' or '.join(owners)} only")
    return _build_rule(index, raw, effects[0] if effects else "latency")


def _check(place: str, key: str, value: Any) -> None:
    if key not in _VALID:
        raise UsageError(f"{place}: unknown key {key!r}; valid are {', '.join(_VALID)}")
    is_valid, words = _VALID[key]
    if not is_valid(value):
        raise UsageError(f"{place}: {key} is {words}, not {json.dumps(value, default=str)}")


def _build_rule(index: int, raw: Mapping[str, Any], kind: str) -> Rule:
    between = raw.get("between")
    return Rule(
        name=raw.get("name", _describe(raw, kind)),
        effect=_build_effect(raw, kind),
        on=raw.get("on", "events"),
        between=None if between is None else (between[0], inf if between[1] is None else between[1]),
        match=raw.get("match", {}),
        first=raw.get("first"),
        every=raw.get("every"),
        once_per_message=raw.get("once_per_message", False),
        rate=raw.get("rate"),
        times=raw.get("times"),
        seed=raw.get("seed", index),
    )


def _describe(raw: Mapping[str, Any], kind: str) -> str:
    return f"{kind}-{raw[kind]}" if kind in ("status", "reset") else kind


def _build_effect(raw: Mapping[str, Any], kind: str) -> Effect:
    latency = parse_latency(raw.get("latency", 0))
    effect = _BUILDERS[kind](raw)
    return effect._replace(latency=latency, records=raw.get("record", effect.records))


def _build_status(raw: Mapping[str, Any]) -> Effect:
    headers = dict(raw.get("headers", {}))
    if "retry_after" in raw:
        headers["Retry-After"] = str(raw["retry_after"])
    body = raw.get("body")
    is_text = isinstance(body, str)
    return Effect(
        Action.REPLY,
        status=raw["status"],
        headers=headers,
        document=None if is_text else body,
        text=body if is_text else None,
    )


def _build_html(raw: Mapping[str, Any]) -> Effect:
    return Effect(Action.REPLY, text=_DEFAULT_HTML if raw["html"] is True else raw["html"])


def _build_fail_body(raw: Mapping[str, Any]) -> Effect:
    error = _DEFAULT_ERROR if raw["fail_body"] is True else raw["fail_body"]
    return Effect(Action.REPLY, document={"status": "fail", "error": error})


def _build_redirect(raw: Mapping[str, Any]) -> Effect:
    location = DEFAULT_REDIRECT if raw["redirect"] is True else raw["redirect"]
    return Effect(Action.REPLY, status=302, headers={"Location": location}, text="")


_BUILDERS: Mapping[str, Callable[[Mapping[str, Any]], Effect]] = {
    "status": _build_status,
    "reset": lambda raw: Effect(Action.RESET, records=raw["reset"] == "after"),
    "hang": lambda raw: Effect(Action.HANG),
    "truncate": lambda raw: Effect(Action.TRUNCATE, records=True),
    "html": _build_html,
    "fail_body": _build_fail_body,
    "redirect": _build_redirect,
    "refuse_users": lambda raw: Effect(Action.REPLY, status=400, refuses=frozenset(raw["refuse_users"])),
    "latency": lambda raw: Effect(Action.PASS, records=True),
}
_EFFECTS = tuple(kind for kind in _BUILDERS if kind != "latency")
_BELONGS: Mapping[str, tuple[str, ...]] = {
    "retry_after": ("status",),
    "body": ("status",),
    "headers": ("status",),
    "record": ("status", "hang", "html"),
}


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_seconds(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and value >= 0


def _is_latency(value: Any) -> bool:
    return _is_seconds(value) or (_is_pair(value) and all(map(_is_seconds, value)) and value[0] <= value[1])


def _is_pair(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2


def _is_window(value: Any) -> bool:
    if not _is_pair(value) or not _is_seconds(value[0]):
        return False
    return value[1] is None or (_is_seconds(value[1]) and value[0] < value[1])


def _is_header_text(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable()


def _is_headers(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_is_header_text, [*value.keys(), *value.values()]))


_VALID: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "name": (lambda v: isinstance(v, str), "a string"),
    "on": (lambda v: v in ("events", "auth", "all"), '"events", "auth" or "all"'),
    "rate": (lambda v: _is_seconds(v) and v <= 1, "a share from 0 to 1"),
    "every": (_is_count, "a count from 1"),
    "first": (_is_count, "a count from 1"),
    "times": (_is_count, "a count from 1"),
    "match": (lambda v: isinstance(v, Mapping), "an object of paths and values"),
    "between": (_is_window, "a [start, end] of seconds with start < end (end may be null)"),
    "once_per_message": (lambda v: isinstance(v, bool), "true or false"),
    "seed": (lambda v: isinstance(v, int), "an integer"),
    "status": (lambda v: _is_count(v) and 200 <= v <= 599, "a status from 200 to 599"),
    "retry_after": (lambda v: _is_seconds(v) or _is_header_text(v), "seconds or an HTTP date"),
    "body": (lambda v: isinstance(v, Mapping | list | str), "an object, a list or a string"),
    "headers": (_is_headers, "an object of header names and texts"),
    "record": (lambda v: isinstance(v, bool), "true or false"),
    "latency": (_is_latency, "seconds or a [min, max] of seconds"),
    "reset": (lambda v: v in ("before", "after"), '"before" or "after"'),
    "hang": (lambda v: v is True, "true"),
    "truncate": (lambda v: v is True, "true"),
    "html": (lambda v: v is True or isinstance(v, str), "true or the HTML"),
    "fail_body": (lambda v: v is True or isinstance(v, Mapping), "true or the error object"),
    "refuse_users": (lambda v: isinstance(v, list) and all(isinstance(i, str) for i in v), "a list of customer ids"),
    "redirect": (lambda v: v is True or _is_header_text(v), "true or a location"),
}

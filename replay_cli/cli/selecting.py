"""From the options of the groups "What" and "Where from" to what they mean."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from replay_cli.archive import S3Options
from replay_cli.errors import UsageError
from replay_cli.segment.selection import Period, Selection


def selection_from(values: Mapping[str, Any]) -> Selection:
    """Make the selection of the values of `selection_options`; others may be among them.

    Raises:
        UsageError: a period ends before it begins, --late is beyond all dates, or a source id is empty.
    """
    if not all(source_id.strip() for source_id in values["source_id"]):
        raise UsageError("--source-id is empty: give the id of a source as Segment shows it, or leave it out")
    selection = Selection(
        received=_period("--received-from", values["received_from"], "--received-until", values["received_until"]),
        event_time=_period("--from", values["event_from"], "--until", values["event_until"]),
        late=_late(values["late"]),
        source_ids=frozenset(source_id.strip() for source_id in values["source_id"]),
    )
    if not selection.received.overlaps(selection.looked_for):
        raise UsageError(
            f"nothing can lie in both: what happened {selection.event_time} is looked for in what was received "
            f"{selection.looked_for}, but asked for is what was received {selection.received}"
        )
    return selection


def s3_options(values: Mapping[str, Any]) -> S3Options:
    """Make of the values of `s3_options` how to reach S3; where a command has none of them, as AWS's rules say.

    Raises:
        UsageError: the endpoint's URL is none, or has a secret in it.
    """
    endpoint = values.get("s3_endpoint_url") or None
    if endpoint is not None:
        _require_endpoint(endpoint)
    return S3Options(
        profile=values.get("aws_profile") or None,
        endpoint_url=endpoint,
        region=values.get("s3_region") or None,
        requester_pays=values.get("s3_requester_pays", False),
        addressing=values.get("s3_addressing", "auto"),
    )


def _require_endpoint(url: str) -> None:
    try:
        parts = urlsplit(url)
        named = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        named = False
    if not named:
        raise UsageError(f"--s3-endpoint-url {url!r} is no URL: use for example https://minio.example.com:9000")
    if parts.username or parts.password:
        raise UsageError("--s3-endpoint-url has credentials in it: give them by AWS_ACCESS_KEY_ID or --aws-profile")


def _period(from_: str, start: datetime | None, until_: str, until: datetime | None) -> Period:
    if start is not None and until is not None and until <= start:
        raise UsageError(
            f"{until_} {until:%Y-%m-%dT%H:%M:%SZ} is not after {from_} {start:%Y-%m-%dT%H:%M:%SZ}: nothing lies between"
        )
    return Period(start, until)


def _late(seconds: float) -> timedelta:
    try:
        return timedelta(seconds=seconds)
    except OverflowError:
        raise UsageError(f"--late {seconds:g}s is too long: use for example 7d") from None

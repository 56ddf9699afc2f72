"""From the options of the groups "What" and "Where from" to what they mean."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from replay_cli.archive import S3Options
from replay_cli.errors import UsageError
from replay_cli.segment.content import NONE, Content
from replay_cli.segment.event_patterns import require_pattern
from replay_cli.segment.fql import compile_condition
from replay_cli.segment.period import Period
from replay_cli.segment.pointed import PointedError
from replay_cli.segment.sampling import WHOLE, Sample
from replay_cli.segment.selection import Selection
from replay_cli.segment.windows import Windows
from replay_cli.segment.windows_csv import read_windows

_WINDOWS_BYTES = 32 << 20
"""More than as many windows as a job may have need."""


def selection_from(values: Mapping[str, Any]) -> Selection:
    """Make the selection of the values of `selection_options`; others may be among them. Reads the file of windows.

    Raises:
        UsageError: an option cannot be understood, a file not be read, or nothing could meet all options at once.
    """
    selection = Selection(
        received=_period("--received-from", values["received_from"], "--received-until", values["received_until"]),
        event_time=_period("--from", values["event_from"], "--until", values["event_until"]),
        late=_late(values["late"]),
        source_ids=_source_ids(values["source_id"]),
        windows=None if values["windows"] is None else _windows(values["windows"]),
        content=_content(values),
    )
    _require_times(selection)
    _require_events(selection)
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


def _source_ids(source_ids: Sequence[str]) -> frozenset[str]:
    if not all(source_id.strip() for source_id in source_ids):
        raise UsageError("--source-id is empty: give the id of a source as Segment shows it, or leave it out")
    return frozenset(source_id.strip() for source_id in source_ids)


def _content(values: Mapping[str, Any]) -> Content:
    return Content(
        types=frozenset(values["type"]),
        without_identifies=values["identify"] == NONE,
        events=_events(values["event"]),
        user_ids=_texts("--user-id", values["user_id"]),
        without_device_mode=values["exclude_device_mode"],
        without_turned_off=values["exclude_integrations"],
        consent=_texts("--require-consent", values["require_consent"]),
        where=_where(values["where"]),
        sample=_sample(values["sample"]),
    )


def _texts(option: str, texts: Sequence[str]) -> frozenset[str]:
    """Take the texts of an option just as they are: spaces around an id can be a part of it."""
    for text in texts:
        if not text.strip():
            raise UsageError(f"{option} is empty: give a value, or leave it out")
        if not _is_unicode(text):
            raise UsageError(f"{option} {text!r} is not UTF-8")
    return frozenset(texts)


def _events(patterns: Sequence[str]) -> frozenset[str]:
    for pattern in patterns:
        try:
            require_pattern(pattern)
        except PointedError as error:
            raise UsageError(str(error.named("--event"))) from None
    return _texts("--event", patterns)


def _where(text: str | None) -> str:
    if text is None:
        return ""
    (where,) = _texts("--where", [text.strip()])
    try:
        compile_condition(where)
    except PointedError as error:
        raise UsageError(str(error.named("--where"))) from None
    return where


def _sample(text: str | None) -> Sample:
    if text is None:
        return WHOLE
    try:
        return Sample.read(text)
    except ValueError as error:
        raise UsageError(f"--sample: {error}") from None


def _windows(path: Path) -> Windows:
    name = f"--windows {path}"
    try:
        with path.open("rb") as file:
            content = file.read(_WINDOWS_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}") from None
    if len(content) > _WINDOWS_BYTES:
        raise UsageError(f"{name} has more than {_WINDOWS_BYTES >> 20} MiB: is it a list of known failures?")
    try:
        return read_windows(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{name}, line {line}: this is not UTF-8: save it as CSV in UTF-8") from None
    except PointedError as error:
        raise UsageError(str(error.named(name))) from None


def _require_times(selection: Selection) -> None:
    """Refuse times and sources that no record can have."""
    received, windows = selection.received, selection.windows
    looked_for = f"what happened {selection.event_time} is looked for in what was received {selection.looked_for}"
    if not received.overlaps(selection.looked_for):
        raise UsageError(f"nothing can lie in both: {looked_for}, but asked for is what was received {received}")
    if windows is None:
        return
    if not windows.overlaps(received):
        raise UsageError(f"nothing can lie in both: all windows lie outside of what was received {received}")
    if not windows.overlaps(selection.looked_for):
        raise UsageError(f"nothing can lie in both: {looked_for}, and all windows lie outside of that")
    if windows.sources and selection.source_ids and not windows.sources & selection.source_ids:
        raise UsageError("nothing can lie in both: all windows are of other sources than those of --source-id")


def _require_events(selection: Selection) -> None:
    """Refuse types that contradict other options."""
    content, windows = selection.content, selection.windows
    if content.without_identifies and "identify" in content.types:
        raise UsageError("--type identify and --identify none contradict each other: leave one of them out")
    if not content.types or "track" in content.types:
        return
    alone = "only tracks have an event, so give --type track too, or leave one of them out"
    if content.events:
        raise UsageError(f"nothing can match both --event and --type {' --type '.join(sorted(content.types))}: {alone}")
    if windows is not None and all(window.event for window in windows.rows):
        raise UsageError(f"all windows name events, and --type does not: {alone}")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


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

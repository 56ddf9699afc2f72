"""What MoEngage's Segment endpoint says about the body of an event, as documented."""

from replay_cli.sandbox.fields import Document, allow_object, refuse_future
from replay_cli.sandbox.verdicts import Flaw, Verdict, accept, failure, invalid, missing


def judge_event(event: Document, now: float) -> Verdict:
    """Give the answer to an event's body; `now` is unix seconds."""
    flaw = _find_flaw(event, now)
    if flaw is None:
        return accept()
    return failure(400, f"{flaw.attribute} {flaw.message}", flaw.error_type, flaw.attribute)


def _find_flaw(event: Document, now: float) -> Flaw | None:
    for name in ("type", "event", "user_id", "anonymous_id"):
        if not isinstance(event.get(name), str | None):
            return invalid(name, "must be a string")
    if not event.get("type"):
        return missing("type")
    if event["type"] == "track" and not event.get("event"):
        return missing("event", "is required for track")
    if not event.get("user_id") and not event.get("anonymous_id"):
        return missing("user_id", "or anonymous_id is required")
    return (
        allow_object(event, "traits")
        or allow_object(event, "properties")
        or allow_object(event, "context")
        or _find_time_flaw(event, now)
    )


def _find_time_flaw(event: Document, now: float) -> Flaw | None:
    return refuse_future(event, "timestamp", now) if event.get("timestamp") is not None else None

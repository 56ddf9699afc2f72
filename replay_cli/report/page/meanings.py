"""What reasons and rules mean, in a few words for a reader who meets them for the first time.

Of MoEngage's limits and Segment's checks they say what `moengage.limits` and `moengage.preflight` hold.
"""

_MEANINGS = {
    "not_subscribed": "a type that the destination does not take, as at Segment",
    "anonymous": "no user id, which this API needs",
    "suppressed": "on the list of people to whom nothing is sent",
    "suppressed_by_email": "an address on the list of people to whom nothing is sent",
    "device_mode": "from a library that may have reached MoEngage by its own SDK",
    "integration_off": "the message itself turned MoEngage off",
    "no_consent": "without the consent that was asked for",
    "duplicate": "a message id that was there shortly before",
    "identify_left_out": "identifies were not to be sent",
    "other_type": "not of the types chosen",
    "other_event": "not of the events chosen",
    "other_user": "not of the users chosen",
    "other_source": "not of the sources chosen",
    "unknown_source": "its path names no source",
    "outside_received_range": "received outside the time chosen",
    "outside_event_time": "happened outside the time chosen",
    "outside_windows": "received outside the windows of known failures",
    "no_received_at": "no time of receipt to choose it by",
    "no_timestamp": "no time to choose it by",
    "not_where": "the condition is not true of it",
    "not_sampled": "of a user outside the sample",
    "not_in_only_ids": "its message id is not on the list",
    "in_except_ids": "its message id is on the list of those left out",
    "malformed_json": "the line is no JSON",
    "not_an_object": "JSON, but no object",
    "invalid_utf8": "bytes that are no text",
    "too_deep": "nested deeper than 250 levels",
    "oversized": "more than 1 MiB",
    "truncated": "its end is missing",
    "invalid_trigger": "the trigger of a subscription fails on it",
    "missing_event": "a track without the name of its event",
    "no_identity": "neither a user id nor an anonymous id: nobody could receive it",
    "future_date": "a time in the future, which MoEngage does not accept",
    "too_large": "the request would be larger than MoEngage takes",
    "url_too_long": "a URL over 512 characters, which MoEngage refuses",
    "reserved_id": "a user id that MoEngage does not take for a user",
    "invalid_list": "a list that is too long, of long texts, or of several types",
    "reserved_attribute": "an attribute called id, _id or nothing, which MoEngage does not take",
    "name_cut": "a name over 200 characters: MoEngage cuts it",
    "value_cut": "a text over 512 characters: MoEngage cuts it",
    "reserved_name": "a name that begins with moe_, which is MoEngage's own",
    "too_many_attributes": "more attributes than MoEngage takes of an event or a user",
    "object_too_large": "an object over 25 KB",
    "object_too_many_keys": "an object with more than 100 keys",
    "object_too_deep": "objects of more than 2 levels: MoEngage makes a text of the deeper",
    "object_key": "a key with one of $ . % #",
    "nested_list": "within an object, a list beyond the limits of lists",
    "nested_url": "within an object, a URL over 512 characters",
    "missing_time": "no time: MoEngage takes the time of receipt, which is wrong for history",
    "lone_surrogate": "half a character: sent as U+FFFD",
    "unknown_type": "it looks like no message of Segment's",
    "unknown_consent_category": "it names no consent of a category that is asked for",
    "in_doubt": "perhaps it arrived: no answer was seen, and it was not to be sent twice",
}
_BEGINNINGS = (
    ("invalid_", "Segment's own validation refuses it"),
    ("missing_", "Segment's own validation refuses it"),
    ("filtered:", "a filter of the destination leaves it out"),
    ("filter_sampled:", "a filter of the destination takes a part only"),
    ("exhausted:", "it failed until its retries were used up"),
    ("http_", "MoEngage refused it"),
)
_ANSWERS = {
    "429": "too many requests: everybody waits, then goes on more slowly",
    "not_sent": "no connection: certainly not sent",
    "timeout": "no answer in time: in doubt",
    "reset": "the connection broke: in doubt",
    "truncated": "the reply broke off: in doubt",
    "interrupted": "the run was killed meanwhile: in doubt",
}


def meaning(reason: str) -> str:
    """Return what a reason or a rule means; empty where its name is all that is known."""
    known = _MEANINGS.get(reason)
    if known is not None:
        return known
    return next((words for beginning, words in _BEGINNINGS if reason.startswith(beginning)), "")


def answer_meaning(label: str) -> str:
    """Return what a label of `by_status` means."""
    if label in _ANSWERS:
        return _ANSWERS[label]
    if label in ("502", "504"):
        return "a gateway failed: in doubt"
    return _CLASSES.get(label[:1], "") if label.isdigit() else ""


_CLASSES = {
    "2": "accepted",
    "3": "a redirect, which is not followed",
    "4": "refused",
    "5": "MoEngage failed: tried again",
}

"""What each reply means (DESIGN rule 3; the verdicts are those of Segment's runtime and of MoEngage's documents)."""

import json
from email.utils import formatdate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.moengage.replies import Failure, Outcome, Reply, Verdict, classify

NOW = 1_700_000_000.0
SUCCESS = b'{"status":"success","message":"ok"}'


def failing(kind: str | None = None, message: str = "", **more: Any) -> bytes:
    error = {"type": kind, "message": message, "request_id": "r"} | more
    return json.dumps({"status": "fail", "error": error}).encode()


def verdict(status: int, body: bytes = b"", content_type: str = "application/json") -> Verdict:
    return classify(Reply(status, body, content_type), NOW).verdict


@pytest.mark.parametrize("status", [200, 201, 202, 204])
@pytest.mark.parametrize("body", [SUCCESS, b"", b"ok", b"[]", b'{"message":"fail"}', b'{"status":"fai'])
def test_2xx_is_delivered(status: int, body: bytes) -> None:
    assert classify(Reply(status, body), NOW) == Outcome(Verdict.DELIVERED)


def test_2xx_that_says_fail_is_refused_with_its_error() -> None:
    outcome = classify(Reply(200, failing("InvalidParams", "no such app", attribute="app")), NOW)
    assert outcome == Outcome(Verdict.REFUSED, "http_200:InvalidParams:app", "HTTP 200 no such app")


@pytest.mark.parametrize(
    "reply", [Reply(200, b"x", "text/html"), Reply(200, b" \n<!doctype html>"), Reply(201, b"<html>")]
)
def test_2xx_with_html_stops_the_run(reply: Reply) -> None:
    assert classify(reply, NOW).verdict is Verdict.STOP


@pytest.mark.parametrize("status", [408, 423, 429, 500, 503, 505, 507, 520, 599])
def test_what_may_pass_later_is_retried(status: int) -> None:
    outcome = classify(Reply(status, failing("X", "later")), NOW)
    assert outcome._replace(pause=0) == Outcome(Verdict.RETRY, f"http_{status}", f"HTTP {status} later")
    assert bool(outcome.pause) == (status == 429), "only a 429 makes everybody wait"


@pytest.mark.parametrize("status", [502, 504])
def test_what_a_gateway_says_leaves_doubt(status: int) -> None:
    assert verdict(status, b"<html>Bad Gateway</html>", "text/html") is Verdict.IN_DOUBT


@pytest.mark.parametrize("status", [400, 402, 404, 405, 413, 415, 422, 451, 499, 501])
def test_other_refusals_are_the_messages_fault(status: int) -> None:
    assert verdict(status, b"<html>", "text/html") is Verdict.REFUSED


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_a_redirect_is_not_followed_and_stops_the_run(status: int) -> None:
    outcome = classify(Reply(status, b"", "text/html"), NOW)
    assert (outcome.verdict, outcome.reason) == (Verdict.STOP, f"http_{status}")
    assert "redirect" in outcome.detail


@pytest.mark.parametrize("status", [401, 403, 409, 101])
def test_what_nothing_else_would_pass_either_stops_the_run(status: int) -> None:
    outcome = classify(Reply(status, failing("Auth", "check the key")), NOW)
    assert outcome == Outcome(Verdict.STOP, f"http_{status}", f"HTTP {status} check the key")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (failing("MissingAttributeError", "m", attribute="user_id"), "http_400:MissingAttributeError:user_id"),
        (failing("InvalidParams"), "http_400:InvalidParams"),
        (failing(), "http_400"),
        (b"", "http_400"),
        (b"no json", "http_400"),
        (b'"text"', "http_400"),
        (b'{"error": "text"}', "http_400"),
        (b'{"error": {"type": {"odd": 1}}}', "http_400:{'odd': 1}"),
    ],
)
def test_a_refusal_is_named_by_the_errors_type_and_attribute(body: bytes, reason: str) -> None:
    assert classify(Reply(400, body), NOW).reason == reason


@pytest.mark.parametrize(
    ("attribute", "named"),
    [
        ("elements[3].customer_id", ":customer_id"),
        ("elements.3.customer_id", ":customer_id"),
        ("$.elements[12].actions[0].action", ":actions[0].action"),
        ("elements[3]", ""),
        ("elements.3", ""),
        ("elements", ":elements"),
        ("elements[3]customer_id", ":elements[3]customer_id"),
        ("my_elements[3].customer_id", ":my_elements[3].customer_id"),
        ("attributes.elements[3].x", ":attributes.elements[3].x"),
        ("elements[3].elements[4].x", ":elements[4].x"),
    ],
)
def test_a_refusal_is_not_named_by_the_element_that_it_is_about(attribute: str, named: str) -> None:
    """Or each record of a bulk request had a reason of its own."""
    assert classify(Reply(400, failing("InvalidParams", attribute=attribute)), NOW).reason == (
        f"http_400:InvalidParams{named}"
    )


def test_names_and_details_are_bounded_and_on_one_line() -> None:
    outcome = classify(Reply(400, failing("T" * 5000, "a\n\nb" + "m" * 5000)), NOW)
    assert len(outcome.reason) <= 200
    assert len(outcome.detail) <= 300
    assert "\n" not in outcome.detail


# -- without a reply ------------------------------------------------------------------------------------------


def test_nothing_sent_is_certain() -> None:
    outcome = classify(Reply(failure=Failure.NOT_SENT, cause="refused"), NOW)
    assert outcome == Outcome(Verdict.RETRY, "not_sent", "refused")


@pytest.mark.parametrize("failure", [Failure.TIMEOUT, Failure.RESET, Failure.TRUNCATED])
def test_what_the_network_cuts_off_leaves_doubt(failure: Failure) -> None:
    outcome = classify(Reply(failure=failure, cause="cut"), NOW)
    assert outcome == Outcome(Verdict.IN_DOUBT, str(failure), "cut")


def test_a_reply_is_counted_by_status_or_failure() -> None:
    assert (Reply(503).label, Reply(failure=Failure.RESET).label) == ("503", "reset")


# -- how long everybody waits after a 429 ---------------------------------------------------------------------

DEFAULT = 1.0


def pause(retry_after: str | None = None, rate_reset: str | None = None) -> float:
    return classify(Reply(429, retry_after=retry_after, rate_reset=rate_reset), NOW).pause


@pytest.mark.parametrize(
    ("retry_after", "rate_reset", "seconds"),
    [
        ("7", None, 7.0),
        (" 2.5 ", None, 2.5),
        (None, "12", 12.0),
        (None, str(int(NOW) + 30), 30.0),
        ("7", "12", 7.0),
        (None, None, DEFAULT),
    ],
)
def test_the_pause_is_what_the_reply_says(retry_after: str | None, rate_reset: str | None, seconds: float) -> None:
    assert pause(retry_after, rate_reset) == seconds


@pytest.mark.parametrize("zone", ["GMT", "+0000", "-0000", ""])
def test_a_date_is_taken_as_gmt_whatever_this_machines_zone(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert pause(formatdate(NOW + 90, usegmt=True).replace("GMT", zone)) == 90.0
        assert pause("Tue, 14 Nov 2023 19:14:50 -0300") == 90.0
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    "nonsense",
    [
        *["", "soon", "nan", "inf", "-inf", "1e999", "-5", "0", "1000000001", "Mon, 99 Foo 2025"],
        *["Mon, 01 Jan 0001 00:00:00", "Mon, 01 Jan 0001 00:00:00 +1400", "1 Jan 99999999999999999999 00:00:00 GMT"],
        formatdate(NOW - 60, usegmt=True),
    ],
)
def test_nonsense_and_the_past_are_passed_over(nonsense: str) -> None:
    """The next hint counts, then the default; a 429 always makes everybody wait."""
    assert pause(nonsense, None) == DEFAULT
    assert pause(nonsense, "9") == 9.0
    assert pause(None, nonsense) == DEFAULT


# -- anything at all ------------------------------------------------------------------------------------------

HINTS = st.none() | st.text(max_size=20) | st.floats().map(str) | st.integers().map(str) | st.datetimes().map(str)
HINTS |= st.builds(
    "{}, {} {} {} {}:{}:{} {}".format,
    *[st.sampled_from(["Mon", "1", "31", "Jan", "99", "2025", "0", "GMT", "-9999", "9" * 20])] * 8,
)
PLAIN = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["fail", "success"])
NAMES = st.sampled_from(["status", "error", "type", "attribute", "message", "x"])
ERRORS = st.dictionaries(NAMES, PLAIN | st.lists(PLAIN, max_size=2) | st.dictionaries(NAMES, PLAIN), max_size=4)
DOCUMENTS = st.dictionaries(NAMES, PLAIN | ERRORS, max_size=4) | PLAIN | st.lists(ERRORS, max_size=2)
BODIES = st.binary(max_size=60) | DOCUMENTS.map(lambda value: json.dumps(value).encode())


@given(
    st.builds(
        Reply,
        st.integers(0, 999),
        BODIES | BODIES.map(lambda body: b"[" * 2000 + body),
        st.sampled_from(["", "text/html", "application/json", "nonsense"]) | st.text(max_size=10),
        HINTS,
        HINTS,
        st.none() | st.sampled_from(list(Failure)),
        st.text(max_size=5),
    ),
    st.sampled_from([0.0, NOW]),
)
def test_every_reply_has_a_meaning(reply: Reply, now: float) -> None:
    outcome = classify(reply, now)
    assert outcome.pause >= 0.0
    assert (outcome.pause > 0) == (reply.failure is None and reply.status == 429)
    assert bool(outcome.reason) == (outcome.verdict is not Verdict.DELIVERED)

"""A word to somebody at the end of a run, or when it stalls: a POST to a URL that is a secret itself."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from email.message import Message
from http.client import HTTPException
from typing import IO, Any
from urllib.request import Request

TRIES = 3
TIMEOUT = 10.0
"""Seconds for one try."""
_PAUSES = (1.0, 3.0)
"""Seconds between tries."""
_MORE = 5.0
"""Seconds beyond those of all tries after which nobody waits any longer."""
_FINISHED = {"complete": "finished"}
_MARKS = {"finished": ":white_check_mark:", "failed": ":x:", "stalled": ":warning:", "interrupted": ":warning:"}
_PAUSED, _INCOMPLETE = ":pause_button:", ":warning:"


class Messenger:
    """Posts documents as JSON; never raises, and never says where to.

    Args:
        url: where to.
        proxies: scheme → proxy; None: those of the environment.
        pauses: seconds between the tries.
    """

    def __init__(self, url: str, proxies: Mapping[str, str] | None = None, pauses: tuple[float, ...] = _PAUSES) -> None:
        self._url = url
        self._pauses = pauses
        proxy = urllib.request.ProxyHandler(None if proxies is None else dict(proxies))
        self._opener = urllib.request.build_opener(proxy, _NoRedirect)
        self._over = threading.Event()

    def post(self, document: Mapping[str, Any]) -> str:
        """Post a document, in at most `TRIES`; return why that failed, empty when it did not."""
        problems: list[str] = []
        body = json.dumps(document, default=str).encode()

        def deliver() -> None:
            for number in range(TRIES):
                if number:
                    self._over.wait(self._pauses[number - 1])
                problems.append(self._try(body))
                if not problems[-1]:
                    return

        # In a thread that may be left behind: a time-out of a socket bounds no trickle.
        thread = threading.Thread(target=deliver, name="on-finish", daemon=True)
        thread.start()
        thread.join(TRIES * TIMEOUT + sum(self._pauses) + _MORE)
        return "no answer in time" if thread.is_alive() or not problems else problems[-1]

    def _try(self, body: bytes) -> str:
        """Make one try; return why it failed, in words that do not name the URL."""
        request = Request(self._url, data=body, headers={"Content-Type": "application/json"}, method="POST")  # noqa: S310 # the scheme was looked at
        try:
            with self._opener.open(request, timeout=TIMEOUT) as reply:
                return "" if 200 <= reply.status < 300 else f"HTTP {reply.status}"
        except urllib.error.HTTPError as error:
            error.close()
            return f"HTTP {error.code}"
        except TimeoutError:
            return "no answer in time"
        except urllib.error.URLError as error:
            return "no answer in time" if isinstance(error.reason, TimeoutError) else "no connection"
        except (OSError, HTTPException, ValueError):
            return "the connection broke"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str) -> None:
        """Follow none: the URL was given to us, and nobody else may say where the summary goes."""


def message(
    event: str, job: str | None, run: str, host: str, exit_code: int | None, summary: Mapping[str, Any] | None, why: str
) -> dict[str, Any]:
    """Make the document of an event: `text` is for Slack and whatever understands its hooks.

    Args:
        event: finished, failed, paused, stalled or interrupted.
        job: its name; None when it was not known yet.
        run: names the invocation.
        host: where it ran.
        exit_code: its exit code; None while it goes on.
        summary: as `discreet_summary` makes it; None when there is none.
        why: the reason, discreetly; empty when there is none.
    """
    mark = _INCOMPLETE if event == "finished" and exit_code else _MARKS.get(event, _PAUSED)
    parts = [f"{mark} replay job *{_slack(job or '?')}* {event} on {_slack(host)}"]
    if exit_code is not None:
        parts[0] += f" (exit {exit_code})"
    if summary is not None and "records" in summary:
        parts.append(_book(summary["records"], summary.get("in_doubt", 0)))
    if why:
        parts.append(_slack(why))
    known = {"event": event, "job": job, "run": run, "host": host, "exit_code": exit_code}
    return {"text": "\n".join(parts), **known, "reason": why, "summary": None if summary is None else dict(summary)}


def event_of(state: str) -> str:
    """Return how an ending is called: a complete run has finished."""
    return _FINISHED.get(state, state)


def _book(records: Mapping[str, int], in_doubt: int) -> str:
    numbers = [f"{records.get(name, 0):,} {name.replace('_', ' ')}" for name in ("delivered", "pending")]
    numbers += [f"{n:,} {name.replace('_', ' ')}" for name in ("dead_lettered", "rejected") if (n := records.get(name))]
    return ", ".join([*numbers, f"{in_doubt:,} in doubt"] if in_doubt else numbers)


def _slack(text: str) -> str:
    """Escape what Slack takes for markup: nobody is called by what a file is named."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

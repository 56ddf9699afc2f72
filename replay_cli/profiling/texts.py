"""Untrusted texts made fit to be kept and shown: short, and nothing in them that a terminal would act on (pure)."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from replay_cli.moengage.limits import MOST_NAME
from replay_cli.segment.lists import text_of_id

NONE = "(none)"
"""What stands for a name that a message does not have."""
LONGEST_ID = 100
"""Characters of an id that is kept as it is, as long as a `messageId` may be (documented)."""
_REMAINS = 60
_STRING = {str}


def ids(values: Sequence[Any]) -> Sequence[str]:
    """Return ids as short texts, as they would reach MoEngage; "" for none. Different ids stay different."""
    # Every record passes here, so what nearly all are is told without a call for each.
    found: Sequence[str] = values
    if not _STRING.issuperset(map(type, values)):
        found = [value if value.__class__ is str else text_of_id(value) or "" for value in values]
    return short(found)


def short(texts: Sequence[str]) -> Sequence[str]:
    """Return texts, with the rest of those that are too long as a digest: different ones stay different."""
    if max(map(len, texts), default=0) <= LONGEST_ID:
        return texts
    return [text if len(text) <= LONGEST_ID else _shortened(text) for text in texts]


def name(text: str | None) -> str:
    """Return a name at its first 200 characters, which is where MoEngage cuts them; `NONE` for none."""
    return text[:MOST_NAME] if text else NONE


def legible(text: str, most: int) -> str:
    """Return the beginning of a text, with U+FFFD for every sign that is not printed."""
    shown = text if len(text) <= most else f"{text[: most - 1]}…"
    return shown if shown.isprintable() else "".join(sign if sign.isprintable() else "\ufffd" for sign in shown)


def valid(text: str) -> str:
    """Return a text as valid Unicode: paths need not be."""
    return text.encode(errors="replace").decode()


def _shortened(text: str) -> str:
    digest = blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()
    return f"{text[:_REMAINS]}…{digest}"

"""The URL of `--on-finish-file`: a secret, from a file or the environment, and said nowhere."""

import os
from pathlib import Path

from yarl import URL

from replay_cli.delivery.loopback import is_loopback
from replay_cli.errors import UsageError
from replay_cli.telling.messenger import Messenger

VARIABLE = "REPLAY_ON_FINISH_URL"
_MOST_BYTES = 4096


def messenger_from(file: Path | None) -> Messenger | None:
    """Return who tells somebody at the end; None when nobody is to be told.

    Args:
        file: holds the URL; None: the environment may.

    Raises:
        UsageError: the file cannot be read, or the URL cannot be used.
    """
    if file is not None:
        place, text = f"--on-finish-file {file}", _read(file)
    else:
        place, text = VARIABLE, os.environ.get(VARIABLE, "").strip()
        if not text:
            return None
    # As it was written, because it may be signed; and no proxy knows this machine's own names.
    return Messenger(text, {} if is_loopback(_url(place, text)) else None)


def _read(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            text = stream.read(_MOST_BYTES).decode().strip()
    except OSError as error:
        raise UsageError(f"--on-finish-file {file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"--on-finish-file {file} is not text: it should hold a URL") from None
    if not text:
        raise UsageError(f"--on-finish-file {file} is empty: it should hold a URL")
    return text


def _url(place: str, text: str) -> URL:
    """Return the URL, if it can be used; what is wrong with it is said without it."""
    try:
        url = URL(text)
    except ValueError:
        url = URL()
    if (
        url.scheme not in ("http", "https")
        or not url.host
        or not (text.isascii() and text.isprintable())
        or " " in text
    ):
        raise UsageError(f"{place} holds no URL that something could be posted to: it should begin with https://")
    if url.scheme == "http" and not is_loopback(url):
        raise UsageError(f"{place} holds an http URL, which would show the summary to the network: use https")
    if url.user or url.password:
        raise UsageError(f"{place} holds a URL with credentials before its host, which no hook needs: leave them out")
    return url

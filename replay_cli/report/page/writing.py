"""A file that is replaced whole, or left as it was."""

import os
from contextlib import suppress
from pathlib import Path

from replay_cli.errors import FatalError


def write_whole(path: Path, text: str) -> None:
    """Put a text in a file's place, 0600; who reads meanwhile sees the old one or the new one.

    What is no file (`/dev/stdout`) is written to, and never replaced.

    Raises:
        FatalError: it cannot be written.
    """
    try:
        place = path.resolve()
        if place.exists() and not place.is_file() and not place.is_dir():
            place.write_text(text, encoding="utf-8")
        else:
            _replace(place, text)
    except OSError as error:
        raise FatalError(f"cannot write the report {path}: {error.strerror}; name another file") from None


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink()
        raise

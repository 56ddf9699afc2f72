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
        if path.exists() and not path.is_file() and not path.is_dir():
            path.write_text(text, encoding="utf-8")  # as it is: what a pipe resolves to has no name
        else:
            _replace(path.resolve(), text)
    except OSError as error:
        raise FatalError(f"cannot write the report {path}: {error.strerror}; name another file") from None


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)  # never through another one's link
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        draft.replace(path)
    except BaseException:  # an interruption, too: it holds excerpts
        with suppress(OSError):
            draft.unlink()
        raise

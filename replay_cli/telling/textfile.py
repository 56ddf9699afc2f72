"""A small file that others read at any time: it is whole, whenever they look."""

import os
from contextlib import suppress
from pathlib import Path

_READABLE = 0o644
"""The collector of node_exporter is another user."""


def replace_file(path: Path, text: bytes) -> None:
    """Put a file in the place of what is there, at once.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)  # of a process that died, and had this number
    try:
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _READABLE), "wb") as file:
            os.fchmod(file.fileno(), _READABLE)
            file.write(text)
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink()
        raise

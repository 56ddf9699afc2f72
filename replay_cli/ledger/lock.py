"""Locks between runs: `flock`, so that a dead process leaves none behind."""

import fcntl
import hashlib
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from replay_cli.errors import BusyError, FatalError

_LOOKS, _LOOK_SECONDS = 4, 0.05
_MACHINE_WIDE = (Path("/run/lock"), Path("/var/lock"))
_DIRECTORY = "REPLAY_LOCK_DIR"
"""The variable that names another directory for locks between the runs of a machine."""


class RunLock:
    """A lock file that names its holder; a context manager.

    Args:
        path: the lock file; it is removed with the lock, and one of a dead process means nothing.
        purpose: what the lock is for, as in "another run is using …".
    """

    def __init__(self, path: Path, purpose: str) -> None:
        self._path = path
        self._purpose = purpose
        self._descriptor = -1
        self._writable = True

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            BusyError: another process holds it; the text names its pid.
            FatalError: it cannot be written.
        """
        while True:
            try:
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._descriptor = self._open()
            except OSError as error:
                raise FatalError(f"cannot write in {self._path.parent}: {error.strerror} ({self._path.name})") from None
            self._lock()
            if self._is_current():
                break
            os.close(self._descriptor)  # its last holder removed it meanwhile: lock the one that is there now
        if self._writable:
            with suppress(OSError):  # a full disk: the lock holds, it only has no name on it
                os.ftruncate(self._descriptor, 0)
                os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)
        return self

    def _lock(self) -> None:
        try:
            self._take()
        except OSError as error:
            holder = os.read(self._descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(self._descriptor)
            if not isinstance(error, BlockingIOError):
                raise FatalError(f"cannot lock {self._path}: {error.strerror}") from None
            raise BusyError(f"another run (pid {holder}) is using {self._purpose}; wait for it, or stop it") from None

    def _take(self) -> None:
        for _ in range(_LOOKS):  # `is_locked` holds it for an instant
            with suppress(BlockingIOError):
                return fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            time.sleep(_LOOK_SECONDS)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return None

    def _is_current(self) -> bool:
        """Tell whether the locked file is still the one of that name."""
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._path.stat(follow_symlinks=False))
        except FileNotFoundError:
            return False

    def _open(self) -> int:
        flags = os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            return os.open(self._path, os.O_CREAT | os.O_RDWR | flags, 0o644)
        except PermissionError:  # another user's file: a lock needs no more than to read it
            self._writable = False
            return os.open(self._path, os.O_RDONLY | flags)

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # another user's file stays
            self._path.unlink()
        os.close(self._descriptor)


def checkpoint_lock(checkpoint: Path) -> RunLock:
    """One run a checkpoint. The lock is a file of its own: closing the database would drop SQLite's own locks."""
    return RunLock(checkpoint.with_name(checkpoint.name + ".lock"), f"the checkpoint {checkpoint}")


def workspace_lock(endpoint: str, workspace_id: str) -> RunLock:
    """One run a workspace on this machine, because its runs would share one cap without knowing of each other."""
    name = hashlib.sha256(f"{endpoint}\n{workspace_id}".encode()).hexdigest()[:16]
    return RunLock(_lock_directory() / f"replay-{name}.lock", f"the workspace {workspace_id} at {endpoint}")


def is_locked(checkpoint: Path) -> bool:
    """Tell whether a run holds a checkpoint now."""
    path = checkpoint.with_name(checkpoint.name + ".lock")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _lock_directory() -> Path:
    if named := os.environ.get(_DIRECTORY):
        return Path(named)
    for directory in _MACHINE_WIDE:
        if directory.is_dir() and os.access(directory, os.W_OK):
            return directory
    return Path(tempfile.gettempdir())

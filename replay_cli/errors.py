"""Exceptions, named by what the operator does next.

    ReplayError                 every error of this program; its text is one sentence for a person
    ├── UsageError              change the command line and run again                    exit 2
    ├── FatalError              fix something outside, then run the same command again   exit 1
    │   ├── BookError           report a bug: the numbers do not add up                  exit 1
    │   ├── BusyError        wait: another run is at work on the same                    exit 1
    │   └── ChangedObjectError  run again: an object is not what was listed any more     exit 1
    ├── PausedError             run the same command again, later                        exit 4
    └── DamagedObjectError      nothing now; the object is named in the summary          exit 3, at the end

Errors are raised where they happen and printed at the rim (`cli`), as one sentence that names the thing, its
place and what to do.
"""


class ReplayError(Exception):
    """Any error of this program. `str(error)` is one sentence for a person."""

    exit_code = 1


class UsageError(ReplayError):
    """The command, its options or its job cannot be understood, or contradict the checkpoint."""

    exit_code = 2


class FatalError(ReplayError):
    """The run cannot go on: something outside (a credential, a disk, a file) must be fixed first."""


class BookError(FatalError):
    """The closed book does not close: records were counted twice or not at all, which is a bug."""


class BusyError(FatalError):
    """Another run has what this one needs: the checkpoint, or the workspace. This one has done nothing."""


class ChangedObjectError(FatalError):
    """An object is not what was listed any more: another one was put in its place, or it is gone.

    Args:
        uri: the object.
        how: what happened to it, for a person: `changed`, `is gone`.
    """

    def __init__(self, uri: str, how: str) -> None:
        super().__init__(f"{uri} {how} since it was listed: run the same command again")
        self.uri = uri
        self.how = how


class PausedError(ReplayError):
    """The run stopped before its end, on purpose; the same command goes on."""

    exit_code = 4


class DamagedObjectError(ReplayError):
    """An object cannot be read beyond a point; everything before that point was given out.

    Args:
        uri: the object.
        cause: what is wrong with it and where, for a person.
    """

    exit_code = 3

    def __init__(self, uri: str, cause: str) -> None:
        super().__init__(f"{uri}: {cause}")
        self.uri = uri
        self.cause = cause

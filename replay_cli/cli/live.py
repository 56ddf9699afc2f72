"""Whether a job may send what is new while Segment delivers that live, and who answers where nobody is there."""

import sys
import time
from collections.abc import Mapping
from typing import Any

from replay_cli.cli.destination import choose
from replay_cli.cli.job_file import JobFile
from replay_cli.errors import UsageError


def require_told(job: JobFile, values: Mapping[str, Any]) -> None:
    """Refuse a job that would double what is delivered live, or does not say whether it would.

    It may leave that unsaid, and may have live delivery beside it, where it names what failed (`--windows`,
    `--only-ids`), or where it is cut off by receipt (`--received-until`, a past time): then nothing new is sent.

    Args:
        job: the job's file.
        values: the options of `replay run`, from wherever they come.

    Raises:
        UsageError: the job file must say something, or something else.
    """
    if job.live is False or values["dry_run"] or _is_bounded(values):
        return
    destination = choose(values["region"], values["endpoint"], values["sandbox"], values["workspace_id"])
    if destination.is_local:
        return
    if job.live:
        raise UsageError(
            f"{job.path}: live-destination = true: what is new under the sources is delivered live too, and would "
            "arrive twice: name what failed, with windows or only-ids, or cut it off with received-until, at a time "
            "that is past"
        )
    raise UsageError(
        f"{job.path} does not say whether Segment delivers to workspace {destination.workspace_id} live, too: write "
        "live-destination = false where it does not; where it does, what is new would arrive twice: write "
        "live-destination = true, and name what failed, with windows or only-ids"
    )


def answer(job: JobFile, values: dict[str, Any]) -> None:
    """Let the job file answer whether to send, where nobody is there to be asked.

    It does by saying how things are with live delivery: who wrote that knew that it will be sent to. On a terminal a
    person is asked all the same; and it cannot answer whether all that was delivered is to be sent again.
    """
    if job.live is not None and "yes" in values and not values.get("restart") and not _somebody_is_there():
        values["yes"] = True


def _is_bounded(values: Mapping[str, Any]) -> bool:
    """Tell whether what is sent is known by now: named failures, or what was received before a past time."""
    until = values["received_until"]
    return any(values[name] is not None for name in ("windows", "only_ids")) or (
        until is not None and until.timestamp() <= time.time()
    )


def _somebody_is_there() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()

"""Makes the pure middle of a run from a job's settings."""

import time
from typing import Any

from replay_cli.delivery.budget import Allowance
from replay_cli.job import Job
from replay_cli.moengage.apis import make_api
from replay_cli.preparation import Preparation
from replay_cli.segment.filters import Filters
from replay_cli.segment.lists import Lists


def preparation(job: Job, lists: Lists, allowance: Allowance) -> Preparation:
    """Make what turns a job's batches into requests.

    Args:
        job: its settings say what is sent and as what.
        lists: judge by ids what the selection leaves in.
        allowance: bounds what one bulk request carries.
    """
    settings = job.settings
    api = make_api(settings, job.workspace_id, most_users=allowance.most_users, most_events=allowance.most_events)
    filters: dict[str, Any] | list[Any] | None = settings.get("filters")
    return Preparation(
        api,
        strict=settings.get("strict", False),
        clock=time.time,
        selection=job.selection,
        listed=lists.selector(),
        filters=None if filters is None else Filters.from_document(filters),
    )

"""Makes the pure middle of a run from a job's settings."""

import time
from collections.abc import Callable
from typing import Any

from replay_cli.delivery.allowance import Allowance
from replay_cli.job import Job
from replay_cli.moengage.apis import make_api
from replay_cli.moengage.mapping import Mapping, NotTakenError, UnmappableError
from replay_cli.preparation import Preparation, names
from replay_cli.segment.filters import Filters
from replay_cli.segment.ids import IdSet
from replay_cli.segment.lists import SUPPRESSED, Lists, for_records, suppression
from replay_cli.segment.message import MalformedError, parse


def suppressed_records(people: IdSet, map_message: Mapping) -> Callable[[bytes], str | None]:
    """Return what tells of a parked record, by its text, that it must not be sent any more.

    Args:
        people: the suppressed ones.
        map_message: the job's mapping, which may take ids from elsewhere.
    """
    by_message = for_records(suppression(people))

    def reason_against(record: bytes) -> str | None:
        reason = by_message(record)
        if reason is None:
            try:
                drafts = map_message(parse(record)[0])
            except (MalformedError, UnmappableError, NotTakenError):
                return None
            reason = SUPPRESSED if names(drafts, people.has) else None
        return reason

    return reason_against


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
        lists=lists,
        filters=None if filters is None else Filters.from_document(filters),
    )

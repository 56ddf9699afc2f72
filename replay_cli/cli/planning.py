"""What a run is about to do, in words, before it does something that cannot be undone."""

from replay_cli.archive import read
from replay_cli.cli.wiring import Plan
from replay_cli.errors import DamagedObjectError
from replay_cli.report.terminal import duration, size

_SAMPLED_OBJECTS = 3


def describe(plan: Plan) -> str:
    """Return what a run will send, where, and how long at least; the beginnings of a few objects are read."""
    total = sum(work.object.size for work in plan.work)
    consumed = records = requests = 0
    for work in plan.work[:: max(1, len(plan.work) // _SAMPLED_OBJECTS)]:
        try:
            batch = next(read(plan.source, work.object), None)
        except DamagedObjectError:
            continue
        if batch is not None:
            prepared = plan.prepare(batch)
            consumed += min(batch.consumed, work.object.size)
            records += prepared.records
            requests += len(prepared.requests)
    share = total / consumed if consumed else 0
    about = (
        f"about {round(records * share):,} records, {round(requests * share):,} requests"
        if share
        else "no records"
    )
    return (
        f"This sends {len(plan.work):,} objects ({size(total)} as stored; {about}, estimated from "
        f"{records:,} records)\n"
        f"to workspace {plan.job.workspace_id} at {plan.job.endpoint},\n"
        f"at most {plan.rps:g} requests a second: at least {duration(requests * share / plan.rps)}.\n"
        "MoEngage has no deduplication and no undo: what is sent stays. Identifies carry the traits of their\n"
        "time and overwrite newer ones; event-triggered campaigns may react to what arrives."
    )

"""What a run is about to do, in words, before it does something that cannot be undone."""

from itertools import islice

from replay_cli.archive import read
from replay_cli.cli.session import Plan
from replay_cli.errors import DamagedObjectError
from replay_cli.report.terminal import count, duration, size

_SAMPLED_OBJECTS = 3
_SAMPLED_BATCHES = 20
_NO_UNDO = (
    "MoEngage has no deduplication and no undo: what is sent stays. Identifies carry the traits of their time and "
    "overwrite newer ones; event-triggered campaigns may react."
)


def describe(plan: Plan) -> str:
    """Return what a run will send, where, and how long at least; the beginnings of a few objects are read."""
    if plan.redriven:
        return (
            f"This sends {count(plan.redriven, 'dead letter')} again to {_where(plan)}: at least "
            f"{duration(plan.redriven / plan.rps)}. {_NO_UNDO}"
        )
    total = sum(obj.size for obj in plan.objects)
    consumed, records, requests = _sample(plan)
    share = total / consumed if consumed else 0
    estimate = f"about {round(records * share):,} records, {round(requests * share):,} requests"
    return (
        f"This sends {count(len(plan.objects), 'object')} ({size(total)} as stored; {estimate}, estimated from "
        f"{records:,} records) to {_where(plan)}: at least {duration(requests * share / plan.rps)}. {_NO_UNDO}"
    )


def _where(plan: Plan) -> str:
    return f"workspace {plan.job.workspace_id} at {plan.job.endpoint}, at most {plan.rps:g} requests a second"


def _sample(plan: Plan) -> tuple[int, int, int]:
    """Prepare the first batches of a few objects: (stored bytes read, records, requests)."""
    consumed = records = requests = 0
    pack = plan.prepare.api.pack
    for obj in plan.objects[:: max(1, len(plan.objects) // _SAMPLED_OBJECTS)]:
        read_here, batches = obj.size, read(plan.source, obj)
        try:
            for batch in islice(batches, _SAMPLED_BATCHES):
                prepared = plan.prepare(batch)
                read_here = batch.consumed
                records += prepared.records
                requests += len(prepared.requests if pack is None else pack(prepared.requests))
            if next(batches, None) is None:
                read_here = obj.size
        except DamagedObjectError:
            read_here = obj.size
        consumed += min(read_here, obj.size)
    return consumed, records, requests

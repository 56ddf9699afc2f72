"""What a run is about to do, in words, before it does something that cannot be undone."""

from itertools import islice, zip_longest
from typing import NamedTuple

from replay_cli.archive import read
from replay_cli.cli.session import Plan
from replay_cli.errors import DamagedObjectError
from replay_cli.moengage.apis import ACTIONS, BULK
from replay_cli.moengage.packing import weigh
from replay_cli.preparation import Prepared
from replay_cli.report.terminal import count, duration, size

_SAMPLED_OBJECTS = 3
_SAMPLED_BATCHES = 20
_NO_UNDO = "MoEngage has no deduplication and no undo: what is sent stays."
_IDENTIFIES = "Identifies carry the traits of their time and overwrite newer ones."
_CAMPAIGNS = "Event-triggered campaigns may react."


class _Sampled(NamedTuple):
    """What the beginnings of some objects hold: stored bytes, records, requests, and users and events in bulk ones."""

    consumed: int = 0
    records: int = 0
    requests: int = 0
    users: int = 0
    events: int = 0


def describe(plan: Plan) -> str:
    """Return what a run will send, where, and how long at least; the beginnings of a few objects are read."""
    if plan.redriven:
        return (
            f"This sends {count(plan.redriven, 'dead letter')} again to {_where(plan)}: at least "
            f"{duration(plan.redriven / plan.rps)}. {_warnings(plan)}"
        )
    total = sum(obj.size for obj in plan.objects)
    sampled = _sample(plan)
    share = total / sampled.consumed if sampled.consumed else 0
    records, requests = round(sampled.records * share), round(sampled.requests * share)
    return (
        f"This sends {count(len(plan.objects), 'object')} ({size(total)} as stored; about {records:,} records, "
        f"{requests:,} requests, estimated from {sampled.records:,} records) to {_where(plan)}: at least "
        f"{duration(_seconds(plan, sampled) * share)}. {_warnings(plan)}{f' {plan.overlap}' if plan.overlap else ''}"
    )


def _warnings(plan: Plan) -> str:
    """Say what sending means: identifies where some are meant, campaigns but for bulk, which starts none."""
    content, api = plan.job.selection.content, plan.job.settings.get("api")
    identifies = content.meets_types(frozenset({"identify"})) and not content.events
    return " ".join([_NO_UNDO, *([_IDENTIFIES] if identifies else []), *([_CAMPAIGNS] if api != BULK else [])])


def _where(plan: Plan) -> str:
    job = plan.job
    return (
        f"workspace {job.workspace_id} at {job.endpoint} by --api {job.settings.get('api', ACTIONS)}, "
        f"at most {plan.rps:g} requests a second"
    )


def _seconds(plan: Plan, sampled: _Sampled) -> float:
    """Return how long the sampled requests take at least: by the cap, or by what users and events a minute allow."""
    seconds = sampled.requests / plan.rps
    for wanted, per_minute in zip((sampled.users, sampled.events), plan.allowance, strict=True):
        if per_minute:
            seconds = max(seconds, wanted / per_minute * 60)
    return seconds


def _sample(plan: Plan) -> _Sampled:
    """Prepare the first batches of a few objects."""
    numbers = _Sampled()
    for obj in plan.objects[:: max(1, len(plan.objects) // _SAMPLED_OBJECTS)]:
        read_here, batches = obj.size, read(plan.source, obj)
        try:
            for batch in islice(batches, _SAMPLED_BATCHES):
                prepared = plan.prepare(batch)
                read_here = batch.consumed
                numbers = _add(numbers, 0, prepared.records, *_requests(plan, prepared))
            if next(batches, None) is None:
                read_here = obj.size
        except DamagedObjectError:
            read_here = obj.size
        numbers = _add(numbers, min(read_here, obj.size))
    return numbers


def _requests(plan: Plan, prepared: Prepared) -> tuple[int, int, int]:
    """Return how many requests a batch becomes, and the users and events in bulk ones."""
    pack = plan.prepare.api.pack
    if pack is None:
        return len(prepared.requests), 0, 0
    packed = pack(prepared.requests)
    weights = [weigh(request.body) for request in packed]
    return len(packed), sum(weight.users for weight in weights), sum(weight.events for weight in weights)


def _add(numbers: _Sampled, *more: int) -> _Sampled:
    return _Sampled(*(number + each for number, each in zip_longest(numbers, more, fillvalue=0)))

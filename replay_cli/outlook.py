"""The conductor of a plan: the whole listing, the beginnings of a few objects, and what they let expect.

It takes seconds for archives of any size: nothing is read but a sample, and memory does not grow with the listing.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from typing import Any

from replay_cli.archive import Source, read
from replay_cli.archive.selected import SelectedSource
from replay_cli.archive.sipping import SippedSource
from replay_cli.errors import ChangedObjectError, DamagedObjectError
from replay_cli.preparation import Preparation
from replay_cli.profiling.estimate import InBulk, Pace, estimate
from replay_cli.profiling.glance import Expected, Glance, expected, left_out, workload
from replay_cli.profiling.sampling import Chosen, Total
from replay_cli.profiling.survey import Survey
from replay_cli.segment.selection import EVERYTHING, Selection

_BATCHES = 48
"""Batches read in all, about …"""
_LEAST_BATCHES, _MOST_BATCHES = 2, 32
"""… and of each object: two at least, or nothing would tell how much its records differ."""
_EXPECTED = 4
"""How many objects after the current one are told to the source."""


def outlook(
    source: Source,
    prepare: Preparation,
    pace: Pace,
    *,
    now: float,
    selection: Selection = EVERYTHING,
    in_bulk: Preparation | None = None,
) -> dict[str, Any]:
    """Return the plan of a job, as plain values.

    Args:
        source: where its objects are.
        prepare: batch → requests.
        pace: what holds a run back.
        now: POSIX seconds, when the run would begin.
        selection: what is meant of the records.
        in_bulk: the same job by the bulk API, for comparison; None: there is nothing to compare.

    Raises:
        UsageError: a location is missing, matches nothing or has nothing to read in it.
        FatalError: something cannot be listed or read.
    """
    survey = Survey()
    for page in source.pages():
        for obj in page:
            survey.take(obj)
    looking = Looking(source, selection, prepare, in_bulk)
    glances = list(looking.at(survey.sampler.draw()))
    return {
        "kind": "plan",
        "at": now,
        "reason": _reason(survey.objects, glances),
        "objects": survey.objects,
        "bytes": survey.bytes,
        "ignored": source.ignored,
        "days": survey.days,
        "by_source": survey.by_source,
        "sampled": _sampled(glances, looking.damage),
        **_numbers(expected(glances)),
        "estimate": _estimate(glances, pace, now, compares=in_bulk is not None),
    }


class Looking:
    """Looks into objects.

    Args:
        source: opens them.
        selection: what is meant of their records.
        prepare: batch → requests.
        in_bulk: batch → those of the bulk API, where they are compared.

    Attributes:
        damage: uri → what is wrong with an object.
    """

    def __init__(self, source: Source, selection: Selection, prepare: Preparation, in_bulk: Preparation | None) -> None:
        sipped = SippedSource(source)
        self._source: Source = sipped if selection.is_everything else SelectedSource(sipped, selection)
        self._prepare = prepare
        self._in_bulk = in_bulk
        self.damage: dict[str, str] = {}

    def at(self, sample: Sequence[Chosen]) -> Iterator[Glance]:
        """Look into all objects of a sample, one after the other."""
        most = min(max(_BATCHES // max(len(sample), 1), _LEAST_BATCHES), _MOST_BATCHES)
        for index, chosen in enumerate(sample, start=1):
            self._source.expect([each.object for each in sample[index : index + _EXPECTED]])
            yield self._glance(chosen, most)

    def _glance(self, chosen: Chosen, most: int) -> Glance:
        """Look into one object, at so many batches at most."""
        glance = Glance(chosen, self._prepare.api.pack, self._in_bulk.api.pack if self._in_bulk else None)
        try:
            for batch in read(self._source, chosen.object):
                glance.take(self._prepare(batch), self._in_bulk(batch) if self._in_bulk else None)
                if glance.batches == most:
                    return glance
        except DamagedObjectError as error:
            self.damage[error.uri] = error.cause
        except ChangedObjectError as error:
            self.damage[error.uri] = f"{error.how} since it was listed"
        glance.end()
        return glance


def _reason(objects: int, glances: Sequence[Glance]) -> str:
    if not objects:
        return "there is nothing to read: none of the objects lies within the selection, as the paths tell it"
    if len(glances) == objects and all(glance.is_whole for glance in glances):
        return "all of it was read"
    return f"estimated from the beginnings of {len(glances):,} of {objects:,} objects"


def _sampled(glances: Sequence[Glance], damage: Mapping[str, str]) -> dict[str, Any]:
    return {
        "objects": len(glances),
        "bytes": sum(glance.consumed for glance in glances),
        "records": sum(glance.records for glance in glances),
        "damage": dict(damage),
    }


def _numbers(seen: Expected) -> dict[str, Any]:
    """Return the numbers of records and requests; the book closes, though every number in it is rounded."""
    records, undue = round(seen.records.estimate), sum(seen.skipped.values()) + sum(seen.rejected.values())
    left = max(0, records - undue)
    return {
        "records": _number(seen.records) | {"estimate": left + undue},
        "sendable": _number(seen.sendable) | {"estimate": left, "share": left / max(left + undue, 1)},
        "skipped": seen.skipped,
        "rejected": seen.rejected,
        "requests": _number(seen.requests),
    }


def _number(total: Total) -> dict[str, Any]:
    return {"estimate": round(total.estimate), "error": ceil(round(total.error, 3))}


def _estimate(glances: Sequence[Glance], pace: Pace, now: float, *, compares: bool) -> dict[str, Any]:
    in_bulk = None
    if compares:
        in_bulk = InBulk(workload(glances, lambda glance: glance.in_bulk), left_out(glances))
    return estimate(workload(glances, lambda glance: glance.sent), pace, now, in_bulk)

"""The numbers of a job in the text format of Prometheus.

Counters are the job's, of all its runs: they grow from run to run, and a collector sees one line.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from replay_cli.telling.discretion import plain_reason

if TYPE_CHECKING:
    from prometheus_client.core import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
STATES = ("starting", "running", "complete", "paused", "interrupted", "failed")
OBJECT_STATES = ("waiting", "reading", "complete", "damaged")
MOST_LABELS = 50
"""So many reasons have a series of their own, those of the most records; the others are one."""
_OTHER = "other"
_ENDS = tuple(2**power for power in range(18))
"""Where the buckets of latencies end, in milliseconds; the timeline's buckets end there, too."""


class Booked(NamedTuple):
    """What a checkpoint holds of a job, as plain numbers.

    `records`, `dead_letters`, `attempts` and `objects` are counts by outcome, reason, status and state. `latencies`
    are (bucket's end in milliseconds, replies). Times are POSIX seconds, 0 for never. `dead_letters` counts all that
    there ever were, those that were sent again included, so that it never falls; so does `records`.
    """

    records: Mapping[str, int] = {}
    dead_letters: Mapping[str, int] = {}
    attempts: Mapping[str, int] = {}
    objects: Mapping[str, int] = {}
    pending: int = 0
    in_doubt: int = 0
    bytes_read: int = 0
    bytes_listed: int = 0
    peak: int = 0
    latencies: Sequence[tuple[float, int]] = ()
    last_success: float = 0.0


class Standing(NamedTuple):
    """How a job stands.

    Args:
        state: one of `STATES`.
        booked: what its checkpoint holds; None: nobody could look.
        rate: attempts a second that may leave now.
        in_flight: attempts that wait for a reply.
        is_stalled: it makes no headway although it should.
        exit_code: of the run that has ended; None: none has.
        bytes_now: bytes of objects that are being read, which the checkpoint does not know yet.
    """

    state: str = "starting"
    booked: Booked | None = None
    rate: float = 0.0
    in_flight: int = 0
    is_stalled: bool = False
    exit_code: int | None = None
    bytes_now: int = 0


def render(jobs: Mapping[str, Standing]) -> bytes:
    """Return the metrics of jobs, by name."""
    from prometheus_client import CollectorRegistry, generate_latest  # what most runs do without

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(jobs))
    return generate_latest(registry)


class _Collector:
    def __init__(self, jobs: Mapping[str, Standing]) -> None:
        self._jobs = jobs

    def collect(self) -> Iterator["Metric"]:
        """Give all families."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        gauges = {name: GaugeMetricFamily(name, help_, labels=["job", *labels]) for name, help_, *labels in _GAUGES}
        counters = {name: CounterMetricFamily(name, help_, labels=["job", *labels]) for name, help_, *labels in _COUNTS}
        latency = HistogramMetricFamily("replay_latency_seconds", _LATENCY, labels=["job"])
        for job, standing in self._jobs.items():
            for name, labels, value in (*_of_standing(standing), *_of_book(standing)):
                family: Any = gauges.get(name) or counters[name]
                family.add_metric([job, *labels], value)
            if standing.booked is not None and standing.booked.latencies:
                latency.add_metric([job], *_buckets(standing.booked.latencies))
        yield from (*gauges.values(), *counters.values(), latency)


_GAUGES = (
    ("replay_run_state", "1 for the state that the job is in, 0 for the others", "state"),
    ("replay_stalled", "1 while nothing is settled although it should be"),
    ("replay_exit_code", "How the last run ended; there is none while one is on"),
    ("replay_rate_limit", "Attempts a second that may leave now"),
    ("replay_in_flight", "Attempts that wait for a reply"),
    ("replay_records_pending", "Records that were read and are not settled"),
    ("replay_in_doubt", "Attempts that may have arrived and were not settled since"),
    ("replay_attempts_per_second_peak", "The most attempts in any rolling second"),
    ("replay_objects", "Objects of the archive by how far they are read", "state"),
    ("replay_bytes_read", "Stored bytes that are read, of replay_bytes_listed"),
    ("replay_bytes_listed", "Stored bytes of the objects listed so far"),
    ("replay_last_success_timestamp_seconds", "When the job was complete the last time; 0: never"),
)
_COUNTS = (
    ("replay_records", "Records settled, by outcome", "outcome"),
    ("replay_attempts", "Attempts, by status or failure", "status"),
    ("replay_dead_letters", "Records that became dead letters, by reason", "reason"),
)
_LATENCY = "Whole replies, from the first byte out to the last byte in; the sum is as exact as the buckets"

_Sample = tuple[str, tuple[str, ...], float]


def _of_standing(standing: Standing) -> Iterator[_Sample]:
    for state in STATES:
        yield "replay_run_state", (state,), float(state == standing.state)
    yield "replay_stalled", (), float(standing.is_stalled)
    yield "replay_rate_limit", (), standing.rate
    yield "replay_in_flight", (), float(standing.in_flight)
    if standing.exit_code is not None:
        yield "replay_exit_code", (), float(standing.exit_code)


def _of_book(standing: Standing) -> Iterator[_Sample]:
    booked = standing.booked
    if booked is None:
        return
    for outcome, n in booked.records.items():
        yield "replay_records", (outcome,), n
    for reason, n in bounded(booked.dead_letters).items():
        yield "replay_dead_letters", (reason,), n
    for status, n in bounded(booked.attempts).items():
        yield "replay_attempts", (status,), n
    for state in OBJECT_STATES:
        yield "replay_objects", (state,), booked.objects.get(state, 0)
    yield "replay_records_pending", (), booked.pending
    yield "replay_in_doubt", (), booked.in_doubt
    yield "replay_attempts_per_second_peak", (), booked.peak
    yield "replay_bytes_read", (), min(booked.bytes_read + standing.bytes_now, booked.bytes_listed)
    yield "replay_bytes_listed", (), booked.bytes_listed
    yield "replay_last_success_timestamp_seconds", (), booked.last_success


def bounded(counts: Mapping[str, int]) -> dict[str, int]:
    """Return counts under so few names that a database of metrics can take them: their texts come from MoEngage."""
    merged: Counter[str] = Counter()
    for name, n in counts.items():
        merged[plain_reason(name).partition(":")[0]] += n
    most = dict(merged.most_common(MOST_LABELS))
    rest = merged.total() - sum(most.values())
    return most if not rest else most | {_OTHER: most.get(_OTHER, 0) + rest}


def _buckets(latencies: Sequence[tuple[float, int]]) -> tuple[list[tuple[str, float]], float]:
    """Return (bucket's end in seconds, replies up to it) and about the sum of all, in seconds."""
    ends = [(str(end / 1000), float(sum(n for at, n in latencies if at <= end))) for end in _ENDS]
    total = sum(n for _, n in latencies)
    return [*ends, ("+Inf", float(total))], sum(at * n for at, n in latencies) / 1000

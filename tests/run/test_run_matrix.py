"""Every fault, few attempts at once and many: the book closes, nothing is lost, and the run ends as documented.

The suite meets every fault once, with few attempts at once or with many in turn; `make matrix`, which is
`python -m tests.run.test_run_matrix`, meets it with both, and prints what came of each as a table.
"""

import queue
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from email.utils import formatdate
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from rich.console import Console
from rich.table import Table

from tests.support.archives import history, write_lines
from tests.support.arrivals import bodies, lanes_in_order, times, twice
from tests.support.letters import read_letters
from tests.support.processes import Finished, replay
from tests.support.sandbox_process import SandboxProcess
from tests.support.tcp_proxy import Fault, Harm, TcpProxy

MESSAGES = history(200, users=120)
SENDABLE = {made["properties"]["n"] for made in MESSAGES if made["type"] == "track"}
FEW, MANY = 2, 512
AT_ONCE = 4
"""So many runs go side by side: most of their time is waiting."""
HTTP_DATE = "two seconds from now"
IMPATIENT = ("--timeout", "0.5s")
FOR_GOOD = ("--retry-for", "2s", "--timeout", "1s")
AT_MOST_ONCE = ("--in-doubt", "dead-letter")


class Case(NamedTuple):
    """A fault, the options of the run that meets it, and how that ends.

    `rule` is one of the sandbox's, `harm` one of the proxy's, `disturbance` goes on beside the run. `codes` are its
    exit code and, where that says to run again, that of the same command without the fault; `letters` are the reasons
    of its dead letters.
    """

    name: str
    codes: tuple[int, ...] = (0,)
    rule: dict[str, Any] | None = None
    harm: Fault | None = None
    disturbance: Callable[[TcpProxy], AbstractContextManager[None]] | None = None
    options: tuple[str, ...] = ()
    letters: frozenset[str] = frozenset()


@contextmanager
def refused(proxy: TcpProxy, seconds: float) -> Iterator[None]:
    """Nobody listens for so long from the start."""
    proxy.refuse()
    timer = threading.Timer(seconds, proxy.listen)
    timer.start()
    try:
        yield
    finally:
        timer.join()


@contextmanager
def refused_for_good(proxy: TcpProxy) -> Iterator[None]:
    proxy.refuse()
    try:
        yield
    finally:
        proxy.listen()


@contextmanager
def in_the_middle(proxy: TcpProxy, act: Callable[[], object]) -> Iterator[None]:
    """Act once some requests have passed."""
    over, before = threading.Event(), proxy.requests

    def wait_and_act() -> None:
        while proxy.requests < before + len(SENDABLE) // 4 and not over.wait(0.005):
            pass
        act()

    thread = threading.Thread(target=wait_and_act)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def cut(proxy: TcpProxy) -> AbstractContextManager[None]:
    """All connections are reset at once."""
    return in_the_middle(proxy, proxy.cut)


def stalled(proxy: TcpProxy) -> AbstractContextManager[None]:
    """Not a byte passes for a second."""

    def stall() -> None:
        proxy.stall()
        time.sleep(1)
        proxy.flow()

    return in_the_middle(proxy, stall)


_SLOWLY = ("--rps", "200", *IMPATIENT)
_LIMITED = {"every": 60, "times": 2, "status": 429}
_DOUBTFUL = [
    Case("502", rule={"rate": 0.1, "status": 502}),
    Case("504", rule={"rate": 0.1, "status": 504}),
    Case("reset before", rule={"rate": 0.1, "reset": "before"}),
    Case("reset after", rule={"rate": 0.1, "reset": "after"}),
    Case("hang", rule={"rate": 0.05, "hang": True}, options=IMPATIENT),
    Case("latency beyond --timeout", rule={"rate": 0.05, "latency": 1.0}, options=IMPATIENT),
    Case("truncated reply", rule={"rate": 0.1, "truncate": True}),
    Case("proxy: reset before", harm=Fault(Harm.RESET_BEFORE, share=0.1)),
    Case("proxy: reset during", harm=Fault(Harm.RESET_DURING, share=0.1)),
    Case("proxy: reset after", harm=Fault(Harm.RESET_AFTER, share=0.1)),
    Case("proxy: reset in the reply", harm=Fault(Harm.RESET_REPLY, share=0.1, after=20)),
    Case("proxy: truncated reply", harm=Fault(Harm.TRUNCATE, share=0.1)),
    Case("proxy: drip", harm=Fault(Harm.DRIP, share=0.05), options=IMPATIENT),
    Case("proxy: swallow", harm=Fault(Harm.SWALLOW, share=0.05), options=IMPATIENT),
    Case("proxy: mute", harm=Fault(Harm.MUTE, share=0.05), options=IMPATIENT),
    Case("proxy: all connections cut", disturbance=cut, rule={"latency": 0.1}, options=_SLOWLY),
    Case("proxy: stalled", disturbance=stalled, options=_SLOWLY),
]
SHARED = [
    *(Case(str(status), rule={"rate": 0.1, "status": status}) for status in (500, 503, 408, 423)),
    Case("429, Retry-After in seconds", rule=_LIMITED | {"retry_after": 0.3}),
    Case("429, Retry-After as a date", rule=_LIMITED | {"retry_after": HTTP_DATE}),
    Case("429, x-ratelimit-reset", rule=_LIMITED | {"headers": {"x-ratelimit-reset": "1"}}),
    Case("429, nothing more", rule=_LIMITED),
    *(
        Case(str(status), (3,), {"rate": 0.1, "status": status}, letters=frozenset({f"http_{status}:{name}"}))
        for status, name in (
            (400, "Bad Request"),
            (404, "Not Found"),
            (413, "Payload Too Large"),
            (501, "Error"),
        )
    ),
    Case("200 that says fail", (3,), {"rate": 0.1, "fail_body": True}, letters=frozenset({"http_200:InvalidParams"})),
    *(Case(str(status), (1, 0), {"every": 60, "status": status}) for status in (401, 403, 409)),
    Case("302", (1, 0), {"every": 60, "redirect": True}),
    Case("200 in HTML", (1, 0), {"every": 60, "html": True}),
    Case("latency", rule={"latency": [0.0, 0.1]}),
    *_DOUBTFUL,
    Case("proxy: reset on accept", harm=Fault(Harm.RESET_ON_ACCEPT, times=2)),
    Case("proxy: refuses, then listens", disturbance=partial(refused, seconds=2.0)),
]
CONSTANT = [
    *(
        Case(f"{status} for good", (4, 0), {"status": status}, options=FOR_GOOD)
        for status in (500, 503, 408, 423, 502, 504)
    ),
    Case("429 for good", (4, 0), {"status": 429, "retry_after": 0.3}, options=FOR_GOOD),
    Case("400 for good", (1, 3), {"status": 400}, letters=frozenset({"http_400:Bad Request"})),
    Case("401 for good", (1, 0), {"status": 401}),
    Case("reset before for good", (4, 0), {"reset": "before"}, options=FOR_GOOD),
    Case("reset after for good", (4, 0), {"reset": "after"}, options=FOR_GOOD),
    Case("hang for good", (4, 0), {"hang": True}, options=FOR_GOOD),
    Case("proxy: reset on accept for good", (4, 0), harm=Fault(Harm.RESET_ON_ACCEPT), options=FOR_GOOD),
    Case("proxy: swallow for good", (4, 0), harm=Fault(Harm.SWALLOW), options=FOR_GOOD),
    Case("proxy: refuses for good", (4, 0), disturbance=refused_for_good, options=FOR_GOOD),
]
ONCE = [
    case._replace(
        name=f"{case.name}, at most once",
        codes=(3,),
        options=(*case.options, *AT_MOST_ONCE),
        letters=frozenset({"in_doubt"}),
    )
    for case in _DOUBTFUL
]


class Cell(NamedTuple):
    case: Case
    concurrency: int

    def __str__(self) -> str:
        return f"{self.case.name}, {self.concurrency} at once"


CELLS = [
    *(Cell(case, concurrency) for case in SHARED for concurrency in (FEW, MANY)),
    *(Cell(case, MANY) for case in [*CONSTANT, *ONCE]),
]
COVERING = [
    *(Cell(case, (FEW, MANY)[number % 2]) for number, case in enumerate(SHARED)),
    *(Cell(case, MANY) for case in [*CONSTANT, *ONCE]),
]


class Played(NamedTuple):
    """What came of a cell: its runs, what the server kept, the dead letters, and how often the fault struck."""

    runs: list[Finished]
    arrivals: list[dict[str, Any]]
    letters: list[dict[str, Any]]
    attempts: int
    struck: int


class Stage:
    """A sandbox and a proxy before it, for one cell at a time."""

    def __init__(self, stack: ExitStack) -> None:
        self.sandbox = stack.enter_context(SandboxProcess(rps=1_000_000))
        host, port = self.sandbox.url.removeprefix("http://").split(":")
        self.proxy = stack.enter_context(TcpProxy(host, int(port)))

    def play(self, cell: Cell, folder: Path) -> Played:
        """Run into the fault and, if the exit code says so, once more without it."""
        case, sandbox, proxy = cell.case, self.sandbox, self.proxy
        write_lines(folder / "a.jsonl", MESSAGES)
        command = ["run", "a.jsonl", "--endpoint", proxy.url, "--concurrency", str(cell.concurrency), "--json"]
        command += ["--checkpoint", "job.ckpt", "--rps", "1000", *case.options]
        sandbox.reset()
        sandbox.faults([] if case.rule is None else [_dated(case.rule)])
        proxy.fault = case.harm
        struck = proxy.struck
        with case.disturbance(proxy) if case.disturbance else nullcontext():
            runs = [replay(folder, *command)]
        struck = proxy.struck - struck + sum(sandbox.stats()["by_fault"].values())
        sandbox.faults([])
        proxy.fault = None
        if runs[0].code in (1, 4):
            runs.append(replay(folder, *command))
        return Played(runs, bodies(sandbox), read_letters(folder), sandbox.stats()["attempts"], struck)


def _dated(rule: dict[str, Any]) -> dict[str, Any]:
    if rule.get("retry_after") != HTTP_DATE:
        return rule
    return rule | {"retry_after": formatdate(time.time() + 2, usegmt=True)}


@contextmanager
def playing(cells: Sequence[Cell], folder: Path) -> Iterator[dict[str, "Future[Played]"]]:
    """Play cells side by side; by their names, what came of them."""
    stages: queue.SimpleQueue[Stage] = queue.SimpleQueue()

    def play(number: int, cell: Cell) -> Played:
        stage = stages.get()
        try:
            return stage.play(cell, folder / str(number))
        finally:
            stages.put(stage)

    with ExitStack() as stack:
        for _ in range(AT_ONCE):
            stages.put(Stage(stack))
        pool = stack.enter_context(ThreadPoolExecutor(AT_ONCE))
        yield {str(cell): pool.submit(play, number, cell) for number, cell in enumerate(cells)}
        pool.shutdown(cancel_futures=True)


def check(cell: Cell, played: Played) -> None:
    """Require all that is promised."""
    case, end = cell.case, played.runs[-1]
    assert tuple(run.code for run in played.runs) == case.codes, "\n".join(run.err for run in played.runs)
    for run in played.runs:
        run.require_closed_book()
        assert "Traceback" not in run.err
    records, arrived = end.summary["records"], times(played.arrivals)
    lettered = {letter["record"]["properties"]["n"] for letter in played.letters}
    assert played.struck or case.disturbance, "the fault never struck"
    assert set(arrived) | lettered == SENDABLE, "lost"
    assert (records["read"], records["pending"]) == (len(MESSAGES), 0)
    assert records["dead_lettered"] == len(played.letters) == len(lettered)
    assert records["delivered"] == len(SENDABLE) - len(lettered)
    assert set(end.summary["dead_lettered"]) == case.letters
    assert twice(arrived) <= (0 if AT_MOST_ONCE[0] in case.options else end.summary["in_doubt"])
    lanes_in_order(played.arrivals)


@pytest.fixture(scope="module")
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    items = (item for item in request.session.items if item.path == request.path and isinstance(item, pytest.Function))
    chosen: list[Any] = [item.callspec.params["cell"] for item in items]
    with playing(chosen, tmp_path_factory.mktemp("matrix")) as futures:
        yield futures


@pytest.mark.parametrize("cell", COVERING, ids=str)
def test_every_fault_ends_as_documented(played: dict[str, "Future[Played]"], cell: Cell) -> None:
    check(cell, played[str(cell)].result())


def row(cell: Cell, played: Played) -> list[str]:
    summary = played.runs[-1].summary
    numbers = [
        *(cell.concurrency, ", then ".join(str(run.code) for run in played.runs)),
        *(summary["records"]["delivered"], summary["records"]["dead_lettered"], summary["in_doubt"]),
        *(twice(times(played.arrivals)), played.attempts),
    ]
    return [cell.case.name, *map(str, numbers)]


def main() -> None:
    """Print the table."""
    columns = ("fault", "at once", "exit code", "delivered", "dead lettered", "in doubt", "twice", "attempts seen", "")
    table = Table(*columns, caption=f"{len(SENDABLE)} messages to send in each run")
    failed = 0
    with tempfile.TemporaryDirectory() as folder, playing(CELLS, Path(folder)) as futures:
        for cell in CELLS:
            played = futures[str(cell)].result()
            try:
                check(cell, played)
                verdict = "holds"
            except AssertionError as error:
                failed += 1
                verdict = f"FAILS: {error}"
            table.add_row(*row(cell, played), verdict)
    Console(width=150).print(table)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()

"""Work is done here or in processes: the same comes of it, and nobody is left behind."""

import os
import select
import signal
import subprocess
import sys
from multiprocessing import active_children
from pathlib import Path
from threading import Event, Thread

import pytest

from replay_cli.engines import Engine, Here, Processes, Tell, Told
from replay_cli.errors import FatalError, UsageError

ROOT = Path(__file__).parents[1]
SECONDS = 60
ENDLESS = "endless"


class Deadly:
    """A number that kills whoever adds it to another one."""

    def __radd__(self, other: int) -> int:
        os.kill(os.getpid(), signal.SIGKILL)
        return other


def work(item: object, tell: Tell) -> object:
    """What the tests have done: some items are special."""
    match item:
        case "fail":
            raise UsageError("it cannot be done")
        case "bug":
            raise ZeroDivisionError
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "die while telling":
            tell(Deadly(), 1)  # type: ignore[arg-type] # a size that is added while the numbers are locked
        case _ if item == ENDLESS:
            Event().wait()
    tell(10, 1)
    tell(5, 0)
    return item, "done"


def engines() -> list[Engine]:
    return [Here(work, lambda _: None), Processes(work, 2)]


def test_every_item_becomes_its_result_and_what_is_told_adds_up() -> None:
    for engine in engines():
        with engine:
            futures = [engine.submit(n) for n in range(20)]
            assert [engine.collect(future) for future in futures] == [(n, "done") for n in range(20)]
            assert engine.told() == Told(300, 20)


def test_what_the_work_raises_is_raised_where_it_is_collected_and_others_go_on() -> None:
    for engine in engines():
        with engine:
            futures = [engine.submit(item) for item in ("fail", "bug", 7)]
            with pytest.raises(UsageError, match=r"^it cannot be done$"):
                engine.collect(futures[0])
            with pytest.raises(ZeroDivisionError):
                engine.collect(futures[1])
            assert engine.collect(futures[2]) == (7, "done")


def test_here_all_that_is_told_can_be_shown_at_once() -> None:
    shown: list[Told] = []
    with Here(work, shown.append) as engine:
        engine.submit(1)
    assert shown == [Told(10, 1), Told(15, 1)]


def test_a_killed_process_is_told_in_a_sentence() -> None:
    with Processes(work, 2) as engine:
        futures = [engine.submit(item) for item in (ENDLESS, "die", 1, 2, 3)]
        with pytest.raises(FatalError, match=r"was killed, perhaps because memory ran out: .* fewer --workers than 2"):
            engine.collect(futures[1])
        with pytest.raises(FatalError, match="was killed"):
            engine.submit(4)
    assert active_children() == []


def test_a_process_killed_while_it_tells_holds_nobody_up() -> None:
    with Processes(work, 2) as engine:
        futures = [engine.submit(item) for item in (1, "die while telling")]
        with pytest.raises(FatalError, match="was killed"):
            engine.collect(futures[1])
        asking = Thread(target=engine.told, daemon=True)
        asking.start()
        asking.join(SECONDS)
        assert not asking.is_alive()


def test_an_error_ends_the_work_under_way() -> None:
    def stop_midway() -> None:
        with Processes(work, 2) as engine:
            for _ in range(9):
                engine.submit(ENDLESS)
            raise FatalError("enough")

    with pytest.raises(FatalError, match="enough"):
        stop_midway()
    assert active_children() == []


def main() -> None:
    """What the processes of the tests below do: they work without end until something ends them."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin with it ignored
    try:
        with Processes(work, 2) as engine:
            futures = [engine.submit(ENDLESS) for _ in range(9)]
            print(*(process.pid for process in active_children()), flush=True)
            futures[0].result()
    except KeyboardInterrupt:
        sys.exit(130)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_no_process_outlives_its_parent_and_none_complains(number: signal.Signals, code: int) -> None:
    """A terminal sends signals to the whole group, here as early as the processes begin; only a kill goes to one."""
    parent = subprocess.Popen(
        [sys.executable, "-c", "from tests.test_engines import main; main()"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert parent.stdout is not None
    children = [os.pidfd_open(int(pid)) for pid in parent.stdout.readline().split()]
    assert len(children) == 2
    if number is signal.SIGKILL:
        parent.kill()
    else:
        os.killpg(parent.pid, number)
    _, told = parent.communicate(timeout=SECONDS)
    for child in children:
        assert select.select([child], [], [], SECONDS)[0] == [child]  # readable: it has ended
        os.close(child)
    assert parent.returncode == code
    assert "Traceback" not in told

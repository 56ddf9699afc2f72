"""The house as DESIGN draws it: imports run one way, and only the conductor has tasks and queues."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import replay_cli

ROOT = Path(replay_cli.__file__).parent
PURE = {"segment", "moengage"}
PURE_CONDUCTORS = {"bundling", "custody", "job", "policy", "preparation", "profiling", "schedule"}
EDGES = {"archive", "delivery", "ledger", "remote", "report", "sandbox", "telling"}
CONDUCTORS = {"dry_run", "outlook", "redriving", "replay", "validation"}
HANDS = {
    *{"engines", "fetching", "intake", "judgement", "pacing", "parking", "reading", "recognition", "sending"},
    *{"horizon", "pacemaker", "settlement", "standstill", "traffic", "workshop"},
}
"""The conductor's hands: they know the ledger and the transport, and have no tasks."""
WORDS = {"model", "errors"}

MAY_IMPORT = (
    {word: set[str]() for word in WORDS}
    | {"segment": WORDS, "moengage": WORDS | {"segment"}}
    | dict.fromkeys(PURE_CONDUCTORS, WORDS | PURE | {"policy"})
    | dict.fromkeys(EDGES, WORDS)
    | {"profiling": WORDS | PURE | {"bundling", "preparation"}}
    | {"aws": WORDS, "archive": WORDS | {"segment", "aws"}, "remote": WORDS | {"aws"}, "delivery": WORDS | {"moengage"}}
    | dict.fromkeys(HANDS, WORDS | PURE | PURE_CONDUCTORS | {"archive", "ledger", "delivery"} | HANDS)
    | dict.fromkeys(CONDUCTORS, WORDS | PURE | PURE_CONDUCTORS | EDGES - {"remote", "sandbox"} | HANDS)
    | {
        "cli": WORDS | PURE | PURE_CONDUCTORS | EDGES | CONDUCTORS | HANDS | {"aws"},
        "__main__": {"cli"},
        "__init__": set(),
    }
)
"""Room → the rooms that it may import, besides itself."""

IMPURE = {
    *{"asyncio", "concurrent", "fcntl", "http", "io", "logging", "multiprocessing", "os", "pathlib", "queue", "random"},
    *{"shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "tempfile", "threading", "time", "urllib.request"},
}
TASKS = {
    *{"LifoQueue", "PriorityQueue", "Process", "ProcessPoolExecutor", "Queue", "SimpleQueue", "TaskGroup", "Thread"},
    *{"ThreadPoolExecutor", "create_task", "ensure_future", "gather", "run_in_executor", "to_thread"},
}
MAY_HAVE_TASKS = {
    "cli/onlooking.py",  # shows the progress
    "cli/pushing.py",  # stores the checkpoint on S3 while the run goes on
    "cli/watching.py",  # looks at a run without being in its way
    "telling/endpoint.py",  # answers while the run is busy
    "telling/messenger.py",  # who is told may take his time
    "replay.py",  # the conductor
    "ledger/ledger.py",  # its thread for the group commit
    "archive/patience.py",  # what blocks on a network, so that nobody has to wait for it
    "remote/lease.py",  # renews it, whatever else goes on
    "engines/processes.py",  # processes of this machine, for validations
    "workshop.py",  # prepares in a process beside this one
    "delivery/transport.py",  # replaces a connection that is closed while it waits at the gate
}
HEAVY = {
    *{"aiohttp", "aiolimiter", "asyncio", "boto3", "botocore", "isal"},
    *{"datasketches", "distributed", "jinja2", "numpy", "orjson", "prometheus_client", "pyarrow", "pygal"},
    *{"rich.progress", "sqlite3", "uvloop"},
}

MODULES = sorted(ROOT.rglob("*.py"))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """All modules that a module imports, wherever in it; what it takes from one is appended to its name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_in(module: str, names: set[str]) -> bool:
    return any(module == other or module.startswith(other + ".") for other in names)


def test_every_room_is_in_the_plan() -> None:
    assert {room(path) for path in MODULES} == MAY_IMPORT.keys()


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_imports_run_one_way(path: Path) -> None:
    rooms = {module.split(".")[1] for module in imports(path) if module.startswith("replay_cli.")}
    assert rooms - {"__version__", room(path)} <= MAY_IMPORT[room(path)]


@pytest.mark.parametrize("path", [path for path in MODULES if room(path) == "delivery"], ids=name)
def test_delivery_knows_of_moengage_only_what_a_reply_is(path: Path) -> None:
    known = {module for module in imports(path) if module.startswith("replay_cli.moengage")}
    assert all(module.startswith("replay_cli.moengage.replies.") for module in known)


@pytest.mark.parametrize("path", [p for p in MODULES if room(p) in PURE | WORDS | PURE_CONDUCTORS], ids=name)
def test_pure_modules_know_no_io_no_clock_and_no_asyncio(path: Path) -> None:
    """A job has paths in it, as values."""
    allowed = {"pathlib"} if name(path) == "job.py" else set[str]()
    assert [module for module in imports(path) if is_in(module, IMPURE - allowed)] == []
    calls = {node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)}
    named = {call.id for call in calls if isinstance(call, ast.Name)}
    methods = {call.attr for call in calls if isinstance(call, ast.Attribute)}
    assert not named & {"open", "print", "input"}
    assert not methods & {"now", "utcnow", "today", "read_text", "write_text", "exists", "resolve", "stat", "unlink"}


@pytest.mark.parametrize("path", [path for path in MODULES if room(path) != "sandbox"], ids=name)
def test_only_the_conductor_has_tasks_and_queues(path: Path) -> None:
    """The sandbox is a server of its own, and so is the command that serves it."""
    if name(path) in MAY_HAVE_TASKS or name(path) == "cli/sandbox.py":
        return
    tree = ast.parse(path.read_text())
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    used |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert not used & TASKS


@pytest.mark.parametrize("path", [path for path in MODULES if path.name == "__init__.py"], ids=name)
def test_a_package_says_what_lives_there(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


@pytest.mark.parametrize("command", [["--help"], ["--version"], ["run", "--help"]], ids=" ".join)
def test_help_imports_nothing_heavy(command: list[str]) -> None:
    script = (
        "import sys\n"
        "from replay_cli.cli import main\n"
        "try:\n    main()\n"
        "finally:\n    print('loaded', *sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, *command], capture_output=True, text=True, check=True)
    assert done.stdout
    loaded = done.stderr.split("loaded ")[1].split()
    assert [module for module in loaded if is_in(module, HEAVY)] == []

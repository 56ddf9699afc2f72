"""A job file says by name what the command line would say, and what it cannot say is an error with its line."""

import string
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replay_cli.cli.job_file import JobFile, commands_of, load_job
from replay_cli.cli.live import answer, require_told
from replay_cli.cli.main import group
from replay_cli.cli.options import PATH, Duration, GroupedCommand, Instant, job_options, option
from replay_cli.cli.toml_file import read_toml
from replay_cli.errors import PausedError, UsageError
from tests.support.in_process import replay_here

COMMANDS = commands_of(click.Context(group))
SECRET = "hunter2"  # it is one that must not be shown
ROUTED = '[[route]]\nsources = ["a", "b"]\nname = "shop"\napi = "bulk"\n[[route]]\nsources = ["c"]\nregion = "DC_02"\n'


def written(folder: Path, text: str, name: str = "nightly.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def load(folder: Path, text: str, name: str = "nightly.toml") -> JobFile:
    return load_job(written(folder, text, name), COMMANDS)


def refused(folder: Path, text: str) -> str:
    with pytest.raises(UsageError) as caught:
        load(folder, text)
    return str(caught.value).replace(str(folder / "nightly.toml"), "FILE")


# -- what it says ---------------------------------------------------------------------------------------------


def given_to(arguments: list[str], **variables: str) -> dict[str, Any]:
    """What a command with options of several kinds is told at last."""
    found = dict[str, Any]()

    @click.command("any", cls=GroupedCommand, context_settings={"auto_envvar_prefix": "REPLAY_ANY"})
    @click.argument("sources", nargs=-1, required=True)
    @job_options
    @option("What", "--rps", type=float, default=250)
    @option("What", "--event", multiple=True)
    @option("What", "--strict", is_flag=True)
    @option("What", "--from", "event_from", type=Instant())
    @option("What", "--timeout", type=Duration(), default="30s")
    @option("What", "--mapping", type=PATH)
    def command(**values: Any) -> None:
        found.update(values)

    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        command.main(arguments, standalone_mode=False)
    return found


WHOLE = """
sources = ["logs", "s3://bucket/logs", "/logs", "days/*.gz"]
rps = 300
event = ["A b", "B"]
strict = true
from = 2025-03-01T10:00:00+02:00
timeout = "4m"
mapping = "maps/a.toml"
"""


def test_a_job_file_says_what_the_command_line_would(tmp_path: Path) -> None:
    said = given_to(["--job", str(written(tmp_path, WHOLE))])
    assert said == {
        "sources": (f"{tmp_path}/logs", "s3://bucket/logs", "/logs", f"{tmp_path}/days/*.gz"),
        "rps": 300,
        "event": ("A b", "B"),
        "strict": True,
        "event_from": datetime(2025, 3, 1, 8, tzinfo=UTC),
        "timeout": 240,
        "mapping": tmp_path / "maps/a.toml",
    }


def test_the_command_line_is_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, WHOLE)
    job = ["--job", str(path)]
    variables = {"REPLAY_ANY_RPS": "200", "REPLAY_ANY_TIMEOUT": "5s"}
    assert given_to([*job, "--rps", "100", "other"], **variables).items() >= {
        ("rps", 100),
        ("timeout", 5),
        ("strict", True),
        ("sources", ("other",)),
    }
    assert given_to([], REPLAY_ANY_JOB=str(path))["rps"] == 300


@pytest.mark.parametrize("time", ["2025-03-01", "2025-03-01T00:00:00", "2025-03-01T00:00:00Z", "1740787200000"])
def test_times_are_dates_and_not_only_texts(time: str, tmp_path: Path) -> None:
    """Without an offset they are UTC, as on the command line."""
    for said in (time, f'"{time}"'):
        values = load(tmp_path, f"received-from = {said}").values
        assert Instant().convert(values["received-from"], None, None) == datetime(2025, 3, 1, tzinfo=UTC)


def test_every_option_of_a_command_with_job_files_is_a_key_or_refused_by_name(tmp_path: Path) -> None:
    for name in ("run", "validate", "redrive", "check"):
        for parameter in COMMANDS[name].params:
            key = max(parameter.opts, key=len).lstrip("-")
            sentence = refused(tmp_path, f"{key} = {{}}")  # it is a table, whatever it should be
            assert "no command has an option" not in sentence
            assert key in sentence


def test_options_of_other_commands_are_left_to_them(tmp_path: Path) -> None:
    job = load(tmp_path, 'rps = 300\nlatency = "20ms"\nreport = "a.html"\n')
    assert job.defaults(COMMANDS["validate"]) == {"rps": "300", "latency": "20ms"}
    assert job.defaults(COMMANDS["run"]).keys() == {"rps", "report", "checkpoint"}
    assert job.defaults(COMMANDS["check"]) == {}


def test_what_a_look_at_the_job_shows_is_not_said_by_its_file(tmp_path: Path) -> None:
    """`--in-doubt` is a flag of `status`, and something else in a job."""
    job = load(tmp_path, 'in-doubt = "dead-letter"\njson = true\n')
    assert job.defaults(COMMANDS["status"]).keys() == {"checkpoint"}
    assert job.defaults(COMMANDS["run"])["in_doubt"] == "dead-letter"
    assert refused(tmp_path, 'watch = "5s"').startswith("FILE line 1: watch stands on the command line only")


def test_the_job_is_the_same_wherever_the_command_runs(tmp_path: Path) -> None:
    """Its memory lies beside its file, under the file's name or the one that it says."""
    assert load(tmp_path, "").checkpoint() == f"{tmp_path}/.replay/nightly.ckpt"
    assert load(tmp_path, 'name = "other"').checkpoint() == f"{tmp_path}/.replay/other.ckpt"
    assert load(tmp_path, 'checkpoint = "a/b.ckpt"').checkpoint() == f"{tmp_path}/a/b.ckpt"
    assert load(tmp_path, 'checkpoint = "s3://b/state/n.ckpt"').checkpoint() == "s3://b/state/n.ckpt"
    for name in ("run", "redrive"):
        assert load(tmp_path, 'name = "x"').defaults(COMMANDS[name]) == {"checkpoint": f"{tmp_path}/.replay/x.ckpt"}


def test_a_link_to_a_job_file_is_the_job_where_the_link_is(tmp_path: Path) -> None:
    """Kubernetes mounts files so, and what the link points to changes its name."""
    (tmp_path / "data").mkdir()
    written(tmp_path / "data", 'mapping = "m.toml"')
    link = tmp_path / "job.toml"
    link.symlink_to(tmp_path / "data" / "nightly.toml")
    job = load_job(link, COMMANDS)
    assert (job.name, job.values["mapping"]) == ("job", f"{tmp_path}/m.toml")


# -- what it builds on ----------------------------------------------------------------------------------------


def test_a_file_replaces_what_it_extends_key_by_key(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    written(
        tmp_path / "base", 'rps = 100\nevent = ["A"]\nmapping = "m.toml"\nlive-destination = false\n' + ROUTED, "a.toml"
    )
    written(tmp_path, 'extends = "base/a.toml"\nrps = 200\nregion = "DC_01"', "b.toml")
    job = load(tmp_path, 'extends = "b.toml"\nevent = ["B"]\nsandbox = true\n[[route]]\nsources = ["z"]\n')
    assert job.values == {"rps": "200", "event": ["B"], "mapping": f"{tmp_path}/base/m.toml", "sandbox": True}
    assert (job.live, [route.name for route in job.routes]) == (False, ["z"])
    assert [route.name for route in load(tmp_path, 'extends = "b.toml"').routes] == ["shop", "c"]


def test_files_cannot_extend_each_other_in_a_circle(tmp_path: Path) -> None:
    written(tmp_path, 'extends = "b.toml"', "a.toml")
    written(tmp_path, '\nextends = "nightly.toml"', "b.toml")
    with pytest.raises(UsageError, match=r"b\.toml line 2: .*in a circle"):
        load(tmp_path, 'extends = "a.toml"')


def test_only_so_many_files_extend_each_other(tmp_path: Path) -> None:
    for number in range(12):
        written(tmp_path, f'extends = "{number + 1}.toml"', f"{number}.toml")
    with pytest.raises(UsageError, match="more than 10 files"):
        load_job(tmp_path / "0.toml", COMMANDS)


# -- what it cannot say ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("\nrsp = 300", "FILE line 2: no command has an option rsp: did you mean rps?"),
        ("rps = 300\nno-such-thing = 1", "FILE line 2: no command has an option no-such-thing"),
        ("port = 8080", "FILE line 1: no command has an option port"),
        ('rps = "300"', "FILE line 1: rps is a number, and this is a text: write for example 250"),
        ("rps = true", "FILE line 1: rps is a number, and this is true or false"),
        ("name = 2025-03-01", "FILE line 1: name is a text, and this is a date"),
        ("received-from = 07:00:00", "FILE line 1: received-from is a time, and this is a time of day"),
        ("mapping = [1]", "FILE line 1: mapping is a text, and this is a list"),
        ("strict = 1", "FILE line 1: strict is a flag: write strict = true, or false"),
        ('event = "A"', 'FILE line 1: event is a list: write event = ["…", …]'),
        ("event = [\n1]", "FILE line 1: event is a text, and this is a number"),
        ("rps = -1", "FILE line 1: rps: '-1' is not a rate"),
        ("timeout = nan", "FILE line 1: timeout: 'nan' is not a duration"),
        ("limit = 1.5", "FILE line 1: limit: '1.5' is not a valid integer range"),
        ('api = "bulky"', "FILE line 1: api: 'bulky' is not one of 'actions', 'classic', 'bulk'"),
        ('event = ["A"]\nevent = ["B"]', "FILE line 2: this is no TOML: Cannot overwrite a value"),
        ("rps = 300\nrps", "FILE line 2: this is no TOML: Expected '=' after a key in a key/value pair"),
        ("rps = 3OO", "FILE line 1, column 8: this is no TOML"),
        ("rps = " + "7" * 5000, "FILE: this is no TOML: Exceeds the limit"),
        ("\n" + "a." * 6_000 + "a = 1", "FILE line 2 is longer than 10,000 characters"),
        ("rps = " + "[" * 9000, "FILE: its lists lie in each other too deep"),
        ("[run]\nrps = 300", "FILE line 1: there is no table [run]: a job file has [[route]] tables only"),
        ("\n[[routes]]\n", "FILE line 2: there are no [[routes]] tables in a job file"),
        ('[route]\nsources = ["a"]', "FILE line 1: write routes as [[route]] tables"),
        ("yes = true", "FILE line 1: yes stands on the command line only"),
        ("restart = true", "FILE line 1: restart stands on the command line only"),
        ('amend = "so"', "FILE line 1: amend stands on the command line only"),
        ('job = "a.toml"', "FILE line 1: job stands on the command line only; to build on another file, use extends"),
        ("in-doubt = 'resend'\nin_doubt = 'resend'", "FILE line 2: in-doubt is said twice, on line 1 too"),
        ('sandbox = true\nregion = "DC_01"', "FILE line 2: give sandbox or region, not both"),
        ('name = "a"\ncheckpoint = "b"', "FILE line 2: give name or checkpoint, not both"),
        ('name = "a/b"', "FILE line 1: name: use 1 to 100 letters"),
        ('checkpoint = "s3://"', "FILE line 1: checkpoint: "),
        ('event = ["a\\u0000"]', "FILE line 1: event has a NUL character in it"),
        ('live-destination = "no"', "FILE line 1: live-destination is true or false"),
        ("extends = 1", "FILE line 1: extends names another job file"),
        ('extends = "none.toml"', "none.toml: there is no such file"),
        ('ok-exit = "3,1"', "FILE line 1: ok-exit: '3,1': use 3 (finished"),
        ("ok-exit = [130]", "FILE line 1: ok-exit: '130': use 3 (finished"),
        ('source-id = ["a"]\n' + ROUTED, "FILE line 1: source-id is what the sources of [[route]] tables say"),
        ("[[route]]\n", "FILE line 1: this route names no sources"),
        ('[[route]]\nsources = "a"', "FILE line 2: sources is a list"),
        ("[[route]]\nsources = []", "FILE line 2: sources is a list"),
        ('[[route]]\nsources = ["a", "a"]', "FILE line 2: a source is named twice"),
        ('[[route]]\nsources = ["a", "b"]', "FILE line 1: this route has several sources, and no name"),
        ('[[route]]\nsources = ["a"]\nname = "x y"', "FILE line 3: name: a route's checkpoint is named after it"),
        (
            '[[route]]\nsources = ["a"]\nmaping = "x"',
            "FILE line 3: no command has an option maping: did you mean mapping?",
        ),
        ('[[route]]\nsources = ["a"]\nrps = 1', "FILE line 3: a route has no rps of its own"),
        ('[[route]]\nsources = ["a"]\napi = "x"', "FILE line 3: api: 'x' is not one of"),
        (ROUTED + '[[route]]\nsources = ["b"]', "FILE line 9: source b has a route on line 2 already"),
        (ROUTED + '[[route]]\nsources = ["d"]\nname = "c"', "FILE line 10: route c is there already, on line 5"),
    ],
)
def test_what_no_job_says_is_refused_with_its_line(text: str, sentence: str, tmp_path: Path) -> None:
    assert sentence in refused(tmp_path, text)


@pytest.mark.parametrize(
    "key", ["api-key", "moengage_api_key", "password", "aws-secret-access-key", "on-finish-url", "session-token"]
)
def test_a_secret_in_a_job_file_is_refused_and_not_shown(key: str, tmp_path: Path) -> None:
    sentence = refused(tmp_path, f'rps = 300\n{key} = "{SECRET}"')
    assert sentence.startswith("FILE line 2: ")
    assert "would be a secret in a job file" in sentence
    assert SECRET not in sentence
    assert "api-key-file" in refused(tmp_path, f'api-key = "{SECRET}"')


def test_what_is_no_job_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "nightly.toml"
    path.write_bytes(b'rps = 300\n# \xff\nname = "a"')
    with pytest.raises(UsageError, match=r"nightly\.toml line 2: this is not UTF-8"):
        load_job(path, COMMANDS)
    path.write_bytes(b"#" * ((1 << 20) + 1))
    with pytest.raises(UsageError, match="more than 1 MiB"):
        load_job(path, COMMANDS)
    with pytest.raises(UsageError, match="is a folder"):
        load_job(tmp_path, COMMANDS)
    with pytest.raises(UsageError, match="no regular file"):
        load_job(Path("/dev/null"), COMMANDS)
    circle = tmp_path / "circle.toml"
    circle.symlink_to(circle)
    with pytest.raises(UsageError, match=r"circle\.toml"):
        load_job(circle, COMMANDS)
    with pytest.raises(UsageError, match="a job is named after its file"):
        load(tmp_path, "", "my job.toml")
    assert load(tmp_path, 'checkpoint = "a.ckpt"', "my job.toml").checkpoint() == f"{tmp_path}/a.ckpt"


TEXTS = ['"a # b"', "'[['", '"""\nx = 1\n"""', "'''\n[[route]]\n'''", '"\\""', '""']
VALUES = st.sampled_from(["1", *TEXTS, '[\n  1, # ]\n  "]",\n]', "{a = '}'}"])
BEFORE = st.sampled_from(["", "\n", "  # x = [\n", "\n\n"])
KEYS = st.text(string.ascii_lowercase + "-_", min_size=1, max_size=5).filter(lambda key: key != "route")


@given(st.lists(st.tuples(BEFORE, KEYS, VALUES), unique_by=lambda row: row[1]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_each_key_is_known_by_its_line(tmp_path: Path, rows: list[tuple[str, str, str]]) -> None:
    text, lines = "", dict[str, int]()
    for number, (before, key, value) in enumerate(rows):
        text += before
        lines[key] = text.count("\n") + 1
        text += f"{key} = {value}\n" if number % 2 else f"'{key}' = {value}\n"
    table = text.count("\n") + 1
    file = read_toml(written(tmp_path, text + "[[route]]\n" + text))
    assert {key: entry.line for key, entry in file.top.items()} == lines
    (route,) = file.tables["route"]
    assert {key: entry.line for key, entry in route.items()} == {"": table} | {
        key: line + table for key, line in lines.items()
    }


@given(st.text(max_size=60) | st.text("[]{}\"'=#.,\n rt12e-", max_size=60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_any_text_is_a_job_or_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "nightly.toml").write_bytes(text.encode())
    with suppress(UsageError):
        load_job(tmp_path / "nightly.toml", COMMANDS)


# -- routes ---------------------------------------------------------------------------------------------------


def test_a_route_has_sources_a_memory_and_settings_of_its_own(tmp_path: Path) -> None:
    job = load(tmp_path, 'rps = 100\napi = "classic"\nsandbox = true\n' + ROUTED)
    shop, other = (job.defaults(COMMANDS["run"], route) for route in job.routes)
    assert shop == {
        "rps": "100",
        "api": "bulk",
        "sandbox": True,
        "source_id": ["a", "b"],
        "checkpoint": f"{tmp_path}/.replay/nightly.shop.ckpt",
    }
    assert other == {
        "rps": "100",
        "api": "classic",
        "region": "DC_02",
        "source_id": ["c"],
        "checkpoint": f"{tmp_path}/.replay/nightly.c.ckpt",
    }
    remote = load(tmp_path, 'checkpoint = "s3://b/n.ckpt"\n' + ROUTED)
    assert remote.checkpoint(remote.routes[0]) == "s3://b/n.shop.ckpt"


# -- live delivery --------------------------------------------------------------------------------------------

RUN: dict[str, Any] = {
    "region": "DC_01",
    "endpoint": None,
    "sandbox": False,
    "workspace_id": "w",
    "windows": None,
    "only_ids": None,
    "received_until": None,
    "dry_run": False,
}
PAST, FUTURE = datetime(2020, 1, 1, tzinfo=UTC), datetime.now(UTC) + timedelta(days=1)


def is_refused(folder: Path, live: bool | None, changes: dict[str, Any]) -> bool:
    text = "" if live is None else f"live-destination = {str(live).lower()}"
    try:
        require_told(load(folder, text), RUN | changes)
    except UsageError as error:
        assert "live-destination = " in str(error)  # noqa: PT017 # whether it is refused is what is asked here
        return True
    return False


@pytest.mark.parametrize(
    "bounds", [{"windows": Path("w")}, {"only_ids": Path("i")}, {"received_until": PAST}, {"dry_run": True}]
)
def test_where_nothing_new_is_sent_a_job_may_be_beside_live_delivery(bounds: dict[str, Any], tmp_path: Path) -> None:
    for live in (None, True, False):
        assert not is_refused(tmp_path, live, bounds)


@pytest.mark.parametrize("bounds", [{}, {"received_until": FUTURE}])
def test_a_job_that_sends_what_is_new_says_that_it_is_not_delivered_live(
    bounds: dict[str, Any], tmp_path: Path
) -> None:
    assert not is_refused(tmp_path, False, bounds)
    assert is_refused(tmp_path, True, bounds)
    assert is_refused(tmp_path, None, bounds)


def test_nothing_is_delivered_live_to_a_local_moengage(tmp_path: Path) -> None:
    for here in ({"sandbox": True}, {"endpoint": "http://127.0.0.1:8080"}):
        assert not is_refused(tmp_path, None, {"region": None} | here)
    assert is_refused(tmp_path, None, {"region": None, "endpoint": "https://example.com"})


@pytest.mark.parametrize(
    ("live", "somebody", "restart", "yes"),
    [
        ("true", False, False, True),
        ("false", False, False, True),
        ("false", True, False, False),
        ("false", False, True, False),
        (None, False, False, False),
    ],
)
def test_a_job_file_answers_where_nobody_is_there_to_be_asked(
    live: str | None, somebody: bool, restart: bool, yes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says how things are with live delivery; that all is sent again, only a person says."""
    values = {"yes": False, "restart": restart}
    job = load(tmp_path, "" if live is None else f"live-destination = {live}")
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: somebody))
    answer(job, values)
    assert values["yes"] is yes


# -- the command line beside it -------------------------------------------------------------------------------

JOB = 'sources = ["logs"]\nregion = "DC_01"\nworkspace-id = "w"\n'


@pytest.mark.parametrize(
    ("text", "arguments", "sentence"),
    [
        (JOB, [], "does not say whether Segment delivers to workspace sandbox live"),
        (JOB + "live-destination = true\n", [], "live-destination = true: what is new"),
        (JOB, ["--route", "a"], "has no routes"),
        (JOB + ROUTED, ["--route", "shpo"], "has no such route: did you mean shop?"),
        (JOB + ROUTED, ["--source-id", "a"], "--source-id: each route of the job file has sources of its own"),
        (JOB + ROUTED, ["--checkpoint", "a"], "--checkpoint: each route of the job file has a checkpoint of its own"),
        (JOB + ROUTED, ["--name", "a"], "--name: each route of the job file has a checkpoint of its own"),
        (JOB + 'checkpoint = "a"', ["--name", "b"], "give --checkpoint instead of --name"),
        (JOB, ["--name", "a/b"], "'a/b' cannot be the name of a job"),
        (JOB, ["--job", "other.toml"], "--job is given twice"),
        (JOB, ["--ok-exit", "2"], "'2': use 3"),
    ],
)
def test_what_contradicts_a_job_file_is_refused(text: str, arguments: list[str], sentence: str, tmp_path: Path) -> None:
    written(tmp_path, text)
    end = replay_here(tmp_path, "run", "--job", "nightly.toml", *arguments)
    assert end.code == 2
    assert sentence in " ".join(end.err.split())
    assert not (tmp_path / ".replay").exists()


def test_an_environment_that_would_make_the_same_of_all_routes_is_refused(tmp_path: Path) -> None:
    written(tmp_path, JOB + "live-destination = false\n" + ROUTED)
    end = replay_here(tmp_path, "run", "--job", "nightly.toml", REPLAY_RUN_API="classic")
    assert end.code == 2
    assert "--api is in the environment, and route shop has one of its own" in end.err


def test_an_environment_that_would_send_a_route_elsewhere_is_refused(tmp_path: Path) -> None:
    """A region takes the place of an endpoint, whatever they are called."""
    text = '[[route]]\nsources = ["a"]\nendpoint = "https://api-02.example"\n'
    written(tmp_path, JOB + "live-destination = false\n" + text)
    end = replay_here(tmp_path, "run", "--job", "nightly.toml", REPLAY_RUN_REGION="DC_03")
    assert end.code == 2
    assert "--region is in the environment, and route a has one of its own" in end.err


@pytest.mark.parametrize(("accepted", "code"), [("4", 3), ("3", 4), ("3,4", 0)])
def test_what_is_accepted_of_one_route_hides_nothing_of_another(
    accepted: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = iter([4, 3])

    def end_with_the_next(*_: object) -> None:
        raise click.exceptions.Exit(next(codes))

    monkeypatch.setattr("replay_cli.cli.running.run_job", end_with_the_next)
    (tmp_path / "logs" / "segment-logs" / "a" / "1740787200000").mkdir(parents=True)
    (tmp_path / "logs" / "segment-logs" / "a" / "1740787200000" / "a.gz").touch()
    written(tmp_path, JOB + "live-destination = false\n" + ROUTED)
    assert replay_here(tmp_path, "run", "--job", "nightly.toml", "--ok-exit", accepted).code == code


def test_a_crontab_line_asks_nothing_and_a_route_is_told_what_is_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = list[dict[str, Any]]()
    monkeypatch.setattr("replay_cli.cli.running.run_job", lambda values, *_: said.append(values))
    (tmp_path / "logs" / "segment-logs" / "a" / "1740787200000").mkdir(parents=True)
    (tmp_path / "logs" / "segment-logs" / "a" / "1740787200000" / "a.gz").touch()
    job = JOB + "live-destination = false\nlimit = 7\n"
    written(tmp_path, job)
    written(tmp_path, job + ROUTED, "routed.toml")
    for name in ("nightly.toml", "routed.toml"):
        assert replay_here(tmp_path, "run", "--job", name, "--rps", "9").code == 0
    kept = ("yes", "rps", "limit", "region", "api", "source_id", "checkpoint")
    memory = tmp_path.relative_to(tmp_path) / ".replay"
    assert [tuple(values[name] for name in kept) for values in said] == [
        (True, 9, 7, "DC_01", "actions", (), memory / "nightly.ckpt"),
        (True, 9, 7, "DC_01", "bulk", ("a", "b"), memory / "routed.shop.ckpt"),
        (True, 9, 7, "DC_02", "actions", ("c",), memory / "routed.c.ckpt"),
    ]


def test_a_pause_that_is_told_as_an_error_is_accepted_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pause(*_: object) -> None:
        raise PausedError("the window opens at 01:00")

    monkeypatch.setattr("replay_cli.cli.running.run_job", pause)
    for codes, code in (("3", 4), ("3,4", 0)):
        end = replay_here(tmp_path, "run", "logs", "--sandbox", "--ok-exit", codes)
        assert (end.code, "the window opens at 01:00" in end.err) == (code, True)


def test_a_route_goes_with_a_job_file(tmp_path: Path) -> None:
    end = replay_here(tmp_path, "run", "logs", "--sandbox", "--route", "a")
    assert end.code == 2
    assert "--route goes with --job" in end.err

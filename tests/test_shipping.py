"""What is shipped: a wheel and an sdist that work outside the checkout, an image, a schedule and its alerts."""

import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.support.shipping import Installed, build_both, build_wheel, copy_checkout, files_of, install
from tests.support.workplace import CHECKOUT


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, to build in."""
    return copy_checkout(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="module")
def built(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The sdist, and the wheel that is built from it."""
    return build_both(checkout, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def installed(built: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return install(built["wheel"], tmp_path_factory.mktemp("empty") / "venv")


def test_the_wheel_has_the_package_and_nothing_else(built: dict[str, Path]) -> None:
    names = set(zipfile.ZipFile(built["wheel"]).namelist())
    package = {name for name in names if ".dist-info/" not in name}
    assert package == {name for name in files_of(CHECKOUT) if name.startswith("replay_cli/")}
    assert {"replay_cli/py.typed", "replay_cli/ledger/schema.sql", "replay_cli/report/page/page.css"} <= package
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_sdist_has_all_that_a_newcomer_needs(built: dict[str, Path]) -> None:
    with tarfile.open(built["sdist"]) as archive:
        names = {member.name.partition("/")[2] for member in archive if member.isfile()}
    assert files_of(CHECKOUT) <= names
    assert not [name for name in names if name.endswith(".pyc")]


def test_the_sdist_builds_the_wheel_that_the_checkout_builds(
    checkout: Path, built: dict[str, Path], tmp_path: Path
) -> None:
    direct = build_wheel(checkout, tmp_path / "dist")
    assert direct.name == built["wheel"].name
    one, other = zipfile.ZipFile(direct), zipfile.ZipFile(built["wheel"])
    assert sorted(one.namelist()) == sorted(other.namelist())
    assert [name for name in one.namelist() if one.read(name) != other.read(name)] == []


def test_the_installed_command_says_its_version(installed: Installed, tmp_path: Path) -> None:
    shown = installed.run(tmp_path, "--version").stdout
    assert shown == f"replay {installed.version} (Python {sys.version.split()[0]} on {sys.platform})\n"


def test_what_runs_is_what_was_installed(installed: Installed, tmp_path: Path) -> None:
    where = installed.python(tmp_path, "import replay_cli; print(replay_cli.__file__)").stdout.strip()
    assert Path(where).is_relative_to(installed.folder)


def test_the_installed_command_validates_and_sends(installed: Installed, tmp_path: Path) -> None:
    """With its pages and its checkpoint: what they are made of is in the wheel."""
    source = str(CHECKOUT / "sample_archives" / "json-column-parquet")
    installed.run(tmp_path, "validate", source, "--report", "before.html", "--workers", "1")
    done = installed.run(tmp_path, "run", source, "--sandbox", "--rps", "2000", "--json", "--report", "after.html")
    summary = json.loads(done.stdout)
    assert summary["state"] == "complete"
    assert summary["records"]["delivered"] > 0
    assert all("<style>" in (tmp_path / page).read_text() for page in ("before.html", "after.html"))
    checkpoint = str(tmp_path / summary["checkpoint"])
    assert json.loads(installed.run(tmp_path, "status", checkpoint, "--json").stdout)["records"] == summary["records"]


def test_the_requirements_are_pinned_by_the_constraints() -> None:
    """All of them, those of developers too: an image is the same tomorrow."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    names = {_normal(re.split(r"[\[<>=;! ]", requirement)[0]) for requirement in wanted}
    lines = (CHECKOUT / "constraints.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines)
    assert names <= {_normal(line.partition("==")[0]) for line in lines}


def _normal(name: str) -> str:
    return name.lower().replace("_", "-")


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions with their arguments, continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", (CHECKOUT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines]


def last_stage() -> list[tuple[str, str]]:
    begins = [number for number, (word, _) in enumerate(instructions()) if word == "FROM"]
    return instructions()[begins[-1] :]


def test_the_image_runs_as_nobody_in_particular() -> None:
    (user,) = [argument for word, argument in instructions() if word == "USER"]
    uid, gid = user.split(":")
    assert int(uid) >= 10_000 <= int(gid)
    assert [word for word, _ in last_stage()].index("USER") > [word for word, _ in last_stage()].index("RUN")
    assert ("ENTRYPOINT", '["replay"]') in last_stage()


def test_the_image_is_the_wheel_with_pinned_requirements_and_no_tools() -> None:
    """What builds stays in the first stage."""
    bases = [argument.split()[0] for word, argument in instructions() if word == "FROM"]
    assert len(bases) == 2
    assert all(re.fullmatch(r"python:3\.\d+-slim", base) for base in bases)
    (build,) = [argument for word, argument in instructions() if word == "RUN" and "pip install" in argument]
    assert "--constraint constraints.txt ." in build
    assert "pip uninstall" in build
    assert [argument for word, argument in last_stage() if word == "COPY"] == ["--from=build /opt/replay /opt/replay"]
    assert not [argument for word, argument in last_stage() if word == "RUN" and re.search(r"pip|apt|curl", argument)]


def test_no_secret_can_get_into_the_image() -> None:
    """What is not named is not sent to the builder; nothing is fetched, and no variable holds a key."""
    ignored = [line for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert ignored[0] == "*"
    allowed = {line.removeprefix("!") for line in ignored if line[0] == "!"}
    copied = {
        name.removeprefix("./")
        for word, argument in instructions()
        if word == "COPY" and not argument.startswith("--from")
        for name in argument.split()[:-1]
    }
    assert copied == allowed
    assert not [word for word, _ in instructions() if word in ("ADD", "ARG", "EXPOSE", "VOLUME")]
    assert not re.search(r"API_KEY|SECRET|TOKEN|PASSWORD", (CHECKOUT / "Dockerfile").read_text())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_completion(shell: str, installed: Installed, tmp_path: Path) -> None:
    script = installed.run(tmp_path, "completion", shell).stdout
    assert f"_REPLAY_COMPLETE={shell}_complete" in script


def completed(installed: Installed, cwd: Path, *words: str) -> list[str]:
    """What bash would be offered for the last of the words."""
    asked = os.environ | {
        "_REPLAY_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(("replay", *words)),
        "COMP_CWORD": str(len(words)),
    }
    done = installed.run(cwd, env=asked)
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_commands_options_and_values_are_completed(installed: Installed, tmp_path: Path) -> None:
    assert completed(installed, tmp_path, "va") == ["validate"]
    assert "--received-from" in completed(installed, tmp_path, "run", "logs", "--rec")
    assert completed(installed, tmp_path, "run", "logs", "--in-doubt", "re") == ["resend"]
    assert completed(installed, tmp_path, "completion", "z") == ["zsh"]


def test_names_of_files_are_left_to_the_shell(installed: Installed, tmp_path: Path) -> None:
    for words in (("run", "lo"), ("status", "lo"), ("resume", "lo"), ("run", "logs", "--suppress", "lo")):
        assert completed(installed, tmp_path, *words) == ["lo"]


def test_what_is_wrong_with_a_line_so_far_does_not_disturb_its_completion(
    installed: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said when the line is entered."""
    monkeypatch.setenv("REPLAY_RUN_NO_SUCH", "1")
    words = ("run", "--job", "nowhere.toml", "--rps", "many", "--where", "a", "--where", "b", "--in-d")
    assert completed(installed, tmp_path, *words) == ["--in-doubt"]


def test_bash_takes_the_script(installed: Installed, tmp_path: Path) -> None:
    """Sourced, and asked as bash asks when somebody presses the key."""
    script = (
        f'eval "$({installed.command} completion bash)"\n'
        "COMP_WORDS=(replay re); COMP_CWORD=1\n"
        f"PATH={installed.command.parent}:$PATH _replay_completion {installed.command}\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    assert set(done.stdout.split()) >= {"resume", "redrive"}

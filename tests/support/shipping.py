"""Builds what is shipped, and installs it where nothing of the checkout can be seen."""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from shutil import copyfile

import replay_cli
from tests.support.processes import environment
from tests.support.workplace import CHECKOUT

_SECONDS = 120.0
_NOT_FILES = ("__pycache__", ".egg-info")


def files_of(checkout: Path) -> set[str]:
    """The names of all files that belong to the project: what git has or would take, or all where there is no git."""
    if (checkout / ".git").exists():
        listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        done = subprocess.run(listing, cwd=checkout, capture_output=True, text=True, check=True, timeout=_SECONDS)
        names = set(done.stdout.split("\0")) - {""}
    else:
        names = {path.relative_to(checkout).as_posix() for path in checkout.rglob("*")}
    return {name for name in names if (checkout / name).is_file() and not any(part in name for part in _NOT_FILES)}


def copy_checkout(into: Path) -> Path:
    """Copy the project's files: what building leaves behind must not lie in the checkout."""
    for name in files_of(CHECKOUT):
        (into / name).parent.mkdir(parents=True, exist_ok=True)
        copyfile(CHECKOUT / name, into / name)
    return into


def build_both(checkout: Path, into: Path) -> dict[str, Path]:
    """Build the sdist, and from it the wheel."""
    _build(checkout, into)
    (sdist,), (wheel,) = into.glob("*.tar.gz"), into.glob("*.whl")
    return {"sdist": sdist, "wheel": wheel}


def build_wheel(checkout: Path, into: Path) -> Path:
    """Build the wheel from the checkout itself."""
    _build(checkout, into, "--wheel")
    (wheel,) = into.glob("*.whl")
    return wheel


def _build(checkout: Path, into: Path, *options: str) -> None:
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(into), *options, str(checkout)]
    done = subprocess.run(command, cwd=checkout.parent, capture_output=True, text=True, timeout=_SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


class Installed:
    """A wheel in a virtual environment of its own, run in folders that are none of the project's.

    Args:
        folder: the virtual environment.
        version: what the wheel's name says.
    """

    def __init__(self, folder: Path, version: str) -> None:
        self.folder = folder
        self.version = version
        self.command = folder / "bin" / "replay"

    def run(self, cwd: Path, *arguments: str, env: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
        """Run `replay`, which has to succeed."""
        return self._succeed(cwd, [str(self.command), *arguments], environment() if env is None else env)

    def python(self, cwd: Path, script: str) -> "subprocess.CompletedProcess[str]":
        """Run a script with the environment's Python."""
        return self._succeed(cwd, [str(self.folder / "bin" / "python"), "-c", script], environment())

    def _succeed(self, cwd: Path, command: list[str], env: dict[str, str]) -> "subprocess.CompletedProcess[str]":
        outside = {name: value for name, value in env.items() if name != "PYTHONPATH"}
        done = subprocess.run(
            command, cwd=cwd, env=outside, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done


def install(wheel: Path, folder: Path) -> Installed:
    """Install a wheel into an empty environment that sees the requirements which these tests were installed with.

    It sees packages alone: what makes the checkout importable for the tests (a hook of an editable installation) does
    not reach it.
    """
    _make_environment(folder)
    _pip_install(folder, str(wheel))
    return Installed(folder, wheel.name.split("-")[1])


def install_editable(checkout: Path, folder: Path) -> Installed:
    """Install a checkout as `make` does, into an environment like that of `install`."""
    _make_environment(folder)
    _pip_install(folder, "--no-build-isolation", "--editable", str(checkout))
    return Installed(folder, replay_cli.__version__)


def _make_environment(folder: Path) -> None:
    venv.create(folder, with_pip=False, symlinks=True)
    site = next(folder.glob("lib/python*/site-packages"))
    (site / "requirements.pth").write_text(f"{sysconfig.get_path('purelib')}\n")


def _pip_install(folder: Path, *what: str) -> None:
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "--quiet"]
    done = subprocess.run(
        [*pip, "--no-deps", "--no-index", "--force-reinstall", *what],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr

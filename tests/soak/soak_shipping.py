"""What a stranger does, from the package index on: clone and `make demo`; the wheel into an empty environment.

The suite's own tests do the same without the network, with the requirements that are there.
"""

import subprocess
import sys
import venv
from pathlib import Path

from tests.support.processes import environment
from tests.support.shipping import Installed, build_both, copy_checkout
from tests.support.workplace import CHECKOUT

_SECONDS = 900.0


def succeed(cwd: Path, *command: str) -> str:
    """Run a command that has to succeed; what it printed."""
    env = {name: value for name, value in environment().items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        command,
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_clone_replays_its_demo(tmp_path: Path) -> None:
    """Of what is committed, with all that it requires installed anew."""
    succeed(tmp_path, "git", "clone", "--quiet", "--no-hardlinks", str(CHECKOUT), "clone")
    shown = succeed(tmp_path / "clone", "make", "demo", f"PYTHON={sys.executable}")
    assert "complete" in shown
    assert "pending                      0" in shown


def test_the_wheel_and_the_sdist_install_with_all_that_they_require(tmp_path: Path) -> None:
    built = build_both(copy_checkout(tmp_path / "checkout"), tmp_path / "dist")
    for kind, package in built.items():
        venv.create(tmp_path / kind, with_pip=True)
        pip = [str(tmp_path / kind / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
        succeed(tmp_path, *pip, "install", "--constraint", str(CHECKOUT / "constraints.txt"), str(package))
        succeed(tmp_path, *pip, "check")
        source = str(CHECKOUT / "sample_archives" / "nested-parquet")
        folder = tmp_path / f"work-{kind}"
        folder.mkdir()
        installed = Installed(tmp_path / kind, package.name.split("-")[1].removesuffix(".tar.gz"))
        assert f"replay {installed.version} " in installed.run(folder, "--version").stdout
        installed.run(folder, "validate", source, "--report", "page.html")
        installed.run(folder, "run", source, "--sandbox", "--rps", "2000")
        assert list((folder / ".replay").iterdir())

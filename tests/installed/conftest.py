"""layerbank as users install it: the wheel, and an editable install, each in an environment."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

#: Runs a Python with these arguments in a folder.
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A copy of the tracked files, with the wheel in ``dist`` and the editable one in ``editable``.

    Built once, also where several processes run the tests.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    with (shared / "built.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        source = shared / "built"
        if not source.exists():
            _build(source)
    return source


def _build(source: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, source / name)
    editable = "import setuptools.build_meta as backend; backend.build_editable('editable')"
    for command in (["-m", "build", "--wheel"], ["-c", editable]):
        subprocess.run([sys.executable, *command], cwd=source, check=True, capture_output=True)


@pytest.fixture(scope="session")
def wheel(built: Path) -> Path:
    """The wheel."""
    (wheel,) = (built / "dist").glob("*.whl")
    return wheel


@pytest.fixture(scope="session")
def clean(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of a new environment with the wheel."""
    return _environment(tmp_path_factory.mktemp("clean"), wheel)


@pytest.fixture(scope="session")
def editable(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of a new environment with an editable install of the copy."""
    (wheel,) = (built / "editable").glob("*.whl")
    return _environment(tmp_path_factory.mktemp("editable"), wheel)


def _environment(folder: Path, wheel: Path) -> Path:
    """Python of an environment with a wheel in it; the dependencies are lent from ours."""
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    command = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    subprocess.run([*command, "--no-deps", "--no-index", wheel], check=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    # A folder that a .pth file names comes without its own, and so without our editable install.
    lent = folder / "lib" / version / "site-packages" / "lent.pth"
    lent.write_text(sysconfig.get_path("purelib"))
    return python


@pytest.fixture(scope="session")
def run() -> Run:
    """Run a Python in a folder, with nothing of this process's paths."""

    def run(
        python: Path, *arguments: str | Path, cwd: Path, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        return subprocess.run(
            [python, *arguments],
            cwd=cwd,
            env={**environment, **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    return run

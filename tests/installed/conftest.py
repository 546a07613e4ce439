"""layerbank as users install it: the wheel, and an editable install, each in an environment."""

from __future__ import annotations

import email
import fcntl
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Callable
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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


@pytest.fixture(scope="session")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of a new environment with the wheel, and nothing but what it depends on.

    What ``pip install layerbank`` gives, without any extra: the packages that the wheel's own
    metadata requires, and those that they require, are linked in from ours.
    """
    folder = tmp_path_factory.mktemp("bare")
    python = _install(folder, wheel)
    for entry in _entries(required_by(wheel)):
        (_site_packages(folder) / entry.name).symlink_to(entry)
    return python


def required_by(wheel: Path, extra: str = "") -> dict[str, Distribution]:
    """What a wheel requires, directly or not, by name: the packages as they are installed here."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    lines = [(line, {extra}) for line in metadata.get_all("Requires-Dist", [])]
    found: dict[str, Distribution] = {}
    done = set()
    while lines:
        line, extras = lines.pop()
        wanted = Requirement(line)
        applies = wanted.marker is None or any(wanted.marker.evaluate({"extra": e}) for e in extras)
        name = canonicalize_name(wanted.name)
        if not applies or (name, frozenset(wanted.extras)) in done:
            continue
        done.add((name, frozenset(wanted.extras)))
        if name == "layerbank":  # one extra that contains another
            inner = [(each, set(wanted.extras)) for each in metadata.get_all("Requires-Dist", [])]
            lines += [(each, extras) for each, extras in inner if "extra ==" in each]
            continue
        found[name] = distribution(name)
        lines += [(each, {"", *wanted.extras}) for each in found[name].requires or []]
    return found


def _entries(packages: dict[str, Distribution]) -> set[Path]:
    """What stands in the folder of all packages and belongs to one of these."""
    site = Path(sysconfig.get_path("purelib"))
    tops = {file.parts[0] for package in packages.values() for file in package.files or []} - {
        "..",
        "__pycache__",
    }
    return {site / top for top in tops}


def _environment(folder: Path, wheel: Path) -> Path:
    """Python of an environment with a wheel in it; everything else is lent from ours."""
    python = _install(folder, wheel)
    # A folder that a .pth file names comes without its own, and so without our editable install.
    (_site_packages(folder) / "lent.pth").write_text(sysconfig.get_path("purelib"))
    return python


def _install(folder: Path, wheel: Path) -> Path:
    """Python of a new environment with a wheel alone."""
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    command = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    # Whatever a path of this process shows to pip is no reason to leave the wheel out.
    here = ("--no-deps", "--no-index", "--ignore-installed")
    subprocess.run([*command, *here, wheel], check=True)
    return python


def _site_packages(folder: Path) -> Path:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return folder / "lib" / version / "site-packages"


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

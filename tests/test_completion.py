"""Shell completion, asked as bash, zsh and fish ask."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

#: What the installed script does, and the modules that this loaded.
SCRIPT = (
    "import atexit, sys\n"
    "sys.argv = ['layerbank', *sys.argv[1:]]\n"
    "atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
    "from layerbank import main\n"
    "main()"
)


def call(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **variables},
        check=False,
    )


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("layerbank ex", {"extract", "export", "explain"}),
        ("layerbank ", {"extract", "regress", "sweep", "predict", "info", "demo"}),
        ("layerbank regress --ta", {"--target"}),
        ("layerbank explain --ne", {"--neighbours"}),
        ("layerbank sweep --m", {"--model", "--memory"}),
        ("layerbank nothing", set()),
    ],
)
def test_commands_and_options(typed: str, expected: set[str]) -> None:
    words = typed.split(" ")
    done = call(
        _LAYERBANK_COMPLETE="complete_bash", COMP_WORDS=typed, COMP_CWORD=str(len(words) - 1)
    )
    assert done.returncode == 0
    found = set(done.stdout.split())
    assert found >= expected
    assert all(word.startswith(words[-1]) for word in found)
    assert bool(found) == bool(expected)
    loaded = {name.split(".")[0] for name in done.stderr.split()}
    assert "typer" in loaded
    assert not loaded & {"torch", "transformers", "sklearn", "lightgbm", "pandas", "h5py", "scipy"}


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells(shell: str) -> None:
    done = call(
        _LAYERBANK_COMPLETE=f"complete_{shell}",
        _TYPER_COMPLETE_ARGS="layerbank expo",
        _TYPER_COMPLETE_FISH_ACTION="get-args",
        _TYPER_COMPLETE_WORD_TO_COMPLETE="expo",
    )
    assert "export" in done.stdout
    assert "Write chosen blocks" in done.stdout


def test_it_installs_and_bash_completes(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    assert bash is not None
    home = {"HOME": str(tmp_path), "SHELL": bash}
    shown = call("--show-completion", "bash", **home)
    assert "_LAYERBANK_COMPLETE=complete_bash" in shown.stdout
    assert call("--install-completion", "bash", **home).returncode == 0
    assert "layerbank.sh" in (tmp_path / ".bashrc").read_text()
    program = tmp_path / "layerbank"
    program.write_text(f"#!{sys.executable}\n{SCRIPT}\n")
    program.chmod(0o755)
    asked = (
        f"source {tmp_path}/.bash_completions/layerbank.sh; COMP_WORDS=(layerbank verif); "
        f"COMP_CWORD=1; _layerbank_completion {program}; echo ${{COMPREPLY[@]}}"
    )
    done = subprocess.run(
        [bash, "-c", asked], capture_output=True, text=True, check=True, env={**os.environ, **home}
    )
    assert done.stdout.strip() == "verify"

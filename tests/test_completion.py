"""Shell completion, asked as bash, zsh and fish ask."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.typed import Reader

#: What the installed script does.
SCRIPT = "import sys\nsys.argv = ['layerbank', *sys.argv[1:]]\nfrom layerbank import main\nmain()\n"


def completes(typed: str) -> dict[str, str]:
    """What bash sets before it asks."""
    number = str(len(typed.split(" ")) - 1)
    return {"_LAYERBANK_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": number}


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("layerbank ex", {"extract", "export", "explain"}),
        ("layerbank ", {"fit", "extract", "predict", "info", "compare", "delete", "demo"}),
        ("layerbank regress --ta", {"--target"}),
        ("layerbank fit --model ", {"ridge", "krr", "svr", "lightgbm", "pairwise"}),
        ("layerbank fit --effort q", {"quick"}),
        ("layerbank regress --folds ", {"stratified", "plain", "group"}),
        ("layerbank extract --precision b", {"bf16"}),
        ("layerbank extract --poolings cls,me", {"cls,mean"}),
        ("layerbank predict --empty ", {"predict", "mean", "skip"}),
        ("layerbank delete --format js", {"json", "jsonl"}),
        ("layerbank explain --ne", {"--neighbours"}),
        ("layerbank sweep --m", {"--model", "--memory"}),
        ("layerbank nothing", set()),
    ],
)
def test_commands_and_options(
    typed: str, expected: set[str], reader: Reader, tmp_path: Path
) -> None:
    done = reader.types("layerbank", tmp_path, **completes(typed))
    assert done.returncode == 0
    found = set(done.stdout.split())
    assert found >= expected
    assert all(word.startswith(typed.split(" ")[-1]) for word in found)
    assert bool(found) == bool(expected)


def test_completing_loads_nothing_heavy() -> None:
    """In a process of its own: the reader has everything loaded."""
    script = f"import atexit, sys\natexit.register(lambda: print(*sys.modules))\n{SCRIPT}"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, **completes("layerbank regress --ta")},
        check=True,
    )
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert {"--target", "typer"} <= loaded
    assert not loaded & {"torch", "transformers", "sklearn", "lightgbm", "pandas", "h5py", "scipy"}


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells(shell: str, reader: Reader, tmp_path: Path) -> None:
    done = reader.types(
        "layerbank",
        tmp_path,
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
    program = tmp_path / "layerbank"
    program.write_text(f"#!{sys.executable}\n{SCRIPT}")
    program.chmod(0o755)
    environment = {
        **os.environ, "HOME": str(tmp_path), "PATH": f"{tmp_path}:{os.environ['PATH']}",
    }  # fmt: skip

    def typed(lines: str) -> str:
        """In a process of bash, which the program looks for among those that called it."""
        command = [bash, "-c", f"{lines}\nexit $?"]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "_LAYERBANK_COMPLETE=complete_bash" in typed("layerbank --show-completion")
    typed("layerbank --install-completion")
    assert "layerbank.sh" in (tmp_path / ".bashrc").read_text()
    asked = (
        f"source {tmp_path}/.bash_completions/layerbank.sh; COMP_WORDS=(layerbank verif); "
        f"COMP_CWORD=1; _layerbank_completion {program}; echo ${{COMPREPLY[@]}}"
    )
    assert typed(asked).strip() == "verify"

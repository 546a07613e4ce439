"""``make demo`` on a machine that has only Python and make: a clone, an environment, a result."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow  # installs everything again, from a network
def test_make_demo_from_a_fresh_clone(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    base = getattr(sys, "_base_executable", sys.executable)
    result = subprocess.run(
        ["make", "demo", f"PYTHON={base}"], cwd=clone, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert "180 texts new" in result.stdout
    assert "ridge" in result.stdout
    assert (clone / "layerbank-demo" / "run" / "run.json").exists()

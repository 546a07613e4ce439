"""Reading as on Windows: every module without ``fcntl`` and ``resource``, and the bank's readers.

No Windows is at hand. What can be had here: libraries of others are imported as they are on this
system; then ``fcntl`` and ``resource`` can be imported no more, ``os`` loses what Windows lacks,
``sys.platform`` says ``win32``, and everything of ours is imported and run.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from features import Bank
from tests.made_up import SETUP, SOURCE, add

TEXTS = [f"text number {i}" for i in range(40)]

AS_ON_WINDOWS = r"""
import errno, importlib, os, pkgutil, sys, types

import altair, joblib, lightgbm, h5py, numpy, pandas, psutil, pyarrow.csv, pyarrow.parquet, rich
import scipy.linalg, scipy.stats, sklearn.linear_model, sklearn.svm, sklearn.model_selection
import threadpoolctl, torch, transformers, tqdm.auto, typer, xxhash, multiprocessing.connection

sys.modules["fcntl"] = sys.modules["resource"] = None
sys.modules["msvcrt"] = types.SimpleNamespace(LK_NBLCK=2, locking=lambda *_: None)
os.O_BINARY = os.O_NOINHERIT = 0
for name in ("O_CLOEXEC", "O_DIRECTORY", "pread", "preadv", "fchmod", "uname", "sysconf"):
    delattr(os, name)
multiprocessing.connection.PipeConnection = multiprocessing.connection.Connection
sys.platform = "win32"

import extract, features, layerbank, regress
for package in (extract, features, layerbank, regress):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)

import numpy as np
from features import Bank, text_keys
from features.disk import snapshot, system
from features.errors import BankError
from features.upkeep.compact import compact
from features.upkeep.delete import delete
from features.upkeep.merge import merge
from features.upkeep.verify import verify
from layerbank.cli import main

bank_path, table, out = sys.argv[1:]
assert not system.WRITES_BANKS

def run(*arguments):
    sys.argv = ["layerbank", *arguments]
    try:
        main()
    except SystemExit as ended:
        return ended.code or 0
    return 0

snapshot.KEEP_SEGMENTS = 0  # an index is due, and is not kept
bank = Bank.open(bank_path)
np.save(f"{out}/matrix.npy", bank.matrix([f"text number {i}" for i in range(40)], "mean[-2:]"))
assert verify(bank_path).findings == ()
assert run("info", bank_path) == 0
asked = ("--text", "text", "--target", "target", "--bank", bank_path)
assert run("regress", table, *asked, "--model", "ridge", "--out", f"{out}/run") == 0
assert run("predict", f"{out}/run", table, "--text", "text", "--out", f"{out}/predicted.csv") == 0

def refused(write):
    try:
        write()
    except BankError as error:
        assert "on Windows, which only reads banks" in str(error), error
        assert "\n" not in str(error)
    else:
        raise AssertionError(write)

refused(lambda: bank.writer({}))
refused(lambda: Bank.create(f"{out}/new.bank", bank.setup, bank.source))
refused(lambda: compact(bank_path))
refused(lambda: delete(bank_path, text_keys(["text number 1"])))
refused(lambda: merge([bank_path], f"{out}/new.bank"))
"""


def test_every_module_and_the_readers(tmp_path: Path) -> None:
    bank = Bank.create(tmp_path / "made-up.bank", SETUP, SOURCE)
    add(bank, TEXTS)
    rng = np.random.default_rng(0)
    table = tmp_path / "table.csv"
    rows = [f"{text},{target}" for text, target in zip(TEXTS, rng.normal(size=40), strict=True)]
    table.write_text("\n".join(["text,target", *rows]) + "\n", encoding="utf-8")
    out = tmp_path / "out"
    out.mkdir()
    before = sorted(path.name for path in bank.path.iterdir())
    done = subprocess.run(
        [sys.executable, "-c", AS_ON_WINDOWS, str(bank.path), str(table), str(out)],
        capture_output=True, text=True, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    np.testing.assert_array_equal(np.load(out / "matrix.npy"), bank.matrix(TEXTS, "mean[-2:]"))
    assert (out / "run" / "run.json").is_file()
    assert len((out / "predicted.csv").read_text().splitlines()) == 41
    assert sorted(path.name for path in bank.path.iterdir()) == before

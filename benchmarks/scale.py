"""How a bank's costs grow with the number of keys: time and memory, drawn against n::

    python benchmarks/scale.py                          # 125,000 to 2,000,000 keys, 10 GB of disk
    python benchmarks/scale.py --keys 20000 --rows 500  # a quick look

An encoder that makes its vectors up (13 layers × 3 poolings, 8 wide, float32) fills a bank through
the real writer, four processes at once. Every phase then runs in a process of its own, which says
how long it took (imports left out) and how much memory it had at the most: RSS, and of it what is
not a map of a file (anonymous), looked at every 5 ms. The page cache is warm. What was read is
compared with what was written. Segments hold 4,096 rows unless told, about what 256 MiB are for
roberta-base; ``--rows 1000`` makes 2,000 segments of 2 million keys, as job arrays do.

``--results F.json`` keeps what was measured, and goes on from it; ``--draw F.svg`` draws it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features import Bank
from features.keys import text_keys
from features.upkeep.compact import compact
from features.upkeep.merge import merge
from features.upkeep.summary import describe
from features.upkeep.verify import verify

HIDDEN, LAYERS, POOLINGS = 8, 13, ("cls", "mean", "max")
N_BLOCKS = LAYERS * len(POOLINGS)
SETUP = {
    "weights": "0" * 64, "config": {}, "tokenizer": "0" * 64, "max_length": 512,
    "long": "truncate", "stride": None, "precision": "fp32", "poolings": list(POOLINGS),
    "pooler": False, "n_layers": LAYERS, "hidden_size": HIDDEN,
}  # fmt: skip
N_WRITERS = 4
#: Rows that are looked up or read at once.
N_READ = 100_000
#: What happens to a bank, in order; the plot's names.
PHASES = {
    "plain": "the same bytes written plainly, with fsync",
    "build": "build, 4 writers",
    "first open": "first open (makes the index)",
    "open": "open",
    "known": "contains, 100,000 known",
    "unknown": "contains, 100,000 unknown",
    "keys": "read 100,000 random keys",
    "range": "read 100,000 keys in order",
    "info": "info",
    "verify": "verify",
    "merge": "merge into a new bank",
    "compact": "compact",
    "open compacted": "open, compacted",
    "keys compacted": "read 100,000 random keys, compacted",
}


def main() -> None:
    parser = argparse.ArgumentParser(description="A bank's time and memory against its keys.")
    sizes = [125_000, 250_000, 500_000, 1_000_000, 2_000_000]
    parser.add_argument("--keys", type=int, nargs="+", default=sizes)
    parser.add_argument("--rows", type=int, default=4096, help="rows of a segment")
    parser.add_argument("--folder", type=Path, default=None, help="where to write, then delete")
    parser.add_argument("--results", type=Path, default=None, help="keep and add to this JSON")
    parser.add_argument("--draw", type=Path, default=None, help="draw to this .svg or .png")
    parser.add_argument("--phase", nargs=4, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.phase:
        print(json.dumps(measured(*options.phase, options.rows)))
        return
    results: dict[str, Any] = {}
    if options.results and options.results.exists():
        results = json.loads(options.results.read_text())
    for n in options.keys:
        if str(n) not in results:
            results[str(n)] = run(n, options.rows, options.folder)
            if options.results:
                options.results.write_text(json.dumps(results, indent=1))
    print_tables(results)
    if options.draw:
        draw(results, options.draw)


def run(n: int, rows: int, folder: Path | None) -> dict[str, Any]:
    """Every phase at n keys."""
    place = Path(tempfile.mkdtemp(prefix="layerbank-scale-", dir=folder))
    try:
        bank = Bank.create(place / "a.bank", SETUP, {"encoder": "made up"}).path
        found = {"plain": finished(child("plain", bank, n, rows))}
        start = time.perf_counter()
        writers = [child("build", bank, n, rows, share) for share in range(N_WRITERS)]
        several = [finished(writer) for writer in writers]
        found["build"] = {"seconds": time.perf_counter() - start} | {
            name: max(one[name] for one in several) for name in ("rss", "anonymous")
        }
        for phase in PHASES:
            if phase not in found:
                found[phase] = finished(child(phase, bank, n, rows))
                print(f"{n:>9,} {phase:<16} {found[phase]}", file=sys.stderr)
                shutil.rmtree(place / "into.bank", ignore_errors=True)
        return found
    finally:
        shutil.rmtree(place)


def child(phase: str, bank: Path, n: int, rows: int, share: int = 0) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--rows", str(rows), "--phase", phase, str(bank), str(n)]
    return subprocess.Popen([*command, str(share)], stdout=subprocess.PIPE, text=True)


def finished(process: subprocess.Popen[str]) -> dict[str, float]:
    said, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"a phase failed: {process.args}")
    return dict(json.loads(said))


def measured(phase: str, path: str, n: str, share: str, rows: int) -> dict[str, float]:
    """Run one phase in this process."""
    prepared = prepare(phase, Path(path), int(n), int(share), rows)
    watch = Watch()
    with watch:
        start = time.perf_counter()
        result = prepared()
        seconds = time.perf_counter() - start
    check(expected(phase, int(n), result))
    return {"seconds": seconds, "rss": watch.rss, "anonymous": watch.anonymous}


def prepare(phase: str, path: Path, n: int, share: int, rows: int) -> Callable[[], Any]:
    """What a phase does, less what is not to be timed: making keys and, mostly, opening."""
    if phase == "plain":
        return lambda: write_plainly(path.with_name("plain"), n, rows)
    if phase == "build":
        numbers = range(share * n // N_WRITERS, (share + 1) * n // N_WRITERS)
        return lambda: build(path, numbers, rows)
    if phase in ("first open", "open", "open compacted"):
        return lambda: Bank.open(path)
    if phase == "info":
        return lambda: describe(path)
    if phase == "verify":
        return lambda: verify(path)
    if phase == "merge":
        return lambda: merge([path], path.with_name("into.bank"))
    if phase == "compact":
        return lambda: compact(path)
    bank = Bank.open(path)
    numbers = asked(phase, n)
    keys = keys_of(numbers, "unknown" if phase == "unknown" else "text")
    if phase in ("known", "unknown"):
        return lambda: bank.contains_keys(keys)
    out = np.empty((len(keys), HIDDEN), np.float32)
    return lambda: (bank.fill_keys(out, keys, bank.resolve("mean[-1]")), out)[1]


def asked(phase: str, n: int) -> NDArray[np.int64]:
    """Which texts are looked up or read."""
    if phase == "range":
        return np.arange(n // 3, min(n, n // 3 + N_READ))
    return np.random.default_rng(n).permutation(n)[:N_READ]


def expected(phase: str, n: int, result: Any) -> bool:
    """Whether a phase gave what it must."""
    if phase in ("known", "unknown"):
        return bool((result == (phase == "known")).all())
    if phase in ("keys", "range", "keys compacted"):
        mean_of_last = 2 * LAYERS - 1
        return np.array_equal(result, values_of(asked(phase, n))[:, mean_of_last])
    return {
        "info": lambda: result["n_texts"] == n,
        "verify": lambda: not result.findings and result.n_rows == n,
        "merge": lambda: result == n,
    }.get(phase, lambda: True)()


def write_plainly(folder: Path, n: int, rows: int) -> None:
    folder.mkdir()
    content = np.random.default_rng(0).bytes(rows * (N_BLOCKS * HIDDEN * 4 + 37))
    for number in range(n // rows):
        with (folder / str(number)).open("wb") as file:
            file.write(content)
            os.fsync(file.fileno())
    shutil.rmtree(folder)


def build(path: Path, numbers: range, rows: int) -> None:
    bank = Bank.open(path)
    bytes_a_row = N_BLOCKS * HIDDEN * 4
    with bank.writer({}, segment_bytes=rows * bytes_a_row, segment_seconds=1e9) as writer:
        for start in range(numbers.start, numbers.stop, 1024):
            some = np.arange(start, min(start + 1024, numbers.stop))
            ones = np.ones(len(some), np.int32)
            writer.add(keys_of(some), ones, ones > 1, values_of(some))


def keys_of(numbers: NDArray[np.int64], word: str = "text") -> NDArray[np.uint8]:
    return text_keys(f"{word} {number}" for number in numbers.tolist())


def values_of(numbers: NDArray[np.int64]) -> NDArray[np.float32]:
    """What the made-up encoder gives: shape (n, N_BLOCKS, HIDDEN), another for every text."""
    places = np.linspace(0.5, 1.5, N_BLOCKS * HIDDEN).reshape(N_BLOCKS, HIDDEN)
    return (numbers[:, None, None] % 10_007 * places).astype(np.float32)


def check(right: bool) -> None:
    if not right:
        raise SystemExit("what was read is not what was written")


class Watch:
    """Peaks of this process's memory, in bytes."""

    def __enter__(self) -> None:
        self.rss, self.anonymous, self._stop = 0, 0, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while True:
            with open("/proc/self/status", encoding="ascii") as file:
                status = dict(line.split(":", 1) for line in file)
            rss, anonymous = (int(status[name].split()[0]) * 1024 for name in ("VmRSS", "RssAnon"))
            self.rss, self.anonymous = max(self.rss, rss), max(self.anonymous, anonymous)
            if self._stop.wait(0.005):
                return

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def print_tables(results: dict[str, Any]) -> None:
    sizes = sorted(results, key=int)
    for what, unit, scale in (
        ("seconds", "seconds", 1.0), ("rss", "peak RSS, MB", 1e6),
        ("anonymous", "peak anonymous memory, MB", 1e6),
    ):  # fmt: skip
        print(f"\n| {unit} | {' | '.join(f'{int(n):,}' for n in sizes)} |")
        print("|---|" + "---|" * len(sizes))
        for phase, name in PHASES.items():
            cells = [results[n][phase][what] / scale for n in sizes]
            shown = " | ".join(f"{x:.2f}" if what == "seconds" else f"{x:.0f}" for x in cells)
            print(f"| {name} | {shown} |")


def draw(results: dict[str, Any], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    sizes = sorted(results, key=int)
    x = np.array([int(n) for n in sizes]) / 1e6
    figure, axes = plt.subplots(1, 2, figsize=(11, 5.2), sharex=True)
    shown = [phase for phase in PHASES if phase not in ("unknown", "open compacted", "range")]
    colours = plt.get_cmap("tab20").colors
    for axis, what, scale, title in (
        (axes[0], "seconds", 1.0, "seconds"),
        (axes[1], "anonymous", 1e6, "peak anonymous memory, MB"),
    ):  # fmt: skip
        for phase, colour in zip(shown, colours, strict=False):
            y = [results[n][phase][what] / scale for n in sizes]
            axis.plot(x, y, marker="o", markersize=4, label=PHASES[phase], color=colour)
        axis.plot(x, x / x[-1] * axis.get_ylim()[1], color="0.6", linestyle=":", label="linear")
        axis.set(xscale="log", yscale="log", title=title, xlabel="keys, millions")
        axis.set_xticks(x, [f"{value:g}" for value in x], minor=False)
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    axes[1].set_yticks([25, 50, 100, 200, 400], ["25", "50", "100", "200", "400"])
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=4, frameon=False, fontsize=9)
    figure.tight_layout(rect=(0, 0.13, 1, 1))
    figure.savefig(path)


if __name__ == "__main__":
    main()

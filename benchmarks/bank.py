"""How fast the bank is, against reading and writing the same bytes plainly::

    python benchmarks/bank.py                  # 50,000 rows × 768 × 13 × 3, about 6 GB of disk
    python benchmarks/bank.py --rows 5000      # a quick look

Prints one Markdown table. Every ratio is the median of several runs; each run times the plain
way and the bank's right after one another in one process, and takes their ratio, so that a busy
machine slows both; beside it stands the fastest run of the one against the fastest of the other,
which a busy machine distorts least. The page cache is warm. The plain way reads with ``preadv``
into memory that was touched before. A float16 bank is read as float16 here; its conversion to
float32 stands in a row of its own, against NumPy's. Keys are looked up beforehand, but for the
row that times just this.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features import Bank
from features.disk.format import dataset_name
from features.disk.gather import widen
from features.disk.index import KeyIndex
from features.keys import text_keys
from features.selection import Block
from regress.data.matrix import fill_terms

HIDDEN, LAYERS, POOLINGS = 768, 13, ("cls", "mean", "max")
SETUP = {
    "weights": "0" * 64,
    "config": {},
    "tokenizer": "0" * 64,
    "max_length": 512,
    "long": "truncate",
    "stride": None,
    "poolings": list(POOLINGS),
    "pooler": False,
    "n_layers": LAYERS,
    "hidden_size": HIDDEN,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="The bank against plain reads and writes.")
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--keys", type=int, default=5_000_000)
    parser.add_argument("--segments", type=int, default=640)
    parser.add_argument("--folder", type=Path, default=None, help="where to write, then delete")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="layerbank-benchmark-", dir=options.folder))
    try:
        print(f"{options.rows} rows × {HIDDEN} × {LAYERS} × {len(POOLINGS)}; {options.runs} runs; "
              f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")  # fmt: skip
        print("| what | plain, s | bank, s | ratio, median (quartiles) | best to best | target |")
        print("|---|---|---|---|---|---|")
        for precision in ("bf16", "fp32"):
            bench_precision(folder, precision, options)
        bench_lookup(options.keys, options.runs)
        print(f"\nload at the end {os.getloadavg()[0]:.1f}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def bench_precision(folder: Path, precision: str, options: argparse.Namespace) -> None:
    kind = "float32" if precision == "fp32" else "float16"
    n, runs = options.rows, options.runs
    bank = Bank.create(folder / f"{kind}.bank", {**SETUP, "precision": precision}, {})
    commits = fill(bank, n, 1)
    line(f"{kind}: commit against the same bytes with fsync", commits, "≤ 1.5")
    bank.refresh()
    texts = names(n)
    reads = {
        "one layer": "mean[8]",
        "last four layers, concatenated": "mean[-4:]",
        "all layers of one pooling": "mean[:]",
    }
    for what, selection in reads.items():
        pairs = compare(bank, texts, selection, runs)
        line(f"{kind}: {what}, `{selection}`", pairs, "≤ 1.3")
    rng = np.random.default_rng(0)
    most = [texts[i] for i in np.sort(rng.permutation(n)[: n * 4 // 5])]
    line(f"{kind}: 80% of the rows, `mean[-4:]`", compare(bank, most, "mean[-4:]", runs), "≤ 1.5")
    first = []
    for _ in range(runs):
        fresh = Bank.open(bank.path)
        first += compare(fresh, texts, "mean[-4:]", 1, warm=False)
    line(f"{kind}: the first read, checked, `mean[-4:]`", first, "≤ 2")
    if kind == "float16":
        bench_widen(n, runs)
    many = Bank.create(folder / f"{kind}-many.bank", {**SETUP, "precision": precision}, {})
    fill(many, n, options.segments)
    many.refresh()
    for selection in ("mean[8]", "mean[-4:]"):
        several = []
        matrix_time(many, texts, selection)
        for _ in range(runs):
            several.append(
                (matrix_time(bank, texts, selection), matrix_time(many, texts, selection))
            )
        n_segments = len(many.segments)
        what = f"{kind}: {n_segments} segments against {len(bank.segments)}, `{selection}`"
        line(what, several, "≤ 1.5")
    shutil.rmtree(bank.path)
    shutil.rmtree(many.path)


def names(n: int) -> list[str]:
    return [f"text {i}" for i in range(n)]


def fill(bank: Bank, n: int, n_segments: int) -> list[tuple[float, float]]:
    """Write n rows; seconds of (the same bytes plainly, with fsync; the commit) of each segment."""
    keys = text_keys(names(n))
    rng = np.random.default_rng(1)
    some = rng.standard_normal((256, len(bank.blocks), HIDDEN), np.float32)
    pairs = []
    # One segment would be larger than memory allows at full size: 256 MiB each, as by default.
    row = len(bank.blocks) * HIDDEN * (4 if bank.setup["precision"] == "fp32" else 2)
    per_segment = max(1, n // n_segments) if n_segments > 1 else max(1, (256 << 20) // row)
    writer = bank.writer({}, segment_bytes=1 << 40 if n_segments > 1 else 256 << 20)
    for start in range(0, n, per_segment):
        writer = bank.writer({}, segment_bytes=(per_segment + 1) * row)
        stop = min(n, start + per_segment)
        for at in range(start, stop, 256):
            rows = slice(at, min(stop, at + 256))
            count = rows.stop - rows.start
            blocks = some[:count] + np.float32(at)
            writer.add(keys[rows], np.ones(count, np.int32), np.zeros(count, bool), blocks)
        if n_segments > 1 or stop - start < per_segment:
            writer.flush()
            continue
        buffered = next(buffer for buffer in writer._buffers.values() if buffer.n)
        same = [memoryview(block[: buffered.n]).cast("B") for block in buffered._values]
        plain = timed(lambda same=same: write_plainly(bank.path / ".plain", same))
        pairs.append((plain, timed(writer.flush)))
    return pairs or [(float("nan"), float("nan"))]


def write_plainly(path: Path, pieces: Sequence[memoryview]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for piece in pieces:
        while piece:
            piece = piece[os.write(descriptor, piece) :]
    os.fsync(descriptor)
    os.close(descriptor)
    path.unlink()


def timed(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def compare(
    bank: Bank, texts: list[str], selection: str, runs: int, *, warm: bool = True
) -> list[tuple[float, float]]:
    """Seconds of ``(preadv of the same bytes, the bank)``."""
    if warm:
        matrix_time(bank, texts, selection)
    else:  # look the keys up, and read no block
        bank.fill_keys(np.empty((len(texts), 0)), text_keys_of(texts), ())
    plain = Plain(bank, selection)
    pairs = []
    for _ in range(runs):
        pairs.append((plain.seconds(), matrix_time(bank, texts, selection)))
    return pairs


def matrix_time(bank: Bank, texts: list[str], selection: str) -> float:
    """As regress reads, but into memory that was touched before and in the bank's own dtype."""
    terms = bank.resolve(selection)
    width = sum(bank.width(term) for term in terms)
    out = buffer(len(texts), width, bank.segments[0].dtype)
    keys = text_keys_of(texts)
    return timed(lambda: fill_terms(out, {bank.name: bank}, keys, terms))


_buffers: dict[tuple[int, int, str], NDArray[Any]] = {}
_keys: dict[int, tuple[list[str], NDArray[np.uint8]]] = {}


def buffer(n: int, width: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    if (n, width, str(dtype)) not in _buffers:
        _buffers.clear()
        _buffers[n, width, str(dtype)] = np.ones((n, width), dtype)
    return _buffers[n, width, str(dtype)]


def text_keys_of(texts: list[str]) -> NDArray[np.uint8]:
    if id(texts) not in _keys:
        _keys[id(texts)] = texts, text_keys(texts)  # the list is kept, so that its id is its own
    return _keys[id(texts)][1]


class Plain:
    """The same bytes, read with ``preadv`` from where they stand."""

    def __init__(self, bank: Bank, selection: str) -> None:
        self.reads: list[tuple[Path, int, int]] = []
        for segment in bank.segments:
            for term in bank.resolve(selection):
                for block in term.blocks:
                    place = segment._layout[dataset_name(Block(*block))]
                    self.reads.append((segment.path, place.offset, place.stop - place.offset))
        self.memory = memoryview(np.ones(sum(size for _, _, size in self.reads), np.uint8)).cast(
            "B"
        )

    def seconds(self) -> float:
        return timed(self.read)

    def read(self) -> None:
        at, opened = 0, {}
        for path, offset, size in self.reads:
            if path not in opened:
                opened[path] = os.open(path, os.O_RDONLY)
            done = 0
            while done < size:
                done += os.preadv(opened[path], [self.memory[at + done : at + size]], offset + done)
            at += size
        for descriptor in opened.values():
            os.close(descriptor)


def bench_widen(n: int, runs: int) -> None:
    values = np.random.default_rng(0).standard_normal((n, HIDDEN)).astype(np.float16)
    out = np.ones(values.shape, np.float32)
    pairs = []
    for _ in range(runs):
        plain = timed(lambda: np.copyto(out, values))
        pairs.append((plain, timed(lambda: widen(values, out))))
    speed = out.nbytes / np.median([bank for _, bank in pairs]) / 1e9
    line(f"float16 to float32 alone, against NumPy's; ours writes {speed:.1f} GB/s", pairs, "")


def bench_lookup(n_keys: int, runs: int) -> None:
    rng = np.random.default_rng(0)
    keys = rng.integers(0, 256, (n_keys, 32), np.uint8)
    texts = names(100_000)
    keys[rng.permutation(n_keys)[: len(texts)]] = text_keys(texts)
    index = KeyIndex.of([keys])
    seconds = [timed(lambda: index.find(text_keys(texts))) for _ in range(runs)]
    assert (index.find(text_keys(texts)) >= 0).all()
    print(f"| look up 100,000 texts among {n_keys:,} keys | | {np.median(seconds):.2f} "
          f"({min(seconds):.2f}–{max(seconds):.2f}) | | | < 1 s |")  # fmt: skip


def line(what: str, pairs: list[tuple[float, float]], target: str) -> None:
    plain, ours = np.array(pairs).T
    ratios = ours / plain
    low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
    best = ours.min() / plain.min()
    print(f"| {what} | {np.median(plain):.4f} | {np.median(ours):.4f} | {middle:.2f} "
          f"({low:.2f}–{high:.2f}) | {best:.2f} | {target} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()

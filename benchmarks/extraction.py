"""Extraction against its peers: texts a second, as ratios within one run.

    python -m benchmarks.extraction          # about 25 minutes; --rounds 1 for a quick look
    python -m benchmarks.extraction --encoder mpnet-base
    python -m benchmarks.extraction --csv train.csv --text excerpt \\
        --labelled-encoder FOLDER  # and what bf16 costs ridge on labelled texts

Every mode runs in a process of its own, in turn, ``--rounds`` times; start-up (loading, converting,
a few texts) is timed apart. The encoder is a RoBERTa-base or an MPNet-base with random weights:
speed does not depend on them. Texts have the lengths of the CommonLit excerpts (mean 217 tokens, at
most 256). Our modes give 13 layers × 3 poolings in a bank on disk, the peers one vector of the last
layer. Beside each ratio stands what it would be at the speed of the processor's plain matrix
product, were there nothing else to do. One peer needs other versions than ours, and gets an
environment of its own under ``build/``. Modes that cannot run here are named with the reason.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.encoders import BASES, excerpt_lengths, made_up_texts, random_base
from benchmarks.extraction_mode import CPU, CPU_FP32, GPU, OURS, PEAKS

PEERS = {
    "sentence-transformers fp32": ("float32", "torch", "cpu"),
    "sentence-transformers bf16": ("bfloat16", "torch", "cpu"),
    "sentence-transformers OpenVINO": ("float32", "openvino", "cpu"),
    "sentence-transformers bf16, CUDA": ("bfloat16", "torch", "cuda"),
}
#: (mode, against, at least)
TARGETS: list[tuple[str, str, float | None]] = [
    ("layerbank fp32, OpenVINO", "sentence-transformers fp32", 2.9),
    ("layerbank bf16, OpenVINO", "sentence-transformers fp32", 5.8),
    ("layerbank bf16, OpenVINO", "sentence-transformers bf16", 1.9),
    ("layerbank bf16, OpenVINO", "sentence-transformers OpenVINO", 1.2),
    ("layerbank fp32, OpenVINO", CPU_FP32, None),
    ("layerbank bf16, OpenVINO", CPU, 0.8),
    ("layerbank bf16, CUDA", "sentence-transformers bf16, CUDA", 2.0),
    ("layerbank bf16, CUDA", GPU, 0.45),
]
#: Texts that belong to start-up: a batch for every stream of an engine, which lays out the weights.
WARM = 32
SHARE_TARGET, MEMORY_TARGET = 0.08, 1.1
#: They take a twelfth of the time that excerpts take, and fill segments sooner.
SHORT = ["the river froze in January"]
PEER_ENVIRONMENT = Path("build/peer-openvino")

Result = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoder", choices=BASES, default=BASES[0])
    parser.add_argument("--texts", type=int, default=320, help="on a CPU")
    parser.add_argument("--gpu-texts", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", help="parts of the names of the modes to run")
    parser.add_argument("--no-memory", action="store_true", help="leave out peak memory")
    parser.add_argument(
        "--excerpts", action="store_true",
        help="peak memory over texts of the CommonLit lengths instead of short ones (hours)",
    )  # fmt: skip
    parser.add_argument("--csv", type=Path, help="labelled texts: RMSE from fp32 and bf16 banks")
    parser.add_argument("--text", default="excerpt")
    parser.add_argument("--target", default="target")
    parser.add_argument("--labelled-encoder", default="roberta-base")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LAYERBANK_CACHE"] = str(Path(folder) / "cache")
        encoder = random_base(options.encoder, Path(folder) / options.encoder)
        modes = [
            mode
            for mode in [*OURS, *PEERS, *PEAKS]
            if not options.only or any(part in mode for part in options.only)
        ]
        report(run_rounds(modes, encoder, options))
        if not options.no_memory:
            texts = made_up_texts(encoder, excerpt_lengths(500)) if options.excerpts else SHORT
            report_memory(encoder, [mode for mode in modes if mode in OURS], texts)
    if options.csv:
        report_accuracy(options)


def run_rounds(
    modes: Sequence[str], encoder: Path, options: argparse.Namespace
) -> dict[str, list[Result] | str]:
    """Each mode's measurements, or why it could not run."""
    results: dict[str, list[Result] | str] = {}
    for number in range(options.rounds):
        for mode in modes if number % 2 == 0 else modes[::-1]:
            if isinstance(results.get(mode), str):
                continue
            n = options.gpu_texts if "CUDA" in mode else options.texts
            found = run(mode, encoder, n)
            if isinstance(found, str):
                results[mode] = found
            else:
                results.setdefault(mode, []).append(found)  # type: ignore[union-attr]
            print(f"round {number + 1}, {mode}: {found}", file=sys.stderr, flush=True)
    return results


def run(mode: str, encoder: Path, n: int) -> Result | str:
    """One mode in a process of its own: its measurements, or why there are none."""
    if "CUDA" in mode and not has_cuda():
        return "there is no CUDA device"
    if mode in PEAKS:
        return child([sys.executable, "-m", "benchmarks.extraction_mode", mode])
    # Lengths repeat beyond some thousand texts, and so may the words' draws; the texts do not.
    texts = made_up_texts(encoder, excerpt_lengths(n + WARM))
    task: dict[str, Any] = {"folder": str(encoder), "warm": texts[:WARM], "texts": texts[WARM:]}
    if mode in OURS:
        found = child([sys.executable, "-m", "benchmarks.extraction_mode", mode], task)
    else:
        dtype, backend, device = PEERS[mode]
        python = sys.executable if backend == "torch" else peer_python()
        task |= {"dtype": dtype, "backend": backend, "device": device, "batch": 32}
        found = child([python, "-P", str(Path(__file__).with_name("peer.py"))], task)
    if isinstance(found, dict):
        found["rate"] = n / found["seconds"]
    return found


def child(command: Sequence[str], task: object = None) -> Result | str:
    done = subprocess.run(
        command, input=json.dumps(task), capture_output=True, text=True, check=False
    )
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    found: Result = json.loads(done.stdout.splitlines()[-1])
    return found


def has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def peer_python() -> str:
    """The Python of an environment with sentence-transformers' OpenVINO backend, made once."""
    python = PEER_ENVIRONMENT / "bin" / "python"
    ready = PEER_ENVIRONMENT / ".ready"
    if not ready.exists():
        import torch

        subprocess.run([sys.executable, "-m", "venv", str(PEER_ENVIRONMENT)], check=True)
        wanted = [f"torch=={torch.__version__.split('+')[0]}", "sentence-transformers[openvino]"]
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *wanted], check=True)
        # The encoders need no pictures, and a torchvision for another torch breaks every import.
        pip = [str(python), "-m", "pip", "uninstall", "--quiet", "--yes", "torchvision"]
        subprocess.run(pip, check=True)
        ready.touch()
    return str(python)


def report(results: dict[str, list[Result] | str]) -> None:
    """Speed, as Markdown."""
    ran = {mode: found for mode, found in results.items() if isinstance(found, list)}
    rates = {mode: median(one["rate"] for one in found) for mode, found in ran.items()}
    print("\nmedians over rounds, each mode in a process of its own, in turn\n")
    print("| mode | texts/s | spread | start-up, s: first | later |\n|---|---|---|---|---|")
    for mode, found in ran.items():
        several = [one["rate"] for one in found]
        first, *later = [one["startup"] for one in found]
        spread = f"{min(several):.1f} to {max(several):.1f}"
        print(f"| {mode} | {rates[mode]:.1f} | {spread} | {first:.1f} |", end="")
        print(f" {median(later):.1f} |" if later else " |")
    print("\n| mode | against | ratio | in each round | at least | with nothing but matmuls |")
    print("|---|---|---|---|---|---|")
    for mode, against, least in TARGETS:
        if mode in rates and against in rates:
            pairs = zip(ran[mode], ran[against], strict=False)
            each = ", ".join(f"{a['rate'] / b['rate']:.2f}" for a, b in pairs)
            ratio, bound = rates[mode] / rates[against], rates.get(bound_of(mode))
            highest = "" if bound is None else f"{bound / rates[against]:.2f}"
            wanted = "" if least is None else least
            print(f"| {mode} | {against} | {ratio:.2f} | {each} | {wanted} | {highest} |")
    print("\n| mode | mean and max pooling, host copy and writing | spread | at most |")
    print("|---|---|---|---|")
    for mode, found in ran.items():
        if mode in OURS:
            shares = sorted(one["beside"] for one in found)
            spread = f"{shares[0]:.1%} to {shares[-1]:.1%}"
            print(f"| {mode} | {median(shares):.1%} | {spread} | {SHARE_TARGET:.0%} |")
    for mode, reason in results.items():
        if isinstance(reason, str):
            print(f"\nnot run: {mode} ({reason})")


def bound_of(mode: str) -> str:
    """The matrix product that no forward pass of this mode can outrun."""
    return GPU if "CUDA" in mode else CPU if "bf16" in mode else CPU_FP32


def report_memory(encoder: Path, modes: Sequence[str], texts: Sequence[str]) -> None:
    """Peak memory of short and of long runs over these texts, numbered, as Markdown."""
    print("\n| mode | peak memory at 2,000 texts, MiB | at 20,000 | ratio | at most |")
    print("|---|---|---|---|---|")
    for mode in modes:
        command = [sys.executable, "-m", "benchmarks.extraction_mode", mode, "--memory"]
        task = {"folder": str(encoder), "texts": texts}
        peaks = [child([*command, str(n)], task) for n in (2_000, 20_000)]
        if isinstance(peaks[0], str) or isinstance(peaks[1], str):
            print(f"| {mode} | not run: {peaks[0]} |")
            continue
        few, many = peaks[0]["peak"], peaks[1]["peak"]
        print(f"| {mode} | {few:.0f} | {many:.0f} | {many / few:.2f} | {MEMORY_TARGET} |")


def report_accuracy(options: argparse.Namespace) -> None:
    """Nested RMSE of ridge over all blocks from an fp32 and from a bf16 bank, as Markdown."""
    import pandas as pd

    from layerbank import evaluate, extract

    table = pd.read_csv(options.csv)
    texts, y = table[options.text].tolist(), table[options.target].to_numpy()
    print("\n| bank | nested RMSE of ridge on `*[:]` | on `mean[:]` |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for precision in ("fp32", "bf16"):
            bank = Path(folder) / f"{precision}.bank"
            extract(texts, bank, encoder=options.labelled_encoder, precision=precision)
            found = evaluate(bank, texts, y, select=["*[:]", "mean[:]"], models=["ridge"])
            rmse = found.table.set_index("select")["rmse"]
            print(f"| {precision} | {rmse['*[:]']:.4f} | {rmse['mean[:]']:.4f} |")


if __name__ == "__main__":
    main()

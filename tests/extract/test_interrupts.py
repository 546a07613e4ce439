"""Ctrl-C, once and twice."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

from features import Bank


def read_until(process: subprocess.Popen[bytes], sign: bytes, seen: bytes = b"") -> bytes:
    """What a process writes to stderr until a sign appears; it must not end before."""
    assert process.stderr is not None
    while sign not in seen:
        more = process.stderr.read1()
        assert more, f"it ended without {sign!r}: {seen[-2000:]!r}"
        seen += more
    return seen


def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(
    bank: Path, minilm_folder: Path, tmp_path: Path
) -> None:
    words = " ".join(["river"] * 300)
    lines = "".join(f"{words} {i}\n" for i in range(5000))
    (tmp_path / "many.txt").write_text(lines)
    options = [tmp_path / "many.txt", "--bank", bank, "--encoder", minilm_folder]
    with subprocess.Popen(
        [sys.executable, "-m", "extract", *map(str, options)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        seen = read_until(process, b" texts/s")
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        rest = process.stderr.read()
    assert process.returncode not in (0, 2)
    safe = re.search(rb"stopped: ([\d,]+) new texts are safe in .* goes on from there", seen + rest)
    assert safe
    assert Bank.open(bank).n_texts == int(safe[1].replace(b",", b"")) > 0


def test_a_second_ctrl_c_stops_at_once(bank: Path, tiny_roberta: Path, tmp_path: Path) -> None:
    (tmp_path / "many.txt").write_text("".join(f"the river froze {i}\n" for i in range(20_000)))
    options = [
        tmp_path / "many.txt",
        "--bank",
        bank,
        "--encoder",
        tiny_roberta,
        "--batch-tokens",
        8,
    ]
    # What is to be written when the first one comes takes for ever.
    program = (
        "import sys, time; from extract.background import BackgroundWriter\n"
        "BackgroundWriter.__exit__ = lambda *_: time.sleep(600)\n"
        "from extract.cli import main; main()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, *map(str, options)], stderr=subprocess.PIPE
    ) as process:
        seen = read_until(process, b" texts/s")
        process.send_signal(signal.SIGINT)
        read_until(process, b"Ctrl-C again stops at once", seen)
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 130

"""An input of any size never stands in memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from extract.texts.stream import NewTexts

#: Reads a file as ``layerbank extract`` does, up to the encoder; prints how memory grew, in MiB,
#: from the first 2,000 rows on.
READ = """
import resource, sys
from pathlib import Path
from extract.texts.stream import NewTexts
from features.tables.table import open_table, read_texts

def peak():
    unit = 1 << 10 if sys.platform == "linux" else 1 << 20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit

def read(path):
    new = NewTexts(read_texts(open_table(Path(path)), ["text"]), None)
    assert all(len(stretch.texts) <= 16_384 for stretch in new)
    return new.n_read

assert read(sys.argv[1]) == 2_000
before = peak()
assert read(sys.argv[2]) == 200_000
print(peak() - before)
"""


def write(path: Path, n: int) -> Path:
    rows = [f"{i} {'the river froze in January ' * 20}" for i in range(n)]
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps({"text": row}) + "\n" for row in rows))
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        # Without dictionary and compression, the file is as large as what it holds.
        pq.write_table(
            pa.table({"text": rows}), path, row_group_size=10_000, compression="none",
            use_dictionary=False,
        )  # fmt: skip
    return path


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_a_large_file_is_read_in_little_memory(ending: str, tmp_path: Path) -> None:
    few = write(tmp_path / f"few.{ending}", 2_000)
    many = write(tmp_path / f"many.{ending}", 200_000)
    assert many.stat().st_size > 100 << 20
    done = subprocess.run(
        [sys.executable, "-c", READ, str(few), str(many)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert float(done.stdout) < 64


def test_long_texts_are_held_by_their_size() -> None:
    texts = ["a" * 300 + str(i) for i in range(20)]
    stretches = list(NewTexts(iter(texts), None, characters=1_000))
    assert [len(stretch.texts) for stretch in stretches] == [4] * 5
    assert [text for stretch in stretches for text in stretch.texts] == texts
    assert [int(n) for stretch in stretches for n in stretch.numbers] == [*range(1, 21)]

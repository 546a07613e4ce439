"""What only encoding needs: its absence is one sentence, before anything is read or written."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from extract import extract, extract_on_ray
from extract.libraries import LIBRARIES, require_libraries
from features.errors import EncoderError


def test_nothing_is_missing_here() -> None:
    require_libraries()


@pytest.mark.parametrize("missing", [LIBRARIES[:1], LIBRARIES[2:4], LIBRARIES])
def test_what_is_missing_is_named_with_the_line_that_installs_it(
    missing: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in missing:
        monkeypatch.setitem(sys.modules, name, None)
    named = re.escape(f"({', '.join(missing)}): pip install 'layerbank[extract]'")
    with pytest.raises(EncoderError, match=named):
        require_libraries()


@pytest.mark.parametrize("encode", [extract, extract_on_ray])
def test_whatever_encodes_says_so_first(
    encode: Callable[..., object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    (tmp_path / "texts.txt").write_text("a text\n")
    texts = ["a text"] if encode is extract else [tmp_path / "texts.txt"]
    with pytest.raises(EncoderError, match=r"pip install 'layerbank\[extract\]'"):
        encode(texts, tmp_path / "new.bank", encoder="no such encoder")
    assert [path.name for path in tmp_path.iterdir()] == ["texts.txt"]

"""Files that take the place of others whole, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from features.disk.atomic import replacing
from features.disk.folders import new_folder
from features.errors import CommitError


def test_a_file_is_replaced_when_all_is_written(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "a"
    for content in (b"first", b"second"):
        with replacing(out) as file:
            file.write(content)
            before = out.read_bytes() if out.exists() else None
            assert before in (None, b"first")
        assert out.read_bytes() == content
    assert os.listdir(out.parent) == ["a"]


@pytest.mark.parametrize("name", ["n" * 240, "n" * 255, "\u00e9" * 127, "n" * 200 + "." * 55])
def test_names_may_be_as_long_as_they_can_be(tmp_path: Path, name: str) -> None:
    for content in (b"first", b"second"):
        with replacing(tmp_path / name) as file:
            file.write(content)
        with new_folder(tmp_path / "b" / name, keep="kept") as folder:
            (folder / "file").write_bytes(content)
    assert (tmp_path / name).read_bytes() == (tmp_path / "b" / name / "file").read_bytes()
    assert os.listdir(tmp_path / "b") == [name]


@pytest.mark.parametrize(("error", "seen"), [(OSError, CommitError), (ValueError, ValueError)])
def test_after_an_error_the_old_file_stands(
    tmp_path: Path, error: type[Exception], seen: type[Exception]
) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(seen), replacing(tmp_path / "a") as file:
        file.write(b"new")
        raise error("no")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_what_need_not_last_is_not_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    with replacing(tmp_path / "a", lasting=False) as file:
        file.write(b"new")
    assert synced == []
    with replacing(tmp_path / "a"):
        pass
    assert len(synced) == 2  # the file and its folder

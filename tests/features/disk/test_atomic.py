"""Files and folders that take the place of others whole, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from features.disk.atomic import new_folder, replacing
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
    with new_folder(tmp_path / "b", lasting=False) as folder:
        (folder / "c").write_bytes(b"new")
    assert synced == []
    with replacing(tmp_path / "a"):
        pass
    with new_folder(tmp_path / "b") as folder:
        (folder / "c").write_bytes(b"new")
    assert len(synced) == 3  # the file, its folder, and the file in the new folder


def test_a_folder_is_replaced_and_keeps_a_part(tmp_path: Path) -> None:
    for content in ("first", "second"):
        with new_folder(tmp_path / "a", keep="kept") as folder:
            (folder / "file").write_text(content)
            if content == "first":
                (folder / "kept").mkdir()
                (folder / "kept" / "inside").write_text("kept")
            (folder / content).touch()
    assert sorted(os.listdir(tmp_path / "a")) == ["file", "kept", "second"]
    assert (tmp_path / "a" / "file").read_text() == "second"
    assert (tmp_path / "a" / "kept" / "inside").read_text() == "kept"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("error", [OSError, ValueError, KeyboardInterrupt])
def test_after_an_error_the_old_folder_stands(tmp_path: Path, error: type[BaseException]) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_text("old")
    with pytest.raises(error), new_folder(tmp_path / "a") as folder:
        (folder / "file").write_text("new")
        raise error
    assert (tmp_path / "a" / "file").read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


def test_a_folder_that_cannot_take_its_place_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_text("old")
    real, calls = Path.rename, []

    def second_fails(self: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == 2:
            raise OSError(5, "Input/output error")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", second_fails)
    with pytest.raises(OSError, match="Input/output"), new_folder(tmp_path / "a") as folder:
        (folder / "file").write_text("new")
    assert (tmp_path / "a" / "file").read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]

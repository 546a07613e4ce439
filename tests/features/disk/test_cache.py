"""The user's cache folder: what is kept, and when it is not trusted."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from features.disk.cache import cache_folder, kept_text

NAME = "charts.js"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the cache will be."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("LAYERBANK_CACHE", str(folder))
    return folder


def must_not_be_called() -> str:
    raise AssertionError("it was kept")


def test_a_text_is_made_once(folder: Path) -> None:
    text = "é\r\n</script>\n"
    assert kept_text(NAME, lambda: text) == text
    assert kept_text(NAME, must_not_be_called) == text
    assert [path.name for path in folder.iterdir()] == [NAME]
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "gone"])
def test_a_damaged_text_is_made_anew(folder: Path, damage: str) -> None:
    kept_text(NAME, lambda: "one")
    whole = (folder / NAME).read_bytes()
    damaged = {"cut": whole[:-1], "flip": whole[:-1] + b"\xff", "empty": b"", "gone": b""}[damage]
    (folder / NAME).write_bytes(damaged)
    if damage == "gone":
        (folder / NAME).unlink()
    assert kept_text(NAME, lambda: "two") == "two"
    assert kept_text(NAME, must_not_be_called) == "two"


@pytest.mark.parametrize("mode", [0o770, 0o702])
def test_where_others_may_write_nothing_is_kept_or_read(
    folder: Path, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    kept_text(NAME, lambda: "one")
    other = folder.rename(folder.with_name("other"))
    other.chmod(mode)
    with pytest.MonkeyPatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setenv("LAYERBANK_CACHE", str(other))
        assert cache_folder() is None
        assert kept_text(NAME, lambda: "two") == "two"
    (said,) = caplog.messages
    assert f"nothing is kept in {other}, because others may write there" in said


def test_a_place_that_cannot_be_made_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LAYERBANK_CACHE", str(tmp_path / "file" / "cache"))
    assert cache_folder() is None
    assert kept_text(NAME, lambda: "one") == "one"

"""A folder that replaces another, and processes that die, fail or work beside one another in it."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from features.disk import folders, system
from features.disk.atomic import stem_of
from features.disk.folders import ABANDONED_SECONDS, REPLACED, new_folder, recover

#: What changes names and files; a process may die before or after each.
OPERATIONS = ("rename", "link", "symlink", "mkdir", "rmdir", "unlink", "fsync", "chmod")


@pytest.fixture(params=["exchange", "renames"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Where names can be exchanged, and where they cannot."""
    if request.param == "renames":
        monkeypatch.setattr(folders, "exchange", lambda first, second: False)
    else:
        (tmp_path / "x").mkdir()
        (tmp_path / "y").touch()
        if not system.exchange(tmp_path / "x", tmp_path / "y"):
            pytest.skip("names cannot be exchanged here")
        assert (tmp_path / "y").is_dir()
        (tmp_path / "y").rmdir()
        (tmp_path / "x").unlink()
    return str(request.param)


def test_an_old_folder_of_a_long_name_is_put_back(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 250)
    (path.with_name(f".{stem_of(path)}-{'0' * 12}{REPLACED}")).mkdir()
    recover(path)
    assert path.is_dir()


def make(path: Path, content: str, *, lasting: bool = True) -> None:
    with new_folder(path, keep="kept", lasting=lasting) as folder:
        (folder / "file").write_text(content)
        (folder / "models").mkdir()
        (folder / "models" / "one").write_text(content)


def make_with_bank(path: Path) -> None:
    make(path, "old", lasting=False)
    bank = path / "kept" / "a.bank"
    bank.mkdir(parents=True)
    (bank / "bank.json").write_text("{}")
    (bank / "segment").write_text("rows")
    (bank / "link").symlink_to("segment")


def whole(path: Path) -> str:
    """What a folder holds; it is all of one, with what is kept."""
    content = (path / "file").read_text()
    assert (path / "models" / "one").read_text() == content
    bank = path / "kept" / "a.bank"
    assert sorted(os.listdir(bank)) == ["bank.json", "link", "segment"]
    assert (bank / "segment").read_text() == "rows"
    assert os.readlink(bank / "link") == "segment"
    assert sorted(os.listdir(path)) == ["file", "kept", "models"]
    return content


def dying(at: int, work: Callable[[], None]) -> int:
    """Run in a process that is killed before its n-th operation; how many it has, at its end."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        seen = [0]

        def counted(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*arguments: Any, **options: Any) -> Any:
                seen[0] += 1
                if seen[0] == at:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*arguments, **options)

            return call

        for name in OPERATIONS:
            setattr(os, name, counted(getattr(os, name)))
        folders.exchange = counted(folders.exchange)
        try:
            work()
            os.write(writes, str(seen[0]).encode())
        finally:
            os._exit(1)
    os.close(writes)
    os.waitpid(child, 0)
    with open(reads) as file:
        return int(file.read() or 0)


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


def test_what_need_not_last_is_not_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    make(tmp_path / "a", "new", lasting=False)
    assert synced == []
    make(tmp_path / "a", "new")
    files = ["", "a", "a/file", "a/models", "a/models/one"]
    assert {(tmp_path / file).stat().st_ino for file in files} <= {*synced}
    assert synced[-1] == tmp_path.stat().st_ino


def test_a_kill_at_any_step_leaves_the_old_or_the_new(tmp_path: Path, way: str) -> None:
    path, found = tmp_path / "a", []
    make_with_bank(path)
    n_steps = dying(0, lambda: make(path, "new"))
    assert n_steps > 20
    for at in range(1, n_steps + 2):
        shutil.rmtree(path)
        make_with_bank(path)
        dying(at, lambda: make(path, "new"))
        if way == "exchange":
            found.append(whole(path))
        recover(path)
        found.append(whole(path))
        make(path, "after", lasting=False)
        assert whole(path) == "after"
        assert os.listdir(tmp_path) == ["a"]
    assert {*found} == {"old", "new"}


def test_a_kill_at_any_step_of_what_comes_after_a_kill(tmp_path: Path, way: str) -> None:
    path = tmp_path / "a"
    make_with_bank(path)
    n_steps = dying(0, lambda: make(path, "new"))
    for first in range(n_steps // 2, n_steps + 1, 4):
        for at in range(1, n_steps + 10, 5):
            shutil.rmtree(path)
            make_with_bank(path)
            dying(first, lambda: make(path, "new"))
            dying(at, lambda: make(path, "again"))
            recover(path)
            assert whole(path) in ("old", "new", "again")
            make(path, "after", lasting=False)
            assert os.listdir(tmp_path) == ["a"]


def test_a_kill_before_anything_stands_leaves_nothing_or_all(tmp_path: Path) -> None:
    path = tmp_path / "a"
    n_steps = dying(0, lambda: make(path, "new"))
    for at in range(1, n_steps + 1):
        shutil.rmtree(path, ignore_errors=True)
        dying(at, lambda: make(path, "new"))
        recover(path)
        if path.exists():
            assert (path / "models" / "one").read_text() == "new"
        make(path, "after", lasting=False)
        assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("operation", [*OPERATIONS[:4], "fsync"])
def test_an_error_leaves_the_old_or_the_new(
    tmp_path: Path, way: str, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real = tmp_path / "a", getattr(os, operation)
    for at in range(1, 9):
        shutil.rmtree(path, ignore_errors=True)
        make_with_bank(path)
        calls: list[object] = []

        def fails(
            *arguments: Any, calls: list[object] = calls, at: int = at, **options: Any
        ) -> Any:
            calls.append(arguments)
            if len(calls) == at:
                raise OSError(5, "Input/output error")
            return real(*arguments, **options)

        with monkeypatch.context() as patch:
            patch.setattr(os, operation, fails)
            try:
                make(path, "new")
                done = True
            except OSError:
                done = False
        assert whole(path) == "new" if done else whole(path) in ("old", "new")
        assert os.listdir(tmp_path) == ["a"]


def test_without_links_what_is_kept_is_copied(
    tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    make_with_bank(tmp_path / "a")
    monkeypatch.setattr(os, "link", refuses)
    make(tmp_path / "a", "new")
    assert whole(tmp_path / "a") == "new"


def test_what_comes_to_the_kept_bank_meanwhile_stays(tmp_path: Path, way: str) -> None:
    path = tmp_path / "a"
    make_with_bank(path)
    with new_folder(path, keep="kept") as folder:
        (folder / "file").write_text("new")
        (path / "kept" / "a.bank" / "late").write_text("rows")
    assert (path / "kept" / "a.bank" / "late").read_text() == "rows"


def test_what_is_kept_behind_a_link_stays_there(tmp_path: Path, way: str) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "bank").touch()
    make(tmp_path / "a", "old")
    (tmp_path / "a" / "kept").symlink_to(tmp_path / "far")
    make(tmp_path / "a", "new")
    assert (tmp_path / "a" / "kept").is_symlink()
    assert (tmp_path / "a" / "kept" / "bank").exists()


def test_a_link_is_replaced_and_what_it_leads_to_stays(tmp_path: Path, way: str) -> None:
    make(tmp_path / "far", "old")
    (tmp_path / "a").symlink_to("far")
    make(tmp_path / "a", "new")
    assert (tmp_path / "a" / "file").read_text() == "new"
    assert (tmp_path / "far" / "file").read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["a", "far"]


def test_what_another_writes_is_left_alone(tmp_path: Path, way: str) -> None:
    make(tmp_path / "a", "old")
    with new_folder(tmp_path / "a") as folder:
        make(tmp_path / "a", "other")
        assert folder.is_dir()
        (folder / "file").write_text("new")
    assert (tmp_path / "a" / "file").read_text() == "new"
    assert os.listdir(tmp_path) == ["a"]


def test_many_replace_one_at_once(tmp_path: Path, way: str) -> None:
    path, seen = tmp_path / "a", []
    make(path, "start")

    def work(number: int) -> None:
        for turn in range(5):
            make(path, f"{number} {turn}")

    def read() -> None:
        while not done.is_set():
            recover(path)
            assert path.is_dir() or way == "renames"
            seen.append(True)

    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    done = threading.Event()
    reader = threading.Thread(target=read)
    reader.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    done.set()
    reader.join()
    assert (path / "file").read_text() == (path / "models" / "one").read_text()
    assert os.listdir(tmp_path) == ["a"]
    assert seen


def test_what_earlier_versions_hid_comes_back(tmp_path: Path) -> None:
    make(tmp_path / "a", "new")
    make_with_bank(tmp_path / "b")
    (tmp_path / "b").rename(tmp_path / f".a-0123456789ab{REPLACED}")
    (tmp_path / ".a-0123456789").mkdir()  # somebody else's
    make(tmp_path / "a", "newer")
    assert whole(tmp_path / "a") == "newer"
    assert sorted(os.listdir(tmp_path)) == [".a-0123456789", "a"]


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuses)
    monkeypatch.setattr(folders, "_BETWEEN_SECONDS", 0.01)


def test_without_locks_age_decides(tmp_path: Path, no_locks: None) -> None:
    young, old = (tmp_path / f".a-{mark * 12}" for mark in "01")
    young.mkdir()
    old.mkdir()
    os.utime(old, (0, old.stat().st_mtime - ABANDONED_SECONDS - 9))
    make(tmp_path / "a", "new")
    assert young.is_dir()
    assert not old.exists()
    (tmp_path / "a").rename(tmp_path / f".a-{'2' * 12}{REPLACED}")
    recover(tmp_path / "a")
    assert (tmp_path / "a" / "file").read_text() == "new"

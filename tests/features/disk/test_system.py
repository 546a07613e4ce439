"""The seam to the operating system: this one, and the others by stand-ins for their modules."""

from __future__ import annotations

import errno
import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import features.disk.system as here
from features.errors import BankError


@pytest.fixture
def load_system(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ModuleType]:
    """Loads ``system.py`` anew as if on another system, with stand-ins for modules of its own."""

    def load(platform: str, **modules: Any) -> ModuleType:
        for name in ("fcntl", "resource", "msvcrt"):
            monkeypatch.setitem(sys.modules, name, modules.get(name))
        monkeypatch.setattr(sys, "platform", platform)
        spec = importlib.util.spec_from_file_location("system_elsewhere", here.__file__)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


class Msvcrt:
    """Locks of byte ranges, as Windows has them: exclusive, by place, until they are let go."""

    LK_NBLCK = 2

    def __init__(self, *, taken: int = 0) -> None:
        self.calls: list[tuple[int, int, int, int]] = []
        self.taken = taken

    def locking(self, descriptor: int, mode: int, n_bytes: int) -> None:
        place = os.lseek(descriptor, 0, os.SEEK_CUR)
        self.calls.append((descriptor, mode, n_bytes, place))
        if self.taken:
            self.taken -= 1
            raise PermissionError(errno.EACCES, "Permission denied")


@pytest.fixture
def on_windows(
    load_system: Callable[..., ModuleType], monkeypatch: pytest.MonkeyPatch
) -> tuple[ModuleType, Msvcrt]:
    monkeypatch.setattr(os, "O_BINARY", 0, raising=False)
    monkeypatch.setattr(os, "O_NOINHERIT", 0, raising=False)
    for name in ("O_CLOEXEC", "O_DIRECTORY", "pread", "preadv"):  # which Windows has not
        monkeypatch.delattr(os, name, raising=False)
    msvcrt = Msvcrt()
    return load_system("win32", msvcrt=msvcrt), msvcrt


def test_files_on_windows(on_windows: tuple[ModuleType, Msvcrt], tmp_path: Path) -> None:
    system, _ = on_windows
    path = tmp_path / "a"
    with pytest.raises(FileNotFoundError):
        system.open_read(path)
    descriptor = system.open_new(path)
    system.write_all(descriptor, memoryview(b"one\ntwo\n"))
    system.sync(descriptor)
    assert system.read_at(descriptor, 3, 4) == b"two"
    assert system.read_at(descriptor, 3, 8) == b""
    system.release(descriptor)
    with pytest.raises(FileExistsError):
        system.open_new(path)
    descriptor = system.open_append(path)
    system.write_all(descriptor, memoryview(b"three\n"))
    system.release(descriptor)
    descriptor = system.open_read(path)
    assert system.read_at(descriptor, 100, 0) == b"one\ntwo\nthree\n"
    system.release(descriptor)
    system.sync_folder(tmp_path)
    assert system.max_open_files() > 1000
    assert system.is_private(tmp_path)
    assert system.is_writable(tmp_path / "not" / "yet")


def test_every_file_is_opened_as_bytes_on_windows(
    on_windows: tuple[ModuleType, Msvcrt], load_system: Callable[..., ModuleType],
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    monkeypatch.setattr(os, "O_BINARY", 1 << 28)
    monkeypatch.setattr(os, "O_NOINHERIT", 1 << 29)
    system = load_system("win32", msvcrt=Msvcrt())
    seen = []
    opened = os.open

    def noting(path: Path, flags: int, mode: int = 0o777) -> int:
        seen.append(flags)
        return opened(path, flags & ~(1 << 28 | 1 << 29), mode)

    monkeypatch.setattr(os, "open", noting)
    for name in ("open_new", "open_read", "open_or_make", "open_append"):
        os.close(getattr(system, name)(tmp_path / "a"))
    assert len(seen) == 4
    assert all(flags & (1 << 28) and flags & (1 << 29) for flags in seen)


def test_locks_on_windows(on_windows: tuple[ModuleType, Msvcrt], tmp_path: Path) -> None:
    system, msvcrt = on_windows
    system._LOCK_SECONDS = 0.0
    descriptor = system.open_new(tmp_path / "a")
    system.write_all(descriptor, memoryview(b"12345"))
    system.lock(descriptor)
    system.lock(descriptor, shared=True)
    assert {(mode, n) for _, mode, n, _ in msvcrt.calls} == {(Msvcrt.LK_NBLCK, 1)}
    assert all(place > 1 << 30 for *_, place in msvcrt.calls)  # behind what others read
    assert os.lseek(descriptor, 0, os.SEEK_CUR) == 5  # writing goes on where it was
    msvcrt.taken = 3
    system.lock(descriptor)  # waits
    assert msvcrt.taken == 0
    msvcrt.taken = 1
    with pytest.raises(BlockingIOError):
        system.lock(descriptor, wait=False)
    assert os.lseek(descriptor, 0, os.SEEK_CUR) == 5
    system.release(descriptor)


def test_windows_only_reads_banks(on_windows: tuple[ModuleType, Msvcrt], tmp_path: Path) -> None:
    system, _ = on_windows
    with pytest.raises(BankError, match=r"a\.bank cannot be written to on Windows.*Linux.*macOS"):
        system.refuse_writing_banks(tmp_path / "a.bank")
    here.refuse_writing_banks(tmp_path / "a.bank")


class Fcntl:
    """macOS's own way to the platter, which some disks refuse."""

    F_FULLFSYNC, LOCK_SH, LOCK_EX, LOCK_NB = 51, 1, 2, 4

    def __init__(self, refuses: int | None = None) -> None:
        self.refuses = refuses
        self.calls: list[tuple[int, int]] = []

    def fcntl(self, descriptor: int, command: int) -> int:
        self.calls.append((descriptor, command))
        if self.refuses is not None:
            raise OSError(self.refuses, os.strerror(self.refuses))
        return 0


def on_macos(load: Callable[..., ModuleType], refuses: int | None = None) -> tuple[Any, Fcntl]:
    fcntl = Fcntl(refuses)
    return load("darwin", fcntl=fcntl, resource=SimpleNamespace()), fcntl


def test_macos_syncs_to_the_platter(
    load_system: Callable[..., ModuleType], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    system, fcntl = on_macos(load_system)
    plain: list[int] = []
    monkeypatch.setattr(os, "fsync", plain.append)
    system.sync(7)
    assert (fcntl.calls, plain) == ([(7, Fcntl.F_FULLFSYNC)], [])
    system.sync_folder(tmp_path)
    assert [command for _, command in fcntl.calls] == [Fcntl.F_FULLFSYNC] * 2
    assert plain == []


@pytest.mark.parametrize("refused", [errno.ENOTSUP, errno.EINVAL, errno.ENOTTY])
def test_macos_takes_fsync_where_the_disk_knows_no_better(
    load_system: Callable[..., ModuleType], monkeypatch: pytest.MonkeyPatch, refused: int
) -> None:
    system, fcntl = on_macos(load_system, refused)
    plain: list[int] = []
    monkeypatch.setattr(os, "fsync", plain.append)
    system.sync(7)
    assert (fcntl.calls, plain) == ([(7, Fcntl.F_FULLFSYNC)], [7])


def test_a_disk_that_fails_is_heard_on_macos(load_system: Callable[..., ModuleType]) -> None:
    system, _ = on_macos(load_system, errno.EIO)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        system.sync(7)


def test_a_lock_is_held_until_its_file_is_closed(tmp_path: Path) -> None:
    first = here.open_new(tmp_path / "a")
    second = here.open_read(tmp_path / "a")
    here.lock(first, shared=True)
    here.lock(second, shared=True, wait=False)
    with pytest.raises(BlockingIOError):
        here.lock(second, wait=False)
    here.release(first)
    here.lock(second, wait=False)
    here.release(second)


def test_files_here(tmp_path: Path) -> None:
    descriptor = here.open_new(tmp_path / "a")
    here.write_all(descriptor, memoryview(b"one\ntwo\n"))
    here.sync(descriptor)
    assert here.read_at(descriptor, 3, 4) == b"two"
    assert here.read_at(descriptor, 3, 8) == b""
    assert not os.get_inheritable(descriptor)
    here.release(descriptor)
    here.sync_folder(tmp_path)
    assert here.max_open_files() >= 64


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "link to a pipe"])
def test_what_is_no_regular_file_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    if kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        os.mkfifo(tmp_path / "pipe")
        path.symlink_to("pipe") if "link" in kind else (tmp_path / "pipe").rename(path)
    for act in (here.open_read, here.read_file):
        with pytest.raises(OSError, match="it is no regular file"):
            act(path)
    with pytest.raises(OSError, match="no regular file|it is a link|No such device|Is a directory"):
        here.open_append(path)


def test_reading_follows_links_and_writing_does_not(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"one")
    (tmp_path / "a").symlink_to("there")
    assert here.read_file(tmp_path / "a") == b"one"
    for act in (here.open_append, here.open_or_make):
        with pytest.raises(OSError, match="it is a link, and nothing is written through links"):
            act(tmp_path / "a")
    with pytest.raises(FileExistsError):
        here.open_new(tmp_path / "a")
    assert (tmp_path / "there").read_bytes() == b"one"


def test_no_more_is_read_than_there_may_be(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert here.read_file(tmp_path / "a", at_most=5) == b"12345"
    with pytest.raises(OSError, match="it has more than 4 bytes"):
        here.read_file(tmp_path / "a", at_most=4)

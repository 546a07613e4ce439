"""What a bank asks of the operating system. No other file knows which one it is.

Linux and macOS read and write banks. Windows reads them: a commit needs files that are renamed
while they are open, and nobody has tried what a power cut leaves there, so writers refuse.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from features.errors import BankError, CommitError

#: Bytes of a file of text that says what others hold; those that are written have a few thousand.
LARGEST_TEXT = 256 << 20

#: What says that there is no regular file at a path, but something else or links in a circle.
NO_FILE = (errno.EINVAL, errno.ELOOP, errno.ENXIO)

if sys.platform == "win32":
    import msvcrt

    WRITES_BANKS = False

    #: Without O_BINARY each line feed that is written becomes two bytes.
    _ALWAYS = os.O_BINARY | os.O_NOINHERIT
    _AT_ONCE = _NOT_THROUGH_LINKS = _FOLDER = 0

    #: Locks keep others from reading what they cover, so this byte lies behind any content.
    _LOCKED_BYTE = 2**31 - 2

    #: How often a lock that is waited for is tried, seconds.
    _LOCK_SECONDS = 0.05

    #: What the C library allows at the most.
    _MAX_OPEN_FILES = 8192

    def lock(descriptor: int, *, shared: bool = False, wait: bool = True) -> None:
        """Lock an open file until it is closed; BlockingIOError where another has it.

        A shared lock is as good as any here: only writers of banks ask for one.
        """
        position = os.lseek(descriptor, 0, os.SEEK_CUR)
        try:
            while True:
                os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
                try:
                    return msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
                except PermissionError:
                    if not wait:
                        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from None
                time.sleep(_LOCK_SECONDS)
        finally:
            os.lseek(descriptor, position, os.SEEK_SET)

    def read_at(descriptor: int, size: int, offset: int) -> bytes:
        """Up to ``size`` bytes from ``offset``; none at the end. Moves the file's position."""
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.read(descriptor, size)

    def sync(descriptor: int) -> None:
        """Return when a file's bytes would survive a power cut."""
        os.fsync(descriptor)

    def sync_folder(folder: Path) -> None:
        """Nothing: a folder cannot be synced here."""

    def max_open_files() -> int:
        """How many files this process may hold open."""
        return _MAX_OPEN_FILES

    def is_private(folder: Path) -> bool:
        """Yes: a user's folders are closed to others here, unless the user opened them."""
        return True

    def lock_folder(folder: Path, *, wait: bool = True) -> int | None:
        """None: folders cannot be locked here."""
        return None

    def exchange(first: Path, second: Path) -> bool:
        """False: names cannot be exchanged here."""
        return False

else:
    import fcntl
    import resource

    WRITES_BANKS = True

    _ALWAYS = os.O_CLOEXEC

    #: A pipe without a writer, and some devices, would otherwise be waited for.
    _AT_ONCE = os.O_NONBLOCK | os.O_NOCTTY

    _NOT_THROUGH_LINKS = os.O_NOFOLLOW

    _FOLDER = os.O_DIRECTORY

    #: What says that a file system knows no such call, where an error would be another number.
    _NOT_KNOWN = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.ENOTTY)

    #: RENAME_EXCHANGE of Linux, which is RENAME_SWAP of macOS; and AT_FDCWD of Linux.
    _SWAP, _HERE = 2, -100

    def lock(descriptor: int, *, shared: bool = False, wait: bool = True) -> None:
        """Lock an open file until it is closed; BlockingIOError where another has it.

        Any other OSError says that the file system has no locks.
        """
        operation = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        fcntl.flock(descriptor, operation if wait else operation | fcntl.LOCK_NB)

    def read_at(descriptor: int, size: int, offset: int) -> bytes:
        """Up to ``size`` bytes from ``offset``; none at the end."""
        return os.pread(descriptor, size, offset)

    def sync(descriptor: int) -> None:
        """Return when a file's bytes would survive a power cut."""
        if sys.platform == "darwin":
            # fsync hands the bytes to the drive, which may keep them in its own memory.
            try:
                fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
                return
            except OSError as error:
                if error.errno not in _NOT_KNOWN:
                    raise
        os.fsync(descriptor)

    def sync_folder(folder: Path) -> None:
        """Make renames in a folder survive a power cut, where the file system knows how."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | _ALWAYS)
        try:
            sync(descriptor)
        except OSError as error:
            if error.errno not in _NOT_KNOWN:
                raise
        finally:
            release(descriptor)

    def max_open_files() -> int:
        """How many files this process may hold open."""
        return resource.getrlimit(resource.RLIMIT_NOFILE)[0]

    def is_private(folder: Path) -> bool:
        """Whether a folder is this user's, and nobody else may write to it."""
        found = folder.stat()
        return found.st_uid == os.geteuid() and not found.st_mode & 0o022

    def lock_folder(folder: Path, *, wait: bool = True) -> int | None:
        """A descriptor that keeps a folder locked until it is released; None without locks.

        Raises
        ------
        BlockingIOError
            Another has it, and is not waited for.
        OSError
            There is no such folder.
        """
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | _AT_ONCE | _ALWAYS)
        try:
            lock(descriptor, wait=wait)
        except BlockingIOError:
            release(descriptor)
            raise
        except OSError:  # no locks here
            release(descriptor)
            return None
        return descriptor

    def exchange(first: Path, second: Path) -> bool:
        """Let two names change places in one step; False where that was not done."""
        import ctypes

        known = ctypes.CDLL(None, use_errno=True)
        names = os.fsencode(first), os.fsencode(second)
        try:
            if sys.platform == "darwin":
                return not known.renamex_np(*names, _SWAP)
            return not known.renameat2(_HERE, names[0], _HERE, names[1], _SWAP)
        except AttributeError:  # a C library without it
            return False


def open_read(path: Path) -> int:
    """A descriptor of a regular file to be read, or of one that a link leads to.

    Raises
    ------
    OSError
        There is none, or it is a pipe, a device or a folder: nothing waits for these.
    """
    return _regular(os.open(path, os.O_RDONLY | _AT_ONCE | _ALWAYS), path)


def read_file(path: Path, *, at_most: int = LARGEST_TEXT) -> bytes:
    """A regular file's bytes; OSError as `open_read`, and where there are more than `at_most`."""
    descriptor = open_read(path)
    with open(descriptor, "rb") as file:
        content = file.read(at_most + 1)
    if len(content) > at_most:
        raise OSError(errno.EFBIG, f"it has more than {at_most:,} bytes", str(path))
    return content


def _regular(descriptor: int, path: Path) -> int:
    """A descriptor, unless it is of no regular file: then it is closed, and an OSError."""
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    release(descriptor)
    raise OSError(errno.EINVAL, "it is no regular file", str(path))


def open_new(path: Path) -> int:
    """A descriptor of a new file, to be written and read; FileExistsError where there is one."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _ALWAYS, 0o644)


def open_or_make(path: Path) -> int:
    """A descriptor of a file to be read and written, made where there is none; no link's."""
    return _open_own(path, os.O_RDWR)


def open_append(path: Path) -> int:
    """A descriptor of a file that grows at its end, made where there is none; no link's."""
    return _open_own(path, os.O_WRONLY | os.O_APPEND)


def _open_own(path: Path, how: int) -> int:
    try:
        flags = how | os.O_CREAT | _NOT_THROUGH_LINKS | _AT_ONCE | _ALWAYS
        return _regular(os.open(path, flags, 0o644), path)
    except OSError as error:
        if error.errno == errno.ELOOP:
            why = "it is a link, and nothing is written through links"
            raise OSError(errno.ELOOP, why, str(path)) from None
        raise


def open_folder(path: Path) -> int:
    """A descriptor of a folder; OSError where it is a link to one, or a file."""
    try:
        return os.open(path, os.O_RDONLY | _FOLDER | _NOT_THROUGH_LINKS | _ALWAYS)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            why = "it is a link or a file, and nothing is moved or deleted there"
            raise OSError(errno.ENOTDIR, why, str(path)) from None
        raise


def open_within(folder: int, name: str) -> int:
    """A descriptor of a regular file, to be read, in an open folder; OSError also for a link."""
    flags = os.O_RDONLY | _AT_ONCE | _NOT_THROUGH_LINKS | _ALWAYS
    return _regular(os.open(name, flags, dir_fd=folder), Path(name))


def write_all(descriptor: int, data: memoryview) -> None:
    """Write all of ``data``; a short write goes on where it stopped."""
    while data:
        written = os.write(descriptor, data)
        if written == 0:
            raise OSError(errno.ENOSPC, "the disk takes no more bytes")
        data = data[written:]


def release(descriptor: int) -> None:
    """Close a file of which nothing more is wanted: an error on closing tells nothing."""
    with contextlib.suppress(OSError):
        os.close(descriptor)


def is_writable(folder: Path) -> bool:
    """Whether files may be added to a folder, or to the one in which it would be made."""
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def refuse_writing_banks(folder: Path) -> None:
    """BankError where the operating system only reads banks."""
    if not WRITES_BANKS:
        raise BankError(
            f"{folder} cannot be written to on Windows, which only reads banks: write it on Linux "
            "(WSL will do) or macOS, and copy it here"
        )


@contextlib.contextmanager
def read_errors(path: Path) -> Iterator[None]:
    """What keeps a file or folder from being read, as a BankError; that it has gone, as it is."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise BankError(
            f"{path} cannot be read ({error.strerror or error}): mend it and call again"
        ) from error


@contextlib.contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """What keeps a folder from being written to, as a CommitError that says what to do."""
    try:
        yield
    except OSError as error:
        denied = isinstance(error, PermissionError) or error.errno == errno.EROFS
        remedy = "make it writable" if denied else "make room or mend the disk"
        if error.filename and error.errno in (*NO_FILE, errno.ENOTDIR, errno.EISDIR):
            remedy = f"move {error.filename} away"
        raise CommitError(
            f"could not write to {folder} ({error.strerror or error}): {remedy} and call again; "
            "everything committed so far is intact"
        ) from error

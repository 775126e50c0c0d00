"""Locks that let only one process at a time write into a folder or to a file name.

The operating system holds the lock on a small file (flock, or msvcrt.locking on Windows) and
releases it when the process ends, even if it is killed. The lock file's text tells people which
process holds the lock.
"""

import contextlib
import errno
import hashlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from i2ibench.errors import UserError
from i2ibench.io.progress import say

NAME = ".i2ibench.lock"
"""The name of the lock file in a locked folder."""

PATIENCE = 2.0
"""Seconds until an error: the system may need as long to clean up after a killed process."""

_BUSY = {errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK}
_WINDOWS_BYTE = 2**30
"""The byte that is locked on Windows, far behind the text: a locked byte cannot be read there."""


class _Held(NamedTuple):
    """A lock that this process holds, and the thread that may take the lock again."""

    descriptor: int
    thread: int


_held: dict[str, _Held] = {}
"""The locks of this process by the paths of their files."""


@contextlib.contextmanager
def lock_folder(
    folder: Path, purpose: str, otherwise: str = "choose another folder", wait: bool = False
) -> Iterator[None]:
    """Lock a folder, as a context manager, until the block ends or the process does.

    The folder and missing folders above are made, and removed if they are still empty afterwards.
    The thread that holds the lock may lock the folder again; other threads are treated like other
    processes. Child processes do not inherit the lock. On a file system without locks a warning is
    printed and the block runs without a lock.

    Args:
        folder: the folder to lock, by the file `.i2ibench.lock` in it.
        purpose: the work, such as "training", for the error message in other processes.
        otherwise: advice at the end of the error message in this process.
        wait: True to wait until another process releases the lock; False to raise after 2 seconds.

    Raises:
        UserError: another process holds the lock (the message names its machine and process id),
            or the folder cannot be made or written.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        with _hold(folder / NAME, folder, purpose, otherwise, wait):
            yield
    finally:
        with contextlib.suppress(OSError):  # a folder that is not empty stays
            for path in missing:
                path.rmdir()


@contextlib.contextmanager
def lock_target(
    path: Path, purpose: str, otherwise: str = "choose another name", wait: bool = False
) -> Iterator[None]:
    """Lock the path of a file or folder to be written; a context manager like `lock_folder`.

    The lock file lies beside the path, so that the path may be renamed or missing. Missing folders
    above the path are made and stay. The path itself is not made.

    Args:
        path: the file or folder that is to be written.
        purpose, otherwise, wait: see `lock_folder`.

    Raises:
        UserError: another process holds the lock, or the lock file cannot be written.
    """
    name = os.path.normcase(path.name)
    digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:12]
    with _hold(path.with_name(f".{name[:24]}.{digest}.lock"), path, purpose, otherwise, wait):
        yield


def is_locked(folder: Path) -> bool:
    """Return whether a running process, this one or another, holds the lock of `lock_folder`.

    The result is False for a folder that is missing or lies on a file system without locks.
    """
    lock = folder / NAME
    if _key(lock) in _held:
        return True
    try:
        descriptor = os.open(lock, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _lock(descriptor, shared=True)
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(descriptor)


def move_contents_aside(folder: Path) -> Path | None:
    """Move the contents of a locked folder into a new folder beside it, and return the new folder.

    The new folder is called `NAME.before-YYYYMMDD-HHMMSS`. The locked folder itself stays, with the
    lock file in it. If it holds nothing else, nothing is made and None is returned.

    Raises:
        UserError: something cannot be moved; what was moved before stays in the new folder.
    """
    if not holds_files(folder):
        return None
    try:
        aside = new_folder(folder.with_name(f"{folder.name}.before-{_now('%Y%m%d-%H%M%S')}"))
        for path in sorted(folder.iterdir()):
            if path.name != NAME:
                path.rename(aside / path.name)
    except OSError as error:
        raise UserError(f"The contents of {folder} cannot be moved aside: {error}.") from None
    return aside


def holds_files(folder: Path) -> bool:
    """Return whether an existing folder holds any file or folder besides its lock file."""
    return any(path.name != NAME for path in folder.iterdir())


def new_folder(wanted: Path) -> Path:
    """Make a folder and return its path, `wanted` or, if that exists, `wanted-2`, `wanted-3`, ...

    Raises:
        OSError: the folder above is missing or cannot be written.
    """
    number, path = 1, wanted
    while True:
        try:
            path.mkdir()
            return path
        except FileExistsError:
            number += 1
            path = wanted.with_name(f"{wanted.name}-{number}")


@contextlib.contextmanager
def _hold(lock: Path, owned: Path, purpose: str, otherwise: str, wait: bool) -> Iterator[None]:
    key = _key(lock)
    mine = _held.get(key)
    if mine is not None and mine.thread == threading.get_ident():
        yield
        return
    try:
        descriptor = _acquire(lock, owned, otherwise, wait)
    except OSError as error:
        raise UserError(f"{owned} cannot be written ({error}): {otherwise}.") from None
    _held[key] = _Held(descriptor, threading.get_ident())
    try:
        _write_holder(descriptor, purpose)
        yield
    finally:
        if _held.pop(key, None) is not None:  # None in a child process forked in the block
            _release(lock, descriptor)


def _acquire(lock: Path, owned: Path, otherwise: str, wait: bool) -> int:
    """Lock a lock file, which is made if it is missing, and return its open file descriptor."""
    begin, pause, announced = time.monotonic(), 0.001, False
    while (descriptor := _try(lock, owned)) is None:
        waited = time.monotonic() - begin
        if waited > PATIENCE and not wait:
            raise UserError(f"{_in_use(lock, owned)} Wait until it ends, or {otherwise}.")
        if waited > PATIENCE and not announced:
            say(f"{_in_use(lock, owned)} Waiting for it.")
            announced = True
        time.sleep(pause)
        pause = min(2 * pause, 0.1)
    return descriptor


def _try(lock: Path, owned: Path) -> int | None:
    """Try once to lock a lock file; return its open file descriptor, or None if the lock is taken.

    On a file system without locks a warning that names `owned` is printed, and the descriptor is
    returned although nothing is locked.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
    except FileNotFoundError:  # the last holder has just removed the empty folder
        return None
    try:
        locked = _lock(descriptor)
    except OSError as error:
        say(
            f"{owned} cannot be locked ({error.strerror or error}): take care that nobody else "
            "writes there at the same time."
        )
        return descriptor
    if locked and _is_at(lock, descriptor):
        return descriptor
    os.close(descriptor)
    return None


def _lock(descriptor: int, shared: bool = False) -> bool:
    """Lock an open file without waiting; return False if another process holds the lock."""
    try:
        _lock_now(descriptor, shared)
    except OSError as error:
        if error.errno in _BUSY:
            return False
        raise
    return True


def _lock_now(descriptor: int, shared: bool) -> None:
    try:
        import fcntl
    except ImportError:
        _lock_byte(descriptor)
        return
    fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


def _lock_byte(descriptor: int) -> None:
    """Lock one byte of an open file with msvcrt (Windows), which has no shared locks."""
    try:
        import msvcrt
    except ImportError:
        raise OSError(errno.ENOSYS, "this Python has neither fcntl nor msvcrt") from None
    os.lseek(descriptor, _WINDOWS_BYTE, os.SEEK_SET)
    lock, at_once = getattr(msvcrt, "locking"), getattr(msvcrt, "LK_NBLCK")  # noqa: B009
    lock(descriptor, at_once, 1)


def _is_at(lock: Path, descriptor: int) -> bool:
    """Return whether the open file `descriptor` is still the file at the path `lock`.

    The last holder of the lock may have removed the file, and another process may have made a new
    one.
    """
    try:
        again = os.open(lock, os.O_RDONLY)  # asks a file server, where os.stat asks a cache
    except FileNotFoundError:
        return False
    try:
        return os.path.samestat(os.fstat(again), os.fstat(descriptor))
    finally:
        os.close(again)


def _release(lock: Path, descriptor: int) -> None:
    """Remove a locked lock file unless it was replaced, then close its descriptor to unlock it."""
    with contextlib.suppress(OSError):  # Windows keeps open files; the folder may be gone
        if _is_at(lock, descriptor):
            lock.unlink()
    os.close(descriptor)


def _write_holder(descriptor: int, purpose: str) -> None:
    """Write this machine, process id, purpose and the local time into an open lock file as JSON.

    Errors, such as a full disk, are ignored.
    """
    holder = {"host": socket.gethostname(), "pid": os.getpid(), "purpose": purpose,
              "since": _now("%Y-%m-%d %H:%M:%S")}  # fmt: skip
    with contextlib.suppress(OSError):  # on a full disk the lock holds without the text
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, json.dumps(holder).encode())


def _in_use(lock: Path, owned: Path) -> str:
    pattern = "{}: process {pid} on {host} has been {purpose} there since {since}."
    try:
        holder = json.loads(lock.read_text(encoding="utf-8"))
        return pattern.format(f"{owned} is in use", **holder)
    except (OSError, ValueError, TypeError, KeyError):
        return f"{owned} is in use by another process."


def _key(lock: Path) -> str:
    return os.path.normcase(lock.parent.resolve() / lock.name)


def _now(pattern: str) -> str:
    return time.strftime(pattern)


def _forget_locks() -> None:
    """Close the inherited lock files in a forked child process: only its parent holds the locks."""
    for held in _held.values():
        os.close(held.descriptor)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_locks)

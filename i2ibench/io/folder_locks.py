"""Folder locks: a folder, or the name of a file to be written, has one owner at a time.

The lock is the operating system's (flock, or msvcrt.locking on Windows) on a small file, so that it
is gone with its process, however that ends. What the file says is for people: who holds the lock.
"""

import contextlib
import errno
import hashlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from i2ibench.errors import UserError
from i2ibench.io.progress import say

NAME = ".i2ibench.lock"
"""The file in a folder that is owned."""

PATIENCE = 2.0
"""Seconds until a refusal: the system may take as long to clear away a process that was killed."""

_BUSY = {errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK}
_BEYOND = 2**30
"""The byte that is locked on Windows, where nobody could read one that is: far behind the text."""


@dataclass(frozen=True)
class Owner:
    """The owner of a folder.

    Attributes:
        host: the name of the machine.
        pid: the number of the process there.
        purpose: what it does, such as "training".
        since: local time.
    """

    host: str
    pid: int
    purpose: str
    since: str


@dataclass(frozen=True)
class _Held:
    """A lock of this process: its file, and the thread that may take it again."""

    descriptor: int
    thread: int


_held: dict[str, _Held] = {}
"""The locks of this process by the paths of their files."""


@contextlib.contextmanager
def lock_folder(
    folder: Path, purpose: str, otherwise: str = "choose another folder", wait: bool = False
) -> Iterator[None]:
    """Own a folder until the block ends or the process does.

    The folder is made, and removed if nothing was put into it. The thread that owns it may own it
    again. Child processes do not own it, and do not keep it.

    Args:
        folder: what only its owner writes to.
        purpose: what is done there, such as "training", for those who are refused.
        otherwise: what they can do instead.
        wait: until the owner is done, and refuse nobody.

    Raises:
        UserError: another process owns it, with that one's machine and number; or the folder cannot
            be made or written.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        with _own(folder / NAME, folder, purpose, otherwise, wait):
            yield
    finally:
        _remove_empty(made)


@contextlib.contextmanager
def lock_target(
    path: Path, purpose: str, otherwise: str = "choose another name", wait: bool = False
) -> Iterator[None]:
    """Own the name of a file or folder that is to be written; see `lock_folder`.

    The lock lies beside it, so that the folder itself may be renamed or not be there.
    """
    name = os.path.normcase(path.name)
    digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:12]
    with _own(path.with_name(f".{name[:24]}.{digest}.lock"), path, purpose, otherwise, wait):
        yield


def is_locked(folder: Path) -> bool:
    """Return whether a living process, this one or another, owns a folder."""
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
    """Move what an owned folder holds into a new folder beside it, and return that.

    The folder itself stays, with the lock in it. Return None if it holds nothing.

    Raises:
        UserError: it cannot be moved.
    """
    if not holds_files(folder):
        return None
    try:
        aside = new_folder(folder.with_name(f"{folder.name}.before-{_now('%Y%m%d-%H%M%S')}"))
        for path in sorted(folder.iterdir()):
            if path.name != NAME:
                path.rename(aside / path.name)
    except OSError as error:
        raise UserError(f"What {folder} holds cannot be moved beside it: {error}.") from None
    return aside


def holds_files(folder: Path) -> bool:
    """Return whether a folder holds anything besides its lock."""
    return any(path.name != NAME for path in folder.iterdir())


def new_folder(wanted: Path) -> Path:
    """Make and return a folder of this name, or of one with a number if there is one already."""
    number, path = 1, wanted
    while True:
        try:
            path.mkdir()
            return path
        except FileExistsError:
            number += 1
            path = wanted.with_name(f"{wanted.name}-{number}")


@contextlib.contextmanager
def _own(lock: Path, owned: Path, purpose: str, otherwise: str, wait: bool) -> Iterator[None]:
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
        _sign(descriptor, purpose)
        yield
    finally:
        if _held.pop(key, None) is not None:  # not in a child that was forked meanwhile
            _release(lock, descriptor)


def _acquire(lock: Path, owned: Path, otherwise: str, wait: bool) -> int:
    """Return the descriptor of the lock's file, which this process now holds.

    Raises:
        UserError: another process holds it, and that is not waited for.
        OSError: the file cannot be made.
    """
    begin, pause, told = time.monotonic(), 0.001, False
    while (descriptor := _try(lock, owned)) is None:
        waited = time.monotonic() - begin
        if waited > PATIENCE and not wait:
            raise UserError(f"{_in_use(lock, owned)} Wait until it ends, or {otherwise}.")
        if waited > PATIENCE and not told:
            say(f"{_in_use(lock, owned)} Waiting for it.")
            told = True
        time.sleep(pause)
        pause = min(2 * pause, 0.1)
    return descriptor


def _try(lock: Path, owned: Path) -> int | None:
    """Return the descriptor of the lock's file if nobody holds it."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
    except FileNotFoundError:  # the last owner has just removed the empty folder
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
    """Return whether the file could be locked at once.

    Raises:
        OSError: its file system has no locks.
    """
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
    """Lock as Windows does: never shared."""
    try:
        import msvcrt
    except ImportError:
        raise OSError(errno.ENOSYS, "this Python has neither fcntl nor msvcrt") from None
    os.lseek(descriptor, _BEYOND, os.SEEK_SET)
    lock, at_once = getattr(msvcrt, "locking"), getattr(msvcrt, "LK_NBLCK")  # noqa: B009
    lock(descriptor, at_once, 1)


def _is_at(lock: Path, descriptor: int) -> bool:
    """Return whether a file is still the one of its name: its last holder may have removed it."""
    try:
        again = os.open(lock, os.O_RDONLY)  # opening asks a server where os.stat asks a cache
    except FileNotFoundError:
        return False
    try:
        return os.path.samestat(os.fstat(again), os.fstat(descriptor))
    finally:
        os.close(again)


def _release(lock: Path, descriptor: int) -> None:
    """Remove the lock's file, while it is held, and let go of it."""
    with contextlib.suppress(OSError):  # Windows keeps open files, and a folder may be gone
        if _is_at(lock, descriptor):
            lock.unlink()
    os.close(descriptor)


def _remove_empty(folders: Sequence[Path]) -> None:
    """Remove folders, inner ones first, as far as they are empty."""
    with contextlib.suppress(OSError):
        for folder in folders:
            folder.rmdir()


def _sign(descriptor: int, purpose: str) -> None:
    """Write into the lock's file who holds it."""
    owner = Owner(socket.gethostname(), os.getpid(), purpose, _now("%Y-%m-%d %H:%M:%S"))
    with contextlib.suppress(OSError):  # a full disk; the lock holds without a name, too
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, json.dumps(asdict(owner)).encode())


def _in_use(lock: Path, owned: Path) -> str:
    try:
        owner = Owner(**json.loads(lock.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return f"{owned} is in use by another process."
    return (
        f"{owned} is in use: process {owner.pid} on {owner.host} has been {owner.purpose} there "
        f"since {owner.since}."
    )


def _key(lock: Path) -> str:
    return os.path.normcase(lock.parent.resolve() / lock.name)


def _now(pattern: str) -> str:
    return time.strftime(pattern)


def _let_go() -> None:
    """Close the parent's locks in a process that was forked: they are the parent's alone."""
    for held in _held.values():
        os.close(held.descriptor)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)

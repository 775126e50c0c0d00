"""Files written whole: each goes to a temporary name beside its own and is then renamed."""

import contextlib
import errno
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}  # Windows has no quota's number
_LEFTOVER = re.compile(r"\..+\.(\d+)(-[0-9a-f]+)?\.tmp")
"""The temporary name of a file, with the number of the process that writes it."""


def write_file(path: Path, write: Callable[[Path], object], flush: bool = True) -> None:
    """Make `path` hold what `write` writes to the path it is given, or leave it as it was.

    With `flush=False` that is so if the process is killed, but not if the power fails.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(aside)
        if flush:
            with aside.open("rb") as written:
                os.fsync(written.fileno())
        aside.replace(path)
        if flush:
            _sync_folder(path.parent)
    finally:
        aside.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make the new name outlive a power failure, where folders can be opened (not on Windows)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Make `path` hold `text`."""
    write_file(path, lambda aside: aside.write_text(text, encoding="utf-8"))


def is_disk_full(error: BaseException) -> bool:
    """Return whether a write failed because the disk, or the user's share of it, is full."""
    return isinstance(error, OSError) and error.errno in _FULL


def make_private_folder(path: Path) -> None:
    """Make a folder that no other user of the machine may look into (mode 0700).

    A folder that is there already keeps its mode.
    """
    path.mkdir(0o700, parents=True, exist_ok=True)


def write_private(path: Path, content: str | bytes) -> None:
    """Make `path` hold `content`, which no other user of the machine may read (mode 0600)."""
    data = content.encode("utf-8") if isinstance(content, str) else content

    def write(aside: Path) -> None:
        aside.unlink(missing_ok=True)  # of a killed process with this number
        aside.touch(0o600)
        aside.write_bytes(data)

    write_file(path, write)


def remove_leftovers(*folders: Path) -> None:
    """Remove what writes that were killed have left in folders that the caller owns.

    What a living process of this machine is just writing stays: some commands write a single file
    into a folder that is another's.
    """
    for folder in folders:
        for left in folder.glob(".*.tmp"):
            found = _LEFTOVER.fullmatch(left.name)
            if found and not _is_alive(int(found[1])):
                with contextlib.suppress(OSError):  # Windows keeps what is open
                    left.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    if os.name == "nt":
        return False  # there os.kill would end it
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    # A killed child that nobody has waited for is no longer alive.
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    return True


def write_picture(
    path: Path, pixels: NDArray[Any], compress_level: int = 1, flush: bool = True
) -> None:
    """Make `path` a PNG of `pixels`: uint8 [H,W,3] or [H,W], or uint16 [H,W]."""
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    write_file(path, lambda p: picture.save(p, format="PNG", compress_level=compress_level), flush)

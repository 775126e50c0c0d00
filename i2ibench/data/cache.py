"""A data set's scenes at training size in one memory-mapped file, made once.

The file holds, scene after scene, the uint8 images and label maps and the ids in the smallest
integers that hold them, then an index as JSON, its CRC-32, its length and MAGIC. Its name has two
hashes: one of what the scenes are (paths, classes, transforms), one of the state the files are in
(size and time of change). A file that has changed since leads to another name, and the old cache is
removed. The index has a CRC-32 of every scene.
"""

import contextlib
import errno
import hashlib
import inspect
import json
import math
import os
import shutil
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import PIL
from numpy.typing import NDArray

from i2ibench.data.kinds import KINDS
from i2ibench.data.tar_members import place_of
from i2ibench.errors import UserError
from i2ibench.io.files import write_file
from i2ibench.io.folder_locks import lock_target
from i2ibench.io.progress import Progress, say

MAGIC = b"i2ibench scenes 2\n"
CHECK_EVERY = 128
"""A scene's checksum takes about as long as reading the scene: it is compared at the first and at
every 32nd reading by a process, and after a change of the file's time."""

ELSEWHERE = "give another folder with cache=PATH, or leave cache out"
Arrays = dict[str, Any]


class SceneCache:
    """The scenes of one cache file; every process maps it for itself.

    Args:
        path: of a whole file, see `open_cache`.

    Raises:
        ValueError: the file is no cache, or is cut off.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.index = _read_index(path)
        self._bytes: NDArray[np.uint8] | None = None
        self._readings: Counter[int] = Counter()  # of each scene since the file's last change
        self._changed: int | None = None
        self._is_damaged = False

    def __getstate__(self) -> dict[str, Any]:
        # A worker maps the file, and is sent no pixels; it compares the checksums for itself.
        fresh: dict[str, Any] = {"_bytes": None, "_readings": Counter(), "_changed": None}
        return {**self.__dict__, **fresh}

    def arrays(self, number: int) -> Arrays | None:
        """Scene `number` as the transforms gave it: copies, ids as int32.

        None if its bytes have changed since they were written, which is said once; the next call
        of `open_cache` makes the cache anew.
        """
        if self._bytes is None:
            self._bytes = np.memmap(self.path, np.uint8, mode="r")
        compared = self._is_due(number)
        arrays = {}
        for kind, (offset, shape, dtype, checksum) in self.index[number].items():
            size = math.prod(shape) * np.dtype(dtype).itemsize
            stored = self._bytes[offset : offset + size].view(dtype).reshape(shape)
            if compared and zlib.crc32(stored) != checksum:
                self._report(number)
                return None
            arrays[kind] = np.array(stored, np.int32 if KINDS[kind].wide else dtype)
            if arrays[kind].ndim == 3:  # stored as tensors have it, used as transforms have it
                arrays[kind] = arrays[kind].transpose(1, 2, 0)
        return arrays

    def _is_due(self, number: int) -> bool:
        """Return whether the checksums of a scene are to be compared now."""
        changed = _time_of_change(self.path)
        if changed != self._changed:
            self._readings.clear()
            self._changed = changed
        self._readings[number] += 1
        return self._readings[number] % CHECK_EVERY == 1 or changed is None

    def _report(self, number: int) -> None:
        if not self._is_damaged:
            say(
                f"{self.path} is damaged, first in scene {number}: such scenes are read from their "
                "files, and the next start makes the cache anew."
            )
            with contextlib.suppress(OSError):  # Windows keeps a file that is mapped
                self.path.unlink()
        self._is_damaged = True
        self._readings[number] = 0  # compare it again: other bytes of the scene are not trusted


def _time_of_change(path: Path) -> int | None:
    """Nanoseconds since 1970; None if so short ago that another change may have the same time."""
    try:
        changed = os.stat(path).st_mtime_ns  # noqa: PTH116  asked for every scene
    except OSError:  # removed, but mapped
        return 0
    return changed if time.time_ns() - changed > 10**9 else None


def open_cache(
    folder: Path,
    inputs: Mapping[str, Any],
    files: Sequence[Path],
    count: int,
    scene: Callable[[int], Arrays],
) -> SceneCache:
    """The cache of a data set; it is made, with progress, if there is none or its data changed.

    Several processes may ask at once: one makes it, the others wait. A kill or a full disk leaves
    nothing that a later call would take for a cache.

    Args:
        folder: where caches are.
        inputs: all that the scenes depend on besides the files' contents, as JSON.
        files: those files.
        count: scenes.
        scene: makes the arrays of one.

    Raises:
        UserError: the folder cannot be written, the disk is full, or a scene is broken.
    """
    subject = _hash([MAGIC.decode(), PIL.__version__, inputs])
    path = folder / f"{subject}-{_hash([_state(file) for file in files])}.scenes"
    cache = _existing(path)
    if cache is not None:
        return cache
    with (
        lock_target(folder / subject, "caching scenes", ELSEWHERE, wait=True),
        _explained(folder),
    ):
        if (cache := _existing(path)) is None:  # nobody has made it while this one waited
            if path.exists():
                say(f"{path} is damaged and is made anew.")
            for old in (*folder.glob(f"{subject}-*"), *folder.glob(f".{subject}-*.tmp")):
                old.unlink(missing_ok=True)  # other contents, or what a kill has left
            write_file(path, lambda aside: _write(aside, count, scene))
            cache = SceneCache(path)
        return cache


def source_of(part: object) -> str:
    """A hash of the module that defines a part's class."""
    return hashlib.sha256(Path(inspect.getfile(type(part))).read_bytes()).hexdigest()


def _hash(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=repr).encode()).hexdigest()[
        :16
    ]


def _state(file: Path) -> tuple[int, int]:
    """Size and time of change: reading every file would take as long as making the cache."""
    try:
        place = place_of(file)
        stat = file.stat() if place is None else place[0].stat()
    except FileNotFoundError:
        raise UserError(f"{file} does not exist.") from None
    return stat.st_size, stat.st_mtime_ns


def _existing(path: Path) -> SceneCache | None:
    """The cache in a file, if it is there and whole."""
    try:
        return SceneCache(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def _write(path: Path, count: int, scene: Callable[[int], Arrays]) -> None:
    index = []
    description = f"caching scenes in {path.parent}"
    with path.open("wb") as file, Progress(description, count) as progress:
        for number in range(count):
            index.append({k: _append(file, k, a) for k, a in scene(number).items() if k in KINDS})
            if number == 0:
                _require_space(path, file.tell() * count)
            progress.advance()
        listing = json.dumps(index).encode()
        tail = zlib.crc32(listing).to_bytes(4, "little") + len(listing).to_bytes(8, "little")
        file.write(listing + tail + MAGIC)


def _append(file: BinaryIO, kind: str, array: NDArray[Any]) -> tuple[int, list[int], str, int]:
    """Offset, shape, type and CRC-32 of what is written."""
    if KINDS[kind].wide:
        array = array.astype(_smallest(array))
    stored = np.ascontiguousarray(array.transpose(2, 0, 1) if array.ndim == 3 else array)
    file.write(b"\0" * (-file.tell() % stored.itemsize))
    offset = file.tell()
    file.write(stored.data)
    return offset, list(stored.shape), stored.dtype.str, zlib.crc32(stored.data)


def _smallest(ids: NDArray[Any]) -> np.dtype[Any]:
    """The smallest type that holds all ids exactly."""
    if ids.min() < 0:
        return np.dtype("<i4")
    return np.dtype("u1" if ids.max() < 2**8 else "<u2" if ids.max() < 2**16 else "<i4")


def _read_index(path: Path) -> list[dict[str, Any]]:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        tail = 4 + 8 + len(MAGIC)
        file.seek(max(size - tail, 0))
        end = file.read()
        length = int.from_bytes(end[4:12], "little")
        if len(end) < tail or end[12:] != MAGIC or length > size - tail:
            raise ValueError("its end is missing")
        file.seek(size - tail - length)
        listing = file.read(length)
        if zlib.crc32(listing) != int.from_bytes(end[:4], "little"):
            raise ValueError("its index does not fit its checksum")
        return json.loads(listing)


def _require_space(path: Path, needed: int) -> None:
    if needed > shutil.disk_usage(path.parent).free:
        raise OSError(errno.ENOSPC, f"about {needed / 1e9:.1f} GB are needed")


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Errors of the disk as the user's, with the way out.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise UserError(
            f"The scene cache cannot be written to {folder}: "
            f"{'the disk is full' if full else error.strerror or error}"
            f"{f' ({error.strerror})' if full else ''}: {ELSEWHERE}."
        ) from error

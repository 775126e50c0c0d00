"""A cache of a data set's scenes at training size in one memory-mapped file.

The file holds the arrays of one scene after another: images and label maps as uint8, ids in the
smallest integer type that holds them. An index in JSON, its CRC-32, its length and MAGIC follow.
The index has a CRC-32 of every array. The file's name contains two hashes. The first depends on
paths, classes and transforms, the second on the sizes and modification times of the scenes' files.
When a file changes, the name changes, and the old cache is removed.
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
from i2ibench.io.files import is_disk_full, write_file
from i2ibench.io.folder_locks import lock_target
from i2ibench.io.progress import Progress, say
from i2ibench.io.provenance import sha256

MAGIC = b"i2ibench scenes 2\n"
CHECK_EVERY = 128
"""The checksums of a scene are compared the first time that a process reads the scene, every 128th
time, and after a change of the file's modification time. Comparing takes about as long as
reading."""

ELSEWHERE = "give another folder with cache=PATH, or leave cache out"
Arrays = dict[str, Any]


class SceneCache:
    """The scenes in one cache file, which every process maps into its own memory.

    Args:
        path: a complete cache file, see `open_cache`.

    Raises:
        ValueError: the file is not a cache, or is cut off.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.index = _read_index(path)
        self._bytes: NDArray[np.uint8] | None = None
        self._readings: Counter[int] = Counter()  # of each scene since the file last changed
        self._changed: int | None = None
        self._is_damaged = False

    def __getstate__(self) -> dict[str, Any]:
        # A worker process maps the file itself instead of receiving the pixels.
        fresh: dict[str, Any] = {"_bytes": None, "_readings": Counter(), "_changed": None}
        return {**self.__dict__, **fresh}

    def arrays(self, number: int) -> Arrays | None:
        """Return copies of the arrays of one cached scene by kind: maps [H,W] and images [H,W,C].

        Maps of kinds that are `wide`, such as instance maps, are int32. Other arrays have the dtype
        that they were stored with. Checksums are compared at some readings only, see `CHECK_EVERY`.
        Return None if a checksum does not fit. The cache file is then removed, with a message the
        first time, and the next call of `open_cache` makes it anew.

        Args:
            number: the index of the scene.
        """
        if self._bytes is None:
            self._bytes = np.memmap(self.path, np.uint8, mode="r")
        compare = self._is_due(number)
        arrays = {}
        for kind, (offset, shape, dtype, checksum) in self.index[number].items():
            size = math.prod(shape) * np.dtype(dtype).itemsize
            stored = self._bytes[offset : offset + size].view(dtype).reshape(shape)
            if compare and zlib.crc32(stored) != checksum:
                self._report(number)
                return None
            arrays[kind] = np.array(stored, np.int32 if KINDS[kind].wide else dtype)
            if arrays[kind].ndim == 3:  # [C,H,W] in the file
                arrays[kind] = arrays[kind].transpose(1, 2, 0)
        return arrays

    def _is_due(self, number: int) -> bool:
        """Count a reading of a scene; return whether to compare the scene's checksums this time."""
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
            with contextlib.suppress(OSError):  # Windows does not remove a mapped file
                self.path.unlink()
        self._is_damaged = True
        self._readings[number] = 0  # compare the checksums next time too


def _time_of_change(path: Path) -> int | None:
    """Return a file's modification time in ns, or 0 if the file is missing.

    Return None for a file changed within the last second: a later change may get the same time.
    """
    try:
        changed = os.stat(path).st_mtime_ns  # noqa: PTH116  is called for every scene
    except OSError:  # the file was removed while it is mapped
        return 0
    return changed if time.time_ns() - changed > 10**9 else None


def open_cache(
    folder: Path,
    inputs: Mapping[str, Any],
    files: Sequence[Path],
    count: int,
    scene: Callable[[int], Arrays],
) -> SceneCache:
    """Open the cache file of a data set; it is made first if it is missing or the data has changed.

    Older cache files of the same `inputs` are removed before a new one is made. If several
    processes call this at once, one makes the cache and the others wait. A process that is killed
    and a full disk leave no file that a later call would take for a cache.

    Args:
        folder: the folder of all caches, which is made if it is missing.
        inputs: everything that the scenes depend on except the contents of files, as JSON values.
        files: the files that are read. If the size or modification time of one changes, the cache
            is made anew.
        count: the number of scenes.
        scene: a function from a scene's index to its arrays by kind, maps [H,W] and images [H,W,C].
            Entries that are no kind of `KINDS` are left out.

    Raises:
        UserError: the folder cannot be written, the disk is full, a file is missing, or a scene is
            broken.
    """
    subject = _hash([MAGIC.decode(), PIL.__version__, inputs])
    path = folder / f"{subject}-{_hash([_state(file) for file in files])}.scenes"
    cache = _existing(path)
    if cache is not None:
        return cache
    with (
        lock_target(folder / subject, "caching scenes", ELSEWHERE, wait=True),
        _disk_errors_explained(folder),
    ):
        if (cache := _existing(path)) is None:  # no other process has made it meanwhile
            if path.exists():
                say(f"{path} is damaged and is made anew.")
            for old in (*folder.glob(f"{subject}-*"), *folder.glob(f".{subject}-*.tmp")):
                old.unlink(missing_ok=True)  # outdated, or left by a killed process
            write_file(path, lambda aside: _write(aside, count, scene))
            cache = SceneCache(path)
        return cache


def source_of(part: object) -> str:
    """Return the hexadecimal SHA-256 of the Python file that defines an object's class."""
    return sha256(Path(inspect.getfile(type(part))))


def _hash(content: object) -> str:
    text = json.dumps(content, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _state(file: Path) -> tuple[int, int]:
    """Return the size in bytes and the modification time in ns of a file, or of a member's tar.

    Hashing the contents would take as long as caching.
    """
    try:
        place = place_of(file)
        stat = file.stat() if place is None else place[0].stat()
    except FileNotFoundError:
        raise UserError(f"{file} does not exist.") from None
    return stat.st_size, stat.st_mtime_ns


def _existing(path: Path) -> SceneCache | None:
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
                needed = file.tell() * count
                if needed > shutil.disk_usage(path.parent).free:
                    raise OSError(errno.ENOSPC, f"about {needed / 1e9:.1f} GB are needed")
            progress.advance()
        listing = json.dumps(index).encode()
        tail = zlib.crc32(listing).to_bytes(4, "little") + len(listing).to_bytes(8, "little")
        file.write(listing + tail + MAGIC)


def _append(file: BinaryIO, kind: str, array: NDArray[Any]) -> tuple[int, list[int], str, int]:
    """Write an array to a cache file and return its offset in bytes, shape, dtype and CRC-32.

    Ids of a `wide` kind get the smallest integer type that holds them. Images are stored as
    [C,H,W], which is the returned shape.
    """
    if KINDS[kind].wide:
        array = array.astype(_smallest_type(array))
    stored = np.ascontiguousarray(array.transpose(2, 0, 1) if array.ndim == 3 else array)
    file.write(b"\0" * (-file.tell() % stored.itemsize))
    offset = file.tell()
    file.write(stored.data)
    return offset, list(stored.shape), stored.dtype.str, zlib.crc32(stored.data)


def _smallest_type(ids: NDArray[Any]) -> np.dtype[Any]:
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


@contextmanager
def _disk_errors_explained(folder: Path) -> Iterator[None]:
    """Turn an `OSError` in the block into a `UserError` that names the cache folder and advice."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        reason = f"the disk is full ({reason})" if is_disk_full(error) else reason
        raise UserError(
            f"The scene cache cannot be written to {folder}: {reason}: {ELSEWHERE}."
        ) from error

"""Files inside uncompressed tars, read in place.

Such a file is named by a path below its tar, TAR/OFFSET+SIZE+CRC32/NAME, so that whatever takes
paths of images takes it as well; where bytes are read, `read_bytes` knows both kinds.
"""

import hashlib
import re
import zlib
from pathlib import Path

from i2ibench.io.provenance import sha256

_PLACE = re.compile(r"(\d+)\+(\d+)(?:\+(\d+))?")


def member_path(tar: Path, offset: int, size: int, name: str, checksum: int | None = None) -> Path:
    """The path that stands for `size` bytes from `offset` on in a tar.

    Args:
        tar: ends in .tar.
        offset, size: of the file's contents.
        name: of the file, whose ending says what it is.
        checksum: CRC-32 of the contents, compared whenever they are read; None for none.
    """
    places = [offset, size] if checksum is None else [offset, size, checksum]
    return tar / "+".join(map(str, places)) / name


def place_of(path: Path) -> tuple[Path, int, int] | None:
    """The tar, offset and size that a path stands for; None for a file of its own."""
    tar = path.parent.parent
    found = _PLACE.fullmatch(path.parent.name) if tar.suffix == ".tar" else None
    return None if found is None else (tar, int(found[1]), int(found[2]))


def scene_sha256(path: Path) -> str:
    """The hexadecimal SHA-256 of a file of its own, or of one in a tar."""
    return sha256(path) if place_of(path) is None else hashlib.sha256(read_bytes(path)).hexdigest()


def read_bytes(path: Path) -> bytes:
    """The contents of a file of its own, or of one in a tar.

    Raises:
        OSError: it is missing or cut off, or a byte of it has changed.
    """
    place = place_of(path)
    if place is None:
        return path.read_bytes()
    tar, offset, size = place
    with tar.open("rb") as file:
        file.seek(offset)
        contents = file.read(size)
    if len(contents) < size:
        raise OSError(f"{tar} is cut off: copy or write it anew")
    found = _PLACE.fullmatch(path.parent.name)
    if found and found[3] and zlib.crc32(contents) != int(found[3]):
        raise OSError(f"{tar} is damaged: copy or write it anew")
    return contents

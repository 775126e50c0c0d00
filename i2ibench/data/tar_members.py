"""Paths for files inside uncompressed tars, and reading of such files without unpacking.

A member's path is TAR/OFFSET+SIZE+CRC32/NAME, so that code for image paths works with members too.
`read_bytes` reads members and normal files.
"""

import hashlib
import re
import zlib
from pathlib import Path

from i2ibench.io.provenance import sha256

_PLACE = re.compile(r"(\d+)\+(\d+)(?:\+(\d+))?")


def member_path(tar: Path, offset: int, size: int, name: str, checksum: int | None = None) -> Path:
    """Return the path that stands for a file inside a tar (a member); see `read_bytes`.

    Args:
        tar: the tar file, whose name ends in ".tar".
        offset, size: the byte range of the member's contents.
        name: the file name of the member, with its ending.
        checksum: CRC-32 of the contents, compared at every reading; None to compare nothing.
    """
    numbers = [offset, size] if checksum is None else [offset, size, checksum]
    return tar / "+".join(map(str, numbers)) / name


def place_of(path: Path) -> tuple[Path, int, int] | None:
    """Return (tar, offset, size) from a path made by `member_path`, or None for a normal file.

    Offset and size are in bytes. No file is opened.
    """
    tar = path.parent.parent
    match = _PLACE.fullmatch(path.parent.name) if tar.suffix == ".tar" else None
    return None if match is None else (tar, int(match[1]), int(match[2]))


def scene_sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of the contents of a normal file or of a tar member.

    Raises:
        OSError: see `read_bytes`.
    """
    return sha256(path) if place_of(path) is None else hashlib.sha256(read_bytes(path)).hexdigest()


def read_bytes(path: Path) -> bytes:
    """Return the contents of a normal file, or of a tar member at a path from `member_path`.

    Raises:
        OSError: the file or the tar is missing, or the member is cut off or does not fit its
            checksum.
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
    match = _PLACE.fullmatch(path.parent.name)
    if match and match[3] and zlib.crc32(contents) != int(match[3]):
        raise OSError(f"{tar} is damaged: copy or write it anew")
    return contents

"""Checks that zip, PNG and JSON files are unchanged since they were written.

Zip files (torch's checkpoints) and PNG files carry a CRC-32 of each part. torch's reader and some
image decoders do not compare the CRC-32. JSON files of this project get a CRC-32 of their own.
"""

import json
import mmap
import time
import zipfile
import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

SEAL = "crc32"
"""The key of a JSON object under which the checksum of all other entries is stored."""

_LOCAL_HEADER = 30
"""Bytes of the fixed part of a zip record's local header."""

_TICK = 10**9
"""Nanoseconds within which a file system may give two changes of a file the same time."""

_PNG = b"\x89PNG\r\n\x1a\n"


def zip_damage(path: Path) -> str | None:
    """Return what is damaged in a zip file, such as "it is empty"; None if the file is intact.

    A file that is no zip file counts as damaged. Every byte of every record is read. The result is
    kept in memory until the file's size or modification time changes. It is not kept for a file
    that was changed within the last second.

    Raises:
        OSError: the file is missing or cannot be read.
    """
    status = path.stat()
    if time.time_ns() - status.st_mtime_ns < _TICK:  # a later change could get the same time
        return _find_damage(path)
    return _known_damage(path, status.st_ino, status.st_mtime_ns, status.st_size)


@cache
def _known_damage(path: Path, file: int, changed: int, size: int) -> str | None:
    return _find_damage(path)


def _find_damage(path: Path) -> str | None:
    if path.stat().st_size == 0:
        return "it is empty"
    try:
        with (
            path.open("rb") as opened,
            zipfile.ZipFile(opened) as archive,
            mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            for record in archive.infolist():
                if record.compress_type != zipfile.ZIP_STORED:
                    archive.read(record)  # compares the checksum, but is slower
                elif not _is_whole(record, content):
                    return f"its record {record.filename} does not fit its checksum"
    except (zipfile.BadZipFile, zlib.error, EOFError):
        return "it is cut off or damaged, or no zip file"
    except (ValueError, OverflowError, NotImplementedError, RuntimeError) as error:
        return f"its directory cannot be read: {error}"
    return None


def _is_whole(record: zipfile.ZipInfo, content: mmap.mmap) -> bool:
    """Return whether an uncompressed zip record has the name and CRC-32 of the directory."""
    header = content[record.header_offset : record.header_offset + _LOCAL_HEADER]
    if len(header) < _LOCAL_HEADER:
        return False
    name = record.header_offset + _LOCAL_HEADER
    begin = name + int.from_bytes(header[26:28], "little")
    named = content[name:begin]
    begin += int.from_bytes(header[28:30], "little")
    end = begin + record.file_size
    coding = "utf-8" if record.flag_bits & 0x800 else "cp437"
    if named != record.orig_filename.encode(coding) or end > len(content):
        return False
    with memoryview(content) as whole, whole[begin:end] as data:
        return zlib.crc32(data) == record.CRC


def is_whole_image(path: Path) -> bool:
    """Return whether an image file written by `write_image`, a PNG or a .npy file, is intact.

    A PNG is checked by `is_whole_png`. NumPy arrays (.npy) have no checksum, so only their header
    and length are checked.

    Raises:
        OSError: the file is missing or cannot be read.
    """
    if path.suffix != ".npy":
        return is_whole_png(path)
    try:
        np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError):
        return False
    return True


def is_whole_png(path: Path) -> bool:
    """Return whether a file is a PNG with its end chunk and a correct checksum in every chunk.

    The result is False for a file in another format. The pixels are not decoded.

    Raises:
        OSError: the file is missing or cannot be read.
    """
    content = memoryview(path.read_bytes())
    place = len(_PNG)
    if content[:place] != _PNG:
        return False
    while place + 12 <= len(content):
        end = place + 8 + int.from_bytes(content[place : place + 4], "big")
        kind = bytes(content[place + 4 : place + 8])
        checksum = int.from_bytes(content[end : end + 4], "big")
        if end + 4 > len(content) or zlib.crc32(content[place + 4 : end]) != checksum:
            return False
        if kind == b"IEND":
            return True
        place = end + 4
    return False


def add_checksum(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a JSON object with the CRC-32 of its entries added under the key `SEAL`."""
    return {**content, SEAL: _checksum(content)}


def verify_checksum(content: Any) -> dict[str, Any]:
    """Check the checksum of an object from `add_checksum` and return a copy without it.

    Raises:
        ValueError: the content is no dict, has no checksum, or was changed after `add_checksum`.
    """
    if not isinstance(content, dict) or SEAL not in content:
        raise ValueError("it has no checksum")
    rest = {key: value for key, value in content.items() if key != SEAL}
    if content[SEAL] != _checksum(rest):
        raise ValueError("it does not fit its checksum")
    return rest


def _checksum(content: Mapping[str, Any]) -> int:
    """Return the CRC-32 of a JSON object; the order of the object's keys does not matter."""
    return zlib.crc32(json.dumps(content, sort_keys=True).encode())

"""Atomic writing of files through a temporary file, and reading of UTF-8 text and JSON."""

import codecs
import contextlib
import errno
import io
import json
import os
import re
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from i2ibench.errors import UserError

UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
"""The byte order marks of UTF-16; UTF-32 files begin with one too, or with two zero bytes."""

TEMPORARY_LETTERS = 24
"""Characters of a file's name that its temporary file's name repeats: at most 96 bytes."""

LONGEST_NAME = 255
"""The longest file name of common file systems, in bytes (on Windows in UTF-16 units)."""

SAVE_AS = "save it as UTF-8 (in an editor: Save As, Encoding UTF-8)"

_DISK_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}  # Windows lacks EDQUOT
_LEFTOVER = re.compile(r"\..+\.(\d+)(-[0-9a-f]+)?\.tmp")
"""The name of a temporary file; group 1 is the id of the process that writes the file."""


def write_file(path: Path, write: Callable[[Path], object], flush: bool = True) -> None:
    """Replace a file by a complete new one; if writing fails, the old file stays unchanged.

    The contents go to a temporary file in the same folder, which is then renamed. Missing folders
    are made. If writing fails, the temporary file is removed and the exception is raised again.

    Args:
        path: the file to make or replace.
        write: a function that writes the contents to the temporary path that it is given.
        flush: sync file and folder to disk, so that the file also survives a power failure.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Repeats only the beginning of the name, which may be as long as the file system allows.
    begin = path.name[:TEMPORARY_LETTERS]
    aside = path.with_name(f".{begin}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        write(aside)
        if flush:
            with aside.open("r+b") as written:  # Windows only syncs files open for writing
                os.fsync(written.fileno())
        aside.replace(path)
        if flush:
            _sync_folder(path.parent)
    finally:
        aside.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Sync a folder to disk, so that a new name in it survives a power failure; ignore errors."""
    with contextlib.suppress(OSError):  # Windows cannot open folders
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write `text` to the file `path` as UTF-8 with unchanged line ends, through `write_file`."""
    # newline="" keeps the line ends of the text on Windows too.
    write_file(path, lambda aside: aside.write_text(text, encoding="utf-8", newline=""))


def is_disk_full(error: BaseException) -> bool:
    """Return whether an error says that the disk, or the user's quota, is full."""
    return isinstance(error, OSError) and error.errno in _DISK_FULL


def make_private_folder(path: Path) -> None:
    """Make a folder that other users cannot read (mode 0700); an existing one keeps its mode.

    Missing folders above are made with the usual mode.
    """
    path.mkdir(0o700, parents=True, exist_ok=True)


def write_private(path: Path, content: str | bytes) -> None:
    """Replace a file, through `write_file`, by one that other users cannot read (mode 0600).

    Args:
        path: the file to make or replace; an old file's mode is not kept.
        content: the contents; a string is written as UTF-8.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content

    def write(aside: Path) -> None:
        aside.touch(0o600, exist_ok=False)
        aside.write_bytes(data)

    write_file(path, write)


def remove_leftovers(*folders: Path) -> None:
    """Remove temporary files of `write_file` that killed processes left directly in some folders.

    The caller has locked the folders. Files of processes that still run on this machine stay,
    because some commands write a single file into a folder that another process has locked. On
    Windows all temporary files count as left over. Files that cannot be removed stay without an
    error.
    """
    for folder in folders:
        for temporary in folder.glob(".*.tmp"):
            match = _LEFTOVER.fullmatch(temporary.name)
            if match and not _is_alive(int(match[1])):
                with contextlib.suppress(OSError):  # Windows does not remove open files
                    temporary.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    if os.name == "nt":
        return False  # os.kill would end the process on Windows
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    # State Z: a killed child for which its parent has not waited yet.
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    return True


def require_possible_names(paths: Iterable[Path]) -> None:
    """Check, before a long computation, that the names of files to be written are not too long.

    Only the last part of each path is checked: at most 255 bytes, or 255 UTF-16 units on Windows.

    Raises:
        UserError: a name is too long; the message names the first such file, its length and the
            limit.
    """
    for path in paths:
        windows = os.name == "nt"
        length = len(path.name.encode("utf-16-le")) // 2 if windows else len(os.fsencode(path.name))
        if length > LONGEST_NAME:
            raise UserError(
                f"The file {path.name}, to be written in {path.parent}, would have a name of "
                f"{length} {'letters' if windows else 'bytes'}; file systems allow {LONGEST_NAME}. "
                "Give the file that it is named after a shorter name."
            )


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file, whatever the locale, with "\\n" as the only line end.

    A byte order mark of UTF-8 is dropped.

    Raises:
        UserError: the file is in another encoding or holds a zero byte; the message names the byte
            and says how to save the file.
        OSError: the file is missing or cannot be read.
    """
    content = path.read_bytes()
    if content.startswith(UTF_16):
        raise UserError(
            f"{path} is text in UTF-16, as byte 0 (0x{content[0]:02x}) says: {SAVE_AS}."
        )
    if b"\0" in content:
        raise UserError(
            f"{path} is no UTF-8 text: byte {content.index(0)} is zero, as in UTF-16 or in a file "
            f"that is not text. If it is text, {SAVE_AS}."
        )
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not UTF-8: byte {error.start} (0x{content[error.start]:02x}) starts no "
            f"letter. Text in the encoding of a country or a machine is not guessed: {SAVE_AS}."
        ) from None
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def read_json(path: Path) -> Any:
    """Return the value in a JSON file in UTF-8: a dict, list, string, number, bool or None.

    Raises:
        UserError: the file is empty, cut off, in another encoding, not JSON or nested too deeply.
        OSError: the file is missing or cannot be read.
    """
    text = read_text(path)
    if not text.strip():
        raise UserError(f"{path} is empty. Save it anew, or remove the file.")
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise UserError(f"{path} cannot be read as JSON: {error}.") from None


def ending_for(channels: int) -> str:
    """Return the file ending for images of some channels: ".png" for 1 or 3, else ".npy"."""
    return ".png" if channels in (1, 3) else ".npy"


def write_image(
    path: Path, pixels: NDArray[Any], compress_level: int = 1, flush: bool = True
) -> None:
    """Write an image as a PNG file, or as a NumPy array if the path ends in ".npy".

    The file is written by `write_file`: missing folders are made, and an old file is replaced.

    Args:
        path: the file to make or replace; see `ending_for` for its ending.
        pixels: uint8 or uint16; [H,W] or RGB [H,W,3] for PNG; [H,W] or [H,W,C] for ".npy".
        compress_level: zlib's level for PNG files, 0 (fast) to 9 (small).
        flush: sync the file to disk, so that the file also survives a power failure.
    """
    whole, stream = np.ascontiguousarray(pixels), io.BytesIO()
    if path.suffix == ".npy":
        np.save(stream, whole, allow_pickle=False)
    elif whole.ndim == 3 and whole.dtype == np.uint16:  # Pillow cannot write 16-bit RGB
        options = [cv2.IMWRITE_PNG_COMPRESSION, compress_level]
        stream.write(cv2.imencode(".png", whole[..., ::-1], options)[1].tobytes())
    else:
        Image.fromarray(whole).save(stream, format="PNG", compress_level=compress_level)
    write_file(path, lambda aside: aside.write_bytes(stream.getvalue()), flush)

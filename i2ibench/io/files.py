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
    """Write a file completely, or leave the old file unchanged if writing fails.

    Missing folders are made.

    Args:
        path: the file to replace.
        write: writes the contents to the temporary path that it is given.
        flush: sync the file to disk, so that it also survives a power failure.
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
    """Sync a folder to disk, so that a new name in it survives a power failure."""
    with contextlib.suppress(OSError):  # Windows cannot open folders
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8 through `write_file`."""
    # newline="" keeps the line ends of the text on Windows too.
    write_file(path, lambda aside: aside.write_text(text, encoding="utf-8", newline=""))


def is_disk_full(error: BaseException) -> bool:
    """Return whether an error says that the disk, or the user's quota, is full."""
    return isinstance(error, OSError) and error.errno in _DISK_FULL


def make_private_folder(path: Path) -> None:
    """Make a folder that other users cannot read (mode 0700); an existing one keeps its mode."""
    path.mkdir(0o700, parents=True, exist_ok=True)


def write_private(path: Path, content: str | bytes) -> None:
    """Write `content` to a file that other users cannot read (mode 0600)."""
    data = content.encode("utf-8") if isinstance(content, str) else content

    def write(aside: Path) -> None:
        aside.touch(0o600, exist_ok=False)
        aside.write_bytes(data)

    write_file(path, write)


def remove_leftovers(*folders: Path) -> None:
    """Remove temporary files that killed processes left in folders that the caller has locked.

    Files of processes that still run on this machine stay: some commands write a single file into
    a folder that another process has locked.
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
    """Check, before a long computation, that file names are short enough to be written.

    Raises:
        UserError: a name is too long; the message names the file, its length and the limit.
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
    """Return the text of a UTF-8 file, whatever the locale, with "\\n" as line end.

    A byte order mark is dropped.

    Raises:
        UserError: the file is in another encoding; the message names the byte and the way out.
        OSError: the file cannot be read.
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
    """Return the content of a JSON file in UTF-8.

    Raises:
        UserError: the file is empty, cut off, in another encoding or not JSON.
        OSError: the file cannot be read.
    """
    text = read_text(path)
    if not text.strip():
        raise UserError(f"{path} is empty. Save it anew, or remove the file.")
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise UserError(f"{path} cannot be read as JSON: {error}.") from None


def ending_for(channels: int) -> str:
    """Return the file ending for images of a number of channels: ".png" for 1 or 3, else ".npy"."""
    return ".png" if channels in (1, 3) else ".npy"


def write_image(
    path: Path, pixels: NDArray[Any], compress_level: int = 1, flush: bool = True
) -> None:
    """Write an image, uint8 or uint16 [H,W,3] or [H,W], as a PNG file.

    A path that ends in ".npy" becomes a NumPy array, [H,W] or [H,W,C]; see `ending_for`.

    Args:
        path: the file to replace.
        pixels: the image.
        compress_level: zlib's level for PNG files, 0 (fast) to 9 (small).
        flush: see `write_file`.
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

"""Files written whole, by a temporary name beside their own, and text files read as UTF-8."""

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
"""The first bytes of UTF-16 (of UTF-32 as well, where two zero bytes follow or precede them)."""

TEMPORARY_LETTERS = 24
"""How much of a file's name its temporary file has: at most 96 bytes."""

LONGEST_NAME = 255
"""Bytes, on Windows UTF-16 units, that the usual file systems allow in a file's name."""

SAVE_AS = "save it as UTF-8 (in an editor: Save As, Encoding UTF-8)"

_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}  # Windows has no quota's number
_LEFTOVER = re.compile(r"\..+\.(\d+)(-[0-9a-f]+)?\.tmp")
"""The temporary name of a file, with the number of the process that writes it."""


def write_file(path: Path, write: Callable[[Path], object], flush: bool = True) -> None:
    """Make `path` hold what `write` writes to the path it is given, or leave it as it was.

    With `flush=False` that is so if the process is killed, but not if the power fails.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # With the beginning of the file's name only, which may be as long as the file system allows.
    begin = path.name[:TEMPORARY_LETTERS]
    aside = path.with_name(f".{begin}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        write(aside)
        if flush:
            with aside.open("r+b") as written:  # Windows flushes what is open for writing alone
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
    # newline="": a table's own line ends stay as they are on Windows too.
    write_file(path, lambda aside: aside.write_text(text, encoding="utf-8", newline=""))


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
        aside.touch(0o600, exist_ok=False)
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


def require_possible_names(paths: Iterable[Path]) -> None:
    """Refuse, before the work, file names that are too long to be written after it.

    Raises:
        UserError: names the first such file, its length and the limit.
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
    """Return a text file's content: UTF-8 with or without a byte order mark, in every locale.

    Line ends become "\\n".

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
    """Return what a JSON file holds; its text is read by `read_text`.

    Raises:
        UserError: the file is empty, cut off, in another encoding or no JSON.
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
    """Return the ending of the files that hold images of so many channels."""
    return ".png" if channels in (1, 3) else ".npy"


def write_image(
    path: Path, pixels: NDArray[Any], compress_level: int = 1, flush: bool = True
) -> None:
    """Make `path` a PNG of `pixels`, uint8 or uint16 [H,W,3] or [H,W].

    A path that ends in .npy becomes an array of NumPy, of any channels; see `ending_for`.
    """
    whole = np.ascontiguousarray(pixels)
    if path.suffix == ".npy":
        write_file(path, lambda p: p.write_bytes(_array_file(whole)), flush)
    elif whole.ndim == 3 and whole.dtype == np.uint16:  # which Pillow does not write
        options = [cv2.IMWRITE_PNG_COMPRESSION, compress_level]
        _, data = cv2.imencode(".png", whole[..., ::-1], options)
        write_file(path, lambda p: p.write_bytes(data.tobytes()), flush)
    else:
        image = Image.fromarray(whole)
        write_file(
            path, lambda p: image.save(p, format="PNG", compress_level=compress_level), flush
        )


def _array_file(pixels: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, pixels, allow_pickle=False)
    return stream.getvalue()

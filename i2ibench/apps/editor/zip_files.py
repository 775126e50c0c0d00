"""Zip files from strangers, of which a few small entries are read into memory."""

import io
import zipfile
from collections.abc import Mapping

from i2ibench.errors import UserError

MAX_ENTRIES = 64
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Of the other methods Python unpacks a piece at once, however large it becomes."""
_LISTED = b"PK\x01\x02"
"""Begins every entry of a zip's table of contents."""


def read_entries(data: bytes, limits: Mapping[str, int]) -> dict[str, bytes]:
    """Return the named entries of a zip file, those that it has.

    Args:
        data: the zip file.
        limits: by entry's name the most bytes that the unpacked entry may have.

    Raises:
        UserError: it is no zip file, has too many entries, or an entry is too large or packed by an
            unusual method.
    """
    if data.count(_LISTED) > MAX_ENTRIES:
        raise UserError(f"The zip has more than {MAX_ENTRIES} files; a scene has at most 5.")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {
                name: _entry(archive, archive.NameToInfo[name], most)
                for name, most in limits.items()
                if name in archive.NameToInfo
            }
    except UserError:
        raise
    except Exception as error:  # whatever a foreign file makes the decoders raise
        raise UserError(f"This is no zip of a scene: {error}") from None


def _entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int) -> bytes:
    if info.compress_type not in METHODS:
        raise UserError(f"{info.filename} in the zip is not packed by the usual method (deflate).")
    content = b""
    if info.file_size <= most:  # what is stated; it may be a lie
        with archive.open(info) as file:
            content = file.read(most + 1)
    if info.file_size > most or len(content) > most:
        raise UserError(f"{info.filename} in the zip is larger than {most / 2**20:g} MiB.")
    return content

"""Downloads that continue after an interruption and are kept only if their hash is right."""

import http.client
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from i2ibench import __version__
from i2ibench.errors import UserError
from i2ibench.io.folder_locks import lock_target
from i2ibench.io.progress import Progress
from i2ibench.io.provenance import sha256

BLOCK = 2**20
TIMEOUT = 30
"""Seconds without any byte after which a download ends."""

_HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.\w+$")


@dataclass(frozen=True)
class Download:
    """A file of the internet.

    Attributes:
        url: its address.
        megabytes: about its size.
        sha256: the hexadecimal hash, or its beginning; "" for the beginning in the file's name, as
            torch's hub has it (vgg16-397923af.pth).
    """

    url: str
    megabytes: int
    sha256: str = ""

    @property
    def filename(self) -> str:
        """Return the last part of the address."""
        return self.url.rpartition("/")[2]

    def expected(self) -> str:
        """Return the beginning of the hash that the file must have, "" if none is known."""
        found = _HASH_IN_NAME.search(self.filename)
        return self.sha256 or (found[1] if found else "")


def fetch(download: Download, target: Path) -> None:
    """Download a file, check its hash, and then give it its name.

    What has arrived is kept beside the target as `NAME.part`, and the next call continues there.

    Args:
        download: the file; its hash must be known.
        target: the file to write, whose folder is created.

    Raises:
        UserError: the address cannot be reached, the download was cut off (the next call continues
            it), or the hash is wrong (nothing is kept).
    """
    assert download.expected(), download.url
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    with lock_target(target, "downloading", wait=True):
        if target.is_file():
            return
        found = sha256(part) if part.is_file() else ""
        if not found.startswith(download.expected()):
            _receive(download, part)
            found = sha256(part)
        if not found.startswith(download.expected()):
            part.unlink()
            raise UserError(
                f"{download.url} has the SHA-256 {found}, and not {download.expected()}...: it is "
                "damaged or another file. Nothing was kept."
            )
        part.replace(target)


def _receive(download: Download, part: Path) -> None:
    """Append to a part what is missing of the file; begin anew if the server cannot continue."""
    done = part.stat().st_size if part.is_file() else 0
    with _naming_failures(download.url, part), _open(download.url, done) as answer:
        continues = answer.status == http.client.PARTIAL_CONTENT
        begin = done if continues else 0
        length = answer.headers.get("Content-Length")
        total = begin + int(length) if length is not None else None
        megabytes = (total or download.megabytes * 2**20) // 2**20 + 1
        with (
            part.open("ab" if continues else "wb") as file,
            Progress(f"downloading {download.filename}, MiB", megabytes, begin // 2**20) as shown,
        ):
            received = begin
            while block := answer.read(BLOCK):
                file.write(block)
                steps = (received + len(block)) // 2**20 - received // 2**20
                received += len(block)
                shown.advance(steps)
        if total is not None and received < total:
            raise http.client.IncompleteRead(b"", total - received)


def _open(url: str, begin: int) -> Any:
    headers = {"User-Agent": f"i2ibench/{__version__}"}
    if begin:
        headers["Range"] = f"bytes={begin}-"
    try:
        return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if begin and error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            error.close()  # the part is whole, or longer than the file
            return _open(url, 0)
        raise


@contextmanager
def _naming_failures(url: str, part: Path) -> Iterator[None]:
    """Turn the errors of a connection into messages that say what to do."""
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()
        raise UserError(f"{url} answers {error.code} {error.reason}.") from None
    except urllib.error.URLError as error:
        raise UserError(
            f"{url} cannot be reached: {error.reason}. Without internet here, download the file "
            f"elsewhere and copy it to {part.parent}."
        ) from None
    except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
        size = part.stat().st_size / 2**20 if part.is_file() else 0
        raise UserError(
            f"{url} was cut off after {size:.1f} MiB ({type(error).__name__}); the same command "
            "continues."
        ) from None

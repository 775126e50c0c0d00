"""Errors of the store: what participants do, and what the disk does."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from i2ibench.errors import UserError
from i2ibench.io.files import is_disk_full

_DEFECTS = (
    sqlite3.ProgrammingError, sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InternalError,
    sqlite3.NotSupportedError,
)  # fmt: skip
"""Errors of SQLite that this program causes, not the disk."""


class UnknownParticipant(UserError):
    """The token is nobody's: the consent was not given, or the answers were deleted."""


class ContinuedElsewhere(UserError):
    """The participant opened the page again; this window is not the one that counts."""


class StoreFails(UserError):
    """The answers' file cannot be read or written just now; what was asked for did not happen."""


class DiskFull(StoreFails):
    """There is no room for more answers."""


@contextlib.contextmanager
def told_failures(path: Path) -> Iterator[None]:
    """Turn what the disk or another process does to the answers' file into an error that says it.

    Raises:
        StoreFails: the file cannot be read or written.
        DiskFull: there is no room.
    """
    try:
        yield
    except (OSError, sqlite3.DatabaseError) as error:
        if isinstance(error, _DEFECTS):
            raise
        if is_disk_full(error) or "disk is full" in str(error):  # as SQLite says it
            message = f"The disk is full, so {path} takes no answers. Make room on it."
            raise DiskFull(message) from error
        raise StoreFails(f"{path} cannot be used: {error}.") from error

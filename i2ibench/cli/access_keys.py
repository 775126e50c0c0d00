"""Keys to pages, in files that only their owner can read."""

import secrets
from pathlib import Path

from i2ibench.errors import UserError
from i2ibench.io.files import read_text, write_private


def read_key(path: Path, option: str) -> str:
    """Return the key (12 characters or more) in a file; write a random one if there is no file.

    Args:
        path: the file, whose first line is the key.
        option: the option that names the file, for messages.

    Raises:
        UserError: the path is no file in an existing folder, or the key is too short.
    """
    if path.is_dir() or not path.parent.is_dir():
        raise UserError(f"{option} must be a file in an existing folder, not {path}.")
    if not path.exists():
        write_private(path, f"{secrets.token_urlsafe(24)}\n")
        print(f"key: written to {path}")
    key = read_text(path).partition("\n")[0].strip()
    if len(key) < 12:
        raise UserError(f"The key in {path} has {len(key)} characters; it needs at least 12.")
    return key

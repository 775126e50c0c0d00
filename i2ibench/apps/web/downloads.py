"""Names of files that a browser saves."""

import time
import unicodedata
from urllib.parse import quote

LONGEST_NAME = 50
"""Characters of a given name that are kept; with four bytes each, file systems take them."""
_NOT_IN_NAMES = set('<>:"/\\|?*%')


def attachment(name: str, suffix: str, now: float | None = None) -> dict[str, str]:
    """Return the header that lets a browser save an answer as name_DATE_TIME.suffix.

    Args:
        name: any text, such as a scene's name; what file names must not hold becomes an underscore.
        suffix: such as ".zip".
        now: seconds since 1970; None is the present. The name has local time.
    """
    when = time.strftime("%Y-%m-%d_%H%M%S", time.localtime(now))
    whole = f"{_usable(name)}_{when}{suffix}"
    plain = "".join(c if c.isascii() else "_" for c in whole)
    header = f'attachment; filename="{plain}"'
    if plain != whole:
        header += f"; filename*=UTF-8''{quote(whole, safe='')}"  # RFC 5987
    return {"Content-Disposition": header}


def _usable(name: str) -> str:
    """A name that every file system takes, without characters that nobody sees."""
    kept = "".join(
        "_" if c in _NOT_IN_NAMES or unicodedata.category(c)[0] == "C" else c
        for c in unicodedata.normalize("NFC", name)
    )
    return kept.strip(". ")[:LONGEST_NAME].rstrip(". ") or "scene"

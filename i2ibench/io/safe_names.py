"""Names that files bring along: checked once, where they enter, before they become paths."""

from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from i2ibench.errors import UserError

LONGEST = 1000
"""Characters of a name; longer ones are no names."""


def safe_name(name: Any, place: str, folders: bool = True) -> str:
    """Return a name from a file, if joined to a folder it stays below that folder.

    The rules of Linux, macOS and Windows hold on each of them, because files travel.

    Args:
        name: what the file says.
        place: the file and the entry, for the message.
        folders: whether the name may have folders in it, as in "aachen/scene_1".

    Raises:
        UserError: the name is no text, is empty, absolute or has a drive, climbs out with "..",
            or holds a backslash, a control character or half a character.
    """
    fault = _fault(name, folders)
    if fault:
        shown = repr(name) if len(repr(name)) <= 100 else f"{repr(name)[:100]}..."
        raise UserError(
            f"{place}: {shown} {fault}. Nothing was read or written under that name; get the file "
            "anew from a source that you trust, or correct it."
        )
    assert isinstance(name, str)
    return name


def safe_text(text: str, place: str, lines: bool = False) -> str:
    """Return a text from a file, if it can be shown and written to other files.

    Args:
        text: what the file says.
        place: the file and the entry, for the message.
        lines: whether line breaks and tabs may be in it.

    Raises:
        UserError: it holds half a character (a lone surrogate), which no encoding can write, or a
            control character, which could change what a terminal shows.
    """
    shown = repr(text[:100])
    if not _is_whole(text):
        raise UserError(
            f"{place}: {shown} holds half a character (a lone surrogate), which cannot be "
            "written; correct the text."
        )
    kept = text.replace("\n", "").replace("\t", "").replace("\r", "") if lines else text
    if _has_controls(kept):
        raise UserError(f"{place}: {shown} holds a control character; correct the text.")
    return text


def _fault(name: Any, folders: bool) -> str:
    """Return what is wrong with a name, or ""."""
    if not isinstance(name, str):
        return "is no name"
    if not _is_whole(name):
        return "holds half a character (a lone surrogate)"
    if "\\" in name or _has_controls(name):
        return "holds a backslash or a control character, as no name does"
    if len(name) > LONGEST:
        return f"is longer than {LONGEST} characters"
    if PurePosixPath(name).is_absolute() or PureWindowsPath(name).drive:
        return "is an absolute path and no name"
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts):
        return "leaves its folder, or has an empty part"
    return "" if folders or len(parts) == 1 else "has a folder in it"


def _is_whole(text: str) -> bool:
    return not any("\ud800" <= c <= "\udfff" for c in text)


def _has_controls(text: str) -> bool:
    return any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text)

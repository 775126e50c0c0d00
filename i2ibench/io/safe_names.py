"""Checks of names and texts from files that others wrote, before they become paths or output."""

import re
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from i2ibench.errors import UserError

LONGEST = 1000
"""The most characters that a name may have."""


def safe_name(name: Any, place: str, folders: bool = True) -> str:
    """Return a name from a file unchanged, after a check that the name leads to no other folder.

    A safe name, joined to a folder, gives a path below that folder. The rules of Linux, macOS and
    Windows apply on each system, because files are copied between systems.

    Args:
        name: the value from the file, of any type.
        place: the file and the entry, for the error message.
        folders: whether the name may contain folders, as in "aachen/scene_1".

    Raises:
        UserError: the name is not a string, is empty, longer than 1000 characters or absolute, has
            a drive or a part "", "." or "..", holds a backslash, a control character or a lone
            surrogate, or has a folder although `folders` is False.
    """
    fault = _fault(name, folders)
    if fault:
        quoted = repr(name) if len(repr(name)) <= 100 else f"{repr(name)[:100]}..."
        raise UserError(
            f"{place}: {quoted} {fault}. Nothing was read or written under that name; get the file "
            "anew from a source that you trust, or correct it."
        )
    assert isinstance(name, str)
    return name


def safe_text(text: str, place: str, lines: bool = False) -> str:
    """Return a text from a file unchanged, after checking that it can be printed and written.

    Args:
        text: the value from the file.
        place: the file and the entry, for the error message.
        lines: whether the text may contain line breaks and tabs.

    Raises:
        UserError: the text holds a lone surrogate (half a character), which no encoding can write,
            or a control character, which could change the state of a terminal.
    """
    quoted = repr(text[:100])
    if not _is_whole(text):
        raise UserError(
            f"{place}: {quoted} holds half a character (a lone surrogate), which cannot be "
            "written; correct the text."
        )
    if _has_controls(re.sub(r"[\n\t\r]", "", text) if lines else text):
        raise UserError(f"{place}: {quoted} holds a control character; correct the text.")
    return text


def _fault(name: Any, folders: bool) -> str:
    """Return what is wrong with a name, such as "is no name", or "" for an allowed name."""
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

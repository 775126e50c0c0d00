"""Annotation files and the photos that they name: found within the user's folder only."""

import hashlib
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2ibench.data.file_formats import EXTENSIONS
from i2ibench.data.file_search import to_nfc, walk_files
from i2ibench.errors import UserError

FARTHEST = 1e7
"""Pixels from the origin beyond which a coordinate is taken for a mistake."""


def digest_of(paths: Sequence[Path], root: Path) -> str:
    """Return a hash of files' names and contents: another one says that a file was edited."""
    found = hashlib.sha256()
    for path in sorted(paths):
        found.update(f"{path.relative_to(root).as_posix()}\0{path.stat().st_size}\0".encode())
        found.update(path.read_bytes())
    return found.hexdigest()


def files_below(folder: Path, suffixes: Sequence[str]) -> Iterator[Path]:
    """Yield the files with these suffixes at any depth, as `walk_files` finds them."""
    return (path for path in walk_files(folder) if path.suffix.lower() in suffixes)


def photos_below(folder: Path) -> Iterator[Path]:
    """Yield the images at any depth, sorted."""
    return files_below(folder, EXTENSIONS)


def named_photo(name: Any, folders: Sequence[Path], root: Path, place: Path) -> Path | None:
    """Return the photo of a name, of either slash, in the first of several folders; None if absent.

    Args:
        name: as it stands in an annotation file.
        folders: where it may be, the likeliest first.
        root: the user's folder, outside of which nothing is read.
        place: the annotation file, for messages.

    Raises:
        UserError: the name is no relative path to a place within `root`.
    """
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise UserError(f"{place} has no proper name of a photo, but {name!r}.")
    written = PureWindowsPath(name)  # takes both slashes
    inside = []
    if not written.drive and not written.root:
        paths = [Path(os.path.normpath(folder.joinpath(*written.parts))) for folder in folders]
        inside = [path for path in paths if _is_within(path, root)]
    found = next((found for path in inside if (found := _existing(path)) is not None), None)
    if found is None and len(inside) < len(folders):
        raise UserError(
            f"{place} names the photo {name!r}, which lies outside of {root}. Write a name that is "
            "relative to the annotation file, and put the photo there."
        )
    return found


def _is_within(path: Path, root: Path) -> bool:
    """Return whether a path lies within a folder, by its name: links are not resolved."""
    whole = Path(os.path.normpath(Path.cwd() / root))
    return Path(os.path.normpath(Path.cwd() / path)).is_relative_to(whole)


def listed_photo(name: Any, folders: Sequence[Path], root: Path, place: Path) -> Path:
    """Return the photo of a name as `named_photo` does.

    Raises:
        UserError: the name leads out of `root`, or there is no such photo.
    """
    found = named_photo(name, folders, root, place)
    if found is None:
        listing = ", ".join(map(str, folders[:3]))
        raise UserError(f"{place} names the photo {name!r}, which is in none of {listing}.")
    return found


def _existing(path: Path) -> Path | None:
    """Return the file, or the one of the same letters in another Unicode form; None if absent."""
    try:
        if path.is_file():
            return path
        if path.name.isascii() or not path.parent.is_dir():
            return None
    except OSError:  # a name that is too long
        return None
    form = to_nfc(path.name)
    return next((p for p in path.parent.iterdir() if to_nfc(p.name) == form), None)


def points_of(values: Any, place: str) -> NDArray[np.float64]:
    """Return the points (x, y) [N,2] of a list of pairs or of a flat list of numbers.

    Raises:
        UserError: they are something else, infinite, or farther than 10 million pixels away.
    """
    if isinstance(values, list) and values and isinstance(values[0], list):
        pairs = values
    elif isinstance(values, list) and len(values) % 2 == 0:
        pairs = [values[i : i + 2] for i in range(0, len(values), 2)]
    else:
        raise UserError(f"{place} has points that are no pairs of numbers: {str(values)[:60]}.")
    if not all(isinstance(p, list) and len(p) == 2 and all(map(is_coordinate, p)) for p in pairs):
        raise UserError(f"{place} has points that are no pairs of numbers: {str(values)[:60]}.")
    return np.array(pairs, np.float64).reshape(-1, 2)


def is_coordinate(value: Any) -> bool:
    """Return whether a value is a number of pixels."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and abs(value) < FARTHEST


def stated_size(height: Any, width: Any, place: str) -> tuple[int, int] | None:
    """Return the (height, width) that a file states; None where it states none.

    Raises:
        UserError: it states something else.
    """
    if height is None and width is None:
        return None
    whole = [isinstance(v, int) and not isinstance(v, bool) and v > 0 for v in (height, width)]
    if not all(whole):
        raise UserError(f"{place} states the height {height!r} and the width {width!r}.")
    return height, width


def photo_folders(annotations: Path, source: Path, subset: str) -> list[Path]:
    """Return where the photos of an annotation file may be, the likeliest first.

    Args:
        annotations: the file.
        source: the user's folder.
        subset: what the file calls its photos, such as "train2017"; "" for nothing.
    """
    beside = annotations.parent
    folders = [root / images for root in (beside, source) for images in ("images", "")]
    within = [folder / subset for folder in folders] if subset else []
    return list(dict.fromkeys([*within, *folders]))

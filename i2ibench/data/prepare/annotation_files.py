"""Finding annotation files and the photos that they name, and checking the values in them."""

import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath, PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2ibench.data.file_search import to_nfc, walk_files
from i2ibench.errors import UserError

FARTHEST = 1e7
"""The distance from the origin in pixels from which a coordinate is taken for a mistake."""

SPLIT_NAMES = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
"""The split of each folder name in use."""


def files_below(folder: Path, suffixes: Sequence[str]) -> Iterator[Path]:
    """Yield the files with these suffixes at any depth, in the order of `walk_files`."""
    return (path for path in walk_files(folder) if path.suffix.lower() in suffixes)


def find_photo(name: Any, folders: Sequence[Path], root: Path, place: Path) -> Path | None:
    """Return a photo by its name in an annotation file; None if no folder contains the photo.

    Args:
        name: the relative path in the file, with slashes or backslashes.
        folders: in which the photo may be, the likeliest first.
        root: the user's folder; nothing outside of it is read.
        place: the annotation file, for messages.

    Raises:
        UserError: the name is no relative path, or leads out of `root`.
    """
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise UserError(f"{place} has no proper name of a photo, but {name!r}.")
    relative = PureWindowsPath(name)  # accepts both slashes
    inside = []
    if not relative.drive and not relative.root:
        paths = [Path(os.path.normpath(folder.joinpath(*relative.parts))) for folder in folders]
        inside = [path for path in paths if _is_within(path, root)]
    photo = next(filter(None, map(_existing, inside)), None)
    if photo is None and len(inside) < len(folders):
        raise UserError(
            f"{place} names the photo {name!r}, which lies outside of {root}. Write a name that is "
            "relative to the annotation file, and put the photo there."
        )
    return photo


def _is_within(path: Path, root: Path) -> bool:
    """Return whether a path lies within a folder; links are not resolved."""
    whole = Path(os.path.normpath(Path.cwd() / root))
    return Path(os.path.normpath(Path.cwd() / path)).is_relative_to(whole)


def require_photo(name: Any, folders: Sequence[Path], root: Path, place: Path) -> Path:
    """Return a photo by its name in an annotation file, see `find_photo`.

    Raises:
        UserError: the name is no relative path or leads out of `root`, or the photo is missing.
    """
    photo = find_photo(name, folders, root, place)
    if photo is None:
        listing = ", ".join(map(str, folders[:3]))
        raise UserError(f"{place} names the photo {name!r}, which is in none of {listing}.")
    return photo


def _existing(path: Path) -> Path | None:
    """Return a file, or the file of the same name in another Unicode form; None if absent."""
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
    """Return points (x, y) [N,2], given a list of pairs or a flat list of numbers.

    Raises:
        UserError: the list is malformed, or a value is not finite or above 10 million.
    """
    pairs = values if isinstance(values, list) else [None]
    if pairs and not isinstance(pairs[0], list):
        pairs = [pairs[i : i + 2] for i in range(0, len(pairs), 2)]
    if not all(isinstance(p, list) and len(p) == 2 and all(map(is_coordinate, p)) for p in pairs):
        raise UserError(
            f"{place} has points that are no pairs of numbers: {str(values)[:60]}. Correct or "
            "remove the shape."
        )
    return np.array(pairs, np.float64).reshape(-1, 2)


def is_coordinate(value: Any) -> bool:
    """Return whether a value is a finite number of pixels of a likely size."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and abs(value) < FARTHEST


def stated_size(height: Any, width: Any, place: str) -> tuple[int, int] | None:
    """Return the (height, width) stated in a file; None if both values are None.

    Raises:
        UserError: a value is no positive integer.
    """
    if height is None and width is None:
        return None
    whole = [isinstance(v, int) and not isinstance(v, bool) and v > 0 for v in (height, width)]
    if not all(whole):
        raise UserError(
            f"{place} states the height {height!r} and the width {width!r}, which are no positive "
            "integers. Correct or remove them."
        )
    return height, width


def photo_folders(annotations: Path, source: Path, subset: str) -> list[Path]:
    """Return the folders in which the photos of an annotation file may be, the likeliest first.

    Args:
        annotations: the file.
        source: the user's folder.
        subset: the name of the photos' subset, such as "train2017"; "" for none.
    """
    beside = annotations.parent
    folders = [root / images for root in (beside, source) for images in ("images", "")]
    within = [folder / subset for folder in folders] if subset else []
    return list(dict.fromkeys([*within, *folders]))


def split_of(name: str) -> str | None:
    """Return the split that a name such as "valid" or "train2017" stands for, None for no split."""
    return SPLIT_NAMES.get(name.lower().rstrip("0123456789_-"))


def split_and_name(path: PurePath, name: str | None = None) -> tuple[str | None, str]:
    """Return the split that a folder of a file names, or None, and the scene's name without it.

    Args:
        path: of the file, relative to the user's folder.
        name: of the photo in an annotation file, with either slash; None takes `path`.
    """
    split = next(filter(None, map(split_of, path.parts[:-1])), None)
    photo = path if name is None else PureWindowsPath(name)
    folders = [f for f in photo.parts[:-1] if f != ".." and split_of(f) is None]
    return split, "/".join([*folders, photo.stem])

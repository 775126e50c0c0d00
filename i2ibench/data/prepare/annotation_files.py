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
    """Yield the files below a folder, at any depth, that end in one of the suffixes.

    Hidden files and folders are left out. Files come sorted within each folder; links are followed.

    Args:
        folder: the folder to search.
        suffixes: in lower case with the dot, such as ".json". Capitals in a file's name do not
            matter.

    Raises:
        UserError: the target of a link is missing, or a folder cannot be read.
    """
    return (path for path in walk_files(folder) if path.suffix.lower() in suffixes)


def find_photo(name: Any, folders: Sequence[Path], root: Path, place: Path) -> Path | None:
    """Return the path of a photo that an annotation file names; None if no folder holds the photo.

    The photo itself is not opened. A file of the same name in another Unicode form counts too.

    Args:
        name: the relative path in the annotation file, with slashes or backslashes.
        folders: in which the photo may be, the likeliest first.
        root: the user's folder; a path that leads out of it is not looked at.
        place: the annotation file, for messages.

    Raises:
        UserError: the name is empty or no printable text; or no photo is found and the name is
            absolute, or leads out of `root` from one of the folders.
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
    """Return whether a path lies within the folder `root`, with ".." resolved but not links."""
    whole = Path(os.path.normpath(Path.cwd() / root))
    return Path(os.path.normpath(Path.cwd() / path)).is_relative_to(whole)


def require_photo(name: Any, folders: Sequence[Path], root: Path, place: Path) -> Path:
    """Return the path of a photo that an annotation file names, as `find_photo` does.

    Args:
        name: see `find_photo`, as for the other arguments.
        folders: in which the photo may be, the likeliest first.
        root: the user's folder.
        place: the annotation file, for messages.

    Raises:
        UserError: the name is no relative path or leads out of `root`, or no folder holds the
            photo.
    """
    photo = find_photo(name, folders, root, place)
    if photo is None:
        listing = ", ".join(map(str, folders[:3]))
        raise UserError(f"{place} names the photo {name!r}, which is in none of {listing}.")
    return photo


def _existing(path: Path) -> Path | None:
    """Return a file's path as stored on disk; None if there is no such file.

    If the file is absent, a name in the same folder that is equal in Unicode's composed form is
    taken, because systems store letters with accents differently. A name that is too long is
    absent.
    """
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
    """Return the points (x, y) of a shape in an annotation file, float64 [N,2].

    Args:
        values: a list of pairs [[x, y], ...], or a flat list [x, y, x, y, ...]. An empty list gives
            no points.
        place: the file and the shape, for the message.

    Raises:
        UserError: `values` is no such list, or a number is not finite or is 10 million or more.
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
    """Return whether a value is a finite int or float whose absolute value is below 10 million.

    True and False are no numbers here.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and abs(value) < FARTHEST


def stated_size(height: Any, width: Any, place: str) -> tuple[int, int] | None:
    """Return the (height, width) that an annotation file states for a photo; None for none.

    Args:
        height: the value in the file, None if the file has none.
        width: likewise.
        place: the file and the photo, for the message.

    Raises:
        UserError: a value is no positive integer, or only one of the two is None.
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

    They are images/ and the folder itself, first beside the annotation file, then in `source`. With
    a subset, the folders of that name in these four come before the four. Folders may be missing.

    Args:
        annotations: the annotation file.
        source: the user's folder.
        subset: the name of the photos' subset, such as "train2017"; "" for none.
    """
    beside = annotations.parent
    folders = [root / images for root in (beside, source) for images in ("images", "")]
    within = [folder / subset for folder in folders] if subset else []
    return list(dict.fromkeys([*within, *folders]))


def split_of(name: str) -> str | None:
    """Return the split that a name means, "train", "val" or "test"; None for other names.

    The name is that of a folder or subset. Capitals and digits, "_" or "-" at the end do not
    matter: "Valid" is "val", "train2017" "train".
    """
    return SPLIT_NAMES.get(name.lower().rstrip("0123456789_-"))


def split_and_name(path: PurePath, name: str | None = None) -> tuple[str | None, str]:
    """Return the split that one of a file's folders names, or None, and the name of its scene.

    The outermost folder that names a split counts, see `split_of`. The scene's name is the photo's
    path without ".", "..", file ending and folders that name a split, such as "aachen/0001".

    Args:
        path: of the file, relative to the user's folder.
        name: the path of the photo in the annotation file, with slashes or backslashes, from which
            the scene's name is made; None takes `path`.
    """
    split = next(filter(None, map(split_of, path.parts[:-1])), None)
    photo = path if name is None else PureWindowsPath(name)
    folders = [f for f in photo.parts[:-1] if f != ".." and split_of(f) is None]
    return split, "/".join([*folders, photo.stem])

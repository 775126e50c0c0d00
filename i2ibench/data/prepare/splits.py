"""The splits of a data set: the names of their folders, and the choice of validation scenes."""

import hashlib
from collections.abc import Iterable
from pathlib import PurePath, PureWindowsPath

from i2ibench.errors import UserError

_NAMES = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip


def split_of(name: str) -> str | None:
    """Return the split that a name such as "valid" or "train2017" stands for, None for no split."""
    return _NAMES.get(name.lower().rstrip("0123456789_-"))


def chosen_for_validation(names: Iterable[str], share: float, salt: str = "") -> set[str]:
    """Return the names of the validation scenes, at least one, chosen by a hash of each name.

    Adding or removing names changes the choice of few other names.

    Args:
        names: of all scenes.
        share: of the names that is chosen, between 0 and 1.
        salt: is hashed with the names; another salt gives another choice.

    Raises:
        UserError: the share is not between 0 and 1, or there are fewer than two names.
    """
    if not 0 < share < 1:
        raise UserError(f"val_share lies between 0 and 1, not {share!r}.")
    order = sorted(names, key=lambda name: hashlib.sha256((salt + name).encode()).hexdigest())
    if len(order) < 2:
        raise UserError(
            "There are fewer than two photos, and at least one is trained and one validated on. "
            "Add photos."
        )
    return set(order[: min(max(round(share * len(order)), 1), len(order) - 1)])


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

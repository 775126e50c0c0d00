"""Splits: what their folders are called, and dividing scenes that are in none."""

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
    """Return the split that a folder or subset such as "valid" or "train2017" is; None for none."""
    return _NAMES.get(name.lower().rstrip("0123456789_-"))


def chosen_for_validation(names: Iterable[str], share: float, salt: str = "") -> set[str]:
    """Return a share of the names, at least one, chosen by a hash of each name.

    Args:
        names: of the scenes; whether more are added or removed changes the choice of few others.
        share: of the names, between 0 and 1.
        salt: another one gives another choice.

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
    """Return the split that a file's folders name, if any, and its scene's name without it.

    Args:
        path: of the file, below the user's folder.
        name: what an annotation file calls the photo, with either slash; `path` if None.
    """
    split = next((found for folder in path.parts[:-1] if (found := split_of(folder))), None)
    named = path if name is None else PureWindowsPath(name)
    folders = [f for f in named.parts[:-1] if f != ".." and split_of(f) is None]
    return split, "/".join([*folders, named.stem])

"""Cityscapes, which is used as it is published: its files are checked and linked."""

from pathlib import Path

from i2ibench.data.datasets.cityscapes import find_scenes
from i2ibench.errors import UserError
from i2ibench.io.folder_locks import lock_target

FOLDERS = ("gtFine", "leftImg8bit")


def link_cityscapes(source: Path, target: Path) -> dict[str, int]:
    """Link Cityscapes' folders into `target`; return the number of scenes of each split.

    The folders are `source/gtFine` and `source/leftImg8bit`. The links are symbolic; `target` is
    created if it is missing. Links that are there already stay. Nothing is converted, because the
    class `Cityscapes` reads the official layout. The splits "train" and "val" are checked and
    counted.

    Raises:
        UserError: files are missing, `target` holds other files of these names, or no symbolic
            links can be made there.
    """
    counts = {split: len(find_scenes(source, split)) for split in ("train", "val")}
    with lock_target(target, "preparing a data set", wait=True):
        _link(source, target)
    return counts


def _link(source: Path, target: Path) -> None:
    for folder in FOLDERS:
        link, original = target / folder, (source / folder).resolve()
        if link.exists() and link.resolve() == original:
            continue
        if link.exists() or link.is_symlink():
            raise UserError(f"{link} exists and is not {original}. Choose another folder.")
        target.mkdir(parents=True, exist_ok=True)
        try:
            link.symlink_to(original, target_is_directory=True)
        except OSError as error:
            raise UserError(
                f"{link} cannot be linked ({error}); set CITYSCAPES_ROOT={source} instead."
            ) from None

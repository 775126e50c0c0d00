"""The data layout of the released pix2pixHD: `train_label/`, `train_inst/`, `train_img/`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from i2ibench.data.classes import CITYSCAPES_CLASSES, ClassTable, class_table
from i2ibench.data.datasets.paired_folder import (
    counts_objects,
    find_formats,
    read_classes,
    scenes_of,
)
from i2ibench.data.file_search import files_by_name
from i2ibench.data.scenes import SceneFiles, Scenes
from i2ibench.errors import UserError
from i2ibench.io.progress import say
from i2ibench.registry import DATASETS
from i2ibench.registry.contracts import Dataset

NUM_CITYSCAPES = len(CITYSCAPES_CLASSES)

PAIRED = (
    " Files are paired by their names without Cityscapes' endings; the released code pairs them by "
    "their order, which is right only if every folder has the same scenes."
)

ENDINGS = {
    "label": (
        "_gtFine_labelIds", "_gtCoarse_labelIds",
        "_gtFine_labelTrainIds", "_gtCoarse_labelTrainIds",
    ),
    "instance": ("_gtFine_instanceIds", "_gtCoarse_instanceIds"),
    "image": ("_leftImg8bit",),
    "source": (),
}  # fmt: skip
"""What Cityscapes' files end in behind the scene's name, by kind."""

COLOURED = ("_gtFine_color", "_gtCoarse_color")
"""Endings of Cityscapes' files that are no label maps."""


@DATASETS.register_module()
class Pix2PixHDFolder(Dataset):
    """Scenes in the folders that the released pix2pixHD reads, paired by name.

    With labels `SPLIT_label`, `SPLIT_inst` and `SPLIT_img`; with `label_nc=0` images `SPLIT_A`,
    which are translated, and `SPLIT_B`. Files have equal names, or Cityscapes' endings
    (`_gtFine_labelIds`, `_gtFine_instanceIds`, `_leftImg8bit`) behind equal names. The released
    code pairs files by their order instead; what does not pair by name is refused here.

    Args:
        root: the folder that holds the others, the released code's `dataroot`.
        split: train or test, the released code's `phase`.
        label_nc: label classes, whose ids are 0 to label_nc - 1; 0 for images. None counts the
            classes in `classes.json` of the root, or takes Cityscapes' 35 without that file.
        instances: False for data without instance maps, the released code's `no_instance`.
        photos: False for label maps without photos, to translate them.
        transforms: configs of registered transforms.
        seed: for random transforms.
        instance_ids, image_channels, image_depth: see `PairedFolder`.

    Raises:
        UserError: a folder is missing or empty, files have no partner, or `classes.json` does not
            list the classes 0 to label_nc - 1.
    """

    def __init__(  # noqa: PLR0913  the released code's own options
        self,
        root: str,
        split: str = "train",
        label_nc: int | None = None,
        instances: bool = True,
        photos: bool = True,
        transforms: Sequence[Mapping[str, Any]] = (),
        seed: int = 0,
        instance_ids: str = "auto",
        image_channels: int | None = None,
        image_depth: int | None = None,
    ) -> None:
        table = _classes(Path(root), label_nc)
        folders = split_folders(Path(root), split, images=not table.classes)
        for kind, wanted in (("instance", instances), ("image", photos)):
            if not wanted:
                folders.pop(kind, None)
        for kind, folder in folders.items():
            if not folder.is_dir():
                raise UserError(_missing(Path(root), kind, folder))
        files = pair_official(folders)
        self.scenes = Scenes(files, table, transforms, seed)
        self.scenes.folders = list(folders.values())
        self.scenes.counts_objects = counts_objects(instance_ids, files, table)
        self.scenes.guessed_ids = instance_ids == "auto"
        self.scenes.formats = find_formats(files, image_channels, image_depth)
        self.metainfo = table.metainfo("Pix2PixHDFolder", self.scenes.formats)
        self.metainfo["instance_ids"] = "numbers" if self.scenes.counts_objects else "classes"


def numbered_classes(label_nc: int) -> ClassTable:
    """Return the classes of label_nc labels: Cityscapes' for 35, else unnamed ones."""
    if label_nc == NUM_CITYSCAPES:
        return CITYSCAPES_CLASSES
    return class_table([f"class {number}" for number in range(label_nc)])


def read_numbered(folder: Path, label_nc: int | None = None) -> ClassTable:
    """Return the classes in `folder/classes.json` in the order of their ids.

    The released code has no class list: a file's value is the channel itself.

    Raises:
        UserError: the file is unusable, or its ids are not 0 to label_nc - 1.
    """
    found = sorted(read_classes(folder).classes, key=lambda c: c.id)
    expected = list(range(len(found) if label_nc is None else label_nc))
    if [c.id for c in found] != expected:
        ids = ", ".join(str(c.id) for c in found[:5])
        raise UserError(
            f"{folder / 'classes.json'} lists {len(found)} classes with the ids {ids}, ...; the "
            f"released pix2pixHD has {len(expected)} labels, whose ids are 0 to "
            f"{len(expected) - 1}: a file's value is the label's channel. List each of them."
        )
    return ClassTable(tuple(found))


def _classes(root: Path, label_nc: int | None) -> ClassTable:
    if label_nc == 0:
        return ClassTable(())
    if (root / "classes.json").is_file():
        return read_numbered(root, label_nc)
    return numbered_classes(NUM_CITYSCAPES if label_nc is None else label_nc)


def split_folders(root: Path, split: str, images: bool = False) -> dict[str, Path]:
    """Return where the files of a split are by kind; the folders need not exist.

    Args:
        root: the folder that holds the others.
        split: the first part of the folders' names.
        images: those of data without label maps.
    """
    parts = {"source": "A", "image": "B"}
    if not images:
        parts = {"label": "label", "instance": "inst", "image": "img"}
    return {kind: root / f"{split}_{part}" for kind, part in parts.items()}


def pair_official(folders: Mapping[str, Path]) -> list[SceneFiles]:
    """Return the scenes whose files are in the folders, sorted by name.

    Args:
        folders: by kind; all exist. The first kind is what is translated.

    Raises:
        UserError: a folder is empty, or files have no partner (they are named).
    """
    found = {kind: _by_stem(kind, folder) for kind, folder in folders.items()}
    first = next(iter(found))
    if features := _unread_features(folders[first]):
        say(f"{features} is not read: features come from the encoder, not from files.")
    return scenes_of(found, folders, first, PAIRED)


def find_official(input_dir: Path, kind: str) -> dict[str, Path] | None:
    """Return the folders by kind if `input_dir` is in the released layout, else None.

    `input_dir` is the folder that holds `test_label` or its like, or `test_label` itself. Of
    several splits `test` is taken, as the released test.py does.

    Args:
        input_dir: a folder to translate.
        kind: what is translated, label or source.

    Raises:
        UserError: there are several splits and none is called test.
    """
    part = "label" if kind == "label" else "A"
    root, splits = input_dir, [p.name for p in input_dir.glob(f"*_{part}") if p.is_dir()]
    if input_dir.name.endswith(f"_{part}"):
        root, splits = input_dir.parent, [input_dir.name]
    splits = sorted(name.removesuffix(f"_{part}") for name in splits)
    if not splits or (input_dir / kind).is_dir():
        return None
    split = "test" if "test" in splits else splits[0]
    if len(splits) > 1 and split != "test":
        named = ", ".join(str(root / f"{name}_{part}") for name in splits)
        raise UserError(f"{input_dir} has several splits; name one of {named}.")
    if len(splits) > 1:
        say(f"Of the splits {', '.join(splits)} in {root}, test is taken.")
    folders = split_folders(root, split, images=kind != "label")
    there = {kind: folder for kind, folder in folders.items() if folder.is_dir()}
    return there if len(there) > 1 or root == input_dir else None


def _by_stem(kind: str, folder: Path) -> dict[str, Path]:
    """Return the images in a folder by their name without Cityscapes' ending.

    Raises:
        UserError: the folder is empty, two files have one name, or files are in another coding.
    """
    found: dict[str, Path] = {}
    for name, path in files_by_name(folder).items():
        if kind == "label" and name.endswith(COLOURED):
            raise UserError(
                f"{path} holds colours, as its name says; {folder} is to hold one map of "
                "label ids for each scene, such as Cityscapes' *_gtFine_labelIds.png."
            )
        ending = next((e for e in ENDINGS[kind] if name.endswith(e)), "")
        stem = name.removesuffix(ending)
        if stem in found:
            raise UserError(f"{found[stem]} and {path} would be the same scene; remove one.")
        found[stem] = path
    return found


def _unread_features(first: Path) -> Path | None:
    """Return the split's folder of precomputed features, if there is one."""
    features = first.with_name(f"{first.name.rpartition('_')[0]}_feat")
    return features if features.is_dir() else None


def _missing(root: Path, kind: str, folder: Path) -> str:
    without = {"instance": " Data without instance maps takes instances=False.",
               "image": " Label maps without photos take photos=False."}  # fmt: skip
    return (
        f"{folder} does not exist. The released pix2pixHD's layout in {root} is train_label/, "
        "train_inst/ and train_img/, with label_nc=0 train_A/ and train_B/, and the same for test."
        + without.get(kind, "")
    )

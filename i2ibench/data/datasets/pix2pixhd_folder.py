"""The data set Pix2PixHDFolder: the released pix2pixHD's layout, such as `train_label/`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from i2ibench.data.classes import CITYSCAPES_CLASSES, ClassTable, class_table
from i2ibench.data.datasets.paired_folder import infer_metainfo, read_classes, scenes_of
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
"""The ends of Cityscapes' file names behind the scene's name, by kind of data."""

COLOURED = ("_gtFine_color", "_gtCoarse_color")
"""The ends of the names of Cityscapes' colour images, which are not label maps."""


@DATASETS.register_module()
class Pix2PixHDFolder(Dataset):
    """A data set in the folders of the released pix2pixHD, paired by name.

    Data with labels is in `SPLIT_label`, `SPLIT_inst` and `SPLIT_img`. With `label_nc=0` the inputs
    are in `SPLIT_A` and the targets in `SPLIT_B`. Files have equal names, or Cityscapes' endings
    (`_gtFine_labelIds`, `_gtFine_instanceIds`, `_leftImg8bit`) behind equal names. The released
    code pairs files by their order instead. Here files without a partner are an error.

    Args:
        root: the folder that holds the others, `dataroot` in the released code.
        split: train or test, `phase` in the released code.
        label_nc: the number of classes, whose ids are 0 to label_nc - 1; 0 for data without label
            maps. None takes the classes in `classes.json` of the root, or without that file the 35
            classes of Cityscapes.
        instances: False for data without instance maps, `no_instance` in the released code.
        photos: False to read label maps without photos, for translation.
        transforms: configs of registered transforms.
        seed: the seed of random transforms.
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
        self.metainfo = infer_metainfo(
            "Pix2PixHDFolder", self.scenes, folders, instance_ids, image_channels, image_depth
        )


def numbered_classes(label_nc: int) -> ClassTable:
    """Return a table of `label_nc` classes with the ids 0 to label_nc - 1.

    For 35 these are Cityscapes' classes. Otherwise they are called "class 0", "class 1" and so on.
    """
    if label_nc == NUM_CITYSCAPES:
        return CITYSCAPES_CLASSES
    return class_table([f"class {number}" for number in range(label_nc)])


def read_numbered(folder: Path, label_nc: int | None = None) -> ClassTable:
    """Return the classes in `folder/classes.json` in the order of their ids, which begin at 0.

    The released code has no class list: the value in a label file is the channel itself.

    Args:
        folder: the folder of the file.
        label_nc: the expected number of classes; None accepts any number.

    Raises:
        UserError: the file is missing or malformed, or its ids are not 0 to label_nc - 1 (for None:
            to the number of classes - 1).
    """
    classes = sorted(read_classes(folder).classes, key=lambda c: c.id)
    expected = list(range(len(classes) if label_nc is None else label_nc))
    if [c.id for c in classes] != expected:
        ids = ", ".join(str(c.id) for c in classes[:5])
        raise UserError(
            f"{folder / 'classes.json'} lists {len(classes)} classes with the ids {ids}, ...; the "
            f"released pix2pixHD has {len(expected)} labels, whose ids are 0 to "
            f"{len(expected) - 1}: a file's value is the label's channel. List each of them."
        )
    return ClassTable(tuple(classes))


def _classes(root: Path, label_nc: int | None) -> ClassTable:
    if label_nc == 0:
        return ClassTable(())
    if (root / "classes.json").is_file():
        return read_numbered(root, label_nc)
    return numbered_classes(NUM_CITYSCAPES if label_nc is None else label_nc)


def split_folders(root: Path, split: str, images: bool = False) -> dict[str, Path]:
    """Return the folder of each kind of data in pix2pixHD's layout; the folders need not exist.

    Args:
        root: the folder that holds the others.
        split: the first part of the folders' names.
        images: True for data without label maps: "source" is `SPLIT_A` and "image" is `SPLIT_B`.
            False for "label" (`SPLIT_label`), "instance" (`SPLIT_inst`) and "image" (`SPLIT_img`).
    """
    parts = {"source": "A", "image": "B"}
    if not images:
        parts = {"label": "label", "instance": "inst", "image": "img"}
    return {kind: root / f"{split}_{part}" for kind, part in parts.items()}


def pair_official(folders: Mapping[str, Path]) -> list[SceneFiles]:
    """Return the scenes in folders of pix2pixHD's layout, sorted by name; no file is read.

    Files are paired by their names without Cityscapes' endings. If there is a folder `SPLIT_feat`,
    a message on stderr says that it is not used.

    Args:
        folders: the existing folder of each kind of data. The first kind is translated.

    Raises:
        UserError: a folder is empty, two files have one name, a label map holds colours by its
            name, or files have no partner (three are named).
    """
    found = {kind: _by_scene_name(kind, folder) for kind, folder in folders.items()}
    first = next(iter(found))
    features = folders[first].with_name(f"{folders[first].name.rpartition('_')[0]}_feat")
    if features.is_dir():
        say(f"{features} is not read: features come from the encoder, not from files.")
    return scenes_of(found, folders, first, PAIRED)


def find_official(input_dir: Path, kind: str) -> dict[str, Path] | None:
    """Return the existing folders in pix2pixHD's layout by kind of data, or None in another layout.

    Of several splits `test` is taken, as in the released test.py, with a message on stderr. A
    folder with a subfolder named after `kind` has another layout. So does a folder such as
    `test_label` that is given itself and has no other folder of its split beside it.

    Args:
        input_dir: the folder that holds a folder such as `test_label`, or `test_label` itself.
        kind: the kind that is translated, "label" or "source".

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


def _by_scene_name(kind: str, folder: Path) -> dict[str, Path]:
    """Return the images of one kind in a folder by their names without Cityscapes' endings."""
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


def _missing(root: Path, kind: str, folder: Path) -> str:
    without = {"instance": " Data without instance maps takes instances=False.",
               "image": " Label maps without photos take photos=False."}  # fmt: skip
    return (
        f"{folder} does not exist. The released pix2pixHD's layout in {root} is train_label/, "
        "train_inst/ and train_img/, with label_nc=0 train_A/ and train_B/, and the same for test."
        + without.get(kind, "")
    )

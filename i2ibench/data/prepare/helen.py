"""The face parts of Helen (Le et al. 2012; masks of Smith et al. 2013)."""

from functools import partial
from pathlib import Path

import numpy as np

from i2ibench.data.classes import class_table
from i2ibench.data.image_reading import read_map
from i2ibench.data.prepare.dataset_readers import (
    Contents,
    DatasetReader,
    SourceData,
    SourceScene,
    require,
    require_all,
    unpacked,
)
from i2ibench.errors import UserError
from i2ibench.io.files import read_text
from i2ibench.io.safe_names import safe_name

OBTAIN = (
    "Helen's face parts are SmithCVPR2013_dataset_resized.zip of "
    "https://pages.cs.wisc.edu/~lizhang/projects/face-parsing/; unpacked, it holds images/, "
    "labels/, exemplars.txt, tuning.txt and testing.txt."
)
SPLITS = {"train": "exemplars.txt", "val": "tuning.txt", "test": "testing.txt"}
CLASSES = class_table(
    [
        "background", "skin", "left eyebrow", "right eyebrow", "left eye", "right eye", "nose",
        "upper lip", "inner mouth", "lower lip", "hair",
    ]
)  # fmt: skip
"""The parts in the order of the mask files; skin does not include ears and neck."""


def read_helen(source: Path) -> SourceData:
    """Read 2,000 training faces (exemplars), 230 validation faces (tuning) and 100 test faces.

    The faces of Helen have 11 classes and no instances. The splits "train", "val" and "test" hold
    the photos that exemplars.txt, tuning.txt and testing.txt name. The probability of each part is
    an 8-bit PNG, `labels/NAME/NAME_lblNN.png`. When a scene is written, the class of a pixel is the
    argmax over the parts. Photos stay as they are.

    Args:
        source: the unpacked archive, or the folder that holds it.

    Raises:
        UserError: a file is missing, or a list has another format.
    """
    root = unpacked(source, "SmithCVPR2013_dataset_resized")
    splits = {}
    for split, listing in SPLITS.items():
        names = _read_names(require(root / listing, OBTAIN))
        photos = [root / "images" / f"{name}.jpg" for name in names]
        masks = [_masks(root, name) for name in names]
        require_all([*photos, *(path for paths in masks for path in paths)], OBTAIN)
        splits[split] = [
            SourceScene(photo.stem, partial(_read, paths, photo))
            for paths, photo in zip(masks, photos, strict=True)
        ]
    return SourceData(splits, CLASSES)


def _read_names(path: Path) -> list[str]:
    """Return the photos' names in a list with lines "number , name", in the order of the file."""
    names = []
    for line in filter(str.strip, read_text(path).splitlines()):
        _, _, name = line.partition(",")
        if not name.strip() or "," in name:
            raise UserError(f"{path} has the line {line!r}; expected a number and a name. {OBTAIN}")
        names.append(safe_name(name.strip(), str(path), folders=False))
    return names


def _masks(root: Path, name: str) -> list[Path]:
    return [root / "labels" / name / f"{name}_lbl{part:02d}.png" for part in range(len(CLASSES))]


def _read(masks: list[Path], photo: Path) -> Contents:
    parts = [read_map(path) for path in masks]
    shapes = {part.shape for part in parts}
    if len(shapes) > 1 or len(parts[0].shape) != 2:
        raise UserError(f"The masks in {masks[0].parent} differ in size or have colours: {shapes}.")
    return {"label": np.stack(parts).argmax(0).astype(np.uint8), "image": photo}


HELEN = DatasetReader(read_helen, OBTAIN, "configs/pix2pixhd_helen.py")

"""Pairs of images side by side in one file, as pix2pix publishes edges2shoes, facades and maps."""

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from i2ibench.data.file_search import files_by_name
from i2ibench.data.pixel_formats import read_alone
from i2ibench.data.prepare.dataset_readers import (
    Contents,
    DatasetReader,
    SourceData,
    require,
    scenes_of_images,
)
from i2ibench.errors import UserError

OBTAIN = (
    "pix2pix's data sets are archives such as edges2shoes.tar.gz (2 GB) or facades.tar.gz (29 MB) "
    "in http://efrosgans.eecs.berkeley.edu/pix2pix/datasets/; unpacked, they hold train/ and val/ "
    "or test/ with images of two squares side by side."
)
DIRECTIONS = ("AtoB", "BtoA")
SPLITS = ("train", "val", "test")


def read_pairs(source: Path, direction: str = "AtoB") -> SourceData:
    """Read sources and images from the halves of each file; the halves are saved as PNG.

    A file is one scene, which has no label map. It is read and cut when the scene is written. The
    splits are train/, and val/ or test/ or both.

    Args:
        source: the folder that holds train/ and val/ or test/.
        direction: AtoB translates the left half into the right one, BtoA the right into the left.

    Raises:
        UserError: there is no train/, neither val/ nor test/, one of them holds no image, or the
            direction is unknown.
    """
    if direction not in DIRECTIONS:
        raise UserError(f"direction is {' or '.join(DIRECTIONS)}, not {direction!r}.")
    require(source / "train", OBTAIN)
    splits = {}
    for split in SPLITS:
        if (source / split).is_dir():
            read = partial(_read, direction=direction)
            splits[split] = scenes_of_images(files_by_name(source / split), read)
    if len(splits) < 2:
        raise UserError(f"{source} has neither val/ nor test/. {OBTAIN}")
    return SourceData(splits)


def _read(path: Path, direction: str) -> Contents:
    pixels = read_alone(path)
    width = pixels.shape[1]
    if width % 2:
        raise UserError(f"{path} is {width} pixels wide; two halves take an even number. {OBTAIN}")
    left, right = pixels[:, : width // 2], pixels[:, width // 2 :]
    source, image = (left, right) if direction == "AtoB" else (right, left)
    return {"source": _drop_equal_channels(source), "image": image}


def _drop_equal_channels(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return one channel [H,W] if the channels of an image [H,W,C] are equal, else the image.

    The file of one channel takes a third of the disk.
    """
    return pixels[..., 0] if np.ptp(pixels, axis=2).max(initial=0) == 0 else pixels


PAIRS = DatasetReader(read_pairs, OBTAIN, "configs/pix2pixhd_edges2photo.py")

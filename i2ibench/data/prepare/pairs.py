"""Pairs side by side in one image, as pix2pix ships edges2shoes, facades, maps and others."""

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from i2ibench.data.file_search import files_by_name
from i2ibench.data.pixel_formats import read_alone
from i2ibench.data.prepare.raw import Content, PublishedData, RawData, RawScene, require
from i2ibench.errors import UserError

OBTAIN = (
    "pix2pix's data sets are archives such as edges2shoes.tar.gz (2 GB) or facades.tar.gz (29 MB) "
    "in http://efrosgans.eecs.berkeley.edu/pix2pix/datasets/; unpacked, they hold train/ and val/ "
    "or test/ with images of two squares side by side."
)
DIRECTIONS = ("AtoB", "BtoA")
SPLITS = ("train", "val", "test")


def read_pairs(source: Path, direction: str = "AtoB") -> RawData:
    """Sources and photos from the halves of each image; the halves are saved as PNG.

    Args:
        source: the folder that holds train/ and others.
        direction: AtoB translates the left half into the right one, BtoA the right into the left.

    Raises:
        UserError: there are no images to train on, or the direction is unknown.
    """
    if direction not in DIRECTIONS:
        raise UserError(f"direction is {' or '.join(DIRECTIONS)}, not {direction!r}.")
    require(source / "train", OBTAIN)
    splits = {}
    for split in SPLITS:
        if (source / split).is_dir():
            files = files_by_name(source / split).items()
            splits[split] = [
                RawScene(name.replace("/", "_"), partial(_halves, path, direction))
                for name, path in files
            ]
    if len(splits) < 2:
        raise UserError(f"{source} has neither val/ nor test/. {OBTAIN}")
    return RawData(splits)


def _halves(path: Path, direction: str) -> dict[str, Content]:
    picture = read_alone(path)
    width = picture.shape[1]
    if width % 2:
        raise UserError(f"{path} is {width} pixels wide; two halves take an even number. {OBTAIN}")
    left, right = picture[:, : width // 2], picture[:, width // 2 :]
    source, image = (left, right) if direction == "AtoB" else (right, left)
    return {"source": _grey_if_grey(source), "image": image}


def _grey_if_grey(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One channel where all three are equal: edges take a third of the disk."""
    return picture[..., 0] if np.ptp(picture, axis=2).max(initial=0) == 0 else picture


PAIRS = PublishedData(read_pairs, OBTAIN, "configs/pix2pixhd_edges2photo.py")

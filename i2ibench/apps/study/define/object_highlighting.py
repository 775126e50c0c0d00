"""Regions of interest: objects are outlined, and the rest of the image is darkened."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from i2ibench.apps.study.define.definition import Regions
from i2ibench.data.classes import ClassTable
from i2ibench.data.maps import read_ids, read_label
from i2ibench.data.scenes import SceneFiles
from i2ibench.errors import UserError, near_match

Mask = NDArray[np.bool_]


def class_channels(names: Sequence[str], classes: ClassTable, place: Path) -> list[int]:
    """Return the channels of the classes with these names, in the order of the names.

    Args:
        names: names of the classes.
        classes: the classes of the data.
        place: the folder of the data, for the error message.

    Raises:
        UserError: the data have no class of such a name.
    """
    known = {c.name: channel for channel, c in enumerate(classes.classes)}
    for name in names:
        if name not in known:
            raise UserError(
                f"The data in {place} has no class {name!r} to highlight."
                f"{near_match(name, known)} Known: {', '.join(known)}."
            )
    return [known[name] for name in names]


def find_objects(
    files: SceneFiles, channels: Sequence[int], classes: ClassTable, regions: Regions
) -> list[Mask]:
    """Return the objects of a scene that are large enough, one mask [H,W] each.

    The instance map tells objects apart. Without one, the objects are connected components of all
    wanted classes together, so objects that touch are one. The list may be empty.

    Args:
        files: the files of the scene, which are read now.
        channels: channels of the classes whose objects are wanted.
        classes: the table that the scene's label map follows.
        regions: gives the smallest size of an object in pixels.

    Raises:
        UserError: the scene has no label map, or a file is broken.
    """
    if files.label is None:
        raise UserError(f"Scene {files.name!r} has no label map, so nothing can be highlighted.")
    wanted = np.isin(read_label(files.label, classes), channels)
    if files.instance is not None:
        objects: NDArray[Any] = np.where(wanted, read_ids(files.instance).astype(np.int64) + 1, 0)
    else:
        objects = cv2.connectedComponents(wanted.astype(np.uint8))[1]
    numbers, sizes = np.unique(objects, return_counts=True)
    chosen = [n for n, s in zip(numbers, sizes, strict=True) if n and s >= regions.min_pixels]
    return [objects == number for number in chosen]


def highlight(image: NDArray[np.uint8], objects: Sequence[Mask], dim: float) -> NDArray[np.uint8]:
    """Return the image [H,W,3] with a white outline around each object and the rest darkened.

    The outline lies outside the objects, whose own pixels do not change. Its thickness is 1/400 of
    the image's width, and at least one pixel.

    Args:
        image: RGB, uint8.
        objects: masks [H,W], one or more.
        dim: share of the brightness that the rest loses, from 0 to 1.
    """
    thickness = max(1, round(image.shape[1] / 400))
    inside = np.any(objects, axis=0)
    outline = np.zeros_like(inside)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * thickness + 1,) * 2)
    for mask in objects:
        outline |= cv2.dilate(mask.astype(np.uint8), kernel).astype(bool)
    highlighted = np.where(inside[..., None], image, (image * (1 - dim)).astype(np.uint8))
    highlighted[outline & ~inside] = 255
    return highlighted


def resize_mask(mask: Mask, size: Sequence[int]) -> Mask:
    """Return the mask resized to (width, height) by nearest neighbour."""
    resized: Mask = cv2.resize(
        mask.astype(np.uint8), (size[0], size[1]), interpolation=cv2.INTER_NEAREST
    ).astype(bool)
    return resized

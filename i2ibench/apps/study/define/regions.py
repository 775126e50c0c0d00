"""Regions of interest: objects outlined, with the rest of the image darkened."""

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
    """Return the channels of the classes with these names.

    Raises:
        UserError: there is no such class.
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

    They are those of the instance map; without one the connected pieces of the classes.

    Args:
        files: the scene.
        channels: of the classes whose objects are wanted.
        classes: the table that the scene's label map follows.
        regions: says how large an object has to be.

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
    """The image [H,W,3] with a white line around each object and the rest darkened by `dim`.

    The line lies outside of the objects, whose own pixels stay as they are.
    """
    thickness = max(1, round(image.shape[1] / 400))
    inside = np.any(objects, axis=0)
    line = np.zeros_like(inside)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * thickness + 1,) * 2)
    for one in objects:
        line |= cv2.dilate(one.astype(np.uint8), kernel).astype(bool)
    darkened = (image * (1 - dim)).astype(np.uint8)
    shown = np.where(inside[..., None], image, darkened)
    shown[line & ~inside] = 255
    return shown


def resize_mask(mask: Mask, size: Sequence[int]) -> Mask:
    """The mask at (width, height), every pixel from its nearest one."""
    resized: Mask = cv2.resize(
        mask.astype(np.uint8), (size[0], size[1]), interpolation=cv2.INTER_NEAREST
    ).astype(bool)
    return resized

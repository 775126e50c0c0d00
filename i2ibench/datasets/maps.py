"""Label and instance maps: their files, and what is wrong with them."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from i2ibench.datasets.classes import MAX_CLASSES, ClassTable
from i2ibench.datasets.map_errors import ColouredMapError, InexactMapError, UnknownIdError
from i2ibench.datasets.picture_files import read_map


def read_label(path: Path, classes: ClassTable) -> NDArray[np.uint8]:
    """The label map as channels, uint8 [H,W].

    Raises:
        UserError: the file is broken, in colour, or has a value that is no class's id.
    """
    values = read_map(path)
    if values.ndim != 2:
        raise ColouredMapError(
            f"{path} is a colour picture of shape {values.shape}; a label map has one channel of "
            "class ids, which `prepare_data folder` makes of the colours in classes.json."
        )
    table = classes.channel_of_value()
    if values.dtype == np.uint8 and len(classes) < MAX_CLASSES:
        looked_up = cv2.LUT(values, table.astype(np.uint8))  # -1 becomes 255, no class's channel
        if looked_up.max(initial=0) < len(classes):
            return looked_up
    channels = np.where(values <= 255, table[np.minimum(values, 255)], -1)
    if channels.min() < 0:
        _reject_values(path, values, values[channels < 0], classes)
    return channels.astype(np.uint8)


def _reject_values(
    path: Path, values: NDArray[Any], wrong: NDArray[Any], classes: ClassTable
) -> None:
    value, count = (int(x[0]) for x in np.unique(wrong, return_counts=True))
    ids = [c.id for c in classes.classes]
    allowed = f"0..{len(ids) - 1}" if ids == list(range(len(ids))) else str(ids)
    raise UnknownIdError(
        f"{path} has the value {value} at {count} of {values.size} pixels, but the {len(ids)} "
        f"classes have the ids {allowed}. Add a class with that id to the data set's class list "
        "(scored=False if it is void), or repaint the file.",
        value,
    )


def read_instance(path: Path) -> NDArray[np.int32]:
    """The instance map, int32 [H,W], ids of 8- and 16-bit files exactly.

    Raises:
        UserError: see `read_ids`.
    """
    return read_ids(path).astype(np.int32)


def read_ids(path: Path) -> NDArray[Any]:
    """The instance map in the integers of its file, [H,W].

    Raises:
        UserError: the file is broken, in colour, or an 8-bit file that ran out of ids.
    """
    ids = read_map(path)
    if ids.ndim != 2:
        raise ColouredMapError(
            f"{path} is a colour picture; an instance map has one channel of ids."
        )
    if ids.dtype == np.uint8 and len(np.unique(ids)) == 256:
        raise InexactMapError(
            f"{path} uses all 256 ids that 8 bits hold, so instances are probably merged. "
            "Save instance maps as 16-bit PNG."
        )
    return ids

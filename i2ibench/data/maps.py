"""Reading of label and instance maps, and errors that say what is wrong with a map."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from i2ibench.data.classes import MAX_CLASSES, ClassTable
from i2ibench.data.codings import coding_of, looks_like_train_ids, stated_coding
from i2ibench.data.image_reading import InexactMapError, MapPixels, read_map, read_map_pixels
from i2ibench.errors import UserError

LARGEST_ID = 2**31 - 1


class ColouredMapError(UserError):
    """A map holds colours instead of one channel of ids."""


class UnknownIdError(UserError):
    """A label map holds a value that is not the id of a class.

    Attributes:
        value: the smallest such value; None if the error comes from a loader's worker process,
            which passes on only the message.
    """

    def __init__(self, message: str, value: int | None = None) -> None:
        super().__init__(message)
        self.value = value


@dataclass(frozen=True)
class LabelMap:
    """A label map as class channels.

    Attributes:
        channels: class channels, uint8 [H,W].
        coding: the name of the file's coding, see `Coding`; "" for plain class ids.
    """

    channels: NDArray[np.uint8]
    coding: str = ""


def read_label(path: Path, classes: ClassTable) -> NDArray[np.uint8]:
    """Read a label map's file as class channels, uint8 [H,W]; see `read_label_map`.

    Args:
        path: the file.
        classes: the class table; a class's channel is its position there.

    Raises:
        UserError: see `read_label_map`.
    """
    return read_label_map(path, classes).channels


def read_label_map(path: Path, classes: ClassTable) -> LabelMap:
    """Read a label map's file as class channels, with the name of the file's coding.

    Values are converted if the file has another coding than the class table, see `coding_of`.

    Args:
        path: the file, whose name may state a coding.
        classes: the class table; a class's channel is its position there.

    Raises:
        ColouredMapError: the file is a colour image.
        UnknownIdError: a value is not the id of a class.
        InexactMapError: the file's format is lossy, the coding is ambiguous, or a value contradicts
            the coding that the file's name states.
        UserError: the file is missing or broken; all errors above are `UserError`s too.
    """
    return label_map_of(read_map_pixels(path), path, classes)


def label_map_of(pixels: MapPixels, path: Path, classes: ClassTable) -> LabelMap:
    """Convert the pixels of a label map's file to class channels, with the name of their coding.

    Args:
        pixels: the pixels of the file.
        path: the path of the file, whose name may state a coding; it is not read.
        classes: the class table; a class's channel is its position there.

    Raises:
        UserError: see `read_label_map`.
    """
    values = pixels.values
    if values.ndim != 2:
        raise ColouredMapError(
            f"{path} is a colour image of shape {values.shape}; a label map has one channel of "
            "class ids, which `i2ibench prepare_data folder SOURCE TARGET` makes of the colours in "
            "classes.json."
        )
    coding = coding_of(path, pixels, classes)
    table = coding.channels
    if values.dtype == np.uint8 and len(classes) < MAX_CLASSES:
        looked_up = cv2.LUT(values, table[:256].astype(np.uint8))  # -1 becomes 255
        if looked_up.max(initial=0) < len(classes):
            return LabelMap(looked_up, coding.name)
    known = (values >= 0) & (values < len(table))
    channels = np.where(known, table[np.where(known, values, 0)], -1)
    if channels.min(initial=0) < 0:
        _reject_values(path, values, channels < 0, classes)
    return LabelMap(channels.astype(np.uint8), coding.name)


def _reject_values(
    path: Path, values: NDArray[Any], wrong: NDArray[np.bool_], classes: ClassTable
) -> None:
    value = int(values[wrong].min())
    count = int((values == value).sum())
    stated = stated_coding(path, classes)
    if stated is not None:
        raise InexactMapError(
            f"{path} has the value {value} at {count} of {values.size} pixels, which none of "
            f"{stated.name.split(',')[0]} has; its name says that it holds such. Name the file "
            "after what it holds, or repaint it."
        )
    ids = [c.id for c in classes.classes]
    allowed = f"0..{len(ids) - 1}" if ids == list(range(len(ids))) else str(ids)
    advice = (
        "These look like Cityscapes' train ids: give the *_labelIds.png files, or files whose "
        "names end in _labelTrainIds.png, which are converted."
        if looks_like_train_ids(values, classes)
        else "Add a class with that id to the data set's class list (scored=False if it is void), "
        "or repaint the file."
    )
    raise UnknownIdError(
        f"{path} has the value {value} at {count} of {values.size} pixels, but the {len(ids)} "
        f"classes have the ids {allowed}. {advice}",
        value,
    )


def read_instance(path: Path) -> NDArray[np.int32]:
    """Read the ids of an instance map's file as int32 [H,W].

    Raises:
        UserError: see `read_ids`.
    """
    return read_ids(path).astype(np.int32)


def read_ids(path: Path) -> NDArray[Any]:
    """Read the ids of an instance map's file in the integer type of the file, [H,W].

    Raises:
        UserError: the file is missing, broken, in a lossy format or in colour, has ids below 0 or
            above 2^31 - 1, or is an 8-bit file that uses all 256 ids.
    """
    return checked_ids(read_map(path), str(path))


def checked_ids(ids: NDArray[Any], place: str) -> NDArray[Any]:
    """Return the integers of an instance map unchanged, if they are ids, [H,W].

    Args:
        ids: the integers of the map.
        place: the file or argument that holds the map, for messages.

    Raises:
        UserError: the map is in colour, has ids below 0 or above 2^31 - 1, or has 8 bits and all
            256 ids.
    """
    if ids.ndim != 2:
        raise ColouredMapError(
            f"{place} is a colour image; an instance map has one channel of ids."
        )
    if ids.dtype == np.uint8 and np.bincount(ids.ravel(), minlength=256).all():
        raise InexactMapError(
            f"{place} uses all 256 ids that 8 bits hold, so instances are probably merged. "
            "Save instance maps as 16-bit PNG."
        )
    lowest, highest = int(ids.min(initial=0)), int(ids.max(initial=0))
    if lowest < 0 or highest > LARGEST_ID:
        wrong = lowest if lowest < 0 else highest
        raise InexactMapError(
            f"{place} has the instance id {wrong}; ids lie in 0..{LARGEST_ID}. Number the objects "
            "anew and save a 16-bit PNG."
        )
    return ids

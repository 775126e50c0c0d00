"""Codings of ids: label ids or train ids, palettes, and numbers that count objects.

The same integers can stand for different classes or objects. A file's name and contents say which
coding it has; where they do not fit the class table, they are converted or refused.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2ibench.data.classes import ClassTable
from i2ibench.data.image_files import InexactMapError, MapPixels

TRAIN_ID_NAMES = (
    "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign",
    "vegetation", "terrain", "sky", "person", "rider", "car", "truck", "bus", "train",
    "motorcycle", "bicycle",
)  # fmt: skip
"""Cityscapes' 19 scored classes: the position of each is its train id."""

LABEL_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
"""The label id of each class of `TRAIN_ID_NAMES`."""

_TRAIN_IDS = re.compile(r"train[-_ ]?ids?(?![a-z])", re.IGNORECASE)
_LABEL_IDS = re.compile(r"label[-_ ]?ids?(?![a-z])", re.IGNORECASE)
_FOLDER = re.compile(r"(gt(fine|coarse)[-_ ]?)?(label[-_ ]?)?train[-_ ]?ids?", re.IGNORECASE)
"""The whole name of a folder that states train ids."""
_UNLABELED = ("unlabeled", "unlabelled", "void", "ignore", "background")


@dataclass(frozen=True)
class Coding:
    """How the values of a label map stand for classes.

    Attributes:
        name: of the coding, for reports; "" for plain class ids.
        channels: by value the class's channel, int16; -1 where no class has that value.
    """

    name: str
    channels: NDArray[np.int16]


def coding_of(path: Path, pixels: MapPixels, classes: ClassTable) -> Coding:
    """Return how a label map's values stand for the classes.

    Raises:
        InexactMapError: the values can be read in two ways that differ.
    """
    stated = stated_coding(path, classes)
    if stated is not None:
        return stated
    ids = Coding("", classes.channel_of_value())
    if pixels.bits == 1 and ids.channels[1] < 0 <= ids.channels[255] and pixels.palette is None:
        if pixels.white_is_zero:
            raise InexactMapError(
                f"{path} is a mask of 1 bit whose 0 is shown white and whose 1 is shown black: "
                "which of them is 255 cannot be told. Save it as a PNG of 8 bits with the values "
                "0 and 255."
            )
        ids.channels[1] = ids.channels[255]  # the mask that programs show as 0 and 255
        return Coding("masks of 1 bit, 1 read as 255", ids.channels)
    if pixels.palette is None and not pixels.from_colour:
        if pixels.white_is_zero:
            return Coding("samples of files whose 0 is shown white, read as they are", ids.channels)
        return ids
    return _palette_coding(path, pixels, classes, ids)


def stated_coding(path: Path, classes: ClassTable) -> Coding | None:
    """Return the coding that a file's name states, if it is another one than the class table's.

    Cityscapes' `*_labelTrainIds.png` hold 0..18 and 255 for the classes whose label ids are 7..33.
    """
    train, label = name_states_train_ids(path), _LABEL_IDS.search(path.name)
    if not train and not label:
        return None
    channel = {c.name: k for k, c in enumerate(classes.classes)}
    if not set(TRAIN_ID_NAMES) <= channel.keys():
        return None
    own = tuple(classes.classes[channel[name]].id for name in TRAIN_ID_NAMES)
    void = next((channel[name] for name in _UNLABELED if name in channel), -1)
    if train:
        if own == tuple(range(len(TRAIN_ID_NAMES))):
            return None
        table = np.full(256, -1, np.int16)
        table[: len(TRAIN_ID_NAMES)] = [channel[name] for name in TRAIN_ID_NAMES]
        table[255] = void
        return Coding("Cityscapes train ids, converted by class name", table)
    if label and own == tuple(range(len(TRAIN_ID_NAMES))):
        table = np.full(256, -1, np.int16)
        table[:34] = void
        table[list(LABEL_IDS)] = [channel[name] for name in TRAIN_ID_NAMES]
        return Coding("Cityscapes label ids, converted by class name", table)
    return None


def name_states_train_ids(path: Path) -> bool:
    """Return whether a file's name states train ids, or that of one of the two folders around."""
    if _TRAIN_IDS.search(path.name):
        return True
    folders = (path.parent.name, path.parent.parent.name)
    return not _LABEL_IDS.search(path.name) and any(map(_FOLDER.fullmatch, folders))


def coding_suffix(path: Path) -> str:
    """Return what of a file's name states its coding, for a new name that has to keep it."""
    if name_states_train_ids(path):
        return "-trainIds"
    return "-labelIds" if _LABEL_IDS.search(path.name) else ""


def looks_like_train_ids(values: NDArray[Any], classes: ClassTable) -> bool:
    """Return whether values that include some of no class are those of Cityscapes' train ids."""
    names = {c.name for c in classes.classes}
    present = set(np.unique(values).tolist())
    return set(TRAIN_ID_NAMES) <= names and present <= {*range(19), 255} and 255 in present


def _palette_coding(path: Path, pixels: MapPixels, classes: ClassTable, ids: Coding) -> Coding:
    """Return whether a palette's (or grey colour image's) values or its colours say the class."""
    used = np.unique(pixels.values)
    if used.min(initial=0) < 0 or used.max(initial=0) >= len(ids.channels):
        return ids
    by_value = ids.channels[used]
    colours = _colours_of(used, pixels)
    of_colour: dict[tuple[int, ...], int] = {
        c.colour: channel for channel, c in enumerate(classes.classes)
    }
    by_colour = np.array([of_colour.get(colour, -1) for colour in colours], np.int16)
    distinct = len(of_colour) == len(classes)
    name = "palette" if pixels.palette is not None else "grey in three channels"
    if not distinct or by_colour.min(initial=0) < 0 or (by_colour == by_value).all():
        return Coding(f"{name}, read by value", ids.channels)
    table = np.full(len(ids.channels), -1, np.int16)
    table[used] = by_colour
    if by_value.min(initial=0) < 0:
        return Coding(f"{name}, read by colour", table)
    at = int(np.flatnonzero(by_colour != by_value)[0])
    first, second = (classes.classes[int(c[at])].name for c in (by_value, by_colour))
    raise InexactMapError(
        f"{path} can be read in two ways: its value {int(used[at])} is the id of {first!r}, and "
        f"its colour {list(colours[at])} is that of {second!r}. Save ids as a grey PNG of one "
        "channel, or colours as RGB for `i2ibench prepare_data folder SOURCE TARGET`."
    )


def _colours_of(used: NDArray[Any], pixels: MapPixels) -> list[tuple[int, ...]]:
    if pixels.palette is None:
        return [(int(v), int(v), int(v)) for v in used]
    beyond = (-1, -1, -1)  # an index that the palette does not have
    palette = [tuple(int(x) for x in colour) for colour in pixels.palette]
    return [palette[int(v)] if v < len(palette) else beyond for v in used]


def numbers_objects(label: NDArray[np.uint8], ids: NDArray[Any], classes: ClassTable) -> bool:
    """Return whether an instance map shows that it counts objects, from 1 on or in any order.

    In Cityscapes' coding an id below 256 is a class's own: such a pixel belongs to no single
    object. Where a thing has an id below 256 that is not its class's, ids merely count.

    Args:
        label: channels [H,W].
        ids: [H,W].
        classes: the table, which says what is a thing.
    """
    for channel, semantic_class in enumerate(classes.classes):
        if semantic_class.thing:
            found = ids[label == channel]
            if ((found > 0) & (found < 256) & (found != semantic_class.id)).any():
                return True
    return False


def require_class_ids(
    path: Path, label: NDArray[np.uint8], ids: NDArray[Any], classes: ClassTable
) -> None:
    """Refuse an instance map that counts objects where others seemed to follow the classes.

    Args:
        path: of the instance map.
        label: channels [H,W].
        ids: [H,W].
        classes: the table, which says what is a thing.

    Raises:
        InexactMapError: names the file and how the coding is said.
    """
    if label.shape == ids.shape and numbers_objects(label, ids, classes):
        raise InexactMapError(
            f"{path} numbers objects (a thing has an id below 256 that is not its class's), which "
            "other instance maps of the data set do not show. Say what ids are in the data set's "
            'config: instance_ids="numbers" if they only number objects, or "classes" if a '
            "class's own id means no object."
        )


def separate_objects(
    label: NDArray[np.uint8], ids: NDArray[np.int32], classes: ClassTable
) -> NDArray[np.int32]:
    """Return counted ids in which no object of a thing has its class's own id.

    Such an object gets a number above all others, so that scores and styles see it as an object.

    Args:
        label: channels [H,W].
        ids: int32 [H,W], numbers of objects; copied where they change.
        classes: the table, which says what is a thing.
    """
    free = 0
    for channel, semantic_class in enumerate(classes.classes):
        if not semantic_class.thing:
            continue
        taken = (ids == semantic_class.id) & (label == channel)
        if taken.any():
            free = free or max(int(ids.max()), 255)
            free += 1
            ids = np.where(taken, np.int32(free), ids)
    return ids

"""Codings of label and instance maps: label ids or train ids, palettes, numbered objects.

The same integer can mean different classes or objects in different files. The coding is found from
the file's name and contents. Values in another coding than the class table's are converted, or an
error is raised.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2ibench.data.classes import CITYSCAPES_CLASSES, ClassTable
from i2ibench.data.image_reading import InexactMapError, MapPixels

TRAIN_ID_NAMES = tuple(c.name for c in CITYSCAPES_CLASSES.classes if c.scored)
"""The names of Cityscapes' 19 scored classes; the position of a name is its train id."""

LABEL_IDS = tuple(c.id for c in CITYSCAPES_CLASSES.classes if c.scored)
"""The label id of each class of `TRAIN_ID_NAMES`."""

_TRAIN_IDS = re.compile(r"train[-_ ]?ids?(?![a-z])", re.IGNORECASE)
_LABEL_IDS = re.compile(r"label[-_ ]?ids?(?![a-z])", re.IGNORECASE)
_FOLDER = re.compile(r"(gt(fine|coarse)[-_ ]?)?(label[-_ ]?)?train[-_ ]?ids?", re.IGNORECASE)
"""Names of folders whose label maps hold train ids."""
_UNLABELED = ("unlabeled", "unlabelled", "void", "ignore", "background")


@dataclass(frozen=True)
class Coding:
    """A mapping from the values of a label map to class channels.

    Attributes:
        name: the name of the coding in reports; "" for plain class ids.
        channels: int16, the class channel of each value; -1 for values of no class.
    """

    name: str
    channels: NDArray[np.int16]


def coding_of(path: Path, pixels: MapPixels, classes: ClassTable) -> Coding:
    """Return the coding of a label map's file: which class each value of the file means.

    A coding that the file's name states comes first, see `stated_coding`. Otherwise the values are
    class ids, with two exceptions. In a 1-bit file without a palette, 1 means 255 if 255 is a class
    id and 1 is not. In a file with a palette or three equal channels, the colours may be class
    colours.

    Args:
        path: the path of the file; only its name and folders are looked at.
        pixels: the pixels of the file.
        classes: the class table.

    Raises:
        InexactMapError: the values can be read in two ways that give different classes.
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
        ids.channels[1] = ids.channels[255]  # programs show a 1-bit mask as 0 and 255
        return Coding("masks of 1 bit, 1 read as 255", ids.channels)
    if pixels.palette is None and not pixels.from_colour:
        if pixels.white_is_zero:
            return Coding("samples of files whose 0 is shown white, read as they are", ids.channels)
        return ids
    return _palette_coding(path, pixels, classes, ids)


def stated_coding(path: Path, classes: ClassTable) -> Coding | None:
    """Return the conversion of a label map whose name states another coding than the classes have.

    Names state Cityscapes' train ids (see `name_states_train_ids`) or its label ids ("labelIds").
    For example, `*_labelTrainIds.png` hold 0..18 and 255 for the classes whose label ids are 7..33.
    Values are converted by class name. The train id 255 and the label ids of classes that are not
    scored become the class called unlabeled, void, ignore or background, or -1 without such a
    class.

    Return None if nothing is converted: the name states no coding, the class table has that coding,
    or the table lacks one of Cityscapes' 19 scored names.

    Args:
        path: the path of the file, which is not read.
        classes: the class table.
    """
    train = name_states_train_ids(path)
    channel = {c.name: k for k, c in enumerate(classes.classes)}
    if not set(TRAIN_ID_NAMES) <= channel.keys() or not (train or _LABEL_IDS.search(path.name)):
        return None
    channels = [channel[name] for name in TRAIN_ID_NAMES]
    has_train_ids = [classes.classes[k].id for k in channels] == list(range(len(channels)))
    if train == has_train_ids:
        return None
    table = np.full(256, -1, np.int16)
    void = next((channel[name] for name in _UNLABELED if name in channel), -1)
    if train:
        table[: len(channels)], table[255] = channels, void
    else:
        table[:34] = void
        table[list(LABEL_IDS)] = channels
    return Coding(f"Cityscapes {'train' if train else 'label'} ids, converted by class name", table)


def name_states_train_ids(path: Path) -> bool:
    """Return whether the path of a label map says that the file holds Cityscapes' train ids.

    The file's name counts first: True if it contains trainIds, False if it contains labelIds
    instead. Otherwise the result is True if the parent folder, or the folder above it, is called
    trainIds, with or without gtFine, gtCoarse or label before it. The case of letters does not
    matter; train-ids and train_id are accepted too. The file is not read.
    """
    if _TRAIN_IDS.search(path.name):
        return True
    folders = (path.parent.name, path.parent.parent.name)
    return not _LABEL_IDS.search(path.name) and any(map(_FOLDER.fullmatch, folders))


def coding_suffix(path: Path) -> str:
    """Return "-trainIds", "-labelIds" or "", the coding that a label map's copy must state.

    "" means that the path states no coding. Train ids may also be stated by a folder, see
    `name_states_train_ids`. The file is not read.
    """
    if name_states_train_ids(path):
        return "-trainIds"
    return "-labelIds" if _LABEL_IDS.search(path.name) else ""


def looks_like_train_ids(values: NDArray[Any], classes: ClassTable) -> bool:
    """Return whether a label map with values of no class looks like Cityscapes' train ids.

    The result is True if all values are in 0..18 or 255, 255 occurs, and the class table has the
    names of Cityscapes' 19 scored classes.
    """
    names = {c.name for c in classes.classes}
    present = set(np.unique(values).tolist())
    return set(TRAIN_ID_NAMES) <= names and present <= {*range(19), 255} and 255 in present


def _palette_coding(path: Path, pixels: MapPixels, classes: ClassTable, ids: Coding) -> Coding:
    """Return the coding of a palette file, or of a file with three equal colour channels.

    The values are read as class ids, unless every colour in the file is a class's colour and names
    other classes than the values do. If then some value is not a class id, the file is read by
    colour. Files are never read by colour if two classes share a colour.
    """
    used = np.unique(pixels.values)
    if used.min(initial=0) < 0 or used.max(initial=0) >= len(ids.channels):
        return ids
    by_value = ids.channels[used]
    colours = _colours_of(used, pixels)
    channel: dict[tuple[int, ...], int] = {c.colour: k for k, c in enumerate(classes.classes)}
    by_colour = np.array([channel.get(colour, -1) for colour in colours], np.int16)
    distinct = len(channel) == len(classes)
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
    palette = [tuple(colour) for colour in pixels.palette.tolist()]
    return [palette[v] if v < len(palette) else (-1, -1, -1) for v in used.tolist()]


def numbers_objects(label: NDArray[np.uint8], ids: NDArray[Any], classes: ClassTable) -> bool:
    """Return whether an instance map numbers its objects instead of following Cityscapes' coding.

    In Cityscapes' coding an id below 256 is a class's own id, and the pixel belongs to no single
    object. The result is True if a pixel of a thing has an id in 1..255 that is not its class's id.

    Args:
        label: class channels [H,W].
        ids: instance ids [H,W].
        classes: the class table.
    """
    for channel, semantic_class in enumerate(classes.classes):
        if semantic_class.thing:
            values = ids[label == channel]
            if ((values > 0) & (values < 256) & (values != semantic_class.id)).any():
                return True
    return False


def require_class_ids(
    path: Path, label: NDArray[np.uint8], ids: NDArray[Any], classes: ClassTable
) -> None:
    """Check that an instance map follows Cityscapes' coding, see `numbers_objects`.

    Maps whose shapes differ pass: `check_sizes` reports them.

    Args:
        path: the file of the instance map, for the error message.
        label: class channels [H,W].
        ids: instance ids [H,W].
        classes: the class table.

    Raises:
        InexactMapError: the map numbers objects; the message names the option that says so.
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
    """Return an instance map in which no object of a thing has its class's own id, int32 [H,W].

    Such an object gets a new id above all ids of the map and above 255; other pixels keep their
    ids. Otherwise scores and styles would take its pixels for pixels without an object.

    Args:
        label: class channels [H,W].
        ids: instance ids that number objects, int32 [H,W]; never changed in place.
        classes: the class table.
    """
    largest = 0
    for channel, semantic_class in enumerate(classes.classes):
        if not semantic_class.thing:
            continue
        has_class_id = (ids == semantic_class.id) & (label == channel)
        if has_class_id.any():
            largest = (largest or max(int(ids.max()), 255)) + 1
            ids = np.where(has_class_id, np.int32(largest), ids)
    return ids

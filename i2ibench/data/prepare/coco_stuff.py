"""COCO-Stuff (Caesar et al. 2018, https://github.com/nightrome/cocostuff), without instances."""

import re
from functools import partial
from pathlib import Path

from i2ibench.data.classes import ClassTable, class_table
from i2ibench.data.prepare.coco import PHOTOS, SPLITS, photo_folder
from i2ibench.data.prepare.raw import (
    Content,
    PublishedData,
    RawData,
    RawScene,
    require,
    require_all,
)
from i2ibench.errors import UserError
from i2ibench.io.files import read_text

OBTAIN = (
    "COCO-Stuff is stuffthingmaps_trainval2017.zip (659 MB) and labels.txt of "
    "https://github.com/nightrome/cocostuff#downloads, the former unpacked into stuffthingmaps/ "
    f"or annotations/. {PHOTOS}"
)
UNLABELLED = 255
LAST_THING = 91


def read_coco_stuff(source: Path) -> RawData:
    """118,287 training and 5,000 validation scenes of 182 classes, label maps only.

    The publisher's 8-bit PNGs hold the class's number in labels.txt less one, and 255 for void.
    Eleven of the classes occur in no file.

    Args:
        source: the folder that holds the maps, labels.txt and the photos.

    Raises:
        UserError: files are missing, or the class list is another.
    """
    classes = read_labels(require(source / "labels.txt", OBTAIN))
    named = source / "annotations"
    maps = named if (named / "train2017").is_dir() else source / "stuffthingmaps"
    splits = {}
    for split, folder in SPLITS.items():
        # mmsegmentation leaves its own maps beside the publisher's.
        found = require(maps / folder, OBTAIN).glob("*.png")
        labels = sorted(path for path in found if "_" not in path.stem)
        photos = [photo_folder(source, folder, OBTAIN) / f"{path.stem}.jpg" for path in labels]
        require_all(photos, OBTAIN)
        pairs = zip(labels, photos, strict=True)
        splits[split] = [RawScene(p.stem, partial(_pair, label, p)) for label, p in pairs]
    return RawData(splits, classes)


def read_labels(path: Path) -> ClassTable:
    """The classes of labels.txt, whose lines are "number: name", 0 being the unlabelled one.

    Raises:
        UserError: a line is something else.
    """
    entries = []
    for line in filter(str.strip, read_text(path).splitlines()):
        match = re.fullmatch(r"\s*(\d+)\s*:\s*(.+?)\s*", line)
        if match is None:
            raise UserError(f"{path} has the line {line!r}; expected 'number: name'. {OBTAIN}")
        number, name = int(match[1]), match[2]
        if number == 0:
            entries.append({"name": name, "id": UNLABELLED, "colour": [0] * 3, "scored": False})
        else:
            entries.append({"name": name, "id": number - 1, "thing": number <= LAST_THING})
    return class_table(entries)


def _pair(label: Path, photo: Path) -> dict[str, Content]:
    return {"label": label, "image": photo}


COCO_STUFF = PublishedData(read_coco_stuff, OBTAIN, "configs/pix2pixhd_coco_stuff.py")

"""ADE20K as first published (release of 2016-07-26), at full size and with instances."""

import csv
import io
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from i2ibench.data.classes import ClassTable
from i2ibench.data.image_files import read_rgb
from i2ibench.data.prepare.ade20k import SPLITS, ade_classes
from i2ibench.data.prepare.raw import (
    Content,
    PublishedData,
    RawData,
    RawScene,
    number_instances,
    require,
    require_all,
    things_of,
    unpacked,
)
from i2ibench.errors import UserError
from i2ibench.io.files import read_text

OBTAIN = (
    "The full ADE20K is ADE20K_2016_07_26.zip (3.8 GB) of "
    "https://groups.csail.mit.edu/vision/datasets/ADE20K/. Beside its images/ folder belong "
    "mapFromADE.txt of https://github.com/CSAILVision/sceneparsing/tree/master/convertFromADE, "
    "which maps its 3,148 names to the 150 classes, and object150_info.csv of "
    "https://github.com/CSAILVision/semantic-segmentation-pytorch/tree/master/data, which says "
    "which of these are stuff."
)


def read_ade20k_full(source: Path) -> RawData:
    """The photos at full size, the 150 classes of the benchmark and every object's instance.

    In `*_seg.png` the class is R / 10 * 256 + G, an index into the release's 3,148 names, and B
    tells instances apart. A label map has at most 256 classes, so the benchmark's own mapping
    applies; all that it leaves out is void.

    Args:
        source: the unpacked archive, with the two lists beside `images/`.

    Raises:
        UserError: files are missing or malformed.
    """
    root = unpacked(source, "ADE20K_2016_07_26")
    if (root / "images" / "ADE").is_dir():
        raise UserError(f"{root} is the release of 2021, whose class indices differ. {OBTAIN}")
    lists = [folder for folder in (root, source) if (folder / "mapFromADE.txt").is_file()] or [root]
    classes = read_csv(require(lists[0] / "object150_info.csv", OBTAIN))
    table = read_mapping(require(lists[0] / "mapFromADE.txt", OBTAIN), classes)
    splits = {}
    for split, folder in SPLITS.items():
        maps = sorted(require(root / "images" / folder, OBTAIN).rglob("*_seg.png"))
        photos = [path.with_name(path.name.removesuffix("_seg.png") + ".jpg") for path in maps]
        require_all(photos, OBTAIN)
        read = partial(_read, table=table, things=things_of(classes))
        pairs = zip(maps, photos, strict=True)
        splits[split] = [RawScene(p.stem, partial(read, path, p)) for path, p in pairs]
    return RawData(splits, classes)


def read_csv(path: Path) -> ClassTable:
    """The table of object150_info.csv: Idx, Ratio, Train, Val, Stuff (1 or 0) and Name.

    Raises:
        UserError: it is another file.
    """
    rows: list[Mapping[str, str]] = list(csv.DictReader(io.StringIO(read_text(path))))
    if not rows or not {"Idx", "Stuff", "Name"} <= rows[0].keys():
        raise UserError(f"{path} has no columns Idx, Stuff and Name. {OBTAIN}")
    things = frozenset(int(row["Idx"]) for row in rows if row["Stuff"].strip() == "0")
    return ade_classes({int(row["Idx"]): row["Name"] for row in rows}, things)


def read_mapping(path: Path, classes: ClassTable) -> NDArray[np.uint8]:
    """By index into the release's names the benchmark's class, [65536]; 0 where it has none.

    Raises:
        UserError: a line is not two integers, a known class and an index.
    """
    known = {c.id for c in classes.classes}
    table = np.zeros(2**16, np.uint8)
    for line in filter(str.strip, read_text(path).splitlines()):
        numbers = [int(word) for word in line.split() if word.isdigit()]
        if len(numbers) != 2 or numbers[0] not in known or numbers[1] >= len(table):
            raise UserError(
                f"{path} has the line {line!r}; expected a class and an index. {OBTAIN}"
            )
        table[numbers[1]] = numbers[0]
    return table


def _read(
    path: Path, photo: Path, table: NDArray[np.uint8], things: NDArray[np.bool_]
) -> dict[str, Content]:
    red, green, blue = read_rgb(path).astype(np.int64).transpose(2, 0, 1)
    index = red // 10 * 256 + green
    label = table[index]
    instance = number_instances(label, index * 256 + blue + 1, things)
    return {"label": label, "instance": instance, "image": photo}


ADE20K_FULL = PublishedData(read_ade20k_full, OBTAIN, "configs/pix2pixhd_ade20k_instances.py")

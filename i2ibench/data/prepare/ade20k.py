"""ADE20K (Zhou et al. 2017): its scene parsing benchmark, and its first full release."""

import csv
import io
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from i2ibench.data.classes import ClassTable, class_table
from i2ibench.data.image_reading import read_rgb
from i2ibench.data.prepare.dataset_readers import (
    Contents,
    DatasetReader,
    SourceData,
    number_instances,
    require,
    scenes_of_pairs,
    things_of,
    unpacked,
    use_as_published,
)
from i2ibench.errors import UserError
from i2ibench.io.files import read_text

OBTAIN = (
    "ADE20K's scene parsing benchmark is one archive of 967 MB, "
    "http://data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016.zip; unpacked, it holds "
    "images/, annotations/ and objectInfo150.txt."
)
OBTAIN_FULL = (
    "The full ADE20K is ADE20K_2016_07_26.zip (3.8 GB) of "
    "https://groups.csail.mit.edu/vision/datasets/ADE20K/. Beside its images/ folder belong "
    "mapFromADE.txt of https://github.com/CSAILVision/sceneparsing/tree/master/convertFromADE, "
    "which maps its 3,148 names to the 150 classes, and object150_info.csv of "
    "https://github.com/CSAILVision/semantic-segmentation-pytorch/tree/master/data, which says "
    "which of these are stuff."
)
SPLITS = {"train": "training", "val": "validation"}


def read_ade20k(source: Path) -> SourceData:
    """Read 20,210 training and 2,000 validation scenes of 150 classes, without instances.

    They are ADE20K's scene parsing benchmark. The split "train" has one scene for each PNG in
    annotations/training, "val" for each in annotations/validation; the numbers are those of a
    complete download and are not checked. A scene's label map and photo are the publisher's files,
    unchanged; only objectInfo150.txt is read now. In a label map 1..150 are the classes of
    objectInfo150.txt. 0 is everything else: the class "other", which no score counts.

    Args:
        source: the unpacked archive ADEChallengeData2016, or the folder that holds it.

    Raises:
        UserError: a file is missing, or objectInfo150.txt lacks the columns Idx and Name.
    """
    root = unpacked(source, "ADEChallengeData2016")
    classes = _read_object_info(require(root / "objectInfo150.txt", OBTAIN))
    splits = {}
    for split, folder in SPLITS.items():
        labels = sorted(require(root / "annotations" / folder, OBTAIN).glob("*.png"))
        photos = [root / "images" / folder / f"{label.stem}.jpg" for label in labels]
        splits[split] = scenes_of_pairs(labels, photos, OBTAIN, use_as_published)
    return SourceData(splits, classes)


def _read_object_info(path: Path) -> ClassTable:
    rows = [line.split("\t") for line in read_text(path).splitlines()]
    heads = [head.strip() for head in rows[0]] if rows else []
    if not {"Idx", "Name"} <= set(heads):
        raise UserError(f"{path} has no columns Idx and Name, separated by tabs. {OBTAIN}")
    idx, name = heads.index("Idx"), heads.index("Name")
    return _class_table({int(row[idx]): row[name] for row in rows[1:] if len(row) == len(heads)})


def _class_table(names: dict[int, str], things: frozenset[int] = frozenset()) -> ClassTable:
    """Return the table of the named classes and of "other", which has id 0 and is not scored."""
    firsts = {i: synonyms.replace(";", ",").split(",")[0].strip() for i, synonyms in names.items()}
    taken = list(firsts.values())
    entries = [
        {"name": f if taken.count(f) == 1 else names[i].strip(), "id": i, "thing": i in things}
        for i, f in sorted(firsts.items())
    ]
    void = {"name": "other", "id": 0, "colour": [0, 0, 0], "scored": False}
    return class_table([void, *entries])


def read_ade20k_full(source: Path) -> SourceData:
    """Read photos at full size with the benchmark's 150 classes and an instance per object.

    They are ADE20K's release of 2016. The split "train" has one scene for each `*_seg.png` at any
    depth below images/training, "val" for each below images/validation. The PNGs are read when a
    scene is written. In a PNG R // 10 * 256 + G is an index into the release's 3,148 names, and
    pixels of equal name and equal B are one object. A label map has at most 256 classes, so
    mapFromADE.txt maps the names to the benchmark's classes. A name that mapFromADE.txt lacks
    becomes "other", id 0, which no score counts. Only classes that object150_info.csv does not call
    stuff have instances.

    Args:
        source: the unpacked archive ADE20K_2016_07_26, or the folder that holds it. mapFromADE.txt
            and object150_info.csv are in either, in the same one.

    Raises:
        UserError: a file is missing, a list lacks columns or has a malformed line, or `source` is
            the release of 2021.
    """
    root = unpacked(source, "ADE20K_2016_07_26")
    if (root / "images" / "ADE").is_dir():
        raise UserError(f"{root} is the release of 2021, whose class indices differ. {OBTAIN_FULL}")
    lists = next((f for f in (root, source) if (f / "mapFromADE.txt").is_file()), root)
    classes = _read_info_csv(require(lists / "object150_info.csv", OBTAIN_FULL))
    class_of_index = _read_mapping(require(lists / "mapFromADE.txt", OBTAIN_FULL), classes)
    read = partial(_read_full, class_of_index=class_of_index, things=things_of(classes))
    splits = {}
    for split, folder in SPLITS.items():
        maps = sorted(require(root / "images" / folder, OBTAIN_FULL).rglob("*_seg.png"))
        photos = [path.with_name(path.name.removesuffix("_seg.png") + ".jpg") for path in maps]
        splits[split] = scenes_of_pairs(maps, photos, OBTAIN_FULL, read)
    return SourceData(splits, classes)


def _read_info_csv(path: Path) -> ClassTable:
    rows: list[Mapping[str, str]] = list(csv.DictReader(io.StringIO(read_text(path))))
    if not rows or not {"Idx", "Stuff", "Name"} <= rows[0].keys():
        raise UserError(f"{path} has no columns Idx, Stuff and Name. {OBTAIN_FULL}")
    things = frozenset(int(row["Idx"]) for row in rows if row["Stuff"].strip() == "0")
    return _class_table({int(row["Idx"]): row["Name"] for row in rows}, things)


def _read_mapping(path: Path, classes: ClassTable) -> NDArray[np.uint8]:
    """Return mapFromADE.txt as a lookup table: the class id of each name's index, uint8 [65536].

    Each line of the file holds a class id and an index; words that are no numbers are ignored. An
    index in no line has the class 0, "other".
    """
    known = {c.id for c in classes.classes}
    table = np.zeros(2**16, np.uint8)
    for line in filter(str.strip, read_text(path).splitlines()):
        numbers = [int(word) for word in line.split() if word.isdigit()]
        if len(numbers) != 2 or numbers[0] not in known or numbers[1] >= len(table):
            raise UserError(
                f"{path} has the line {line!r}; expected a class and an index. {OBTAIN_FULL}"
            )
        table[numbers[1]] = numbers[0]
    return table


def _read_full(
    path: Path, photo: Path, class_of_index: NDArray[np.uint8], things: NDArray[np.bool_]
) -> Contents:
    red, green, blue = read_rgb(path).astype(np.int64).transpose(2, 0, 1)
    index = red // 10 * 256 + green
    label = class_of_index[index]
    instance = number_instances(label, index * 256 + blue + 1, things)
    return {"label": label, "instance": instance, "image": photo}


ADE20K = DatasetReader(read_ade20k, OBTAIN, "configs/pix2pixhd_ade20k.py")
ADE20K_FULL = DatasetReader(read_ade20k_full, OBTAIN_FULL, "configs/pix2pixhd_ade20k_instances.py")

"""COCO 2017's panoptic maps (Kirillov et al. 2019, https://cocodataset.org), with instances."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2ibench.data.classes import ClassTable, class_table
from i2ibench.data.image_files import read_rgb
from i2ibench.data.prepare.raw import (
    Content,
    PublishedData,
    RawData,
    RawScene,
    distinct,
    number_instances,
    require,
    require_all,
    things_of,
)
from i2ibench.errors import UserError
from i2ibench.io.files import read_json
from i2ibench.io.safe_names import safe_name

PHOTOS = (
    "The photos are http://images.cocodataset.org/zips/train2017.zip (18 GB) and val2017.zip "
    "(1 GB), unpacked into train2017/ and val2017/, or images/train2017/ and so on."
)
OBTAIN = (
    "COCO's panoptic maps are http://images.cocodataset.org/annotations/"
    "panoptic_annotations_trainval2017.zip (821 MB); unpacked, it holds annotations/"
    "panoptic_train2017.json and panoptic_train2017.zip, which is unpacked beside it, and the same "
    f"for val2017. {PHOTOS}"
)
SPLITS = {"train": "train2017", "val": "val2017"}


def read_coco_panoptic(source: Path) -> RawData:
    """118,287 training and 5,000 validation scenes of 133 classes, 80 of them with instances.

    A pixel of the PNG holds its segment's id, R + 256 G + 256² B, and the JSON file what each
    segment is; 0 is void. Crowds keep their class without an instance.

    Args:
        source: the folder that holds `annotations/` and the photos.

    Raises:
        UserError: files are missing, or a JSON file is another.
    """
    splits, tables = {}, []
    for split, folder in SPLITS.items():
        path = require(source / "annotations" / f"panoptic_{folder}.json", OBTAIN)
        try:
            classes, splits[split] = _scenes(path, photo_folder(source, folder, OBTAIN))
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f"{path} is not of the panoptic format: {type(error).__name__}: {error}. {OBTAIN}"
            ) from None
        tables.append(classes)
    if tables[0] != tables[1]:
        raise UserError(f"The two JSON files in {source / 'annotations'} differ in categories.")
    return RawData(splits, tables[0])


def _scenes(path: Path, folder_of_photos: Path) -> tuple[ClassTable, list[RawScene]]:
    """Return the classes and the scenes of one split's JSON file.

    Raises:
        UserError: a file is missing, or a name leads out of its folder.
        KeyError, TypeError, AttributeError: an entry is missing, or of another kind.
    """
    content = read_annotations(path)
    classes = panoptic_classes(content["categories"])
    annotations = content["annotations"]
    maps = [
        path.with_suffix("") / safe_name(entry["file_name"], str(path), folders=False)
        for entry in annotations
    ]
    names = {i["id"]: safe_name(i["file_name"], str(path)) for i in content["images"]}
    photos = [folder_of_photos / names[entry["image_id"]] for entry in annotations]
    require_all([*maps, *photos], OBTAIN)
    read = partial(_read, things=things_of(classes))
    return classes, [
        RawScene(png.stem, partial(read, png, photo, _segments(entry)))
        for png, photo, entry in zip(maps, photos, annotations, strict=True)
    ]


def read_annotations(path: Path) -> dict[str, Any]:
    """The JSON file's content.

    Raises:
        UserError: it is broken, or not of the panoptic format.
    """
    content = read_json(path)
    keys = {"images", "annotations", "categories"}
    if not isinstance(content, dict) or not keys <= content.keys():
        raise UserError(f"{path} lacks {', '.join(sorted(keys))}. {OBTAIN}")
    annotations = content["annotations"]
    if not annotations or "segments_info" not in annotations[0]:
        raise UserError(f"{path} has no segments_info, so it is not the panoptic file. {OBTAIN}")
    return content


def panoptic_classes(categories: list[dict[str, Any]]) -> ClassTable:
    """Void with id 0, and the categories with their own ids (1..200) and colours."""
    void = {"name": "unlabeled", "id": 0, "colour": [0, 0, 0], "scored": False}
    entries = [
        {"name": c["name"], "id": c["id"], "thing": bool(c["isthing"])}
        | ({"colour": c["color"]} if "color" in c else {})
        for c in categories
    ]
    return class_table([void, *entries])


def photo_folder(source: Path, name: str, obtain: str) -> Path:
    """Where the photos of a split lie.

    Raises:
        UserError: nowhere.
    """
    inner = source / "images" / name
    return inner if inner.is_dir() else require(source / name, obtain)


def _segments(entry: Mapping[str, Any]) -> list[tuple[int, int, bool]]:
    """(id, category, whether it is one object) of each segment."""
    return [(s["id"], s["category_id"], not s.get("iscrowd", 0)) for s in entry["segments_info"]]


def _read(
    png: Path, photo: Path, segments: list[tuple[int, int, bool]], things: NDArray[np.bool_]
) -> dict[str, Content]:
    red, green, blue = read_rgb(png).astype(np.int64).transpose(2, 0, 1)
    pixels = red + 256 * green + 256**2 * blue
    found, position = distinct(pixels.ravel())
    category = {0: 0} | {i: c for i, c, _ in segments}
    unknown = [int(i) for i in found if int(i) not in category]
    if unknown:
        raise UserError(f"{png} has the segment {unknown[0]}, of which its JSON file says nothing.")
    single = {i for i, _, one in segments if one}
    label = np.array([category[int(i)] for i in found], np.uint8)[position]
    objects = np.array([i if int(i) in single else 0 for i in found])[position]
    shape = pixels.shape
    label, objects = label.reshape(shape), objects.reshape(shape)
    return {"label": label, "instance": number_instances(label, objects, things), "image": photo}


COCO_PANOPTIC = PublishedData(read_coco_panoptic, OBTAIN, "configs/pix2pixhd_coco_panoptic.py")

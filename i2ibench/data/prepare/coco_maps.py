"""The published maps of COCO 2017: panoptic ones with instances, and COCO-Stuff's without.

Panoptic: Kirillov et al. 2019, https://cocodataset.org. COCO-Stuff: Caesar et al. 2018,
https://github.com/nightrome/cocostuff.
"""

import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2ibench.data.classes import ClassTable, class_table
from i2ibench.data.image_reading import read_rgb
from i2ibench.data.prepare.dataset_readers import (
    Contents,
    DatasetReader,
    SourceData,
    SourceScene,
    number_instances,
    require,
    require_all,
    scenes_of_pairs,
    things_of,
    unique_of_runs,
    use_as_published,
)
from i2ibench.errors import UserError
from i2ibench.io.files import read_json, read_text
from i2ibench.io.safe_names import safe_name

PHOTOS = (
    "The photos are http://images.cocodataset.org/zips/train2017.zip (18 GB) and val2017.zip "
    "(1 GB), unpacked into train2017/ and val2017/, or images/train2017/ and so on."
)
OBTAIN_PANOPTIC = (
    "COCO's panoptic maps are http://images.cocodataset.org/annotations/"
    "panoptic_annotations_trainval2017.zip (821 MB); unpacked, it holds annotations/"
    "panoptic_train2017.json and panoptic_train2017.zip, which is unpacked beside it, and the same "
    f"for val2017. {PHOTOS}"
)
OBTAIN_STUFF = (
    "COCO-Stuff is stuffthingmaps_trainval2017.zip (659 MB) and labels.txt of "
    "https://github.com/nightrome/cocostuff#downloads, the former unpacked into stuffthingmaps/ "
    f"or annotations/. {PHOTOS}"
)
SPLITS = {"train": "train2017", "val": "val2017"}
UNLABELLED = 255
LAST_THING = 91
"""The highest number of a thing in COCO-Stuff's labels.txt."""


def _photo_folder(source: Path, name: str, obtain: str) -> Path:
    """Return the folder with the photos of a split: `source/images/name`, else `source/name`."""
    inner = source / "images" / name
    return inner if inner.is_dir() else require(source / name, obtain)


def read_coco_panoptic(source: Path) -> SourceData:
    """Read 118,287 training and 5,000 validation scenes of 133 classes, 80 with instances.

    The splits are "train" and "val", with the scenes that the JSON files list. The two JSON files
    are read now, the PNGs when a scene is written. A pixel of a PNG holds the id of its segment, R
    + 256 G + 256² B, and the JSON file describes the segments; 0 is void. Crowds keep their class,
    but have no instance.

    Args:
        source: the folder that holds `annotations/` and the photos.

    Raises:
        UserError: a file is missing, a JSON file has another format, or the two differ in
            categories.
    """
    splits, tables = {}, []
    for split, folder in SPLITS.items():
        path = require(source / "annotations" / f"panoptic_{folder}.json", OBTAIN_PANOPTIC)
        photos = _photo_folder(source, folder, OBTAIN_PANOPTIC)
        try:
            classes, splits[split] = _read_panoptic_scenes(path, photos)
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f"{path} is not of the panoptic format: {type(error).__name__}: {error}. "
                f"{OBTAIN_PANOPTIC}"
            ) from None
        tables.append(classes)
    if tables[0] != tables[1]:
        raise UserError(f"The two JSON files in {source / 'annotations'} differ in categories.")
    return SourceData(splits, tables[0])


def _read_panoptic_scenes(path: Path, photo_folder: Path) -> tuple[ClassTable, list[SourceScene]]:
    """Return the classes and the scenes of one split's JSON file; the PNGs are not read yet."""
    content = _read_panoptic_json(path)
    classes = _panoptic_classes(content["categories"])
    annotations = content["annotations"]
    maps = [
        path.with_suffix("") / safe_name(entry["file_name"], str(path), folders=False)
        for entry in annotations
    ]
    names = {i["id"]: safe_name(i["file_name"], str(path)) for i in content["images"]}
    photos = [photo_folder / names[entry["image_id"]] for entry in annotations]
    require_all([*maps, *photos], OBTAIN_PANOPTIC)
    read = partial(_read_panoptic, things=things_of(classes))
    return classes, [
        SourceScene(png.stem, partial(read, png, photo, _segments(entry["segments_info"])))
        for png, photo, entry in zip(maps, photos, annotations, strict=True)
    ]


def _read_panoptic_json(path: Path) -> dict[str, Any]:
    content = read_json(path)
    keys = {"images", "annotations", "categories"}
    if not isinstance(content, dict) or not keys <= content.keys():
        raise UserError(f"{path} lacks {', '.join(sorted(keys))}. {OBTAIN_PANOPTIC}")
    annotations = content["annotations"]
    if not annotations or "segments_info" not in annotations[0]:
        raise UserError(
            f"{path} has no segments_info, so it is not the panoptic file. {OBTAIN_PANOPTIC}"
        )
    return content


def _panoptic_classes(categories: list[dict[str, Any]]) -> ClassTable:
    """Return the classes of a panoptic file: "unlabeled" (id 0, not scored) and its categories."""
    void = {"name": "unlabeled", "id": 0, "colour": [0, 0, 0], "scored": False}
    entries = [
        {"name": c["name"], "id": c["id"], "thing": bool(c["isthing"])}
        | ({"colour": c["color"]} if "color" in c else {})
        for c in categories
    ]
    return class_table([void, *entries])


Segments = dict[int, tuple[int, bool]]
"""By segment id the category id, and whether the segment is a single object."""


def _segments(entries: list[dict[str, Any]]) -> Segments:
    return {s["id"]: (s["category_id"], not s.get("iscrowd", 0)) for s in entries}


def _read_panoptic(
    png: Path, photo: Path, segments: Segments, things: NDArray[np.bool_]
) -> Contents:
    red, green, blue = read_rgb(png).astype(np.int64).transpose(2, 0, 1)
    pixels = red + 256 * green + 256**2 * blue
    ids, position = unique_of_runs(pixels.ravel())
    segments = {0: (0, False)} | segments
    unknown = [int(i) for i in ids if int(i) not in segments]
    if unknown:
        raise UserError(
            f"{png} has the segment {unknown[0]}, which its JSON file does not describe. Download "
            "both files anew."
        )
    label = np.array([segments[int(i)][0] for i in ids], np.uint8)[position].reshape(pixels.shape)
    objects = np.where(np.array([segments[int(i)][1] for i in ids])[position], pixels.ravel(), 0)
    instance = number_instances(label, objects.reshape(pixels.shape), things)
    return {"label": label, "instance": instance, "image": photo}


def read_coco_stuff(source: Path) -> SourceData:
    """Read 118,287 training and 5,000 validation scenes of 182 classes, without instances.

    The splits are "train" and "val", with a scene for each PNG. A scene's label map and photo are
    the publisher's files, unchanged; only labels.txt is read now. The 8-bit PNGs hold the class's
    number in labels.txt minus 1, and 255 for void. Eleven of the classes occur in no file. PNGs
    with "_" in their name are not the publisher's and are left out.

    Args:
        source: the folder that holds labels.txt, the photos, and the maps in annotations/ or
            stuffthingmaps/.

    Raises:
        UserError: a file is missing, or labels.txt has another format.
    """
    classes = _read_labels(require(source / "labels.txt", OBTAIN_STUFF))
    maps = source / "annotations"
    if not (maps / "train2017").is_dir():
        maps = source / "stuffthingmaps"
    splits = {}
    for split, folder in SPLITS.items():
        files = require(maps / folder, OBTAIN_STUFF).glob("*.png")
        # mmsegmentation saves its own maps, such as 139_labelTrainIds.png, beside the publisher's.
        labels = sorted(path for path in files if "_" not in path.stem)
        photo_folder = _photo_folder(source, folder, OBTAIN_STUFF)
        photos = [photo_folder / f"{path.stem}.jpg" for path in labels]
        splits[split] = scenes_of_pairs(labels, photos, OBTAIN_STUFF, use_as_published)
    return SourceData(splits, classes)


def _read_labels(path: Path) -> ClassTable:
    """Return the classes of COCO-Stuff's labels.txt, whose lines are "number: name".

    A class's id is its number minus 1. Number 0, unlabelled, gets the id 255 and is not scored.
    Numbers up to `LAST_THING` are things.
    """
    entries = []
    for line in filter(str.strip, read_text(path).splitlines()):
        match = re.fullmatch(r"\s*(\d+)\s*:\s*(.+?)\s*", line)
        if match is None:
            raise UserError(
                f"{path} has the line {line!r}; expected 'number: name'. {OBTAIN_STUFF}"
            )
        number, name = int(match[1]), match[2]
        if number == 0:
            entries.append({"name": name, "id": UNLABELLED, "colour": [0] * 3, "scored": False})
        else:
            entries.append({"name": name, "id": number - 1, "thing": number <= LAST_THING})
    return class_table(entries)


COCO_PANOPTIC = DatasetReader(
    read_coco_panoptic, OBTAIN_PANOPTIC, "configs/pix2pixhd_coco_panoptic.py"
)
COCO_STUFF = DatasetReader(read_coco_stuff, OBTAIN_STUFF, "configs/pix2pixhd_coco_stuff.py")

"""Instances in COCO's JSON format: those of COCO 2017, and exports of annotation tools."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from i2ibench.data.classes import MAX_CLASSES
from i2ibench.data.prepare import shapes
from i2ibench.data.prepare.annotated_photos import (
    AnnotatedPhoto,
    AnnotationOptions,
    UsageReport,
    count_unlisted,
    source_data,
)
from i2ibench.data.prepare.annotation_classes import CLASSES_FILE, annotation_classes
from i2ibench.data.prepare.annotation_files import (
    files_below,
    photo_folders,
    points_of,
    require_photo,
    split_and_name,
    split_of,
    stated_size,
)
from i2ibench.data.prepare.dataset_readers import DatasetReader, SourceData
from i2ibench.errors import UserError
from i2ibench.io.files import read_json

OBTAIN = (
    "COCO's instances are http://images.cocodataset.org/annotations/"
    "annotations_trainval2017.zip (241 MB), unpacked into annotations/, with the photos in "
    "train2017/ and val2017/. Roboflow's export is train/ and valid/ with _annotations.coco.json "
    "beside the photos; other tools' is one JSON file in SOURCE or in annotations/."
)
ROBOFLOW_FILE = "_annotations.coco.json"

_FIELDS: Mapping[str, Mapping[str, Any]] = {
    "images": {"id": int | str, "file_name": str},
    "annotations": {"image_id": int | str, "category_id": int},
    "categories": {"id": int, "name": str},
}
"""The required fields of the entries of each list, with their types."""


@dataclass(frozen=True)
class CocoFile:
    """An annotation file.

    Attributes:
        path: of the file.
        content: its lists of images, annotations and categories.
    """

    path: Path
    content: Mapping[str, list[dict[str, Any]]]

    @cached_property
    def names(self) -> dict[int, str]:
        """Return the name of each category in the file, by category id."""
        return {entry["id"]: entry["name"] for entry in self.content["categories"]}

    @property
    def subset(self) -> str:
        """Return the name of the subset of photos that the file annotates, such as "train2017".

        It is the name of the folder for Roboflow's file, and the file's name without "instances_"
        and ".json" for others.
        """
        if self.path.name == ROBOFLOW_FILE:
            return self.path.parent.name
        return self.path.stem.removeprefix("instances_")


def read_coco(source: Path, options: AnnotationOptions) -> SourceData:
    """Draw COCO's instances (polygons and run lengths) into label and instance maps.

    The maps are drawn when a scene is written, instance maps only if any class is a thing. Crowds
    are drawn first and are no objects. The others follow from the largest to the smallest, so that
    a small object on a large one is visible. Annotations without a segmentation (boxes) and of
    photos that the file does not list are left out; the summary counts them. See `source_data` for
    splits and for photos without shapes.

    Args:
        source: the folder of annotations and photos; `annotation_paths` finds the annotations.
        options: of the user.

    Raises:
        UserError: a file is broken or contradicts its photo, the files differ in their categories,
            a photo is missing or outside of `source`, or there is nothing to draw.
    """
    report = UsageReport()
    files = [CocoFile(path, _read_content(path)) for path in annotation_paths(source)]
    for other in files[1:]:
        if other.names != files[0].names:
            raise UserError(f"{files[0].path} and {other.path} differ in their categories.")
    photos = [photo for file in files for photo in _photos(file, source, options, report)]
    count_unlisted(photos, report)
    classes = annotation_classes(source, _class_entries(files, options, report), options)
    return source_data(photos, classes, options, report, largest_first=True)


def annotation_paths(source: Path) -> list[Path]:
    """Return the annotation files of COCO's form below `source`, at any depth.

    These are all files that are named as Roboflow (_annotations.coco.json) or COCO
    (instances_*.json) names them, Roboflow's only if there are both. Else they are the JSON files
    that lie in `source` or `source/annotations`, or whose name or folder names a split. Several
    such files must all name a split. classes.json is never among them. The contents are not read.

    Raises:
        UserError: there is no such file, or it is not clear which of several files are meant.
    """
    paths = [path for path in files_below(source, (".json",)) if path.name != CLASSES_FILE]
    roboflow = [path for path in paths if path.name == ROBOFLOW_FILE]
    coco = [path for path in paths if path.name.startswith("instances_")]
    if roboflow or coco:
        return roboflow or coco
    near = [p for p in paths if p.parent in (source, source / "annotations") or _has_split(p)]
    if len(near) == 1 or (near and all(map(_has_split, near))):
        return near
    listing = f" It has {', '.join(map(str, near[:3]))}." if near else ""
    raise UserError(f"{source} holds no annotations of COCO's form.{listing} {OBTAIN}")


def _has_split(path: Path) -> bool:
    return split_of(path.stem) is not None or split_of(path.parent.name) is not None


def _read_content(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the lists "images", "annotations" and "categories" of a JSON file, by these names."""
    content = read_json(path)
    if not isinstance(content, dict) or not _FIELDS.keys() <= content.keys():
        raise UserError(f"{path} lacks {', '.join(_FIELDS)}, so it is not COCO's form. {OBTAIN}")
    if "segments_info" in str(content["annotations"])[:2000]:
        raise UserError(
            f"{path} is a panoptic file; `i2ibench prepare_data coco_panoptic SOURCE TARGET` reads "
            "those."
        )
    for key, fields in _FIELDS.items():
        for entry in content[key] if isinstance(content[key], list) else [None]:
            values = entry if isinstance(entry, dict) else {}
            lacking = [f for f, kind in fields.items() if not isinstance(values.get(f), kind)]
            if lacking:
                raise UserError(f"{path} has an entry of {key} without a proper {lacking[0]}.")
    return {key: content[key] for key in _FIELDS}


def _photos(
    file: CocoFile, source: Path, options: AnnotationOptions, report: UsageReport
) -> Iterator[AnnotatedPhoto]:
    images = file.content["images"]
    by_image: dict[Any, list[dict[str, Any]]] = {image["id"]: [] for image in images}
    if len(by_image) < len(images):
        raise UserError(f"{file.path} gives two photos one id.")
    for annotation in file.content["annotations"]:
        if annotation["image_id"] in by_image:
            by_image[annotation["image_id"]].append(annotation)
        else:
            report.count_left_out("annotations of photos that are not listed", str(file.path))
    folders = photo_folders(file.path, source, file.subset)
    for image in images:
        place = f"{file.path}, photo {image['file_name']},"
        photo = require_photo(image["file_name"], folders, source, file.path)
        split, name = split_and_name(photo.relative_to(source), image["file_name"])
        drawn = []
        for number, annotation in enumerate(by_image[image["id"]]):
            category = annotation["category_id"]
            if category not in file.names:
                raise UserError(
                    f"{place} has the category {category!r}, which the file does not list."
                )
            if annotation.get("segmentation"):
                label = options.class_name(file.names[category])
                drawn.append(_shape(number, annotation, label, place))
            else:
                report.count_left_out("boxes without a segmentation", str(file.path))
        size = stated_size(image.get("height"), image.get("width"), place)
        yield AnnotatedPhoto(name, place, photo, drawn, size, split_of(file.subset) or split)


def _shape(
    number: int, annotation: Mapping[str, Any], label: str, place: str
) -> shapes.AnnotatedShape:
    segmentation = annotation["segmentation"]
    kind = "polygon" if isinstance(segmentation, list) else "mask"
    crowd = bool(annotation.get("iscrowd"))
    return shapes.AnnotatedShape(
        label, kind, _masker(segmentation, place), None if crowd else number
    )


def _masker(segmentation: Any, place: str) -> shapes.MaskFunction:
    if isinstance(segmentation, list):
        if not all(isinstance(ring, list) for ring in segmentation):
            raise UserError(f"{place} has a segmentation that is no list of polygons.")
        return partial(_fill_polygons, [points_of(ring, place) for ring in segmentation])
    if not isinstance(segmentation, dict) or not isinstance(segmentation.get("counts"), list | str):
        raise UserError(f"{place} has a segmentation that is neither polygons nor run lengths.")
    return partial(_decode_runs, segmentation["counts"], segmentation.get("size"), place)


def _fill_polygons(polygons: Sequence[Any], size: shapes.Size) -> shapes.Mask:
    return np.logical_or.reduce([shapes.fill_polygon(polygon, *size) for polygon in polygons])


def _decode_runs(counts: Any, stated: Any, place: str, size: shapes.Size) -> shapes.Mask:
    if stated is not None and stated != list(size):
        raise UserError(f"{place} has a mask of [height, width] {stated}, not {list(size)}.")
    try:
        return shapes.decode_coco_runs(counts, *size)
    except UserError as error:
        raise UserError(f"{place} has a mask that cannot be read: {error}.") from None


def _class_entries(
    files: Sequence[CocoFile], options: AnnotationOptions, report: UsageReport
) -> list[dict[str, Any]]:
    """Return a dict with the name and id of each category that is not the background.

    Roboflow lists its project's name as a category without annotations that is a supercategory of
    others; such a category is left out and reported. The ids are kept if all are 1..255. Otherwise
    the categories are numbered from 1, because a label map cannot hold their ids beside the
    background's 0.
    """
    used = {a.get("category_id") for file in files for a in file.content["annotations"]}
    supercategories = {c.get("supercategory") for c in files[0].content["categories"]}
    names = {}
    for number, name in sorted(files[0].names.items()):
        if options.is_background(name):
            continue
        if number not in used and name in supercategories:
            report.count_left_out("categories that only stand for others", name)
            continue
        names[number] = name
    kept = all(0 < number < MAX_CLASSES for number in names)
    return [
        {"name": name, "id": number if kept else position}
        for position, (number, name) in enumerate(names.items(), 1)
    ]


COCO = DatasetReader(read_coco, OBTAIN, options=AnnotationOptions, editable_files=annotation_paths)

"""Instances in COCO's JSON format: of COCO 2017 itself, and as annotation tools export it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from i2ibench.data.classes import MAX_CLASSES
from i2ibench.data.prepare.account import Account
from i2ibench.data.prepare.annotated import AnnotatedPhoto, Choices, count_unlisted, raw_data
from i2ibench.data.prepare.annotation_classes import (
    CLASSES_FILE,
    annotation_classes,
    canonical,
    is_background,
)
from i2ibench.data.prepare.annotation_files import (
    digest_of,
    listed_photo,
    photo_folders,
    points_of,
    stated_size,
)
from i2ibench.data.prepare.coco_files import OBTAIN, CocoFile, annotation_paths, read_content
from i2ibench.data.prepare.drawing import Shape, Size
from i2ibench.data.prepare.raster import Mask, fill_polygon
from i2ibench.data.prepare.raw import PublishedData, RawData
from i2ibench.data.prepare.run_lengths import decode_coco_runs
from i2ibench.data.prepare.splits import split_and_name, split_of
from i2ibench.errors import UserError


def read_coco(
    source: Path,
    background: str = "background",
    score_background: bool = False,
    stuff: str = "",
    others: str = "",
    keep_unannotated: bool = False,
    val_share: float = 0.1,
    seed: int = 0,
) -> RawData:
    """Draw COCO's instances (polygons and run lengths) into label and instance maps.

    Crowds are drawn first and are no objects; the others follow from the largest to the smallest,
    so that a small object on a large one is seen. Boxes without a segmentation are left out.

    Args:
        source: the folder of annotations and photos.
        background: the class of pixels that no shape covers.
        score_background: whether scores count it.
        stuff: names of classes without objects, joined by commas.
        others: the class of labels that classes.json lacks; without it they are refused.
        keep_unannotated: use listed photos without a shape, as background.
        val_share: of the photos to validate on, where the files are of no split.
        seed: another one chooses others.

    Raises:
        UserError: a file is broken or contradicts its photo, a photo is missing or outside of
            `source`, or there is nothing to draw.
    """
    names = {"background": background, "stuff": stuff, "others": others}
    choices = Choices(score_background, keep_unannotated, val_share, seed, **names)
    account = Account()
    files = [CocoFile(path, read_content(path)) for path in annotation_paths(source)]
    for other in files[1:]:
        if other.names != files[0].names:
            raise UserError(f"{files[0].path} and {other.path} differ in their categories.")
    photos = [photo for file in files for photo in _photos(file, source, choices, account)]
    count_unlisted(photos, account)
    classes = annotation_classes(source, _entries(files, choices, account), choices)
    return raw_data(photos, classes, choices, account, largest_first=True)


def coco_digest(source: Path) -> str:
    """Return a hash of the annotations: a data set of other ones is another."""
    own = [path for path in (source / CLASSES_FILE,) if path.is_file()]
    return digest_of([*annotation_paths(source), *own], source)


def _photos(
    file: CocoFile, source: Path, choices: Choices, account: Account
) -> Iterator[AnnotatedPhoto]:
    images = file.content["images"]
    by_image: dict[Any, list[dict[str, Any]]] = {image["id"]: [] for image in images}
    if len(by_image) < len(images):
        raise UserError(f"{file.path} gives two photos one id.")
    for annotation in file.content["annotations"]:
        if annotation["image_id"] in by_image:
            by_image[annotation["image_id"]].append(annotation)
        else:
            account.leave_out("annotations of photos that are not listed", str(file.path))
    folders = photo_folders(file.path, source, file.subset)
    for image in images:
        place = f"{file.path}, photo {image['file_name']},"
        photo = listed_photo(image["file_name"], folders, source, file.path)
        split, name = split_and_name(photo.relative_to(source), image["file_name"])
        found = [
            _shape(number, annotation, file, place, choices)
            for number, annotation in enumerate(by_image[image["id"]])
        ]
        shapes = [shape for shape in found if shape is not None]
        for _ in range(len(found) - len(shapes)):
            account.leave_out("boxes without a segmentation", str(file.path))
        size = stated_size(image.get("height"), image.get("width"), place)
        yield AnnotatedPhoto(name, place, photo, shapes, size, split_of(file.subset) or split)


def _shape(
    number: int, annotation: Mapping[str, Any], file: CocoFile, place: str, choices: Choices
) -> Shape | None:
    """Return the shape of an annotation; None if it has no segmentation."""
    category = annotation["category_id"]
    if category not in file.names:
        raise UserError(f"{place} has the category {category!r}, which the file does not list.")
    segmentation = annotation.get("segmentation")
    if not segmentation:
        return None
    label = canonical(file.names[category], choices)
    kind = "polygon" if isinstance(segmentation, list) else "mask"
    crowd = bool(annotation.get("iscrowd"))
    return Shape(label, kind, _masker(segmentation, place), None if crowd else number)


def _masker(segmentation: Any, place: str) -> Callable[[Size], Mask]:
    if isinstance(segmentation, list):
        if not all(isinstance(ring, list) for ring in segmentation):
            raise UserError(f"{place} has a segmentation that is no list of polygons.")
        return partial(_union, [points_of(ring, place) for ring in segmentation])
    if not isinstance(segmentation, dict) or not isinstance(segmentation.get("counts"), list | str):
        raise UserError(f"{place} has a segmentation that is neither polygons nor run lengths.")
    return partial(_runs, segmentation["counts"], segmentation.get("size"), place)


def _union(rings: Sequence[Any], size: Size) -> Mask:
    return np.logical_or.reduce([fill_polygon(ring, *size) for ring in rings])


def _runs(counts: Any, stated: Any, place: str, size: Size) -> Mask:
    if stated is not None and stated != list(size):
        raise UserError(f"{place} has a mask of [height, width] {stated}, not {list(size)}.")
    try:
        return decode_coco_runs(counts, *size)
    except UserError as error:
        raise UserError(f"{place} has a mask that cannot be read: {error}.") from None


def _entries(files: Sequence[CocoFile], choices: Choices, account: Account) -> list[dict[str, Any]]:
    """Return name and id of the categories, without those of the background.

    Roboflow lists its project's name as a category, which nothing has; it is left out. Ids are
    kept where a label map can hold them beside the background's 0, and counted from 1 otherwise.
    """
    used = {a.get("category_id") for file in files for a in file.content["annotations"]}
    above = {c.get("supercategory") for c in files[0].content["categories"]}
    names = {}
    for number, name in sorted(files[0].names.items()):
        if is_background(name, choices):
            continue
        if number not in used and name in above:
            account.leave_out("categories that only stand for others", name)
            continue
        names[number] = name
    kept = all(0 < number < MAX_CLASSES for number in names)
    return [
        {"name": name, "id": number if kept else position}
        for position, (number, name) in enumerate(names.items(), 1)
    ]


COCO = PublishedData(read_coco, OBTAIN, digest=coco_digest)

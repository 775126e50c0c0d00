"""labelme's annotations (https://github.com/wkentaro/labelme): one JSON file for each photo."""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2ibench.data.file_formats import EXTENSIONS
from i2ibench.data.image_reading import decode_image, decode_map
from i2ibench.data.prepare import shapes
from i2ibench.data.prepare.annotated_photos import (
    AnnotatedPhoto,
    AnnotationOptions,
    ImageSource,
    UsageReport,
    source_data,
)
from i2ibench.data.prepare.annotation_classes import CLASSES_FILE, annotation_classes
from i2ibench.data.prepare.annotation_files import (
    files_below,
    find_photo,
    points_of,
    split_and_name,
    stated_size,
)
from i2ibench.data.prepare.dataset_readers import DatasetReader, SourceData
from i2ibench.errors import UserError
from i2ibench.io.files import read_json

OBTAIN = (
    "labelme saves a JSON file beside each photo: SOURCE is the folder with both, in train/ and "
    "val/ or together. By choice SOURCE/classes.json lists the classes with ids and colours."
)


def read_labelme(source: Path, options: AnnotationOptions) -> SourceData:
    """Draw labelme's polygons, rectangles, circles and masks into label and instance maps.

    The maps are drawn when a scene is written, instance maps only if any class is a thing. Shapes
    are drawn in the order of the file, later ones over earlier ones. Each shape is an object;
    shapes of a photo and class with the same `group_id` are one object. Lines, points and other
    types are left out, and so are JSON files that are not labelme's; the summary counts both. See
    `source_data` for splits and for photos without shapes.

    Args:
        source: the folder of JSON files and photos, at any depth.
        options: of the user. `keep_unannotated` also keeps photos without a JSON file.

    Raises:
        UserError: a file is broken or contradicts its photo, a photo is missing or outside of
            `source`, or there is nothing to draw.
    """
    report = UsageReport()
    photos = []
    for path in _json_files(source):
        if path == source / CLASSES_FILE:
            continue
        content = read_json(path)
        if isinstance(content, dict) and isinstance(content.get("shapes"), list):
            photos.append(_annotated_photo(path, content, source, options, report))
        else:
            report.count_left_out("JSON files that are not labelme's", str(path))
    if not photos:
        raise UserError(f"{source} holds no JSON file of labelme. {OBTAIN}")
    photos += _photos_without_json(source, photos)
    labels = {shape.label for photo in photos for shape in photo.shapes}
    entries = [{"name": name} for name in sorted(labels) if not options.is_background(name)]
    return source_data(photos, annotation_classes(source, entries, options), options, report)


def _json_files(source: Path) -> list[Path]:
    return list(files_below(source, (".json",)))


def _annotated_photo(
    path: Path,
    content: Mapping[str, Any],
    source: Path,
    options: AnnotationOptions,
    report: UsageReport,
) -> AnnotatedPhoto:
    drawn = []
    for number, entry in enumerate(content["shapes"]):
        place = f"{path}, shape {number + 1},"
        if not isinstance(entry, dict) or not isinstance(entry.get("label"), str):
            raise UserError(f"{place} has no label.")
        kind = entry.get("shape_type") or "polygon"  # labelme before version 3 had only polygons
        if kind not in _MASKERS:
            report.count_left_out(f"shapes of type {kind!r}, which is not drawn", str(path))
            continue
        group = entry.get("group_id")
        thing = ("shape", number) if group is None else ("group", repr(group))
        mask = _MASKERS[kind](entry, place)
        drawn.append(shapes.AnnotatedShape(options.class_name(entry["label"]), kind, mask, thing))
    split, name = split_and_name(path.relative_to(source))
    size = stated_size(content.get("imageHeight"), content.get("imageWidth"), str(path))
    return AnnotatedPhoto(name, str(path), _find_image(path, content, source), drawn, size, split)


def _find_image(path: Path, content: Mapping[str, Any], source: Path) -> ImageSource:
    photo = find_photo(content.get("imagePath"), [path.parent], source, path)
    if photo is not None:
        return photo
    if content.get("imageData"):
        return partial(_read_embedded_photo, path)
    raise UserError(
        f"{path} names the photo {content['imagePath']!r}, which is not there, and holds no copy "
        "of it (imageData). Put the photo there, or correct imagePath."
    )


def _read_embedded_photo(path: Path) -> NDArray[np.uint8]:
    """Return the photo, uint8 [H,W,3], that a labelme file holds as base64 text in `imageData`."""
    place = f"The photo inside of {path} (imageData)"
    try:
        content = base64.b64decode(read_json(path)["imageData"], validate=True)
    except (TypeError, ValueError):
        raise UserError(f"{place} is no base64 text. Put the photo itself there.") from None
    return decode_image(content, place)


def _photos_without_json(
    source: Path, annotated: Sequence[AnnotatedPhoto]
) -> Iterator[AnnotatedPhoto]:
    files = {photo.image for photo in annotated}
    for path in files_below(source, EXTENSIONS):
        if path not in files:
            split, name = split_and_name(path.relative_to(source))
            yield AnnotatedPhoto(name, str(path), path, (), None, split)


def _polygon(entry: Mapping[str, Any], place: str) -> shapes.MaskFunction:
    corners = points_of(entry.get("points"), place)
    return lambda size: shapes.fill_polygon(corners, *size)


def _rectangle(entry: Mapping[str, Any], place: str) -> shapes.MaskFunction:
    points = points_of(entry.get("points"), place)
    if len(points) not in (2, 4):
        raise UserError(f"{place} is a rectangle of {len(points)} points, not of 2 corners.")
    corners = shapes.box_corners(*points.min(0), *points.max(0)) if len(points) == 2 else points
    return lambda size: shapes.fill_polygon(corners, *size)


def _circle(entry: Mapping[str, Any], place: str) -> shapes.MaskFunction:
    points = points_of(entry.get("points"), place)
    if len(points) != 2:
        raise UserError(f"{place} is a circle of {len(points)} points, not of centre and edge.")
    centre, radius = points[0], float(np.hypot(*(points[1] - points[0])))
    return lambda size: shapes.fill_ellipse(centre, (radius, radius), size)


def _mask(entry: Mapping[str, Any], place: str) -> shapes.MaskFunction:
    corners = points_of(entry.get("points"), place)
    try:
        content = base64.b64decode(entry["mask"], validate=True)
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{place} is a mask without an image in base64.") from None
    pixels = decode_map(content, f"{place} a mask,").values > 0
    if pixels.ndim != 2:
        raise UserError(f"{place} is a mask in colour.")
    left, top = (int(v) for v in corners.min(0)) if len(corners) else (0, 0)
    return lambda size: shapes.paste_mask(pixels, left, top, size)


_MASKERS: Mapping[str, Callable[[Mapping[str, Any], str], shapes.MaskFunction]] = {
    "polygon": _polygon,
    "rectangle": _rectangle,
    "circle": _circle,
    "mask": _mask,
}

LABELME = DatasetReader(read_labelme, OBTAIN, options=AnnotationOptions, editable_files=_json_files)

"""labelme's annotations (https://github.com/wkentaro/labelme): a JSON file for each photo."""

import base64
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2ibench.data.image_files import decode_image, decode_map
from i2ibench.data.prepare.account import Account
from i2ibench.data.prepare.annotated import AnnotatedPhoto, Choices, Photo, raw_data
from i2ibench.data.prepare.annotation_classes import (
    CLASSES_FILE,
    annotation_classes,
    canonical,
    is_background,
)
from i2ibench.data.prepare.annotation_files import (
    digest_of,
    files_below,
    named_photo,
    photos_below,
    points_of,
    stated_size,
)
from i2ibench.data.prepare.drawing import Shape, Size, placed
from i2ibench.data.prepare.raster import Mask, box_corners, fill_ellipse, fill_polygon
from i2ibench.data.prepare.raw import PublishedData, RawData
from i2ibench.data.prepare.splits import split_and_name
from i2ibench.errors import UserError
from i2ibench.io.files import read_json

OBTAIN = (
    "labelme saves a JSON file beside each photo: SOURCE is the folder with both, in train/ and "
    "val/ or together. By choice SOURCE/classes.json lists the classes with ids and colours."
)


def read_labelme(
    source: Path,
    background: str = "background",
    score_background: bool = False,
    stuff: str = "",
    others: str = "",
    keep_unannotated: bool = False,
    val_share: float = 0.1,
    seed: int = 0,
) -> RawData:
    """Draw labelme's polygons, rectangles, circles and masks into label and instance maps.

    Shapes are drawn in the order of the file, later ones over earlier ones. Each is an object;
    those of one `group_id` are one. Lines and points have no area and are left out.

    Args:
        source: the folder of JSON files and photos.
        background: the class of pixels that no shape covers; `_background_` means it too.
        score_background: whether scores count it.
        stuff: names of classes without objects, joined by commas.
        others: the class of labels that classes.json lacks; without it they are refused.
        keep_unannotated: use photos without a JSON file or a shape, as background.
        val_share: of the photos to validate on, where there are no folders train/ and val/.
        seed: another one chooses others.

    Raises:
        UserError: a file is broken or contradicts its photo, a photo is missing or outside of
            `source`, or there is nothing to draw.
    """
    names = {"background": background, "stuff": stuff, "others": others}
    choices = Choices(score_background, keep_unannotated, val_share, seed, **names)
    account = Account()
    photos = [
        _annotated(path, content, source, choices, account)
        for path, content in _annotations(source, account)
    ]
    if not photos:
        raise UserError(f"{source} holds no JSON file of labelme. {OBTAIN}")
    photos += _photos_alone(source, photos)
    labels = {shape.label for photo in photos for shape in photo.shapes}
    entries = [{"name": name} for name in sorted(labels) if not is_background(name, choices)]
    return raw_data(photos, annotation_classes(source, entries, choices), choices, account)


def labelme_digest(source: Path) -> str:
    """Return a hash of the annotations: a data set of other ones is another."""
    return digest_of(list(files_below(source, (".json",))), source)


def _annotations(source: Path, account: Account) -> list[tuple[Path, Mapping[str, Any]]]:
    found: list[tuple[Path, Mapping[str, Any]]] = []
    for path in files_below(source, (".json",)):
        if path == source / CLASSES_FILE:
            continue
        content = read_json(path)
        if isinstance(content, dict) and isinstance(content.get("shapes"), list):
            found.append((path, {**content, "imageData": bool(content.get("imageData"))}))
        else:
            account.leave_out("JSON files that are not labelme's", str(path))
    return found


def _annotated(
    path: Path, content: Mapping[str, Any], source: Path, choices: Choices, account: Account
) -> AnnotatedPhoto:
    shapes = []
    for number, entry in enumerate(content["shapes"]):
        place = f"{path}, shape {number + 1},"
        if not isinstance(entry, dict) or not isinstance(entry.get("label"), str):
            raise UserError(f"{place} has no label.")
        kind = entry.get("shape_type") or "polygon"  # labelme before version 3 had only these
        if kind not in _MASKS:
            account.leave_out(f"shapes of type {kind!r}, which is not drawn", str(path))
            continue
        group = entry.get("group_id")
        thing = ("shape", number) if group is None else ("group", repr(group))
        mask = _MASKS[kind](entry, place)
        shapes.append(Shape(canonical(entry["label"], choices), kind, mask, thing))
    split, name = split_and_name(path.relative_to(source))
    size = stated_size(content.get("imageHeight"), content.get("imageWidth"), str(path))
    return AnnotatedPhoto(name, str(path), _photo(path, content, source), shapes, size, split)


def _photo(path: Path, content: Mapping[str, Any], source: Path) -> Photo:
    found = named_photo(content.get("imagePath"), [path.parent], source, path)
    if found is not None:
        return found
    if content["imageData"]:
        return partial(_embedded, path)
    raise UserError(
        f"{path} names the photo {content['imagePath']!r}, which is not there, and holds no copy "
        "of it (imageData). Put the photo there, or mend imagePath."
    )


def _embedded(path: Path) -> NDArray[np.uint8]:
    """Return the photo [H,W,3] inside of a JSON file."""
    place = f"The photo inside of {path} (imageData)"
    try:
        content = base64.b64decode(read_json(path)["imageData"], validate=True)
    except (TypeError, ValueError):
        raise UserError(f"{place} is no base64 text. Put the photo itself there.") from None
    return decode_image(content, place)


def _photos_alone(source: Path, photos: Sequence[AnnotatedPhoto]) -> list[AnnotatedPhoto]:
    annotated = {photo.photo for photo in photos}
    alone = [path for path in photos_below(source) if path not in annotated]
    found = [(path, *split_and_name(path.relative_to(source))) for path in alone]
    return [AnnotatedPhoto(name, str(path), path, (), None, split) for path, split, name in found]


Masker = Callable[[Mapping[str, Any], str], Callable[[Size], Mask]]


def _polygon(entry: Mapping[str, Any], place: str) -> Callable[[Size], Mask]:
    corners = points_of(entry.get("points"), place)
    return lambda size: fill_polygon(corners, *size)


def _rectangle(entry: Mapping[str, Any], place: str) -> Callable[[Size], Mask]:
    points = points_of(entry.get("points"), place)
    corners = points
    if len(points) == 2:
        corners = box_corners(*points.min(0), *points.max(0))
    elif len(points) != 4:
        raise UserError(f"{place} is a rectangle of {len(points)} points, not of 2 corners.")
    return lambda size: fill_polygon(corners, *size)


def _circle(entry: Mapping[str, Any], place: str) -> Callable[[Size], Mask]:
    points = points_of(entry.get("points"), place)
    if len(points) != 2:
        raise UserError(f"{place} is a circle of {len(points)} points, not of centre and edge.")
    centre, radius = points[0], float(np.hypot(*(points[1] - points[0])))
    return lambda size: fill_ellipse(centre, (radius, radius), size)


def _mask(entry: Mapping[str, Any], place: str) -> Callable[[Size], Mask]:
    corners = points_of(entry.get("points"), place)
    try:
        content = base64.b64decode(entry["mask"], validate=True)
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{place} is a mask without an image in base64.") from None
    pixels = decode_map(content, f"{place} a mask,").values > 0
    if pixels.ndim != 2:
        raise UserError(f"{place} is a mask in colour.")
    left, top = (int(v) for v in corners.min(0)) if len(corners) else (0, 0)
    return lambda size: placed(pixels, left, top, size)


_MASKS: Mapping[str, Masker] = {
    "polygon": _polygon,
    "rectangle": _rectangle,
    "circle": _circle,
    "mask": _mask,
}
"""By shape type; lines and points have no area."""

LABELME = PublishedData(read_labelme, OBTAIN, digest=labelme_digest)

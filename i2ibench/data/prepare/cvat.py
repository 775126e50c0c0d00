"""CVAT's annotations in the format "CVAT for images 1.1": annotations.xml and photos."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from i2ibench.data.prepare import shapes
from i2ibench.data.prepare.annotated_photos import (
    AnnotatedPhoto,
    AnnotationOptions,
    UsageReport,
    count_unlisted,
    source_data,
)
from i2ibench.data.prepare.annotation_classes import annotation_classes
from i2ibench.data.prepare.annotation_files import (
    files_below,
    is_coordinate,
    photo_folders,
    points_of,
    require_photo,
    split_and_name,
    split_of,
)
from i2ibench.data.prepare.dataset_readers import DatasetReader, SourceData
from i2ibench.errors import UserError

OBTAIN = (
    'CVAT exports tasks as "CVAT for images 1.1" with images: unpacked, SOURCE holds '
    "annotations.xml and images/, or such folders in train/ and val/."
)
NO_AREA = ("tag", "points", "polyline", "skeleton")
"""The types of labels whose shapes have no area."""


def read_cvat(source: Path, options: AnnotationOptions) -> SourceData:
    """Draw CVAT's polygons, boxes, ellipses and masks into label and instance maps.

    The maps are drawn when a scene is written, instance maps only if any class is a thing. Shapes
    are drawn by `z_order`, those of equal `z_order` in the order of the file. Each shape is an
    object; shapes of a photo and class with the same `group_id`, other than 0, are one object. All
    other elements, such as lines, points, cuboids, skeletons and tags, are left out; the summary
    counts them. See `source_data` for splits and for photos without shapes.

    Args:
        source: the folder of the photos and of XML files, such as annotations.xml, at any depth.
        options: of the user.

    Raises:
        UserError: a file is broken or contradicts its photo, a photo is missing or outside of
            `source`, or there is nothing to draw.
    """
    report = UsageReport()
    paths = _annotation_paths(source)
    roots = [_read_xml(path) for path in paths]
    photos = [
        _annotated_photo(image, path, source, options, report)
        for path, root in zip(paths, roots, strict=True)
        for image in root.iter("image")
    ]
    count_unlisted(photos, report)
    entries = _class_entries(roots, photos, options)
    return source_data(photos, annotation_classes(source, entries, options), options, report)


def _annotation_paths(source: Path) -> list[Path]:
    paths = list(files_below(source, (".xml",)))
    if not paths:
        raise UserError(f"{source} holds no XML file. {OBTAIN}")
    return paths


class _TreeBuilderWithoutDoctype(ElementTree.TreeBuilder):
    """A tree builder that refuses a DOCTYPE, whose entities could fill the memory."""

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        raise UserError("it has a DOCTYPE, which CVAT does not write")


def _read_xml(path: Path) -> Element:
    """Return the root element of a file in the format "CVAT for images 1.1"."""
    try:
        parser = ElementTree.XMLParser(target=_TreeBuilderWithoutDoctype())
        root: Element = ElementTree.parse(path, parser).getroot()
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise UserError(f"{path} cannot be read as XML: {error}.") from None
    if root.tag != "annotations":
        raise UserError(f"{path} is not CVAT's: its first element is {root.tag!r}. {OBTAIN}")
    if root.find("track") is not None:
        raise UserError(f'{path} is "CVAT for video": export "CVAT for images 1.1" instead.')
    return root


def _annotated_photo(
    image: Element, path: Path, source: Path, options: AnnotationOptions, report: UsageReport
) -> AnnotatedPhoto:
    name = image.get("name")
    place = f"{path}, photo {name},"
    subset = image.get("subset") or ""
    photo = require_photo(name, photo_folders(path, source, subset), source, path)
    ordered: list[tuple[int, shapes.AnnotatedShape]] = []
    for number, element in enumerate(image):
        if element.tag not in _MASKERS:
            report.count_left_out(f"{element.tag} elements, which are not drawn", str(path))
            continue
        label = element.get("label")
        if not label:
            raise UserError(f"{place} has a {element.tag} without a label.")
        group = element.get("group_id") or "0"
        thing = ("shape", number) if group == "0" else ("group", group)
        mask = _MASKERS[element.tag](element, place)
        shape = shapes.AnnotatedShape(options.class_name(label), element.tag, mask, thing)
        ordered.append((int(_number(element, "z_order", place, "0")), shape))
    drawn = [shape for _, shape in sorted(ordered, key=itemgetter(0))]
    split, scene = split_and_name(photo.relative_to(source), name)
    height, width = (int(_number(image, side, place)) for side in ("height", "width"))
    return AnnotatedPhoto(scene, place, photo, drawn, (height, width), split_of(subset) or split)


def _class_entries(
    roots: Sequence[Element], photos: Sequence[AnnotatedPhoto], options: AnnotationOptions
) -> list[dict[str, Any]]:
    """Return name and colour of each label other than the background, a dict for each label.

    A dict lacks "colour" if the file states none. The labels come in the order of the files' label
    lists, without those whose type has no area. Labels that only occur in shapes follow, without a
    colour.
    """
    entries: dict[str, dict[str, Any]] = {}
    for root in roots:
        for label in root.iterfind("meta//labels/label"):
            name = label.findtext("name")
            if name and label.findtext("type") not in NO_AREA:
                colour = _colour(label.findtext("color"))
                entries.setdefault(name, {"name": name, **colour})
    for photo in photos:
        for shape in photo.shapes:
            entries.setdefault(shape.label, {"name": shape.label})
    return [entry for name, entry in entries.items() if not options.is_background(name)]


def _colour(text: str | None) -> dict[str, list[int]]:
    with contextlib.suppress(ValueError):
        if text and len(text) == 7 and text.startswith("#"):
            return {"colour": list(bytes.fromhex(text[1:]))}
    return {}


def _number(element: Element, name: str, place: str, default: str | None = None) -> float:
    text = element.get(name, default)
    with contextlib.suppress(TypeError, ValueError):
        value = float(text)  # type: ignore[arg-type]
        if is_coordinate(value):
            return value
    raise UserError(f"{place} has a {element.tag} with {name}={text!r}, which is no number.")


def _numbers(element: Element, names: str, place: str) -> list[float]:
    return [_number(element, name, place) for name in names.split()]


def _polygon(element: Element, place: str) -> shapes.MaskFunction:
    text = element.get("points", "")
    try:
        pairs = [[float(v) for v in pair.split(",")] for pair in text.split(";")]
    except ValueError:
        raise UserError(f"{place} has a polygon with points {text[:60]!r}.") from None
    corners = points_of(pairs, place)
    return lambda size: shapes.fill_polygon(corners, *size)


def _box(element: Element, place: str) -> shapes.MaskFunction:
    left, top, right, bottom = _numbers(element, "xtl ytl xbr ybr", place)
    corners = shapes.box_corners(left, top, right, bottom, _number(element, "rotation", place, "0"))
    return lambda size: shapes.fill_polygon(corners, *size)


def _ellipse(element: Element, place: str) -> shapes.MaskFunction:
    x, y, across, along = _numbers(element, "cx cy rx ry", place)
    turn = _number(element, "rotation", place, "0")
    return lambda size: shapes.fill_ellipse((x, y), (across, along), size, turn)


def _mask(element: Element, place: str) -> shapes.MaskFunction:
    left, top, width, height = (int(v) for v in _numbers(element, "left top width height", place))
    try:
        counts = [int(count) for count in element.get("rle", "").split(",")]
    except ValueError:
        raise UserError(f"{place} has a mask whose rle is no list of integers.") from None

    def mask(size: shapes.Size) -> shapes.Mask:
        if not (0 <= height <= size[0] and 0 <= width <= size[1]):
            raise UserError(f"{place} has a mask of {width}x{height}, larger than the photo.")
        try:
            return shapes.paste_mask(shapes.decode_runs(counts, height, width), left, top, size)
        except UserError as error:
            raise UserError(f"{place} has a mask that cannot be read: {error}.") from None

    return mask


_MASKERS: Mapping[str, Callable[[Element, str], shapes.MaskFunction]] = {
    "polygon": _polygon,
    "box": _box,
    "ellipse": _ellipse,
    "mask": _mask,
}

CVAT = DatasetReader(read_cvat, OBTAIN, options=AnnotationOptions, editable_files=_annotation_paths)

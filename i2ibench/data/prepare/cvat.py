"""CVAT's annotations in the format "CVAT for images 1.1": annotations.xml and photos."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

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
    files_below,
    is_coordinate,
    listed_photo,
    photo_folders,
    points_of,
)
from i2ibench.data.prepare.drawing import Shape, Size, placed
from i2ibench.data.prepare.raster import Mask, box_corners, fill_ellipse, fill_polygon
from i2ibench.data.prepare.raw import PublishedData, RawData
from i2ibench.data.prepare.run_lengths import decode_runs
from i2ibench.data.prepare.splits import split_and_name, split_of
from i2ibench.errors import UserError

OBTAIN = (
    'CVAT exports tasks as "CVAT for images 1.1" with images: unpacked, SOURCE holds '
    "annotations.xml and images/, or such folders in train/ and val/."
)
NO_AREA = ("tag", "points", "polyline", "skeleton")
"""Types of labels that are never drawn."""


def read_cvat(
    source: Path,
    background: str = "background",
    score_background: bool = False,
    stuff: str = "",
    others: str = "",
    keep_unannotated: bool = False,
    val_share: float = 0.1,
    seed: int = 0,
) -> RawData:
    """Draw CVAT's polygons, boxes, ellipses and masks into label and instance maps.

    Shapes are drawn by `z_order`, and in the order of the file within one. Each is an object;
    those of one `group_id` are one. Lines, points, cuboids, skeletons and tags are left out.

    Args:
        source: the folder of annotations.xml and the photos.
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
    paths = _annotation_paths(source)
    roots = [read_xml(path) for path in paths]
    photos = [
        _annotated(image, path, source, choices, account)
        for path, root in zip(paths, roots, strict=True)
        for image in root.iter("image")
    ]
    count_unlisted(photos, account)
    entries = _entries(roots, photos, choices)
    return raw_data(photos, annotation_classes(source, entries, choices), choices, account)


def cvat_digest(source: Path) -> str:
    """Return a hash of the annotations: a data set of other ones is another."""
    own = [path for path in (source / CLASSES_FILE,) if path.is_file()]
    return digest_of([*_annotation_paths(source), *own], source)


def _annotation_paths(source: Path) -> list[Path]:
    found = list(files_below(source, (".xml",)))
    if not found:
        raise UserError(f"{source} holds no XML file. {OBTAIN}")
    return found


class _WithoutDoctype(ElementTree.TreeBuilder):
    """Refuse document types, in which entities are defined that grow without bound."""

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        """Refuse."""
        raise UserError("it has a DOCTYPE, which CVAT does not write")


def read_xml(path: Path) -> Element:
    """Return the root of a file of the format "CVAT for images 1.1".

    Raises:
        UserError: the file is broken, of another format, or has a DOCTYPE.
    """
    try:
        parser = ElementTree.XMLParser(target=_WithoutDoctype())
        root: Element = ElementTree.parse(path, parser).getroot()
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise UserError(f"{path} cannot be read as XML: {error}.") from None
    if root.tag != "annotations":
        raise UserError(f"{path} is not CVAT's: its first element is {root.tag!r}. {OBTAIN}")
    if root.find("track") is not None:
        raise UserError(f'{path} is "CVAT for video": export "CVAT for images 1.1" instead.')
    return root


def _annotated(
    image: Element, path: Path, source: Path, choices: Choices, account: Account
) -> AnnotatedPhoto:
    name = image.get("name")
    place = f"{path}, photo {name},"
    subset = image.get("subset") or ""
    photo = listed_photo(name, photo_folders(path, source, subset), source, path)
    drawn: list[tuple[int, Shape]] = []
    for number, element in enumerate(image):
        if element.tag not in _MASKS:
            account.leave_out(f"{element.tag} elements, which are not drawn", str(path))
            continue
        label = element.get("label")
        if not label:
            raise UserError(f"{place} has a {element.tag} without a label.")
        group = element.get("group_id") or "0"
        thing = ("shape", number) if group == "0" else ("group", group)
        mask = _MASKS[element.tag](element, place)
        order = int(_number(element, "z_order", place, "0"))
        drawn.append((order, Shape(canonical(label, choices), element.tag, mask, thing)))
    drawn.sort(key=lambda pair: pair[0])
    split, scene = split_and_name(photo.relative_to(source), name)
    size = tuple(int(_number(image, side, place)) for side in ("height", "width"))
    shapes = [shape for _, shape in drawn]
    return AnnotatedPhoto(
        scene, place, photo, shapes, (size[0], size[1]), split_of(subset) or split
    )


def _entries(
    roots: Sequence[Element], photos: Sequence[AnnotatedPhoto], choices: Choices
) -> list[dict[str, Any]]:
    """Return name and colour of the task's labels, in its order, then those only in shapes."""
    entries: dict[str, dict[str, Any]] = {}
    for root in roots:
        for label in root.iterfind("meta//labels/label"):
            name = label.findtext("name")
            if name and label.findtext("type") not in NO_AREA:
                colour = _colour(label.findtext("color"))
                entries.setdefault(name, {"name": name, **colour})
    used = dict.fromkeys(shape.label for photo in photos for shape in photo.shapes)
    for name in used:
        entries.setdefault(name, {"name": name})
    return [entry for name, entry in entries.items() if not is_background(name, choices)]


def _colour(text: str | None) -> dict[str, list[int]]:
    with contextlib.suppress(ValueError):
        if text and len(text) == 7 and text.startswith("#"):
            return {"colour": list(bytes.fromhex(text[1:]))}
    return {}


Masker = Callable[[Element, str], Callable[[Size], Mask]]


def _number(element: Element, name: str, place: str, default: str | None = None) -> float:
    text = element.get(name, default)
    with contextlib.suppress(TypeError, ValueError):
        value = float(text)  # type: ignore[arg-type]
        if is_coordinate(value):
            return value
    raise UserError(f"{place} has a {element.tag} with {name}={text!r}, which is no number.")


def _numbers(element: Element, names: str, place: str) -> list[float]:
    return [_number(element, name, place) for name in names.split()]


def _polygon(element: Element, place: str) -> Callable[[Size], Mask]:
    text = element.get("points", "")
    try:
        pairs = [[float(v) for v in pair.split(",")] for pair in text.split(";")]
    except ValueError:
        raise UserError(f"{place} has a polygon with points {text[:60]!r}.") from None
    corners = points_of(pairs, place)
    return lambda size: fill_polygon(corners, *size)


def _box(element: Element, place: str) -> Callable[[Size], Mask]:
    left, top, right, bottom = _numbers(element, "xtl ytl xbr ybr", place)
    corners = box_corners(left, top, right, bottom, _number(element, "rotation", place, "0"))
    return lambda size: fill_polygon(corners, *size)


def _ellipse(element: Element, place: str) -> Callable[[Size], Mask]:
    x, y, across, along = _numbers(element, "cx cy rx ry", place)
    turn = _number(element, "rotation", place, "0")
    return lambda size: fill_ellipse((x, y), (across, along), size, turn)


def _mask(element: Element, place: str) -> Callable[[Size], Mask]:
    left, top, width, height = (int(v) for v in _numbers(element, "left top width height", place))
    try:
        counts = [int(count) for count in element.get("rle", "").split(",")]
    except ValueError:
        raise UserError(f"{place} has a mask whose rle is no list of integers.") from None

    def mask(size: Size) -> Mask:
        if not (0 <= height <= size[0] and 0 <= width <= size[1]):
            raise UserError(f"{place} has a mask of {width}x{height}, larger than the photo.")
        try:
            return placed(decode_runs(counts, height, width), left, top, size)
        except UserError as error:
            raise UserError(f"{place} has a mask that cannot be read: {error}.") from None

    return mask


_MASKS: Mapping[str, Masker] = {
    "polygon": _polygon,
    "box": _box,
    "ellipse": _ellipse,
    "mask": _mask,
}

CVAT = PublishedData(read_cvat, OBTAIN, digest=cvat_digest)

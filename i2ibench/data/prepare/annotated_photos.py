"""Photos with annotated shapes, and the scenes with label and instance maps made from them."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from i2ibench.data.classes import ClassTable
from i2ibench.data.file_formats import EXTENSIONS
from i2ibench.data.image_reading import image_size
from i2ibench.data.prepare.dataset_readers import (
    Content,
    Contents,
    SourceData,
    SourceScene,
    chosen_for_validation,
    number_instances,
    scene_name,
    things_of,
)
from i2ibench.data.prepare.shapes import AnnotatedShape, Size, draw_shapes
from i2ibench.errors import UserError

ImageSource = Path | Callable[[], NDArray[np.uint8]]
"""A file, or a function that returns the pixels [H,W,3] of a photo inside of an annotation file."""

_DRAWN = "photos"


@dataclass(frozen=True)
class AnnotatedPhoto:
    """A photo and its shapes.

    Attributes:
        name: of the scene; "/" may stand in it.
        place: the annotation file, for messages.
        image: the photo.
        shapes: in the order of drawing.
        size: (height, width) stated in the annotation file; None if the file states none.
        split: "train", "val" or "test"; None if neither a folder nor the file names a split.
    """

    name: str
    place: str
    image: ImageSource
    shapes: Sequence[AnnotatedShape]
    size: Size | None = None
    split: str | None = None

    @property
    def location(self) -> str:
        """Return the photo's file as text, or the annotation file if that holds the photo."""
        return str(self.image) if isinstance(self.image, Path) else self.place


@dataclass(frozen=True)
class AnnotationOptions:
    """The options of `prepare_data` that all kinds of annotation files have.

    Attributes:
        background: the class of pixels that no shape covers; "_background_" names it too.
        score_background: whether segmentation scores count the background.
        stuff: names of classes without objects, separated by commas.
        others: the class of labels that classes.json lacks; "" refuses such labels.
        keep_unannotated: use photos without shapes, as scenes of background only.
        val_share: share of the photos to validate on if no photo is in a split.
        seed: of the choice of these photos.
    """

    background: str = "background"
    score_background: bool = False
    stuff: str = ""
    others: str = ""
    keep_unannotated: bool = False
    val_share: float = 0.1
    seed: int = 0

    def is_background(self, label: str) -> bool:
        """Return whether a label equals `background` or "_background_"; capitals do not matter."""
        return label.casefold() in (self.background.casefold(), "_background_")

    def class_name(self, label: str) -> str:
        """Return `background` if a shape's label names the background, else the label itself."""
        return self.background if self.is_background(label) else label


class UsageReport:
    """A count of the things that a reader used and left out; several threads may count."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._used: Counter[str] = Counter()
        self._places_left_out: dict[str, list[str]] = {}

    def count_used(self, kind: str, count: int = 1) -> None:
        """Add to the number of used things of a kind.

        Args:
            kind: the things' name in the plural, such as "polygons".
            count: the number to add.
        """
        with self._lock:
            self._used[kind] += count

    def count_left_out(self, kind: str, place: str) -> None:
        """Count one thing that was left out.

        Args:
            kind: the things' name in the plural, with the reason, such as "photos without a shape".
            place: the file or name of this thing, of which the report shows the first three.
        """
        with self._lock:
            self._places_left_out.setdefault(kind, []).append(place)

    def used(self, kind: str) -> int:
        """Return the number of used things of a kind; 0 for a kind that was never counted."""
        return self._used[kind]

    def lines(self) -> list[str]:
        """Return a line about all used things, then a line for each kind of thing left out.

        The first line is such as "used: 2 masks, 3 polygons", or "used: nothing". The other lines
        are sorted by kind, and each names the first three different places.
        """
        with self._lock:
            used = ", ".join(f"{n} {kind}" for kind, n in sorted(self._used.items()))
            left_out = [
                f"left out: {len(places)} {kind}: {_first_three(places)}"
                for kind, places in sorted(self._places_left_out.items())
            ]
        return [f"used: {used or 'nothing'}", *left_out]


def _first_three(places: list[str]) -> str:
    unique = sorted(set(places))
    more = f" and {len(unique) - 3} more" if len(unique) > 3 else ""
    return f"{', '.join(unique[:3])}{more}"


def source_data(
    photos: Sequence[AnnotatedPhoto],
    classes: ClassTable,
    options: AnnotationOptions,
    report: UsageReport,
    largest_first: bool = False,
) -> SourceData:
    """Return the scenes of annotated photos; maps are drawn when a scene is written.

    A photo without shapes is left out unless `options.keep_unannotated`. Scenes have a label map
    and the photo, and an instance map if any class is a thing. The splits are those that the photos
    name. If no photo names a split, `options.val_share` of the photos become "val", the others
    "train".

    Args:
        photos: all photos, with and without shapes.
        classes: a class for the background and for each label. A shape whose label is no class gets
            the label `options.others`.
        options: of the user.
        report: counts what is used and left out, now and when scenes are written.
        largest_first: see `draw_shapes`.

    Raises:
        UserError: no photo has a shape, a photo is annotated twice, two photos of a split would be
            one scene, only some photos name a split, or "train" or "val" would be empty.
    """
    names = {c.name for c in classes.classes}
    used = []
    for photo in photos:
        if photo.shapes or options.keep_unannotated:
            used.append(_rename_other_labels(photo, names, options.others, report))
        else:
            kind = "photos without a shape (keep_unannotated=true keeps)"
            report.count_left_out(kind, photo.location)
    if not any(photo.shapes for photo in used):
        left_out = "; ".join(report.lines()[1:])
        raise UserError(f"There is no shape to draw on any of {len(photos)} photos. {left_out}")
    _refuse_duplicates(used)
    for photo in used:
        for shape in photo.shapes:
            report.count_used(_plural(shape.kind))
    read = partial(
        _read,
        ids={c.name: c.id for c in classes.classes},
        background=options.background,
        things=things_of(classes),
        largest_first=largest_first,
        report=report,
    )
    splits = {
        split: [SourceScene(scene_name(photo.name), partial(read, photo)) for photo in members]
        for split, members in _divide(used, options).items()
    }
    return SourceData(splits, classes, partial(_summary, report, len(used)))


def _rename_other_labels(
    photo: AnnotatedPhoto, names: Collection[str], others: str, report: UsageReport
) -> AnnotatedPhoto:
    """Return a copy of a photo; shapes whose label is no class get the label `others`."""
    shapes = [s if s.label in names else replace(s, label=others) for s in photo.shapes]
    renamed = sum(shape.label not in names for shape in photo.shapes)
    if renamed:
        report.count_used(f"shapes of other labels, drawn as {others!r}", renamed)
    return replace(photo, shapes=shapes)


def count_unlisted(photos: Sequence[AnnotatedPhoto], report: UsageReport) -> None:
    """Report image files beside the annotated photos that no annotation file lists, as left out.

    Args:
        photos: the photos that annotation files list. Their folders are searched, without
            subfolders.
        report: counts each image file that is no photo in `photos`.
    """
    listed = {photo.image for photo in photos if isinstance(photo.image, Path)}
    for folder in sorted({path.parent for path in listed}):
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in EXTENSIONS and path not in listed and path.is_file():
                report.count_left_out("photos that no annotation file lists", str(path))


def _plural(kind: str) -> str:
    return f"{kind}es" if kind.endswith("x") else f"{kind}s"


def _summary(report: UsageReport, count: int) -> list[str]:
    lines = report.lines()
    earlier = count - report.used(_DRAWN)
    if earlier:
        lines.append(f"{earlier} photos were drawn before an interruption")
    return lines


def _refuse_duplicates(photos: Sequence[AnnotatedPhoto]) -> None:
    by_name: dict[tuple[str | None, str], AnnotatedPhoto] = {}
    by_file: dict[Path, AnnotatedPhoto] = {}
    for photo in photos:
        other = by_name.setdefault((photo.split, scene_name(photo.name)), photo)
        if other is not photo:
            raise UserError(
                f"{other.location} and {photo.location} would be the same scene "
                f"{scene_name(photo.name)!r}; rename or remove one."
            )
        if isinstance(photo.image, Path):
            other = by_file.setdefault(photo.image, photo)
            if other is not photo:
                raise UserError(
                    f"{photo.image} is annotated twice, in {other.place} and in {photo.place}; "
                    "remove one annotation."
                )


def _divide(
    photos: Sequence[AnnotatedPhoto], options: AnnotationOptions
) -> Mapping[str, list[AnnotatedPhoto]]:
    """Return the photos of each split, at least "train" and "val".

    A photo is in the split that it names. If no photo names a split, a hash of the names and of
    `options.seed` chooses the share `options.val_share` for "val"; the others are "train".
    """
    without = [photo for photo in photos if photo.split is None]
    chosen = set()
    if len(without) == len(photos):
        names = (photo.name for photo in photos)
        chosen = chosen_for_validation(names, options.val_share, str(options.seed))
    elif without:
        raise UserError(
            f"{len(without)} photos are in no split, such as {without[0].location}, and others "
            "are. Move them into train/ and val/, or all photos out of these folders."
        )
    splits: dict[str, list[AnnotatedPhoto]] = {"train": [], "val": []}
    for photo in photos:
        split = photo.split or ("val" if photo.name in chosen else "train")
        splits.setdefault(split, []).append(photo)
    for split in ("train", "val"):
        if not splits[split]:
            raise UserError(
                f"No annotated photo is in the split {split!r} (folders train and val, or valid). "
                "Without such folders a share of the photos is chosen (val_share)."
            )
    return splits


def _read(
    photo: AnnotatedPhoto,
    ids: Mapping[str, int],
    background: str,
    things: NDArray[np.bool_],
    largest_first: bool,
    report: UsageReport,
) -> Contents:
    image = photo.image if isinstance(photo.image, Path) else photo.image()
    height, width = image_size(image) if isinstance(image, Path) else image.shape[:2]
    _check_size(photo, (height, width))
    drawn = draw_shapes(photo.shapes, (height, width), ids, ids[background], largest_first)
    for shape, pixels, visible in zip(photo.shapes, drawn.pixels, drawn.visible, strict=True):
        if not pixels:
            report.count_left_out(
                f"{_plural(shape.kind)} that cover no pixel's centre", photo.place
            )
        elif not visible:
            report.count_left_out(f"{_plural(shape.kind)} that other shapes cover", photo.place)
    report.count_used(_DRAWN)
    contents: dict[str, Content] = {"label": drawn.label, "image": image}
    if things.any():
        contents["instance"] = number_instances(drawn.label, drawn.objects, things)
    return contents


def _check_size(photo: AnnotatedPhoto, size: Size) -> None:
    if photo.size is None or photo.size == size:
        return
    (height, width), (stated_height, stated_width) = size, photo.size
    raise UserError(
        f"{photo.place} was drawn on an image of {stated_width}x{stated_height}, but "
        f"{photo.location} is {width}x{height} (as it is shown, turned as its EXIF says). Put the "
        "photo there on which the shapes were drawn, or draw them anew."
    )

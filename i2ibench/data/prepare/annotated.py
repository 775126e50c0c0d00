"""Annotated photos: from their shapes and class names to scenes with label and instance maps."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from i2ibench.data.classes import ClassTable
from i2ibench.data.file_formats import EXTENSIONS
from i2ibench.data.image_files import image_size
from i2ibench.data.prepare.account import Account
from i2ibench.data.prepare.drawing import Shape, Size, draw
from i2ibench.data.prepare.raw import Content, RawData, RawScene, number_instances, things_of
from i2ibench.data.prepare.splits import chosen_for_validation
from i2ibench.errors import UserError

Photo = Path | Callable[[], NDArray[np.uint8]]
"""A file, or a function that gives the pixels [H,W,3] of a photo inside of an annotation file."""


@dataclass(frozen=True)
class AnnotatedPhoto:
    """A photo and the shapes on it.

    Attributes:
        name: the scene's name, in which "/" may stand.
        place: the annotation file, for messages.
        photo: where the photo is.
        shapes: in the order in which they are drawn.
        size: (height, width) as the annotation file states it; None where it does not.
        split: train, val or test; None where neither a folder nor the file says so.
    """

    name: str
    place: str
    photo: Photo
    shapes: Sequence[Shape]
    size: Size | None = None
    split: str | None = None


@dataclass(frozen=True)
class Choices:
    """The user's choices, the same for every kind of annotation file.

    Attributes:
        background: the name of the class of pixels that no shape covers.
        score_background: whether segmentation scores count this class.
        stuff: names of classes without objects, joined by commas.
        others: the class of labels that classes.json lacks; "" refuses them.
        keep_unannotated: use photos without any shape as scenes of background only.
        val_share: the share of the photos to validate on where they are in no split.
        seed: another one chooses others.
    """

    score_background: bool = False
    keep_unannotated: bool = False
    val_share: float = 0.1
    seed: int = 0
    background: str = "background"
    stuff: str = ""
    others: str = ""


def raw_data(
    photos: Sequence[AnnotatedPhoto],
    classes: ClassTable,
    choices: Choices,
    account: Account,
    largest_first: bool = False,
) -> RawData:
    """Return the scenes of annotated photos; maps are drawn when a scene is written.

    Args:
        photos: all photos, those without shapes too.
        classes: has a class for each label and the background.
        choices: of the user.
        account: gets what is used and what is left out.
        largest_first: see `draw`.

    Raises:
        UserError: no photo has a shape, two are one scene, or there is no training or validation
            data.
    """
    known = {c.name for c in classes.classes}
    used = [
        replace(photo, shapes=_among(known, photo.shapes, choices.others, account))
        for photo in photos
        if photo.shapes or choices.keep_unannotated
    ]
    for photo in photos:
        if not photo.shapes and not choices.keep_unannotated:
            account.leave_out("photos without a shape (keep_unannotated=true keeps)", _shown(photo))
    if not any(photo.shapes for photo in used):
        left_out = "; ".join(account.lines()[1:])
        raise UserError(f"There is no shape to draw on any of {len(photos)} photos. {left_out}")
    _refuse_doubles(used)
    for photo in used:
        for shape in photo.shapes:
            account.use(_plural(shape.kind))
    read = partial(
        _read,
        ids={c.name: c.id for c in classes.classes},
        background=choices.background,
        things=things_of(classes),
        largest_first=largest_first,
        account=account,
    )
    splits = {
        split: [RawScene(scene_name(photo.name), partial(read, photo)) for photo in members]
        for split, members in _divided(used, choices).items()
    }
    return RawData(splits, classes, partial(_closing, account, len(used)))


def _among(
    known: Collection[str], shapes: Sequence[Shape], others: str, account: Account
) -> list[Shape]:
    """Return shapes with labels that are classes: those that are none become `others`."""
    found = [s if s.label in known else replace(s, label=others) for s in shapes]
    changed = sum(shape.label not in known for shape in shapes)
    if changed:
        account.use(f"shapes of other labels, drawn as {others!r}", changed)
    return found


def count_unlisted(photos: Sequence[AnnotatedPhoto], account: Account) -> None:
    """Count the images that lie beside annotated photos and that no annotation file lists."""
    listed = {photo.photo for photo in photos if isinstance(photo.photo, Path)}
    for folder in sorted({path.parent for path in listed}):
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in EXTENSIONS and path not in listed and path.is_file():
                account.leave_out("photos that no annotation file lists", str(path))


def _plural(kind: str) -> str:
    return f"{kind}es" if kind.endswith("x") else f"{kind}s"


_DRAWN = "photos"


def _closing(account: Account, count: int) -> list[str]:
    lines = account.lines()
    earlier = count - account.used(_DRAWN)
    if earlier:
        lines.append(f"{earlier} photos were drawn before an interruption")
    return lines


def scene_name(name: str) -> str:
    """Return the name of a scene's files."""
    return name.replace("/", "_")


def _shown(photo: AnnotatedPhoto) -> str:
    return str(photo.photo) if isinstance(photo.photo, Path) else photo.place


def _refuse_doubles(photos: Sequence[AnnotatedPhoto]) -> None:
    by_name: dict[tuple[str | None, str], AnnotatedPhoto] = {}
    by_file: dict[Path, AnnotatedPhoto] = {}
    for photo in photos:
        other = by_name.setdefault((photo.split, scene_name(photo.name)), photo)
        if other is not photo:
            raise UserError(
                f"{_shown(other)} and {_shown(photo)} would be the same scene "
                f"{scene_name(photo.name)!r}; rename or remove one."
            )
        if isinstance(photo.photo, Path):
            other = by_file.setdefault(photo.photo, photo)
            if other is not photo:
                raise UserError(
                    f"{photo.photo} is annotated twice, in {other.place} and in {photo.place}; "
                    "remove one annotation."
                )


def _divided(
    photos: Sequence[AnnotatedPhoto], choices: Choices
) -> Mapping[str, list[AnnotatedPhoto]]:
    """Return the photos by split, as their folders or files say, or else by `val_share`.

    Raises:
        UserError: some are in a split and some in none, or a split is empty.
    """
    without = [photo for photo in photos if photo.split is None]
    if len(without) == len(photos):
        names = (photo.name for photo in photos)
        chosen = chosen_for_validation(names, choices.val_share, str(choices.seed))
        parts = [("val" if photo.name in chosen else "train", photo) for photo in photos]
    elif without:
        raise UserError(
            f"{len(without)} photos are in no split, such as {_shown(without[0])}, and others are. "
            "Move them into train/ and val/, or all photos out of these folders."
        )
    else:
        parts = [(str(photo.split), photo) for photo in photos]
    splits: dict[str, list[AnnotatedPhoto]] = {"train": [], "val": []}
    for split, photo in parts:
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
    account: Account,
) -> dict[str, Content]:
    image: Content = photo.photo if isinstance(photo.photo, Path) else photo.photo()
    height, width = image_size(image) if isinstance(image, Path) else image.shape[:2]
    _check_size(photo, (height, width))
    drawn = draw(photo.shapes, (height, width), ids, ids[background], largest_first)
    for shape, pixels, visible in zip(photo.shapes, drawn.pixels, drawn.visible, strict=True):
        if not pixels:
            account.leave_out(f"{_plural(shape.kind)} that cover no pixel's centre", photo.place)
        elif not visible:
            account.leave_out(f"{_plural(shape.kind)} that other shapes cover", photo.place)
    account.use(_DRAWN)
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
        f"{_shown(photo)} is {width}x{height} (as it is shown, turned as its EXIF says). Put the "
        "photo there on which the shapes were drawn, or draw them anew."
    )

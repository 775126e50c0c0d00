"""The data that readers of data sets return, and the helpers that readers share."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2ibench.data.classes import ClassTable, class_table
from i2ibench.errors import UserError

Content = Path | NDArray[Any]
"""One image of a scene: a file that is linked or copied, or pixels that are written as PNG."""

Contents = Mapping[str, Content]
"""The images of a scene by kind, such as "label", "instance" and "image"."""

FIRST_INSTANCE = 256
"""The lowest id of an object in prepared instance maps; smaller values are class ids."""


@dataclass(frozen=True)
class SourceScene:
    """A scene that is not prepared yet.

    Attributes:
        name: of its files in all folders.
        read: returns the scene's images; it is called when the scene is written.
    """

    name: str
    read: Callable[[], Contents]


@dataclass(frozen=True)
class SourceData:
    """A data set that is not prepared yet.

    Attributes:
        splits: the scenes of each split.
        classes: of the label maps; empty if there are none.
        summary: returns lines for the user about what was used and left out. It is called when all
            scenes are written.
    """

    splits: Mapping[str, Sequence[SourceScene]]
    classes: ClassTable = field(default_factory=lambda: class_table(()))
    summary: Callable[[], list[str]] = list


@dataclass(frozen=True)
class DatasetReader:
    """A data set that `prepare_data` can prepare.

    Attributes:
        read: reads the user's folder and returns its data. Its other parameters are the options of
            the data set, unless `options` is given.
        obtain: what to download from where, its size, and how it is laid out.
        config: the config that trains on the data; None if users write their own.
        options: a class whose parameters are the options; `read` takes an instance of the class.
        editable_files: returns the files in the user's folder that the user may edit, such as
            annotations. Editing them makes another data set. None for a publisher's files.
    """

    read: Callable[..., SourceData]
    obtain: str
    config: str | None = None
    options: Callable[..., Any] | None = None
    editable_files: Callable[[Path], Sequence[Path]] | None = None

    def load(self, source: Path, options: Mapping[str, Any]) -> SourceData:
        """Return the data set in the folder `source`, read with the given options.

        Args:
            source: the folder of the publisher's or user's files.
            options: by name; the reader's defaults apply to the others. They are not checked here.

        Raises:
            UserError: see the function `read`.
        """
        if self.options is not None:
            return self.read(source, self.options(**options))
        return self.read(source, **options)


def scene_name(name: str) -> str:
    """Return a scene's name for its files: the given name with "_" in place of each "/"."""
    return name.replace("/", "_")


def scenes_of_images(
    files: Mapping[str, Path], read: Callable[[Path], Contents]
) -> list[SourceScene]:
    """Return one scene for each image file; a file is only read when its scene is written.

    Args:
        files: by name. "/" in a name becomes "_" in the name of the scene.
        read: is called with the file when the scene is written. It returns the scene's images by
            kind, such as "source" and "image", each a file or pixels.
    """
    return [SourceScene(scene_name(name), partial(read, path)) for name, path in files.items()]


def scenes_of_pairs(
    maps: Sequence[Path],
    photos: Sequence[Path],
    obtain: str,
    read: Callable[[Path, Path], Contents],
) -> list[SourceScene]:
    """Return one scene for each map and the photo at the same position; the maps are not read now.

    Args:
        maps: files of label maps.
        photos: files of photos, as many as maps. Their names without ending become the scenes'
            names.
        obtain: the message's text that says how to obtain missing photos.
        read: is called with the map and the photo when the scene is written. It returns the scene's
            images by kind, such as "label" and "image", each a file or pixels.

    Raises:
        UserError: a photo is missing.
    """
    require_all(photos, obtain)
    pairs = zip(maps, photos, strict=True)
    return [SourceScene(photo.stem, partial(read, path, photo)) for path, photo in pairs]


def use_as_published(label: Path, photo: Path) -> Contents:
    """Return the two files as the images "label" and "image" of a scene, to be linked or copied."""
    return {"label": label, "image": photo}


def chosen_for_validation(names: Iterable[str], share: float, salt: str = "") -> set[str]:
    """Return the names of the scenes to validate on: those with the smallest hashes.

    At least one name is chosen and at least one is not. Adding or removing names changes the choice
    of few other names.

    Args:
        names: of all scenes.
        share: of the names that is chosen, between 0 and 1, both excluded.
        salt: is hashed with the names; another salt gives another choice.

    Raises:
        UserError: the share is not between 0 and 1, or there are fewer than two names.
    """
    if not 0 < share < 1:
        raise UserError(f"val_share lies between 0 and 1, not {share!r}.")
    order = sorted(names, key=lambda name: hashlib.sha256((salt + name).encode()).hexdigest())
    if len(order) < 2:
        raise UserError(
            "There are fewer than two photos, and at least one is trained and one validated on. "
            "Add photos."
        )
    return set(order[: min(max(round(share * len(order)), 1), len(order) - 1)])


def number_instances(
    label: NDArray[np.integer], objects: NDArray[np.integer], things: NDArray[np.bool_]
) -> NDArray[np.uint16]:
    """Return an instance map, uint16 [H,W], made from class ids and numbers of objects.

    A pixel of an object of a thing gets the object's new number, 256 or more. Every other pixel
    keeps its class id. An object that covers several classes becomes one object in each class.

    Args:
        label: class ids [H,W].
        objects: any non-negative number per object [H,W], below 2**40; 0 where a thing is no single
            object. Numbers on classes that are no things are ignored.
        things: by class id, whether the class is a thing, bool [256] or longer. New numbers begin
            at its length.

    Raises:
        UserError: a 16-bit image cannot number so many objects.
    """
    within = things[label] & (objects > 0)
    keys, numbers = unique_of_runs(
        label[within].astype(np.int64) << 40 | objects[within].astype(np.int64)
    )
    first = max(FIRST_INSTANCE, len(things))
    if len(keys) > 2**16 - first:
        raise UserError(f"A scene has {len(keys)} objects, more than a 16-bit PNG can number.")
    instance = label.astype(np.uint16)
    instance[within] = first + numbers
    return instance


def unique_of_runs(values: NDArray[np.integer]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Return what `np.unique(values, return_inverse=True)` returns, faster for long runs.

    Only one value of each run of equal values is sorted; maps have few runs.

    Args:
        values: [N].

    Returns:
        The sorted distinct values, and for each value its position among them [N].
    """
    starts = np.flatnonzero(np.concatenate([[values.size > 0], values[1:] != values[:-1]]))
    unique, inverse = np.unique(values[starts], return_inverse=True)
    return unique, np.repeat(inverse, np.diff(np.append(starts, values.size)))


def things_of(classes: ClassTable) -> NDArray[np.bool_]:
    """Return a lookup table by class id, bool [256] or longer, which is True for things."""
    things = np.zeros(classes.num_values, bool)
    things[[c.id for c in classes.classes if c.thing]] = True
    return things


def unpacked(source: Path, name: str) -> Path:
    """Return the folder of an unpacked archive: `source/name` if it exists, else `source`."""
    inner = source / name
    return inner if inner.is_dir() else source


def require(path: Path, obtain: str) -> Path:
    """Return `path` after a check that this file or folder exists.

    Raises:
        UserError: the path does not exist; the message ends with the text `obtain`.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist. {obtain}")
    return path


def require_all(paths: Sequence[Path], obtain: str) -> None:
    """Check that all files of a download exist.

    Args:
        paths: the files; folders do not count.
        obtain: text that says how to obtain the files, for the message.

    Raises:
        UserError: files do not exist; the first three are named.
    """
    missing = [path for path in paths if not path.is_file()]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise UserError(f"Missing: {', '.join(map(str, missing[:3]))}{more}. {obtain}")

"""The scenes of the data that can be opened, and the silhouettes of their things."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from i2ibench.apps.editor.classes import Classes
from i2ibench.apps.editor.instances import list_instances
from i2ibench.apps.editor.rasterise import Mask, tight
from i2ibench.apps.editor.scene import Scene
from i2ibench.apps.editor.scene_files import new_scene
from i2ibench.data.loaders import build_dataset
from i2ibench.data.scene_search import find_inputs
from i2ibench.data.scenes import Scenes
from i2ibench.errors import UserError
from i2ibench.inference.checkpoints import OpenedCheckpoint, building_from
from i2ibench.models.ops.images import pixels_of, to_displayable

EMPTY = "empty canvas"
EMPTY_SIZE = (256, 512)
HOW_TO_NAME_DATA = "start the editor with --data FOLDER, or drop a label map here."
SCENES_READ = 40
"""The most scenes that silhouettes are taken from."""
PER_CLASS = 12
SMALLEST_AREA = 48
SMALLEST_SHARE = 0.35
"""The smallest share of its box that a silhouette covers. With less, it is usually occluded."""


@dataclass(frozen=True)
class OpenedScene:
    """A scene to edit, with its photo.

    Attributes:
        scene: the scene.
        photo: the real image, uint8 [H,W,3]; None if there is none.
        notes: messages for the user: what had to be changed in the maps, or why the canvas is
            empty.
    """

    scene: Scene
    photo: NDArray[np.uint8] | None
    notes: list[str]


class Library:
    """The scenes that can be opened, by name. A scene's files are read each time it is opened.

    Without scenes, an empty canvas of the name EMPTY can be opened.

    Args:
        scenes: the scenes of the data; None if there is no data.
        classes: the classes of the checkpoint.
        why_empty: the note that comes with the empty canvas.
    """

    def __init__(self, scenes: Scenes | None, classes: Classes, why_empty: str = "") -> None:
        self.classes = classes
        self._scenes, self._why_empty = scenes, why_empty
        files = scenes.files if scenes is not None else []
        self._index = {scene.name: number for number, scene in enumerate(files)}

    @property
    def names(self) -> list[str]:
        """Return the names of all scenes, in the data's order; only EMPTY if there is no scene."""
        return list(self._index) or [EMPTY]

    def open(self, name: str) -> OpenedScene:
        """Read the files of the scene with this name and return the scene with its photo.

        The instances are derived from the label map if there is no instance map. An instance id of
        several classes is split into one id per class, with a note. If the data has no scenes, the
        name EMPTY returns an empty canvas.

        Raises:
            UserError: there is no scene of this name, one of its files is broken, its files differ
                in size, or the scene is too large or has too many instances.
        """
        if name == EMPTY and not self._index:
            return self._blank(self._why_empty)
        if self._scenes is None or name not in self._index:
            raise UserError(f"There is no scene {name[:100]!r} in the data.")
        sample = self._scenes.read(self._index[name])
        instance = sample["instance"][0].numpy() if "instance" in sample else None
        scene, notes = new_scene(name, sample["label"][0].numpy(), instance, self.classes)
        photo = pixels_of(to_displayable(sample["image"])) if "image" in sample else None
        return OpenedScene(scene, photo, notes)

    def first(self) -> OpenedScene:
        """Read the first scene of the data; return an empty canvas if the data has no scenes.

        If the scene cannot be read, the result is an empty canvas too, with a note that says why.
        """
        try:
            return self.open(self.names[0])
        except UserError as error:
            return self._blank(
                f"{str(error).rstrip('.')}. Open another scene; this is an empty canvas."
            )

    def photo(self, name: str) -> NDArray[np.uint8] | None:
        """Read a scene by name and return its photo, uint8 [H,W,3].

        The result is None if the scene has no photo, does not exist or cannot be read.
        """
        with contextlib.suppress(UserError):
            return self.open(name).photo
        return None

    def _blank(self, note: str) -> OpenedScene:
        label = np.full(EMPTY_SIZE, self.classes.canvas, np.uint8)
        scene, _ = new_scene(EMPTY, label, None, self.classes)
        return OpenedScene(scene, None, [note] if note else [])

    def spread(self, number: int) -> Iterator[OpenedScene]:
        """Read up to `number` scenes, evenly spread over the data, and yield them one by one.

        If the data has no scenes, the empty canvas is yielded.

        Raises:
            UserError: a scene cannot be read, see `open`.
        """
        step = max(-(-len(self.names) // number), 1)
        for name in self.names[::step]:
            yield self.open(name)


def open_library(opened: OpenedCheckpoint, classes: Classes, folder: Path | None) -> Library:
    """Find the scenes that can be opened: those of a folder, or the checkpoint's validation data.

    If no folder is given and the folder of the validation data is unknown or missing, the result
    has no scenes but an empty canvas, whose note says so. Scenes are read later, when they are
    opened.

    Args:
        opened: the checkpoint.
        classes: the classes of the checkpoint.
        folder: a folder of label maps in a layout that `find_inputs` knows; None for the validation
            data of the checkpoint's config.

    Raises:
        UserError: the folder does not exist, has no scenes, or has files without a partner; the
            validation data cannot be built from the config, or has other classes than the
            checkpoint.
    """
    if folder is not None:
        return Library(Scenes(find_inputs(folder), classes.table()), classes)
    loader, root = opened.config.get("val_dataloader"), opened.config.get("data_root")
    own = (loader or {}).get("dataset", {}).get("root", root)
    if loader is None or own is None or not Path(str(own)).is_dir():
        place = f"not at {own}" if own is not None else "not known"
        return Library(None, classes, f"The checkpoint's data is {place}: {HOW_TO_NAME_DATA}")
    with building_from(opened.path):
        dataset = build_dataset(loader, root)
    if dataset.metainfo["classes"] != list(classes.names):
        raise UserError(f"The data in {own} has other classes than {opened.path}; name --data.")
    return Library(dataset.scenes, classes)


@dataclass(frozen=True)
class Stamp:
    """A silhouette: the shape of a real object, which the user can add to a scene.

    Attributes:
        name: the class and a number from 1 on, such as "car 3".
        label: the number of the class.
        mask: bool [h,w], True on the object, without empty margins.
    """

    name: str
    label: int
    mask: Mask


class Stamps:
    """The silhouettes of objects in the data, at most PER_CLASS of a class.

    They are collected at the first use, from at most SCENES_READ scenes.

    Args:
        library: the scenes to take silhouettes from.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self._by_name: dict[str, Stamp] | None = None

    def of_class(self, label: int) -> list[Stamp]:
        """Return the silhouettes of objects of a class, the largest first; [] if there are none.

        The first call of `of_class` or `mask` reads the scenes.

        Args:
            label: the number of the class.

        Raises:
            UserError: a scene cannot be read.
        """
        return [stamp for stamp in self._all().values() if stamp.label == label]

    def mask(self, name: str) -> Mask:
        """Return the mask, bool [h,w], of the silhouette with this name, such as "car 3".

        The first call of `of_class` or `mask` reads the scenes.

        Raises:
            UserError: there is no such silhouette, or a scene cannot be read.
        """
        if name not in self._all():
            raise UserError(f"There is no silhouette {name[:100]!r}.")
        return self._all()[name].mask

    def _all(self) -> dict[str, Stamp]:
        if self._by_name is None:
            classes = self._library.classes
            masks: dict[int, list[Mask]] = {}
            for opened in self._library.spread(SCENES_READ):
                for label, mask in _silhouettes(opened.scene, classes.things):
                    masks.setdefault(label, []).append(mask)
            stamps = [
                Stamp(f"{classes.names[label]} {number}", label, mask)
                for label, found in sorted(masks.items())
                for number, mask in enumerate(_varied(found), 1)
            ]
            self._by_name = {stamp.name: stamp for stamp in stamps}
        return self._by_name


def _silhouettes(scene: Scene, things: tuple[bool, ...]) -> list[tuple[int, Mask]]:
    """Return (class number, mask) of the instances that are good silhouettes, by instance id.

    An instance is left out if its class is no thing, if it touches the border of the canvas, or if
    it has fewer than SMALLEST_AREA pixels or less than SMALLEST_SHARE of its box.
    """
    table = list_instances(scene.label, scene.instance)
    height, width = scene.size
    silhouettes = []
    for i, label, area, (x, y, w, h) in zip(
        table.ids, table.labels, table.areas, table.boxes, strict=True
    ):
        inside = x > 0 and y > 0 and x + w < width and y + h < height
        large = area >= max(SMALLEST_AREA, SMALLEST_SHARE * w * h)
        if things[label] and inside and large:
            silhouettes.append((int(label), tight(scene.instance[y : y + h, x : x + w] == i).mask))
    return silhouettes


def _varied(masks: list[Mask]) -> list[Mask]:
    """Return up to PER_CLASS masks that are evenly spread over the masks' sizes, largest first.

    The largest and the smallest mask are among them.
    """
    ordered = sorted(masks, key=lambda mask: -int(mask.sum()))
    picked = np.unique(np.linspace(0, len(ordered) - 1, PER_CLASS).round().astype(int))
    return [ordered[i] for i in picked]

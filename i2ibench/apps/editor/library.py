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
    """A scene to edit.

    Attributes:
        scene: the scene.
        photo: the real image, uint8 [H,W,3]; None if there is none.
        notes: messages about what had to be changed in the maps.
    """

    scene: Scene
    photo: NDArray[np.uint8] | None
    notes: list[str]


class Library:
    """The scenes of the data by name. Without scenes, it offers an empty canvas.

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
        """Return the names of the scenes, in order."""
        return list(self._index) or [EMPTY]

    def open(self, name: str) -> OpenedScene:
        """Return the scene of a name, with its photo.

        Raises:
            UserError: there is no such scene, or its files are unusable.
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
        """Return the first scene; if it cannot be opened, an empty canvas with a note why."""
        try:
            return self.open(self.names[0])
        except UserError as error:
            return self._blank(
                f"{str(error).rstrip('.')}. Open another scene; this is an empty canvas."
            )

    def photo(self, name: str) -> NDArray[np.uint8] | None:
        """Return the photo of a scene, uint8 [H,W,3]; None if there is none."""
        with contextlib.suppress(UserError):
            return self.open(name).photo
        return None

    def _blank(self, note: str) -> OpenedScene:
        label = np.full(EMPTY_SIZE, self.classes.canvas, np.uint8)
        scene, _ = new_scene(EMPTY, label, None, self.classes)
        return OpenedScene(scene, None, [note] if note else [])

    def spread(self, number: int) -> Iterator[OpenedScene]:
        """Yield up to `number` scenes, evenly spread over the data."""
        step = max(-(-len(self.names) // number), 1)
        for name in self.names[::step]:
            yield self.open(name)


def open_library(opened: OpenedCheckpoint, classes: Classes, folder: Path | None) -> Library:
    """Return the scenes of a folder.

    Args:
        opened: the checkpoint.
        classes: the classes of the checkpoint.
        folder: a folder that `find_inputs` can read; None for the validation data of the
            checkpoint's config.

    Raises:
        UserError: the folder has no scenes, or the data has other classes than the checkpoint.
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
    """A silhouette bool [h,w] of a thing class."""

    name: str
    label: int
    mask: Mask


class Stamps:
    """The silhouettes of the data. They are collected at the first use.

    Args:
        library: the scenes to take silhouettes from.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self._by_name: dict[str, Stamp] | None = None

    def of_class(self, label: int) -> list[Stamp]:
        """Return the silhouettes of a class, the largest first."""
        return [stamp for stamp in self._all().values() if stamp.label == label]

    def mask(self, name: str) -> Mask:
        """Return the silhouette of a name.

        Raises:
            UserError: there is no such silhouette.
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
    """Return class and silhouette of the things that do not touch the border of the canvas."""
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
    """Return up to PER_CLASS silhouettes of different sizes, the largest first."""
    ordered = sorted(masks, key=lambda mask: -int(mask.sum()))
    picked = np.unique(np.linspace(0, len(ordered) - 1, PER_CLASS).round().astype(int))
    return [ordered[i] for i in picked]

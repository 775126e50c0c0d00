"""The data set ToyStreet: scenes are drawn once by a program, then read like Cityscapes."""

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from i2ibench.data.classes import CITYSCAPES_CLASSES, ClassTable
from i2ibench.data.datasets.cityscapes import find_scenes
from i2ibench.data.scenes import SceneFiles, Scenes
from i2ibench.data.toystreet.appearances import read_appearances
from i2ibench.data.toystreet.render import render_scene
from i2ibench.errors import UserError
from i2ibench.io.files import read_json, write_image, write_text
from i2ibench.io.folder_locks import lock_target
from i2ibench.io.progress import Progress
from i2ibench.registry import DATASETS, options_of
from i2ibench.registry.contracts import Dataset
from i2ibench.structures import Appearance

FIRST_INDEX = {"train": 0, "val": 1_000_000, "test": 2_000_000}
"""The number of the first scene of each split; no scene is in two splits."""


@DATASETS.register_module()
class ToyStreet(Dataset):
    """A data set of street scenes drawn by a program, in the layout of Cityscapes.

    `prepare` draws the scenes. A JSON file beside each scene holds the true appearance of each
    instance: car colour, road texture, wall colour and time of day.

    Args:
        root: the folder of the scenes.
        split: train, val or test.
        num_scenes: the number of scenes.
        width, height: the size in pixels.
        scene_seed: the seed of the streets, on which the drawing depends deterministically.
        transforms: configs of registered transforms.
        seed: the seed of random transforms.

    Raises:
        UserError: the scenes are not drawn yet, or were drawn with other settings.
    """

    records_appearances = True

    def __init__(
        self,
        root: str,
        split: str = "train",
        num_scenes: int = 200,
        width: int = 256,
        height: int = 128,
        scene_seed: int = 0,
        transforms: Sequence[Mapping[str, Any]] = (),
        seed: int = 0,
    ) -> None:
        if not StreetSplit(Path(root), split, num_scenes, width, height, scene_seed).is_drawn():
            raise UserError(
                f"{root} does not hold the {split} split of ToyStreet, or not all of it. To draw "
                f"it: i2ibench prepare_data toystreet {shlex.quote(str(root))} --options "
                f"split={split} num_scenes={num_scenes} width={width} height={height} "
                f"scene_seed={scene_seed}"
            )
        files = [replace(f, attributes=_attributes_of(f)) for f in find_scenes(Path(root), split)]
        self.scenes = Scenes(files, CITYSCAPES_CLASSES, transforms, seed)
        self.metainfo = CITYSCAPES_CLASSES.metainfo("ToyStreet")

    @classmethod
    def prepare(cls, options: Mapping[str, Any]) -> Path:
        """Draw all scenes of the split unless all are drawn; return the folder of the photos.

        The folder is `root/leftImg8bit/SPLIT`.

        Args:
            options: the constructor's options; defaults may be left out.

        Raises:
            UserError: the split is unknown, or the folder holds scenes drawn with other settings.
        """
        value = {name: options.get(name, p.default) for name, p in options_of(cls).items()}
        root, *settings = (value[field.name] for field in fields(StreetSplit))
        streets = StreetSplit(Path(root), *settings)
        if not streets.is_drawn():
            with Progress(f"drawing {streets.split} scenes", streets.num_scenes) as progress:
                streets.draw(progress.advance)
        return streets.root / "leftImg8bit" / streets.split

    @classmethod
    def static_info(cls, options: Mapping[str, Any]) -> tuple[ClassTable, tuple[int, int]]:
        """Return Cityscapes' classes and the images' (width, height), without drawing scenes.

        Args:
            options: the constructor's options; only width and height matter.
        """
        defaults = options_of(cls)
        width, height = (options.get(x, defaults[x].default) for x in ("width", "height"))
        return CITYSCAPES_CLASSES, (width, height)

    def appearances(self, index: int) -> dict[int, Appearance]:
        """Read the true appearance of each instance of a scene and return them by instance id.

        Args:
            index: the index of the scene.

        Raises:
            UserError: the scene's attributes file is missing or damaged.
        """
        path = self.scenes.files[index].attributes
        assert path is not None
        try:
            return read_appearances(read_json(path))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f"{path} cannot be read ({error!r}); delete the split's folders and its "
                "toystreet_<split>.json to have it drawn anew."
            ) from None


def _attributes_of(files: SceneFiles) -> Path:
    """Return the path of the attributes file beside a scene's label map; it need not exist."""
    assert files.label is not None
    return files.label.with_name(files.label.name.replace("_labelIds.png", "_attributes.json"))


def drawn_streets(
    root: Path | str,
    split: str = "train",
    num_scenes: int = 200,
    width: int = 256,
    height: int = 128,
    **others: Any,
) -> ToyStreet:
    """Draw all scenes of a split unless all are drawn, and return the data set; for use in Python.

    Args:
        root: the folder of the scenes.
        split, num_scenes, width, height: see `ToyStreet`.
        others: other options of `ToyStreet`.

    Raises:
        UserError: see `ToyStreet`.
    """
    size = {"num_scenes": num_scenes, "width": width, "height": height}
    options = {"root": str(root), "split": split, **size, **others}
    ToyStreet.prepare(options)
    return ToyStreet(**options)


@dataclass(frozen=True)
class StreetSplit:
    """The scenes of a split below a root folder, and the settings that they are drawn with.

    The file `toystreet_<split>.json` in the root holds the settings of the scenes in the folder,
    and whether all of them are drawn.

    Args:
        root, split, num_scenes, width, height, scene_seed: see `ToyStreet`.

    Raises:
        UserError: the split is unknown, or there is no scene to draw.
    """

    root: Path
    split: str
    num_scenes: int
    width: int
    height: int
    scene_seed: int = 0

    def __post_init__(self) -> None:
        if self.split not in FIRST_INDEX:
            names = ", ".join(FIRST_INDEX)
            raise UserError(f"ToyStreet has the splits {names}, not {self.split!r}.")
        if self.num_scenes < 1:
            raise UserError(f"ToyStreet draws at least one scene, not {self.num_scenes}.")

    @property
    def settings(self) -> dict[str, Any]:
        """Return the settings that the split's scenes depend on, as JSON values.

        The keys are "num_scenes", "size" ([width, height]) and "scene_seed".
        """
        size = [self.width, self.height]
        return {"num_scenes": self.num_scenes, "size": size, "scene_seed": self.scene_seed}

    @property
    def manifest(self) -> Path:
        """Return the path of the split's settings file, `root/toystreet_SPLIT.json`."""
        return self.root / f"toystreet_{self.split}.json"

    def is_drawn(self) -> bool:
        """Return whether all scenes of the split are drawn, according to its manifest.

        The files of the scenes are not looked at. The result is False without a manifest.

        Raises:
            UserError: the root holds scenes with other settings, or the manifest is damaged.
        """
        drawn = self._read_manifest()
        complete = drawn.pop("complete", False)
        if drawn and drawn != self.settings:
            raise UserError(
                f"{self.root} holds a ToyStreet {self.split} split drawn with {drawn}, but "
                f"{self.settings} is asked for. Choose another data_root or delete that folder."
            )
        return complete

    def draw(self, on_scene: Callable[[], None] | None = None) -> None:
        """Draw all scenes of the split and its manifest, unless all are drawn.

        After an interruption all scenes are drawn again. Other processes that call this wait
        meanwhile.

        Args:
            on_scene: called after each scene.

        Raises:
            UserError: see `is_drawn`.
        """
        with lock_target(self.manifest.with_suffix(""), "drawing scenes", wait=True):
            if self.is_drawn():
                return
            write_text(self.manifest, json.dumps({**self.settings, "complete": False}))
            for number in range(self.num_scenes):
                self._draw_scene(number)
                if on_scene is not None:
                    on_scene()
            write_text(self.manifest, json.dumps({**self.settings, "complete": True}))

    def _read_manifest(self) -> dict[str, Any]:
        """Return the content of the split's manifest, {} if it is missing."""
        if not self.manifest.is_file():
            return {}
        try:
            return dict(read_json(self.manifest))
        except (ValueError, TypeError) as error:
            raise UserError(f"{self.manifest} is damaged ({error}); delete its folder.") from None

    def _draw_scene(self, number: int) -> None:
        index = FIRST_INDEX[self.split] + number
        scene = render_scene(self.scene_seed, index, self.width, self.height)
        stem = f"toytown_{number:06d}_000000"
        truth = self.root / "gtFine" / self.split / "toytown" / f"{stem}_gtFine"
        photos = self.root / "leftImg8bit" / self.split / "toytown"
        write_image(photos / f"{stem}_leftImg8bit.png", scene.image)
        write_image(Path(f"{truth}_labelIds.png"), scene.label)
        write_image(Path(f"{truth}_instanceIds.png"), scene.instance.astype(np.uint16))
        write_text(Path(f"{truth}_attributes.json"), json.dumps(scene.attributes, indent=1))

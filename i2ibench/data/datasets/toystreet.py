"""The ToyStreet data set: draws its scenes once, then reads them like Cityscapes."""

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from i2ibench.data.classes import CITYSCAPES_CLASSES, ClassTable
from i2ibench.data.datasets.cityscapes import find_scenes
from i2ibench.data.scenes import SceneFiles, Scenes
from i2ibench.data.toystreet.attributes import read_appearances
from i2ibench.data.toystreet.render import render_scene
from i2ibench.errors import UserError
from i2ibench.io.files import read_json, write_image, write_text
from i2ibench.io.folder_locks import lock_target
from i2ibench.io.progress import Progress
from i2ibench.registry import DATASETS, options_of
from i2ibench.registry.contracts import Dataset
from i2ibench.structures import Appearance

FIRST_INDEX = {"train": 0, "val": 1_000_000, "test": 2_000_000}
"""Where the scene numbers of each split begin, so that no scene is in two splits."""


@DATASETS.register_module()
class ToyStreet(Dataset):
    """Street scenes drawn by a program, on disk in the Cityscapes layout with Cityscapes ids.

    Scenes that are not there yet are drawn by `prepare`. The true appearance of each instance
    (car colour, road texture, wall colour, time of day) stands in a JSON file beside each scene.

    Args:
        root: where the scenes are.
        split: train, val or test.
        num_scenes: how many.
        width, height: size in pixels.
        scene_seed: which streets; the drawing is deterministic in it.
        transforms: configs of registered transforms.
        seed: for random transforms.

    Raises:
        UserError: the scenes are not drawn yet, or the root holds scenes that were drawn with
            other settings.
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
        if not is_drawn(Path(root), split, num_scenes, (width, height), scene_seed):
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
        """Draw the scenes of the split that are not there yet; return the folder of the photos."""
        value = {name: options.get(name, p.default) for name, p in options_of(cls).items()}
        root, size = Path(value["root"]), (value["width"], value["height"])
        streets = (root, value["split"], value["num_scenes"], size, value["scene_seed"])
        if not is_drawn(*streets):
            with Progress(f"drawing {value['split']} scenes", value["num_scenes"]) as progress:
                draw_split(*streets, on_scene=progress.advance)
        return root / "leftImg8bit" / str(value["split"])

    @classmethod
    def static_info(cls, options: Mapping[str, Any]) -> tuple[ClassTable, tuple[int, int]]:
        """Its classes, and the (width, height) of its images, without drawing any."""
        defaults = options_of(cls)
        width, height = (options.get(x, defaults[x].default) for x in ("width", "height"))
        return CITYSCAPES_CLASSES, (width, height)

    def appearances(self, index: int) -> dict[int, Appearance]:
        """Return by id how the instances of a scene truly look.

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
    """Return the path of a scene's attributes, which lie beside its label map."""
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
    """Return the data set, its scenes drawn if they were not there; for use in Python.

    Args:
        root: where the scenes are, or will be.
        split, num_scenes, width, height: see `ToyStreet`.
        others: its other options.

    Raises:
        UserError: see `ToyStreet` and `draw_split`.
    """
    size = {"num_scenes": num_scenes, "width": width, "height": height}
    options = {"root": str(root), "split": split, **size, **others}
    ToyStreet.prepare(options)
    return ToyStreet(**options)


def draw_split(
    root: Path,
    split: str,
    num_scenes: int,
    size: tuple[int, int],
    scene_seed: int = 0,
    on_scene: Callable[[], None] | None = None,
) -> None:
    """Draw the scenes of a split below `root`, unless they are there already.

    The file `toystreet_<split>.json` tells what is being drawn and whether all of it is there.

    Args:
        root: the data set's folder.
        split: train, val or test.
        num_scenes: how many.
        size: (width, height) in pixels.
        scene_seed: which streets.
        on_scene: called after each scene.

    Raises:
        UserError: unknown split, or the split is there with other settings.
    """
    with lock_target(root / f"toystreet_{split}", "drawing scenes", wait=True):
        if not is_drawn(root, split, num_scenes, size, scene_seed):
            _draw(root, split, num_scenes, size, scene_seed, on_scene)


def _draw(
    root: Path,
    split: str,
    num_scenes: int,
    size: tuple[int, int],
    scene_seed: int,
    on_scene: Callable[[], None] | None,
) -> None:
    """Draw the scenes of a split that this process owns."""
    settings = {"num_scenes": num_scenes, "size": list(size), "scene_seed": scene_seed}
    manifest = root / f"toystreet_{split}.json"
    write_text(manifest, json.dumps({**settings, "complete": False}))
    for number in range(num_scenes):
        _draw_scene(root, split, number, size, scene_seed)
        if on_scene is not None:
            on_scene()
    write_text(manifest, json.dumps({**settings, "complete": True}))


def is_drawn(
    root: Path, split: str, num_scenes: int, size: tuple[int, int], scene_seed: int = 0
) -> bool:
    """Return whether the whole split is there.

    Raises:
        UserError: unknown split, no scenes asked for, or it is there with other settings.
    """
    if split not in FIRST_INDEX:
        raise UserError(f"ToyStreet has the splits {', '.join(FIRST_INDEX)}, not {split!r}.")
    if num_scenes < 1:
        raise UserError(f"ToyStreet draws at least one scene, not {num_scenes}.")
    settings = {"num_scenes": num_scenes, "size": list(size), "scene_seed": scene_seed}
    drawn = _read_manifest(root / f"toystreet_{split}.json")
    complete = drawn.pop("complete", False)
    if drawn and drawn != settings:
        raise UserError(
            f"{root} holds a ToyStreet {split} split drawn with {drawn}, but {settings} is asked "
            "for. Choose another data_root or delete that folder."
        )
    return complete


def _read_manifest(manifest: Path) -> dict[str, Any]:
    """Return the contents of the manifest; nothing if there is none.

    Raises:
        UserError: it cannot be read.
    """
    if not manifest.is_file():
        return {}
    try:
        return dict(read_json(manifest))
    except (ValueError, TypeError) as error:
        raise UserError(f"{manifest} is damaged ({error}); delete its folder.") from None


def _draw_scene(
    root: Path, split: str, number: int, size: tuple[int, int], scene_seed: int
) -> None:
    scene = render_scene(scene_seed, FIRST_INDEX[split] + number, *size)
    stem = f"toytown_{number:06d}_000000"
    truth = root / "gtFine" / split / "toytown" / f"{stem}_gtFine"
    photo = root / "leftImg8bit" / split / "toytown" / f"{stem}_leftImg8bit.png"
    write_image(photo, scene.image)
    write_image(Path(f"{truth}_labelIds.png"), scene.label)
    write_image(Path(f"{truth}_instanceIds.png"), scene.instance.astype(np.uint16))
    write_text(Path(f"{truth}_attributes.json"), json.dumps(scene.attributes, indent=1))

"""What a study is made from: scenes, files that are there already, and objects to highlight."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from i2ibench.apps.study.define.definition import Definition, Method
from i2ibench.apps.study.define.regions import Mask, class_channels, find_objects
from i2ibench.data.classes import CITYSCAPES_CLASSES, ClassTable
from i2ibench.data.datasets.paired_folder import read_classes
from i2ibench.data.file_search import files_by_name
from i2ibench.data.inputs import find_inputs
from i2ibench.data.scenes import SceneFiles
from i2ibench.errors import UserError
from i2ibench.evaluation.image_sources import pair_images
from i2ibench.inference import InferenceOptions
from i2ibench.inference.checkpoints import latest_checkpoint, open_checkpoint
from i2ibench.io.progress import say, track
from i2ibench.io.provenance import sha256

Images = Mapping[str, Path]
"""By scene the file of one method."""

WAY_OUT = "scenes=dict(folder=...)"


@dataclass(frozen=True)
class Sources:
    """What a study is made from.

    Attributes:
        scenes: by name, in order.
        given: by method the files that are there already; checkpoints have none yet.
        objects: by scene what is highlighted; empty for whole images.
        origins: by method where its images come from.
    """

    scenes: Mapping[str, SceneFiles | None]
    given: Mapping[str, Images]
    objects: Mapping[str, Sequence[Mask]]
    origins: Mapping[str, Any]


def find_sources(definition: Definition) -> Sources:
    """What the scenes that are shown are made from: files that are there, and objects.

    Raises:
        UserError: something that the definition names is missing or unusable.
    """
    return _choose(definition, _find(definition))


def _find(definition: Definition) -> Sources:
    """Every scene that could be shown, and what each method has of it."""
    place, methods = definition.scenes.folder, definition.methods
    folders = {n: files_by_name(Path(m.images)) for n, m in methods.items() if m.images}
    scenes: dict[str, SceneFiles | None]
    if place:
        scenes = {files.name: files for files in find_inputs(Path(place), _needs(definition))}
    else:
        alone = [name for name in methods if name not in folders]
        if alone:
            raise UserError(f"Method {alone[0]!r} needs the scenes' folder: {WAY_OUT}.")
        scenes = dict.fromkeys(sorted(set.intersection(*map(set, folders.values()))))
    given = {name: _paired(files, list(scenes)) for name, files in folders.items()}
    given |= {name: photos_of(scenes) for name, method in methods.items() if method.photos}
    origins = {name: _origin(method, place) for name, method in methods.items()}
    return Sources(scenes, given, {}, origins)


def _origin(method: Method, place: str) -> dict[str, Any]:
    """Where a method's images come from."""
    if method.images:
        return {"images": method.images}
    if method.photos:
        return {"photos": place}
    styles: dict[str, Any] = {"styles": method.styles, "style_seed": method.style_seed}
    if method.settings:
        styles["settings"] = dict(method.settings)
    path = checkpoint_of(method)
    return {"checkpoint": str(path), "sha256": sha256(path), **styles}


def _needs(definition: Definition) -> list[str]:
    """The kinds of files that the checkpoints translate; label maps without any."""
    needs: set[str] = set()
    for name, method in definition.methods.items():
        if method.checkpoint:
            try:
                options = InferenceOptions(settings=method.settings)
                opened = open_checkpoint(checkpoint_of(method), options=options)
            except UserError as error:
                raise UserError(f"Method {name!r}: {error}") from None
            needs.update(opened.translator.data_preprocessor.needs)
    return sorted(needs) or ["label"]


def checkpoint_of(method: Method) -> Path:
    """The checkpoint's file; of a run's folder its newest complete epoch.

    Raises:
        UserError: there is none.
    """
    path = Path(method.checkpoint)
    return latest_checkpoint(path) if path.is_dir() else path


def _paired(files: Images, names: Sequence[str]) -> dict[str, Path]:
    """By scene its one image."""
    return {n: found[0] for n, found in pair_images(names, files).items() if len(found) == 1}


def photos_of(scenes: Mapping[str, SceneFiles | None]) -> dict[str, Path]:
    """By scene its photo, of those that have one."""
    return {n: s.image for n, s in scenes.items() if s is not None and s.image is not None}


def _choose(definition: Definition, found: Sources) -> Sources:
    """The sources of the scenes that are shown.

    Raises:
        UserError: there are too few.
    """
    names = [n for n in found.scenes if all(n in files for files in found.given.values())]
    lacking = len(found.scenes) - len(names)
    if not names:
        have = ", ".join(f"{name} {len(files)}" for name, files in found.given.items())
        raise UserError(
            f"No scene has a picture of every method. Pictures by method: {have}; scenes: "
            f"{', '.join(list(found.scenes)[:3])} ... Pictures are paired with scenes by name."
        )
    if lacking:
        say(f"{lacking} of {len(found.scenes)} scenes lack a picture of some method: left out.")
    objects = _objects(definition, found, names)
    names = [name for name in names if not definition.regions.classes or objects[name]]
    number = definition.scenes.number or len(names)
    if number > len(names) or not names:
        raise UserError(
            f"The study wants {number} scenes, and {len(names)} have a picture of every method"
            + (" and an object to highlight." if definition.regions.classes else ".")
        )
    random = np.random.default_rng((definition.seed, 0))
    chosen = [names[i] for i in sorted(random.permutation(len(names))[:number])]
    return Sources(
        {name: found.scenes[name] for name in chosen},
        {m: {name: files[name] for name in chosen} for m, files in found.given.items()},
        {name: objects[name] for name in chosen} if objects else {},
        found.origins,
    )


def _objects(
    definition: Definition, found: Sources, names: Sequence[str]
) -> dict[str, Sequence[Mask]]:
    """What is highlighted of each scene."""
    regions = definition.regions
    if not regions.classes:
        return {}
    place = Path(definition.scenes.folder)
    classes = _classes(definition, found)
    channels = class_channels(regions.classes, classes, place)
    objects: dict[str, Sequence[Mask]] = {}
    for name in track(names, "finding objects"):
        files = found.scenes[name]
        if files is None:
            raise UserError(f"Highlighting needs the scenes' folder: {WAY_OUT}.")
        objects[name] = find_objects(files, channels, classes, regions)
    return objects


def _classes(definition: Definition, found: Sources) -> ClassTable:
    """The classes of the scenes: Cityscapes' for its layout, else those in `classes.json`."""
    first = next(iter(found.scenes.values()))
    if first is None:
        raise UserError(f"Highlighting needs the scenes' folder: {WAY_OUT}.")
    if first.label is not None and "_gtFine_" in first.label.name:
        return CITYSCAPES_CLASSES
    return read_classes(Path(definition.scenes.folder))

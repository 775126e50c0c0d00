"""The sources of a study's images: scenes, existing files, and objects to highlight."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from i2ibench.apps.study.define.definition import Definition, Method
from i2ibench.apps.study.define.object_highlighting import Mask, class_channels, find_objects
from i2ibench.data.classes import CITYSCAPES_CLASSES
from i2ibench.data.datasets.paired_folder import read_classes
from i2ibench.data.file_search import files_by_name
from i2ibench.data.scene_search import find_inputs
from i2ibench.data.scenes import SceneFiles
from i2ibench.errors import UserError
from i2ibench.evaluation.image_sources import pair_images
from i2ibench.inference import InferenceOptions
from i2ibench.inference.checkpoint_names import find_checkpoint
from i2ibench.inference.checkpoints import open_checkpoint
from i2ibench.io.progress import say, track
from i2ibench.io.provenance import sha256

FilesByScene = Mapping[str, Path]
"""The image files of one method by scene."""


@dataclass(frozen=True)
class Sources:
    """The scenes of a study and the files that its images are made from.

    Attributes:
        scenes: the files of each scene by name, in order; None if there is no scenes' folder.
        files: existing image files by method; checkpoints have none yet.
        objects: masks of the highlighted objects by scene; empty for whole images.
        origins: description of the images' origin by method, for `study.json`.
    """

    scenes: Mapping[str, SceneFiles | None]
    files: Mapping[str, FilesByScene]
    objects: Mapping[str, Sequence[Mask]]
    origins: Mapping[str, Any]


def find_sources(definition: Definition) -> Sources:
    """Return the scenes that the study shows, and the files that its images are made from.

    The scenes are chosen with the definition's seed. Images are found, but not read. Label maps are
    read if objects are highlighted. Checkpoints are opened, and nothing is translated yet.

    Raises:
        UserError: something that the definition names is missing or unusable, or there are too few
            scenes.
    """
    return _choose(definition, _find_all(definition))


def checkpoint_of(method: Method) -> Path:
    """Return the checkpoint's file of a method that has a checkpoint.

    See `find_checkpoint`: the folder of a run and the name of a system in the package are accepted.

    Raises:
        UserError: there is no such checkpoint.
    """
    return find_checkpoint(method.checkpoint)


def photos_of(scenes: Mapping[str, SceneFiles | None]) -> dict[str, Path]:
    """Return the photo's file of each scene by name, without the scenes that have no photo."""
    return {n: s.image for n, s in scenes.items() if s is not None and s.image is not None}


def _find_all(definition: Definition) -> Sources:
    """Return the sources of every scene that could be shown, without the objects.

    Without a scenes' folder, the scenes are the names that all methods' folders share. If several
    images in a method's folder fit one scene, that method has none for this scene. Methods with
    a checkpoint have no files yet.
    """
    folder, methods = definition.scenes.folder, definition.methods
    images = {n: files_by_name(Path(m.images)) for n, m in methods.items() if m.images}
    scenes: dict[str, SceneFiles | None]
    if folder:
        needs = _kinds_needed(definition)
        scenes = {files.name: files for files in find_inputs(Path(folder), needs)}
    else:
        without = [name for name in methods if name not in images]
        if without:
            raise UserError(
                f"Method {without[0]!r} needs the scenes' folder: scenes=dict(folder=...)."
            )
        scenes = dict.fromkeys(sorted(set.intersection(*map(set, images.values()))))
    files: dict[str, FilesByScene] = {}
    for name, named in images.items():
        pairs = pair_images(list(scenes), named)
        files[name] = {scene: paths[0] for scene, paths in pairs.items() if len(paths) == 1}
    files |= {name: photos_of(scenes) for name, method in methods.items() if method.photos}
    origins = {name: _origin(method, folder) for name, method in methods.items()}
    return Sources(scenes, files, {}, origins)


def _origin(method: Method, folder: str) -> dict[str, Any]:
    """Return a description of where a method's images come from, for `study.json`.

    For a checkpoint it holds the path, the SHA-256, the styles and, if there are any, the settings;
    otherwise only the folder.
    """
    if method.images:
        return {"images": method.images}
    if method.photos:
        return {"photos": folder}
    path = checkpoint_of(method)
    origin: dict[str, Any] = {"checkpoint": str(path), "sha256": sha256(path),
                              "styles": method.styles, "style_seed": method.style_seed}  # fmt: skip
    return {**origin, "settings": dict(method.settings)} if method.settings else origin


def _kinds_needed(definition: Definition) -> list[str]:
    """Return the kinds of files that the checkpoints translate, such as "label", sorted.

    Every checkpoint is opened. Without checkpoints the result is ["label"].
    """
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


def _choose(definition: Definition, sources: Sources) -> Sources:
    """Return the sources of the scenes that the seed draws, in their old order.

    Scenes that lack an image of some method cannot be drawn; stderr says how many. If objects are
    highlighted, scenes without an object cannot be drawn either.
    """
    names = [n for n in sources.scenes if all(n in files for files in sources.files.values())]
    lacking = len(sources.scenes) - len(names)
    if not names:
        counts = ", ".join(f"{name} {len(files)}" for name, files in sources.files.items())
        raise UserError(
            f"No scene has a picture of every method. Pictures by method: {counts}; scenes: "
            f"{', '.join(list(sources.scenes)[:3])} ... Pictures are paired with scenes by name."
        )
    if lacking:
        say(f"{lacking} of {len(sources.scenes)} scenes lack a picture of some method: left out.")
    classes = definition.regions.classes
    objects = _objects(definition, sources, names) if classes else {}
    names = [name for name in names if not classes or objects[name]]
    number = definition.scenes.number or len(names)
    if number > len(names) or not names:
        raise UserError(
            f"The study wants {number} scenes, and {len(names)} have a picture of every method"
            + (" and an object to highlight." if classes else ".")
        )
    random = np.random.default_rng((definition.seed, 0))
    chosen = [names[i] for i in sorted(random.permutation(len(names))[:number])]
    return Sources(
        {name: sources.scenes[name] for name in chosen},
        {m: {name: files[name] for name in chosen} for m, files in sources.files.items()},
        {name: objects[name] for name in chosen} if objects else {},
        sources.origins,
    )


def _objects(
    definition: Definition, sources: Sources, names: Sequence[str]
) -> dict[str, Sequence[Mask]]:
    """Return the masks of the objects to highlight by scene; a scene may have none.

    The classes are Cityscapes' if the first scene's label map has Cityscapes' layout, else those in
    `classes.json` of the scenes' folder.
    """
    regions, folder = definition.regions, Path(definition.scenes.folder)
    scenes = {n: files for n in names if (files := sources.scenes[n]) is not None}
    if not scenes:
        raise UserError("Highlighting needs the scenes' folder: scenes=dict(folder=...).")
    label = scenes[names[0]].label
    is_cityscapes = label is not None and "_gtFine_" in label.name
    classes = CITYSCAPES_CLASSES if is_cityscapes else read_classes(folder)
    channels = class_channels(regions.classes, classes, folder)
    return {
        name: find_objects(files, channels, classes, regions)
        for name, files in track(list(scenes.items()), "finding objects")
    }

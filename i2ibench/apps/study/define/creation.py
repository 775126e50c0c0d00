"""Making a study: its scenes are chosen, its images translated, copied and highlighted."""

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from i2ibench.apps.study.define.catch_images import degrade
from i2ibench.apps.study.define.definition import DEGRADED, REFERENCE, Definition, Method
from i2ibench.apps.study.define.design import Design
from i2ibench.apps.study.define.regions import Mask, highlight, resize_mask
from i2ibench.apps.study.define.sources import (
    Images,
    Sources,
    checkpoint_of,
    find_sources,
    photos_of,
)
from i2ibench.apps.study.define.study import IMAGES, NOTE, Study
from i2ibench.data.image_files import image_size, read_rgb
from i2ibench.errors import UserError
from i2ibench.inference import InferenceOptions
from i2ibench.inference.checkpoints import OpenedCheckpoint, open_checkpoint
from i2ibench.inference.translation import translate
from i2ibench.io.checksums import add_checksum
from i2ibench.io.files import read_text, write_image, write_private
from i2ibench.io.progress import say, track
from i2ibench.io.provenance import fingerprint, sha256
from i2ibench.registry.configuration import own_work_dir

SECRET = "secret"
"""The study's, until `study.json` has it."""
TIME_STAMP = 978_307_200
"""Of every image, in seconds since 1970: 2001-01-01, UTC."""


def create_study(definition: Definition, folder: Path, device: str = "cpu") -> Study:
    """Make a study in a folder; an interrupted call goes on where it was.

    Args:
        definition: of the study file.
        folder: gets `study.json`, `images/` and, of checkpoints, `translations/`.
        device: for translating.

    Raises:
        UserError: the folder holds a study, or something that the definition names is missing or
            unusable. What can be checked is checked before anything is translated.
    """
    sources = find_sources(definition)
    reference = _reference(definition, sources)
    Design(definition, list(sources.scenes), reference)  # refuses what cannot be planned
    with own_work_dir(folder, "creating a study", "choose another folder", (IMAGES,)):
        if (folder / NOTE).exists():
            raise UserError(f"{folder} holds a study already; choose another folder with --output.")
        return _create(definition, folder, sources, reference, device)


def _create(
    definition: Definition, folder: Path, sources: Sources, reference: str, device: str
) -> Study:
    """Make a study in a folder that is owned."""
    names = list(sources.scenes)
    images = {**sources.given, **_translations(definition, sources, folder, device)}
    if reference == REFERENCE:
        images[REFERENCE] = photos_of(sources.scenes)
    size = _largest(definition, images, names)
    today = datetime.now(timezone.utc).date().isoformat()
    origins = {name: {**made, **_content(images[name])} for name, made in sources.origins.items()}
    study = Study(folder, definition, names, reference, _secret(folder), origins, size, today)
    _write_images(study, images, sources.objects)
    write_private(folder / NOTE, json.dumps(add_checksum(study.as_dict()), indent=1))
    (folder / SECRET).unlink()
    return study


def _content(images: Images) -> dict[str, str]:
    """The SHA-256 of a method's images: of each one's name and hash."""
    return {"pictures": fingerprint({scene: sha256(path) for scene, path in images.items()})}


def _reference(definition: Definition, sources: Sources) -> str:
    """The method whose images are degraded: the photos if there are any, else the first."""
    for name, method in definition.methods.items():
        if method.photos:
            return name
    if sources.scenes and len(photos_of(sources.scenes)) == len(sources.scenes):
        return REFERENCE
    return next(iter(definition.methods))


def _translations(
    definition: Definition, sources: Sources, folder: Path, device: str
) -> dict[str, Images]:
    """By method of a checkpoint its images; translates what is missing."""
    made: dict[str, Images] = {}
    for name, method in definition.methods.items():
        if method.checkpoint:
            say(f"{name}: {checkpoint_of(method)}")
            options = InferenceOptions(settings=method.settings)
            opened = open_checkpoint(checkpoint_of(method), device, options=options)
            output = folder / "translations" / fingerprint(name)[:12]
            made[name] = _translate(definition, method, opened, list(sources.scenes), output)
    return made


def _translate(
    definition: Definition, method: Method, opened: OpenedCheckpoint, names: list[str], output: Path
) -> dict[str, Path]:
    if opened.inference.bank is not None:
        opened.inference.bank.seed = method.style_seed
    place = Path(definition.scenes.folder)
    size = (method.size[0], method.size[1]) if method.size else None
    translate(opened, place, output, size, method.styles, only=names)
    return {name: output / f"{name}.png" for name in names}


def _largest(
    definition: Definition, images: Mapping[str, Images], names: Sequence[str]
) -> tuple[int, int]:
    """The (width, height) that holds every image.

    Raises:
        UserError: two methods differ on a scene.
    """
    if definition.size:
        return definition.size[0], definition.size[1]
    sizes: set[tuple[int, int]] = set()
    for name in names:
        found = {method: image_size(files[name]) for method, files in images.items()}
        if len(set(found.values())) > 1:
            listing = ", ".join(f"{method} {w}x{h}" for method, (h, w) in found.items())
            raise UserError(
                f"The pictures of scene {name!r} differ in size: {listing}. Bring all to one, such "
                "as size=(512, 256)."
            )
        sizes.update(found.values())
    return max(w for _, w in sizes), max(h for h, _ in sizes)


def _secret(folder: Path) -> str:
    """Random; an interrupted creation goes on with its own."""
    path = folder / SECRET
    if not path.exists():
        write_private(path, secrets.token_hex(16))
    return read_text(path)


def _write_images(
    study: Study, images: Mapping[str, Images], objects: Mapping[str, Sequence[Mask]]
) -> None:
    """Write what participants see, so that no file tells its method.

    The names are hashes with the study's secret, the order of writing is random, and all files have
    one time stamp and, being new, one mode.
    """
    chance = secrets.SystemRandom()  # a seed would be a way to find the order out
    scenes = list(enumerate(study.scenes))
    chance.shuffle(scenes)
    for number, scene in track(scenes, "writing pictures"):
        size = study.definition.size or image_size(images[study.reference][scene])[::-1]
        shown = {method: _at_size(read_rgb(files[scene]), size) for method, files in images.items()}
        shown[DEGRADED] = degrade(shown[study.reference], number)
        marked = [resize_mask(one, size) for one in objects.get(scene, ())]
        for method in chance.sample(list(shown), len(shown)):
            pixels = shown[method]
            if marked:
                pixels = highlight(pixels, marked, study.definition.regions.dim)
            write_image(study.image(method, scene), pixels, compress_level=6, flush=False)
    for path in (study.folder / IMAGES).glob("*.png"):
        os.utime(path, (TIME_STAMP, TIME_STAMP))


def _at_size(pixels: NDArray[np.uint8], size: Sequence[int]) -> NDArray[np.uint8]:
    """The image at (width, height), by Lanczos' filter."""
    if pixels.shape[1::-1] == tuple(size):
        return pixels
    resized = Image.fromarray(pixels).resize((size[0], size[1]), Image.Resampling.LANCZOS)
    return np.asarray(resized)

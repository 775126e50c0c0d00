"""Creation of a study: choose its scenes, translate them, and write the images that are shown."""

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from i2ibench.apps.study.define.definition import DEGRADED, REFERENCE, Definition
from i2ibench.apps.study.define.design import Design
from i2ibench.apps.study.define.object_highlighting import Mask, highlight, resize_mask
from i2ibench.apps.study.define.sources import (
    FilesByScene,
    Sources,
    checkpoint_of,
    find_sources,
    photos_of,
)
from i2ibench.apps.study.define.study import IMAGES, NOTE, Study
from i2ibench.data.image_reading import image_size, read_rgb
from i2ibench.errors import UserError
from i2ibench.inference import InferenceOptions
from i2ibench.inference.checkpoints import open_checkpoint
from i2ibench.inference.translation import translate
from i2ibench.io.file_integrity import add_checksum
from i2ibench.io.files import read_text, write_image, write_private
from i2ibench.io.progress import say, track
from i2ibench.io.provenance import fingerprint, sha256
from i2ibench.registry.configuration import own_work_dir

SECRET = "secret"
"""Name of the file that holds the study's secret until `study.json` has it."""
TIME_STAMP = 978_307_200
"""Time stamp of every image, in seconds since 1970: 2001-01-01, UTC."""


def create_study(definition: Definition, folder: Path, device: str = "cpu") -> Study:
    """Choose a study's scenes, translate them, and write the study into a folder.

    An interrupted call is continued by the same call: its translations and its secret are kept. All
    checks that are possible come before the first translation.

    Args:
        definition: the study file.
        folder: gets `study.json`, the images and, for checkpoints, `translations/`. It is made if
            it does not exist.
        device: the device that translates.

    Raises:
        UserError: the folder holds a study or is in use by another process, there are too few
            scenes, or something that the definition names is missing or unusable.
    """
    sources = find_sources(definition)
    reference = _choose_reference(definition, sources)
    Design(definition, list(sources.scenes), reference)  # raises if no plan is possible
    with own_work_dir(folder, "creating a study", "choose another folder", (IMAGES,)):
        if (folder / NOTE).exists():
            raise UserError(f"{folder} holds a study already; choose another folder with --output.")
        files = {**sources.files, **_translate(definition, sources, folder, device)}
        if reference == REFERENCE:
            files[REFERENCE] = photos_of(sources.scenes)
        origins = {
            name: {
                **origin,
                "pictures": fingerprint({scene: sha256(p) for scene, p in files[name].items()}),
            }
            for name, origin in sources.origins.items()
        }
        names, today = list(sources.scenes), datetime.now(timezone.utc).date().isoformat()
        size, secret = _largest_size(definition, files, names), _secret(folder)
        study = Study(folder, definition, names, reference, secret, origins, size, today)
        _write_images(study, files, sources.objects)
        write_private(folder / NOTE, json.dumps(add_checksum(study.as_dict()), indent=1))
        (folder / SECRET).unlink()
        return study


def degrade(image: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """Return a blurred, pale and noisy image, for catch and practice trials.

    Everybody should find it worse than its original.

    Args:
        image: the original, [H,W,3]. The blur's sigma is 1/24 of its width.
        seed: seed of the noise.
    """
    random = np.random.default_rng(seed)
    blurred = cv2.GaussianBlur(image, (0, 0), max(image.shape[1] / 24, 1.0)).astype(np.float64)
    pale = 0.5 * blurred + 0.5 * blurred.mean()
    noise = random.normal(0, 28, image.shape[:2])[..., None]
    noisy: NDArray[np.uint8] = np.clip(pale + noise, 0, 255).astype(np.uint8)
    return noisy


def _choose_reference(definition: Definition, sources: Sources) -> str:
    """Return the name of the method whose images are degraded for catch and practice trials.

    If a method shows photos, the first such method is returned. Otherwise the result is REFERENCE
    if every scene has a photo, and the first method if not.
    """
    for name, method in definition.methods.items():
        if method.photos:
            return name
    if sources.scenes and len(photos_of(sources.scenes)) == len(sources.scenes):
        return REFERENCE
    return next(iter(definition.methods))


def _translate(
    definition: Definition, sources: Sources, folder: Path, device: str
) -> dict[str, FilesByScene]:
    """Translate the scenes with each method that is a checkpoint; return the image files.

    Translations that an interrupted call left in the folder are kept. Methods without a checkpoint
    are not in the result.
    """
    names = list(sources.scenes)
    files: dict[str, FilesByScene] = {}
    for name, method in definition.methods.items():
        if not method.checkpoint:
            continue
        say(f"{name}: {checkpoint_of(method)}")
        options = InferenceOptions(settings=method.settings)
        opened = open_checkpoint(checkpoint_of(method), device, options=options)
        if opened.inference.bank is not None:
            opened.inference.bank.seed = method.style_seed
        output = folder / "translations" / fingerprint(name)[:12]
        size = (method.size[0], method.size[1]) if method.size else None
        inputs = Path(definition.scenes.folder)
        translate(opened, inputs, output, size, method.styles, only=names)
        files[name] = {scene: output / f"{scene}.png" for scene in names}
    return files


def _largest_size(
    definition: Definition, files: Mapping[str, FilesByScene], names: Sequence[str]
) -> tuple[int, int]:
    """Return the (width, height) that holds every image.

    It is the `size` of the study file if that states one; no image is read then. Otherwise it is
    the greatest width and the greatest height of all images.
    """
    if definition.size:
        return definition.size[0], definition.size[1]
    sizes: set[tuple[int, int]] = set()
    for name in names:
        by_method = {method: image_size(paths[name]) for method, paths in files.items()}
        if len(set(by_method.values())) > 1:
            listing = ", ".join(f"{method} {w}x{h}" for method, (h, w) in by_method.items())
            raise UserError(
                f"The pictures of scene {name!r} differ in size: {listing}. Bring all to one, such "
                "as size=(512, 256)."
            )
        sizes.update(by_method.values())
    return max(w for _, w in sizes), max(h for h, _ in sizes)


def _secret(folder: Path) -> str:
    """Return the random secret of a new study, or that of an interrupted creation.

    A new secret is written to the file SECRET in the folder.
    """
    path = folder / SECRET
    if not path.exists():
        write_private(path, secrets.token_hex(16))
    return read_text(path)


def _write_images(
    study: Study, files: Mapping[str, FilesByScene], objects: Mapping[str, Sequence[Mask]]
) -> None:
    """Write the images that participants see, so that no file reveals its method.

    The images are resized to the study file's `size` if that states one, and objects are
    highlighted. Each scene also gets its degraded image. The names are hashes with the study's
    secret, and the order of writing is random. All files have one time stamp and, being new, one
    mode.
    """
    random = secrets.SystemRandom()  # a seed would reveal the order
    scenes = list(enumerate(study.scenes))
    random.shuffle(scenes)
    for number, scene in track(scenes, "writing pictures"):
        size = study.definition.size or image_size(files[study.reference][scene])[::-1]
        images = {method: _resize(read_rgb(paths[scene]), size) for method, paths in files.items()}
        images[DEGRADED] = degrade(images[study.reference], number)
        masks = [resize_mask(mask, size) for mask in objects.get(scene, ())]
        for method in random.sample(list(images), len(images)):
            pixels = images[method]
            if masks:
                pixels = highlight(pixels, masks, study.definition.regions.dim)
            write_image(study.image_path(method, scene), pixels, compress_level=6, flush=False)
    for path in (study.folder / IMAGES).glob("*.png"):
        os.utime(path, (TIME_STAMP, TIME_STAMP))


def _resize(pixels: NDArray[np.uint8], size: Sequence[int]) -> NDArray[np.uint8]:
    """Return an image [H,W,3] resized to (width, height) by Lanczos' filter.

    An image that has this size already is returned unchanged.
    """
    if pixels.shape[1::-1] == tuple(size):
        return pixels
    resized = Image.fromarray(pixels).resize((size[0], size[1]), Image.Resampling.LANCZOS)
    return np.asarray(resized)

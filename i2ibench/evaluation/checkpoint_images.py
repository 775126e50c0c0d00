"""A checkpoint's images of the scored scenes, kept in the image cache."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from i2ibench.data.image_reading import image_size
from i2ibench.data.pixel_formats import format_in
from i2ibench.evaluation.image_sources import FolderImages
from i2ibench.evaluation.protocol_scenes import ScoredScenes
from i2ibench.inference.checkpoints import OpenedCheckpoint
from i2ibench.inference.image_cache import ImageCache, file_hashes, recipe_of
from i2ibench.inference.trial_translation import try_translation
from i2ibench.io.files import ending_for
from i2ibench.io.provenance import fingerprint
from i2ibench.structures import size_of


@dataclass(frozen=True)
class CheckpointImages:
    """The images of all scored scenes, made by one checkpoint.

    Attributes:
        images: the image files.
        key: the SHA-256 of everything that the images depend on.
    """

    images: FolderImages
    key: str


def translate_scenes(
    folder: Path,
    opened: OpenedCheckpoint,
    scenes: ScoredScenes,
    chosen: dict[str, Any],
    samples: int,
    batch_size: int = 1,
) -> CheckpointImages:
    """Translate the scenes without an up-to-date image and return the image files of all scenes.

    Outdated images and all other files in the folder are deleted first. A test translation of one
    scene of each size runs before anything is deleted. Every process of a group translates its
    share and gets the same result.

    Images are `sample_<k>/<scene>` in the folder. A checkpoint makes `samples` different images of
    a scene if it draws its styles or noise at random. Otherwise one image is made, and if `samples`
    is above 1, the result lists this image twice.

    Args:
        folder: the folder of the images.
        opened: the checkpoint.
        scenes: the scenes to translate.
        chosen: further options that the images depend on, as JSON values. `encode_photo` (required)
            is True if styles are encoded from the real images.
        samples: the number of images of each scene, if the checkpoint makes different ones.
        batch_size: the largest number of neighbouring scenes of equal size that are translated at
            once.

    Raises:
        UserError: the checkpoint cannot translate the scenes.
    """
    for height, width in {
        size_of(scenes.sample(i)) for i in scenes.dataset.scenes.one_of_each_size()
    }:
        try_translation(opened.inference, height, width)
    encoded = chosen["encode_photo"]
    random = opened.inference.varies and not encoded
    cache = _cache_of(folder, opened, scenes, chosen, samples if random else 1, batch_size)
    cache.claim(refuse=False)
    cache.fill(scenes.batch, lambda data, sample: opened.inference.predict(data, encoded, sample))
    files = [
        dict(zip(scenes.names, paths, strict=True)) for paths in zip(*cache.paths, strict=True)
    ]
    image_format = format_in(opened.metainfo)
    repeat = 1 if random else min(samples, 2)
    images = FolderImages(files, repeat=repeat, image_format=image_format)
    return CheckpointImages(images, cache.key)


def _cache_of(
    folder: Path,
    opened: OpenedCheckpoint,
    scenes: ScoredScenes,
    chosen: dict[str, Any],
    samples: int,
    batch_size: int,
) -> ImageCache:
    chosen = {**chosen, "data": scenes.description}
    recipe = recipe_of(opened.path, opened.translator, opened.config, chosen, scenes.reading)
    files, ending = scenes.dataset.scenes.files, ending_for(format_in(opened.metainfo).channels)
    places = [[f"sample_{k}/{one.name}{ending}" for k in range(samples)] for one in files]
    return ImageCache(
        folder,
        recipe,
        [fingerprint(file_hashes(one)) for one in files],
        [[folder / place for place in own] for own in places],
        _batches(scenes, batch_size),
    )


def _batches(scenes: ScoredScenes, size: int) -> list[Sequence[int]]:
    """Return tuples of scene indices: up to `size` neighbouring scenes with one input size each."""
    batches: list[list[int]] = []
    last_size = None
    for i, files in enumerate(scenes.dataset.scenes.files):
        own_size = image_size(files.input)
        if own_size != last_size or len(batches[-1]) == size:
            batches.append([])
        batches[-1].append(i)
        last_size = own_size
    return [tuple(batch) for batch in batches]

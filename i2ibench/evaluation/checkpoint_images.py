"""The store: a checkpoint's images of the scored scenes, kept by the image cache."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from i2ibench.data.image_files import image_size
from i2ibench.data.pixel_formats import format_in
from i2ibench.evaluation.image_sources import FolderImages
from i2ibench.evaluation.scored_scenes import ScoredScenes
from i2ibench.inference.checkpoints import OpenedCheckpoint
from i2ibench.inference.image_cache import ImageCache, file_hashes, recipe_of
from i2ibench.inference.trial_translation import try_translation
from i2ibench.io.files import ending_for
from i2ibench.io.provenance import fingerprint
from i2ibench.structures import size_of


@dataclass(frozen=True)
class Store:
    """Images of a checkpoint.

    Attributes:
        images: of all scenes.
        key: SHA-256 of all that they depend on.
    """

    images: FolderImages
    key: str


def fill_store(
    folder: Path,
    opened: OpenedCheckpoint,
    scenes: ScoredScenes,
    chosen: dict[str, Any],
    samples: int,
    batch_size: int = 1,
) -> Store:
    """Translate the scenes whose images are not there yet; gives all of them.

    Images that would be others now are removed first. Each process makes its share.

    Args:
        folder: where the images lie.
        opened: the checkpoint.
        scenes: what is translated.
        chosen: what else decides the images; `encode_photo` is read here.
        samples: images of each scene, if they differ.
        batch_size: scenes of equal size that are translated at once.

    Raises:
        UserError: the scenes do not suit the checkpoint.
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
    made, repeat = format_in(opened.metainfo), 1 if random else min(samples, 2)
    return Store(FolderImages(files, repeat=repeat, made=made), cache.key)


def _cache_of(
    folder: Path,
    opened: OpenedCheckpoint,
    scenes: ScoredScenes,
    chosen: dict[str, Any],
    samples: int,
    batch_size: int,
) -> ImageCache:
    chosen = {**chosen, "data": scenes.facts}
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
    """Up to `size` neighbouring scenes of one size in each."""
    batches: list[list[int]] = []
    before = None
    for i, files in enumerate(scenes.dataset.scenes.files):
        own = image_size(files.input)
        if own != before or len(batches[-1]) == size:
            batches.append([])
        batches[-1].append(i)
        before = own
    return [tuple(batch) for batch in batches]

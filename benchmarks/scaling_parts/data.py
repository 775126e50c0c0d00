"""Data over the number of scenes: making a cache, and reading every scene from it and from PNG."""

import copy
import shutil
from functools import partial

from i2ibench.data.datasets.toystreet import drawn_streets
from scaling_parts.curves import LINEAR, Curve, named, timed


def curves(plan):
    sizes = named(plan.take([8, 16, 32, 64], [2, 4]))
    ways = {"reading PNGs": reading, "making the cache": caching, "reading the cache": from_cache}
    for name, prepare in ways.items():
        rounds = timed(lambda n, way=prepare: way(plan, n), sizes, plan.take(5, 1))
        yield Curve("data, 512×256", name, "scenes", "CPU seconds", sizes, rounds, LINEAR)


def scenes(plan, count):
    """Drawn once for each count."""
    width = plan.take(512, 128)
    folder = plan.folder / f"scenes{count}"
    return drawn_streets(folder, num_scenes=count, width=width, height=width // 2), folder


def reading(plan, count):
    dataset, _ = scenes(plan, count)
    return partial(read_all, dataset)


def read_all(dataset):
    """Every scene once; none is kept, as in training."""
    for index in range(len(dataset)):
        dataset[index]


def caching(plan, count):
    dataset, folder = scenes(plan, count)
    dataset.scenes.cache_folder = folder / "cache"

    def make():
        shutil.rmtree(folder / "cache", ignore_errors=True)
        copy.copy(dataset.scenes).open_cache()

    return make


def from_cache(plan, count):
    dataset, folder = scenes(plan, count)
    dataset.scenes.cache_folder = folder / "cache"
    dataset.scenes.open_cache()
    return partial(read_all, dataset)

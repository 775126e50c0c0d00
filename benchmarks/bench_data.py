"""Reading scenes: from a cache and from PNG, beside the released code's way; loaders' throughput.

    make bench

A plain sample is float and normalised, ours compact integers that the device normalises; the
pixels are equal. The scenes are ToyStreet's at 2048x1024, whose PNGs take as long as photos.
"""

import time
from statistics import median

import numpy as np
import pytest
import torch
from loader_throughput import PlainScenes
from plain import data as plain
from side_by_side import in_turns, note
from torch.utils.data import DataLoader

from i2ibench.data.datasets.toystreet import drawn_streets
from i2ibench.data.loaders import build_dataset, build_loader
from i2ibench.models.ops.images import to_signed

SCENES = 3
FLIP = {"type": "RandomFlip"}
WIDTHS = {2048: [FLIP], 1024: [{"type": "Resize", "width": 1024, "height": 512}, FLIP]}
ROWS = {
    ("a cache", 1024): (8, 27),
    ("a cache", 2048): (5, 17),
    ("PNG", 1024): (1.05, 1.35),
    ("PNG", 2048): (1.05, 1.35),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    path = tmp_path_factory.mktemp("toystreet")
    drawn_streets(path, num_scenes=SCENES, width=2048, height=1024)
    return path


@pytest.mark.parametrize(("source", "width"), ROWS)
def test_sample(benchmark, root, source, width):
    transforms = WIDTHS[width]
    dataset = drawn_streets(root, "train", SCENES, 2048, 1024, transforms=transforms)
    if source == "a cache":
        dataset.scenes.cache_folder = root / "cache"
        dataset.scenes.open_cache()
    keys = [(index, epoch) for epoch in range(2) for index in range(SCENES)]

    def ours():
        return [dataset[key] for key in keys]

    def plainly():
        return [plain_sample(dataset, key, (width, width // 2)) for key in keys]

    for one, two in zip(ours(), plainly(), strict=True):
        torch.testing.assert_close(to_signed(one["image"]), two["image"])
        assert torch.equal(one["label"].float(), two["label"].round())
        assert torch.equal(one["instance"], two["instance"])
    row = f"sample from {source}, {width} wide"
    in_turns(benchmark, ours, plainly, row, *ROWS[source, width], rounds=3)


def plain_sample(dataset, key, size):
    """Flipped when ours is."""
    index, epoch = key
    flip = np.random.default_rng((0, epoch, index)).random() < 0.5
    return plain.sample(dataset.scenes.files[index], size, flip)


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_loader_throughput(benchmark, tmp_path, workers):
    """Scenes a second by the wall clock beside the released way, and the pause between epochs.

    Workers are kept: a new epoch begins as soon as its first scene is read. Larger scenes, and
    more workers: loader_throughput.py.
    """
    drawn_streets(tmp_path, num_scenes=16, width=1024, height=512)
    dataset = {"type": "ToyStreet", "num_scenes": 16, "width": 1024, "height": 512}
    rates = {}
    for cache in (False, str(tmp_path / "cache")):
        cfg = {"dataset": dataset, "num_workers": workers, "cache": cache, "batch_size": 2}
        loader = build_loader(build_dataset(cfg, str(tmp_path)), cfg, training=True)
        sum(1 for _ in loader)  # starts the workers
        rates["cache" if cache else "PNG"], pauses = throughput(loader)
    scenes = PlainScenes(loader.dataset, (1024, 512))
    options = {"num_workers": workers, "persistent_workers": workers > 0}
    beside = DataLoader(scenes, batch_size=2, **options)
    sum(1 for _ in beside)
    rates["plain"], _ = throughput(beside, epochs=1)
    figures = {f"{name}, scenes/s": round(rate) for name, rate in rates.items()}
    benchmark.extra_info.update(figures)
    note(
        benchmark,
        f"loader from a cache, {workers} workers, wall",
        rates["cache"] / rates["plain"],
        5,
        19,
    )
    row = {"pause between epochs, ms": round(1000 * median(pauses), 1)}
    benchmark.extra_info.update(row)
    print(f"\n{workers} workers: {benchmark.extra_info}")
    benchmark.pedantic(lambda: None)


def throughput(loader, epochs=4):
    """Scenes a second, and the seconds from each epoch's beginning to its first batch."""
    pauses, begin = [], time.perf_counter()
    for _ in range(epochs):
        start = time.perf_counter()
        for number, _batch in enumerate(loader):
            if number == 0:
                pauses.append(time.perf_counter() - start)
    return epochs * len(loader.dataset) / (time.perf_counter() - begin), pauses

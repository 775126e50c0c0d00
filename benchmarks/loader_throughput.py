"""A loader's scenes a second by its workers, from PNG and from a cache, beside the released way.

    python benchmarks/loader_throughput.py [--scenes 24] [--epochs 3] [--workers 0 1 2 4]

ToyStreet is drawn at 2048x1024 into a temporary folder and read at 512x256, 1024x512. Wall time, in
turns: all rows of a size in each round, and the median over rounds. Workers are started before.
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

import torch
from plain import data as plain
from torch.utils.data import DataLoader

from i2ibench.data.datasets.toystreet import drawn_streets
from i2ibench.data.loaders import build_dataset, build_loader

SIZES = ((512, 256), (1024, 512))


class PlainScenes:
    """The released code's data set: PIL, resized every time, float tensors."""

    def __init__(self, dataset, size):
        self.files, self.size = dataset.scenes.files, size

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        return plain.sample(self.files[index], self.size, flip=index % 2 == 0)


def loaders(root, count, size, workers):
    """By name."""
    width, height = size
    transforms = [{"type": "Resize", "width": width, "height": height}, {"type": "RandomFlip"}]
    dataset = {"type": "ToyStreet", "num_scenes": count, "width": 2048, "height": 1024,
               "transforms": transforms}  # fmt: skip
    found = {}
    for name, cache in (("PNG", False), ("cache", str(root / "cache"))):
        cfg = {"dataset": dataset, "num_workers": workers, "cache": cache}
        found[name] = build_loader(build_dataset(cfg, str(root)), cfg, training=True)
    scenes = PlainScenes(found["PNG"].dataset, size)
    found["plain"] = DataLoader(scenes, num_workers=workers, persistent_workers=workers > 0)
    return found


def seconds(loader):
    """Of an epoch, from its beginning to its last batch."""
    begin = time.perf_counter()
    for _ in loader:
        pass
    return time.perf_counter() - begin


def rates(found, count, epochs):
    """Scenes a second by name, medians of epochs taken in turns."""
    for loader in found.values():
        seconds(loader)
    taken = [{name: seconds(loader) for name, loader in found.items()} for _ in range(epochs)]
    return {name: count / median(one[name] for one in taken) for name in found}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=24)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2, 4])
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        drawn_streets(folder, num_scenes=options.scenes, width=2048, height=1024)
        print("| size | workers | plain | PNG | cache | cache / plain |\n|---|---|---|---|---|---|")
        for size in SIZES:
            for workers in options.workers:
                found = loaders(Path(folder), options.scenes, size, workers)
                rate = rates(found, options.scenes, options.epochs)
                row = " | ".join(f"{rate[name]:.1f}" for name in ("plain", "PNG", "cache"))
                ratio = rate["cache"] / rate["plain"]
                print(f"| {size[0]}x{size[1]} | {workers} | {row} | {ratio:.1f} |", flush=True)


if __name__ == "__main__":
    main()

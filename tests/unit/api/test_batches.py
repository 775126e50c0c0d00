"""Folders are translated in batches of neighbours of equal size, with the same images."""

import numpy as np
from PIL import Image

from i2ibench.inference.batch_splitting import equal_neighbours
from i2ibench.inference.translation import translate


def pixels(path):
    with Image.open(path) as image:
        return np.array(image)


def test_a_batch_has_neighbours_of_one_size():
    one, other = (64, 32), (40, 32)
    sizes = [one, one, one, other, one, one]
    assert equal_neighbours(sizes, 2) == [(0, 1), (2,), (3,), (4, 5)]
    assert equal_neighbours(sizes, 1) == [(n,) for n in range(6)]
    assert equal_neighbours([], 3) == []


def test_the_images_are_those_of_one_scene_at_a_time(model, scene, tmp_path):
    for number in range(5):
        for path, kind in zip(scene, ("label", "instance"), strict=False):
            folder = tmp_path / "in" / kind
            folder.mkdir(parents=True, exist_ok=True)
            width = 40 if number == 3 else 64
            Image.fromarray(pixels(path)[:, :width]).save(folder / f"{number}.png")
    single = translate(model.opened, tmp_path / "in", tmp_path / "single")
    together = translate(model.opened, tmp_path / "in", tmp_path / "together", batch_size=3)
    assert [path.name for path in together] == [path.name for path in single]
    for one, other in zip(single, together, strict=True):
        assert np.abs(pixels(one).astype(int) - pixels(other)).max() <= 1
    assert pixels(together[3]).shape == (32, 40, 3)

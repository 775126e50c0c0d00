"""The energy of regular patterns: photos have 1, a checkerboard more, blur less."""

import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter

from i2ibench.evaluation.metrics import CheckerboardEnergy

RANDOM = np.random.default_rng(0)


def scene(fake, real):
    fake, real = (torch.from_numpy(np.clip(x, 0, 255).astype(np.uint8)) for x in (fake, real))
    return {"name": "a", "fake": fake, "real": real}


def scores(*scenes):
    metric = CheckerboardEnergy()
    return {k: float(v) for k, v in metric.scores(np.sum(metric.measure(scenes), 0)).items()}


def photo():
    return uniform_filter(RANDOM.normal(128, 60, (3, 64, 128)), (0, 3, 3)) + RANDOM.normal(
        0, 5, (3, 64, 128)
    )


def test_equal_images_have_the_energy_of_photos():
    one, two = photo(), photo()
    found = scores(scene(one, one), scene(two, two))
    assert found == {f"checkerboard/{p}": pytest.approx(1.0) for p in (2, 4, 8)}


@pytest.mark.parametrize("period", [2, 4, 8])
def test_a_pattern_shows_at_its_period(period):
    real = photo()
    columns = np.where(np.arange(128) % period < period // 2, 20.0, -20.0)
    found = scores(scene(real + columns, real))
    assert found[f"checkerboard/{period}"] > 5
    longer = [found[f"checkerboard/{p}"] for p in (2, 4, 8) if p > period]
    assert all(value < 2 for value in longer)


def test_blur_has_less_energy():
    real = photo()
    found = scores(scene(uniform_filter(real, (0, 5, 5)), real))
    assert found["checkerboard/2"] < 0.3


def test_the_energies_are_those_of_the_sum_that_defines_the_transform():
    """Compare one frequency with the Fourier sum written out."""
    image = photo()[:, :16, :32]
    grey = image.astype(np.uint8).mean(0)
    window = np.outer(np.hanning(16), np.hanning(32))
    values = (grey - grey.mean()) * window
    y, x = np.mgrid[:16, :32]
    energy = 0.0
    for row, column in ((8, 0), (0, 16), (8, 16)):
        for v in (row - 1, row, row + 1):
            for u in (column - 1, column, column + 1):
                wave = np.exp(-2j * np.pi * (v * y / 16 + u * x / 32))
                energy += abs((values * wave).sum()) ** 2
    found = CheckerboardEnergy().measure([scene(image, image)])[0]
    assert found[0] == pytest.approx(energy) and found[1] == pytest.approx(energy)

"""The energy of regular patterns in images, such as the checkerboard of transposed convolutions."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from i2ibench.evaluation.metrics.perceptual import mean
from i2ibench.registry import METRICS
from i2ibench.registry.contracts import Metric
from i2ibench.structures import Prediction

Floats = NDArray[np.float64]

PERIODS = (2, 4, 8)
"""Periods in pixels: strides of one, two and three transposed convolutions in a row."""


@METRICS.register_module()
class CheckerboardEnergy(Metric):
    """Energy of the spectrum at periods of 2, 4 and 8 pixels, divided by that of the real images.

    Transposed convolutions leave patterns with the period of their stride (Odena et al. 2016,
    https://distill.pub/2016/deconv-checkerboard). 1 means as much energy as in the real images.
    More is a pattern, and less is blur, so that neither is ranked.
    """

    needs = ("real",)
    needs_rgb = False
    better: dict[str, str] = {}

    def measure(self, predictions: Sequence[Prediction]) -> list[Floats]:
        """Return for each scene float64 [6]: for each period the energy of the fake and the real.

        The energy is that of the horizontal, the vertical and the diagonal pattern of the period,
        of the mean over channels, under a Hann window.
        """
        pairs = ((_energies(p["fake"]), _energies(p["real"])) for p in predictions)
        return [np.stack(pair, 1).ravel() for pair in pairs]

    def scores(self, sums: Floats) -> dict[str, Floats]:
        """Return `checkerboard/<period>`, the ratio of the energies that are summed over scenes.

        Args:
            sums: the rows of `measure`, added over scenes, [...,6].
        """
        by_period = sums.reshape(*sums.shape[:-1], len(PERIODS), 2)
        ratios = mean(by_period[..., 0], by_period[..., 1])
        return {f"checkerboard/{p}": ratios[..., i] for i, p in enumerate(PERIODS)}


def _energies(image: Tensor) -> Floats:
    """Return the energy of an image CHW at each of PERIODS, float64 [3].

    Each pattern counts with the eight frequencies around its own, or around the nearest one if a
    side is no multiple of the period.
    """
    grey = image.to("cpu", torch.float64).mean(0).numpy()
    height, width = grey.shape
    window = np.outer(np.hanning(height), np.hanning(width))
    power = np.abs(np.fft.fft2((grey - grey.mean()) * window)) ** 2
    return np.array([_at(power, height / p, width / p) for p in PERIODS])


def _at(power: Floats, row: float, column: float) -> float:
    """Return the power around the frequencies (row, 0), (0, column) and (row, column)."""
    near, total = np.arange(-1, 2), 0.0
    for y, x in ((row, 0.0), (0.0, column), (row, column)):
        rows = np.unique((round(y) + near) % power.shape[0])
        columns = np.unique((round(x) + near) % power.shape[1])
        total += float(power[np.ix_(rows, columns)].sum())
    return total

"""RMSE and MAE: how far a translated scene is from its photo in the units of what is stored."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from i2ibench.errors import UserError
from i2ibench.evaluation.metrics.perceptual import mean
from i2ibench.models.ops.images import pixels_of
from i2ibench.registry import METRICS
from i2ibench.registry.contracts import Metric
from i2ibench.structures import Prediction

Floats = NDArray[np.float64]


@METRICS.register_module()
class LevelErrors(Metric):
    """Root mean square and mean absolute error over the pixels of all scenes, for depth and others.

    Images of several channels have scores of each channel besides, such as `rmse/0`.

    Args:
        scale: what one level stands for, such as 0.001 for metres where files hold millimetres.
        unmeasured: the photo's value at pixels that were not measured, such as 0 in depth maps;
            they are left out, by channel. None counts every pixel.
    """

    needs = ("real",)
    needs_rgb = False
    better = {"rmse": "lower", "mae": "lower"}

    def __init__(self, scale: float = 1.0, unmeasured: int | None = None) -> None:
        if not scale > 0:
            raise UserError(f"scale is what one level stands for, above 0, not {scale!r}.")
        self.scale, self.unmeasured = scale, unmeasured

    def measure(self, predictions: Sequence[Prediction]) -> list[Floats]:
        """Return of each scene float64 [3C]: by channel pixels, squared and absolute errors."""
        return [self._sums(p) for p in predictions]

    def _sums(self, prediction: Prediction) -> Floats:
        fake, real = (
            np.atleast_3d(pixels_of(prediction[key])).astype(np.float64)  # type: ignore[literal-required]
            for key in ("fake", "real")
        )
        counted = np.ones(real.shape, bool) if self.unmeasured is None else real != self.unmeasured
        error = np.abs(fake - real) * counted * self.scale
        return np.stack([m.sum((0, 1)) for m in (counted, error**2, error)], -1).ravel()

    def scores(self, sums: Floats) -> dict[str, Floats]:
        """Return `rmse` and `mae` by sums [...,3C] of the scenes' rows; nan without a pixel."""
        by_channel = sums.reshape(*sums.shape[:-1], -1, 3)
        found = _errors(by_channel.sum(-2), "")
        if by_channel.shape[-2] > 1:
            for channel in range(by_channel.shape[-2]):
                found |= _errors(by_channel[..., channel, :], f"/{channel}")
        return found


def _errors(sums: Floats, ending: str) -> dict[str, Floats]:
    pixels, squared, absolute = np.moveaxis(sums, -1, 0)
    return {
        f"rmse{ending}": np.sqrt(mean(squared, pixels)),
        f"mae{ending}": mean(absolute, pixels),
    }

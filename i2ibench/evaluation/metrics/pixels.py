"""Pixel errors between a fake and its real image: PSNR, SSIM, RMSE and MAE."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from i2ibench.errors import UserError
from i2ibench.evaluation.metrics.perceptual import mean
from i2ibench.models.ops.images import largest_level, pixels_of
from i2ibench.registry import METRICS
from i2ibench.registry.contracts import Metric
from i2ibench.structures import Prediction

Floats = NDArray[np.float64]

WINDOW = 11


@METRICS.register_module()
class PixelSimilarity(Metric):
    """PSNR and SSIM (Wang et al. 2004) between fake and real images, computed by torchmetrics.

    SSIM uses a Gaussian window of 11 pixels with sigma 1.5 for each channel, and averages over the
    windows inside the image. scikit-image computes the same with `gaussian_weights=True,
    use_sample_covariance=False, data_range=255`. Images of 16 bits have the range 65535.
    """

    needs = ("real",)
    needs_rgb = False
    better = {"psnr": "higher", "ssim": "higher"}

    def measure(self, predictions: Sequence[Prediction]) -> list[Floats]:
        """Return for each scene float64 [4]: 1, PSNR in dB, 1 or 0 for equal images, and SSIM.

        Equal images have an infinite PSNR. Their row is 1, 0, 1, 1.

        Raises:
            UserError: an image is smaller than the window.
        """
        return [_measure(p["fake"], p["real"]) for p in predictions]

    def scores(self, sums: Floats) -> dict[str, Floats]:
        """Return `psnr` in dB, `psnr_identical` and `ssim`, averaged over scenes.

        `psnr` leaves out scenes whose images are equal, and is nan if no others exist.
        `psnr_identical` is no average: it counts the scenes whose fake and real images are equal.

        Args:
            sums: the rows of `measure`, added over scenes, [...,4].
        """
        scenes, decibel, identical, similarity = np.moveaxis(sums, -1, 0)
        return {
            "psnr": mean(decibel, scenes - identical),
            "psnr_identical": identical,
            "ssim": mean(similarity, scenes),
        }


@torch.inference_mode()
def _measure(fake: Tensor, real: Tensor) -> Floats:
    from torchmetrics.functional.image import peak_signal_noise_ratio

    if min(fake.shape[-2:]) < WINDOW:
        height, width = fake.shape[-2:]
        raise UserError(f"SSIM needs at least {WINDOW}x{WINDOW} pixels, not {width}x{height}.")
    # CUDA convolves float32 in TF32, whose 10 bits are too few for a variance. On a CPU float64 is
    # 15 times slower than float32 and changes SSIM by 2e-6.
    kind = torch.float64 if fake.is_cuda else torch.float32
    x, y = fake[None].to(kind), real[None].to(fake.device, kind)
    if torch.equal(x, y):
        return np.array([1, 0, 1, 1], np.float64)
    white = float(largest_level(real))
    decibel = peak_signal_noise_ratio(x, y, data_range=white).item()
    return np.array([1, decibel, 0, structural_similarity(x, y, white)], np.float64)


def structural_similarity(x: Tensor, y: Tensor, white: float = 255.0) -> float:
    """Return the SSIM of two images, float 1CHW in 0..white.

    It is averaged over channels and over the windows of 11 pixels that lie inside the image.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure

    _, similarity = structural_similarity_index_measure(
        x, y, sigma=1.5, data_range=white, return_full_image=True
    )
    # torchmetrics averages over its padding too. The published SSIM uses the windows inside only.
    inside = slice(WINDOW // 2, -(WINDOW // 2))
    return float(similarity[..., inside, inside].mean())


@METRICS.register_module()
class LevelErrors(Metric):
    """Root mean square error and mean absolute error over the pixels of all scenes, such as depth.

    Images with several channels also have scores of each channel, such as `rmse/0`.

    Args:
        scale: the size of one level in the unit of the scores, such as 0.001 for files in
            millimetres and scores in metres.
        unmeasured: the level of real images that marks a missing measurement, such as 0 in depth
            maps. Pixels with this level are ignored in their channel. None uses every pixel.

    Raises:
        UserError: `scale` is not positive.
    """

    needs = ("real",)
    needs_rgb = False
    better = {"rmse": "lower", "mae": "lower"}

    def __init__(self, scale: float = 1.0, unmeasured: int | None = None) -> None:
        if not scale > 0:
            raise UserError(f"scale is what one level stands for, above 0, not {scale!r}.")
        self.scale, self.unmeasured = scale, unmeasured

    def measure(self, predictions: Sequence[Prediction]) -> list[Floats]:
        """Return for each scene float64 [3C]: for each channel three sums over its measured pixels.

        They are the number of pixels and the sums of squared and of absolute errors. Errors are
        multiplied by `scale` first.
        """
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
        """Return `rmse` and `mae` over all pixels and channels, in the unit of `scale`.

        For several channels there are also `rmse/<channel>` and `mae/<channel>`, with channels from
        0 on. Scores without a measured pixel are nan.

        Args:
            sums: the rows of `measure`, added over scenes, [...,3C].
        """
        by_channel = sums.reshape(*sums.shape[:-1], -1, 3)
        scores = _errors(by_channel.sum(-2), "")
        if by_channel.shape[-2] > 1:
            for channel in range(by_channel.shape[-2]):
                scores |= _errors(by_channel[..., channel, :], f"/{channel}")
        return scores


def _errors(sums: Floats, ending: str) -> dict[str, Floats]:
    pixels, squared, absolute = np.moveaxis(sums, -1, 0)
    return {
        f"rmse{ending}": np.sqrt(mean(squared, pixels)),
        f"mae{ending}": mean(absolute, pixels),
    }

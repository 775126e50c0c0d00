"""PSNR and SSIM: how close a translated scene is to its photo, pixel by pixel."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from i2ibench.errors import UserError
from i2ibench.evaluation.metrics.perceptual import mean
from i2ibench.models.ops.images import largest_level
from i2ibench.registry import METRICS
from i2ibench.registry.contracts import Metric
from i2ibench.structures import Prediction

Floats = NDArray[np.float64]

WINDOW = 11


@METRICS.register_module()
class PixelSimilarity(Metric):
    """PSNR and SSIM (Wang et al. 2004) of torchmetrics between translated scene and photo.

    SSIM takes a Gaussian window of 11 pixels and sigma 1.5, each colour by itself, over the windows
    that lie inside the image: scikit-image's `gaussian_weights=True,
    use_sample_covariance=False, data_range=255`; of images of 16 bits the range is 65535.
    """

    needs = ("real",)
    needs_rgb = False
    better = {"psnr": "higher", "ssim": "higher"}

    def measure(self, predictions: Sequence[Prediction]) -> list[Floats]:
        """Return for each scene float64 [4]: 1, its PSNR in dB if finite, 1 if it is not, its SSIM.

        Raises:
            UserError: an image is smaller than the window.
        """
        return [_measure(p["fake"], p["real"]) for p in predictions]

    def scores(self, sums: Floats) -> dict[str, Floats]:
        """`psnr` in dB, `psnr_identical`, `ssim`, from sums [...,4] of the scenes' rows.

        `psnr` is the mean over the scenes that differ from their photo; the others, whose PSNR is
        infinite, are counted in `psnr_identical`.
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
    # CUDA convolves float32 in TF32, whose 10 bits are too few for a variance; double on a CPU is
    # 15 times slower and changes SSIM by 2e-6.
    kind = torch.float64 if fake.is_cuda else torch.float32
    x, y = fake[None].to(kind), real[None].to(fake.device, kind)
    if torch.equal(x, y):
        return np.array([1, 0, 1, 1], np.float64)
    white = float(largest_level(real))
    decibel = peak_signal_noise_ratio(x, y, data_range=white).item()
    return np.array([1, decibel, 0, structural_similarity(x, y, white)], np.float64)


def structural_similarity(x: Tensor, y: Tensor, white: float = 255.0) -> float:
    """Return SSIM of two images, float 1CHW in 0..white."""
    from torchmetrics.functional.image import structural_similarity_index_measure

    _, similarity = structural_similarity_index_measure(
        x, y, sigma=1.5, data_range=white, return_full_image=True
    )
    # torchmetrics averages over its padding too; the windows inside alone are the published SSIM.
    inside = slice(WINDOW // 2, -(WINDOW // 2))
    return float(similarity[..., inside, inside].mean())
